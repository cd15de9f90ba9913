"""Engines, which compute a restoration on a processor: OpenVINO, ONNX Runtime or PyTorch itself.

In float32 all agree to 1 of 255 grey values. They use as many threads as PyTorch would.
"""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from orelib.restore.any_size import AT_ONCE
from orelib.restore.lean import lean
from orelib.restore.tiles import TILE
from orelib.utils.extras import how_to_install
from orelib.utils.memory import memory_for
from orelib.utils.names import one_line
from orelib.utils.provenance import has_bfloat16

if TYPE_CHECKING:  # it may be missing
    import openvino

PRECISIONS = ("float32", "bfloat16")
ANY_SHAPE = (1, 3, -1, -1)


class Engine(Protocol):
    """Computes images; ``at_once`` threads may call it at the same time."""

    packages: tuple[str, ...]
    at_once: int

    def __call__(self, wet: Tensor) -> Tensor:
        """Maps one image, float32 (1, 3, H, W) in [-1, 1], to one of the same shape."""


class EngineError(ValueError):
    """An engine that cannot be used; the message says why, and what to do."""


@contextmanager
def running(engine: str) -> Iterator[None]:
    """Within the block, any error of an engine becomes an EngineError, or a MemoryError if memory ran out."""
    try:
        with memory_for(f"the engine {engine}"):
            yield
    except MemoryError:
        raise
    except Exception as error:  # ONNX Runtime and OpenVINO have errors of their own, which share no class
        raise EngineError(f"the engine {engine} failed ({one_line(error)}): choose another engine") from error


def _demand_same_size(dry: Tensor, wet: Tensor) -> Tensor:
    if dry.shape != wet.shape:
        raise ValueError(f"it made {tuple(dry.shape)} of {tuple(wet.shape)}")
    return dry


def example(generator: nn.Module) -> Tensor:
    """Returns a small image (1, 3, H, W) that a generator takes: the sides are multiples of its stride, at least 32."""
    side = generator.stride * -(-32 // generator.stride)
    return torch.zeros(1, 3, side, side)


@contextmanager
def tracing() -> Iterator[None]:
    """Silences PyTorch while it records the operators of a generator for OpenVINO or the ONNX exporter.

    PyTorch calls this way deprecated, but OpenVINO took nine times as long from the newer one, ``torch.export``, and
    the newer ONNX exporter needs the package onnxscript.
    """
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # a size is checked for the example alone
        yield


class TorchEngine:
    """PyTorch, on the device that the generator is on."""

    packages, at_once = (), 1

    def __init__(self, generator: nn.Module):
        self.generator = generator

    def __call__(self, wet: Tensor) -> Tensor:
        self.generator.eval()  # each time, because it may be trained in between
        device = next(self.generator.parameters()).device
        # Channels last: up to a tenth faster on a processor, although not in training.
        wet = wet.to(device, memory_format=torch.channels_last)
        with memory_for("a tile of the photograph"):
            return self.generator(wet).float().cpu()


class OnnxEngine:
    """ONNX Runtime, on the content of an ONNX file."""

    packages, at_once = ("onnx", "onnxruntime"), 1

    def __init__(self, content: bytes):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # it raises its errors, so they need not be printed
        # Without fallback: for a model that it cannot read, it would print and try again in the same way.
        self.session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"], enable_fallback=False
        )

    def __call__(self, wet: Tensor) -> Tensor:
        with running("onnx"):
            dry = self.session.run(None, {"wet": wet.contiguous().numpy()})[0]
            return _demand_same_size(torch.from_numpy(dry), wet)


@cache
def _core() -> openvino.Core:
    """OpenVINO itself: one for the process, which is not freed before its end.

    On Linux, a core gives the thread that first compiles with it a signal stack, and unmaps it when the core is freed.
    If two cores were freed in the order in which they were made, or one core by another thread, that stack stayed in
    use: the next signal, such as Ctrl-C or the end of a data loader's worker, then killed the process.
    """
    import openvino

    return openvino.Core()


