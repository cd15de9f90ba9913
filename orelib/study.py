"""The published experiment: which trainings it takes, and what of them is kept under ``results/reference``.

Every method is trained by several seeds on the same pairs, the same Mosaic samples and with the same number of
updates; CycleGAN, whose step takes three times as long, also with as many as fit into the time of Improved. The
ablation changes one thing at a time, by a field of :class:`~orelib.config.Experiment`.

``python -m orelib.study`` does the steps that no notebook does; the Snakefile calls it.
"""

from __future__ import annotations

import argparse
import shutil
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from orelib.checksums import DamagedFileError
from orelib.command import run_command
from orelib.config import METHODS, Experiment, Folders, parse_changes
from orelib.dataset import demand_same_settings, render_dataset
from orelib.files import appearing
from orelib.pairs import load_pairs
from orelib.provenance import demand_whole, find_runs, write_provenance
from orelib.tables import read_table

SEEDS = {"smoke": 2, "cpu": 5}  # trainings of every method; the other profiles have one
ABLATION_SEEDS = {"smoke": 2, "cpu": 3}
EQUAL_TIME = {"smoke": 2, "cpu": 700}  # CycleGAN's updates in the time that Improved takes for all of its own
KEPT = ("config.json", "provenance.json", "validation.csv", "metrics.csv", "sizing.csv", "sizes.csv")
LOSSES = ("step", "generator", "discriminator")  # of the history, what the claims of Fig. 6 and 7 speak of


@dataclass(frozen=True)
class Variant:
    """A method with some fields changed, of which several seeds are trained. ``title`` is what tables call it."""

    title: str
    method: str
    changes: str
    seeds: int

    @property
    def name(self) -> str:
        """As in the names of its run folders, without the seed."""
        return Folders("", changes=self.changes).run(self.method, 0).name.removesuffix("-seed0")


def methods(profile: str) -> list[Variant]:
    """The rows of Table 3, and CycleGAN at equal time."""
    seeds = SEEDS.get(profile, 1)
    variants = [Variant(method, method, "", seeds) for method in METHODS]
    if profile in EQUAL_TIME:
        steps = EQUAL_TIME[profile]
        variants.append(Variant("CycleGAN, in the time of Improved", "cyclegan", f"steps={steps}", seeds))
    return variants


def ablation(profile: str) -> list[Variant]:
    """What Improved is made of, added one by one to a plain U-Net; and other settings of it, one at a time.

    A batch of 4 sees as many images as a batch of 1, so it takes a quarter of the updates.
    """
    if profile not in ABLATION_SEEDS:
        return []
    experiment, seeds = Experiment.from_profile(profile, "improved"), ABLATION_SEEDS[profile]
    quarter = f"steps={experiment.steps // 4} validate_every={experiment.validate_every // 4}"
    changed = {
        "residual modules": "lambda_mse=0 lambda_ssim=0",
        "residual modules, SSIM": "lambda_mse=0",
        "residual modules, MSE": "lambda_ssim=0",
        "without Mosaic": "mosaic=False",
        "batch 4": f"batch_size=4 {quarter}",
        "learning rate 0.002": "learning_rate=0.002",
        "without adversarial loss": "lambda_adversarial=0",
        "SSIM window of 7 px": "ssim_window=7",
        "misaligned by 1 px": "misalignment_px=1",
        "misaligned by 3 px": "misalignment_px=3",
    }
    return [Variant(title, "improved", changes, seeds) for title, changes in changed.items()]


def study(profile: str) -> list[Variant]:
    """All that is trained."""
    return [*methods(profile), *ablation(profile)]


def keep(results: Path, reference: Path) -> None:
    """Copies what tables and figures need of every run of a profile, and nothing else, to ``reference``.

    What is there of other runs stays, so that an experiment can be made on several machines, part by part. Weights stay
    behind, and of the histories all but :data:`LOSSES` and the fourth digit.
    """
    for _, _, metrics in find_runs(results, "metrics.csv"):
        run = metrics.parent
        kept = [name for name in KEPT if (run / name).exists()]
        for name in kept:
            _copy(demand_whole(run / name), reference / run.name / name)
        if "+" not in run.name:
            kept.append("history.csv")
            history = read_table(run / "history.csv").filter(LOSSES)
            with appearing(reference / run.name / "history.csv") as temporary:
                history.to_csv(temporary, index=False, float_format="%.4g")
        write_provenance(reference / run.name, *(name for name in kept if name != "provenance.json"))
    for path in (baselines(results), *(results / name for name in ("sizing.csv", "sizes.csv", "scenes.csv"))):
        if path.exists():
            _copy(demand_whole(path), reference / path.name)
            write_provenance(reference, path.name)


