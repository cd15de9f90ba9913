"""Particle sizes of all scenes taken together: the mass in each size class, and the percentiles of the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from orelib.baselines import SHIPPED
from orelib.config import METHODS, PUBLISHED
from orelib.runs import find_runs
from orelib.sizing.particles import percentile
from orelib.study.effects import sized_ways
from orelib.utils.tables import read_table

# Short titles of all that is sized, by name.
SIZED = {
    "do_nothing": "wet",
    "linear_colour": "linear colour map",
    "telea": "Telea's filling",
    **SHIPPED,
    **{name: METHODS[name].short for name in PUBLISHED},
    "dry": "dry",
}


def masses_by_class(results: Path, name: str) -> list[pd.DataFrame]:
    """Reads the mass by scene and size class (scenes x classes), a table per seed; unrestored images have one."""
    if name in METHODS:
        tables = [read_table(run / "sizes.csv") for run in find_runs(results, "sizes.csv", variant=name)]
    else:
        table = read_table(Path(results) / "sizes.csv")
        tables = [table[table["method"] == name]]
    return [table.pivot_table("mass", "image", "size_mm", aggfunc="sum", fill_value=0) for table in tables]


def percentiles_of_all(results: Path) -> pd.DataFrame:
    """P50 and P80 in mm of all scenes taken together, by size class; the mean over seeds."""
    rows = []
    for name in ("truth", *(name for name in SIZED if name in sized_ways(results))):
        found = []
        for table in masses_by_class(results, name):
            masses = table.sum(axis=0)
            found.append([percentile(masses.index, masses, share) for share in (0.5, 0.8)])
        p50, p80 = np.mean(found, axis=0)
        rows.append({"image": SIZED.get(name, "truth"), "P50, mm": p50, "P80, mm": p80})
    return pd.DataFrame(rows).set_index("image").round(2)
