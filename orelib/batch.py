"""Wet photographs in, restored copies out: one file, a folder, or a folder that is watched.

Originals are never touched, and nothing that exists is overwritten unasked. A copy has its photograph's name, format
and depth (:mod:`orelib.photographs`); it appears whole or not at all, so that a copy which is there is finished.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from orelib.config import shown
from orelib.photographs import NOT_PHOTOGRAPHS, SUFFIXES, PhotographError, read_image, read_photograph, write_photograph
from orelib.progress import Progress

if TYPE_CHECKING:  # no more than its name is needed, and torch takes seconds to load
    from orelib.restore import Restorer

# file (its name), status ("restored" or "failed"), seconds, width and height (None: failed), error ("": restored)
Row = dict[str, str | float | int | None]


def restore_folder(
    restorer: Restorer,
    photographs: Path,
    out: Path,
    report: Callable[[Row], object] | None = None,
    replace_copies: bool = False,
) -> pd.DataFrame:
    """Restores every photograph of a folder into another folder, under the same names.

    A file that cannot be restored does not stop the others. Subfolders and files that are no photographs by their
    suffix are passed over and named; hidden files, and what file managers leave behind, are not looked at.

    Parameters
    ----------
    photographs : a folder, or one photograph.
    out : the folder for the copies, made where it is missing; for one photograph also a file, whose suffix then
        names the format.
    report : called with the row of each photograph as soon as it is done.
    replace_copies : write copies that exist already anew. Otherwise they are left as they are, and their photographs
        have failed: dry partners of the same names may lie there.

    Returns
    -------
    A row a photograph: file, status (``restored`` or ``failed``), seconds, width, height (missing where it failed),
    error (empty where it did not).

    Raises
    ------
    FileNotFoundError
        When there is nothing at ``photographs``.
    ValueError
        When there are no photographs, when ``out`` is where they are, or is a file where a folder is needed.
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
    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder, [target.name for target in targets.values()])
    taken = {} if replace_copies else _names(folder)
    progress = Progress(len(targets), f"restoring {shown(photographs)}")
    rows = []
    for source, target in targets.items():
        rows.append(_restore_file(restorer, source, target, taken))
        progress.advance()
        if report is not None:
            report(rows[-1])
    progress.close()
    return pd.DataFrame(rows).astype({"width": "Int64", "height": "Int64"})


def watch_folder(restorer: Restorer, photographs: Path, out: Path, interval: float = 1.0) -> Iterator[Row]:
    """Restores what is in a folder and what arrives there, each photograph once; yields their rows without end.

    A photograph is restored when its size and time of change have stayed the same for ``interval`` seconds, so one that
    is still being written is waited for. One whose copy exists is done, whoever made it: the process may be killed at
    any moment and started again. One that cannot be restored is reported once, and tried again when it changes.

    Raises FileNotFoundError when one of the folders is missing or vanishes, and ValueError when they are the same.
    """
    photographs, out = Path(photographs), Path(out)
    if photographs.is_file():
        raise ValueError(f"{shown(photographs)} is a file: only a folder can be watched")
    _check_folders(photographs, out)
    out.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(out, [source.name for source in _look(photographs)[0]])
    return _watch(restorer, photographs, out, interval)


def _watch(restorer: Restorer, photographs: Path, out: Path, interval: float) -> Iterator[Row]:
    named: set[str] = set()
    failed: dict[str, tuple] = {}  # the state in which a file could not be restored
    earlier: dict[str, tuple] = {}  # the state of each unfinished file when the folder was last looked at
    # Looking again and again, because belts write to network shares, where no event tells of a file that arrives.
    while True:
        sources, passed_over = _look(photographs)
        _name([name for name in passed_over if name not in named])
        named.update(passed_over)
        taken = _names(out)
        now = {}
        for source in sources:
            name = source.name
            if taken.get(name.casefold()) == name or (state := _state(source)) in (None, failed.get(name)):
                continue
            now[name] = state
            if earlier.get(name) == state:
                row = _restore_file(restorer, source, out / name, taken)
                if row["status"] == "failed":
                    failed[name] = state
                yield row
        earlier = now
        time.sleep(interval)


