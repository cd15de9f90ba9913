"""The part of the results that is kept under ``results/reference`` and published."""

from __future__ import annotations

import shutil
from pathlib import Path

from orelib.runs import find_runs
from orelib.utils.files import appearing
from orelib.utils.provenance import demand_whole, write_provenance
from orelib.utils.tables import read_table

KEPT = ("config.json", "provenance.json", "validation.csv", "metrics.csv", "sizing.csv", "sizes.csv")
LOSSES = ("step", "generator", "discriminator")  # of the history, what the claims of Fig. 6 and 7 speak of


def keep(results: Path, reference: Path) -> None:
    """Copies what tables and figures need of every run of a profile, and nothing else, to ``reference``.

    What is there of other runs stays, so that an experiment can be made on several machines, part by part. Weights stay
    behind, and of the histories all but :data:`LOSSES` and the fourth digit.
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
            write_provenance(reference, path.name)


def baselines(results: Path) -> Path:
    """The scores of the baselines on a profile's own scenes: kept once, or in each run of a method, which all agree.

    Runs with changed scenes have others. The path of what is kept where there is neither.
    """
    kept = Path(results) / "baselines.csv"
    unchanged = (run / "baselines.csv" for run in find_runs(results, "baselines.csv") if run.variant == run.method)
    return kept if kept.exists() else next(unchanged, kept)


def _copy(source: Path, target: Path) -> None:
    with appearing(target) as temporary:
        shutil.copyfile(source, temporary)
