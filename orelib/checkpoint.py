"""``checkpoint.pt``: all that a training needs to go on, in one file that is whole or refused.

PyTorch writes a zip archive with a CRC-32 of every tensor, but does not compare them when it reads one.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch

from orelib.checksums import DamagedFileError
from orelib.config import shown
from orelib.files import appearing

CURE = "put back a copy of it, or delete the folder to train anew"


def write_checkpoint(path: Path, state: dict) -> None:
    """Writes tensors, numbers and texts in one piece.

    Raises OSError that names the file where it cannot be written, a full disk for one; an earlier checkpoint stays.
    """
    try:
        with appearing(path) as temporary:
            torch.save(state, temporary)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError over a full disk
        raise OSError(f"{shown(path)} cannot be written ({str(error).splitlines()[0]})") from error


def read_checkpoint(path: Path) -> dict:
    """What :func:`write_checkpoint` wrote, on the processor; nothing in the file is executed.

    Raises DamagedFileError when the file was cut or changed, or comes from an earlier version of the kit.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if bad := archive.testzip():
                raise zipfile.BadZipFile(f"the checksum of {bad} does not fit")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # over damaged files torch and zipfile raise errors of almost any class
        raise DamagedFileError(f"{shown(path)} is damaged ({_first_line(error)}): {CURE}") from error
    if not isinstance(state, dict) or "experiment" not in state:
        cure = "finish this training with that version, or delete the folder to train anew"
        raise DamagedFileError(f"{shown(path)} was written by an earlier version of the kit: {cure}")
    return state


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