def baselines(results: Path) -> Path:
    """The scores of the baselines on a profile's own scenes: kept once, or in each run of a method, which all agree.

    Runs with changed scenes have others. The path of what is kept where there is neither.
    """
    kept = Path(results) / "baselines.csv"
    runs = (path for variant, _, path in find_runs(results, "baselines.csv") if variant in METHODS)
    return kept if kept.exists() else next(runs, kept)


def _copy(source: Path, target: Path) -> None:
    with appearing(target) as temporary:
        shutil.copyfile(source, temporary)


def size_unrestored(folders: Folders) -> None:
    """``sizing.csv`` and ``sizes.csv`` of a results folder: the scenes as they are, wet and dry, and each baseline.

    ``scenes.csv`` beside them says how wet each test scene is.
    """
    from orelib.baselines import fit_baselines
    from orelib.dataset import read_scenes
    from orelib.segmentation import load_segmenter
    from orelib.sizing import score_sizing, sizing_folder, true_sizes
    from orelib.tables import write_csv

    segmenter, scenes = load_segmenter(), sizing_folder(folders)
    ways = {name: (restore, "wet") for name, restore in fit_baselines(load_pairs(folders).train).items()}
    del ways["mean_colour"]  # which shows no particle
    ways["dry"] = (np.copy, "dry")
    rows, sizes = [], [true_sizes(scenes).assign(method="truth")]
    for name, (restore, side) in ways.items():
        found, classes = score_sizing(scenes, segmenter, restore, side=side)
        rows.append(found.assign(method=name))
        sizes.append(classes.assign(method=name))
    table = read_scenes(folders.data)
    write_csv(folders.results / "scenes.csv", table[table["split"] == "test"].drop(columns="split"))
    write_csv(folders.results / "sizes.csv", pd.concat(sizes))
    write_csv(folders.results / "sizing.csv", pd.concat(rows))
    write_provenance(folders.results, "scenes.csv", "sizes.csv", "sizing.csv")


def make_segmenter(folders: Folders) -> None:
    """Trains the segmenter that comes with the kit on a profile's scenes, and puts it into its place."""
    from orelib.segmentation import WEIGHTS, save_segmenter, train_segmenter
    from orelib.sizing import choose_level, score_sizing, sizing_folder

    segmenter = choose_level(train_segmenter(folders.data), sizing_folder(folders))
    rows, _ = score_sizing(sizing_folder(folders), segmenter, np.copy, "val", "dry")
    matched, iou = rows["matched"].mean(), rows["iou"].mean()
    print(f"dry validation scenes: {matched:.1%} of the particles found, overlap {iou:.3f}, level {segmenter.level}")
    save_segmenter(segmenter, WEIGHTS, data_checksum=load_pairs(folders).checksum)


STEPS = ("same-images", "scenes", "sizing-scenes", "segmenter", "unrestored", "size", "keep")


def main() -> None:
    from orelib.evaluation import evaluate_sizing
    from orelib.sizing import render_sizing, sizing_folder
    from orelib.training import refuse_other_images

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("profile")
    parser.add_argument("--changes", default="", help="scenes: fields of a data set that differ from the profile's")
    parser.add_argument("--run", type=Path, help="size: the run folder")
    parser.add_argument("--results-dir", default="results")
    parser.add_argument("--data-dir", help="same-images: the folder of pairs")
    arguments = parser.parse_args()
    folders = Folders(arguments.profile, arguments.data_dir or None, arguments.results_dir, arguments.changes)
    if arguments.step == "same-images":
        if folders.embedded:
            demand_same_settings(folders.data, Experiment.from_profile(arguments.profile))
        with suppress(DamagedFileError, FileNotFoundError) if folders.embedded else nullcontext():  # 01 mends scenes
            refuse_other_images(folders, load_pairs(folders))
    elif arguments.step == "scenes":
        render_dataset(folders.data, Experiment.from_profile(arguments.profile, **parse_changes(arguments.changes)))
    elif arguments.step == "sizing-scenes":
        render_sizing(folders)
    elif arguments.step == "segmenter":
        make_segmenter(folders)
    elif arguments.step == "unrestored":
        size_unrestored(folders)
    elif arguments.step == "size":
        evaluate_sizing(arguments.run, sizing_folder(folders))
    else:
        keep(folders.results, folders.results.parent / "reference" / arguments.profile)


if __name__ == "__main__":
    run_command(main)
