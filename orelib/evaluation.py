"""Scores of a trained run: ``metrics.csv`` and ``baselines.csv`` of its run folder, and on scenes for sizing
``sizing.csv`` and ``sizes.csv``."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pandas as pd

from orelib.baselines import score_baselines
from orelib.config import Experiment
from orelib.files import appearing
from orelib.metrics import mean_interval, score
from orelib.names import FROM_NAMES, csv_cell
from orelib.pairs import Pairs
from orelib.progress import Progress
from orelib.provenance import read_provenance, write_provenance
from orelib.restore import load_restorer
from orelib.segmentation import load_segmenter
from orelib.sizing import score_sizing
from orelib.training import start_torch


def evaluate(run: Path, pairs: Pairs) -> pd.DataFrame:
    """Restores every test image with the run's generator and scores it against its dry partner.

    Writes ``metrics.csv`` (``image`` and the columns of :func:`orelib.metrics.score`), ``baselines.csv`` (the same
    with ``method`` in front) and, into ``provenance.json``, the median seconds an image takes to restore, and the
    generator's parameters and multiply-adds. Returns the metrics. A scored run is not scored again: test data is read
    once, for the table. The baselines, which are the same for all runs on the same images, are taken from another run
    beside this one where there is one.
    """
    run = Path(run)
    metrics, baselines = run / "metrics.csv", run / "baselines.csv"
    if not baselines.exists():
        found = _baselines_beside(run, pairs.checksum)
        write_csv(baselines, score_baselines(pairs.train, pairs.test) if found is None else found)
    if not metrics.exists():
        device = start_torch(Experiment.from_json((run / "config.json").read_text()))
        restorer = load_restorer(run / "generator.safetensors", device)
        rows, seconds = [], []
        progress = Progress(len(pairs.test), "restoring test images")
        for pair in pairs.test:
            wet, dry = pair.load()
            began = time.perf_counter()
            restored = restorer.restore(wet)
            seconds.append(time.perf_counter() - began)
            rows.append({"image": pair.stem} | score(wet, restored, dry))
            progress.advance()
        progress.close()
        write_provenance(
            run, seconds_per_image=round(statistics.median(seconds), 4),
            parameters=restorer.parameters, multiply_adds=restorer.multiply_adds,
        )  # fmt: skip
        write_csv(metrics, pd.DataFrame(rows))  # last, because it says that the run is scored
    return pd.read_csv(metrics, dtype={"image": str})


def _baselines_beside(run: Path, checksum: str) -> pd.DataFrame | None:
    for path in sorted(run.parent.glob("*-seed*/baselines.csv")):
        if read_provenance(path.parent)["data_checksum"] == checksum:
            return pd.read_csv(path, dtype={"image": str})
    return None


def evaluate_sizing(run: Path, scenes: Path) -> None:
    """Sizes the particles in what the run's generator makes of the scenes for sizing, see :mod:`orelib.sizing`.

    Writes ``sizing.csv`` and ``sizes.csv``; a run that has them is left as it is.
    """
    run = Path(run)
    if not (run / "sizing.csv").exists():
        device = start_torch(Experiment.from_json((run / "config.json").read_text()))
        restorer = load_restorer(run / "generator.safetensors", device)
        rows, sizes = score_sizing(scenes, load_segmenter(), restorer.restore)
        write_csv(run / "sizes.csv", sizes)
        write_csv(run / "sizing.csv", rows)  # last, because it says that both are there


def summary(run: Path) -> pd.DataFrame:
    """Mean and 95 % interval of PSNR and SSIM over the test images: a row the run's method and each baseline."""
    run = Path(run)
    scores = dict(iter(pd.read_csv(run / "baselines.csv").groupby("method", sort=False)))
    scores[Experiment.from_json((run / "config.json").read_text()).method] = pd.read_csv(run / "metrics.csv")
    rows = {
        name: [value for metric in ("psnr", "ssim") for value in mean_interval(table[metric])]
        for name, table in scores.items()
    }
    columns = [f"{metric}{bound}" for metric in ("psnr", "ssim") for bound in ("", "_low", "_high")]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(4)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Writes a table in one piece; six significant decimals, so that the bytes do not depend on printing habits.

    What may hold a photograph's name is written so that no spreadsheet takes it for a formula
    (:func:`~orelib.names.csv_cell`).
    """
    for column in FROM_NAMES & set(table.columns):
        table = table.assign(**{column: [csv_cell(cell) if isinstance(cell, str) else cell for cell in table[column]]})
    with appearing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")
