"""Counting gives the medians and percentiles that sorting gives."""

import numpy as np
import pytest

from orelib.utils.counting import Counted


@pytest.mark.parametrize("count", [1, 2, 3, 10, 1001])
def test_they_are_those_of_numpy(noise, count):
    values = noise.normal(0, 40, (2, count)).astype(np.int16).clip(-255, 255)
    counted = Counted(values, -255, 255)
    assert np.mean(counted.middle()) == np.median(values)
    assert np.mean(Counted(values[:1], -255, 255).middle()) == np.median(values[0])
    for share in (0, 0.1, 33.3, 50, 99.9, 100):
        assert counted.percentile(share) == pytest.approx(np.percentile(values, share), abs=1e-9)
    assert [counted.at(place) for place in range(2 * count)] == sorted(values.ravel())


def test_small_and_large_dtypes_count_alike(noise):
    values = noise.integers(0, 256, (7, 9))
    for dtype in (np.uint8, np.uint16, np.int64):
        assert Counted([values.astype(dtype)], 0, 255).middle() == Counted([values], 0, 255).middle()
