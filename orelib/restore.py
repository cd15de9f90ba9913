"""A trained generator on photographs of any size, and the file that carries it.

The file is ``generator.safetensors``: weights, and as metadata the experiment, so that the network can be rebuilt
without unpickling anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable
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
from orelib.networks import count_multiply_adds, count_parameters
from orelib.tiles import OVERLAP, TILE, by_tiles

DEFAULT_RESTORER = Path(__file__).parent / "default_restorer" / "generator.safetensors"


class ModelFileError(ValueError):
    """A model file that cannot be used; the message names it and says why."""


class Restorer:
    """Restores wet photographs with a generator whose sides must be multiples of ``stride``.

    ``about`` is what the model file says of it: experiment, data checksum, step, version, and the scale of the rendered
    scenes that it was trained on, smallest and largest, in px per mm (None: it was trained on photographs).
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

    def describe(self) -> str:
        """What the model file says of the generator, in one or two sentences."""
        if not self.about:
            return "A generator without a model file."
        experiment, step, scale = self.about["experiment"], self.about["step"], self.about.get("px_per_mm")
        # A file that is older than the field does not say which of the two it was.
        seen = "photographs of unknown scale" if "px_per_mm" in self.about else "images of unknown scale"
        if scale:
            seen = "rendered scenes of " + " to ".join(f"{edge:g}" for edge in dict.fromkeys(scale)) + " px per mm"
        return (
            f"Method {experiment['method']}, step {step:,} of {experiment['steps']:,}, trained on {seen}. "
            f"Checksum of the training data: {self.about['data_checksum'][:12]}."
        )

    @torch.inference_mode()
    def restore(self, wet: np.ndarray, progress: Callable[[int, int], object] | None = None) -> np.ndarray:
        """The dry image of a wet one.

        The photograph is restored at its own scale, beyond 512 px a side in overlapping tiles (:mod:`orelib.tiles`);
        mirrored margins fill it up to the stride and are cut off again. Dropout is off, so the same photograph gives
        the same result. Each tile becomes floating-point by itself, so 16 bits stay 16 bits, and memory small.

        Parameters
        ----------
        wet : uint8 or uint16, RGB (H, W, 3) or grey (H, W), of any size.
        progress : called with the number of finished tiles and that of all of them after each tile.

        Returns
        -------
        RGB (H, W, 3), of the dtype of ``wet``.

        Raises
        ------
        ValueError
            For an array that is no such photograph.
        """
        if wet.dtype not in (np.uint8, np.uint16) or not (wet.ndim == 2 or wet.shape[2:] == (3,)) or wet.size == 0:
            raise ValueError(
                "a photograph is uint8 or uint16 of shape (height, width, 3) or (height, width), not "
                f"{wet.dtype} of shape {wet.shape}"
            )
        if wet.ndim == 2:
            wet = np.repeat(wet[..., None], 3, axis=2)
        self.generator.eval()
        height, width = wet.shape[:2]
        margins = (0, -height % self.stride), (0, -width % self.stride), (0, 0)
        padded = np.pad(wet, margins, mode="symmetric")
        tile = max(self.stride, TILE - TILE % self.stride)
        restored = by_tiles(self._restore_tile, padded, tile, min(OVERLAP, tile // 2), progress)
        return np.ascontiguousarray(restored[:height, :width])

    def _restore_tile(self, tile: np.ndarray) -> np.ndarray:
        """One tile through the generator, to floats in the range of its dtype."""
        half = np.iinfo(tile.dtype).max / 2
        device = next(self.generator.parameters()).device
        wet = torch.from_numpy(tile.astype(np.float32)).permute(2, 0, 1)[None].to(device)
        dry = self.generator(wet.div_(half).sub_(1))[0].float()
        return dry.add(1).mul(half).permute(1, 2, 0).cpu().numpy()


def save_generator(
    path: Path,
    weights: dict[str, Tensor],
    experiment: Experiment,
    checksum: str,
    step: int,
    embedded: bool = False,
) -> None:
    """Writes a generator's weights with what is needed to rebuild it and to say where it comes from.

    ``embedded`` says whether it was trained on the rendered scenes of ``experiment``, whose scale is then noted, rather
    than on a user's photographs.
    """
    about = {
        "version": orelib.__version__,
        "experiment": json.loads(experiment.to_json()),
        "data_checksum": checksum,
        "step": step,
        # Smallest and largest scale of the training scenes: what photographs should have, too.
        "px_per_mm": [experiment.px_per_mm, experiment.px_per_mm * experiment.zoom] if embedded else None,
    }
    _write(path, weights, about)


def publish(source: Path, target: Path) -> None:
    """Writes a copy of a model file with weights of half the precision, and so of half the size, to pass on.

    The copy says so itself. What it restored was seen to differ from what the original did by 1 of 255 grey values at
    most. Raises FileNotFoundError and ModelFileError as :func:`load_restorer`.
    """
    about, _, weights = _read(source)
    _write(target, {name: value.half() for name, value in weights.items()}, about | {"precision": "float16"})


def load_restorer(path: Path | None = None, device: torch.device | str = "cpu") -> Restorer:
    """The restorer in a ``generator.safetensors``, ready to use on ``device``; None: the one that comes with the kit.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ModelFileError
        When the file is damaged or not one of this kit's.
    """
    path = DEFAULT_RESTORER if path is None else Path(path)
    about, experiment, weights = _read(path)
    try:
        generator = METHOD_CLASSES[experiment.method].build_generator(experiment)
        generator.load_state_dict(weights)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelFileError(f"{shown(path)} holds other weights than those of the network that it names") from error
    return Restorer(generator.to(device), generator.stride, about)


def load_weights(generator: nn.Module, path: Path) -> dict:
    """Gives a generator the weights in a ``generator.safetensors``; returns what the file says of itself.

    Raises FileNotFoundError and ModelFileError as :func:`load_restorer`, and ModelFileError when the file holds another
    network than this one.
    """
    about, _, weights = _read(path)
    held, wanted = ({name: value.shape for name, value in state.items()} for state in (weights, generator.state_dict()))
    if held != wanted:
        method = about["experiment"]["method"]
        raise ModelFileError(
            f"{shown(path)} holds another network, of method {method!r}: choose method and widths alike"
        )
    generator.load_state_dict(weights)
    return about


def _write(path: Path, weights: dict[str, Tensor], about: dict) -> None:
    # One key only: safetensors writes several in an order that changes from file to file.
    metadata = {"orelib": json.dumps(about)}
    with appearing(path) as temporary:
        save_file({name: value.contiguous() for name, value in weights.items()}, temporary, metadata)


def _read(path: Path) -> tuple[dict, Experiment, dict[str, Tensor]]:
    """What a model file says of itself, the experiment among it, and its weights."""
    path = Path(path)
    if path.is_dir():
        raise ModelFileError(f"{shown(path)} is a folder: name the generator.safetensors itself")
    if not path.exists():
        cure = "train it with notebooks/03_training.ipynb first"
        if path == DEFAULT_RESTORER:
            cure = "this copy of the kit comes without a restorer; name a model file of your own"
        raise FileNotFoundError(f"{shown(path)} is missing: {cure}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a file, not a dict)
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{shown(path)} is damaged or no safetensors file ({error})") from error
    if "orelib" not in metadata:
        raise ModelFileError(f"{shown(path)} was not written by this kit: it does not say which network it holds")
    try:
        about = json.loads(metadata["orelib"])
        experiment = Experiment.from_json(json.dumps(about["experiment"]))
        about["experiment"] = json.loads(experiment.to_json())  # with fields that are newer than the file
        step, checksum = about["step"], about["data_checksum"]
        if not isinstance(step, int) or not isinstance(checksum, str):
            raise TypeError(f"step {step!r} and data_checksum {checksum!r} must be a number and a text")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelFileError(f"{shown(path)} describes itself in a way that this kit cannot read ({reason})") from error
    return about, experiment, weights
