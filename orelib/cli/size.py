"""The command ``orelib size``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from orelib.cli.common import add_command, load_model, shown_as_given
from orelib.utils.names import printable
from orelib.utils.process import prepare_for_torch

if TYPE_CHECKING:
    from orelib.sizing.distribution import Distribution
    from orelib.sizing.sized import Sizer

TEXT = """\
Measure the sizes of the particles in photographs of ore: P20, P50, P80 and the passing curve, with 95 % intervals.

PHOTOS is a folder of photographs (PNG, JPEG, TIFF, BMP or WebP), or one photograph. OUT is a new folder. Read
OUT/sizes.html first: it shows the outline of every particle, and says what cannot be concluded. Originals are never
changed. A photograph that cannot be sized does not stop the others.

Sizes in mm need a scale: say how many pixels a mm takes, or lay one or two balls of one size on the rock, in a colour
that the rock has not. The notebook 13_your_sizes measures it on an object that you mark in a photograph.
"""
EXAMPLES = """\
examples:
  orelib size belt_photos sizes --px-per-mm 4.2
  orelib size heap_photos sizes --balls 150 --restore
  orelib size belt_photos sizes --px-per-mm 4.2 --smallest 10
  orelib size scans sizes --px-per-mm file --json
"""
OUT = Path("sizes")


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the command to the parser of ``orelib``."""
    parser = add_command(commands, run, "size", "measure particle sizes in photographs", TEXT, EXAMPLES)
    parser.add_argument("photographs", metavar="PHOTOS", type=Path, help="folder of photographs, or one photograph")
    parser.add_argument("out", metavar="OUT", type=Path, nargs="?", default=OUT, help="new folder (default: sizes)")
    scale = parser.add_mutually_exclusive_group(required=True)
    scale.add_argument(
        "--px-per-mm", metavar="N",
        help="pixels per mm on the rock, the same in all photographs; or the word file: the resolution that each file "
        "states, which only scanners and microscopes mean",
    )  # fmt: skip
    scale.add_argument(
        "--balls", metavar="MM",
        help="diameter of the balls that lie on the rock; two show how the scale changes from near to far",
    )  # fmt: skip
    parser.add_argument(
        "--smallest", metavar="MM",
        help="count particles from this size on, such as the mesh of your finest sieve; photographs of different "
        "scales can then be compared (default: from the smallest on that each photograph shows)",
    )  # fmt: skip
    parser.add_argument(
        "--restore", action="store_true", help="also size what the restorer makes of each photograph of wet ore"
    )
    parser.add_argument(
        "--model", metavar="FILE",
        help="restore with this generator.safetensors or ONNX file, or with the word classical (default: the restorer "
        "that comes with orelib)",
    )  # fmt: skip
    parser.add_argument("--dry", metavar="DIR", type=Path, help="folder of the same places dry, under the same names")
    parser.add_argument("--recursive", action="store_true", help="size the photographs in folders below PHOTOS, too")
    parser.add_argument("--replace", action="store_true", help="replace the OUT of an earlier orelib size")
    parser.add_argument("--json", action="store_true", help="print one line of JSON per photograph and side")


def run(chosen: argparse.Namespace) -> int:
    """Sizes what the arguments name; returns the exit code."""
    from orelib.utils.progress import say

    prepare_for_torch()
    try:
        from orelib.views.size_report import size_folder
    except ModuleNotFoundError as error:  # of the extra reproduce: the message says how to install it
        raise ValueError(str(error)) from error

    results = sys.stdout
    # With --json, all other messages go to stderr.
    with redirect_stdout(sys.stderr) if chosen.json else nullcontext():
        report = size_folder(
            chosen.photographs, chosen.out, _sizer(chosen), chosen.dry, chosen.recursive, chosen.replace,
            _reporter(results, chosen.json),
        )  # fmt: skip
        for side, found in report.together.items():
            say(f"{side}: {_answer(found)}")
        if report.interrupted:
            say(f"interrupted: {report.interrupted} photographs were not reached")
        sized = len({entry.file for entry in report.entries})
        say(f"{sized} sized, {len(report.failed)} failed; see {shown_as_given(chosen.out / 'sizes.html')}")
    return 1 if report.failed or report.interrupted else 0


def _answer(found: Distribution) -> str:
    """The sizes of all photographs together, in a line."""
    from orelib.views.size_figures import in_mm

    sizes = {name: in_mm(each) for name, each in found.percentiles.items() if not each.why_not}
    said = ", ".join(f"{name.upper()} {size} mm" for name, size in sizes.items()) or "no size can be given"
    remark = f" ({found.remark})" if found.remark else ""
    return f"{said}; {found.count} particles counted{remark}"


def _sizer(chosen: argparse.Namespace) -> Sizer:
    from orelib.sizing.scale import chosen_scale
    from orelib.sizing.sized import Sizer, chosen_smallest

    find_scale, smallest_mm = chosen_scale(chosen.px_per_mm, chosen.balls), chosen_smallest(chosen.smallest)
    restorer = None
    if chosen.restore or chosen.model is not None:
        model = Path(chosen.model) if chosen.model is not None else None
        choice = argparse.Namespace(model=model, engine=None, classical=None)
        restorer, _ = load_model(choice, chosen.photographs)
    from orelib.sizing.segmenter import load_segmenter

    return Sizer(load_segmenter(), find_scale, restorer, smallest_mm)


def _reporter(results, as_json: bool) -> Callable[[dict], None]:
    """Returns a function that reports a row: in JSON all, else failures."""
    from orelib.utils.progress import say

    def report(row: dict) -> None:
        if as_json:
            say(json.dumps(row, allow_nan=False), results)
        elif row["status"] == "failed":
            say(f"failed: {printable(row['file'])}: {printable(row['error'])}", results)

    return report
