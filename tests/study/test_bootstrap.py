"""Differences over seeds and scenes: their intervals hold what they should, and pairing."""

import numpy as np
import pandas as pd
import pytest

from orelib.study import bootstrap
from orelib.study.bootstrap import (
    CONTRADICTED,
    NOISE,
    REPRODUCED,
    UNTESTED,
    Estimate,
    difference,
    estimate,
    verdict,
    wins,
)


def made(rng, mean, seeds=5, images=30, of_seeds=0.3, of_images=1.0, rest=0.5):
    values = mean + of_seeds * rng.standard_normal((seeds, 1)) + of_images * rng.standard_normal((1, images))
    return pd.DataFrame(values + rest * rng.standard_normal((seeds, images)))


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        found = estimate(made(rng, 2.0), draws=200)
        held += found.low < 2 < found.high
    assert 88 <= held <= 100


def test_trainings_count_and_not_only_scenes(noise):
    alike = estimate(made(noise, 0, of_seeds=0, rest=0.01))
    different = estimate(made(noise, 0, of_seeds=3, rest=0.01))
    assert different.high - different.low > 3 * (alike.high - alike.low)


def test_pairing_removes_what_is_common(noise):
    scenes = pd.DataFrame(noise.normal(20, 5, (1, 40)).repeat(3, axis=0))
    one, other = scenes + 0.5 + noise.normal(0, 0.1, (3, 40)), scenes + noise.normal(0, 0.1, (3, 40))
    found = difference(one, other)
    assert 0.4 < found.low < 0.5 < found.high < 0.6
    assert wins(one, other).mean > 0.97
    assert found.detectable < 0.2
    assert verdict(found) == REPRODUCED
    assert verdict(difference(other, one)) == CONTRADICTED


def test_only_common_seeds_and_images_are_compared():
    one = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], index=[0, 1], columns=["a", "b"])
    other = pd.DataFrame([[1.0, 1.0]], index=[1], columns=["b", "c"])  # a method with one training so far
    assert bootstrap.paired(one, other).to_numpy().tolist() == [[3.0]]
    with pytest.raises(ValueError, match="share no seed"):
        bootstrap.paired(one, other.set_axis([7]))


def test_what_is_not_trained_is_compared_with_every_seed(noise):
    trained, baseline = made(noise, 1, seeds=4), made(noise, 0, seeds=1).set_axis([bootstrap.UNTRAINED])
    expected = trained.to_numpy().mean() - baseline.to_numpy().mean()
    assert difference(trained, baseline).mean == pytest.approx(expected)
    assert difference(baseline, trained).mean == pytest.approx(-expected)
    assert difference(baseline, trained).seeds == 4
    assert difference(baseline, baseline).mean == 0


def test_images_without_a_value_are_left_out():
    table = pd.DataFrame([[1.0, np.nan, np.nan], [1.0, 3.0, np.nan]])
    found = estimate(table, draws=50)
    assert found.mean == pytest.approx(5 / 3)
    assert found.images == 2
    with pytest.raises(ValueError, match="no values"):
        estimate(table[[2]])


def test_one_image_of_one_training_has_no_interval(noise):
    found = estimate(pd.DataFrame([[0.5, np.nan]]))
    assert found.mean == 0.5
    assert np.isnan([found.low, found.high, found.detectable]).all()
    assert (str(found), found.text()) == ("+0.500 [-]", "0.50 [-]")
    assert verdict(found) == UNTESTED
    assert np.isfinite(estimate(made(noise, 1, images=1)).low)  # which says nothing of scenes


def test_an_interval_ends_where_the_values_must(noise):
    table = pd.DataFrame([[0.2, 1, 1, 1], [1, 0.9, 1, 1]])
    assert estimate(table).high > 1
    found = estimate(table, limits=(-1, 1))
    assert found.high == 1
    assert (found.mean, found.low) == (estimate(table).mean, estimate(table).low)
    assert wins(table, table - 1).high == 1


def test_one_seed_and_the_same_draw_twice(noise):
    table = made(noise, 1, seeds=1)
    assert estimate(table) == estimate(table)
    assert estimate(table).seeds == 1


def test_within_noise_and_as_text():
    found = Estimate(0.1, -0.2, 0.4, 0.15, 5, 30)
    assert verdict(found) == NOISE
    assert str(found) == "+0.100 [-0.200, +0.400]"
    assert found.detectable == pytest.approx(0.42)


def test_a_contrast_of_other_scenes_shares_its_trainings(noise):
    seeds = noise.normal(0, 5, (4, 1))
    one, other = (pd.DataFrame(seeds + mean + 0.1 * noise.standard_normal((4, 20))) for mean in (3, 1))
    found = bootstrap.contrast(one, other)
    assert found.mean == pytest.approx(2, abs=0.1)
    assert found.high - found.low < 0.4
