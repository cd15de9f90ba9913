"""Files of weights: written with a checksum, and checked before they are read."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from orelib.utils.allowed import brief
from orelib.utils.files import appearing, writing
from orelib.utils.paths import shown

# Of each weight: its shape, and whether its values are floating-point numbers.
Shapes = dict[str, tuple[tuple[int, ...], bool]]


class ModelFileError(ValueError):
    """A model file that cannot be used; the message names it and says why."""


def write(path: Path, weights: Mapping[str, Tensor], about: dict) -> None:
    """Writes a model file. Raises ModelFileError for weights that are no numbers, and OSError, naming the file."""
    demand_finite(path, weights)
    weights = {name: value.contiguous() for name, value in weights.items()}
    # One key only: safetensors writes several in an order that changes from file to file.
    metadata = {"orelib": json.dumps(about | {"sha256": checksum(about, weights)})}
    write_bytes(path, save(weights, metadata))


def write_bytes(path: Path, content: bytes, only_new: bool = False) -> None:
    """Writes a file in one piece. Raises OSError, which names the file and says what to do.

    With ``only_new``, FileExistsError when there is something at ``path``, which is left as it is.
    """
    try:
        with writing(path, "Nothing was changed."), appearing(path, only_new) as temporary:
            temporary.write_bytes(content)
    except FileExistsError:
        raise FileExistsError(f"{shown(path)} exists already: name another file") from None


def checksum(about: dict, weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of a file's description and of the names, kinds, shapes and bytes of its weights."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(weights):
        value = weights[name]
        digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def shapes_of(module: nn.Module) -> Shapes:
    """Returns the shapes of a network's weights, in the form that a file has."""
    return {name: (tuple(value.shape), value.is_floating_point()) for name, value in module.state_dict().items()}


def demand_finite(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Raises ModelFileError for weights that would restore black images: NaN, and infinity."""
    for name, value in weights.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise unusable(path, f"holds weights that are no finite numbers ({brief(name)})")


def demand_file(path: Path, cure: str) -> None:
    """Raises FileNotFoundError, with a cure, for a file that is missing, and ModelFileError for anything but a file.

    Reading a pipe, for one, would wait without end.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{shown(path)} is missing: {cure}") from None
    except OSError as error:
        raise ModelFileError(f"{shown(path)} cannot be read ({error.strerror}): name another file") from error
    if stat.S_ISDIR(mode):
        raise ModelFileError(f"{shown(path)} is a folder: name the generator.safetensors itself")
    if not stat.S_ISREG(mode):
        raise ModelFileError(f"{shown(path)} is a pipe, socket or device: name a file")


def unusable(path: Path, why: str) -> ModelFileError:
    """Returns the error for an unusable file: its name, why, and what to do."""
    return ModelFileError(f"{shown(path)} {why}. Copy it again, train again, or name another file")
