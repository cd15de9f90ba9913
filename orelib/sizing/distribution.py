"""The size distribution of the particles in one or several photographs: passing curve, P20, P50 and P80, and how sure.

The interval says what other particles and other photographs of the same rock would change, and how exactly the scale
was measured. Photographs are drawn with replacement, and in each of them its particles; every photograph's scale is
then changed by its own error (bootstrap on two levels, Davison & Hinkley 1997, section 3.8). A sample mostly lacks the
largest particles, so that resamples lie too low: each end is the farther one of the percentile and the basic interval
(section 5.2), of sizes by their logarithm. The interval does not say how wrong outlines are, what lies below the
surface, or what is too small to be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from orelib.sizing.measured import BORDER, Measured

SHARES = {"p20": 0.2, "p50": 0.5, "p80": 0.8}
DRAWS = 1000
# Above these limits, of 40 to 400 particles drawn from lognormal distributions (by number), 86 to 97 of 100 intervals
# held the truth for sigma 0.3 and 0.4, 79 to 92 for 0.5, 75 to 85 for 0.6; fewest at P80, since large ones are rare.
LEAST_COUNT = 30  # particles
LEAST_ALIKE = 10  # particles of one mass that would tell as much: few large ones may hold most of the mass
LEAST_LARGER = 3  # particles above a percentile
ABOVE_SMALLEST = 2.5  # a percentile must be so many times the smallest size that counts: see docs/sizing.md
LARGEST_CUT = 0.5  # share of the particles' area that the border may cut
CURVE = 20  # sizes of the curve for each factor of 10


@dataclass(frozen=True)
class Percentile:
    """A size in mm with its 95 % interval; ``why_not`` says why it cannot be given ("": it can)."""

    size_mm: float
    low: float
    high: float
    why_not: str = ""


@dataclass(frozen=True)
class Distribution:
    """Sizes by mass of the particles in some photographs.

    ``percentiles`` by name (:data:`SHARES`). ``curve``: size_mm, passing (share of the mass that is smaller, 0-1), and
    the ends of its 95 % band, low and high; without rows where nothing was counted. ``count`` particles of
    ``photographs``; of the area of all particles, ``cut_share`` belongs to those that the border cuts.
    """

    percentiles: dict[str, Percentile]
    curve: pd.DataFrame
    count: int
    cut: int
    photographs: int
    shown_mm: float
    smallest_mm: float
    cut_share: float

    @property
    def remark(self) -> str:
        """Returns why percentiles are not given, each reason once; "" if all are."""
        reasons: dict[str, list[str]] = {}
        for name, percentile in self.percentiles.items():
            if percentile.why_not:
                reasons.setdefault(percentile.why_not, []).append(name.upper())
        return "; ".join(f"no {', '.join(names)}: {reason}" for reason, names in reasons.items())


def distribution(photographs: Sequence[Measured], draws: int = DRAWS, seed: int = 0) -> Distribution:
    """Returns the size distribution of all counted particles of some photographs, by mass.

    A percentile is withheld where less than :data:`LEAST_COUNT` particles count, or they tell less than
    :data:`LEAST_ALIKE` of one mass, where less than :data:`LEAST_LARGER` are larger, where it lies too near to the
    smallest size that counts, and where the border cuts too many.
    """
    facts = _facts(photographs)
    seen = [photograph for photograph in photographs if len(photograph.counted)]
    if not seen:
        empty = pd.DataFrame({"size_mm": [], "passing": [], "low": [], "high": []})
        return Distribution(dict.fromkeys(SHARES, Percentile(*[np.nan] * 3, _too_few(0))), empty, 0, **facts)
    parts = [_sizes_and_masses(photograph.counted) for photograph in seen]
    together = np.hstack(parts)
    shares, sizes = list(SHARES.values()), _grid(together[0])
    found, passing = _read_off(together, shares, sizes)
    resamples = _draws(parts, [photograph.error for photograph in seen], draws, np.random.default_rng(seed))
    drawn = [_read_off(resample, shares, sizes) for resample in resamples]
    ends, band = (np.quantile([each[k] for each in drawn], (0.025, 0.975), axis=0) for k in (0, 1))
    ends = np.minimum(ends[0], found**2 / ends[1]), np.maximum(ends[1], found**2 / ends[0])
    band = np.minimum(band[0], 2 * passing - band[1]).clip(0), np.maximum(band[1], 2 * passing - band[0]).clip(max=1)
    percentiles = {
        name: Percentile(*map(float, (size, low, high)), _why_not(size, together, facts))
        for name, size, low, high in zip(SHARES, found, *ends, strict=True)
    }
    curve = pd.DataFrame({"size_mm": sizes, "passing": passing, "low": band[0], "high": band[1]})
    return Distribution(percentiles, curve, together.shape[1], **facts)


def _facts(photographs: Sequence[Measured]) -> dict:
    """Returns the fields of a Distribution that need no particle which counts."""
    areas = np.concatenate([photograph.table["area_mm2"] for photograph in photographs])
    is_cut = np.concatenate([photograph.table["left_out"] == BORDER for photograph in photographs])
    return {
        "cut": int(is_cut.sum()),
        "photographs": len(photographs),
        "shown_mm": max((each.shown_mm for each in photographs if len(each.table)), default=float("nan")),
        "smallest_mm": max((each.smallest_mm for each in photographs if len(each.table)), default=float("nan")),
        "cut_share": float(areas[is_cut].sum() / areas.sum()) if len(areas) else 0.0,
    }


def _sizes_and_masses(counted: pd.DataFrame) -> np.ndarray:
    """Returns size and mass of each particle, (2, n), the mass times the number of particles that it stands for."""
    return np.stack([counted["size_mm"], counted["mass"] * counted["weight"]])


def _draws(parts: list[np.ndarray], errors: list[float], draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yields resamples, (2, n) each: sizes and masses. With one photograph, only its particles are drawn."""
    for _ in range(draws):
        drawn = []
        for number in rng.integers(len(parts), size=len(parts)) if len(parts) > 1 else (0,):
            part, factor = parts[number], np.exp(rng.normal(0, errors[number]))
            drawn.append(part[:, rng.integers(part.shape[1], size=part.shape[1])] * [[factor], [factor**3]])
        yield np.hstack(drawn)


