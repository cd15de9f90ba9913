"""Wet photographs in, restored copies out: one file, a folder, or a folder that is watched.

Originals are never touched, and nothing that exists is overwritten unasked. A copy has its photograph's name, format
and depth (:mod:`orelib.data.photographs`); it appears whole or not at all, so a copy that exists is finished.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from orelib.data.photographs import (
    SUFFIXES,
    PhotographError,
    PhotographUnavailable,
    file_state,
    photographs_in,
    read_image,
    read_photograph,
    write_photograph,
)
from orelib.utils.files import make_folder, remove_leftovers
from orelib.utils.names import composed, one_name, printable
from orelib.utils.paths import shown
from orelib.utils.progress import Progress, say

if TYPE_CHECKING:  # only its name is needed, and torch takes seconds to load
    from orelib.restore.restorer import Restorer

# file (its name), status ("restored" or "failed"), seconds, width and height (None: failed), remark (see
# Restorer.remark), error ("": restored)
Row = dict[str, str | float | int | None]
LONGEST_PAUSE = 64  # looks at a watched folder before a photograph that failed for now is tried again


def restore_folder(
    restorer: Restorer,
    photographs: Path,
    out: Path,
    report: Callable[[Row], object] | None = None,
    replace_copies: bool = False,
) -> pd.DataFrame:
    """Restores every photograph of a folder into another folder, under the same names.

    A file that cannot be restored does not stop the others. Subfolders, and files without the suffix of a
    photograph, are skipped and named; hidden files, and files that file managers leave behind, are ignored. Several
    processes may write into one folder: the second copy of a photograph fails, and overwrites nothing.

    Parameters
    ----------
    photographs : a folder, or one photograph.
    out : the folder for the copies, made where it is missing; for one photograph also a file, whose suffix then
        names the format.
    report : called with the row of each photograph as soon as it is done.
    replace_copies : overwrite copies that exist already. Otherwise they are left as they are, and their photographs
        count as failed: dry partners of the same names may lie there.

    Returns
    -------
    One row per photograph: file, status (``restored`` or ``failed``), seconds, width, height (missing where it failed),
    remark (on a photograph unlike the training photographs; else empty), error (empty where it did not fail).

    Raises
    ------
    FileNotFoundError
        When there is nothing at ``photographs``.
    OSError
        When a folder cannot be listed.
    ValueError
        When there are no photographs, or when ``out`` is their own folder, or a file where a folder is needed.
    """
    photographs, out = Path(photographs), Path(out)
    if photographs.is_file():
        targets = {photographs: _target(photographs, out)}
    else:
        _check_folders(photographs, out)
        sources, passed_over = _look(photographs)
        _name(passed_over)
        if not sources:
            raise ValueError(f"{shown(photographs)} holds no photographs ({', '.join(SUFFIXES)})")
        targets = {source: out / source.name for source in sources}
    folder = next(iter(targets.values())).parent
    make_folder(folder)
    remove_leftovers(folder, [target.name for target in targets.values()])
    taken = {} if replace_copies else _names(folder)
    progress = Progress(len(targets), f"restoring {shown(photographs)}")
    rows = []
    for source, target in targets.items():
        rows.append(_restore_file(restorer, source, target, taken, replace_copies)[0])
        progress.advance()
        if report is not None:
            report(rows[-1])
    progress.close()
    return pd.DataFrame(rows).astype({"width": "Int64", "height": "Int64"})


def watch_folder(restorer: Restorer, photographs: Path, out: Path, interval: float = 1.0) -> Iterator[Row]:
    """Restores the photographs in a folder and all that arrive there, each once; yields their rows without end.

    A photograph is restored when its size and time of change have stayed the same for ``interval`` seconds, so one that
    is still being written is waited for. A photograph whose copy exists is done, whoever made the copy: the process may
    be killed at any moment and started again. One whose content cannot be restored is reported once, and tried again
    when it changes. One that fails for a temporary reason, such as a full disk, too little memory or a share that is
    away, is reported once, and tried again after 1, 2, 4 ... up to 64 looks. A folder that cannot be listed is reported
    once, and waited for.

    Raises FileNotFoundError when one of the folders is missing at the beginning, and ValueError when they are the same.
    """
    photographs, out = Path(photographs), Path(out)
    if photographs.is_file():
        raise ValueError(f"{shown(photographs)} is a file: only a folder can be watched")
    _check_folders(photographs, out)
    make_folder(out)
    remove_leftovers(out, [source.name for source in _look(photographs)[0]])
    return _watch(restorer, photographs, out, interval)


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


def _watch(restorer: Restorer, photographs: Path, out: Path, interval: float) -> Iterator[Row]:
    named: set[str] = set()
    away = ""  # why a folder cannot be listed
    failures: dict[str, _Failure] = {}
    earlier: dict[str, tuple] = {}  # the state of each unfinished file when the folder was last looked at
    # The folder is listed again and again, because belts write to network shares, which send no event for a new file.
    while True:
        try:
            (sources, passed_over), taken, problem = _look(photographs), _names(out), ""
        except OSError as error:
            sources, passed_over, taken, problem = [], [], {}, str(error)
        if problem not in ("", away):
            say(f"{problem}; waiting for it")
        away = problem
        _name([name for name in passed_over if name not in named])
        named.update(passed_over)
        now = {source.name: file_state(source) for source in _without_copy(sources, taken)}
        for name, state in now.items():
            failure = failures.get(name)
            if state is None or earlier.get(name) != state or (failure and failure.is_left_alone(state)):
                continue
            row, lasting = _restore_file(restorer, photographs / name, out / name, taken)
            if row["status"] == "restored":
                failures.pop(name, None)
            elif os.path.lexists(out / name) or file_state(photographs / name) is None:
                continue  # another process was faster, or the photograph was removed
            else:
                before = failure if failure and failure.state == state else None
                pause = min(2 * before.pause, LONGEST_PAUSE) if before else 1
                failures[name] = _Failure(state, row["error"], None if lasting else pause)
                if before and before.error == row["error"]:
                    continue  # it was reported before
            yield row
        earlier = earlier if away else now
        time.sleep(interval)


def _without_copy(sources: list[Path], taken: dict[str, set[str]]) -> list[Path]:
    """The photographs that have no copy yet; a copy has its photograph's name, however accents are written."""
    names = {source.name for source in sources}

    def has_copy(name: str) -> bool:
        there = taken.get(one_name(name), set())
        return name in there or any(composed(copy) == composed(name) for copy in there - names)

    return [source for source in sources if not has_copy(source.name)]


