"""The command ``orelib restore``."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from orelib.cli.common import FASTEST, add_command, add_model, load_model, shown_as_given
from orelib.utils.names import printable

if TYPE_CHECKING:
    from orelib.restore.any_size import AnySizeRestorer

TEXT = """\
Make photographs of wet ore look dry, and write the results to another place.

IN is a folder of photographs (PNG, JPEG, TIFF, BMP or WebP, 8 or 16 bits), or one photograph. OUT is a folder, or, for
one photograph, a file. With --recursive, photographs in the folders below IN are restored, too, into folders of the
same names in OUT. With --shard, a part of the photographs is restored, so that several machines can share the work.
Every result has the name, size, format and depth of its photograph. Originals are never changed, and files that exist
in OUT are not overwritten without --replace. A photograph that cannot be read does not stop the others.

Use it for wet ore only: ore that is dry already comes out changed, too; a remark counts photographs that show no sign
of water. Photographs unlike the rendered scenes that the restorer was trained on are restored the classical way, and a
remark says so. One photograph cannot tell how much
darker the water has made the rock: the line that names the restorer says what is assumed. Where that is wrong, all
results are too dark or too bright: say --darker, or let orelib calibrate measure it.
"""
EXAMPLES = """\
examples:
  orelib restore belt_photos restored
  orelib restore belt_photos restored --watch
  orelib restore belt_days restored --recursive
  orelib restore belt_017.jpg belt_017_dry.png --model my_results/cpu/nafnet-seed0/generator.safetensors
  orelib restore belt_photos restored --model classical --darker 0.3
  orelib restore belt_photos restored --calibration belt.json
  orelib restore belt_year restored --recursive --shard 3/16

The engines restore the same pixels, to 1 of 255 grey values. Without a GPU, OpenVINO is the fastest on many
photographs: pip install "orelib[openvino]". An ONNX file needs it or ONNX Runtime: pip install "orelib[onnx]".

On a processor with bfloat16, OpenVINO restores photographs of 8 bits in bfloat16, unless --precision float32 is given:
that takes about half the time, and grey values differ by 0.2 of 255 on average, seldom by more than 2.

With --watch, photographs that arrive in IN are restored until you press Ctrl-C. It may be stopped, killed and started
again at any time: results that are in OUT already are not made again. Where photographs arrive faster than they are
restored, a line says now and then how many wait, and for how long.

With --shard K/N, every Nth photograph of the sorted list is restored, from the Kth. The shards 1/N to N/N, all with the
same IN, OUT and options, together restore what one command does. They may run at the same time, on several machines
too. IN must not change before the last one has begun. On different processors, give --precision float32.
"""

MOST_REMARKS = 4  # that are said; the others are counted


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the command to the parser of ``orelib``."""
    parser = add_command(commands, run, "restore", "make photographs of wet ore look dry", TEXT, EXAMPLES)
    parser.add_argument("photographs", metavar="IN", type=Path, help="folder of photographs, or one photograph")
    parser.add_argument("out", metavar="OUT", type=Path, help="where the restored photographs go")
    add_model(parser)
    parser.add_argument(
        "--calibration", metavar="FILE", type=Path,
        help="correct the results by this file, which orelib calibrate wrote; without --model, all photographs are "
        "then restored the classical way",
    )  # fmt: skip
    parser.add_argument(
        "--darker", metavar="R", type=float,
        help="share of the dry rock's light that the wet rock sends back, in linear light, 0.1 to 1: a smaller share "
        "makes all results brighter (default: 0.45, what the restorers assume)",
    )  # fmt: skip
    parser.add_argument(
        "--precision", choices=["float32", "bfloat16"],
        help="in which the engine computes (default: bfloat16 where engine and processor have it)",
    )  # fmt: skip
    parser.add_argument("--recursive", action="store_true", help="restore photographs in the folders below IN, too")
    parser.add_argument("--watch", action="store_true", help="go on with photographs that arrive, until Ctrl-C")
    parser.add_argument(
        "--shard", metavar="K/N",
        help="restore only every Nth photograph, from the Kth, as one of N machines or processes",
    )  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="restore only what has no result in OUT yet")
    parser.add_argument("--replace", action="store_true", help="overwrite results that are in OUT already")
    parser.add_argument("--json", action="store_true", help="print one line of JSON per photograph")


