"""The command ``orelib calibrate``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from orelib.cli.common import add_command, add_model, load_model, shown_as_given

TEXT = """\
Measure, on photographs of your own rock, how bright and of which colour the results must be, for orelib restore.

One photograph of wet rock does not tell how much darker the water has made it, nor how the camera was exposed. OUT is
a small file (.json) that corrects this, for one restorer. It is measured either on pairs, wet and dry photographs of
the same places, of which one is enough and some are better; or on wet photographs and dry ones of the same ore, taken
anywhere in the same light, which corrects colours, and brightness only where it is far off.
"""
EXAMPLES = """\
examples:
  orelib calibrate belt.json --pairs my_ore/train
  orelib calibrate belt.json --wet belt_photos --dry stockpile.jpg
  orelib restore belt_photos restored --calibration belt.json
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the command to the parser of ``orelib``."""
    says = "measure on your own rock how bright results must be"
    parser = add_command(commands, run, "calibrate", says, TEXT, EXAMPLES)
    parser.add_argument("out", metavar="OUT", type=Path, help="the new file, which ends in .json")
    parser.add_argument(
        "--pairs", metavar="DIR", type=Path, help="folder that holds wet and dry, the same names in both"
    )
    parser.add_argument("--wet", metavar="IN", type=Path, help="folder of wet photographs, or one photograph")
    parser.add_argument("--dry", metavar="IN", type=Path, help="folder of dry photographs, or one photograph")
    add_model(parser)
    parser.add_argument("--replace", action="store_true", help="overwrite OUT")


def run(chosen: argparse.Namespace) -> int:
    """Writes the calibration that the arguments name; returns the exit code."""
    from orelib.restore.calibration import calibrate_on_pairs, calibrate_on_photographs, summary
    from orelib.restore.correction import write_calibration
    from orelib.utils.paths import shown
    from orelib.utils.progress import say

    paired, unpaired = chosen.pairs is not None, (chosen.wet is not None) + (chosen.dry is not None)
    if (paired and unpaired) or (not paired and unpaired != 2):
        raise ValueError("name the photographs with --pairs alone, or with both --wet and --dry")
    if chosen.out.suffix != ".json":
        raise ValueError(f"{shown(chosen.out)} must end in .json")
    if os.path.lexists(chosen.out) and not chosen.replace:  # before the work
        raise FileExistsError(f"{shown(chosen.out)} exists already: name another file, or add --replace")
    restorer, engine = load_model(chosen, chosen.pairs or chosen.wet, calibrated=True)
    say(f"{restorer.describe()} Engine: {engine}.")
    if paired:
        calibration = calibrate_on_pairs(restorer, chosen.pairs)
    else:
        calibration = calibrate_on_photographs(restorer, chosen.wet, chosen.dry)
    write_calibration(chosen.out, calibration)
    say(summary(calibration))
    say(f"written to {shown_as_given(chosen.out)}")
    return 0