def _restore_file(
    restorer: Restorer, source: Path, target: Path, taken: dict[str, set[str]], replace_copies: bool = False
) -> tuple[Row, bool]:
    """Restores one photograph; returns its row, and whether it would fail again unless it changes.

    ``taken`` holds the names in the target's folder; the name of the copy is added.
    """
    row = {"file": source.name, "status": "restored", "seconds": None, "width": None, "height": None}
    row |= {"remark": "", "error": ""}
    lasting = False
    began = time.perf_counter()
    # Names that differ in case or accents alone are taken, too: network shares and Macs hold one file under both.
    there = taken.setdefault(one_name(target.name), set())
    try:
        if there or (not replace_copies and os.path.lexists(target)):
            raise FileExistsError
        state = file_state(source)
        photograph = read_photograph(source)
        remark = restorer.remark(photograph.pixels)
        photograph = replace(photograph, pixels=restorer.restore(photograph.pixels))  # the wet pixels are freed
        if file_state(source) != state:  # or the copy would show its earlier content, and count as done
            raise PhotographUnavailable(f"{shown(source)}: it changed while it was restored; restore it again")
        if not target.parent.is_dir():  # or it would be made again, in the place of a share that is away
            raise FileNotFoundError(f"{shown(target.parent)} is gone")
        left_out = write_photograph(target, photograph, only_new=not replace_copies)
        for note in (*photograph.remarks, *left_out):
            say(f"{shown(source)}: {printable(note)}")
        there.add(target.name)
        row["remark"] = remark
        row["height"], row["width"] = photograph.pixels.shape[:2]
    except FileExistsError:
        copy = target.with_name(min(there, default=target.name))
        cure = "choose another folder, or ask to replace it"
        if replace_copies:  # of another photograph in this run
            cure = f"{shown(source)} differs from another photograph by case or accents alone, so rename one"
        row |= {"status": "failed", "error": f"{shown(copy)} exists already: {cure}"}
    except Exception as error:  # of any kind: the other photographs are restored all the same
        why = str(error) if isinstance(error, PhotographError) else f"{shown(source)}: {_reason(error)}"
        row |= {"status": "failed", "error": why}
        lasting = isinstance(error, ValueError) and not isinstance(error, PhotographUnavailable)
    row["seconds"] = round(time.perf_counter() - began, 3)
    return row, lasting


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):  # without the temporary name, which changes with each try
        return printable(error.strerror or str(error))
    return f"{type(error).__name__}: {error}"


