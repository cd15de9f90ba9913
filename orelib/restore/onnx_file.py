"""A generator as an ONNX file: written by PyTorch's exporter, and read as if a stranger had sent it.

The input, ``wet``, and the output, ``dry``, are float32 (1, 3, height, width) in [-1, 1], of any height and width that
the generator takes. The file holds the description that the model file has, and a checksum of its whole content.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from orelib.restore.engines import EngineError, example, tracing
from orelib.utils.extras import how_to_install
from orelib.utils.memory import memory_for
from orelib.utils.names import one_line
from orelib.utils.paths import shown
from orelib.utils.weights import ModelFileError, unusable, write_bytes

if TYPE_CHECKING:  # it may be missing
    import onnx

OPSET = 17  # version of the operators, of 2022, which every engine in use reads
ATTRIBUTES = ("FLOAT", "INT", "STRING", "TENSOR", "INTS", "FLOATS")


def as_onnx(generator: nn.Module) -> bytes:
    """Returns the content of an ONNX file of a generator as it restores, with dropout off.

    Raises EngineError for a generator that cannot be written, and where the package onnx is not installed.
    """
    _demand_onnx()
    content, sides = io.BytesIO(), {2: "height", 3: "width"}
    try:
        with memory_for("the ONNX file"), tracing():
            # Both are intended: instance norms use the image's own statistics, and not every value is a constant.
            warnings.filterwarnings("ignore", "ONNX export mode|Constant folding")
            torch.onnx.export(
                generator.eval(), (example(generator),), content, dynamo=False, opset_version=OPSET,
                input_names=["wet"], output_names=["dry"], dynamic_axes={"wet": sides, "dry": sides},
            )  # fmt: skip
    except MemoryError:
        raise
    except Exception as error:  # the exporter's errors share no class
        raise EngineError(f"the network cannot be written as ONNX ({one_line(error)}): use the engine torch") from error
    return content.getvalue()


def write_onnx(path: Path, generator: nn.Module, about: str) -> None:
    """Writes a generator, a text ``about`` it, and a checksum of both into a new file.

    Raises EngineError as :func:`as_onnx`, and OSError when the file exists or cannot be written.
    """
    write_bytes(path, _signed(as_onnx(generator) + _said(orelib=about)), only_new=True)


def read_onnx(path: Path) -> tuple[bytes, str | None]:
    """Returns the content of a file and its description of itself, None when it has none.

    Raises ModelFileError when the file is damaged, no ONNX file, or refers to other files, and EngineError where the
    package onnx is not installed.
    """
    _demand_onnx()
    import onnx
    from google.protobuf.message import DecodeError

    try:
        content = path.read_bytes()
        model = onnx.ModelProto.FromString(content)
    except OSError as error:
        raise ModelFileError(f"{shown(path)} cannot be read ({error}): check its permissions and its disk") from error
    except (DecodeError, RecursionError) as error:
        raise unusable(path, f"is damaged or no ONNX file ({one_line(error)})") from error
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if "sha256" in metadata and content != _signed(content[: -len(_signed(b""))]):
        raise unusable(path, "is damaged: its checksum does not fit")
    if problem := _foreign(model):
        raise unusable(path, f"is damaged or no network of this kit: {problem}")
    try:
        weights = [onnx.numpy_helper.to_array(weight) for weight in model.graph.initializer]
    except (ValueError, TypeError) as error:
        raise unusable(path, f"is damaged: its weights cannot be read ({one_line(error)})") from error
    if not all(np.isfinite(weight).all() for weight in weights):
        raise unusable(path, "holds weights that are no finite numbers")
    return content, metadata.get("orelib")


def _demand_onnx() -> None:
    if not find_spec("onnx"):
        raise EngineError(f"ONNX files need the package onnx: {how_to_install('onnx')}")


def _said(**metadata: str) -> bytes:
    """Metadata to append to a model: bytes after a message of Protocol Buffers are further fields of it."""
    import onnx

    model = onnx.ModelProto()
    onnx.helper.set_model_props(model, metadata)
    return model.SerializeToString()


def _signed(content: bytes) -> bytes:
    """A model and its checksum."""
    return content + _said(sha256=hashlib.sha256(content).hexdigest())


def _foreign(model: onnx.ModelProto) -> str:
    """Returns why a model is not from this kit: data in other files, further graphs, other kinds; "" if it is."""
    import onnx

    floats, integers = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    graph = model.graph
    if model.functions or graph.sparse_initializer or any(node.domain for node in graph.node):
        return "it has operators of its own"
    versions = {opset.domain: opset.version for opset in model.opset_import}
    if versions.keys() != {""} or not 1 <= versions[""] <= onnx.defs.onnx_opset_version():
        return "it does not say which operators it uses, or uses newer ones than are known here"
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    if not {attribute.type for attribute in attributes} <= {getattr(onnx.AttributeProto, kind) for kind in ATTRIBUTES}:
        return "it has graphs within its graph"
    tensors = [
        *graph.initializer,
        *(attribute.t for attribute in attributes if attribute.type == onnx.AttributeProto.TENSOR),
    ]
    if any(tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors):
        return "its weights are in other files"
    if any(weight.data_type not in (floats, integers) for weight in graph.initializer):
        return "its weights are no 32-bit numbers"
    for values, name in ((graph.input, "wet"), (graph.output, "dry")):
        if [value.name for value in values] != [name] or values[0].type.tensor_type.elem_type != floats:
            return "its input is not wet or its output is not dry"
    return ""
