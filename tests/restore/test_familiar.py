"""What a restorer knows, and what it does not: statistics of the training photographs."""

import json

import numpy as np
import pytest

from orelib.data.scenes import render_pair
from orelib.restore.familiar import NAMES, USUAL, Familiar, statistics_of


@pytest.fixture(scope="module")
def scenes():
    return [render_pair(seed, (128, 128)) for seed in range(60)]


@pytest.fixture(scope="module")
def familiar(scenes):
    return Familiar.of(scene.wet for scene in scenes[:48])


def test_scenes_of_the_same_kind_are_familiar(familiar, scenes):
    assert np.mean([familiar.share(scene.wet) for scene in scenes[48:]]) > 0.9


@pytest.mark.parametrize("strange", ["grey", "blurred", "mirror image of its colours", "half as bright", "even"])
def test_others_are_not(familiar, scenes, strange):
    change = {
        "grey": lambda wet: np.repeat(wet.mean(axis=2, keepdims=True), 3, axis=2),
        "blurred": lambda wet: np.repeat(np.repeat(wet[::6, ::6], 6, axis=0), 6, axis=1)[:128, :128],
        "mirror image of its colours": lambda wet: wet[..., ::-1] * [1.0, 0.6, 0.4],
        "half as bright": lambda wet: wet * 0.35,
        "even": lambda wet: np.full_like(wet, 90),
    }[strange]
    shares = [familiar.share(change(scene.wet).astype(np.uint8)) for scene in scenes[48:]]
    assert np.mean(shares) < 0.3


def test_16_bits_and_size_do_not_matter(familiar, scenes):
    wet = scenes[0].wet
    assert statistics_of(wet.astype(np.uint16) * 257) == pytest.approx(statistics_of(wet), abs=1e-4)
    wide = np.tile(wet, (8, 9, 1))
    assert familiar.distance(wide) == pytest.approx(familiar.distance(wet), abs=1.5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (3, 2, 3), (17, 300, 3)])
def test_any_size_has_statistics(familiar, shape):
    assert np.isfinite(statistics_of(np.full(shape, 7, np.uint8))).all()
    assert 0 <= familiar.share(np.full(shape, 255, np.uint8)) <= 1


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_photographs_know_themselves(scenes, count):
    few = Familiar.of(scene.wet for scene in scenes[:count])
    assert all(few.distance(scene.wet) < USUAL for scene in scenes[:count])
    assert few.share(np.full((64, 64, 3), 255, np.uint8)) == 0


def test_it_names_what_is_odd(familiar, scenes):
    _, oddest = familiar.compare((scenes[0].wet * 0.1).astype(np.uint8))
    assert oddest.startswith(("brightness (less", "contrast"))
    assert familiar.compare(scenes[0].wet[..., ::-1])[1].split(" (")[0] in NAMES


def plain_statistics(values):
    """The statistics of a window, written as their names say; float64 (h, w, 3) in 0-1."""

    def reduced(light, factor):
        height, width = (side // factor for side in light.shape)
        return light[: height * factor, : width * factor].reshape(height, factor, width, factor).mean(axis=(1, 3))

    red, green, blue = np.median(np.log(np.maximum(values, 0.02)), axis=(0, 1))
    light = np.log(np.maximum(values @ [0.299, 0.587, 0.114], 0.02))
    small = [reduced(light, factor) for factor in (1, 2, 4, 8)]
    steps = [np.log(max(np.abs(np.diff(image, axis=axis)).mean() for axis in (0, 1)) + 1e-4) for image in small]
    saturation = np.log(0.02 + (values.max(axis=2) - values.min(axis=2)).mean())
    return [(red + green + blue) / 3, red - green, blue - green, light.std(), *-np.diff(steps), steps[2], saturation]


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("shape", [(128, 128), (47, 99)])
def test_counting_and_halving_change_no_statistic(scenes, noise, depth, shape):
    wet = scenes[0].wet[: shape[0], : shape[1]]
    if depth == 16:
        wet = wet.astype(np.uint16) * 256 + noise.integers(0, 256, wet.shape, dtype=np.uint16)
    assert statistics_of(wet) == pytest.approx(plain_statistics(wet / (2**depth - 1)), abs=2e-5)


def test_it_survives_json(familiar, scenes):
    again = Familiar.from_json(json.loads(json.dumps(familiar.to_json())))
    for scene in scenes[:4]:
        assert again.distance(scene.wet) == pytest.approx(familiar.distance(scene.wet), rel=0.01)


NEGATIVE = {"mean": [0.0] * 9, "precision": (-np.eye(9)).tolist()}
NAN = {"mean": [float("nan")] * 9, "precision": np.eye(9).tolist()}


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"mean": [1] * 9},
        {"mean": [1] * 9, "precision": [[1]]},
        NAN,
        NEGATIVE,
        {"mean": "a", "precision": "b"},
        None,
    ],
)
def test_other_json_is_refused(broken):
    with pytest.raises((ValueError, KeyError, TypeError)):
        Familiar.from_json(broken)