class OpenVinoEngine:
    """OpenVINO, on a generator or the content of an ONNX file.

    Compiled for one shape, a network takes up to a third less time than compiled for any, but compiling takes as long
    as restoring half a megapixel. All tiles of a photograph have one shape. A folder of small photographs may hold
    hundreds of shapes: all but the first two are computed by a network compiled for any shape.

    Tiles of a large photograph are computed side by side, each by its own share of the threads: they then need not wait
    for one another after each layer, nor while a photograph is decoded on one of the cores. An image that is no larger
    than a tile is computed by all threads together, because there may be only one.
    """

    packages = ("openvino",)

    def __init__(self, network: nn.Module | bytes):
        # Importing OpenVINO alone already sends a report to its maker, unless this package is missing.
        sys.modules.setdefault("openvino_telemetry", None)
        import openvino

        self.core = _core()
        if isinstance(network, bytes):
            model = self.core.read_model(network)
        else:
            with tracing():  # OpenVINO would trace it twice more, to compare
                traced = torch.jit.trace(lean(network.eval()), example(network), check_trace=False)
                model = openvino.convert_model(traced, input=ANY_SHAPE)
        self.model, self.precision = _of_channels_last(model), "float32"
        self.at_once = min(AT_ONCE, torch.get_num_threads())
        self.compiled: dict[tuple[int, ...], SimpleQueue] = {}  # idle requests, by the shape that they take
        self.compiling = Lock()

    def in_bfloat16(self) -> OpenVinoEngine:
        """Returns an engine that computes the same network in bfloat16, if the processor has it (:func:`demand`)."""
        other = copy.copy(self)
        other.precision, other.compiled = "bfloat16", {}
        return other

    def __call__(self, wet: Tensor) -> Tensor:
        with running("openvino"):
            image = wet.permute(0, 2, 3, 1).contiguous().numpy()  # (1, H, W, 3), as a photograph lies in memory
            idle = self._requests(image.shape)
            request = idle.get()
            try:
                dry = request.infer([image], share_inputs=True)[0]
            finally:
                idle.put(request)
            return _demand_same_size(torch.from_numpy(dry).permute(0, 3, 1, 2), wet)

    def _requests(self, shape: tuple[int, ...]) -> SimpleQueue:
        with self.compiling:
            if shape not in self.compiled and len(self.compiled) >= 2:
                shape = (1, -1, -1, 3)
            if shape not in self.compiled:
                self.compiled[shape] = self._compile(shape)
            return self.compiled[shape]

    def _compile(self, shape: tuple[int, ...]) -> SimpleQueue:
        side_by_side = self.at_once if shape[1] * shape[2] > TILE**2 else 1
        self.model.reshape(shape)
        settings = {
            # Without it, bfloat16 where the processor has it.
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[self.precision],
            "NUM_STREAMS": side_by_side,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "ENABLE_CPU_PINNING": False,  # processes side by side would be pinned to the same cores
        }
        compiled, idle = self.core.compile_model(self.model, "CPU", settings), SimpleQueue()
        for _ in range(side_by_side):
            idle.put(compiled.create_infer_request())
        return idle


def _of_channels_last(model: openvino.Model) -> openvino.Model:
    """Returns a model that takes and gives images (1, H, W, 3) instead of (1, 3, H, W).

    The engine then brings them into the order in which it computes, many times faster than NumPy would.
    """
    from openvino.preprocess import PrePostProcessor

    around = PrePostProcessor(model)
    for end in (around.input(), around.output()):
        end.model().set_layout("NCHW")
        end.tensor().set_layout("NHWC")
    return around.build()


# The fastest first.
ENGINES = {"openvino": OpenVinoEngine, "torch": TorchEngine, "onnx": OnnxEngine}


def fastest_engine(takes_onnx: bool = False) -> str:
    """Returns the fastest installed engine; ``takes_onnx``: one for ONNX files, even if none is installed."""
    usable = [engine for engine in ENGINES if engine != "torch" or not takes_onnx]
    return next(filter(is_installed, usable), usable[-1])


def is_installed(engine: str) -> bool:
    return all(find_spec(package) for package in ENGINES[engine].packages)


def fastest_precision(engine: str) -> str:
    """Returns the fastest precision that an engine has on this processor."""
    return "bfloat16" if engine == "openvino" and has_bfloat16() else "float32"


def demand(engine: str, precision: str = "float32") -> None:
    """Raises EngineError for an engine that does not exist, is not installed, or does not compute in the precision."""
    if engine not in ENGINES:
        raise EngineError(f"there is no engine {engine!r}: choose one of {', '.join(ENGINES)}")
    if precision not in PRECISIONS:
        raise EngineError(f"there is no precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    if not is_installed(engine):
        raise EngineError(f"the engine {engine} is not installed: {how_to_install(engine)}")
    if precision == "bfloat16" and engine != "openvino":
        raise EngineError(f"the engine {engine} computes in float32 alone: choose openvino, or the precision float32")
    if precision == "bfloat16" and not has_bfloat16():
        raise EngineError("this processor does not compute in bfloat16: choose the precision float32")
