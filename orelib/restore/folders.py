"""Wet photographs in, restored copies out: one photograph, a folder, or a folder with all folders below it.

Originals are never touched, and nothing that exists is overwritten unasked. A copy has its photograph's name, format
and depth (:mod:`orelib.data.photographs`); it appears whole or not at all, so a copy that exists is finished.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from orelib.data.photographs import SUFFIXES, PhotographError, read_image
from orelib.restore.copies import COLUMNS, Copies, Job, Row
from orelib.restore.places import Places
from orelib.utils.names import one_name
from orelib.utils.paths import shown
from orelib.utils.progress import Progress, say
from orelib.utils.shards import Shard

if TYPE_CHECKING:  # only its name is needed, and torch takes seconds to load
    from orelib.restore.any_size import AnySizeRestorer


def restore_folder(
    restorer: AnySizeRestorer,
    photographs: Path,
    out: Path,
    report: Callable[[Row], object] | None = None,
    replace_copies: bool = False,
    recursive: bool = False,
    shard: Shard | None = None,
    resume: bool = False,
) -> pd.DataFrame:
    """Restores every photograph of a folder into another folder, under the same names.

    A file that cannot be restored does not stop the others. Files without the suffix of a photograph are skipped and
    named, and so are subfolders, unless ``recursive``; hidden files, and files that file managers leave behind, are
    ignored. A few photographs are restored at the same time (``restorer.at_once``), large ones by themselves. Several
    processes may write into one folder: the second copy of a photograph fails, and overwrites nothing.

    Parameters
    ----------
    photographs : a folder, or one photograph.
    out : the folder for the copies, made where it is missing; for one photograph also a file, whose suffix then
        names the format.
    report : called with the row of each photograph as soon as it is done.
    replace_copies : overwrite copies that exist already. Otherwise they are left as they are, and their photographs
        count as failed: dry partners of the same names may lie there.
    recursive : restore the photographs in all folders below, too, into folders of the same names. Links to folders are
        skipped and named; ``out`` is not looked into, if it lies there.
    shard : restore only this part of the photographs of a folder. The list is the same on every machine: folder by
        folder, each sorted by name. Shards may run at the same time, with one ``out``, if the folder does not change
        before the last one has listed it. Photographs whose names differ in case or accents alone are in one shard.
    resume : leave out the photographs that have a copy of the same name in ``out``, as after an interruption.

    Returns
    -------
    One row per photograph: file (its path below the folder), status (``restored`` or ``failed``), seconds, width,
    height (missing where it failed), remark (on a photograph unlike the training photographs; else empty), error (empty
    where it did not fail). Photographs that are restored at the same time each count their own seconds.

    Raises
    ------
    FileNotFoundError
        When there is nothing at ``photographs``.
    OSError
        When a folder cannot be listed.
    ValueError
        When there are no photographs, or when ``out`` is their own folder, or a file where a folder is needed; with
        ``recursive``, also when ``out`` holds the folder of the photographs; for a ``shard`` of one photograph.
    """
    photographs, out = Path(photographs), Path(out)
    title = f"restoring {shown(photographs)}"
    if photographs.is_file():
        if shard is not None:
            raise ValueError(f"{shown(photographs)} is one photograph, which has no shards")
        target = _target(photographs, out)
        places, jobs = Places(photographs.parent, target.parent), [Job(photographs, photographs.name, target.name)]
    else:
        places = Places(photographs, out, recursive)
        places.demand()
        jobs, passed_over = places.look()
        places.name(passed_over)
        if not jobs:
            raise ValueError(f"{shown(photographs)} holds no photographs ({', '.join(SUFFIXES)})")
        if shard is not None:
            jobs, among = _of_shard(jobs, shard), len(jobs)
            say(f"shard {shard}: {len(jobs)} of {among} photographs" + (": nothing to do" if not jobs else ""))
            title += f", shard {shard}"
    if resume:
        missing = [job for job in jobs if not os.path.lexists(places.out / job.copy)]
        say(f"{len(jobs) - len(missing)} of {len(jobs)} copies are there already")
        jobs = missing
    places.prepare(jobs)
    copies = Copies(restorer, places.out, {} if replace_copies else places.taken(), replace_copies)
    progress = Progress(len(jobs), title)
    rows = []
    for done in copies.make(jobs):
        rows.append(done.row)
        progress.advance()
        if report is not None:
            report(done.row)
    progress.close()
    return pd.DataFrame(rows, columns=COLUMNS).astype({"width": "Int64", "height": "Int64"})


def _of_shard(jobs: list[Job], shard: Shard) -> list[Job]:
    """Returns the photographs of a shard: every n-th name, where names that a share takes for one count once.

    Photographs of such names then meet in one process, in which the second one never overwrites the first one's copy.
    """
    names = [one_name(job.copy) for job in jobs]
    places: dict[str, int] = {}
    for name in names:
        places.setdefault(name, len(places))
    return [job for job, name in zip(jobs, names, strict=True) if shard.holds(places[name])]


def _target(source: Path, out: Path) -> Path:
    """Returns the path for the copy of one photograph."""
    if source.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{shown(source)}: not an image this kit reads ({', '.join(SUFFIXES)})")
    target = out / source.name if out.is_dir() or out.suffix.lower() not in SUFFIXES else out
    if target.exists() and target.samefile(source):
        raise ValueError(f"{shown(target)} is the original, which is never overwritten: name another file or folder")
    return target


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
