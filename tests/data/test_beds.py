"""Beds of stones: the same bytes from the same seed, and labels that fit the photograph."""

import numpy as np
import pytest
from scipy import ndimage

from orelib.data.scenes.beds import SPECK_PX, render_bed


def test_the_same_seed_gives_the_same_bed():
    one, other, another = (render_bed(seed, 96) for seed in (1, 1, 2))
    assert (one.dry == other.dry).all()
    assert (one.labels == other.labels).all()
    assert (one.dry != another.dry).any()


@pytest.mark.parametrize("seed", range(4))
def test_stones_are_whole_pieces_with_numbers_without_gaps(seed):
    bed = render_bed(seed, 128)
    assert bed.dry.shape == (128, 128, 3)
    assert bed.dry.dtype == np.uint8
    areas = np.bincount(bed.labels.ravel())
    assert (areas[1:] >= SPECK_PX / 2).all()
    for number in range(1, len(areas)):
        pieces, _ = ndimage.label(bed.labels == number)
        assert np.bincount(pieces.ravel())[1:].max() > 0.6 * areas[number]


def test_beds_differ_in_size_and_packing():
    beds = [render_bed(seed, 128).labels for seed in range(12)]
    covered = [(labels > 0).mean() for labels in beds]
    counts = [labels.max() for labels in beds]
    assert max(covered) > 2 * min(covered)
    assert max(counts) > 3 * min(counts)
