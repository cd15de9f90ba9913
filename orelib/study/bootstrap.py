"""Certainty of a difference between two methods, when both trainings and scenes vary.

Scores are tables with a row per seed and a column per test image. Two methods with one seed saw the same samples and
restored the same images, so their scores are subtracted one by one. The question is how another training and other
scenes would change the result, so both are resampled: a bootstrap on two levels (Davison & Hinkley 1997, section 3.8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from orelib.utils.tables import with_interval

DRAWS = 4000
ANY = (-np.inf, np.inf)
UNTRAINED = -1  # stands in the place of a seed in the scores of baselines, which are not trained
POWER = 1.96 + 0.84  # a test at 5 % detects a difference of so many standard errors with 80 % power


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and images, its 95 % interval and standard error, and the numbers of seeds and images.

    The interval and the error are NaN for one seed and one image.
    """

    mean: float
    low: float
    high: float
    error: float
    seeds: int
    images: int

    @property
    def detectable(self) -> float:
        """The smallest difference that this design detects with 80 % power, in a test at 5 %."""
        return POWER * self.error

    def __str__(self) -> str:
        digits = 2 if max(abs(self.low), abs(self.high)) >= 1 else 3
        return self.text(f"+.{digits}f")

    def text(self, spec: str = ".2f") -> str:
        """The mean with its interval, each number formatted by ``spec``."""
        return with_interval(self.mean, self.low, self.high, spec)


def estimate(values: pd.DataFrame, draws: int = DRAWS, seed: int = 0, limits: tuple[float, float] = ANY) -> Estimate:
    """Returns the mean of a table (seeds x images) with its interval over other trainings and scenes.

    Seeds and images are drawn with replacement; each drawn seed gets the same images, because all seeds restored the
    same ones. The variance of a resample of n things is (n - 1) / n of the correct one, which matters for few seeds:
    deviations are enlarged by sqrt(n / (n - 1)). n counts the seeds, or the images if there is one seed; then the
    interval says nothing about trainings. With one image it says nothing about scenes; with one seed and one image
    there is no interval. Missing values (images without glare, or equal to the dry one) are left out. The mean must
    lie between the ``limits``, and the interval is cut off at them.

    Raises ValueError for a table without values.
    """
    return _bootstrapped([values], draws, seed, limits)


def contrast(one: pd.DataFrame, other: pd.DataFrame, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Returns mean ``one`` minus mean ``other``, of the same seeds but different images, which are drawn separately."""
    return _bootstrapped([one, other], draws, seed, ANY)


def _bootstrapped(tables: list[pd.DataFrame], draws: int, seed: int, limits: tuple[float, float]) -> Estimate:
    """Returns the mean of one table, or of the first minus the mean of the second, with the same seeds for both."""
    arrays = [table.to_numpy(dtype=np.float64) for table in tables]
    arrays = [array[:, np.isfinite(array).any(axis=0)] for array in arrays]
    if not all(array.size for array in arrays):
        raise ValueError("no values to estimate from")
    rng = np.random.default_rng(seed)
    seeds, images = len(arrays[0]), min(array.shape[1] for array in arrays)
    drawn_seeds = _draw(rng, seeds, draws)
    means, mean = np.zeros(draws), 0.0
    for array, sign in zip(arrays, (1, -1), strict=False):
        there = np.isfinite(array)
        # How often each seed and each image is drawn: a mean is a sum over the table, weighted by both.
        often = drawn_seeds, _draw(rng, array.shape[1], draws)
        sums, counts = (
            np.einsum("ds,si,di->d", often[0], part, often[1]) for part in (np.where(there, array, 0), there)
        )
        with np.errstate(invalid="ignore"):
            means += sign * sums / counts
        mean += sign * float(array[there].mean())
    means = means[np.isfinite(means)]  # a draw that holds only missing values has no mean
    fewer = seeds if seeds > 1 else images
    if fewer == 1:
        return Estimate(mean, *[float("nan")] * 3, seeds, images)
    means = mean + (means - mean) * np.sqrt(fewer / (fewer - 1))
    low, high = np.quantile(means, (0.025, 0.975)).clip(*limits)
    return Estimate(mean, float(low), float(high), float(means.std()), seeds, images)


def _draw(rng: np.random.Generator, count: int, draws: int) -> np.ndarray:
    """Counts how often each of ``count`` things occurs in ``draws`` resamples of that size: (draws, count)."""
    return rng.multinomial(count, np.full(count, 1 / count), draws).astype(np.float64)


def difference(one: pd.DataFrame, other: pd.DataFrame, **settings) -> Estimate:
    """:func:`estimate` of ``one - other``, seed by seed and image by image.

    Either may be a baseline, which is not trained: its row :data:`UNTRAINED` is compared with every seed of the other.
    Raises ValueError when they share no seed or no image.
    """
    return estimate(paired(one, other), **settings)


def wins(one: pd.DataFrame, other: pd.DataFrame, **settings) -> Estimate:
    """Probability that a new training of ``one`` scores higher on a new scene than a new one of ``other``, 0-1."""
    table = paired(one, other)
    return estimate((table > 0).where(table.notna()).astype(float), limits=(0, 1), **settings)


def paired(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Returns ``one - other`` over common seeds and images. Raises ValueError when there are none."""
    one, other = _repeated(one, other), _repeated(other, one)
    seeds, images = one.index.intersection(other.index), one.columns.intersection(other.columns)
    if not len(seeds) or not len(images):
        raise ValueError("nothing to compare: the two share no seed or no image")
    return one.loc[seeds, images] - other.loc[seeds, images]


def _repeated(table: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Repeats the row of a baseline for every seed of the other table; returns any other table as it is."""
    if UNTRAINED not in table.index:
        return table
    return pd.DataFrame(np.repeat(table.to_numpy(), len(other), axis=0), index=other.index, columns=table.columns)


REPRODUCED, NOISE, CONTRADICTED = "reproduced", "within noise", "contradicted"
UNTESTED, NOT_RUN = "cannot be tested here", "not run yet"


def verdict(found: Estimate) -> str:
    """Returns the verdict on a claim that a difference is above 0. The rule was set before any training was made:

    *reproduced* if the whole 95 % interval is above 0; *contradicted* if all of it is below 0; otherwise *within
    noise*, and :attr:`Estimate.detectable` is the smallest difference that would have been detected. Without an
    interval, the claim *cannot be tested here*.
    """
    if np.isnan(found.low):
        return UNTESTED
    if found.low > 0:
        return REPRODUCED
    return CONTRADICTED if found.high < 0 else NOISE


def worst(*verdicts: str) -> str:
    """Returns the worst of several verdicts, for a claim that says several things."""
    return max(verdicts, key=(REPRODUCED, NOISE, UNTESTED, CONTRADICTED).index)
