"""Reading the kit's tables, and writing their cells for people."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from orelib.config import shown

NAMES = ("image", "stem", "method", "split", "trained on")  # columns that hold names, which users choose
MISSING = ["", "nan", "inf", "-inf"]  # what a column of numbers holds where there is none


class TableError(ValueError):
    """A file that is no table; the message names it and says what to do."""


def read_table(path: Path) -> pd.DataFrame:
    """Reads a CSV file of the kit: names as text, all else as pandas takes it.

    A photograph may be called ``NA``, ``007``, ``1e3`` or ``True``. A number that is missing or infinite is NaN: an
    earlier version of the kit wrote the PSNR of equal images down as ``inf``.

    Raises FileNotFoundError when there is no such file, and TableError when it cannot be read as a table.
    """
    try:
        header = pd.read_csv(path, nrows=0).columns
        names = [name for name in header if name in NAMES]
        missing = {name: MISSING for name in header if name not in NAMES}
        return pd.read_csv(path, dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=missing)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        problem = str(error).strip().splitlines()[0]
        raise TableError(f"{shown(path)} is damaged ({problem}): delete it and make it again") from error


def with_interval(mean: float, low: float, high: float, spec: str) -> str:
    """A mean with its interval as text, ``0.71 [0.62, 0.80]``; a dash stands for what is NaN.

    ``spec`` formats each number, as in f-strings.
    """
    if pd.isna(mean):
        return "-"
    return f"{mean:{spec}} [-]" if pd.isna(low) else f"{mean:{spec}} [{low:{spec}}, {high:{spec}}]"


def dashed(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a dash in every empty cell; a table without empty cells as it is."""
    return table.astype(object).where(table.notna(), "-") if table.isna().any(axis=None) else table
