"""From the maps of a photograph to particles: many proposals, a belief in each, and the best that do not overlap.

A watershed that starts from middles above one level of the maps splits large particles where the level is high, and
joins small ones where it is low; at a scale where particles are too large or too small it finds neither. So proposals
are made at several levels and scales. Each is judged by how well the maps agree with those that a particle of just this
outline would have, which says how probably it is a particle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage, optimize
from skimage.segmentation import find_boundaries, relabel_sequential, watershed

from orelib.sizing.maps import shares

LEVELS = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6)  # a particle's middle lies above this share, less a border's probability
LEAST_PX = 16  # area of a proposal at its scale
POWER = 0.5  # of a region's area in its worth: 0 splits large particles, 1 joins small ones
OVERLAP = 0.3  # two proposals are rivals when one covers more than this share of the smaller


@dataclass(frozen=True)
class Proposals:
    """Regions ``labels`` int32 (H, W), numbers from 1, 0 for none; ``belief`` (n,) in each that it is a particle."""

    labels: np.ndarray
    belief: np.ndarray


def partitions(maps: np.ndarray) -> Iterator[np.ndarray]:
    """Proposed regions, int32 (H, W), of the maps (3, H, W): connected ones, then their parts, level by level.

    A region is split where several middles of a level lie in it; only its parts are new proposals.
    """
    share, inside, border = maps
    particle, height = inside > 0.5, share - border
    regions, _ = ndimage.label(particle)
    yield large_enough(regions)
    levels = [ndimage.label(particle & (height > level))[0] for level in LEVELS]
    tops = _tops(levels)
    region = _at(tops, regions)
    # What floods from a middle is what floods from its tops together: so one flood, from all tops, is enough.
    in_parts = (np.bincount(region[1:], minlength=int(regions.max()) + 1) > 1)[regions]
    basins = watershed(-height, np.where(in_parts, tops, 0), mask=in_parts)
    for labels in levels:
        middle = _at(tops, labels)
        once = np.unique(middle, return_index=True)[1]
        divided = (np.bincount(region[once], minlength=int(region.max()) + 1) > 1)[region] & (middle > 0)
        yield large_enough(np.where(divided, middle, 0)[basins])
        region = np.where(divided, middle + region.max(), region)


def _tops(levels: list[np.ndarray]) -> np.ndarray:
    """Numbers (H, W) of the middles that hold no middle of a higher level, from 1."""
    tops = np.zeros_like(levels[0])
    for labels in reversed(levels):
        top = np.ones(int(labels.max()) + 1, bool)
        top[labels[tops > 0]] = False
        top[0] = False
        new = top[labels]
        tops[new] = labels[new] + tops.max()
    return relabel_sequential(tops)[0]


def _at(tops: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The number (n + 1,) that ``labels`` (H, W) has where each of n tops lies; 0 for number 0, which is none."""
    of = np.zeros(int(tops.max()) + 1, np.intp)
    of[tops.ravel()] = labels.ravel()
    of[0] = 0
    return of


def large_enough(regions: np.ndarray, least: float = LEAST_PX) -> np.ndarray:
    """The regions (H, W) of at least so many px, int32, numbered without gaps."""
    kept = np.bincount(regions.ravel()) >= least
    kept[0] = False
    return (np.cumsum(kept) * kept).astype(np.int32)[regions]


