"""Shifts are measured to a fraction of a pixel whatever the water does, and folders are aligned without loss."""

from functools import cache

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from orelib.data import aligned, alignment
from orelib.data.aligned import align_folder
from orelib.data.alignment import ORIENTATIONS, find_orientation, measure_shift, needed_trust, overlap
from orelib.data.pair import PairError
from orelib.data.photographs import read_image
from orelib.data.scenes import render_pair


@pytest.fixture(scope="module")
def scene():
    return render_pair(3, (224, 256), px_per_mm=4, wetness=0.7)


def moved(scene, down, right):
    """The wet and the dry image as if the wet one had been shifted, cut from within."""
    height, width = scene.wet.shape[:2]
    wet = scene.wet[12 - down : height - 12 - down, 12 - right : width - 12 - right]
    return wet.copy(), scene.dry[12 : height - 12, 12 : width - 12].copy()


# ---- measuring ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [(0, 0), (3, -5), (-11, 2), (12, 12)])
def test_a_known_shift_is_found(scene, shift):
    still, found = measure_shift(*moved(scene, 0, 0)), measure_shift(*moved(scene, *shift))
    assert found.measured
    assert found.down == pytest.approx(shift[0], abs=0.4)
    assert found.right == pytest.approx(shift[1], abs=0.4)
    assert np.hypot(found.down - still.down - shift[0], found.right - still.right - shift[1]) < 0.2


def test_half_a_pixel_is_found(scene):
    wet, dry = (scene.wet[1:-1, :-2], scene.dry[:-2, :-2])  # an odd shift, seen at half the scale
    wet, dry = (image.reshape(111, 2, 127, 2, 3).mean(axis=(1, 3)).astype(np.uint8) for image in (wet, dry))
    assert measure_shift(wet, dry).down == pytest.approx(-0.5, abs=0.2)


def test_a_rendered_misalignment_is_found():
    found = [measure_shift(s.wet, s.dry) for s in (render_pair(k, misalignment_px=2.5) for k in (1, 2, 3))]
    assert [shift.length for shift in found] == pytest.approx([2.5] * 3, abs=0.4)
    assert max(shift.spread for shift in found) < 0.6


def test_exchanging_the_images_turns_the_shift_around(scene):
    wet, dry = moved(scene, 4, -3)
    there, back = measure_shift(wet, dry), measure_shift(dry, wet)
    assert (there.down, there.right) == pytest.approx((-back.down, -back.right), abs=0.11)


def test_exposure_and_glare_do_not_move_it(scene):
    wet, dry = moved(scene, 2, 6)
    wet = (wet * 0.4).astype(np.uint8)
    wet[40:90, 50:100] = 255
    found = measure_shift(wet, dry)
    assert (found.down, found.right) == pytest.approx((2, 6), abs=0.4)


def test_a_few_strong_edges_do_not_outweigh_the_rock(scene):
    wet, dry = moved(scene, 2, 6)
    for image in (wet, dry):  # rails that stay where they are
        image[60:64], image[140:144] = 255, 0
    found = measure_shift(wet, dry)
    assert (found.down, found.right) == pytest.approx((2, 6), abs=0.4)


