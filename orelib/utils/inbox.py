"""Files that arrive in pieces, as from a browser, put into a folder: each appears whole or not at all.

Nothing that lies there is replaced. A file whose bytes are there already is not kept twice.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from orelib.utils.archives import members
from orelib.utils.checksums import file_checksum
from orelib.utils.files import appearing, demand_room, make_folder
from orelib.utils.names import is_left_behind, printable

IN_MEMORY = 16_000_000  # bytes of a file that is on its way; more lie on the disk
LONGEST_NAME = 200  # bytes of each part of a name; file systems allow 255


class Inbox:
    """Puts what arrives into ``folder``, which is made when the first file is complete.

    ``suffixes`` says which files are taken; a ZIP is unpacked. ``flat``: all into the folder itself; otherwise files
    keep their subfolders, and those that come without one go into a subfolder for each :meth:`batch`, so that two
    selections may have the same names. ``remarks`` say what was not taken, and why.
    """

    def __init__(self, folder: Path, suffixes: Sequence[str], flat: bool = False):
        self.folder, self.suffixes, self.flat = Path(folder), tuple(suffixes), flat
        self.remarks: list[str] = []
        self._files: dict[int, tuple[str, IO[bytes]]] = {}
        self._batch = 1

    def batch(self) -> None:
        """Begins a new selection of files."""
        self._batch = 1 + max((int(name) for name in self._subfolders() if name.isdecimal()), default=0)
        self._files, self.remarks = {}, []

    def _subfolders(self) -> list[str]:
        return [entry.name for entry in os.scandir(self.folder) if entry.is_dir()] if self.folder.is_dir() else []

    def add(self, number: int, name: str, piece: bytes, is_last: bool) -> None:
        """Adds the next piece of file ``number`` of the batch; the last piece puts it into the folder.

        ``name`` may hold folders. Raises OSError when there is no room for it.
        """
        if number not in self._files:
            self._files[number] = name, tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed below
        name, spool = self._files[number]
        spool.write(piece)
        if not is_last:
            return
        del self._files[number]
        with spool:
            size = spool.tell()
            spool.seek(0)
            if name.lower().endswith(".zip"):
                self._unpack(name, spool)
            else:
                self._take(name, size, spool)

    def _unpack(self, name: str, archive: IO[bytes]) -> None:
        try:
            for member, size, stream in members(archive):
                self._take(member, size, stream)
        except ValueError as error:
            self.remarks.append(f"{printable(name)} {error}")

    def _take(self, name: str, size: int, stream: IO[bytes]) -> None:
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if any(is_left_behind(part) for part in parts if part not in (".", "..", "/")):
            return
        parts = [_fitting(part) for part in parts if part not in (".", "..", "/")]
        if not parts or not parts[-1].lower().endswith(self.suffixes):
            self.remarks.append(f"{printable(name)} is no photograph that this kit reads, and was left out")
            return
        demand_room(self.folder.absolute(), size, "the photographs", "take fewer")
        make_folder(self.folder)
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as copy:
            checksum = _copied(stream, copy)
            if (same := self._find(copy.tell(), checksum)) is not None:
                self.remarks.append(f"{printable(parts[-1])} is there already, as {printable(str(same))}")
                return
            copy.seek(0)
            self._put(parts, copy)

    def _put(self, parts: list[str], content: IO[bytes]) -> None:
        if self.flat:
            places = [Path(parts[-1])]
        elif len(parts) > 1:
            places = [Path(*parts), Path(str(self._batch), *parts)]
        else:
            places = [Path(str(self._batch), *parts)]
        free = [place for place in places if not os.path.lexists(self.folder / place)]
        if not free:
            name = printable(parts[-1])
            self.remarks.append(f"{name}: another photograph of this name is there already; rename it, or begin anew")
            return
        with appearing(self.folder / free[0], only_new=True) as temporary, open(temporary, "wb") as file:
            shutil.copyfileobj(content, file, 1 << 20)

    def _find(self, size: int, checksum: str) -> Path | None:
        """Returns the name of a file in the folder with these bytes."""
        for place, _, names in os.walk(self.folder):
            for name in names:
                path = Path(place, name)
                if not name.startswith(".") and path.stat().st_size == size and file_checksum(path) == checksum:
                    return path.relative_to(self.folder)
        return None


def _fitting(part: str) -> str:
    """Makes a part of a name fit for a file: without signs that are no text, and not too long."""
    part = "".join(sign if sign.isprintable() and sign not in '/\\:*?"<>|' else "_" for sign in part)
    stem, dot, suffix = part.rpartition(".")
    while len(os.fsencode(part)) > LONGEST_NAME and stem:
        stem = stem[:-1]
        part = f"{stem}{dot}{suffix}"
    return part


def _copied(stream: IO[bytes], copy: IO[bytes]) -> str:
    """Copies a stream; returns the SHA-256 of its bytes."""
    digest = hashlib.sha256()
    while piece := stream.read(1 << 20):
        digest.update(piece)
        copy.write(piece)
    return digest.hexdigest()