def _read_off(part: np.ndarray, shares: Sequence[float], sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the sizes below which ``shares`` of the mass lie, and the shares of the mass below ``sizes``.

    ``part`` is (2, n): size and mass of each particle, half of whose mass counts as smaller than itself.
    """
    size, mass = part[:, np.argsort(part[0])]
    passing = (mass.cumsum() - mass / 2) / mass.sum()
    return np.interp(shares, passing, size), np.interp(sizes, size, passing, left=0, right=1)


def _grid(sizes: np.ndarray) -> np.ndarray:
    """Returns the sizes in mm at which a curve is given: the same series for all curves, from below to above all."""
    first, last = np.floor(CURVE * np.log10(sizes.min())), np.ceil(CURVE * np.log10(sizes.max()))
    return 10 ** (np.arange(first, last + 1) / CURVE)


def _why_not(size: float, together: np.ndarray, facts: dict) -> str:
    """Returns why a percentile of particles, (2, n) as above, cannot be given; "" if it can."""
    sizes, masses = together
    alike = masses.sum() ** 2 / (masses**2).sum()  # as many particles of one mass tell as much (Kish 1965)
    larger = int((sizes > size).sum())
    if len(sizes) < LEAST_COUNT:
        return _too_few(len(sizes))
    if alike < LEAST_ALIKE:
        return f"a few large particles hold most of the mass: all tell no more than {alike:.0f} alike"
    if size < ABOVE_SMALLEST * facts["shown_mm"]:
        return f"too near to {facts['shown_mm']:.3g} mm, below which particles are too small in the photograph"
    if facts["cut_share"] > LARGEST_CUT:
        return f"the border cuts {facts['cut_share']:.0%} of the particles' area"
    if larger < LEAST_LARGER:
        return f"only {larger} particle{'s are' if larger != 1 else ' is'} larger"
    return ""


def _too_few(count: int) -> str:
    return f"only {count} whole particle{'s' * (count != 1)}"
