"""How well the kit's segmenter finds particles in photographs whose particles were outlined by hand.

    python benchmarks/segmenter.py <folder> [<folder> ...] [--csv <file>] [--enlarged <factor> ...]

A folder holds ``images`` and ``masks``; a mask is a PNG of the image's stem and size with a number for each particle,
and 0 for what nobody outlined, which counts neither for the segmenter nor against it. The segmenter has learnt from
rendered scenes alone, and finds its working scale by itself. Counted are the outlined particles that are whole and
larger than a disc of 8 px: ``matched``, the share that one found particle overlaps by more than half of their union,
``iou``, the mean overlap of these, and ``size``, the median of found against outlined size. Of the others, as shares of
all: ``merged``, most of it lies in a found particle that is more than half larger, ``split``, most of it lies in
several found ones, ``missed``, most of it lies in none, and ``extent``, what remains. With ``--enlarged 1 2`` it also
looks at photographs enlarged twice, which should change little.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from orelib.sizing.particles import match, particles
from orelib.sizing.segmenter import Segmenter, load_segmenter
from orelib.utils.names import is_left_behind
from orelib.utils.tables import write_csv

PX_PER_MM = 2.0  # of which only the size below which nothing is a particle depends: 8 px


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folders", type=Path, nargs="+")
    arguments.add_argument("--csv", type=Path, help="file to write the table to")
    arguments.add_argument("--enlarged", type=int, nargs="+", default=[1], help="factors by which to enlarge first")
    chosen = arguments.parse_args()
    segmenter = load_segmenter()
    rows = [
        {"folder": folder.name, "enlarged": factor} | quality(segmenter, folder, factor)
        for folder in chosen.folders
        for factor in chosen.enlarged
    ]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if chosen.csv:
        write_csv(chosen.csv, table)


def quality(segmenter: Segmenter, folder: Path, factor: int) -> dict[str, float]:
    """Means over all outlined particles of a folder."""
    images = sorted(path for path in (folder / "images").glob("*.*") if not is_left_behind(path.name))
    found_of, sizes, count, failures = [], [], 0, Counter()
    for path in images:
        image = Image.open(path).convert("RGB")
        enlarged = np.asarray(image.resize([factor * side for side in image.size], Image.Resampling.BICUBIC))
        true = np.asarray(Image.open(folder / "masks" / f"{path.stem}.png")).astype(np.int32)
        true = np.kron(true, np.ones((factor, factor), np.int32))
        found = segmenter.segment_any(enlarged)
        matches = match(found, true, PX_PER_MM * factor)
        one, other = (particles(labels, PX_PER_MM * factor).set_index("label")["size_mm"] for labels in (found, true))
        matches = matches[matches["found"].isin(one.index)]
        count += len(other)
        found_of += matches["iou"].tolist()
        sizes += (one[matches["found"]].to_numpy() / other[matches["true"]].to_numpy()).tolist()
        failures.update(failure(number, found, true) for number in other.index.difference(matches["true"]))
    return {
        "photographs": len(images), "outlined": count, "matched": len(found_of) / count, "iou": np.mean(found_of),
        "size": np.median(sizes),
    } | {kind: failures[kind] / count for kind in ("merged", "split", "missed", "extent")}  # fmt: skip


def failure(number: int, found: np.ndarray, true: np.ndarray) -> str:
    """Returns why an outlined particle was not found: merged, split, missed or extent."""
    inside = true == number
    parts = np.bincount(found[inside])
    area, covered = inside.sum(), parts[1:].sum()
    if covered < area / 2:
        return "missed"
    largest = 1 + parts[1:].argmax()
    if parts[largest] > area / 2:
        return "merged" if (found == largest).sum() > 1.5 * area else "extent"
    return "split"


if __name__ == "__main__":
    main()
