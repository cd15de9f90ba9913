"""What a claim of the paper is, what its evidence is taken from, and how all are weighed.

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
from orelib.study.variants import ablation
from orelib.utils.tables import read_table

Evidence = tuple[str, str]  # what was found, and the verdict


@dataclass(frozen=True)
class Study:
    """Where the runs are, and of which profile."""

    results: Path
    profile: str

    def minus(self, one: str, other: str, metric: str) -> Estimate:
        return difference(scores(self.results, one, metric), scores(self.results, other, metric))

    def named(self, title: str) -> str:
        """The variant of the ablation with this title."""
        return next(variant.name for variant in ablation(self.profile) if variant.title == title)

    def logs(self, name: str, file: str) -> dict[int, pd.DataFrame]:
        """A log of every seed of a method."""
        return {seed: read_table(path) for variant, seed, path in find_runs(self.results, file) if variant == name}


@dataclass(frozen=True)
class Claim:
    where: str
    says: str
    evidence: Callable[[Study], Evidence]


CLAIMS: list[Claim] = []


def claim(where: str, says: str):
    """Puts a function that finds the evidence into :data:`CLAIMS`, in the order of this file."""

    def put(function: Callable[[Study], Evidence]) -> Callable[[Study], Evidence]:
        CLAIMS.append(Claim(where, says, function))
        return function

    return put


def weigh(study: Study) -> pd.DataFrame:
    """A row a claim: number, where, claim, evidence, verdict."""
    rows = []
    for number, said in enumerate(CLAIMS, 1):
        try:
            evidence, judged = said.evidence(study)
        except FileNotFoundError as error:  # of an experiment that is still running
            evidence, judged = str(error), NOT_RUN
        rows.append(
            {"number": number, "where": said.where, "claim": said.says, "evidence": evidence, "verdict": judged}
        )
    return pd.DataFrame(rows)
