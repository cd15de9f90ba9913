"""The place of the kit, and how paths are given and shown."""

from __future__ import annotations

import os
from pathlib import Path

from orelib.utils.allowed import SettingsError, brief, path_text
from orelib.utils.names import printable


def kit_root() -> Path:
    """Returns the folder from which relative paths count.

    The nearest folder at or above the current one that holds ``notebooks`` and ``orelib``, so that a notebook gives
    the same result from the kit's root and from ``notebooks/``. Outside a kit, the kit from which this package was
    installed in place; else the current folder.
    """
    package = Path(__file__).resolve().parents[2]
    installed_in_place = (package / "notebooks").is_dir() and (package / "pyproject.toml").is_file()
    return _kit_around(Path.cwd()) or (package if installed_in_place else Path.cwd())


def _kit_around(here: Path) -> Path | None:
    kits = (
        place for place in (here, *here.parents) if all((place / name).is_dir() for name in ("notebooks", "orelib"))
    )
    return next(kits, None)


def kit_path(name: str, folder: str | os.PathLike) -> Path:
    """Returns the path in the parameter ``name``; a relative one counts from :func:`kit_root`, and ~ is the home.

    Raises SettingsError for all but text, such as the number that papermill makes of ``-p data_dir 2024_05_12``.
    """
    try:
        return kit_root() / Path(path_text(folder)).expanduser()
    except ValueError:
        cure = "it needs a path"
        if folder is not None and not isinstance(folder, str):
            cure = f"papermill keeps names text with -r {name} <path>, and turns 007 or 2024_05_12 into numbers with -p"
        raise SettingsError(f"{name}={brief(folder)} names no file or folder: {cure}") from None
    except RuntimeError:
        raise SettingsError(f"{name}={brief(folder)}: there is no such user; ./ before ~ names a folder here") from None


def shown(path: Path) -> str:
    """Returns a path for a reader, in one line: relative to the kit that the reader is in, if it lies there."""
    path = Path(path)
    # The name of a link, not of its target. realpath, because Path.resolve raises an error for a link to itself.
    place = Path(os.path.realpath(path.parent), path.name)
    try:
        return printable(str(place.relative_to(os.path.realpath(_kit_around(Path.cwd()) or Path.cwd()))))
    except ValueError:
        return printable(str(path))


def are_same(path: Path, other: Path) -> bool:
    """Returns whether two paths lead to one file or folder; False where one of them leads nowhere."""
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False
