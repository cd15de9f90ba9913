"""Particle sizes after each restoration: ``sizing.csv`` and ``sizes.csv`` in the folders of runs and of results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from orelib.baselines import SHIPPED, fit_baselines
from orelib.data.dataset import read_scenes
from orelib.data.pairs import load_pairs
from orelib.restore.any_size import CLASSICAL
from orelib.restore.restorer import load_restorer
from orelib.runs import Folders, read_experiment
from orelib.sizing.learning import fit_segmenter, train_network
from orelib.sizing.particles import score_sizing, true_sizes
from orelib.sizing.scenes import sizing_folder
from orelib.sizing.segmenter import WEIGHTS, load_segmenter, save_segmenter, segmenter_checksum
from orelib.training import start_torch
from orelib.utils.provenance import NAME, is_listed, is_whole, read_provenance, write_provenance
from orelib.utils.tables import write_csv


def evaluate_sizing(run: Path, scenes: Path) -> None:
    """Sizes the particles in the scenes for sizing after the run's generator has restored them.

    Writes ``sizing.csv`` and ``sizes.csv``; a run that has them, by the same segmenter, is left as it is.
    """
    run, segmenter = Path(run), segmenter_checksum()
    same = (run / NAME).exists() and read_provenance(run).get("segmenter") == segmenter
    if not (same and is_whole(run / "sizing.csv") and is_whole(run / "sizes.csv")):
        device = start_torch(read_experiment(run))
        restorer = load_restorer(run / "generator.safetensors", device)
        rows, sizes = score_sizing(scenes, load_segmenter(), restorer.restore)
        write_csv(run / "sizes.csv", sizes)
        write_csv(run / "sizing.csv", rows)
    if not (same and is_listed(run / "sizing.csv") and is_listed(run / "sizes.csv")):
        write_provenance(run, "sizing.csv", "sizes.csv", segmenter=segmenter)


def size_without_runs(folders: Folders) -> None:
    """Writes ``sizing.csv`` and ``sizes.csv`` of a results folder: what no run of it has restored.

    That is the wet and the dry scenes, and the wet ones after each baseline and each restorer that comes with the kit.

    Writes ``scenes.csv`` beside them, with the wetness of each test scene.
    """
    segmenter, scenes = load_segmenter(), sizing_folder(folders)
    ways = {name: (restore, "wet") for name, restore in fit_baselines(load_pairs(folders).train).items()}
    del ways["mean_colour"]  # one colour shows no particle
    for name in SHIPPED:
        ways[name] = (load_restorer(CLASSICAL if name == CLASSICAL else None).restore, "wet")
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
    write_provenance(folders.results, "scenes.csv", "sizes.csv", "sizing.csv", segmenter=segmenter_checksum())


def make_segmenter(folders: Folders) -> None:
    """Trains the segmenter that comes with the kit on a profile's scenes, and saves it in the package."""
    network = train_network(folders.data)
    segmenter = fit_segmenter(network, folders.data)
    rows, _ = score_sizing(sizing_folder(folders), segmenter, np.copy, "val", "dry")
    matched, iou = rows["matched"].mean(), rows["iou"].mean()
    print(f"dry validation scenes: {matched:.1%} of the particles found, overlap {iou:.3f}")
    save_segmenter(segmenter, WEIGHTS, data_checksum=load_pairs(folders).checksum)
