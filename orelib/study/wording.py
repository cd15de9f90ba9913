"""Sentences about measured differences that cannot outlive them.

A document says "A is 0.87 dB above B" in words that somebody wrote when that was so. Such a sentence takes its number
from a :class:`Finding` and names the direction that it speaks of; results that no longer have it raise an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import pandas as pd

from orelib.study.bootstrap import difference
from orelib.study.effects import scores

DIGITS = {"psnr": 2, "psnr_glare": 2, "ssim": 3, "invented_edges": 3, "sharpness": 3, "glare_removed": 3}
WIDTH = 118


class OutdatedSentenceError(ValueError):
    """Results contradict a sentence of the documents."""


@dataclass(frozen=True)
class Finding:
    """A measured difference, its 95 % interval, and how many digits of them to print. ``what`` names it in errors."""

    what: str
    mean: float
    low: float
    high: float
    digits: int = 2

    def above(self) -> str:
        """How far above 0 it is, with the interval. Raises OutdatedSentenceError unless all of the interval is."""
        return self._demand(self.low > 0, "above 0").text()

    def below(self) -> str:
        """How far below 0 it is, as a positive number with its interval. Raises OutdatedSentenceError as above."""
        return self._demand(self.high < 0, "below 0").negative().text()

    def level(self) -> str:
        """The difference, where 0 lies in its interval. Raises OutdatedSentenceError when it does not."""
        return self._demand(self.low <= 0 <= self.high, "within noise").text()

    def negative(self) -> Finding:
        return Finding(self.what, -self.mean, -self.high, -self.low, self.digits)

    def text(self) -> str:
        mean, low, high = (f"{number:.{self.digits}f}" for number in (self.mean, self.low, self.high))
        return f"{mean} [{low}, {high}]"

    def _demand(self, holds: bool, said: str) -> Finding:
        if not holds:
            raise OutdatedSentenceError(
                f"{self.what} is {self.text()}, and a sentence says that it is {said}: rewrite the sentence, which "
                "stands in orelib/study/results_page.py or orelib/study/document.py"
            )
        return self


def short(finding_as_said: str) -> str:
    """What :class:`Finding` says, without the interval."""
    return finding_as_said.partition(" ")[0]


@dataclass(frozen=True)
class Compared:
    """Differences ``one - other`` in a metric, over trainings and test images of a published experiment, as text.

    Methods and variants are called as in the names of run folders. Raises as :class:`Finding`.
    """

    results: Path

    def above(self, one: str, other: str, metric: str) -> str:
        return self.minus(one, other, metric).above()

    def below(self, one: str, other: str, metric: str) -> str:
        return self.minus(one, other, metric).below()

    def level(self, one: str, other: str, metric: str) -> str:
        return self.minus(one, other, metric).level()

    def minus(self, one: str, other: str, metric: str) -> Finding:
        found = difference(scores(self.results, one, metric), scores(self.results, other, metric))
        return Finding(f"{one} - {other} in {metric}", found.mean, found.low, found.high, DIGITS.get(metric, 2))


def row_finding(what: str, row: pd.Series, metric: str, prefix: str = "") -> Finding:
    """A finding of a table's row that holds a mean and an interval, in the columns ``<prefix>``, ``<prefix>_low``..."""
    names = ("mean", "low", "high") if not prefix else (prefix, f"{prefix}_low", f"{prefix}_high")
    return Finding(f"{what} in {metric}", *(row[name] for name in names), digits=DIGITS.get(metric, 2))


def share(values: pd.DataFrame) -> str:
    """The mean of shares, of seeds and images, as per cent."""
    return f"{100 * values.to_numpy().mean():.0f} %"


def paragraph(text: str, first: str = "", others: str = "") -> str:
    """A text on lines of :data:`WIDTH` characters; line breaks in it are spaces."""
    return fill(
        " ".join(text.split()), WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip


def bullets(*texts: str) -> str:
    """A list in Markdown."""
    return "\n".join(paragraph(text, "- ", "  ") for text in texts)
