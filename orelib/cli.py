"""The command line: ``orelib restore``, ``orelib export``, ``orelib check`` and ``orelib notebooks``.

Exit codes: 0, all is well; 1, some photographs failed, or the check found problems; 2, wrong usage, or nothing could be
done, with one line on stderr that says why.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from orelib.utils.names import printable
from orelib.utils.process import prepare_for_torch

# Each command imports what it needs, so that --help does not wait for torch.
if TYPE_CHECKING:
    import pandas as pd

RESTORE = """\
Make photographs of wet ore look dry, and write the results to another place.

IN is a folder of photographs (PNG, JPEG, TIFF, BMP or WebP, 8 or 16 bits), or one photograph. OUT is a folder, or, for
one photograph, a file. Every result has the name, size, format and depth of its photograph. Originals are never
changed, and files that exist in OUT are not overwritten without --replace. A photograph that cannot be read does not
stop the others.

Use it for wet ore only: ore that is dry already comes out changed, too.
"""
RESTORE_EXAMPLES = """\
examples:
  orelib restore belt_photos restored
  orelib restore belt_photos restored --watch
  orelib restore belt_017.jpg belt_017_dry.png --model my_results/cpu/nafnet-seed0/generator.safetensors

The engines restore the same pixels, to 1 of 255 grey values. Without a GPU, OpenVINO is the fastest on many
photographs: pip install "orelib[openvino]". An ONNX file needs it or ONNX Runtime: pip install "orelib[onnx]".

With --watch, photographs that arrive in IN are restored until you press Ctrl-C. It may be stopped, killed and started
again at any time: results that are in OUT already are not made again.
"""
EXPORT = """\
Write a trained generator in a format that other programs can run, too.

By default, OUT is MODEL with the ending of the format. The file describes itself as MODEL does, so that orelib restore
takes it as its --model. Input "wet" and output "dry" are float32 of the shape (1, 3, height, width), RGB in [-1, 1].
"""
EXPORT_EXAMPLES = """\
examples:
  orelib export my_results/cpu/nafnet-seed0/generator.safetensors belt.onnx
  orelib restore belt_photos restored --model belt.onnx
"""
CHECK = """\
Check photographs that show the same places wet and dry, before a restorer is trained on them.

DIR holds the folders train and test (and val, if wanted), each with the folders wet and dry; the same file name in both
is the same place. Nothing in DIR is changed.
"""
CHECK_EXAMPLES = """\
examples:
  orelib check my_ore
  orelib check my_ore --align my_ore_aligned
"""
NOTEBOOKS = """\
Copy the notebooks that explain, reproduce and extend the paper to a folder of your own.

DIR is new or empty. The notebooks come with the outputs that they were published with, and keep what they make, data
and results, in DIR. To run them, the extra packages are needed: pip install "orelib[reproduce]".
"""
NOTEBOOKS_EXAMPLES = """\
examples:
  orelib notebooks my_notebooks
  cd my_notebooks && jupyter lab
"""
EXIT_CODES = """
exit codes:
  0  all is well
  1  some photographs failed, or the check found problems
  2  wrong usage, or nothing could be done: the line that begins with "orelib:" says why
"""


SMALL = 2_000_000  # px


class _Parser(argparse.ArgumentParser):
    """A parser that reports wrong usage in one line, like any other error."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"orelib: {printable(message)}; see {self.prog} --help\n")


def main(argv: list[str] | None = None) -> int:
    """Runs the command in ``argv``, by default the arguments of the process; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):  # a letter that the terminal lacks must not end the command
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        chosen = _parser().parse_args(argv)
        return _said(chosen.run(chosen))
    except SystemExit as stop:  # argparse: help, or wrong usage
        return stop.code
    except KeyboardInterrupt:
        return _complain("interrupted; what is finished is kept", 1)
    except (OSError, ValueError) as error:
        return _complain(str(error), 2)
    except Exception as error:
        from orelib.utils.memory import memory_ran_out

        if not memory_ran_out(error):
            raise
        message = str(error) if str(error).startswith("memory ran out") else f"memory ran out: {error}"
        return _complain(message, 2)


def _said(code: int) -> int:
    """Returns the exit code, or 1 if the output cannot be written: the disk of a log is full, or a reader is gone."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):  # AttributeError: there is no stdout
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
        return max(code, 1)
    return code


