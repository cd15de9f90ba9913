"""Medians and percentiles of pixels, which are integers: counting each value is faster than sorting them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


class Counted:
    """The values of arrays of integers, from ``least`` to ``most``, in any order; at least one value."""

    def __init__(self, arrays: Iterable[np.ndarray], least: int, most: int):
        counts = sum(np.bincount(array.ravel().astype(np.intp) - least, minlength=most - least + 1) for array in arrays)
        self.least, self.up_to = least, np.cumsum(counts)  # how many values are not larger
        self.total = int(self.up_to[-1])

    def at(self, place: int) -> int:
        """Returns the value at a place, from 0, of all values in order of their size."""
        return self.least + int(np.searchsorted(self.up_to, place, side="right"))

    def middle(self) -> tuple[int, int]:
        """Returns the two values whose mean is the median; of an odd number of values, twice the middle one."""
        return self.at((self.total - 1) // 2), self.at(self.total // 2)

    def percentile(self, share: float) -> float:
        """Returns the percentile, ``share`` from 0 to 100, linear between two values as ``np.percentile`` does."""
        below, between = divmod(share / 100 * (self.total - 1), 1)
        lower = self.at(int(below))
        return lower + between * (self.at(min(int(below) + 1, self.total - 1)) - lower)
