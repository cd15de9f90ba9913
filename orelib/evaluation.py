"""Scores of a trained run: ``metrics.csv`` and ``baselines.csv`` of its run folder."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pandas as pd

from orelib.baselines import BASELINES, score_baselines
from orelib.data.pairs import Pairs
from orelib.metrics import LIMITS, mean_interval, score
from orelib.restore.restorer import load_restorer
from orelib.runs import find_runs, read_experiment
from orelib.training import start_torch
from orelib.utils.checksums import DamagedFileError
from orelib.utils.files import one_at_a_time
from orelib.utils.paths import shown
from orelib.utils.progress import Progress
from orelib.utils.provenance import is_listed, is_whole, read_provenance, write_provenance
from orelib.utils.tables import read_table, write_csv


def evaluate(run: Path, pairs: Pairs) -> pd.DataFrame:
    """Restores every test image with the run's generator and scores it against its dry partner.

    Writes ``metrics.csv`` (``image`` and the columns of :func:`orelib.metrics.score`), ``baselines.csv`` (the same
    columns after ``method``) and, into ``provenance.json``, their checksums, the median seconds an image takes to
    restore, and the generator's parameters and multiply-adds. Returns the metrics. A scored run is not scored again:
    test data is read once, for the table; but tables that are damaged or lack images are made again, with the same
    values. The baselines, which are the same for all runs on the same images, are taken from another run beside this
    one where there is one.
    """
    with one_at_a_time(run):
        return _evaluate(Path(run), pairs)


def _evaluate(run: Path, pairs: Pairs) -> pd.DataFrame:
    metrics, baselines = run / "metrics.csv", run / "baselines.csv"
    if not _is_finished(baselines, pairs):
        found = _baselines_beside(run, pairs)
        write_csv(baselines, score_baselines(pairs.train, pairs.test) if found is None else found)
    if not is_listed(baselines):
        write_provenance(run, "baselines.csv")
    # The cost of an image is written after its scores: without it, the process was killed in between.
    if not _is_finished(metrics, pairs) or "parameters" not in read_provenance(run):
        device = start_torch(read_experiment(run))
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
        write_csv(metrics, pd.DataFrame(rows))
        write_provenance(
            run, "metrics.csv", seconds_per_image=round(statistics.median(seconds), 4),
            parameters=restorer.parameters, multiply_adds=restorer.multiply_adds,
        )  # fmt: skip
    return read_table(metrics)


def _is_finished(table: Path, pairs: Pairs) -> bool:
    """Returns whether a table of scores exists and holds every test image once; prints a line if it does not."""
    if not table.exists():
        return False
    if is_whole(table) and _holds_all(table, pairs):
        return True
    print(f"{shown(table)} is damaged or not finished: its scores are computed again", flush=True)
    return False


def _holds_all(table: Path, pairs: Pairs) -> bool:
    """Returns whether a table has one row per test image, or, for baselines, per baseline and test image."""
    try:
        scores = read_table(table)
        methods = [*scores["method"]] if "method" in scores else [""] * len(scores)
        rows = sorted(zip(methods, scores["image"], strict=True))
    except (DamagedFileError, KeyError):
        return False
    wanted = tuple(BASELINES) if "method" in scores else ("",)
    return rows == sorted((name, pair.stem) for name in wanted for pair in pairs.test)


def _baselines_beside(run: Path, pairs: Pairs) -> pd.DataFrame | None:
    for other in find_runs(run.parent, "baselines.csv"):
        path = other / "baselines.csv"
        try:
            same = read_provenance(other)["data_checksum"] == pairs.checksum
            if same and is_whole(path) and _holds_all(path, pairs):
                return read_table(path)
        except (DamagedFileError, FileNotFoundError, KeyError):
            continue  # the problem is reported where that run is read
    return None


def summary(run: Path) -> pd.DataFrame:
    """Returns mean and 95 % interval of PSNR and SSIM over the test images: rows are the run's method and baselines."""
    run = Path(run)
    scores = dict(iter(read_table(run / "baselines.csv").groupby("method", sort=False)))
    scores[read_experiment(run).method] = read_table(run / "metrics.csv")
    rows = {
        name: [value for metric in ("psnr", "ssim") for value in mean_interval(table[metric], limits=LIMITS[metric])]
        for name, table in scores.items()
    }
    columns = [f"{metric}{bound}" for metric in ("psnr", "ssim") for bound in ("", "_low", "_high")]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(4)
