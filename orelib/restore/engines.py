"""Engines, which compute a restoration on a processor: OpenVINO, ONNX Runtime or PyTorch itself.

An engine maps one image, float32 (1, 3, H, W) in [-1, 1], to one of the same shape. All compute in single
precision and agree to 1 of 255 grey values. They use as many threads as PyTorch would.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from orelib.utils.extras import how_to_install
from orelib.utils.memory import memory_for
from orelib.utils.names import one_line

if TYPE_CHECKING:  # it may be missing
    import openvino

Engine = Callable[[Tensor], Tensor]
ANY_SHAPE = (1, 3, -1, -1)


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

    packages = ()

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

    packages = ("onnx", "onnxruntime")

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
    """

    packages = ("openvino",)

    def __init__(self, network: nn.Module | bytes):
        # Importing OpenVINO alone already sends a report to its maker, unless this package is missing.
        sys.modules.setdefault("openvino_telemetry", None)
        import openvino

        self.core = _core()
        if isinstance(network, bytes):
            self.model = self.core.read_model(network)
        else:
            with tracing():  # OpenVINO would trace it twice more, to compare
                traced = torch.jit.trace(network.eval(), example(network), check_trace=False)
                self.model = openvino.convert_model(traced, input=ANY_SHAPE)
        self.requests: dict[tuple[int, ...], openvino.InferRequest] = {}

    def __call__(self, wet: Tensor) -> Tensor:
        with running("openvino"):
            dry = self._request(tuple(wet.shape)).infer([wet.contiguous().numpy()], share_inputs=True)
            return _demand_same_size(torch.from_numpy(dry[0]), wet)

    def _request(self, shape: tuple[int, ...]) -> openvino.InferRequest:
        if shape not in self.requests and len(self.requests) >= 2:
            shape = ANY_SHAPE
        if shape not in self.requests:
            self.model.reshape(shape)
            settings = {
                "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the processor has it
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": torch.get_num_threads(),
                "ENABLE_CPU_PINNING": False,  # processes side by side would be pinned to the same cores
            }
            self.requests[shape] = self.core.compile_model(self.model, "CPU", settings).create_infer_request()
        return self.requests[shape]


# The fastest first.
ENGINES = {"openvino": OpenVinoEngine, "torch": TorchEngine, "onnx": OnnxEngine}


def fastest_engine(takes_onnx: bool = False) -> str:
    """Returns the fastest installed engine; ``takes_onnx``: one for ONNX files, even if none is installed."""
    usable = [engine for engine in ENGINES if engine != "torch" or not takes_onnx]
    return next(filter(is_installed, usable), usable[-1])


def is_installed(engine: str) -> bool:
    return all(find_spec(package) for package in ENGINES[engine].packages)


def demand(engine: str) -> None:
    """Raises EngineError for an engine that does not exist or is not installed."""
    if engine not in ENGINES:
        raise EngineError(f"there is no engine {engine!r}: choose one of {', '.join(ENGINES)}")
    if not is_installed(engine):
        raise EngineError(f"the engine {engine} is not installed: {how_to_install(engine)}")
