"""Parts that several commands share: the form of a command, the model that it loads, and how paths are shown.

A command imports what it needs when it runs, so that --help does not wait for NumPy or PyTorch.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orelib.utils.names import printable
from orelib.utils.process import prepare_for_torch

if TYPE_CHECKING:
    from orelib.restore.any_size import AnySizeRestorer

EXIT_CODES = """
exit codes:
  0  all is well
  1  some photographs failed, or the check found problems
  2  wrong usage, or nothing could be done: the line that begins with "orelib:" says why
"""
SMALL = 2_000_000  # px
FASTEST = "the fastest"  # precision that the engine has on this processor


def add_command(
    commands: argparse._SubParsersAction, run: Callable, name: str, says: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Adds a command that calls ``run`` with its arguments; returns its parser."""
    parser = commands.add_parser(
        name, help=says, description=description, epilog=examples + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(run=run)
    return parser


def add_model(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that choose a restorer: ``--model`` and ``--engine``."""
    parser.add_argument(
        "--model", metavar="FILE", type=Path,
        help="generator.safetensors of a training of your own, or an ONNX file made of it; or the word classical: "
        "highlights filled, then one fixed law, no network (default: the restorer that comes with orelib)",
    )  # fmt: skip
    parser.add_argument(
        "--engine", choices=["openvino", "torch", "onnx"],
        help="the engine that computes (default: openvino where it is installed; but torch on a GPU, and for one small "
        "photograph, which is done before openvino has started)",
    )  # fmt: skip
    parser.add_argument(
        "--classical", metavar="SHARE", type=float,
        help="mix in the classical restoration, 0 to 1, and use it alone for photographs that the network does not "
        "know: 0.5 helps a network that was trained on few pairs (default: the latter alone, for the restorer that "
        "comes with orelib)",
    )  # fmt: skip


def load_model(
    chosen: argparse.Namespace, photographs: Path, calibrated: bool = False, precision: str = "float32"
) -> tuple[AnySizeRestorer, str]:
    """Loads the restorer that the options of :func:`add_model` name; returns it, and the name of what computes.

    ``photographs``, a folder or a file, decides on the engine where none is named. ``calibrated`` on a user's rock, the
    default is the classical restorer: such rock is unlike the scenes that the kit's network knows. ``precision`` is
    one of :data:`~orelib.restore.engines.PRECISIONS` or :data:`FASTEST`; the classical restorer has none.
    """
    from orelib.restore.any_size import CLASSICAL

    model, engine = chosen.model, chosen.engine
    if calibrated and model is None:
        model = CLASSICAL
    if str(model) == CLASSICAL:
        if chosen.classical is not None:
            raise ValueError("the classical restorer has nothing to be mixed with: leave --classical out")
        if engine is not None:
            raise ValueError("the classical restorer has no network to compute: leave --engine out")
        if precision == "bfloat16":
            raise ValueError("the classical restorer has no network to compute: leave --precision out")
        from orelib.restore.classical import ClassicalRestorer

        return ClassicalRestorer(), "opencv"
    prepare_for_torch()
    from orelib.restore.engines import fastest_precision
    from orelib.restore.restorer import load_restorer
    from orelib.utils.devices import device_for

    device = device_for("auto" if engine in (None, "torch") else "cpu")  # the other engines leave a GPU to others
    engine = engine or _default_engine(model, photographs, device.type)
    precision = fastest_precision(engine) if precision == FASTEST else precision
    restorer = load_restorer(model, device, engine, classical_share=chosen.classical, precision=precision)
    return restorer, engine if precision == "float32" else f"{engine} in {precision}"


def _default_engine(model: Path | None, photographs: Path, device: str) -> str:
    """Returns the engine that is expected to finish first."""
    from orelib.restore.engines import fastest_engine

    if model is not None and model.suffix == ".onnx":
        return fastest_engine(takes_onnx=True)
    return "torch" if device == "cuda" or _is_small(photographs) else fastest_engine()


def _is_small(photographs: Path) -> bool:
    """Returns whether this is one photograph, too small for another engine to make up for its slower start."""
    from orelib.data.photographs import stated_pixels

    return photographs.is_file() and (stated_pixels(photographs) or SMALL) < SMALL


def shown_as_given(path: Path) -> str:
    """A path as it was given, in one line."""
    return printable(str(path))
