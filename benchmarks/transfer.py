"""How a trained restorer does on photographs that it was not trained for, beside the baselines.

    python benchmarks/transfer.py <data folder> [--model results/quick/improved-seed0/generator.safetensors]
        [--split test] [--trained-on data/quick] [--dry <folder>] [--csv <file>]

The data folder holds pairs as docs/running.md says; the split is restored as it is, nothing is trained. The baselines
with a colour of their own are fitted twice: on the folder's own training pairs, which the restorer has never seen and
which make them hard to beat, and on the pairs that the restorer was trained on, where they are there (--trained-on).

A restorer must do no harm: for a folder of photographs that are dry already (--dry), PSNR and SSIM between what goes in
and what comes out are printed, with the share of photographs that stay above 30 dB. --csv keeps all of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from orelib.baselines import Restore, fit_baselines
from orelib.data.pair import Pair
from orelib.data.pairs import load_pairs
from orelib.data.photographs import SUFFIXES, read_image
from orelib.metrics import finite, mean_interval, psnr, score, ssim
from orelib.restore.restorer import Restorer, load_restorer
from orelib.runs import Folders
from orelib.utils.names import is_left_behind
from orelib.utils.tables import write_csv


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path, help="folder with train/ and test/, each with wet/ and dry/")
    arguments.add_argument("--model", type=Path, help="generator.safetensors; without it, the kit's own restorer")
    arguments.add_argument("--split", choices=("train", "test"), default="test")
    arguments.add_argument("--trained-on", type=Path, help="data folder of the run, for instance data/quick")
    arguments.add_argument("--dry", type=Path, help="folder of photographs that show dry rock")
    arguments.add_argument("--csv", type=Path, help="file to write the means to")
    chosen = arguments.parse_args()
    if chosen.dry and not any(path.suffix.lower() in SUFFIXES for path in chosen.dry.glob("*")):
        arguments.error(f"--dry {chosen.dry}: no photographs there")

    pairs = load_pairs(Folders("", str(chosen.data)))
    restorers = {f"{name} (fitted here)": restore for name, restore in fit_baselines(pairs.train).items()}
    restorers["do nothing"] = restorers.pop("do_nothing (fitted here)")
    if chosen.trained_on:
        elsewhere = fit_baselines(load_pairs(Folders("", str(chosen.trained_on))).train)
        restorers["linear_colour (fitted as the restorer)"] = elsewhere["linear_colour"]
    restorer = load_restorer(chosen.model)
    name = chosen.model.parent.name if chosen.model else "default restorer"
    restorers[name] = restorer.restore

    table = scores(getattr(pairs, chosen.split), restorers)
    print(table.to_string(index=False))
    if chosen.dry:
        unharmed = harm(restorer, chosen.dry)
        table = pd.concat([table, pd.DataFrame([{"restorer": f"{name}, dry photographs in and out"} | unharmed])])
        print(
            "\n{photographs} dry photographs, before against after: PSNR {psnr:.2f} dB (least {least_psnr:.2f}, "
            "{at_30_dB:.0%} at 30 dB or more), SSIM {ssim:.3f}".format(**unharmed)
        )
    if chosen.csv:
        write_csv(chosen.csv, table)


def scores(pairs: Sequence[Pair], restorers: Mapping[str, Restore]) -> pd.DataFrame:
    """Means over the pairs, a row a restorer."""
    rows = []
    for pair in pairs:
        wet, dry = pair.load()
        for name, restore in restorers.items():
            restored = restore(wet)
            change = float(np.mean(restored.astype(float)) - np.mean(dry.astype(float)))
            rows.append({"restorer": name} | score(wet, restored, dry) | {"too_bright_by": change})
    columns = ["psnr", "ssim", "sharpness", "psnr_glare", "glare_removed", "too_bright_by"]
    means = pd.DataFrame(rows).groupby("restorer", sort=False)[columns].mean().round(3)
    return means.assign(photographs=len(pairs)).reset_index()


def harm(restorer: Restorer, folder: Path) -> dict[str, float]:
    """How much a restorer changes the photographs of a folder, which are dry already.

    A photograph that it does not change at all is left out of the mean PSNR.
    """
    rows = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not is_left_behind(path.name):
            dry = read_image(path)
            restored = restorer.restore(dry)
            rows.append((psnr(restored, dry), ssim(restored, dry)))
    decibels, likeness = np.array(rows).T
    return {
        "photographs": len(rows), "psnr": mean_interval(decibels)[0], "least_psnr": finite(decibels.min()),
        "at_30_dB": np.mean(decibels >= 30), "ssim": likeness.mean(),
    }  # fmt: skip


if __name__ == "__main__":
    main()
