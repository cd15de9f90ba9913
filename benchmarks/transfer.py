"""How a trained restorer does on photographs that it was not trained for, beside the three baselines.

    python benchmarks/transfer.py results/quick/improved-seed0 <data folder> [--split test]

The data folder holds pairs as the README says; the split is restored as it is, nothing is trained. The baselines with a
colour of their own are fitted twice: on the folder's own training pairs, which the restorer has never seen and which
make them hard to beat, and on the pairs that the restorer was trained on, as far as they are there (--trained-on).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from orelib.config import Folders
from orelib.metrics import fit_baselines, glare_removed, psnr, ssim
from orelib.pairs import load_pairs
from orelib.restore import load_restorer


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("run", type=Path, help="run folder with a generator.safetensors")
    arguments.add_argument("data", type=Path, help="folder with train/ and test/, each with wet/ and dry/")
    arguments.add_argument("--split", choices=("train", "test"), default="test")
    arguments.add_argument("--trained-on", type=Path, help="data folder of the run, for instance data/quick")
    chosen = arguments.parse_args()

    pairs = load_pairs(Folders("", str(chosen.data)))
    restorers = {f"{name} (fitted here)": restore for name, restore in fit_baselines(pairs.train).items()}
    restorers["do nothing"] = restorers.pop("do_nothing (fitted here)")
    if chosen.trained_on:
        elsewhere = fit_baselines(load_pairs(Folders("", str(chosen.trained_on))).train)
        restorers["linear_colour (fitted as the restorer)"] = elsewhere["linear_colour"]
    restorers[chosen.run.name] = load_restorer(chosen.run / "generator.safetensors").restore

    rows = []
    for pair in getattr(pairs, chosen.split):
        wet, dry = pair.load()
        for name, restore in restorers.items():
            restored = restore(wet)
            change = float(np.mean(restored.astype(float)) - np.mean(dry.astype(float)))
            rows.append(
                {
                    "restorer": name,
                    "psnr": psnr(restored, dry),
                    "ssim": ssim(restored, dry),
                    "glare_removed": glare_removed(wet, restored, dry),
                    "too_bright_by": change,
                }
            )
    print(pd.DataFrame(rows).groupby("restorer", sort=False).mean().round(3).to_string())


if __name__ == "__main__":
    main()
