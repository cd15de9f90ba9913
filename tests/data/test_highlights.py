"""Highlights are filled from what surrounds them, whatever their place, the photograph's size, and its depth."""

import numpy as np
import pytest

from orelib.data.highlights import fill


@pytest.mark.parametrize("size", [(64, 64), (61, 47), (2, 9), (1, 30)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_even_rock_shows_nothing_of_what_was_filled(noise, size, dtype):
    rock = np.full((*size, 3), (60, 90, 120), dtype)
    for share in (0.05, 0.5, 0.95):
        mask = noise.random(size) < share
        mask[0, :2], mask[-1, -1] = True, False
        glossy = np.where(mask[..., None], np.iinfo(dtype).max, rock).astype(dtype)
        off = np.abs(fill(glossy, mask).astype(int) - rock)
        assert off.max() <= 5  # OpenCV rounds at each step of the march


def test_what_is_not_hidden_stays(noise):
    wet = noise.integers(0, 256, (50, 41, 3)).astype(np.uint8)
    mask = noise.random(wet.shape[:2]) < 0.2
    filled = fill(wet, mask)
    assert (filled.dtype, filled.shape) == (wet.dtype, wet.shape)
    assert np.array_equal(filled[~mask], wet[~mask])


def test_a_hole_continues_the_slope_around_it():
    slope = np.repeat(np.linspace(40, 200, 80)[None, :, None], 60, axis=0).repeat(3, axis=2).astype(np.uint8)
    mask = np.zeros(slope.shape[:2], bool)
    mask[20:34, 30:44] = True
    filled = fill(np.where(mask[..., None], 255, slope).astype(np.uint8), mask)
    assert np.abs(filled.astype(int) - slope)[mask].max() <= 12  # the slope rises by 28 there


def test_where_all_is_hidden_the_image_stays():
    wet = np.full((3, 5, 3), 240, np.uint8)
    assert np.array_equal(fill(wet, np.ones((3, 5), bool)), wet)
