"""A trained generator on photographs of any size, and the file that carries it.

The file is ``generator.safetensors``: weights, and as metadata the experiment, so that the network can be rebuilt
without unpickling anything. :func:`export_onnx` makes an ONNX file of it, with the same metadata.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import orelib
from orelib.config import Experiment, shown
from orelib.engines import ENGINES, Engine, EngineError, TorchEngine, demand, how_to_install
from orelib.files import appearing
from orelib.methods import METHOD_CLASSES
from orelib.networks import count_multiply_adds, count_parameters
from orelib.tiles import OVERLAP, TILE, by_tiles

if TYPE_CHECKING:  # it needs the package onnx
    from orelib.onnx_graph import OnnxGraph

DEFAULT_RESTORER = Path(__file__).parent / "default_restorer" / "generator.safetensors"


class ModelFileError(ValueError):
    """A model file that cannot be used; the message names it and says why."""


class Restorer:
    """Restores wet photographs with a generator whose sides must be multiples of ``stride``.

    ``about`` is what the model file says of it: experiment, data checksum, step, version, and the scale of the rendered
    scenes that it was trained on, smallest and largest, in px per mm (None: it was trained on photographs). ``engine``
    computes what the generator would, by default the generator itself.
    """

    def __init__(self, generator: nn.Module, stride: int, about: dict | None = None, engine: Engine | None = None):
        self.generator, self.stride, self.about = generator, stride, about or {}
        self.engine = engine or TorchEngine(generator)

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

        The photograph is restored at its own scale, a large one in overlapping tiles (:mod:`orelib.tiles`);
        mirrored margins fill it up to the stride and are cut off again. Besides ``wet`` and the result, one tile and
        a few rows are held. Dropout is off, so the same photograph gives
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
        tile = max(self.stride, TILE - TILE % self.stride)
        return by_tiles(self._restore_tile, wet, tile, min(OVERLAP, tile // 2), self.stride, progress)

    def _restore_tile(self, tile: np.ndarray) -> np.ndarray:
        """One tile through the engine, to floats in the range of its dtype."""
        half = np.iinfo(tile.dtype).max / 2
        wet = torch.from_numpy(tile.astype(np.float32)).permute(2, 0, 1)[None]
        dry = self.engine(wet.div_(half).sub_(1))[0]
        return dry.contiguous().add(1).mul_(half).permute(1, 2, 0).numpy()


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
    halved = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    _write(target, halved, about | {"precision": "float16"})


def load_restorer(path: Path | None = None, device: torch.device | str = "cpu", engine: str = "torch") -> Restorer:
    """The restorer in a ``generator.safetensors`` or an ONNX file made of it, ready to use.

    Parameters
    ----------
    path : the model file; None: the restorer that comes with the kit.
    device : where the engine ``torch`` computes. The others compute on the processor.
    engine : one of :data:`~orelib.engines.ENGINES`. An ONNX file is for any but ``torch``.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ModelFileError
        When the file is damaged or not one of this kit's.
    EngineError
        When the engine is not installed, or does not take the file.
    """
    demand(engine)
    path = DEFAULT_RESTORER if path is None else Path(path)
    if path.suffix == ".onnx" and engine == "torch":
        raise EngineError(f"{shown(path)} is an ONNX file, which the engine torch does not take: choose another engine")
    if engine == "torch":
        generator, about = _load_generator(path)
        return Restorer(generator.to(device), generator.stride, about)
    graph, generator, about = _load_graph(path)
    return Restorer(generator, generator.stride, about, ENGINES[engine](graph))


def export_onnx(path: Path, out: Path) -> None:
    """Writes the generator in a ``generator.safetensors`` as an ONNX file, which says the same of itself.

    Its input and output are float32 (1, 3, H, W) in [-1, 1]; H and W are multiples of the generator's stride.

    Raises
    ------
    FileNotFoundError, ModelFileError, EngineError
        As :func:`load_restorer`.
    ValueError
        When ``out`` does not end in .onnx, or exists.
    """
    path, out = Path(path), Path(out)
    if out.suffix != ".onnx":
        raise ValueError(f"{shown(out)} must end in .onnx")
    if out.exists():
        raise ValueError(f"{shown(out)} exists already: name another file")
    graph, _, about = _load_graph(path)
    graph.save(out, {"orelib": json.dumps(about)})


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


def _load_generator(path: Path) -> tuple[nn.Module, dict]:
    """The generator in a model file, on the processor, and what the file says of itself."""
    about, experiment, weights = _read(path)
    try:
        generator = METHOD_CLASSES[experiment.method].build_generator(experiment)
        generator.load_state_dict(weights)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelFileError(f"{shown(path)} holds other weights than those of the network that it names") from error
    return generator, about


def _load_graph(path: Path) -> tuple[OnnxGraph, nn.Module, dict]:
    """The generator in a model file as an ONNX graph, itself without weights, and what the file says of itself."""
    if not find_spec("onnx"):
        raise EngineError(f"ONNX files need the package onnx: {how_to_install('onnx')}")
    from orelib.onnx_graph import OnnxGraph

    if path.suffix != ".onnx":
        generator, about = _load_generator(path)
        return OnnxGraph.of(generator), generator.to("meta"), about
    _demand_file(path)
    try:
        graph, metadata = OnnxGraph.read(path)
    except ValueError as error:
        raise ModelFileError(f"{shown(path)} is {error}") from error
    about, experiment = _described(path, metadata)
    return graph, METHOD_CLASSES[experiment.method].build_generator(experiment).to("meta"), about


def _read(path: Path) -> tuple[dict, Experiment, dict[str, Tensor]]:
    """What a model file says of itself, the experiment among it, and its weights."""
    path = Path(path)
    _demand_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a file, not a dict)
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{shown(path)} is damaged or no safetensors file ({error})") from error
    return *_described(path, metadata), weights


def _demand_file(path: Path) -> None:
    if path.is_dir():
        raise ModelFileError(f"{shown(path)} is a folder: name the generator.safetensors itself")
    if not path.exists():
        cure = "train it with notebooks/03_training.ipynb first"
        if path == DEFAULT_RESTORER:
            cure = "this copy of the kit comes without a restorer; name a model file of your own"
        raise FileNotFoundError(f"{shown(path)} is missing: {cure}")


def _described(path: Path, metadata: dict[str, str]) -> tuple[dict, Experiment]:
    """What the metadata of a model file say of it, and the experiment among it."""
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
    return about, experiment