def features(labels: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """What speaks for each region (n, 8): agreement with the maps, size in px, and how like an ellipse it is."""
    count = int(labels.max()) + 1
    outline = find_boundaries(labels, mode="inner")
    share, inside, border = maps
    where = np.flatnonzero(labels)
    number, on = labels.ravel()[where], outline.ravel()[where]
    area = np.maximum(np.bincount(number, minlength=count), 1)[1:]

    def mean(values: np.ndarray, chosen=slice(None)) -> np.ndarray:
        total = np.bincount(number[chosen], values.ravel()[where][chosen], count)[1:]
        return total / np.maximum(np.bincount(number[chosen], minlength=count)[1:], 1)

    highest = np.zeros(count, np.float32)
    np.maximum.at(highest, number, share.ravel()[where])
    row, column = np.divmod(where, labels.shape[1])
    y, x = (np.bincount(number, part, count)[1:] / area for part in (row, column))
    dy, dx = row - y[number - 1], column - x[number - 1]
    yy, xx, xy = (
        np.bincount(number, part, count)[1:] / area + extra
        for part, extra in ((dy * dy, 1 / 12), (dx * dx, 1 / 12), (dy * dx, 0))
    )
    filled = area / (4 * np.pi * np.sqrt(np.maximum(yy * xx - xy * xy, 1e-6)))
    apart = mean(np.abs(share - shares(labels, outline)))
    octave = np.log2(area) / 2
    return np.stack(
        [apart, mean(border, on), mean(border, ~on), mean(inside), highest[1:], octave, octave**2, filled],
        axis=1,
    )


@dataclass(frozen=True)
class Belief:
    """A logistic regression on :func:`features` and their squares."""

    weights: tuple[float, ...]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """The probability (n,) that each region overlaps a particle by more than half of their union."""
        return 1 / (1 + np.exp(-(_terms(features) @ np.array(self.weights)).clip(-30, 30)))


def fit_belief(features: np.ndarray, right: np.ndarray) -> Belief:
    """Fits the belief to regions (n, 8) of which it is known whether they were ``right`` (n,)."""
    terms, sign = _terms(features), np.where(right, 1.0, -1.0)
    scale = np.abs(terms).mean(axis=0) + 1e-6

    def cost(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (terms / scale @ weights)
        wrong = 1 / (1 + np.exp(margin.clip(-30, 30)))
        value = np.logaddexp(0, -margin).mean() + 1e-4 * (weights**2).sum()
        return value, -(sign * wrong) @ (terms / scale) / len(terms) + 2e-4 * weights

    found = optimize.minimize(cost, np.zeros(terms.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    return Belief(tuple(float(weight) for weight in found.x / scale))


def _terms(features: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(features), 1)), features, features[:, :5] ** 2, features[:, 7:] ** 2], axis=1)


def choose(proposals: list[Proposals], least: float) -> np.ndarray:
    """Particle numbers int32 (H, W): the proposals that together deserve most belief, none of them below ``least``.

    From small to large: a region takes the place of those that it covers if it is worth more than they are together.
    Its worth is its belief, less ``least``, times the root of its area.
    """
    chosen = np.zeros(proposals[0].labels.shape, np.int32)
    taken: dict[int, tuple[float, int, tuple[slice, slice]]] = {}  # worth, area and box of each number in ``chosen``
    for number, (area, worth, region, of, box) in enumerate(_by_area(proposals, least), 1):
        mask, below = proposals[of].labels[box] == region, chosen[box]
        covered = np.bincount(below[mask])
        rivals = [k for k in np.flatnonzero(covered).tolist() if k and covered[k] > OVERLAP * taken[k][1]]
        if worth <= sum(taken[k][0] for k in rivals):
            continue
        for k in rivals:
            place = chosen[taken.pop(k)[2]]
            place[place == k] = 0
        mask &= below == 0
        below[mask] = number
        taken[number] = worth, area, box
    return _whole(chosen)


def _by_area(proposals: list[Proposals], least: float) -> list[tuple]:
    """Area in px, worth, number, place in the list and box of all regions that are believed, small ones first."""
    regions = []
    for of, proposed in enumerate(proposals):
        areas = np.bincount(proposed.labels.ravel(), minlength=len(proposed.belief) + 1)[1:]
        worth = (proposed.belief - least) * areas**POWER
        for number, box in enumerate(ndimage.find_objects(proposed.labels), 1):
            if box is not None and worth[number - 1] > 0:
                regions.append((int(areas[number - 1]), float(worth[number - 1]), number, of, box))
    return sorted(regions, key=lambda region: region[:4])


def _whole(labels: np.ndarray) -> np.ndarray:
    """The regions without holes, numbered without gaps."""
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None:
            part = labels[box]
            part[ndimage.binary_fill_holes(part == number) & (part == 0)] = number
    return relabel_sequential(labels)[0].astype(np.int32)
