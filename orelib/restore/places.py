"""The folder of photographs and the folder of their copies: what lies in them, and which names are taken."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orelib.data.photographs import photographs_below, photographs_in
from orelib.restore.copies import Job
from orelib.utils.files import make_folder, remove_leftovers
from orelib.utils.names import one_name, printable
from orelib.utils.paths import are_same, shown
from orelib.utils.progress import say


@dataclass(frozen=True)
class Places:
    """A folder of photographs and the folder of their copies; ``recursive``: with all folders below them."""

    photographs: Path
    out: Path
    recursive: bool = False

    def demand(self) -> None:
        """Raises FileNotFoundError without photographs, and ValueError where copies would fall among originals."""
        if not self.photographs.is_dir():
            missing = f"{shown(self.photographs)} is missing"
            raise FileNotFoundError(f"{missing}: name a folder of photographs, or one photograph")
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"{shown(self.out)} is a file: name a folder for the restored photographs")
        if self.out.exists() and self.out.samefile(self.photographs):
            raise ValueError(f"{shown(self.out)} holds the originals, which are never overwritten: name another folder")
        if self.recursive and self.out.resolve() in self.photographs.resolve().parents:
            raise ValueError(
                f"{shown(self.out)} holds the folder of the originals, so that copies could fall among them: name "
                "another folder"
            )

    def look(self) -> tuple[list[Job], list[str]]:
        """Lists the photographs, and the names of all else; those of folders end in ``/``. Raises OSError."""
        with _listing(self.photographs):
            if self.recursive:
                photographs, others = photographs_below(self.photographs, leave_out=self.out)
            else:
                photographs, others = photographs_in(self.photographs)
        names = {path: path.relative_to(self.photographs).as_posix() for path in (*photographs, *others)}
        jobs = [Job(path, names[path], names[path]) for path in photographs]
        passed_over = []
        for path in others:  # one look at each, because beside every photograph of a belt may lie a file of the camera
            if not os.path.isdir(path):
                passed_over.append(names[path])
            elif self.recursive or not are_same(path, self.out):
                passed_over.append(names[path] + "/")
        return jobs, passed_over

    def name(self, passed_over: list[str]) -> None:
        """Says which files and folders of :meth:`look` were passed over."""
        folders = [name for name in passed_over if name.endswith("/")]
        files = [name for name in passed_over if not name.endswith("/")]
        kind = "links to folders" if self.recursive else "folders (--recursive restores them, too)"
        for names, what in ((files, "no photographs"), (folders, kind)):
            if names:
                say(f"skipped, because they are {what}: {', '.join(map(printable, names))}")

    def taken(self) -> dict[str, set[str]]:
        """Returns the names in the folder of the copies, grouped where a share or a Mac takes names for the same."""
        names: dict[str, set[str]] = {}
        with _listing(self.out):
            for name in _names_below(self.out) if self.recursive else os.listdir(self.out):
                names.setdefault(one_name(name), set()).add(name)
        return names

    def prepare(self, jobs: Iterable[Job]) -> None:
        """Makes the folder of the copies; removes unfinished copies of these photographs that a kill has left."""
        make_folder(self.out)
        names: dict[str, list[str]] = {}  # of the copies, by folder
        for job in jobs:
            folder, _, name = job.copy.rpartition("/")
            names.setdefault(folder, []).append(name)
        for folder, copies in names.items():
            if (self.out / folder).is_dir():
                remove_leftovers(self.out / folder, copies)


def _names_below(folder: Path) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=refuse):
        below = Path(place).relative_to(folder).as_posix()
        for name in (*folders, *files):
            yield name if below == "." else f"{below}/{name}"


@contextmanager
def _listing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OSError(f"{shown(Path(error.filename or folder))} cannot be listed ({error.strerror})") from error
