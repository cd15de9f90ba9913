"""The particles of one photograph: their sizes in mm, and which of them count.

A particle's size is the minor axis of the ellipse of equal second moments, close to its sieve size; its mass is taken
as proportional to area times size, as in :mod:`~orelib.sizing.particles`. Not counted are particles that the border
cuts, whose size nobody knows, and those smaller than the photograph shows well.

A large particle is cut more often than a small one, so what remains is too fine. The cure is known from stereology:
each whole particle counts as often as it would have to lie at random for one to be whole (Miles 1974, Lantuejoul 1978),
which is the area of the photograph over the area in which its corner may lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from skimage.measure import regionprops_table

from orelib.sizing.balls import without_balls
from orelib.sizing.scale import Scale, ScaleError

LEAST_PX = 8  # across a particle that counts: what is smaller is found by chance
BORDER, SMALL = "border", "small"  # why a particle is not counted


@dataclass(frozen=True)
class Measured:
    """The particles of one photograph, a row each.

    ``table``: label, row, column (of the middle, in px), px (minor axis), px_per_mm (there), size_mm (minor axis),
    length_mm (major axis), area_mm2, mass (mm^3, up to a factor), weight (how many it stands for), left_out ("": it
    counts). The photograph shows particles from ``shown_mm`` on well; those from ``smallest_mm`` on count. ``error`` is
    the scale's relative one.
    """

    table: pd.DataFrame
    shown_mm: float
    smallest_mm: float
    error: float

    @property
    def counted(self) -> pd.DataFrame:
        return self.table[self.table["left_out"] == ""]


def measure(labels: np.ndarray, scale: Scale, least_px: float = LEAST_PX, smallest_mm: float | None = None) -> Measured:
    """Measures the particles of a photograph, given as particle numbers (H, W), 0 for no particle.

    The smallest size that counts is ``smallest_mm``; by default, what the photograph shows: ``least_px`` px where the
    scale is smallest, so that it is one for all places.

    Raises ScaleError if particles of ``smallest_mm`` are smaller than what the photograph shows.
    """
    labels = without_balls(labels, scale.balls)
    height, width = labels.shape
    asked = ("label", "area", "axis_minor_length", "axis_major_length", "centroid", "bbox")
    found = pd.DataFrame(regionprops_table(labels, properties=asked))
    at = scale.at(found["centroid-0"], found["centroid-1"])
    top, left, bottom, right = (found[f"bbox-{k}"] for k in range(4))
    is_cut = (top == 0) | (left == 0) | (bottom == height) | (right == width)
    area, size = found["area"] / at**2, found["axis_minor_length"] / at
    # Where its corner may lie without the border touching it; at least one place, for those that it does touch.
    places = (height - 1 - (bottom - top)).clip(lower=1) * (width - 1 - (right - left)).clip(lower=1)
    shown = least_px / float(np.min(at)) if len(found) else float("nan")
    smallest = shown if smallest_mm is None else smallest_mm
    if shown > smallest:
        raise ScaleError(
            f"it shows particles from {shown:.3g} mm on, not from {smallest:g} mm: choose a larger smallest size, or "
            "photograph from nearer"
        )
    table = pd.DataFrame(
        {
            "label": found["label"], "row": found["centroid-0"], "column": found["centroid-1"],
            "px": found["axis_minor_length"], "px_per_mm": at, "size_mm": size,
            "length_mm": found["axis_major_length"] / at, "area_mm2": area, "mass": area * size,
            "weight": height * width / places,
            "left_out": np.where(is_cut, BORDER, np.where(size < smallest, SMALL, "")),
        }
    )  # fmt: skip
    return Measured(table, shown, smallest, scale.error)
