"""Work on a long list that several processes share: shard k of n."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from orelib.utils.allowed import SettingsError, brief

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """Every ``count``-th item of a list, from the ``number``-th, which counts from 1; as a text: ``1/8``.

    The shards of a list have the same length, up to one item: some are empty where ``count`` is larger than the list.

    Raises SettingsError unless both are whole numbers with 1 <= ``number`` <= ``count``.
    """

    number: int
    count: int

    def __post_init__(self):
        if type(self.number) is not int or type(self.count) is not int or not 1 <= self.number <= self.count:
            raise _impossible(f"{self.number}/{self.count}")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Reads a text such as ``1/8``. Raises SettingsError for any other text."""
        parts = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        if parts is None:
            raise _impossible(text)
        return cls(int(parts[1]), int(parts[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Returns the items of this shard, in their order."""
        return items[self.number - 1 :: self.count]

    def holds(self, place: int) -> bool:
        """Returns whether the item at ``place``, which counts from 0, belongs to this shard."""
        return place % self.count == self.number - 1


def _impossible(given: str) -> SettingsError:
    return SettingsError(f"shard={brief(given)} must be K/N, whole numbers with 1 <= K <= N, such as 1/8")
