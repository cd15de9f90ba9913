"""What each restorer is worth on real wet rock, by what its user has.

    python benchmarks/real_rock.py <data folder> [--split test] [--rendered data/quick] [--seeds 3]
        [--profile quick] [--csv <file>]

The data folder holds wet/dry pairs as docs/running.md says. Its split ``test`` is restored; its training pairs are what
a user has: nothing of them, one dry photograph, one pair, all dry photographs, or all pairs. With ``--split train``, to
judge while developing, the training pairs of one group at a time (what stands before _ in their names) are left out and
restored instead. The baselines are fitted on the rendered scenes in ``--rendered``. Runs and wetted pairs are kept in
``results/real_rock``, and taken up again there.

For one dry photograph and one pair, each training pair has its turn; the table holds the median and the worst of them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from orelib.baselines import BASELINES, fit_baselines
from orelib.config import PROFILES, Experiment
from orelib.data.pair import Pair
from orelib.data.pairs import load_pairs
from orelib.data.wetted import wet_folder
from orelib.metrics import LIMITS, mean_interval, score
from orelib.restore.calibration import calibrate_on_pairs, calibrate_on_photographs
from orelib.restore.restorer import load_restorer
from orelib.runs import Folders
from orelib.training import train
from orelib.utils.tables import write_csv

METRICS = ("psnr", "ssim", "ssim_library", "psnr_glare", "sharpness")
HALF = 0.5  # of the classical restoration beside a network that was trained on few pairs
Restore = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Fold:
    """What a user has, and what is restored."""

    name: str
    has: tuple[Pair, ...]
    restored: tuple[Pair, ...]

    @property
    def folder(self) -> Path:
        return Folders("", results_dir="results/real_rock").results / self.name


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path, help="folder with train/ and test/, each with wet/ and dry/")
    arguments.add_argument("--split", choices=("train", "test"), default="test")
    arguments.add_argument("--rendered", type=Path, default=Path("data/quick"), help="data folder of rendered scenes")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--profile", choices=PROFILES, default="quick", help="of the trainings")
    arguments.add_argument("--csv", type=Path, help="file to write the table to")
    chosen = arguments.parse_args()
    pairs = load_pairs(Folders("", str(chosen.data)))
    known = (*pairs.train, *pairs.val)
    folds = [Fold("test", known, pairs.test)] if chosen.split == "test" else list(left_out(known))
    rendered = fit_baselines(load_pairs(Folders("", str(chosen.rendered))).train)
    rows = []
    for fold in folds:
        rows += nothing(fold, rendered)
        rows += calibrated(fold)
        rows += trained(fold, chosen.profile, chosen.seeds)
    table = summary(pd.DataFrame(rows))
    print(table.to_string(index=False))
    if chosen.csv:
        write_csv(chosen.csv, table)


def left_out(pairs: Sequence[Pair]) -> Iterator[Fold]:
    """Leaves out one group of pairs after the other."""
    groups = sorted({pair.stem.split("_")[0] for pair in pairs})
    for group in groups:
        here = tuple(pair for pair in pairs if pair.stem.split("_")[0] == group)
        yield Fold(f"without-{group}", tuple(pair for pair in pairs if pair not in here), here)


def scores(fold: Fold, has: str, restorer: str, restore: Restore, turn: str | int = 0) -> list[dict]:
    """Scores what a fold restores; ``turn`` is the seed of a training, or the pair whose turn it is."""
    rows = []
    for pair in fold.restored:
        wet, dry = pair.load()
        values = score(wet, restore(wet), dry)
        rows.append({"has": has, "restorer": restorer, "turn": turn, "image": pair.stem} | values)
    return rows


def nothing(fold: Fold, rendered: dict[str, Restore]) -> list[dict]:
    """Restorers that have seen nothing of this rock."""
    ways = {f"{BASELINES[name]} (rendered scenes)": rendered[name] for name in ("linear_colour", "telea")}
    restorer = load_restorer()
    ways = {"do nothing": np.copy} | ways | {"the kit's network alone": restorer.network.restore}
    ways |= {"classical": load_restorer("classical").restore, "the kit's restorer": restorer.restore}
    return [row for name, restore in ways.items() for row in scores(fold, "nothing", name, restore)]


def calibrated(fold: Fold) -> list[dict]:
    """The classical restorer, calibrated on one pair, or on one dry photograph beside the wet ones."""
    rows, restorer = [], load_restorer("classical")  # which calibrating takes, too, where no model is named
    for pair in fold.has:
        with tempfile.TemporaryDirectory() as folder:
            one, wet = Path(folder, "pair"), Path(folder, "wet")
            for side in ("wet", "dry"):
                _copy([pair], side, one / side)
            _copy(fold.restored, "wet", wet)
            restorer.correction = None
            found = {"one pair": calibrate_on_pairs(restorer, one)}
            found["one dry photograph"] = calibrate_on_photographs(restorer, wet, one / "dry")
        for has, restorer.correction in found.items():
            rows += scores(fold, has, "classical, calibrated", restorer.restore, f"{fold.name}/{pair.stem}")
    return rows


def trained(fold: Fold, profile: str, seeds: int) -> list[dict]:
    """NAFNet trained on the pairs, or on the dry photographs wetted anew; alone, and half classical."""
    own, dry, wetted = (fold.folder / name for name in ("pairs", "dry", "wetted"))
    if not own.exists():
        for side in ("wet", "dry"):
            _copy(fold.has, side, own / "train" / side)
            _copy(fold.restored, side, own / "test" / side)
        _copy(fold.has, "dry", dry)
    if not wetted.exists():
        wet_folder(dry, wetted)
    rows = []
    for has, data in (("dry photographs", wetted), ("pairs", own)):
        pairs = load_pairs(Folders("", str(data)))
        for seed in range(seeds):
            experiment = Experiment(profile, "nafnet", seed)
            run = train(experiment, pairs, fold.folder / f"on-{has.replace(' ', '-')}" / f"nafnet-seed{seed}")
            model = run / "generator.safetensors"
            for name, share in (("NAFNet", None), ("NAFNet, half classical", HALF)):
                restorer = load_restorer(model, classical_share=share)
                rows += scores(fold, has, name, restorer.restore, seed)
    return rows


def _copy(pairs: Sequence[Pair], side: str, folder: Path) -> None:
    """Writes one side of pairs as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        Image.fromarray(pair.load()[side == "dry"]).save(folder / f"{pair.stem}.png")


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per restorer: means with their 95 % intervals over images, of each image's mean over trainings.

    Where pairs take turns, the median and the worst of their means, by PSNR, without intervals.
    """
    table = []
    for (has, restorer), some in rows.groupby(["has", "restorer"], sort=False):
        row = {"has": has, "restorer": restorer, "turns": some["turn"].nunique(), "images": some["image"].nunique()}
        if has.startswith("one"):
            turns = some.groupby("turn")[list(METRICS)].mean().sort_values("psnr")
            row |= turns.median().to_dict() | {f"{metric}_worst": turns[metric].iloc[0] for metric in METRICS[:4]}
        else:
            images = some.groupby("image")[list(METRICS)].mean()
            for metric in METRICS:
                limits = LIMITS.get(metric, LIMITS["ssim"])
                row[metric], low, high = mean_interval(images[metric], limits=limits)
                row |= {f"{metric}_low": low, f"{metric}_high": high}
        table.append(row)
    return pd.DataFrame(table).round(4)


if __name__ == "__main__":
    main()