def _check_folders(photographs: Path, out: Path) -> None:
    if not photographs.is_dir():
        raise FileNotFoundError(f"{shown(photographs)} is missing: name a folder of photographs, or one photograph")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{shown(out)} is a file: name a folder for the restored photographs")
    if out.exists() and out.samefile(photographs):
        raise ValueError(f"{shown(out)} holds the originals, which are never overwritten: name another folder")


def _target(source: Path, out: Path) -> Path:
    """Returns the path for the copy of one photograph."""
    if source.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{shown(source)}: not an image this kit reads ({', '.join(SUFFIXES)})")
    target = out / source.name if out.is_dir() or out.suffix.lower() not in SUFFIXES else out
    if target.exists() and target.samefile(source):
        raise ValueError(f"{shown(target)} is the original, which is never overwritten: name another file or folder")
    return target


def _look(folder: Path) -> tuple[list[Path], list[str]]:
    """The photographs of a folder in order of their names, and the names of everything else in it."""
    with _listing(folder):
        photographs, others = photographs_in(folder)
    return photographs, [path.name + "/" * os.path.isdir(path) for path in others]


def _name(passed_over: list[str]) -> None:
    if passed_over:
        say(f"skipped, because they are no photographs: {', '.join(map(printable, passed_over))}")


def _names(folder: Path) -> dict[str, set[str]]:
    """Returns the names in a folder, grouped where a share or a Mac takes names for the same."""
    names: dict[str, set[str]] = {}
    with _listing(folder):
        for name in os.listdir(folder):
            names.setdefault(one_name(name), set()).add(name)
    return names


@contextmanager
def _listing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(f"{shown(folder)} cannot be listed ({error.strerror})") from error


def restored_examples(table: pd.DataFrame, photographs: Path, out: Path, count: int) -> list[tuple]:
    """(name, wet, restored) of the first ``count`` photographs that :func:`restore_folder` restored, in 8 bits.

    Raises PhotographError when it restored none.
    """
    names = table.loc[table["status"] == "restored", "file"].head(count)
    if names.empty:
        demand_all(table)
    return [(name, read_image(photographs / name), read_image(out / name)) for name in names]


def demand_all(table: pd.DataFrame) -> None:
    """Raises PhotographError that lists the photographs that :func:`restore_folder` could not restore, if any."""
    failed = table.loc[table["status"] == "failed", "error"]
    if len(failed):
        listing = "\n".join(f"  - {error}" for error in failed)
        raise PhotographError(f"{len(failed)} of {len(table)} photographs were not restored:\n{listing}")
