"""Steps of the published experiment that no notebook runs; the Snakefile calls them."""

from __future__ import annotations

import argparse
from contextlib import nullcontext, suppress
from pathlib import Path

from orelib.config import Experiment, parse_changes
from orelib.data.dataset import demand_same_settings, render_dataset
from orelib.runs import Folders
from orelib.sizing.scenes import render_sizing, sizing_folder
from orelib.utils.checksums import DamagedFileError
from orelib.utils.command import run_command
from orelib.utils.shards import Shard

STEPS = ("same-images", "scenes", "sizing-scenes", "segmenter", "size-without-runs", "size", "keep")
RENDERING = ("scenes", "sizing-scenes")  # without torch, which takes seconds to load and memory in each process


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m orelib.study", description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("profile")
    parser.add_argument("--changes", default="", help="scenes: fields of a data set that differ from the profile's")
    parser.add_argument(
        "--shard", metavar="K/N", help=f"{', '.join(RENDERING)}: render every Nth scene, from the Kth, and no manifest"
    )
    parser.add_argument(
        "--workers", metavar="N", type=_workers,
        help=f"{', '.join(RENDERING)}: processes that render side by side (default: one per core)",
    )  # fmt: skip
    parser.add_argument("--run", type=Path, help="size: the run folder")
    parser.add_argument("--results-dir", default="results")
    parser.add_argument("--data-dir", help="same-images: the folder of pairs")
    arguments = parser.parse_args()
    for option, steps in (("changes", ("scenes",)), ("shard", RENDERING), ("workers", RENDERING)):
        if getattr(arguments, option) and arguments.step not in steps:
            parser.error(f"--{option} is for {' and '.join(steps)}")
    folders = Folders(arguments.profile, arguments.data_dir or None, arguments.results_dir, arguments.changes)
    if arguments.step in RENDERING:
        _render(arguments, folders)
    else:
        _do(arguments, folders)


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _render(arguments: argparse.Namespace, folders: Folders) -> None:
    shard = Shard.parse(arguments.shard) if arguments.shard else None
    if arguments.step == "scenes":
        experiment = Experiment(arguments.profile, **parse_changes(arguments.changes))
        render_dataset(folders.data, experiment, arguments.workers, shard)
    else:
        render_sizing(folders, arguments.workers, shard)


def _do(arguments: argparse.Namespace, folders: Folders) -> None:
    from orelib.data.pairs import load_pairs
    from orelib.sizing.scores import evaluate_sizing, make_segmenter, size_without_runs
    from orelib.study.kept import keep
    from orelib.training import refuse_other_images

    if arguments.step == "same-images":
        if folders.embedded:
            demand_same_settings(folders.data, Experiment(arguments.profile))
        with suppress(DamagedFileError, FileNotFoundError) if folders.embedded else nullcontext():  # 01 repairs them
            refuse_other_images(folders, load_pairs(folders))
    elif arguments.step == "segmenter":
        make_segmenter(folders)
    elif arguments.step == "size-without-runs":
        size_without_runs(folders)
    elif arguments.step == "size":
        evaluate_sizing(arguments.run, sizing_folder(folders))
    else:
        keep(folders.results, folders.results.parent / "reference" / arguments.profile)


if __name__ == "__main__":
    run_command(main)
