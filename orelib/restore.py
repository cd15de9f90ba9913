"""A trained generator on photographs of any size, and the file that carries it.

The file is ``generator.safetensors``: weights, and as metadata the experiment, so that the network can be rebuilt
without unpickling anything.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import orelib
from orelib.config import Experiment, shown
from orelib.files import appearing
from orelib.methods import METHOD_CLASSES
from orelib.mosaic import to_image, to_tensor
from orelib.networks import count_multiply_adds, count_parameters
from orelib.tiles import OVERLAP, TILE, by_tiles


class ModelFileError(ValueError):
    """A model file that cannot be used; the message names it and says why."""


class Restorer:
    """Restores wet photographs with a generator whose sides must be multiples of ``stride``.

    ``about`` is what the model file says of it: experiment, data checksum, step and version.
    """

    def __init__(self, generator: nn.Module, stride: int, about: dict | None = None):
        self.generator, self.stride, self.about = generator, stride, about or {}

    @property
    def parameters(self) -> int:
        """Number of trained parameters of the generator."""
        return count_parameters(self.generator)

    @property
    def multiply_adds(self) -> int:
        """Those of restoring 512 x 512 px, see :func:`~orelib.networks.count_multiply_adds`."""
        return count_multiply_adds(self.generator, self.stride)

    @torch.inference_mode()
    def restore(self, wet: np.ndarray) -> np.ndarray:
        """The dry image of a wet one, uint8 (H, W, 3) both.

        The photograph is restored at its own scale, beyond 512 px a side in overlapping tiles (:mod:`orelib.tiles`);
        mirrored margins fill it up to the stride and are cut off again. Dropout is off, so the same photograph gives
        the same result.
        """
        self.generator.eval()
        height, width = wet.shape[:2]
        margins = (0, -height % self.stride), (0, -width % self.stride), (0, 0)
        padded = to_tensor(np.pad(wet, margins, mode="symmetric"))[None]
        device = next(self.generator.parameters()).device
        tile = max(self.stride, TILE - TILE % self.stride)
        restored = by_tiles(lambda part: self.generator(part.to(device)), padded, tile, min(OVERLAP, tile // 2))
        return to_image(restored[0])[:height, :width]


def save_generator(path: Path, weights: dict[str, Tensor], experiment: Experiment, checksum: str, step: int) -> None:
    """Writes a generator's weights with what is needed to rebuild it and to say where it comes from."""
    about = {
        "version": orelib.__version__,
        "experiment": json.loads(experiment.to_json()),
        "data_checksum": checksum,
        "step": step,
    }
    # One key only: safetensors writes several in an order that changes from file to file.
    metadata = {"orelib": json.dumps(about)}
    with appearing(path) as temporary:
        save_file({name: value.contiguous() for name, value in weights.items()}, temporary, metadata)


def load_restorer(path: Path, device: torch.device | str = "cpu") -> Restorer:
    """The restorer in a ``generator.safetensors``, ready to use on ``device``.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ModelFileError
        When the file is damaged or not one of this kit's.
    """
    about, weights = _read(path)
    experiment = Experiment.from_json(json.dumps(about["experiment"]))
    generator = METHOD_CLASSES[experiment.method].build_generator(experiment)
    generator.load_state_dict(weights)
    return Restorer(generator.to(device), generator.stride, about)


def load_weights(generator: nn.Module, path: Path) -> dict:
    """Gives a generator the weights in a ``generator.safetensors``; returns what the file says of itself.

    Raises FileNotFoundError and ModelFileError as :func:`load_restorer`, and ModelFileError when the file holds another
    network than this one.
    """
    about, weights = _read(path)
    held, wanted = ({name: value.shape for name, value in state.items()} for state in (weights, generator.state_dict()))
    if held != wanted:
        method = about["experiment"]["method"]
        raise ModelFileError(
            f"{shown(path)} holds another network, of method {method!r}: choose method and widths alike"
        )
    generator.load_state_dict(weights)
    return about


def _read(path: Path) -> tuple[dict, dict[str, Tensor]]:
    """What a model file says of itself, and its weights."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{shown(path)} is missing: train it with notebooks/03_training.ipynb first")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a file, not a dict)
    except SafetensorError as error:
        raise ModelFileError(f"{shown(path)} is damaged or no safetensors file ({error})") from error
    if "orelib" not in metadata:
        raise ModelFileError(f"{shown(path)} was not written by this kit: it does not say which network it holds")
    return json.loads(metadata["orelib"]), weights
