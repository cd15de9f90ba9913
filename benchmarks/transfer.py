"""How a trained restorer does on photographs that it was not trained for, beside the three baselines.

    python benchmarks/transfer.py results/quick/improved-seed0 <data folder> [--split test] [--dry <folder>]

The data folder holds pairs as the README says; the split is restored as it is, nothing is trained. The baselines with a
colour of their own are fitted twice: on the folder's own training pairs, which the restorer has never seen and which
make them hard to beat, and on the pairs that the restorer was trained on, as far as they are there (--trained-on).

A restorer must do no harm: for a folder of photographs that are dry already (--dry), PSNR and SSIM between what goes in
and what comes out are printed, with the share of photographs that stay above 30 dB.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from orelib.config import Folders
from orelib.metrics import fit_baselines, psnr, score, ssim
from orelib.pairs import SUFFIXES, load_pairs, read_image
from orelib.restore import Restorer, load_restorer


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("run", type=Path, help="run folder with a generator.safetensors")
    arguments.add_argument("data", type=Path, help="folder with train/ and test/, each with wet/ and dry/")
    arguments.add_argument("--split", choices=("train", "test"), default="test")
    arguments.add_argument("--trained-on", type=Path, help="data folder of the run, for instance data/quick")
    arguments.add_argument("--dry", type=Path, help="folder of photographs that show dry rock")
    chosen = arguments.parse_args()
    if chosen.dry and not any(path.suffix.lower() in SUFFIXES for path in chosen.dry.glob("*")):
        arguments.error(f"--dry {chosen.dry}: no photographs there")

    pairs = load_pairs(Folders("", str(chosen.data)))
    restorers = {f"{name} (fitted here)": restore for name, restore in fit_baselines(pairs.train).items()}
    restorers["do nothing"] = restorers.pop("do_nothing (fitted here)")
    if chosen.trained_on:
        elsewhere = fit_baselines(load_pairs(Folders("", str(chosen.trained_on))).train)
        restorers["linear_colour (fitted as the restorer)"] = elsewhere["linear_colour"]
    restorer = load_restorer(chosen.run / "generator.safetensors")
    restorers[chosen.run.name] = restorer.restore

    rows = []
    for pair in getattr(pairs, chosen.split):
        wet, dry = pair.load()
        for name, restore in restorers.items():
            restored = restore(wet)
            change = float(np.mean(restored.astype(float)) - np.mean(dry.astype(float)))
            rows.append({"restorer": name} | score(wet, restored, dry) | {"too_bright_by": change})
    columns = ["psnr", "ssim", "sharpness", "psnr_glare", "glare_removed", "too_bright_by"]
    print(pd.DataFrame(rows).groupby("restorer", sort=False)[columns].mean().round(3).to_string())
    if chosen.dry:
        print(f"\n{harm(restorer, chosen.dry)}")


def harm(restorer: Restorer, folder: Path) -> str:
    """How much a restorer changes the photographs of a folder, which are dry already."""
    scores = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            dry = read_image(path)
            restored = restorer.restore(dry)
            scores.append((psnr(restored, dry), ssim(restored, dry)))
    decibels, likeness = np.array(scores).T
    return (
        f"{len(scores)} dry photographs, before against after: PSNR {decibels.mean():.2f} dB (least "
        f"{decibels.min():.2f}, {np.mean(decibels >= 30):.0%} at 30 dB or more), SSIM {likeness.mean():.3f}"
    )


if __name__ == "__main__":
    main()
