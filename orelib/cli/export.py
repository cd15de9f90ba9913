"""The command ``orelib export``."""

from __future__ import annotations

import argparse
from pathlib import Path

from orelib.cli.common import add_command, shown_as_given

TEXT = """\
Write a trained generator in a format that other programs can run, too.

By default, OUT is MODEL with the ending of the format. The file describes itself as MODEL does, so that orelib restore
takes it as its --model. Input "wet" and output "dry" are float32 of the shape (1, 3, height, width), RGB in [-1, 1].
"""
EXAMPLES = """\
examples:
  orelib export my_results/cpu/nafnet-seed0/generator.safetensors belt.onnx
  orelib restore belt_photos restored --model belt.onnx
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Adds the command to the parser of ``orelib``."""
    parser = add_command(commands, run, "export", "write a generator in another format", TEXT, EXAMPLES)
    parser.add_argument("model", metavar="MODEL", type=Path, help="generator.safetensors of a training")
    parser.add_argument("out", metavar="OUT", type=Path, nargs="?", help="the new file")
    parser.add_argument("--format", choices=["onnx"], default="onnx", help="the format (default: onnx)")


def run(chosen: argparse.Namespace) -> int:
    """Writes the file that the arguments name; returns the exit code."""
    from orelib.restore.restorer import export_onnx

    out = chosen.out or chosen.model.parent / f"{chosen.model.stem}.{chosen.format}"
    export_onnx(chosen.model, out)
    print(f"written to {shown_as_given(out)}")
    return 0
