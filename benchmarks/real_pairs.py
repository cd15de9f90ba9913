"""What rendered scenes are worth on photographs: alone, as a start for training on photographs, or not at all.

    python benchmarks/real_pairs.py <data folder> --rendered results/cpu [--seeds 3] [--steps 1000] [--csv <file>]

The data folder holds wet/dry photographs as docs/running.md says. Each method is scored on its test pairs after three
trainings: on rendered scenes alone (the runs in ``--rendered``), on the folder's training pairs alone, and on these
after the rendered scenes. Beside them stand the baselines, fitted on the folder's training pairs. Means over seeds and
photographs, and what is gained over the linear colour map, which is hard to beat, with 95 % intervals. Runs are kept in
``results/real``, and taken up again there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from orelib.baselines import BASELINES
from orelib.config import Experiment
from orelib.data.pairs import Pairs, load_pairs
from orelib.evaluation import evaluate
from orelib.metrics import score
from orelib.restore.restorer import load_restorer
from orelib.runs import Folders, read_experiment
from orelib.study.bootstrap import UNTRAINED, difference, estimate
from orelib.training import train
from orelib.utils.tables import read_table, write_csv

METHODS = ("pix2pix", "improved", "nafnet", "slim")
METRICS = ("psnr", "ssim", "psnr_glare", "glare_removed", "sharpness", "colour_error")
GAINS = ("psnr", "ssim", "psnr_glare")  # over the linear colour map


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", type=Path, help="folder with train/ and test/, each with wet/ and dry/")
    arguments.add_argument("--rendered", type=Path, required=True, help="results of a profile on rendered scenes")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--steps", type=int, default=1000)
    arguments.add_argument("--csv", type=Path, help="file to write the table to")
    chosen = arguments.parse_args()
    pairs = load_pairs(Folders("", str(chosen.data)))
    scores = {}
    for method in METHODS:
        for name, tables in trainings(method, pairs, chosen.rendered, chosen.seeds, chosen.steps).items():
            scores[method, name] = tables
    baselines = read_table(next(Folders("", results_dir="results/real").results.glob("*/baselines.csv")))
    for name in BASELINES:
        scores[name, "photographs"] = [baselines[baselines["method"] == name]]
    usual = scores["linear_colour", "photographs"]
    rows = [{"method": method, "trained on": name} | means(tables, usual) for (method, name), tables in scores.items()]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if chosen.csv:
        write_csv(chosen.csv, table)


def trainings(method: str, pairs: Pairs, rendered: Path, seeds: int, steps: int) -> dict[str, list[pd.DataFrame]]:
    """Scores of the test pairs, a table a seed, after each of the three trainings."""
    scores = {"rendered scenes": [], "photographs": [], "rendered scenes, then photographs": []}
    for seed in range(seeds):
        start = rendered / f"{method}-seed{seed}" / "generator.safetensors"
        restorer = load_restorer(start)
        rows = [score(wet, restorer.restore(wet), dry) for wet, dry in (pair.load() for pair in pairs.test)]
        scores["rendered scenes"].append(pd.DataFrame(rows))
        profile = read_experiment(start.parent).profile
        for name, start_from in (("photographs", None), ("rendered scenes, then photographs", str(start.resolve()))):
            changes = {"steps": steps, "validate_every": max(1, steps // 10), "start_from": start_from}
            experiment = Experiment(profile, method, seed, **changes)
            folder = f"{method}-{'tuned' if start_from else 'scratch'}-seed{seed}"
            run = train(experiment, pairs, Folders("", results_dir="results/real").results / folder)
            scores[name].append(evaluate(run, pairs))
    return scores


def means(scores: list[pd.DataFrame], usual: list[pd.DataFrame]) -> dict[str, float]:
    """Mean of each metric over seeds and photographs, and with its interval what is gained over ``usual``."""
    row = {"seeds": len(scores), "photographs": len(scores[0])}
    row |= {metric: estimate(_by_seed(scores, metric)).mean for metric in METRICS}
    for metric in GAINS:
        found = difference(_by_seed(scores, metric), _by_seed(usual, metric).set_axis([UNTRAINED]))
        row |= {f"{metric}_gain": found.mean, f"{metric}_gain_low": found.low, f"{metric}_gain_high": found.high}
    return row


def _by_seed(scores: list[pd.DataFrame], metric: str) -> pd.DataFrame:
    """A metric as :mod:`orelib.study.bootstrap` takes it: a row a seed, a column a photograph."""
    return pd.DataFrame([table[metric].to_numpy() for table in scores])


if __name__ == "__main__":
    main()
