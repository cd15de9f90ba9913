"""The values that settings and parameters of notebooks may take: one table, and one error for every other value.

A bool or a text does not count as a number here. Upper bounds keep a typing error from filling the memory or hanging
the process; they lie far above what anybody trains.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real


class SettingsError(ValueError):
    """An impossible setting: the message names the field and the values it may take."""


@dataclass(frozen=True)
class Allowed:
    """A kind of values: ``says`` completes "<name> must be ...", ``take`` returns a value or raises ValueError."""

    says: str
    take: Callable[[object], object]


def whole(smallest: int, largest: int) -> Allowed:
    """Whole numbers, both ends included. NumPy's numbers become Python's, which JSON can hold."""

    def take(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, Integral) or not smallest <= value <= largest:
            raise ValueError
        return int(value)

    return Allowed(f"a whole number from {smallest:,} to {largest:,}", take)


def number(smallest: float, largest: float, above: bool = False, below: bool = False) -> Allowed:
    """Finite numbers; ``above`` and ``below`` exclude the smallest and the largest number itself."""

    def take(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, Real) or not smallest <= value <= largest:
            raise ValueError  # also for NaN, for which every comparison is false
        if (above and value == smallest) or (below and value == largest):
            raise ValueError
        return float(value)

    start, end = "above" if above else "from", "and below" if below else "and at most" if above else "to"
    return Allowed(f"a number {start} {smallest:g} {end} {largest:,.12g}", take)


def one_of(*values: str) -> Allowed:
    """One of a few words."""

    def take(value: object) -> str:
        if not isinstance(value, str) or value not in values:
            raise ValueError
        return value

    return Allowed(f"one of {', '.join(values)}", take)


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _size(value: object) -> tuple[int, int]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError
    return _SIDE.take(value[0]), _SIDE.take(value[1])


def _path(value: object) -> str | None:
    return None if value is None else path_text(value)


def path_text(value: object) -> str:
    """Returns a path as text. Raises ValueError for another kind of value, and for a text that names no file."""
    if not isinstance(value, str | os.PathLike) or not (text := os.fspath(value)) or not isinstance(text, str):
        raise ValueError
    if not text.strip() or "\0" in text:
        raise ValueError
    return text


# Limits of the renderer and of the checks of pairs: 32 px, and 16,384 px, at which a scene takes several GB.
_SIDE = whole(32, 16_384)
# A split has a million numbers of scenes, see dataset.py. Data sets for sizing have no training pairs.
_PAIRS = whole(0, 1_000_000)
# A layer of 1,024 times 8 channels has a thousand million weights.
_WIDTH = whole(1, 1024)
_COUNT = whole(1, 1_000_000_000)
# A weight above a million would leave nothing of the other terms in 32 bits.
_WEIGHT = number(0, 1e6)
_FILE = Allowed("None or a path as text (in papermill: -r <name> <path>)", _path)

SEED = whole(0, 2**64 - 1)  # PyTorch takes no larger one

# The fields of Experiment, which itself checks fields that depend on one another.
FIELDS: dict[str, Allowed] = {
    "seed": SEED,
    "scene_size": Allowed(f"(height, width), each {_SIDE.says}", _size),
    "px_per_mm": number(0.2, 100),
    "size_mm": number(0.1, 1000),
    "size_modulus": number(0.1, 20),
    "zoom": number(1, 500),
    "misalignment_px": number(0, 4096),
    "wide": number(0, 1),
    "scenes_seed": whole(0, 10**11),  # ten million numbers of scenes each, in 64 bits
    "train_pairs": _PAIRS,
    "val_pairs": _PAIRS,
    "test_pairs": _PAIRS,
    "mosaic_size": whole(32, 8192),
    "mosaic": Allowed("True or False", _yes_or_no),
    "base_width": _WIDTH,
    "unet_depth": whole(2, 13),  # 2 ** 13 px is the largest mosaic_size
    "discriminator_width": _WIDTH,
    "cyclegan_width": _WIDTH,
    "cyclegan_blocks": whole(1, 100),
    "nafnet_width": _WIDTH,
    "slim_width": _WIDTH,
    "lambda_adversarial": _WEIGHT,
    "lambda_l1": _WEIGHT,
    "lambda_mse": _WEIGHT,
    "lambda_ssim": _WEIGHT,
    "ssim_window": whole(3, 8191),
    "lambda_perceptual": _WEIGHT,
    "perceptual_network": one_of("vgg19", "vgg16"),
    "vgg_weights": _FILE,
    "lambda_cycle": _WEIGHT,
    "lambda_identity": _WEIGHT,
    "steps": _COUNT,
    "batch_size": whole(1, 1024),  # of 128 px, a thousand samples take 100 GB in a U-Net of 64
    "learning_rate": number(0, 10, above=True),
    "beta1": number(0, 1, below=True),
    "start_from": _FILE,
    "validate_every": _COUNT,
    "checkpoint_every": _COUNT,
    "device": one_of("auto", "cpu", "cuda"),
    "precision": one_of("auto", "float32", "bfloat16"),
    "threads": whole(1, 1024),  # each takes memory, and a process may have no more than some thousands
    "loader_workers": whole(0, 128),  # processes
}

# Parameters of notebooks that are no fields.
PARAMETERS: dict[str, Allowed] = {
    "seed": SEED,
    "images": whole(1, 1000),
    "scene": whole(0, 999_999),  # the next number would begin another range of scenes
    "largest_shift": number(0, 1000),
    "classical_share": number(0, 1),
    "align": one_of("yes", "no"),
    "restore": one_of("yes", "no"),
    "darker": number(0.1, 1),  # no rock that was measured sends back less when it is wet
    "methods": Allowed("text: names of methods with spaces between", _text),
}


def checked(name: str, value: object) -> object:
    """Returns the value of a field of Experiment, in the field's type. Raises SettingsError."""
    return _demand(name, value, FIELDS[name])


def parameter(name: str, value: object) -> object:
    """Returns the value of a notebook's parameter, one of :data:`PARAMETERS`, in the parameter's type.

    papermill passes a number as a number with ``-p`` and as text with ``-r``; both give the same value. Raises
    SettingsError.
    """
    allowed = PARAMETERS[name]
    if isinstance(value, str):
        try:
            return allowed.take(_number(value))
        except ValueError:
            pass  # the parameter may be a text
    return _demand(name, value, allowed)


def _number(text: str) -> object:
    """A number written as text, as papermill reads it; other text as it is."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _demand(name: str, value: object, allowed: Allowed) -> object:
    try:
        return allowed.take(value)
    except (ValueError, OverflowError):
        raise SettingsError(f"{name}={brief(value)} must be {allowed.says}") from None


def brief(value: object) -> str:
    """A value for a message, cut where it is long."""
    if isinstance(value, int) and value.bit_length() > 128:  # Python refuses to write very long ones
        return f"<a whole number of {value.bit_length():,} bits>"
    return _BRIEF.repr(value)


_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 120