def run(chosen: argparse.Namespace) -> int:
    """Restores what the arguments name; returns the exit code."""
    from orelib.restore.folders import restore_folder
    from orelib.restore.watch import watch_folder
    from orelib.utils.progress import say
    from orelib.utils.shards import Shard

    shard = None if chosen.shard is None else Shard.parse(chosen.shard)
    if chosen.watch and shard is not None:
        raise ValueError("--watch restores all photographs that arrive: leave --shard out")
    if chosen.resume and (chosen.watch or chosen.replace):
        raise ValueError("--resume does not go with --watch, which resumes always, nor with --replace: leave one out")
    if chosen.watch and chosen.replace:
        raise ValueError("--watch restores each photograph once: leave --replace out")
    if chosen.calibration is not None and chosen.darker is not None:
        raise ValueError("a calibration measures how much darker wet rock is: leave --darker out")
    for option, given in (("--recursive", chosen.recursive), ("--shard", shard)):
        if given and chosen.photographs.is_file():
            raise ValueError(f"{shown_as_given(chosen.photographs)} is one photograph: leave {option} out")
    results, counts, remarks = sys.stdout, Counter(), Counter()
    report = _reporter(results, counts, remarks, as_json=chosen.json, every=chosen.watch)
    # With --json, all other messages go to stderr.
    with redirect_stdout(sys.stderr) if chosen.json else nullcontext():
        restorer, engine = load_model(
            chosen, chosen.photographs, calibrated=chosen.calibration is not None, precision=chosen.precision or FASTEST
        )
        _correct(restorer, chosen)
        say(f"{restorer.describe()}{_assumption(restorer)} Engine: {engine}.")
        if chosen.watch:
            rows = watch_folder(restorer, chosen.photographs, chosen.out, recursive=chosen.recursive)
            say(f"watching {shown_as_given(chosen.photographs)}; Ctrl-C ends it")
            try:
                for row in rows:
                    report(row)
            except KeyboardInterrupt:
                pass  # the usual way to end it
        else:
            restore_folder(
                restorer, chosen.photographs, chosen.out, report, chosen.replace, chosen.recursive, shard, chosen.resume
            )
        for remark, count in remarks.most_common(MOST_REMARKS):
            say(f"remark: {count} of {counts['restored']} photographs are {remark}")
        if (others := remarks.total() - sum(count for _, count in remarks.most_common(MOST_REMARKS))) > 0:
            say(f"remark: {others} more remarks; --json names each")
        which = f"shard {shard}: " if shard else ""
        say(f"{which}{counts['restored']} restored, {counts['failed']} failed; see {shown_as_given(chosen.out)}")
    return 1 if counts["unsaid"] or (counts["failed"] and not chosen.watch) else 0


def _correct(restorer: AnySizeRestorer, chosen: argparse.Namespace) -> None:
    from orelib.restore.correction import darker, read_calibration

    if chosen.calibration is not None:
        restorer.correction = read_calibration(chosen.calibration, restorer.fingerprint)
    elif chosen.darker is not None:
        restorer.correction = darker(chosen.darker, restorer.assumed_light)


def _assumption(restorer: AnySizeRestorer) -> str:
    """Says, in a sentence behind a space, what is assumed of the rock; nothing where the output is corrected."""
    if restorer.correction is not None or restorer.assumed_light is None:
        return ""
    share = f"{restorer.assumed_light:g} of the dry rock's light"
    return f" Assumed: wet rock sends back {share} (see --darker, orelib calibrate)."


def _reporter(results: TextIO, counts: Counter, remarks: Counter, as_json: bool, every: bool) -> Callable[[dict], None]:
    """Returns a function that reports a photograph: in JSON all, else failures, and with ``every`` also results."""
    from orelib.restore.any_size import REMARKS
    from orelib.utils.progress import say

    def report(row: dict) -> None:
        counts[row["status"]] += 1
        remarks.update(row["remark"].split(REMARKS) if row["remark"] else [])
        if as_json:
            text = json.dumps(row, allow_nan=False)
        elif row["status"] == "failed":
            text = f"failed: {printable(row['error'])}"
        elif every:
            size = f"{row['width']} x {row['height']} px"
            text = f"restored: {printable(row['file'])}, {size}, {row['seconds']:.1f} s"
        else:
            return
        if not say(text, results):
            counts["unsaid"] += 1

    return report
