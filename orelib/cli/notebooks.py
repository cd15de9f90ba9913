"""The command ``orelib notebooks``."""

from __future__ import annotations

import argparse
from pathlib import Path

from orelib.cli.common import add_command, shown_as_given

TEXT = """\
Copy the notebooks that explain, reproduce and extend the paper to a folder of your own.

DIR is new or empty. The notebooks come with the outputs that they were published with, and keep what they make, data
and results, in DIR. To run them, the extra packages are needed: pip install "orelib[reproduce]".
"""
EXAMPLES = """\
examples:
  orelib notebooks my_notebooks
  cd my_notebooks && jupyter lab
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the command to the parser of ``orelib``."""
    parser = add_command(commands, run, "notebooks", "copy the notebooks to a folder of your own", TEXT, EXAMPLES)
    parser.add_argument("folder", metavar="DIR", type=Path, help="new or empty folder")


def run(chosen: argparse.Namespace) -> int:
    """Copies the notebooks to the folder that the arguments name; returns the exit code."""
    from orelib.utils.notebooks import copy_notebooks

    copied = copy_notebooks(chosen.folder)
    print(f"{len(copied)} notebooks written to {shown_as_given(chosen.folder)}")
    return 0
