"""Checksums in or beside the files of the kit, which show when a file is damaged.

A JSON file holds the SHA-256 of the rest of itself. The checksums of the other files of a folder lie in its
``provenance.json``, see :mod:`orelib.utils.provenance`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from orelib.utils.files import write_text
from orelib.utils.paths import shown

KEY = "checksum"


class DamagedFileError(ValueError):
    """A file that is not what the kit wrote; the message names it and says what to do."""


def file_checksum(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def write_json(path: Path, values: dict, only_new: bool = False) -> None:
    """Writes a JSON object in one piece, with a checksum of itself as its last entry.

    With ``only_new``, raises FileExistsError when ``path`` exists, and leaves it as it is.
    """
    write_text(path, json.dumps(values | {KEY: _checksum(values)}, indent=1) + "\n", only_new)


def read_json(path: Path, cure: str) -> dict:
    """Reads an object that :func:`write_json` wrote; one from an earlier version, without a checksum, is accepted.

    Raises FileNotFoundError when there is no such file, and DamagedFileError, whose message ends with ``cure``, when it
    was cut or changed.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{shown(path)} is missing: {cure}")
    demand_no_folder(path, cure)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it holds no JSON object")
        found = values.pop(KEY, None)
        if found not in (None, _checksum(values)):
            raise ValueError("its checksum does not fit")
    except (ValueError, RecursionError) as error:  # of JSON and of UTF-8 too
        raise DamagedFileError(f"{shown(path)} is damaged ({error}): {cure}") from error
    return values


def demand_no_folder(path: Path, cure: str) -> None:
    """Raises DamagedFileError for a folder at ``path``."""
    if path.is_dir():
        raise DamagedFileError(f"{shown(path)} is a folder where a file belongs: move it away, and {cure}")


def _checksum(values: dict) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
