"""Packages that only some uses need: the extras of pyproject.toml, and how to install them."""

from __future__ import annotations

from importlib.util import find_spec


def how_to_install(extra: str) -> str:
    """Returns the command that installs an extra, such as "reproduce"."""
    return f'pip install "orelib[{extra}]", or in a copy of the kit pip install --editable ".[{extra}]"'


def demand_packages(what: str, extra: str, *packages: str) -> None:
    """Checks that the packages which ``what`` needs can be imported, without importing them.

    Raises ModuleNotFoundError, which names the missing ones and the command that installs the extra they belong to.
    """
    if missing := [package for package in packages if find_spec(package) is None]:
        names = f"{', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed"
        raise ModuleNotFoundError(f"{what} needs {names}: {how_to_install(extra)}", name=missing[0])