def _shown(path: Path) -> str:
    """A path as it was given, in one line."""
    return printable(str(path))


def _complain(message: str, code: int) -> int:
    print(f"orelib: {printable(' '.join(message.split()))}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    as_written = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        prog="orelib",
        description="Photographs of wet ore, made to look dry. See also: orelib COMMAND --help",
        epilog="example:\n  orelib restore belt_photos restored\n" + EXIT_CODES,
        formatter_class=as_written,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    restore = commands.add_parser(
        "restore", help="make photographs of wet ore look dry", description=RESTORE,
        epilog=RESTORE_EXAMPLES + EXIT_CODES, formatter_class=as_written,
    )  # fmt: skip
    restore.add_argument("photographs", metavar="IN", type=Path, help="folder of photographs, or one photograph")
    restore.add_argument("out", metavar="OUT", type=Path, help="where the restored photographs go")
    restore.add_argument(
        "--model", metavar="FILE", type=Path,
        help="generator.safetensors of a training of your own, or an ONNX file made of it (default: the restorer that "
        "comes with orelib)",
    )  # fmt: skip
    restore.add_argument(
        "--engine", choices=["openvino", "torch", "onnx"],
        help="the engine that computes (default: openvino where it is installed; but torch on a GPU, and for one small "
        "photograph, which is done before openvino has started)",
    )  # fmt: skip
    restore.add_argument("--watch", action="store_true", help="go on with photographs that arrive, until Ctrl-C")
    restore.add_argument("--replace", action="store_true", help="overwrite results that are in OUT already")
    restore.add_argument("--json", action="store_true", help="print one line of JSON per photograph")
    restore.set_defaults(run=_restore)

    export = commands.add_parser(
        "export", help="write a generator in another format", description=EXPORT,
        epilog=EXPORT_EXAMPLES + EXIT_CODES, formatter_class=as_written,
    )  # fmt: skip
    export.add_argument("model", metavar="MODEL", type=Path, help="generator.safetensors of a training")
    export.add_argument("out", metavar="OUT", type=Path, nargs="?", help="the new file")
    export.add_argument("--format", choices=["onnx"], default="onnx", help="the format (default: onnx)")
    export.set_defaults(run=_export)

    check = commands.add_parser(
        "check", help="check wet and dry photographs before training on them", description=CHECK,
        epilog=CHECK_EXAMPLES + EXIT_CODES, formatter_class=as_written,
    )  # fmt: skip
    check.add_argument("folder", metavar="DIR", type=Path, help="folder that holds train and test")
    check.add_argument(
        "--largest-shift", metavar="PX", type=float,
        help="by how many pixels wet and dry may be shifted against each other (default: 1)",
    )  # fmt: skip
    check.add_argument("--align", metavar="OUT", type=Path, help="write shifted pairs, cut to fit, to this new folder")
    check.add_argument("--json", action="store_true", help="print one JSON document")
    check.set_defaults(run=_check)

    notebooks = commands.add_parser(
        "notebooks", help="copy the notebooks to a folder of your own", description=NOTEBOOKS,
        epilog=NOTEBOOKS_EXAMPLES + EXIT_CODES, formatter_class=as_written,
    )  # fmt: skip
    notebooks.add_argument("folder", metavar="DIR", type=Path, help="new or empty folder")
    notebooks.set_defaults(run=_notebooks)
    return parser


# ---- restore -----------------------------------------------------------------------------------------------------


def _restore(chosen: argparse.Namespace) -> int:
    prepare_for_torch()
    import torch

    from orelib.restore.folders import restore_folder, watch_folder
    from orelib.restore.restorer import load_restorer
    from orelib.utils.progress import say

    if chosen.watch and chosen.replace:
        raise ValueError("--watch restores each photograph once: leave --replace out")
    results, counts = sys.stdout, Counter()
    report = _reporter(results, counts, as_json=chosen.json, every=chosen.watch)
    # With --json, all other messages go to stderr.
    with redirect_stdout(sys.stderr) if chosen.json else nullcontext():
        device = "cuda" if torch.cuda.is_available() else "cpu"
        engine = chosen.engine or _default_engine(chosen.model, chosen.photographs, device)
        restorer = load_restorer(chosen.model, device, engine)
        say(f"{restorer.describe()} Engine: {engine}.")
        if chosen.watch:
            rows = watch_folder(restorer, chosen.photographs, chosen.out)
            say(f"watching {_shown(chosen.photographs)}; Ctrl-C ends it")
            try:
                for row in rows:
                    report(row)
            except KeyboardInterrupt:
                pass  # the usual way to end it
        else:
            restore_folder(restorer, chosen.photographs, chosen.out, report, chosen.replace)
        say(f"{counts['restored']} restored, {counts['failed']} failed; see {_shown(chosen.out)}")
    return 1 if counts["unsaid"] or (counts["failed"] and not chosen.watch) else 0


def _default_engine(model: Path | None, photographs: Path, device: str) -> str:
    """Returns the engine that is expected to finish first."""
    from orelib.restore.engines import fastest_engine

    if model is not None and model.suffix == ".onnx":
        return fastest_engine(takes_onnx=True)
    return "torch" if device == "cuda" or _is_small(photographs) else fastest_engine()


def _is_small(photographs: Path) -> bool:
    """Returns whether this is one photograph, too small for another engine to make up for its slower start."""
    from PIL import Image

    if not photographs.is_file():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(photographs) as image:
                return image.width * image.height < SMALL
    except Exception:  # huge, or for tifffile instead of Pillow, or damaged, which is reported when it is read
        return False


def _reporter(results: TextIO, counts: Counter, as_json: bool, every: bool) -> Callable[[dict], None]:
    """Returns a function that reports a photograph: in JSON all, else failures, and with ``every`` also results."""
    from orelib.utils.progress import say

    def report(row: dict) -> None:
        counts[row["status"]] += 1
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


# ---- export ------------------------------------------------------------------------------------------------------


def _export(chosen: argparse.Namespace) -> int:
    from orelib.restore.restorer import export_onnx

    out = chosen.out or chosen.model.parent / f"{chosen.model.stem}.{chosen.format}"
    export_onnx(chosen.model, out)
    print(f"written to {_shown(out)}")
    return 0


# ---- check -------------------------------------------------------------------------------------------------------


def _check(chosen: argparse.Namespace) -> int:
    from orelib.data.aligned import align_folder
    from orelib.data.alignment import LARGEST_SHIFT
    from orelib.data.check import check_folder
    from orelib.utils.allowed import parameter

    largest_shift = LARGEST_SHIFT if chosen.largest_shift is None else parameter("largest_shift", chosen.largest_shift)
    check = check_folder(chosen.folder, largest_shift)
    if not chosen.json:
        print(_in_lines(check.pairs.drop(columns=["problem", "remark"])))
        for split, stem, remark in check.pairs.query("remark != ''")[["split", "stem", "remark"]].itertuples(False):
            print(printable(f"remark: {split}/{stem}: {remark}"))
        for file, problem in check.problems[["file", "problem"]].itertuples(False):
            print(printable(f"problem: {file}: {problem}"))
        print(f"{len(check.pairs)} pairs, {len(check.problems)} problem(s)")
    document = {"ok": check.ok, "pairs": _records(check.pairs), "problems": _records(check.problems)}
    if chosen.align:
        aligned = align_folder(chosen.folder, chosen.align, largest_shift)
        document["aligned"] = _records(aligned)
        if not chosen.json:
            print(_in_lines(aligned))
            print(f"written to {_shown(chosen.align)}")
    if chosen.json:
        print(json.dumps(document, allow_nan=False))
    return 0 if check.ok else 1


def _in_lines(table: pd.DataFrame) -> str:
    """A table for the terminal, one line per row."""
    return table.assign(stem=table["stem"].map(printable)).to_string(index=False, float_format="%.2f")


def _records(table: pd.DataFrame) -> list[dict]:
    """Returns the rows of a table for JSON, which has no NaN: null stands for it."""
    return json.loads(table.to_json(orient="records"))


# ---- notebooks ---------------------------------------------------------------------------------------------------


def _notebooks(chosen: argparse.Namespace) -> int:
    from orelib.utils.notebooks import copy_notebooks

    copied = copy_notebooks(chosen.folder)
    print(f"{len(copied)} notebooks written to {_shown(chosen.folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
