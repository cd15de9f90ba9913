"""Dry photographs that are wetted: the photograph itself, and folders of pairs to train on."""

import json

import numpy as np
import pytest
from PIL import Image

from orelib.data.check import check_folder
from orelib.data.pair import PairError
from orelib.data.pairs import load_pairs
from orelib.data.photographs import Photograph, read_image, write_photograph
from orelib.data.realism import brightness_ratio
from orelib.data.scenes import render_pair
from orelib.data.wetted import WINDOW, wet_folder
from orelib.data.wetting import wet_photograph
from orelib.runs import Folders


@pytest.fixture(scope="module")
def dry():
    return render_pair(3, (96, 128)).dry


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "dry"
    folder.mkdir()
    for seed in range(4):
        Image.fromarray(render_pair(seed, (48, 64)).dry).save(folder / f"heap_{seed}.png")
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# ---- one photograph ----------------------------------------------------------------------------------------------


def test_the_same_seed_wets_alike_and_leaves_the_photograph(dry):
    before = dry.copy()
    first, again, other = (wet_photograph(dry, seed) for seed in (1, 1, 2))
    assert np.array_equal(dry, before)
    assert all(np.array_equal(*images) for images in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_wet_rock_is_darker_and_glare_is_brighter(dry):
    glares = 0
    for seed in range(12):
        wet, glare = wet_photograph(dry, seed)
        assert (wet.dtype, wet.shape) == (np.uint8, dry.shape)
        assert (glare.dtype, glare.shape) == (bool, dry.shape[:2])
        assert 0.4 < brightness_ratio(wet, dry) < 1.15
        assert np.median(wet[~glare].astype(int) - dry[~glare]) <= 6  # brighter by exposure compensation at most
        if glare.sum() > 20:
            glares += 1
            assert wet[glare].mean() > dry[glare].mean() + 20
    assert glares > 3


def test_wet_rock_is_as_sharp_as_dry_rock(dry):
    """A restorer that learns from these pairs must not learn to sharpen."""
    ratios = []
    for seed in range(8):
        wet, glare = wet_photograph(dry, seed)
        seen = ~(glare[:, 1:] | glare[:, :-1])
        steps = [np.abs(np.diff(np.log(image.mean(axis=2) + 20), axis=1))[seen].mean() for image in (wet, dry)]
        ratios.append(steps[0] / steps[1])
    assert 0.5 < np.median(ratios) < 1.5


@pytest.mark.parametrize("fill", [0, 255])
def test_a_photograph_of_one_grey_is_wetted(fill):
    wet, _ = wet_photograph(np.full((32, 33, 3), fill, np.uint8), 0, px_per_mm=20)
    assert wet.shape == (32, 33, 3)


@pytest.mark.parametrize(
    ("image", "px_per_mm"),
    [(np.zeros((31, 64, 3), np.uint8), 2), (np.zeros((64, 64), np.uint8), 2), (np.zeros((64, 64, 3)), 2),
     (np.zeros((64, 64, 3), np.uint8), 0.1)],
)  # fmt: skip
def test_what_cannot_be_wetted_is_refused(image, px_per_mm):
    with pytest.raises(ValueError, match=r"uint8|px_per_mm"):
        wet_photograph(image, 0, px_per_mm)


# ---- a folder ----------------------------------------------------------------------------------------------------


def test_a_folder_is_wetted_and_split_by_photograph(photographs, tmp_path):
    table = wet_folder(photographs, tmp_path / "pairs", variants=3)
    assert table.groupby("split")["photograph"].unique().map(list).to_dict() == {
        "train": ["heap_0.png", "heap_1.png"], "val": ["heap_2.png"], "test": ["heap_3.png"],
    }  # fmt: skip
    for split, stems in table.groupby("split")["stem"]:
        for side in ("wet", "dry"):
            assert names(tmp_path / "pairs" / split / side) == [f"{stem}.png" for stem in stems]
    pairs = load_pairs(Folders("smoke", data_dir=str(tmp_path / "pairs")))
    assert [len(split) for split in (pairs.train, pairs.val, pairs.test)] == [6, 2, 2]
    for pair in pairs.train[:3]:
        assert np.array_equal(read_image(pair.dry), read_image(photographs / "heap_0.png"))
    assert len({pair.wet.read_bytes() for pair in pairs.train}) == 6
    about = json.loads((tmp_path / "pairs" / "wetted.json").read_text())
    assert (about["variants"], about["test"]) == (3, ["heap_3.png"])


def test_other_photographs_and_other_formats_do_not_change_the_pixels(photographs, tmp_path):
    wet_folder(photographs, tmp_path / "first", variants=1)
    (photographs / "heap_3.png").unlink()
    Image.open(photographs / "heap_0.png").save(photographs / "heap_0.tif")
    (photographs / "heap_0.png").unlink()
    wet_folder(photographs, tmp_path / "second", variants=1)
    first, second = (tmp_path / name / "train" / "wet" / "heap_0_0.png" for name in ("first", "second"))
    assert np.array_equal(read_image(first), read_image(second))


def test_the_check_finds_no_problem_and_one_remark_a_photograph(photographs, tmp_path):
    wet_folder(photographs, tmp_path / "pairs", variants=4)
    check = check_folder(tmp_path / "pairs")
    assert check.ok, check.problems.to_string()
    copies = check.pairs[check.pairs["remark"].str.contains("the same image")]
    assert copies["stem"].tolist() == ["heap_0_1", "heap_1_1", "heap_2_1", "heap_3_1"]
    assert "heap_0_0.png (train), as in 2 more pair(s)" in copies["remark"].iloc[0]


def test_deep_and_grey_photographs_become_8_bit_colour(photographs, tmp_path):
    deep = read_image(photographs / "heap_0.png").astype(np.uint16) * 257
    write_photograph(photographs / "heap_0.tif", Photograph(deep))
    (photographs / "heap_0.png").unlink()
    Image.open(photographs / "heap_1.png").convert("L").save(photographs / "heap_1.png")
    wet_folder(photographs, tmp_path / "pairs", variants=1)
    dry = tmp_path / "pairs" / "train" / "dry"
    assert np.array_equal(read_image(dry / "heap_0_0.png"), deep // 257)
    assert Image.open(dry / "heap_1_0.png").mode == "RGB"


def test_a_large_photograph_is_seen_through_windows(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr("orelib.data.wetted.WINDOW", 40)
    assert WINDOW == 1024
    wet_folder(photographs, tmp_path / "pairs", variants=3)
    whole = read_image(photographs / "heap_0.png")
    windows = [read_image(tmp_path / "pairs" / "train" / "dry" / f"heap_0_{k}.png") for k in range(3)]
    assert all(window.shape == (40, 40, 3) for window in windows)
    assert len({window.tobytes() for window in windows}) == 3
    places = np.lib.stride_tricks.sliding_window_view(whole, (40, 40, 3))
    assert all((places == window).all(axis=(3, 4, 5)).any() for window in windows)


def test_too_few_photographs_are_refused(photographs, tmp_path):
    for name in ("heap_0.png", "heap_1.png"):
        (photographs / name).unlink()
    with pytest.raises(PairError, match=r"holds 2 photograph.*cut one into parts"):
        wet_folder(photographs, tmp_path / "pairs")
    assert names(tmp_path) == ["dry"]


def test_one_error_names_every_photograph_that_cannot_be_used(photographs, tmp_path):
    (photographs / "heap_0.png").write_bytes(b"rubbish")
    Image.new("RGB", (20, 64)).save(photographs / "heap_1.png")
    (photographs / "heap_4.png").write_bytes((photographs / "heap_3.png").read_bytes())
    (photographs / "notes.txt").write_text("to do")
    with pytest.raises(PairError) as error:
        wet_folder(photographs, tmp_path / "pairs")
    assert str(error.value).startswith("4 problem(s)")
    for named in ("heap_0.png: cannot be read", "heap_1.png: 20 x 64 px is too small", "notes.txt: not an image",
                  "heap_4.png: the same image as"):  # fmt: skip
        assert named in str(error.value)
    assert names(tmp_path) == ["dry"]


def test_nothing_is_overwritten_and_nothing_half_written_stays(photographs, tmp_path, monkeypatch):
    with pytest.raises(FileExistsError, match="is not empty"):
        wet_folder(photographs, photographs)
    with pytest.raises(FileNotFoundError, match="name a folder of dry photographs"):
        wet_folder(tmp_path / "none", tmp_path / "pairs")
    with pytest.raises(ValueError, match="variants=0"):
        wet_folder(photographs, tmp_path / "pairs", variants=0)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orelib.data.wetted.write_photograph", full)
    with pytest.raises(OSError, match=r"pairs cannot be written .*make room"):
        wet_folder(photographs, tmp_path / "pairs")
    assert names(tmp_path) == ["dry"]


def test_a_full_disk_is_said_before_the_work(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr("orelib.utils.files.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(OSError, match="make fewer variants"):
        wet_folder(photographs, tmp_path / "pairs")


# ---- real photographs --------------------------------------------------------------------------------------------


def test_wetted_core_is_as_dark_as_wet_core(real_core):
    """Brightness of wet over dry: 0.70 for the real core; single pieces 0.6 to 0.8."""
    ratios = [
        brightness_ratio(wet_photograph(dry, seed)[0], dry)
        for dry in map(read_image, sorted((real_core / "train" / "dry").iterdir())[::4])
        for seed in range(6)
    ]
    assert 0.65 < np.mean(ratios) < 0.85
    assert min(ratios) < 0.70 < max(ratios)
