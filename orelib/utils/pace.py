"""How long work in parts of several kinds will still take: steps, and now and then something longer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

RECENT = 200  # parts of a kind whose mean counts: enough for uneven ones, few enough to follow a busier machine


def parts_left(done: int, total: int, every: int) -> int:
    """Returns how often something is still due that comes every ``every`` steps, and after the last one."""
    return -(-total // every) - done // every if done < total else 0


class Pace:
    """Measures parts of work as they are done, and tells how many seconds the others will take.

    ``left`` is the number of parts still to do, by kind. The first part of a kind is often slow, because something is
    set up in it: it counts only until there is a second one. ``clock`` returns seconds.
    """

    def __init__(self, left: Mapping[str, int], clock: Callable[[], float] = time.monotonic):
        self.left, self._clock = dict(left), clock
        self._expected: dict[str, float] = {}
        self._recent = {kind: deque(maxlen=RECENT) for kind in left}
        self._measured: set[str] = set()
        self._began = clock()

    def lap(self) -> float:
        """Returns the seconds since the last call, or since the last part was done."""
        began, self._began = self._began, self._clock()
        return self._began - began

    def expect(self, kind: str, seconds: float) -> None:
        """Says what a part of a kind is expected to take, as long as none was measured."""
        self._expected[kind] = seconds

    def done(self, kind: str) -> None:
        """Counts a part as done; all time since the last one was its own."""
        seconds = self.lap()
        if kind in self._measured:
            self._recent[kind].append(seconds)
        else:
            self._measured.add(kind)
            self._expected[kind] = seconds
        self.left[kind] -= 1

    def seconds_left(self) -> float:
        """Returns the seconds that all other parts will take; a kind of which nothing is known counts as nothing."""
        return sum(number * self._each(kind) for kind, number in self.left.items())

    def _each(self, kind: str) -> float:
        recent = self._recent[kind]
        return sum(recent) / len(recent) if recent else self._expected.get(kind, 0.0)
