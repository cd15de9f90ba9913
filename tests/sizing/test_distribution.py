"""Sizes of photographs: what counts, percentiles and their intervals, and when none is given."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from skimage.draw import disk

from orelib.sizing.distribution import LEAST_COUNT, SHARES, distribution
from orelib.sizing.measured import BORDER, LEAST_PX, SMALL, Measured, measure
from orelib.sizing.particles import percentile
from orelib.sizing.scale import Scale, ScaleError


def discs(*places, shape=(240, 320)):
    """Particle numbers of discs (row, column, radius)."""
    labels = np.zeros(shape, np.int32)
    for number, (row, column, radius) in enumerate(places, 1):
        labels[disk((row, column), radius, shape=shape)] = number
    return labels


def one(px_per_mm=1.0):
    return Scale(px_per_mm, "stated")


def made(sizes, shown=0.1, error=0.0, cut=()):
    """A photograph whose particles have these sizes; the border cuts particles of the sizes ``cut``."""
    sizes, left_out = np.concatenate([sizes, cut]), [""] * len(sizes) + [BORDER] * len(cut)
    table = pd.DataFrame(
        {"size_mm": sizes, "area_mm2": sizes**2, "mass": sizes**3, "weight": 1.0, "left_out": left_out}
    )
    return Measured(table, shown, shown, error)


# ---- which count -------------------------------------------------------------------------------------------------


def test_whole_and_large_particles_count_and_others_say_why_not():
    table = measure(discs((40, 40, 20), (120, 160, 30), (100, 0, 15), (200, 200, 3)), one(2.0)).table
    assert table["left_out"].tolist() == ["", "", BORDER, SMALL]
    assert np.allclose(table["size_mm"][:2], [20, 30], rtol=0.03)
    assert table["mass"][1] / table["mass"][0] == pytest.approx(1.5**3, rel=0.05)


def test_a_large_particle_stands_for_more_because_the_border_cuts_more_of_its_size():
    table = measure(discs((60, 60, 10), (120, 180, 80)), one()).table
    assert table["weight"][0] == pytest.approx(240 * 320 / (218 * 298), rel=0.02)
    assert table["weight"][1] == pytest.approx(240 * 320 / (80 * 160), rel=0.02)


@pytest.mark.parametrize("side", [3, 7])
def test_weights_undo_that_the_border_spares_small_particles(side):
    """A square that lies once at every place is counted as often as there are places, whatever its size."""
    total = 0.0
    for top in range(12 - side + 1):
        for left in range(12 - side + 1):
            labels = np.zeros((12, 12), np.int32)
            labels[top : top + side, left : left + side] = 1
            table = measure(labels, one()).table
            total += table.loc[table["left_out"] != BORDER, "weight"].sum()
    assert total == pytest.approx(12 * 12)


def test_sizes_do_not_depend_on_the_photographs_resolution():
    labels = discs((40, 40, 12), (120, 160, 30), (60, 250, 20), (200, 60, 9))
    small, large = measure(labels, one(2.0)), measure(np.kron(labels, np.ones((2, 2), np.int32)), one(4.0))
    assert np.allclose(small.counted["size_mm"], large.counted["size_mm"], rtol=0.01)
    assert np.allclose(small.counted["mass"], large.counted["mass"], rtol=0.02)
    assert np.allclose(small.counted["weight"], large.counted["weight"], rtol=0.02)
    assert large.smallest_mm == small.smallest_mm / 2


def test_a_scale_that_changes_is_taken_where_the_particle_lies():
    scale = Scale(2.0, "balls", middle=(120, 0), slope=(0.01, 0), limits=(1, 3))
    near = measure(discs((60, 100, 20), (180, 100, 20)), scale)
    assert np.allclose(near.table["size_mm"], [40 / 1.4, 40 / 2.6], rtol=0.03)
    assert near.smallest_mm == pytest.approx(LEAST_PX / 1.4, rel=0.01)


def test_particles_count_from_the_size_on_that_is_asked_for():
    labels = discs((40, 40, 12), (120, 160, 30), (60, 250, 20), (200, 60, 9))
    found = measure(labels, one(2.0), smallest_mm=10.5)
    assert found.table["left_out"].tolist() == ["", "", "", SMALL]
    assert (found.shown_mm, found.smallest_mm) == (LEAST_PX / 2, 10.5)
    with pytest.raises(ScaleError, match=r"shows particles from 4 mm on, not from 3\.5 mm"):
        measure(labels, one(2.0), smallest_mm=3.5)


def test_a_percentile_may_lie_near_the_size_that_was_asked_for():
    """What the photograph shows well is the limit; a sieve leaves out what is smaller, too."""
    fine = made(np.linspace(9, 40, 200), shown=3)
    coarse = replace(fine, smallest_mm=20.0, table=fine.table.query("size_mm >= 20"))
    assert {*why_not(coarse).values()} == {""}


def test_a_photograph_without_particles_has_an_empty_table():
    found = measure(np.zeros((50, 60), np.int32), one())
    assert found.counted.empty
    assert np.isnan(found.smallest_mm)


# ---- percentiles -------------------------------------------------------------------------------------------------


def test_percentiles_are_the_kits_and_the_curve_rises():
    sizes = np.random.default_rng(0).lognormal(2, 0.3, 300)
    found = distribution([made(sizes)])
    for name, share in SHARES.items():
        each = found.percentiles[name]
        assert each.size_mm == pytest.approx(percentile(sizes, sizes**3, share))
        assert each.low < each.size_mm < each.high
        assert each.why_not == ""
    assert found.percentiles["p20"].size_mm < found.percentiles["p50"].size_mm < found.percentiles["p80"].size_mm
    curve = found.curve
    assert (curve[["size_mm", "passing"]].diff()[1:] >= 0).all(axis=None)
    assert curve[["low", "high"]].to_numpy().min() >= 0
    assert curve[["low", "high"]].to_numpy().max() <= 1
    assert curve["passing"].iloc[[0, -1]].tolist() == [0, 1]
    assert ((curve["low"] <= curve["passing"] + 1e-9) & (curve["passing"] <= curve["high"] + 1e-9)).all()
    assert found.remark == ""


def test_lengths_in_another_unit_change_nothing_else():
    sizes = np.random.default_rng(0).lognormal(2, 0.5, 300)
    one, other = (distribution([made(factor * sizes)]).percentiles["p80"] for factor in (1, 10))
    assert np.allclose([10 * one.size_mm, 10 * one.low, 10 * one.high], [other.size_mm, other.low, other.high])


def test_a_band_holds_the_truth_about_as_often_as_it_says():
    rng, truth = np.random.default_rng(0), {}
    large = rng.lognormal(2, 0.4, 400_000)
    truth = {name: percentile(large, large**3, share) for name, share in SHARES.items()}
    held = dict.fromkeys(SHARES, 0)
    for seed in range(100):
        found = distribution([made(rng.lognormal(2, 0.4, 200))], draws=200, seed=seed)
        for name, each in found.percentiles.items():
            held[name] += each.low <= truth[name] <= each.high
    assert all(88 <= count <= 100 for count in held.values()), held


def test_photographs_that_differ_widen_the_interval():
    rng = np.random.default_rng(0)
    sizes = [rng.lognormal(2, 0.3, 200) for _ in range(6)]
    alike = distribution([made(each) for each in sizes]).percentiles["p50"]
    unlike = distribution([made(each * factor) for each, factor in zip(sizes, np.linspace(0.6, 1.6, 6), strict=True)])
    assert unlike.photographs == 6
    assert unlike.count == 1200
    unlike = unlike.percentiles["p50"]
    assert np.log(unlike.high / unlike.low) > 2 * np.log(alike.high / alike.low)


def test_a_scale_that_is_not_known_well_widens_the_interval():
    sizes = np.random.default_rng(0).lognormal(2, 0.3, 2000)
    sure, unsure = (distribution([made(sizes, error=error)]).percentiles["p50"] for error in (0.0, 0.1))
    assert np.log(unsure.high / unsure.low) == pytest.approx(4 * 0.1, rel=0.2)
    assert np.log(sure.high / sure.low) < 0.15


# ---- when none is given ------------------------------------------------------------------------------------------


def why_not(*photographs):
    return {name: each.why_not for name, each in distribution(list(photographs)).percentiles.items()}


def test_few_particles_give_no_size():
    sizes = np.linspace(5, 15, LEAST_COUNT - 1)
    assert all(text == "only 29 whole particles" for text in why_not(made(sizes)).values())
    assert distribution([made(sizes)]).remark == "no P20, P50, P80: only 29 whole particles"
    nothing = distribution([measure(np.zeros((50, 60), np.int32), one())])
    assert nothing.count == 0
    assert nothing.curve.empty
    assert "only 0 whole particles" in nothing.remark


def test_sizes_near_the_smallest_that_counts_are_not_given():
    found = why_not(made(np.linspace(9, 40, 200), shown=16))
    assert all("near to 16 mm" in each for each in found.values())
    found = why_not(made(np.concatenate([np.full(3000, 9.0), np.linspace(10, 40, 80)]), shown=8))
    assert "near to 8 mm" in found["p20"]
    assert found["p80"] == ""


def test_a_percentile_above_which_there_are_few_particles_is_not_given():
    found = why_not(made(np.concatenate([np.linspace(10, 10.5, 200), [38.0]])))
    assert found["p80"] == "only 1 particle is larger"
    assert found["p20"] == found["p50"] == ""


def test_where_few_particles_hold_most_of_the_mass_no_size_is_given():
    found = why_not(made(np.concatenate([np.linspace(5, 8, 100), np.full(7, 60.0)])))
    assert all("no more than 7 alike" in text for text in found.values())


def test_where_the_border_cuts_most_no_size_is_given():
    found = why_not(made(np.linspace(5, 10, 50), cut=np.full(30, 20.0)))
    assert all("border cuts" in text for text in found.values())