def _restore_file(restorer: Restorer, source: Path, target: Path, taken: dict[str, str]) -> Row:
    """Restores one photograph; its row. ``taken`` are the names in the target's folder, of which it becomes one."""
    row = {"file": source.name, "status": "restored", "seconds": None, "width": None, "height": None, "error": ""}
    began = time.perf_counter()
    try:
        # A name that differs in case alone is taken, too: network shares and Macs hold one file under both.
        if there := taken.get(target.name.casefold()):
            raise PhotographError(
                f"{shown(target.with_name(there))} exists already: choose another folder, or ask to replace it"
            )
        photograph = read_photograph(source)
        for remark in photograph.remarks:
            print(f"{shown(source)}: {remark}", flush=True)
        photograph = replace(photograph, pixels=restorer.restore(photograph.pixels))  # the wet pixels are let go
        write_photograph(target, photograph)
        taken[target.name.casefold()] = target.name
        row["height"], row["width"] = photograph.pixels.shape[:2]
    except PhotographError as error:
        row |= {"status": "failed", "error": str(error)}
    except Exception as error:  # a full disk or too little memory: whatever it is, the others get their turn
        row |= {"status": "failed", "error": f"{shown(source)}: {type(error).__name__}: {error}"}
    row["seconds"] = round(time.perf_counter() - began, 3)
    return row


def _check_folders(photographs: Path, out: Path) -> None:
    if not photographs.is_dir():
        raise FileNotFoundError(f"{shown(photographs)} is missing: name a folder of photographs, or one photograph")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{shown(out)} is a file: name a folder for the restored photographs")
    if out.exists() and out.samefile(photographs):
        raise ValueError(f"{shown(out)} holds the originals, which are never overwritten: name another folder")


def _target(source: Path, out: Path) -> Path:
    """Where the copy of one photograph goes."""
    if source.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{shown(source)}: not an image this kit reads ({', '.join(SUFFIXES)})")
    target = out / source.name if out.is_dir() or out.suffix.lower() not in SUFFIXES else out
    if target.exists() and target.samefile(source):
        raise ValueError(f"{shown(target)} is the original, which is never overwritten: name another file or folder")
    return target


def _look(folder: Path) -> tuple[list[Path], list[str]]:
    """The photographs of a folder in order of their names, and the names of what else is there."""
    sources, passed_over = [], []
    for entry in sorted(_entries(folder), key=lambda entry: entry.name):
        if entry.name[0] == "." or entry.name.lower() in NOT_PHOTOGRAPHS:
            continue
        if entry.is_file() and Path(entry.name).suffix.lower() in SUFFIXES:
            sources.append(folder / entry.name)
        else:
            passed_over.append(entry.name + "/" * entry.is_dir())
    return sources, passed_over


def _name(passed_over: list[str]) -> None:
    if passed_over:
        print(f"passed over, being no photographs: {', '.join(passed_over)}", flush=True)


def _names(folder: Path) -> dict[str, str]:
    """The names in a folder, by themselves without regard to case."""
    return {entry.name.casefold(): entry.name for entry in _entries(folder)}


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"{shown(folder)} is gone: make it available again and start anew") from error


def _state(path: Path) -> tuple[int, int] | None:
    """What changes while a file is written; None when it is gone."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return facts.st_size, facts.st_mtime_ns


def _remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Removes the beginnings of these files that :func:`~orelib.files.appearing` leaves when the process is killed."""
    expected = set(names)
    for entry in _entries(folder):
        parts = re.fullmatch(r"\.(.+)\.\d+(\.\w+)", entry.name)
        if parts and parts[1] + parts[2] in expected:
            (folder / entry.name).unlink(missing_ok=True)


def restored_examples(table: pd.DataFrame, photographs: Path, out: Path, count: int) -> list[tuple]:
    """(name, wet, restored) of the first ``count`` photographs that :func:`restore_folder` restored, in 8 bits.

    Raises PhotographError when it restored none.
    """
    names = table.loc[table["status"] == "restored", "file"].head(count)
    if names.empty:
        demand_all(table)
    return [(name, read_image(photographs / name), read_image(out / name)) for name in names]


def demand_all(table: pd.DataFrame) -> None:
    """Raises PhotographError that lists the photographs which :func:`restore_folder` could not restore, if any."""
    failed = table.loc[table["status"] == "failed", "error"]
    if len(failed):
        listing = "\n".join(f"  - {error}" for error in failed)
        raise PhotographError(f"{len(failed)} of {len(table)} photographs were not restored:\n{listing}")
