"""Restores photographs of any size with a trained generator from its file (:mod:`orelib.restore.model_file`).

:func:`export_onnx` writes it as an ONNX file with the same description.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import orelib
from orelib.config import Experiment
from orelib.methods import CLASSES
from orelib.networks import count_multiply_adds, count_parameters
from orelib.restore.any_size import ASSUMED_LIGHT, CLASSICAL, AnySizeRestorer
from orelib.restore.correction import read_calibration
from orelib.restore.engines import ENGINES, Engine, EngineError, TorchEngine, demand, running
from orelib.restore.familiar import Familiar
from orelib.restore.model_file import ModelFile, described
from orelib.restore.onnx_file import as_onnx, read_onnx, write_onnx
from orelib.restore.tiles import AREA, OVERLAP, TILE
from orelib.utils.memory import memory_for
from orelib.utils.paths import kit_path, shown
from orelib.utils.weights import ModelFileError, demand_file, shapes_of, unusable, write

KIT = "kit"  # names the restorer that comes with the kit, where a path could be given
# A small network needs little memory, so its tiles may be larger. With Slim, whose sides are multiples of 128 px, 8
# instead of 21 % more pixels are computed than a photograph of 1900 x 2048 px has.
SMALL, LARGE_AREA = 2_000_000, 4  # parameters; squares of a tile's side
DEFAULT_RESTORER = Path(__file__).parent / "default_restorer" / "generator.safetensors"


class Restorer(AnySizeRestorer):
    """Restores wet photographs with a generator whose sides must be multiples of ``stride``.

    ``about`` is the model file's description: experiment, data checksum, step, version, and the scale of the rendered
    scenes that it was trained on, smallest and largest, in px per mm (None: it was trained on photographs), and the
    statistics of the training photographs (:mod:`orelib.restore.familiar`). ``engine`` computes the generator's output;
    by default it is the generator itself. ``deep_engine`` does so for photographs of 16 bits, where the other one
    computes in less than single precision.
    """

    def __init__(
        self,
        generator: nn.Module,
        stride: int,
        about: dict | None = None,
        engine: Engine | None = None,
        deep_engine: Engine | None = None,
    ):
        self.generator, self.stride, self.about = generator, stride, about or {}
        self.engine = engine or TorchEngine(generator)
        self.deep_engine = deep_engine or self.engine
        self.at_once = self.engine.at_once
        known = self.about.get("familiar")
        self.familiar = Familiar.from_json(known) if known else None

    @property
    def parameters(self) -> int:
        """Number of trained parameters of the generator."""
        return count_parameters(self.generator)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds to restore a 512 x 512 px image, see :func:`~orelib.networks.count_multiply_adds`."""
        return count_multiply_adds(self.generator, self.stride)

    @property
    def origin(self) -> str:
        """Describes the generator as its model file does, in one or two sentences."""
        if not self.about:
            return "A generator without a model file."
        experiment, step, scale = self.about["experiment"], self.about["step"], self.about.get("px_per_mm")
        # A file from before this field does not say which of the two it was.
        seen = "photographs of unknown scale" if "px_per_mm" in self.about else "images of unknown scale"
        if scale:
            seen = "rendered scenes of " + " to ".join(f"{edge:g}" for edge in dict.fromkeys(scale)) + " px per mm"
        return (
            f"Method {experiment['method']}, step {step:,} of {experiment['steps']:,}, trained on {seen}. "
            f"{self._unfinished}Checksum of the training data: {self.about['data_checksum'][:12]}."
        )

    @property
    def _unfinished(self) -> str:
        """Says, in a sentence before a space, that the training was stopped on its way; nothing if it was not."""
        stopped, steps = self.about.get("stopped"), self.about["experiment"]["steps"]
        if not stopped:
            return ""
        kept = "nothing was validated until then, so this is the generator as it was"
        if stopped["psnr"] is not None:
            kept = f"this is the best generator until then, {stopped['psnr']:.2f} dB on the validation images"
        return f"The training was stopped at step {stopped['step']:,} of {steps:,}: {kept}. "

    @property
    def fingerprint(self) -> str:
        """A short text that two restorers share only if they restore alike: a copy of half the precision does."""
        facts = {name: self.about.get(name) for name in ("experiment", "data_checksum", "step")}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def assumed_light(self) -> float | None:
        """Share of the dry rock's light that the wet rock is taken to send back; None: learnt from photographs."""
        return ASSUMED_LIGHT if self.about.get("px_per_mm") else None

    def tiling(self) -> tuple[int, int, int, float]:
        """Returns smallest side of a tile, overlap and stride in px, and the largest area in squares of that side."""
        tile = max(self.stride, TILE - TILE % self.stride)
        area = LARGE_AREA if self.parameters < SMALL else AREA
        return tile, min(OVERLAP, tile // 2), self.stride, area

    @torch.inference_mode()
    def restore_tile(self, tile: np.ndarray) -> np.ndarray:
        """Restores one tile, uint8 or uint16 (h, w, 3), by the engine, to float32 in the range of its dtype."""
        half = np.float32(np.iinfo(tile.dtype).max / 2)
        engine = self.engine if tile.dtype == np.uint8 else self.deep_engine
        wet = np.divide(tile, half, dtype=np.float32)  # in [0, 2]
        wet -= 1
        dry = engine(torch.from_numpy(wet).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy() + 1  # (h, w, 3)
        dry *= half
        return dry


def save_generator(
    path: Path,
    weights: dict[str, Tensor],
    experiment: Experiment,
    checksum: str,
    step: int,
    embedded: bool = False,
    familiar: Familiar | None = None,
    stopped: dict | None = None,
) -> None:
    """Writes a generator's weights with all that is needed to rebuild it and to know its origin.

    ``embedded`` says whether it was trained on the rendered scenes of ``experiment``, whose scale is then noted, rather
    than on a user's photographs. ``familiar`` tells later which photographs are like these. ``stopped`` is for a
    training that was stopped on its way: at which ``step``, and the ``psnr`` of these weights on the validation images,
    None if they were not validated. Raises ModelFileError for weights that are no finite numbers, and OSError.
    """
    about = {
        "version": orelib.__version__,
        "experiment": json.loads(experiment.to_json()),
        "data_checksum": checksum,
        "step": step,
        # Smallest and largest scale of the training scenes: what photographs should have, too.
        "px_per_mm": [experiment.px_per_mm, experiment.px_per_mm * experiment.zoom] if embedded else None,
        "familiar": familiar and familiar.to_json(),
    }
    write(path, weights, about | ({"stopped": stopped} if stopped else {}))


def publish(source: Path, target: Path) -> None:
    """Writes a copy of a model file with weights of half the precision, and so of half the size, to pass on.

    The copy says so itself. Its results were seen to differ from the original's by 1 of 255 grey values at
    most. Raises FileNotFoundError and ModelFileError as :func:`load_restorer`, and OSError.
    """
    file = _open(source)
    halved = {name: value.half() if value.is_floating_point() else value for name, value in file.weights().items()}
    write(target, halved, file.about | {"precision": "float16"})


def load_restorer(
    path: Path | str | None = None,
    device: torch.device | str = "cpu",
    engine: str = "torch",
    calibration: Path | None = None,
    classical_share: float | None = None,
    precision: str = "float32",
) -> AnySizeRestorer:
    """Loads the restorer in a ``generator.safetensors`` or in an ONNX file made of it, or the classical one.

    Parameters
    ----------
    path : the model file; None: the restorer that comes with the kit, which restores the classical way what its network
        does not know; "classical": the one without training.
    device : where the engine ``torch`` computes. The others compute on the processor.
    engine : one of :data:`~orelib.restore.engines.ENGINES`. An ONNX file is for any but ``torch``. The classical
        restorer needs none.
    calibration : a file of ``orelib calibrate``, made for this restorer, by which its output is corrected. One that was
        made without naming a model is for the classical restorer, which is loaded then if ``path`` is None.
    classical_share : how much of the classical restoration to mix in, 0-1, see
        :class:`~orelib.restore.cautious.CautiousRestorer`; None: none.
    precision : "float32", or "bfloat16", in which OpenVINO takes about half the time on processors that have it. Grey
        values then differ by 0.2 of 255 on average, seldom by more than 2; photographs of 16 bits stay in float32.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ModelFileError
        When the file is damaged or was not written by this kit.
    EngineError
        When the engine is not installed, does not take the file, or fails, or when engine or processor do not compute
        in this precision.
    MemoryError
        When the network needs more memory than there is.
    ValueError
        When the calibration is damaged, or was made for another restorer.
    """
    if classical_share is not None and (str(path) == CLASSICAL or (path is None and calibration is not None)):
        raise ValueError("the classical restorer has nothing to be mixed with: leave the classical share out")
    if path is None and calibration is not None:
        path = CLASSICAL  # a user's own rock is unlike the scenes that the kit's network knows
    if path is not None and str(path) == CLASSICAL:
        from orelib.restore.classical import ClassicalRestorer  # OpenCV, which no network waits for

        restorer = ClassicalRestorer()
    else:
        restorer = _load_network(DEFAULT_RESTORER if path is None else Path(path), device, engine, precision)
        if path is None or classical_share is not None:
            from orelib.restore.cautious import CautiousRestorer  # OpenCV, too

            restorer = CautiousRestorer(restorer, classical_share or 0.0)
    if calibration is not None:
        restorer.correction = read_calibration(calibration, restorer.fingerprint)
    return restorer


def named_model(model: str | None) -> Path | str | None:
    """Returns what a notebook's parameter ``model`` names, for :func:`load_restorer`; see there. Raises SettingsError.

    "kit", like None, is the restorer that comes with the kit. "classical" stays as it is; a relative path counts from
    the root of the kit.
    """
    if not model or model == KIT:
        return None
    return model if model == CLASSICAL else kit_path("model", model)


def _load_network(path: Path, device: torch.device | str, engine: str, precision: str) -> Restorer:
    demand(engine, precision)
    if path.suffix == ".onnx" and engine == "torch":
        raise EngineError(f"{shown(path)} is an ONNX file, which the engine torch does not take: choose another engine")
    with memory_for(f"the network in {shown(path)}"):
        if path.suffix == ".onnx":
            _demand(path)
            network, text = read_onnx(path)
            about, experiment = described(path, text)
            generator = _without_weights(experiment)
        else:
            generator, about = _load_generator(path)
            if engine == "torch":
                return Restorer(generator.to(device), generator.stride, about)
            network = as_onnx(generator) if engine == "onnx" else generator
    try:
        with running(engine):
            computing = ENGINES[engine](network)
        fast = computing if precision == "float32" else computing.in_bfloat16()
        return Restorer(generator.to("meta"), generator.stride, about, fast, computing)
    except EngineError as error:
        if path.suffix != ".onnx":
            raise
        raise unusable(path, f"is damaged, or no network of this kit: {error}") from error


def export_onnx(path: Path, out: Path) -> None:
    """Writes the generator in a ``generator.safetensors`` as an ONNX file with the same description.

    Its input and output are float32 (1, 3, H, W) in [-1, 1]; H and W are multiples of the generator's stride.

    Raises
    ------
    FileNotFoundError, ModelFileError, EngineError
        As :func:`load_restorer`.
    ValueError
        When ``out`` does not end in .onnx.
    OSError
        When it exists, or cannot be written.
    """
    path, out = Path(path), Path(out)
    _demand(path)
    if out.suffix != ".onnx":
        raise ValueError(f"{shown(out)} must end in .onnx")
    if os.path.lexists(out):  # before the work; write_bytes sees what appears meanwhile
        raise FileExistsError(f"{shown(out)} exists already: name another file")
    with memory_for(f"the network in {shown(path)}"):
        generator, about = _load_generator(path)
        write_onnx(out, generator, json.dumps(about))


def read_about(path: Path) -> dict:
    """Reads the description in a ``generator.safetensors``: experiment, data checksum, step, version, scale.

    Raises FileNotFoundError and ModelFileError as :func:`load_restorer`.
    """
    _demand(Path(path))
    return ModelFile(path).about


def load_weights(generator: nn.Module, path: Path) -> dict:
    """Gives a generator the weights in a ``generator.safetensors``; returns the file's description.

    Raises FileNotFoundError and ModelFileError as :func:`load_restorer`, and ModelFileError when the file holds another
    network than this one.
    """
    _demand(Path(path))
    file = ModelFile(path)
    if file.shapes != shapes_of(generator):
        raise ModelFileError(
            f"{shown(path)} holds another network, of method {file.experiment.method!r}: choose method and widths alike"
        )
    generator.load_state_dict(file.weights())
    return file.about


def _load_generator(path: Path) -> tuple[nn.Module, dict]:
    """Loads the generator in a model file, on the processor, and the file's description."""
    file = _open(path)
    weights = file.weights()
    generator = CLASSES[file.experiment.method].build_generator(file.experiment)
    generator.load_state_dict(weights)
    return generator, file.about


def _without_weights(experiment: Experiment) -> nn.Module:
    """The generator of an experiment on PyTorch's meta device, where even a giant one takes no memory."""
    with torch.device("meta"):
        return CLASSES[experiment.method].build_generator(experiment)


def _open(path: Path) -> ModelFile:
    """Opens a model file; checks, before memory is taken, that its weights fit the network that it names."""
    _demand(Path(path))
    file = ModelFile(path)
    if file.shapes != shapes_of(_without_weights(file.experiment)):
        raise unusable(path, "holds other weights than the network that it names has")
    return file


def _demand(path: Path) -> None:
    cure = "train it with notebooks/05_training.ipynb first"
    if path == DEFAULT_RESTORER:
        cure = "this copy of the kit comes without a restorer; name a model file of your own"
    demand_file(path, cure)
