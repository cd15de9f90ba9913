"""ZIP files: written of files that are compressed already, and read from strangers."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from orelib.utils.files import appearing, demand_room


def write_zip(path: Path, files: Iterable[Path]) -> Path:
    """Writes files of different names into a ZIP, as they are, in one piece; returns its path. Raises OSError."""
    files = list(files)
    demand_room(Path(path).absolute().parent, sum(file.stat().st_size for file in files), "the ZIP", "take fewer files")
    with appearing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            archive.write(file, file.name)
    return Path(path)


def members(archive: IO[bytes]) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yields the files in a ZIP: name, size in bytes, and an open stream, which ends at that size.

    Raises ValueError for what is no ZIP, is damaged, or has a password.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for about in opened.infolist():
                if about.is_dir():
                    continue
                if about.flag_bits & 1:
                    raise ValueError("has a password: make one without")
                with opened.open(about) as member:
                    yield about.filename, about.file_size, member
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
        raise ValueError(f"cannot be read as a ZIP ({error}): make it again") from error
