"""The command ``orelib check``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from orelib.cli.common import add_command, shown_as_given
from orelib.utils.names import printable

if TYPE_CHECKING:
    import pandas as pd

TEXT = """\
Check photographs that show the same places wet and dry, before a restorer is trained on them.

DIR holds the folders train and test (and val, if wanted), each with the folders wet and dry; the same file name in both
is the same place. Nothing in DIR is changed. With --recursive, DIR holds such folders instead, at any depth.
"""
EXAMPLES = """\
examples:
  orelib check my_ore
  orelib check my_ore --align my_ore_aligned
  orelib check my_plant --recursive
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the command to the parser of ``orelib``."""
    says = "check wet and dry photographs before training on them"
    parser = add_command(commands, run, "check", says, TEXT, EXAMPLES)
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder that holds train and test")
    parser.add_argument(
        "--largest-shift", metavar="PX", type=float,
        help="by how many pixels wet and dry may be shifted against each other (default: 1)",
    )  # fmt: skip
    parser.add_argument("--align", metavar="OUT", type=Path, help="write shifted pairs, cut to fit, to this new folder")
    parser.add_argument(
        "--recursive", action="store_true", help="check every folder below DIR that holds train or test"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document; with --recursive one a folder")


def run(chosen: argparse.Namespace) -> int:
    """Checks the folder that the arguments name, or all below it; returns the exit code."""
    from orelib.data.pairs import data_folders_below
    from orelib.utils.paths import shown

    if not chosen.recursive:
        return 0 if _check(chosen, chosen.folder) else 1
    if chosen.align:
        raise ValueError("--align writes one folder of pairs: leave --recursive out")
    folders = data_folders_below(chosen.folder)
    if not folders:
        raise ValueError(f"{shown(chosen.folder)} holds no folder with train or test: name another folder")
    well = []
    for folder in folders:
        if not chosen.json:
            print(f"== {shown_as_given(folder)}")
        well.append(_check(chosen, folder))
    if not chosen.json:
        print(f"{len(folders)} folder(s), {well.count(False)} with problems")
    return 0 if all(well) else 1


def _check(chosen: argparse.Namespace, folder: Path) -> bool:
    """Checks one data folder, and aligns it if that is asked for; returns whether there was no problem."""
    from orelib.data.aligned import align_folder
    from orelib.data.alignment import LARGEST_SHIFT
    from orelib.data.check import check_folder
    from orelib.utils.allowed import parameter

    largest_shift = LARGEST_SHIFT if chosen.largest_shift is None else parameter("largest_shift", chosen.largest_shift)
    check = check_folder(folder, largest_shift)
    if not chosen.json:
        print(_in_lines(check.pairs.drop(columns=["problem", "remark"])))
        for split, stem, remark in check.pairs.query("remark != ''")[["split", "stem", "remark"]].itertuples(False):
            print(printable(f"remark: {split}/{stem}: {remark}"))
        for file, problem in check.problems[["file", "problem"]].itertuples(False):
            print(printable(f"problem: {file}: {problem}"))
        print(f"{len(check.pairs)} pairs, {len(check.problems)} problem(s)")
    document = {"folder": shown_as_given(folder)} if chosen.recursive else {}
    document |= {"ok": check.ok, "pairs": _records(check.pairs), "problems": _records(check.problems)}
    if chosen.align:
        aligned = align_folder(folder, chosen.align, largest_shift)
        document["aligned"] = _records(aligned)
        if not chosen.json:
            print(_in_lines(aligned))
            print(f"written to {shown_as_given(chosen.align)}")
    if chosen.json:
        print(json.dumps(document, allow_nan=False))
    return check.ok


def _in_lines(table: pd.DataFrame) -> str:
    """A table for the terminal, one line per row."""
    return table.assign(stem=table["stem"].map(printable)).to_string(index=False, float_format="%.2f")


def _records(table: pd.DataFrame) -> list[dict]:
    """Returns the rows of a table for JSON, which has no NaN: null stands for it."""
    return json.loads(table.to_json(orient="records"))
