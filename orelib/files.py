"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Gives a temporary path to write to and renames it to ``path`` at the end.

    A reader, or a run that was killed at any moment, sees the old file or the new one, never a half. The
    temporary file lies in the same folder, because a rename is atomic only within one file system; it is
    removed when the block raises.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Random, since two machines that share a folder may have processes of one number. The suffix stays last, since
    # image writers choose their format by it.
    temporary = path.with_name(f".{path.stem}.{secrets.randbits(32)}{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file in one piece, see :func:`appearing`."""
    with appearing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
