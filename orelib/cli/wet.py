"""The command ``orelib wet``."""

from __future__ import annotations

import argparse
from pathlib import Path

from orelib.cli.common import add_command, shown_as_given

TEXT = """\
Make pairs to train on from photographs of dry rock alone: water is computed on them, with its darkening and glare.

DRY is a folder of at least three photographs of your own rock, dry. OUT is a new folder, in the form that training
takes: the photographs are split into train, val and test. The dry halves are your photographs, in 8 bits; the wet ones
are computed. So scores on OUT/test say how well a restorer takes away this water: measure it on real wet rock, too.
"""
EXAMPLES = """\
examples:
  orelib wet stockpile_photos my_ore
  orelib wet stockpile_photos my_ore --scale 6 --variants 20
  make reproduce DATA_DIR=my_ore RESULTS_DIR=my_results

Of photographs of more than 1024 px a side, every variant is a window. Photographs that show the same place belong into
one split: orelib check OUT finds those that do not, and photographs with neighbouring names mostly are.
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the command to the parser of ``orelib``."""
    parser = add_command(commands, run, "wet", "make pairs to train on from dry photographs", TEXT, EXAMPLES)
    parser.add_argument("photographs", metavar="DRY", type=Path, help="folder of photographs of dry rock")
    parser.add_argument("out", metavar="OUT", type=Path, help="new folder for the pairs")
    parser.add_argument("--variants", metavar="N", type=int, default=8, help="how often to wet each one (default: 8)")
    parser.add_argument(
        "--scale", metavar="PX_PER_MM", type=float, default=2.5,
        help="pixels per mm on the rock, which decide how large drops and puddles are (default: 2.5)",
    )  # fmt: skip
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="another number, other water (default: 0)")


def run(chosen: argparse.Namespace) -> int:
    """Writes the pairs that the arguments ask for; returns the exit code."""
    from orelib.data.wetted import wet_folder

    table = wet_folder(chosen.photographs, chosen.out, chosen.variants, chosen.seed, chosen.scale)
    for split, rows in table.groupby("split", sort=False):
        print(f"{split}: {len(rows)} pairs of {rows['photograph'].nunique()} photograph(s)")
    print(f"written to {shown_as_given(chosen.out)}")
    return 0
