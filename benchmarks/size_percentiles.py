"""Percentiles and bands of the kit beside those of imagegrains, on the same outlines.

    python benchmarks/size_percentiles.py <folder of masks> [<folder> ...] [--csv <file>]

Needs imagegrains 2.0.3 (PyPI) and what its modules for sizes import: pip install --no-deps imagegrains, then cv2,
matplotlib, natsort, scikit-image, scipy, tqdm. A mask is a PNG with a number for each particle and 0 elsewhere.

Both measure the minor axis of the ellipse of equal moments, in px here. imagegrains counts particles by number, leaves
out those whose middle lies within 5 % of the border, and draws its band by a bootstrap over particles. Like stands
beside like in the rows "all": every particle of at least 8 px, by number, whole or cut. The others are what each of
them makes of the same outlines by itself; "kit, by mass" is what ``orelib size`` reports, with large particles
weighted for those that the border cuts.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from PIL import Image

from orelib.sizing.distribution import SHARES, Distribution, distribution
from orelib.sizing.measured import LEAST_PX, SMALL, Measured, measure
from orelib.sizing.scale import Scale
from orelib.utils.names import is_left_behind
from orelib.utils.tables import write_csv


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folders", type=Path, nargs="+")
    arguments.add_argument("--csv", type=Path, help="file to write the table to")
    chosen = arguments.parse_args()
    masks = [
        path for folder in chosen.folders for path in sorted(folder.glob("*.png")) if not is_left_behind(path.name)
    ]
    rows = [row for path in masks for row in compared(path)]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="%.1f"))
    if chosen.csv:
        write_csv(chosen.csv, table)


def compared(path: Path) -> list[dict]:
    """Returns the rows of one mask."""
    labels = np.asarray(Image.open(path)).astype(np.int32)
    whole = measure(labels, Scale(1.0, "px"))
    every = replace(whole, table=whole.table.assign(left_out=np.where(whole.table["px"] < LEAST_PX, SMALL, "")))
    rows = {
        "imagegrains, all": _of_imagegrains(labels, edge=None),
        "kit by number, all": _row(distribution([_by_number(every)])),
        "imagegrains": _of_imagegrains(labels, edge=0.05),
        "kit by number": _row(distribution([_by_number(whole)])),
        "kit, by mass": _row(distribution([whole])),
    }
    return [{"mask": path.stem, "by": name} | row for name, row in rows.items()]


def _by_number(measured: Measured) -> Measured:
    """The same particles, each of which counts once, whatever its mass."""
    return replace(measured, table=measured.table.assign(mass=1.0, weight=1.0))


def _row(found: Distribution) -> dict:
    row = {"particles": found.count}
    for name, each in found.percentiles.items():
        row |= {name: each.size_mm, f"{name}_low": each.low, f"{name}_high": each.high}
    return row


def _of_imagegrains(labels: np.ndarray, edge: float | None) -> dict:
    # It imports a function of cellpose that downloads models, which is not called here.
    for name in ("cellpose", "cellpose.utils"):
        sys.modules.setdefault(name, ModuleType(name)).download_url_to_file = None
    from imagegrains.grainsizing import grains_from_masks
    from imagegrains.gsd_uncertainty import bootstrapping

    np.random.seed(0)  # noqa: NPY002 (imagegrains draws from the global generator)
    filters = {"edge": [edge is not None, edge], "px_cutoff": [True, LEAST_PX]}
    grains, _ = grains_from_masks(labels.copy(), filters=filters, mute=True)
    sizes = np.asarray(grains["ell: b-axis (px)"], float)
    _, high, low = bootstrapping(sizes)
    row = {"particles": len(sizes)}
    for name, share in SHARES.items():
        percent = round(100 * share)
        row |= {name: np.percentile(sizes, percent), f"{name}_low": low[percent], f"{name}_high": high[percent]}
    return row


if __name__ == "__main__":
    main()
