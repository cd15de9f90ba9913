"""Calibration: what photographs tell is corrected, what they do not tell is left alone; and its file."""

import json

import numpy as np
import pytest
from PIL import Image

from orelib.data.scenes import render_pair
from orelib.metrics import psnr
from orelib.restore.any_size import AnySizeRestorer
from orelib.restore.calibration import (
    Seen,
    calibrate_on_pairs,
    calibrate_on_photographs,
    fit_pairs,
    fit_photographs,
    see_pair,
    summary,
)
from orelib.restore.classical import ClassicalRestorer
from orelib.restore.correction import Calibration, Correction, darker, read_calibration, write_calibration
from orelib.restore.restorer import load_restorer
from orelib.utils.allowed import SettingsError
from orelib.utils.checksums import DamagedFileError


class Unchanged(AnySizeRestorer):
    """Restores nothing, so that all is left to the calibration."""

    origin, fingerprint, assumed_light = "Nothing at all.", "none", None

    def tiling(self):
        return 64, 16, 1

    def restore_tile(self, tile):
        return tile.astype(np.float32)


@pytest.fixture
def rock(noise):
    """Makes dry rock, float 0-1 (96, 96, 3), with a texture that 12 px blocks still show."""

    def make(level=0.5, spread=0.08):
        coarse = noise.normal(0, spread, (8, 8, 1)).repeat(12, 0).repeat(12, 1)
        return np.clip(level * (np.array([1.1, 1.0, 0.9]) + coarse + noise.normal(0, 0.02, (96, 96, 1))), 0.02, 0.95)

    return make


def grey(values):
    return np.clip(np.round(values * 255), 0, 255).astype(np.uint8)


def seen(dry, factor, wet=None):
    """A pair whose restored image is the dry one divided by a factor."""
    restored = grey(dry / factor)
    return see_pair(grey(0.7 * dry) if wet is None else wet, restored, grey(dry))


def save(folder, images):
    for (side, name), image in images.items():
        path = folder / side / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


# ---- what pairs tell ---------------------------------------------------------------------------------------------


def test_a_pair_tells_exposure_and_white_balance(rock):
    factors = np.array([1.4, 1.25, 1.1])
    slope, offset, _ = fit_pairs([seen(rock(), factors)])
    middle = np.array([0.5, 0.5, 0.5])
    assert np.allclose((slope * middle / factors + offset) / middle, 1, atol=0.03)


def test_a_difference_as_places_have_it_is_left_alone(rock):
    slope, offset, measured = fit_pairs([seen(rock(), 1.04)])
    assert measured["level"] == [1, 1, 1]
    assert np.allclose(measured["level_measured"], 1.04, atol=0.01)
    assert abs(slope * 0.5 + offset - 0.5).max() < 0.02


def test_more_pairs_are_trusted_with_smaller_differences(rock):
    few, many = (fit_pairs([seen(rock(), 1.07) for _ in range(count)])[2]["level"] for count in (1, 30))
    assert few == [1, 1, 1]
    assert np.allclose(many, 1.07, atol=0.015)


@pytest.mark.parametrize("odd", ["glare", "even", "another place"])
def test_one_odd_pair_spoils_nothing(rock, odd):
    good = [seen(rock(), 1.3) for _ in range(4)]
    dry = {"glare": rock(), "even": np.full((96, 96, 3), 0.5), "another place": rock(0.3)}[odd]
    restored = {"glare": np.full((96, 96, 3), 0.9), "even": dry / 1.3, "another place": rock(0.8)}[odd]
    wet = grey(np.full((96, 96, 3), 0.9)) if odd == "glare" else grey(0.7 * dry)
    one = see_pair(wet, grey(restored), grey(dry))
    (before, start, _), (after, end, _) = fit_pairs(good), fit_pairs([*good, one])
    assert np.abs(before * 0.5 + start - after * 0.5 - end).max() < 0.03


def test_glare_in_part_of_a_pair_is_left_out(rock):
    dry = rock()
    wet, restored = 0.7 * dry, dry / 1.3
    wet[:40] = restored[:40] = 0.93
    look = see_pair(grey(wet), grey(restored), grey(dry))
    assert 0.4 < look.left_out < 0.5
    assert np.allclose(look.dry.mean(0) / look.restored.mean(0), 1.3, atol=0.02)


