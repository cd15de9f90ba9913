"""From maps to particles: partitions, what speaks for a region, belief, and the choice among proposals."""

import numpy as np
from scipy import ndimage
from skimage.draw import disk
from skimage.segmentation import watershed

from orelib.sizing.maps import targets
from orelib.sizing.particles import overlaps
from orelib.sizing.proposals import LEAST_PX, LEVELS, Belief, Proposals, choose, features, fit_belief, partitions


def discs(*places, shape=(96, 120)):
    labels = np.zeros(shape, np.int32)
    for number, (row, column, radius) in enumerate(places, 1):
        labels[disk((row, column), radius, shape=shape)] = number
    return labels


HEAP = discs((30, 30, 18), (30, 64, 17), (70, 48, 20), (80, 100, 8))


def test_touching_particles_are_proposed_together_and_one_by_one():
    together, *levels = (found.max() for found in partitions(targets(HEAP)))
    assert together == 3
    assert sum(levels) == 2  # the two that touch, once


def test_one_flood_finds_what_a_flood_from_the_middles_of_each_level_finds():
    rng = np.random.default_rng(0)
    share, inside, border = (ndimage.gaussian_filter(rng.random((160, 200)), 3) for _ in range(3))
    maps = np.stack([(share - 0.4) * 5, inside * 1.02, np.clip((border - 0.45) * 3, 0, 1)])
    regions, _ = ndimage.label(maps[1] > 0.5)
    count = 0
    for level, found in zip(LEVELS, list(partitions(maps))[1:], strict=True):
        height = maps[0] - maps[2]
        middles, _ = ndimage.label((regions > 0) & (height > level))
        parts = watershed(-height, middles, mask=regions > 0)
        of = {number: set(np.unique(middles[regions == number])) - {0} for number in np.unique(regions)}
        several = np.isin(regions, [number for number, inside in of.items() if number and len(inside) > 1])
        wanted = np.where(several, parts, 0)
        wanted[(np.bincount(wanted.ravel()) < LEAST_PX)[wanted]] = 0
        regions = np.where(several, parts + regions.max(), regions)
        pairs = overlaps(found, wanted)
        best = pairs.groupby("true")["iou"].max()
        assert found.max() == len(best) == len(np.unique(wanted)) - 1
        assert (best > 0.9).all()  # pixels that touch two middles may go to either
        count += len(best)
    assert count > 20


def test_empty_maps_propose_nothing():
    assert not any(found.any() for found in partitions(np.zeros((3, 64, 64), np.float32)))
    assert features(np.zeros((64, 64), np.int32), np.zeros((3, 64, 64), np.float32)).shape == (0, 8)


def test_the_true_region_agrees_best_with_the_maps():
    maps = targets(HEAP)
    merged = np.where(HEAP == 2, 1, HEAP)
    half = np.where((HEAP == 1) & (np.arange(120) > 30), 0, HEAP)
    true, both, part = (features(labels, maps)[0, 0] for labels in (HEAP, merged, half))
    assert true < 0.01 < both
    assert true < part


def test_belief_is_learnt_from_right_and_wrong_regions():
    rng = np.random.default_rng(0)
    known = rng.random((400, 8))
    belief = fit_belief(known, known[:, 0] < 0.4)
    sure = belief(known)
    assert ((sure > 0.5) == (known[:, 0] < 0.4)).mean() > 0.95
    assert Belief(tuple(belief.weights)) == belief


def test_a_whole_takes_the_place_of_its_halves_only_when_it_deserves_more_belief():
    whole = discs((48, 60, 30))
    halves = np.where(whole == 0, 0, 1 + (np.arange(120) > 60)).astype(np.int32)

    def chosen(of_whole, of_halves):
        proposals = [Proposals(whole, np.array([of_whole])), Proposals(halves, np.array([of_halves] * 2))]
        return choose(proposals, least=0.3).max()

    assert chosen(0.9, 0.4) == 1
    assert chosen(0.9, 0.8) == 2
    assert chosen(0.2, 0.2) == 0


def test_the_same_particle_of_several_scales_is_taken_once():
    proposals = [Proposals(discs((48, 60, radius)), np.array([belief])) for radius, belief in ((20, 0.7), (21, 0.9))]
    found = choose(proposals, least=0.3)
    assert found.max() == 1
    assert (found > 0).sum() == (proposals[1].labels > 0).sum()
