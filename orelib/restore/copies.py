"""Restored copies of photographs: several at a time, each whole or not at all, reported in the photographs' order.

While one photograph is decoded or its copy is encoded, both of which take one core, another one is restored.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

from orelib.data.photographs import (
    PhotographError,
    PhotographUnavailable,
    file_state,
    read_photograph,
    stated_pixels,
    write_photograph,
)
from orelib.utils.names import one_name, printable
from orelib.utils.paths import shown
from orelib.utils.progress import say
from orelib.utils.side_by_side import side_by_side

if TYPE_CHECKING:  # only its name is needed
    from orelib.restore.any_size import AnySizeRestorer

# file (its name, below the folder), status ("restored" or "failed"), seconds, width and height (None: failed), remark
# (see AnySizeRestorer.remark), error ("": restored)
Row = dict[str, str | float | int | None]
COLUMNS = ("file", "status", "seconds", "width", "height", "remark", "error")
LARGE = 16_000_000  # px; a photograph with more is restored alone, because it takes much memory


class Job(NamedTuple):
    """A photograph, ``source``; its name in the rows; and that of its copy: a path below the copies' folder."""

    source: Path
    file: str
    copy: str


class Done(NamedTuple):
    """A job that was done: its row, and whether it would fail again unless the photograph changes."""

    job: Job
    row: Row
    lasting: bool


@dataclass
class Copies:
    """Makes copies of photographs in the folder ``out``, which must exist; folders in it are made as needed.

    ``taken`` holds the names in ``out``, by :meth:`~orelib.restore.places.Places.taken`. No copy gets one of them,
    unless ``replace_copies``. Names of new copies are added: two photographs never become one file, also where case
    does not count.
    """

    restorer: AnySizeRestorer
    out: Path
    taken: dict[str, set[str]]
    replace_copies: bool = False

    def make(self, jobs: Iterable[Job]) -> Iterator[Done]:
        """Does all jobs, a few at a time, and yields them in order. A photograph that fails does not stop the others.

        Closed early, it makes no further copy. Interrupted by Ctrl-C, it still yields those that are under way.
        """
        ending, names = Event(), set()

        def alone(job: Job) -> bool:
            name, seen = one_name(job.copy), len(names)
            names.add(name)
            return len(names) == seen or not (stated_pixels(job.source) or LARGE + 1) <= LARGE

        return side_by_side(lambda job: self._make(job, ending), jobs, self.restorer.at_once, alone, ending)

    def _make(self, job: Job, ending: Event) -> Done:
        source, target = job.source, self.out / job.copy
        row = {"file": job.file, "status": "restored", "seconds": None, "width": None, "height": None}
        row |= {"remark": "", "error": ""}
        lasting = False
        began = time.perf_counter()
        # Names that differ in case or accents alone are taken, too: network shares and Macs hold one file under both.
        there = self.taken.setdefault(one_name(job.copy), set())
        try:
            if there or (not self.replace_copies and os.path.lexists(target)):
                raise FileExistsError
            row |= self._restore(source, target, ending)
            there.add(job.copy)
        except FileExistsError:
            cure = "choose another folder, or ask to replace it"
            if self.replace_copies:  # of another photograph in this run
                cure = f"{shown(source)} differs from another photograph by case or accents alone, so rename one"
            copy = self.out / min(there, default=job.copy)
            row |= {"status": "failed", "error": f"{shown(copy)} exists already: {cure}"}
        except Exception as error:  # of any kind: the other photographs are restored all the same
            why = str(error) if isinstance(error, PhotographError) else f"{shown(source)}: {_reason(error)}"
            row |= {"status": "failed", "error": why}
            lasting = isinstance(error, ValueError) and not isinstance(error, PhotographUnavailable)
        row["seconds"] = round(time.perf_counter() - began, 3)
        return Done(job, row, lasting)

    def _restore(self, source: Path, target: Path, ending: Event) -> Row:
        """Restores a photograph into a new file; returns what its row says of it."""
        state = file_state(source)
        photograph = read_photograph(source)
        remark = self.restorer.remark(photograph.pixels)
        photograph = replace(photograph, pixels=self.restorer.restore(photograph.pixels))  # the wet pixels are freed
        if file_state(source) != state:  # or the copy would show its earlier content, and count as done
            raise PhotographUnavailable(f"{shown(source)}: it changed while it was restored; restore it again")
        if not self.out.is_dir():  # or it would be made again, in the place of a share that is away
            raise FileNotFoundError(f"{shown(self.out)} is gone")
        if ending.is_set():  # nobody would be told of the copy, and who goes on later would take it for reported
            raise InterruptedError
        left_out = write_photograph(target, photograph, only_new=not self.replace_copies)
        for note in (*photograph.remarks, *left_out):
            say(f"{shown(source)}: {printable(note)}")
        height, width = photograph.pixels.shape[:2]
        return {"remark": remark, "height": height, "width": width}


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):  # without the temporary name, which changes with each try
        return printable(error.strerror or str(error))
    return f"{type(error).__name__}: {error}"