def test_a_bright_exposure_is_not_taken_for_glare(rock):
    dry = rock()
    assert see_pair(grey(np.minimum(1.3 * dry, 0.97)), grey(dry), grey(dry)).left_out < 0.1


def test_contrast_counts_as_far_as_wet_and_dry_agree(rock, noise):
    dry = rock()
    flat = grey(0.5 + 0.6 * (dry - 0.5))  # the dry rock has less contrast than the restored one
    agreeing = fit_pairs([see_pair(grey(0.7 * dry), grey(dry), flat)])[2]
    other = fit_pairs([see_pair(grey(0.7 * dry), grey(dry), grey(rock()))])[2]
    even = fit_pairs([see_pair(*[grey(np.full((96, 96, 3), value)) for value in (0.35, 0.5, 0.5)])])[2]
    assert agreeing["contrast"] == pytest.approx(0.6, abs=0.05)
    assert other["trust_in_contrast"] < 0.2
    assert (even["contrast"], even["trust_in_contrast"]) == (1, 0)


def test_misregistration_by_two_pixels_flattens_hardly(rock):
    dry = grey(rock())
    assert fit_pairs([see_pair(grey(rock()), np.roll(dry, 2, axis=1), dry)])[2]["contrast"] > 0.85


# ---- what photographs tell without pairs ----------------------------------------------------------------------------


def looks(*images):
    return [Seen(image.reshape(-1, 3), None, 0.0) for image in images]


def test_without_pairs_colour_is_matched_and_brightness_where_it_is_far_off(rock):
    warm = np.array([1.15, 1.0, 0.85])
    level, _ = fit_photographs(looks(*(rock() * warm for _ in range(3))), looks(rock()))
    assert np.allclose(level / level.mean() * warm / warm.mean(), 1, atol=0.02)
    near, _ = fit_photographs(looks(rock(0.45)), looks(rock(0.5)))
    far, _ = fit_photographs(looks(rock(0.25)), looks(rock(0.5)))
    assert np.allclose(near, 1, atol=0.03)
    assert np.allclose(far, 2, atol=0.1)


# ---- folders and files ---------------------------------------------------------------------------------------------


@pytest.fixture
def pairs(tmp_path):
    """Two rendered pairs, photographed a stop too dark when wet."""
    images = {}
    for seed in range(2):
        scene = render_pair(seed, (96, 112), px_per_mm=4, wetness=0.7)
        images |= {("wet", f"belt_{seed}.png"): grey(scene.wet / 255 * 0.73), ("dry", f"belt_{seed}.png"): scene.dry}
    return save(tmp_path / "pairs", images)


def test_a_calibration_brings_restored_photographs_to_dry_ones(pairs, tmp_path):
    restorer = ClassicalRestorer()
    calibration = calibrate_on_pairs(restorer, pairs)
    write_calibration(tmp_path / "belt.json", calibration)
    wet, dry = (np.asarray(Image.open(pairs / side / "belt_0.png")) for side in ("wet", "dry"))
    corrected = load_restorer("classical", calibration=tmp_path / "belt.json")
    assert psnr(corrected.restore(wet), dry) > psnr(restorer.restore(wet), dry) + 2
    assert corrected.describe().endswith("Output calibrated on 2 pairs (belt_0.png, belt_1.png).")
    deep = corrected.restore(wet.astype(np.uint16) * 257)
    assert len(np.unique(deep)) > 256
    assert np.abs(deep / 257 - corrected.restore(wet)).mean() < 0.6
    assert "Left out" in summary(calibration)


def test_a_calibration_without_pairs(pairs):
    calibration = calibrate_on_photographs(Unchanged(), pairs / "wet", pairs / "dry" / "belt_1.png")
    assert min(calibration.slope) > 1.3
    assert calibration.says == (
        "Output calibrated on 2 wet photographs (belt_0.png, belt_1.png) and 1 dry photograph (belt_1.png)."
    )