def test_a_large_photograph_is_measured_as_finely(noise):
    rock = ndimage.gaussian_filter(noise.normal(size=(1240, 1450)), 3)
    rock = np.clip(120 + 60 * rock / rock.std(), 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    found = measure_shift(rock[31:1231, :1200] // 2, rock[20:1220, 250:])  # its row 20 is the other's row -11
    assert (found.down, found.right) == pytest.approx((-11, 250), abs=0.1)


def test_different_places_and_even_images_are_not_measurable(scene, noise):
    other = render_pair(4, scene.wet.shape[:2], px_per_mm=4)
    even = np.full_like(scene.wet, 90)
    grain = noise.normal(100, 10, (2, *scene.wet.shape)).clip(0, 255).astype(np.uint8)
    for wet, dry in ((scene.wet, other.dry), (even, even), (scene.wet, even), grain, (scene.wet, scene.dry[1:])):
        found = measure_shift(wet, dry)
        assert not found.measured
        assert np.isnan([found.down, found.right, found.length, found.spread]).all()


@pytest.mark.parametrize("size", [(16, 16), (16, 900), (24, 17)])
def test_tiny_and_narrow_images_are_no_error(noise, size):
    image = noise.integers(0, 256, (*size, 3)).astype(np.uint8)
    found = measure_shift(image, image)
    assert not found.measured or found.length == 0


@cache
def small_scene(seed):
    return render_pair(seed, (112, 112), px_per_mm=2 + seed % 4)


def crops(noise, side, count):
    """Windows of pairs of scenes at random places, each with a dry window of another scene: (wet, dry, other)."""
    for seed in range(count):
        one, other = small_scene(100 + seed), small_scene(1100 + seed)
        top, left = noise.integers(0, 113 - side, 2)
        cut = np.s_[top : top + side, left : left + side]
        yield one.wet[cut], one.dry[cut], other.dry[cut]


@pytest.mark.parametrize("side", [16, 20, 24, 27])
def test_in_tiny_images_nothing_is_measured_and_nothing_turned(noise, side):
    for wet, dry, other in crops(noise, side, 12):
        for partner in (dry, other, np.rot90(dry), dry[:, ::-1]):
            assert not measure_shift(wet, partner).measured
            assert find_orientation(wet, partner) is None


@pytest.mark.parametrize("side", [28, 32, 40, 64, 90])
def test_small_images_are_measured_where_chance_is_no_explanation(noise, side):
    measured, turned = [], []
    for wet, dry, other in crops(noise, side, 25):
        assert not measure_shift(wet, other).measured
        assert find_orientation(wet, other) is None
        assert measure_shift(wet, dry).measured or find_orientation(wet, dry) is None
        measured.append(measure_shift(wet, dry).measured)
        turned.append(find_orientation(wet, np.rot90(dry)) == "turned by 90 degrees anticlockwise")
    assert np.mean(measured) > 0.7
    assert np.mean(turned) > (0.7 if side > 30 else 0.5)


def test_the_trust_that_is_needed_falls_with_size_to_a_tenth():
    sides = [needed_trust((side, side)) for side in (16, 28, 40, 64, 100, 1000)]
    assert sides == sorted(sides, reverse=True)
    assert sides[0] == np.inf
    assert sides[-2:] == [0.1, 0.1]
    assert needed_trust((28, 1000)) == 0.1


def test_a_pair_without_a_shift_is_measured_once(scene, monkeypatch):
    calls = []
    whole = alignment.edges
    monkeypatch.setattr(alignment, "edges", lambda image: calls.append(image.shape) or whole(image))
    assert measure_shift(scene.wet[:90, :90], scene.dry[:90, :90]).measured
    assert calls == [(90, 90)] * 2


def test_a_turned_camera_shows_in_the_spread(scene):
    turned = ndimage.rotate(scene.wet, 1.0, reshape=False, order=1, mode="nearest")
    assert measure_shift(turned, scene.dry).spread > 2 > 4 * measure_shift(scene.wet, scene.dry).spread


def test_overlap_is_what_both_show():
    places = np.stack(np.mgrid[:40, :50], axis=2)
    for down, right in ((0, 0), (3, 0), (-4, 7), (5, -6)):
        wet, dry = overlap(places, places, down, right)
        assert wet.shape == dry.shape == (40 - abs(down), 50 - abs(right), 2)
        assert (wet - dry == (down, right)).all()


# ---- orientation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_each_orientation_is_named(scene, name):
    undo = ORIENTATIONS[name]
    # Each of them is undone by itself, by its reverse, or by doing it three times.
    turned = next(image for image in (undo(scene.dry), undo(undo(undo(scene.dry)))) if (undo(image) == scene.dry).all())
    assert not measure_shift(scene.wet, turned).measured
    assert find_orientation(scene.wet, turned) == name


def test_words_say_what_was_done_to_the_dry_image():
    image = np.array([[1, 2], [3, 4]])  # turned clockwise: 3 1 / 4 2
    assert (ORIENTATIONS["turned by 90 degrees clockwise"](np.array([[3, 1], [4, 2]])) == image).all()
    both = ORIENTATIONS["mirrored left to right and turned by 90 degrees clockwise"]
    assert (both(np.rot90(image[:, ::-1], -1)) == image).all()


def test_another_place_has_no_orientation(scene):
    assert find_orientation(scene.wet, render_pair(4, (224, 256), px_per_mm=4).dry) is None
    assert find_orientation(scene.wet, scene.dry[:50, :60]) is None


# ---- folders -----------------------------------------------------------------------------------------------------


def save(folder, split, stem, wet, dry):
    for side, image in (("wet", wet), ("dry", dry)):
        path = folder / split / side / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.fixture
def folder(tmp_path, scene):
    """Of three pairs, ``b`` is shifted by 5 rows up and 3 columns to the right."""
    save(tmp_path / "mine", "train", "a", *moved(scene, 1, 0))
    save(tmp_path / "mine", "train", "b", *moved(scene, -5, 3))
    save(tmp_path / "mine", "test", "c", *moved(scene, 0, 0))
    return tmp_path / "mine"


def test_shifted_pairs_are_cut_and_the_others_copied_byte_for_byte(folder, tmp_path):
    table = align_folder(folder, tmp_path / "out").set_index("stem")
    assert table["action"].to_dict() == {"a": "copied", "b": "aligned", "c": "copied"}
    assert table["split"].tolist() == ["train", "train", "test"]
    assert (table["shift_down"]["b"], table["shift_right"]["b"]) == pytest.approx((-5, 3), abs=0.4)
    assert table["remaining"]["b"] < 0.6
    assert table["remaining"]["a"] == pytest.approx(1, abs=0.4)
    for name in ("train/wet/a.png", "train/dry/a.png", "test/wet/c.png", "test/dry/c.png"):
        assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes()
    for side, rows, columns in (("wet", slice(0, -5), slice(3, None)), ("dry", slice(5, None), slice(0, -3))):
        before, after = (read_image(place / "train" / side / "b.png") for place in (folder, tmp_path / "out"))
        assert np.array_equal(after, before[rows, columns])


def test_the_largest_shift_decides(folder, tmp_path):
    assert set(align_folder(folder, tmp_path / "wide", largest_shift=9)["action"]) == {"copied"}
    actions = align_folder(folder, tmp_path / "tight", largest_shift=0.6)["action"]
    assert actions.tolist() == ["aligned", "aligned", "copied"]


def test_aligning_keeps_sixteen_bits(folder, tmp_path, scene):
    for side, image in zip(("wet", "dry"), moved(scene, -5, 3), strict=True):
        (folder / "train" / side / "b.png").unlink()
        tifffile.imwrite(folder / "train" / side / "b.tif", image * np.uint16(257) - 1 * (image > 9), photometric="rgb")
    align_folder(folder, tmp_path / "out")
    before = tifffile.imread(folder / "train" / "dry" / "b.tif")
    aligned = tmp_path / "out" / "train" / "dry" / "b.png"
    assert aligned.read_bytes()[24] == 16  # bits of a PNG's samples
    assert np.array_equal(read_image(aligned), ((before[5:, :-3].astype(int) + 128) // 257))


def test_what_cannot_be_aligned_is_listed_before_anything_is_written(folder, tmp_path, scene):
    save(folder, "train", "turned", scene.wet, np.rot90(scene.dry))
    save(folder, "train", "elsewhere", scene.wet, render_pair(4, scene.wet.shape[:2]).dry)
    save(folder, "train", "larger", scene.wet, scene.dry.repeat(2, axis=0))
    (folder / "test" / "dry" / "c.png").write_bytes(b"rubbish")
    (folder / "train" / "dry" / "a.png").unlink()
    with pytest.raises(PairError) as error:
        align_folder(folder, tmp_path / "out")
    message = str(error.value)
    assert message.startswith("5 problem(s)")
    for named in ("turned.png: the dry image is turned by 90 degrees anticlockwise", "a.png: has no dry partner",
                  "elsewhere.png: shift not measurable", "larger.png: is 256 x 224 px, its dry partner 256 x 448 px",
                  "c.png: cannot be read"):  # fmt: skip
        assert named in message
    assert not (tmp_path / "out").exists()


def test_what_is_not_finished_is_not_there(folder, tmp_path, monkeypatch):
    """Interrupted after the first pair; and killed, as the next call finds it."""
    whole, written = aligned._write_aligned, []

    def interrupted(*arguments):
        if written:
            raise OSError(28, "No space left on device")
        written.append(arguments)
        return whole(*arguments)

    monkeypatch.setattr(aligned, "_write_aligned", interrupted)
    with pytest.raises(OSError, match=r"out cannot be written \(No space left on device\): choose .* Nothing was kept"):
        align_folder(folder, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]
    monkeypatch.undo()
    half = tmp_path / ".out.unfinished-4242" / "train" / "wet"
    half.mkdir(parents=True)
    (half / "a.png").write_bytes(b"half")
    assert len(align_folder(folder, tmp_path / "out")) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]


def test_only_a_new_or_empty_folder_is_written_to(folder, tmp_path):
    with pytest.raises(FileExistsError, match="mine holds the pairs that are to be aligned"):
        align_folder(folder, folder)
    (tmp_path / "empty").mkdir()
    assert len(align_folder(folder, tmp_path / "empty")) == 3
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder"):
        align_folder(tmp_path / "nowhere", tmp_path / "out")


# ---- photographs -------------------------------------------------------------------------------------------------


def test_known_shifts_of_real_core_are_found(real_core):
    differences = []
    for piece in ("r1", "r2a"):
        wet, dry = (np.array(Image.open(real_core / "strips" / f"dev_{piece}_{side}.png")) for side in ("wet", "dry"))
        height = wet.shape[0] - 12
        for left in range(30, wet.shape[1] - 160, 300):
            still = measure_shift(wet[6 : 6 + height, left:][:, :128], dry[6 : 6 + height, left:][:, :128])
            found = measure_shift(wet[2 : 2 + height, left + 7 :][:, :128], dry[6 : 6 + height, left:][:, :128])
            differences.append(np.hypot(found.down - still.down - 4, found.right - still.right + 7))
    assert len(differences) > 8
    assert np.max(differences) < 0.4  # NaN, too, is not


def test_removed_highlights_do_not_shift(real_core):
    folder = real_core.parent / "polarised"
    for path in sorted((folder / "wet").iterdir())[:2]:
        assert measure_shift(read_image(path), read_image(folder / "dry" / path.name)).length < 0.3


def test_what_an_earlier_call_wrote_is_replaced_when_the_new_folder_is_complete(folder, tmp_path, monkeypatch):
    out = tmp_path / "aligned"
    first = align_folder(folder, out)
    (out / "of the earlier one").touch()
    with monkeypatch.context() as patched:
        patched.setattr(aligned, "_write_aligned", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            align_folder(folder, out, replace_earlier=True)
    assert (out / "of the earlier one").exists()
    assert align_folder(folder, out, replace_earlier=True).equals(first)
    assert not (out / "of the earlier one").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_pairs_are_never_replaced_by_their_own_aligned_copies(folder):
    with pytest.raises(FileExistsError, match="name another folder"):
        align_folder(folder, folder, replace_earlier=True)
