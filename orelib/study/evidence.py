"""The form of a claim of the paper, the results that its evidence comes from, and the table of all verdicts.

The claims themselves, and the rule: :mod:`orelib.study.claims`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from orelib.runs import find_runs
from orelib.study.bootstrap import NOT_RUN, Estimate, difference
from orelib.study.effects import scores
from orelib.study.variants import variant_names
from orelib.utils.tables import read_table

Evidence = tuple[str, str]  # the findings as text, and the verdict


@dataclass(frozen=True)
class Results:
    """The folder of the runs, and their profile."""

    folder: Path
    profile: str

    def minus(self, one: str, other: str, metric: str) -> Estimate:
        return difference(scores(self.folder, one, metric), scores(self.folder, other, metric))

    def named(self, key: str) -> str:
        """The name of a variant, by its key."""
        return variant_names(self.profile)[key]

    def logs(self, name: str, file: str) -> dict[int, pd.DataFrame]:
        """Reads a log of every seed of a method."""
        return {run.seed: read_table(run / file) for run in find_runs(self.folder, file, variant=name)}


@dataclass(frozen=True)
class Claim:
    where: str
    says: str
    evidence: Callable[[Results], Evidence]


CLAIMS: list[Claim] = []


def claim(where: str, says: str):
    """Adds the decorated function, which finds the evidence, to :data:`CLAIMS`, in the order of definition."""

    def put(function: Callable[[Results], Evidence]) -> Callable[[Results], Evidence]:
        CLAIMS.append(Claim(where, says, function))
        return function

    return put


def weigh(results: Results) -> pd.DataFrame:
    """Weighs all claims; returns a row per claim: number, where, claim, evidence, verdict."""
    rows = []
    for number, said in enumerate(CLAIMS, 1):
        try:
            evidence, judged = said.evidence(results)
        except FileNotFoundError as error:  # the experiment is still running
            evidence, judged = str(error), NOT_RUN
        rows.append(
            {"number": number, "where": said.where, "claim": said.says, "evidence": evidence, "verdict": judged}
        )
    return pd.DataFrame(rows)
