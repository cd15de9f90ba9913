"""The tables of the kit, read and written, and their cells for people."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from orelib.utils.checksums import DamagedFileError
from orelib.utils.files import appearing
from orelib.utils.names import FROM_NAMES, csv_cell, one_line, text_of_cell
from orelib.utils.paths import shown
from orelib.utils.provenance import demand_whole

NAMES = (*FROM_NAMES, "method", "split", "trained on")  # columns that hold names, many of which users choose
MISSING = ["", "nan", "inf", "-inf"]  # texts of a missing number in a column of numbers


def read_table(path: Path) -> pd.DataFrame:
    """Reads a CSV file of the kit: names as text, all else as pandas takes it.

    A photograph may be called ``NA``, ``007``, ``1e3`` or ``True``. A number that is missing or infinite is NaN: an
    earlier version of the kit wrote the PSNR of equal images down as ``inf``.

    Raises FileNotFoundError when there is no such file, and DamagedFileError when it is not what was written, or cannot
    be read as a table.
    """
    path = demand_whole(path)
    try:
        header = pd.read_csv(path, nrows=0).columns
        names = [name for name in header if name in NAMES]
        missing = {name: MISSING for name in header if name not in NAMES}
        table = pd.read_csv(path, dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=missing)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        cure = "delete it and make it again"
        raise DamagedFileError(f"{shown(path)} is damaged ({one_line(error)}): {cure}") from error
    for name in names:
        table[name] = table[name].map(text_of_cell)
    return table


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Writes a table in one piece; six significant decimals, so that the bytes do not depend on printing habits.

    A cell that may hold a photograph's name is written so that no spreadsheet takes it for a formula
    (:func:`~orelib.utils.names.csv_cell`).
    """
    for column in FROM_NAMES & set(table.columns):
        table = table.assign(**{column: [csv_cell(cell) if isinstance(cell, str) else cell for cell in table[column]]})
    with appearing(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")


def with_interval(mean: float, low: float, high: float, spec: str) -> str:
    """A mean with its interval as text, ``0.71 [0.62, 0.80]``; a dash stands for NaN.

    ``spec`` formats each number, as in f-strings.
    """
    if pd.isna(mean):
        return "-"
    return f"{mean:{spec}} [-]" if pd.isna(low) else f"{mean:{spec}} [{low:{spec}}, {high:{spec}}]"


def dashed(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a dash in every empty cell; a table without empty cells stays as it is."""
    return table.astype(object).where(table.notna(), "-") if table.isna().any(axis=None) else table