def test_photographs_that_tell_nothing_are_named(tmp_path, rock):
    white, dry = np.full((96, 96, 3), 255, np.uint8), grey(rock())
    folder = save(tmp_path, {("wet", "white.png"): white, ("dry", "white.png"): dry})
    with pytest.raises(ValueError, match=r"no photograph is usable \(white.png\)"):
        calibrate_on_pairs(Unchanged(), folder)
    save(tmp_path, {("wet", "good.png"): grey(rock() * 0.6), ("dry", "good.png"): dry})
    assert calibrate_on_pairs(Unchanged(), folder).fitted_on["left_out"] == ["white.png"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [("missing", "dry is missing: name a folder that holds wet/ and dry/"), ("partner", "a.png: has no dry partner"),
     ("size", "a.png: is 96 x 96 px, its dry partner 90 x 96 px"), ("mixed", "see whether wet and dry were mixed up")],
)  # fmt: skip
def test_a_folder_that_is_no_good_is_refused(tmp_path, rock, wrong, named):
    wet = {("wet", "a.png"): grey(rock(0.1 if wrong == "mixed" else 0.5))}
    other = {"missing": {}, "partner": {("dry", "b.png"): grey(rock())},
             "size": {("dry", "a.png"): grey(rock()[:, :90])},
             "mixed": {("dry", "a.png"): grey(rock(0.8))}}[wrong]  # fmt: skip
    with pytest.raises((ValueError, FileNotFoundError), match=named.replace("(", r"\(")):
        calibrate_on_pairs(Unchanged(), save(tmp_path, wet | other))


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "belt.json"
    fitted_on = {"way": "pairs", "wet": ["a\x1b.png"], "dry": ["a.png"], "left_out": []}
    write_calibration(path, Calibration((1.1, 1.0, 0.9), (0.0, 0.01, -0.01), "", "Nothing.", "none", fitted_on, {}))
    return path


def test_a_calibration_is_read_as_it_was_written(kept):
    calibration = read_calibration(kept, "none")
    assert calibration.slope == (1.1, 1.0, 0.9)
    assert calibration.offset == (0.0, 0.01, -0.01)
    assert calibration.says.isprintable()
    with pytest.raises(ValueError, match="made for another restorer"):
        read_calibration(kept, "classical 40 0.6")


@pytest.mark.parametrize(
    ("change", "named"),
    [({"form": 2}, "form 2 of another version"), ({"slope": [9, 1, 1]}, "no correction that makes sense"),
     ({"slope": [1, 1]}, "no correction"), ({"slope": [float("nan"), 1, 1]}, "no correction"),
     ({"offset": "abc"}, "no correction"), ({"fitted_on": None}, "no correction"),
     ({"kind": "run"}, "is no calibration")],
)  # fmt: skip
def test_a_calibration_that_makes_no_sense_is_refused(kept, change, named):
    values = json.loads(kept.read_text()) | change
    del values["checksum"]
    kept.write_text(json.dumps(values))
    with pytest.raises(DamagedFileError, match=named) as error:
        read_calibration(kept, "none")
    assert "belt.json" in str(error.value)


def test_a_damaged_calibration_is_refused(kept):
    text = kept.read_text()
    for damaged in (text[:50], text.replace("1.1", "1.2", 1), "", "[]"):
        kept.write_text(damaged)
        with pytest.raises(DamagedFileError, match=r"belt.json is damaged .* make it again with orelib calibrate"):
            read_calibration(kept, "none")
    kept.unlink()
    with pytest.raises(FileNotFoundError, match="orelib calibrate"):
        read_calibration(kept, "none")


# ---- the visible assumption ------------------------------------------------------------------------------------------


def test_darker_rock_is_brightened_by_the_ratio_of_light():
    correction = darker(0.225, 0.45)
    dry = correction.apply(np.full((2, 2, 3), 100, np.float32), 255)
    assert np.allclose((dry / 100) ** 2.2, 2)
    assert darker(0.45, 0.45).slope == (1, 1, 1)
    with pytest.raises(SettingsError, match=r"darker=2.* from 0.1 to 1"):
        darker(2, 0.45)
    with pytest.raises(ValueError, match="learnt from photographs"):
        darker(0.3, None)


def test_a_correction_is_clipped_and_not_rounded_twice():
    restorer = Unchanged()
    restorer.correction = Correction((1.5, 1, 0.5), (0, 0, -0.2), "")
    assert restorer.restore(np.full((3, 3, 3), 201, np.uint8))[0, 0].tolist() == [255, 201, 50]
    assert restorer.restore(np.full((3, 3, 3), 20001, np.uint16))[0, 0].tolist() == [30002, 20001, 0]
