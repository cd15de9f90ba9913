"""Particle sizes from images, the purpose of the paper: the same ore in wet, restored and dry photographs.

One segmenter (:mod:`~orelib.sizing.segmenter`) treats all of them alike, and the particles that it finds are compared
with the particles that the scene was rendered from (:mod:`~orelib.sizing.scenes`).

A particle's size is the minor axis of the ellipse of equal second moments, in mm, close to its sieve size; its mass is
taken as proportional to area times size. Particles that the image's border cuts are left out, both found and true
ones, and so are particles whose visible part is smaller than a disc of 4 mm.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from skimage.measure import regionprops_table

from orelib.baselines import Restore
from orelib.data.dataset import demand_whole_scenes, read_scenes
from orelib.sizing.segmenter import SMALLEST_MM, Segmenter
from orelib.utils.paths import shown

LEAST_IOU = 0.5  # a found and a true particle that overlap by more match; no other particle can match them
CLASS_MM = 1.0  # width of the size classes in which masses are kept


def particles(labels: np.ndarray, px_per_mm: float) -> pd.DataFrame:
    """Returns a row per particle that is whole and large enough: label, size_mm, mass (mm^3, up to a factor)."""
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    table = pd.DataFrame(regionprops_table(labels, properties=("label", "area", "axis_minor_length")))
    area, size = table["area"] / px_per_mm**2, table["axis_minor_length"] / px_per_mm
    kept = ~table["label"].isin(border) & (area >= np.pi / 4 * SMALLEST_MM**2)
    return pd.DataFrame({"label": table["label"], "size_mm": size, "mass": area * size})[kept]


def percentile(sizes: np.ndarray, masses: np.ndarray, share: float) -> float:
    """The size that ``share`` of the mass does not exceed, in mm: 0.8 for P80; NaN without particles."""
    order = np.argsort(sizes)
    sizes, masses = np.asarray(sizes, float)[order], np.asarray(masses, float)[order]
    if not len(sizes):
        return float("nan")
    passing = (masses.cumsum() - masses / 2) / masses.sum()
    return float(np.interp(share, passing, sizes))


def match(found: np.ndarray, true: np.ndarray, px_per_mm: float) -> pd.DataFrame:
    """Returns the true particles that were found, with their overlap: found, true (numbers), iou."""
    pairs = overlaps(found, true)
    counted = pairs["true"].isin(particles(true, px_per_mm)["label"])
    return pairs[counted & (pairs["iou"] > LEAST_IOU)]


def compare_particles(found: np.ndarray, true: np.ndarray, px_per_mm: float) -> dict[str, float]:
    """Compares found with true particles, both given as particle numbers (H, W).

    ``count, true_count``; ``matched``, the share of true particles that a found one overlaps by more than half of
    their union, and ``iou``, the mean overlap of these; ``p50, true_p50, p80, true_p80`` in mm.
    """
    one, other = particles(found, px_per_mm), particles(true, px_per_mm)
    matches = match(found, true, px_per_mm)
    values = {
        "count": len(one), "true_count": len(other),
        "matched": len(matches) / len(other) if len(other) else np.nan, "iou": matches["iou"].mean(),
    }  # fmt: skip
    for name, share in (("p50", 0.5), ("p80", 0.8)):
        values[name] = percentile(one["size_mm"], one["mass"], share)
        values[f"true_{name}"] = percentile(other["size_mm"], other["mass"], share)
    return values


def overlaps(found: np.ndarray, true: np.ndarray) -> pd.DataFrame:
    """Intersection over union of every found and true particle that touch: found, true, iou."""
    both = np.ravel(found).astype(np.int64) * (int(true.max()) + 1) + np.ravel(true)
    pairs, shared = np.unique(both, return_counts=True)
    one, other = np.divmod(pairs, int(true.max()) + 1)
    union = np.bincount(found.ravel())[one] + np.bincount(true.ravel())[other] - shared
    table = pd.DataFrame({"found": one, "true": other, "iou": shared / union})
    return table[(table["found"] > 0) & (table["true"] > 0)]


def score_sizing(
    folder: Path, segmenter: Segmenter, restore: Restore, split: str = "test", side: str = "wet"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sizes the particles in the scenes of a split after ``restore``.

    Returns a row per scene (``image``, ``wetness`` and the columns of :func:`compare_particles`), and the mass found in
    every size class (``image, size_mm``, the class's middle, ``mass``). Raises FileNotFoundError without scenes.
    """
    if not (Path(folder) / "manifest.json").exists():
        raise FileNotFoundError(f"{shown(folder)} holds no scenes for sizing: run make study PROFILE=<profile> first")
    demand_whole_scenes(folder, (side, "labels"))
    scenes = read_scenes(folder)
    rows, classes = [], []
    columns = ["stem", "px_per_mm", "wetness"]
    for stem, px_per_mm, wetness in scenes.loc[scenes["split"] == split, columns].itertuples(index=False):
        place = Path(folder) / split
        image = np.asarray(Image.open(place / side / f"{stem}.png"))
        true = np.asarray(Image.open(place / "labels" / f"{stem}.png"), dtype=np.int32)
        found = segmenter.segment(restore(image), px_per_mm)
        rows.append({"image": stem, "wetness": wetness} | compare_particles(found, true, px_per_mm))
        classes.append(_masses(particles(found, px_per_mm)).assign(image=stem))
    return pd.DataFrame(rows), pd.concat(classes, ignore_index=True)[["image", "size_mm", "mass"]]


def true_sizes(folder: Path, split: str = "test") -> pd.DataFrame:
    """The true mass in every size class, in the columns of :func:`score_sizing`."""
    tables = []
    scenes = read_scenes(folder)
    for stem, px_per_mm in scenes.loc[scenes["split"] == split, ["stem", "px_per_mm"]].itertuples(index=False):
        true = np.asarray(Image.open(Path(folder) / split / "labels" / f"{stem}.png"), dtype=np.int32)
        tables.append(_masses(particles(true, px_per_mm)).assign(image=stem))
    return pd.concat(tables, ignore_index=True)[["image", "size_mm", "mass"]]


def _masses(table: pd.DataFrame) -> pd.DataFrame:
    """Mass by size class."""
    middle = (table["size_mm"] // CLASS_MM + 0.5) * CLASS_MM
    return table.groupby(middle.rename("size_mm"))["mass"].sum().reset_index()
