"""A folder that is watched: each photograph that arrives is restored, and a backlog is told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from orelib.data.photographs import file_state
from orelib.restore.copies import Copies, Job, Row
from orelib.restore.places import Places
from orelib.utils.names import composed, one_name
from orelib.utils.paths import shown
from orelib.utils.progress import clock, say

if TYPE_CHECKING:  # only its name is needed, and torch takes seconds to load
    from orelib.restore.any_size import AnySizeRestorer

LONGEST_PAUSE = 64  # looks at a watched folder before a photograph that failed for now is tried again
BATCH = 10  # seconds of restoring after which the folder is looked at again
LATE, AGAIN = 10, 60  # seconds a photograph waits before a backlog is told, and until it is told again


def watch_folder(
    restorer: AnySizeRestorer, photographs: Path, out: Path, interval: float = 1.0, recursive: bool = False
) -> Iterator[Row]:
    """Restores the photographs in a folder and all that arrive there, each once; yields their rows without end.

    A photograph is restored when its size and time of change have stayed the same for ``interval`` seconds, so one that
    is still being written is waited for. A photograph whose copy exists is done, whoever made the copy: the process may
    be killed at any moment and started again. One whose content cannot be restored is reported once, and tried again
    when it changes. One that fails for a temporary reason, such as a full disk, too little memory or a share that is
    away, is reported once, and tried again after 1, 2, 4 ... up to 64 looks. A folder that cannot be listed is reported
    once, and waited for. Photographs that arrive faster than they are restored are told (:class:`Backlog`).

    ``recursive``, rows and what is restored at the same time: see :func:`~orelib.restore.folders.restore_folder`.

    Raises FileNotFoundError when one of the folders is missing at the beginning, and ValueError when copies would fall
    among originals.
    """
    places = Places(Path(photographs), Path(out), recursive)
    if places.photographs.is_file():
        raise ValueError(f"{shown(photographs)} is a file: only a folder can be watched")
    places.demand()
    places.prepare(places.look()[0])
    return _watch(restorer, places, interval)


@dataclass
class _Failure:
    """A photograph that could not be restored in this state; for ``pause`` looks (None: for good) it is left alone."""

    state: tuple
    error: str
    pause: int | None
    looks: int = 0

    def is_left_alone(self, state: tuple) -> bool:
        """Returns whether the photograph, now in ``state``, is left alone at this look."""
        self.looks += 1
        return state == self.state and (self.pause is None or self.looks <= self.pause)


class Backlog:
    """Tells, in a sentence now and then, how many photographs wait, and since when the first of them has waited.

    It is told when one has waited for 10 s, then when twice as many wait or a minute is over, and when none of them is
    late any more. Times count from the look at which this process first saw a photograph, because the clocks of cameras
    and shares differ. ``now`` returns seconds.
    """

    def __init__(self, now: Callable[[], float]):
        self._now, self._seen = now, {}
        self._told, self._told_at = 0, -AGAIN

    def look(self, waiting: Iterable[str]) -> str:
        """Takes the names of all photographs that wait at this look; returns what is to be told, mostly nothing."""
        now = self._now()
        self._seen = {name: self._seen.get(name, now) for name in waiting}
        count, longest = len(self._seen), now - min(self._seen.values(), default=now)
        if longest < LATE:
            says = f"caught up: no photograph has waited for {LATE} s" if self._told else ""
            self._told = 0
            return says
        if self._told and count < 2 * self._told and now - self._told_at < AGAIN:
            return ""
        self._told, self._told_at = count, now
        wait = f"{count} photographs wait, the first" if count > 1 else "1 photograph waits"
        return f"behind: {wait} for {clock(longest)}"


def _watch(restorer: AnySizeRestorer, places: Places, interval: float) -> Iterator[Row]:
    named: set[str] = set()
    away = ""  # why a folder cannot be listed
    failures: dict[str, _Failure] = {}
    earlier: dict[str, tuple] = {}  # the state of each unfinished file when the folder was last looked at
    backlog = Backlog(time.monotonic)
    # The folder is listed again and again, because belts write to network shares, which send no event for a new file.
    while True:
        try:
            (jobs, passed_over), taken, problem = places.look(), places.taken(), ""
        except OSError as error:
            jobs, passed_over, taken, problem = [], [], {}, str(error)
        if problem not in ("", away):
            say(f"{problem}; waiting for it")
        away = problem
        places.name([name for name in passed_over if name not in named])
        named.update(passed_over)
        unfinished = _without_copy(jobs, taken)
        now, looked = {job.file: file_state(job.source) for job in unfinished}, time.monotonic()
        waiting = [job for job in unfinished if not _is_left_alone(failures.get(job.file), now[job.file])]
        if says := backlog.look(job.file for job in waiting):
            say(says)
        due = [job for job in waiting if now[job.file] is not None and earlier.get(job.file) == now[job.file]]
        soon = takewhile(lambda _, until=looked + BATCH: time.monotonic() < until, due)
        for job, row, lasting in Copies(restorer, places.out, taken).make(soon):
            if row["status"] == "restored":
                failures.pop(job.file, None)
            elif os.path.lexists(places.out / job.copy) or file_state(job.source) is None:
                continue  # another process was faster, or the photograph was removed
            else:
                before = failures.get(job.file)
                before = before if before and before.state == now[job.file] else None
                pause = min(2 * before.pause, LONGEST_PAUSE) if before else 1
                failures[job.file] = _Failure(now[job.file], row["error"], None if lasting else pause)
                if before and before.error == row["error"]:
                    continue  # it was reported before
            yield row
        earlier = earlier if away else now
        time.sleep(max(0.0, interval - (time.monotonic() - looked)))


def _is_left_alone(failure: _Failure | None, state: tuple | None) -> bool:
    return failure is not None and failure.is_left_alone(state)


def _without_copy(jobs: list[Job], taken: dict[str, set[str]]) -> list[Job]:
    """The photographs that have no copy yet; a copy has its photograph's name, however accents are written."""
    names = {job.copy for job in jobs}

    def has_copy(name: str) -> bool:
        there = taken.get(one_name(name), set())
        return name in there or any(composed(copy) == composed(name) for copy in there - names)

    return [job for job in jobs if not has_copy(job.copy)]
