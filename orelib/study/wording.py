"""Sentences about measured differences, with an error when they are no longer true.

A document says "A is 0.87 dB above B" in words that were true when somebody wrote them. Such a sentence takes its
number from a :class:`Finding` and names the direction; results that no longer have this direction raise an error.
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
    """A measured difference, its 95 % interval, and the number of digits to print. ``what`` names it in errors."""

    what: str
    mean: float
    low: float
    high: float
    digits: int = 2

    def above(self) -> str:
        """Returns the difference with its interval. Raises OutdatedSentenceError unless all of it is above 0."""
        return self._demand(self.low > 0, "above 0").text()

    def below(self) -> str:
        """Returns the size of a negative difference with its interval. Raises OutdatedSentenceError unless below 0."""
        return self._demand(self.high < 0, "below 0").negative().text()

    def level(self) -> str:
        """Returns the difference with its interval. Raises OutdatedSentenceError unless 0 lies in the interval."""
        return self._demand(self.low <= 0 <= self.high, "within noise").text()

    def negative(self) -> Finding:
        return Finding(self.what, -self.mean, -self.high, -self.low, self.digits)

    def text(self) -> str:
        mean, low, high = (f"{number:.{self.digits}f}" for number in (self.mean, self.low, self.high))
        return f"{mean} [{low}, {high}]"

    def _demand(self, holds: bool, said: str) -> Finding:
        if not holds:
            raise OutdatedSentenceError(
                f"{self.what} is {self.text()}, but a sentence says that it is {said}: rewrite the sentence in "
                "orelib/study/results_page.py or orelib/study/document.py"
            )
        return self


def short(finding_as_said: str) -> str:
    """Removes the interval from the text of a :class:`Finding`."""
    return finding_as_said.partition(" ")[0]


@dataclass(frozen=True)
class Compared:
    """Differences ``one - other`` in a metric, over trainings and test images of a published experiment, as text.

    Methods and variants have the names of their run folders. Raises OutdatedSentenceError as :class:`Finding` does.
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
    """Makes a finding from a row that holds a mean and an interval, in the columns ``<prefix>``, ``<prefix>_low``..."""
    names = ("mean", "low", "high") if not prefix else (prefix, f"{prefix}_low", f"{prefix}_high")
    return Finding(f"{what} in {metric}", *(row[name] for name in names), digits=DIGITS.get(metric, 2))


def share(values: pd.DataFrame) -> str:
    """The mean of shares over seeds and images, as text in per cent."""
    return f"{100 * values.to_numpy().mean():.0f} %"


def paragraph(text: str, first: str = "", others: str = "") -> str:
    """Wraps a text at :data:`WIDTH` characters; its own line breaks become spaces."""
    return fill(
        " ".join(text.split()), WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip


def bullets(*texts: str) -> str:
    """Formats texts as a Markdown list."""
    return "\n".join(paragraph(text, "- ", "  ") for text in texts)
