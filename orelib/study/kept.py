"""The part of the results that is kept under ``results/reference`` and published."""

from __future__ import annotations

import shutil
from pathlib import Path

from orelib.runs import find_runs
from orelib.utils.files import appearing
from orelib.utils.provenance import NAME, demand_whole, read_provenance, write_provenance
from orelib.utils.tables import read_table

KEPT = ("config.json", "provenance.json", "validation.csv", "metrics.csv", "sizing.csv", "sizes.csv")
LOSSES = ("step", "generator", "discriminator")  # columns of the history that the claims on Fig. 6 and 7 need


def keep(results: Path, reference: Path) -> None:
    """Copies the files of a profile's runs that tables and figures need, and nothing else, to ``reference``.

    Files of other runs stay there, so that an experiment can be made in parts on several machines. Weights are not
    copied, and histories keep only :data:`LOSSES`, to four digits.
    """
    for run in find_runs(results, "metrics.csv"):
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
            by = segmenter_of(results)
            write_provenance(reference, path.name, **({"segmenter": by} if by else {}))


def segmenter_of(folder: Path) -> str | None:
    """The checksum of the segmenter that sized a run or results folder; None where no checksum was kept yet."""
    return read_provenance(folder).get("segmenter") if (Path(folder) / NAME).exists() else None


def baselines(results: Path) -> Path:
    """Finds the baselines' scores on a profile's own scenes: one kept file, or the same scores in each method's run.

    Runs with changed scenes have other scores and are not used. Without any, returns the path of the kept file.
    """
    kept = Path(results) / "baselines.csv"
    unchanged = (run / "baselines.csv" for run in find_runs(results, "baselines.csv") if run.variant == run.method)
    return kept if kept.exists() else next(unchanged, kept)


def _copy(source: Path, target: Path) -> None:
    with appearing(target) as temporary:
        shutil.copyfile(source, temporary)
