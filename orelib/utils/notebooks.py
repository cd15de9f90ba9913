"""Copies of the kit's notebooks for a reader to work with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from orelib.utils.files import appearing_folder
from orelib.utils.paths import shown


def copy_notebooks(folder: str | os.PathLike) -> list[Path]:
    """Copies the notebooks, outputs included, to a folder that is new or empty; returns their paths there.

    Raises FileExistsError where the folder is not empty, FileNotFoundError where this installation has no notebooks,
    and OSError where the folder cannot be written. Either all notebooks are copied or nothing is.
    """
    folder, notebooks = Path(folder), _notebooks()
    try:
        with appearing_folder(folder) as unfinished:
            for notebook in notebooks:
                shutil.copyfile(notebook, unfinished / notebook.name)
    except OSError as error:
        if error.errno is None:
            raise  # an error of the kit itself, which says what to do
        raise OSError(
            f"{shown(folder)} cannot be written ({error.strerror}): choose another folder or make room on its disk. "
            "Nothing was kept."
        ) from error
    return [folder / notebook.name for notebook in notebooks]


def _notebooks() -> list[Path]:
    """The notebooks inside the installed package, or beside it in a copy of the kit."""
    package = Path(__file__).resolve().parents[1]
    places = [package / "notebooks"]
    if (package.parent / "pyproject.toml").is_file():
        places.append(package.parent / "notebooks")
    for place in places:
        if found := sorted(place.glob("*.ipynb")):
            return found
    raise FileNotFoundError(f"this installation of orelib has no notebooks: {shown(places[0])} is missing")
