"""A generator as an ONNX graph, which ONNX Runtime and OpenVINO run.

PyTorch's own exporter takes three seconds for a NAFNet and eleven the newer way, both longer than a photograph takes to
restore. The networks of this kit consist of few kinds of layers, so they are written down here, in a tenth of a second;
``torch.fx`` tells in which order they are applied. The weights stay beside the graph, uncopied, until it is saved.

A network with a further kind of layer needs one more function in :data:`_LAYERS`.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from torch import Tensor, fx, nn

from orelib.nafnet import NAFBlock
from orelib.networks import check_size
from orelib.restore.engines import EngineError
from orelib.utils.names import one_line
from orelib.utils.paths import shown
from orelib.utils.weights import ModelFileError, unusable, write_bytes

Weights = dict[str, np.ndarray]  # float32, by their names in the graph


class OnnxGraph:
    """An ONNX model without its weights, ``model``, and the ``weights``.

    The input, ``wet``, and the output, ``dry``, are float32 (1, 3, height, width) in [-1, 1], of any height and width
    that the generator takes.
    """

    def __init__(self, model: onnx.ModelProto, weights: Weights):
        self.model, self.weights = model, weights

    @classmethod
    def of(cls, generator: nn.Module) -> OnnxGraph:
        """That of a generator as it restores, dropout being off; the weights are shared with it.

        Raises EngineError for a generator that does something which nothing here can write.
        """
        writer = _Writer(generator)
        return cls(writer.model(), writer.weights)

    @classmethod
    def read(cls, path: Path) -> tuple[OnnxGraph, str | None]:
        """That of a file, and what the file says of itself, None when it says nothing.

        Raises ModelFileError when the file is damaged, no ONNX file, or looks into other files.
        """
        try:
            content = path.read_bytes()
            model = onnx.ModelProto.FromString(content)
        except OSError as error:
            raise ModelFileError(
                f"{shown(path)} cannot be read ({error}): check its permissions and its disk"
            ) from error
        except (DecodeError, RecursionError) as error:
            raise unusable(path, f"is damaged or no ONNX file ({one_line(error)})") from error
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        if "sha256" in metadata and content != _signed(content[:-_SIGNATURE_BYTES]):
            raise unusable(path, "is damaged: its checksum does not fit")
        if problem := _foreign(model):
            raise unusable(path, f"is damaged or no network of this kit: {problem}")
        try:
            # Copies, because OpenVINO shares no memory that it may not write to.
            weights = {weight.name: numpy_helper.to_array(weight).copy() for weight in model.graph.initializer}
        except (ValueError, TypeError) as error:
            raise unusable(path, f"is damaged: its weights cannot be read ({one_line(error)})") from error
        if not all(np.isfinite(value).all() for value in weights.values()):
            raise unusable(path, "holds weights that are no finite numbers")
        del model.graph.initializer[:]
        return cls(model, weights), metadata.get("orelib")

    def save(self, path: Path, about: str) -> None:
        """Writes graph and weights, what they say ``about`` themselves, and a checksum of it all, into a new file."""
        model = self._copy()
        model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in self.weights.items())
        helper.set_model_props(model, {"orelib": about})
        write_bytes(path, _signed(model.SerializeToString()), only_new=True)

    def with_weights_elsewhere(self) -> onnx.ModelProto:
        """The model with weights of which it says that they are stored outside."""
        model = self._copy()
        for name, value in self.weights.items():
            weight = model.graph.initializer.add(name=name, dims=value.shape, data_type=TensorProto.FLOAT)
            weight.data_location = TensorProto.EXTERNAL
            weight.external_data.add(key="location", value="memory")
        return model

    def with_weights_as_inputs(self) -> onnx.ModelProto:
        """The model with its weights as further inputs."""
        model = self._copy()
        for name, value in self.weights.items():
            model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape))
        return model

    def _copy(self) -> onnx.ModelProto:
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        return model


def _signed(content: bytes) -> bytes:
    """A model and its checksum: bytes appended to a message of Protocol Buffers are further fields of it."""
    signature = onnx.ModelProto()
    helper.set_model_props(signature, {"sha256": hashlib.sha256(content).hexdigest()})
    return content + signature.SerializeToString()


_SIGNATURE_BYTES = len(_signed(b""))
_ATTRIBUTES = ("FLOAT", "INT", "STRING", "TENSOR", "INTS", "FLOATS")


def _foreign(model: onnx.ModelProto) -> str:
    """What makes a model none of this kit's, "" for nothing: data in other files, further graphs, other kinds."""
    graph = model.graph
    if model.functions or graph.sparse_initializer or any(node.domain for node in graph.node):
        return "it has operators of its own"
    versions = {opset.domain: opset.version for opset in model.opset_import}
    if versions.keys() != {""} or not 1 <= versions[""] <= onnx.defs.onnx_opset_version():
        return "it does not say which operators it uses, or newer ones than are known here"
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    kinds = {attribute.type for attribute in attributes}
    if not kinds <= {getattr(AttributeProto, kind) for kind in _ATTRIBUTES}:
        return "it has graphs within its graph"
    tensors = [
        *graph.initializer,
        *(attribute.t for attribute in attributes if attribute.type == AttributeProto.TENSOR),
    ]
    if any(tensor.external_data or tensor.data_location == TensorProto.EXTERNAL for tensor in tensors):
        return "its weights are in other files"
    if any(weight.data_type != TensorProto.FLOAT for weight in graph.initializer):
        return "its weights are no 32-bit numbers"
    for values, name in ((graph.input, "wet"), (graph.output, "dry")):
        if [value.name for value in values] != [name] or values[0].type.tensor_type.elem_type != TensorProto.FLOAT:
            return "its input is not wet or its output is not dry"
    return ""


class _Tracer(fx.Tracer):
    """Sees layers as a whole, and NAFBlocks too."""

    def __init__(self):
        super().__init__(autowrap_functions=(check_size,))

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, tuple(_LAYERS)) or super().is_leaf_module(module, name)


class _Writer:
    """Writes nodes one after the other; values go by their names, and a layer returns that of its output."""

    def __init__(self, generator: nn.Module):
        self.nodes: list[onnx.NodeProto] = []
        self.weights: Weights = {}
        layers = dict(generator.named_modules())
        names: dict[fx.Node, str] = {}
        for node in _Tracer().trace(generator).nodes:
            inputs = [names[value] for value in node.all_input_nodes if value in names]
            if node.op == "placeholder":
                names[node] = "wet"
            elif node.op == "call_module" and (layer := _layer(layers[node.target])):
                names[node] = layer(self, inputs[0], layers[node.target])
            elif node.target is operator.add:
                names[node] = self.add("Add", inputs)
            elif node.target is torch.cat:
                names[node] = self.add("Concat", inputs, axis=1)
            elif node.target == "contiguous":
                names[node] = inputs[0]
            elif node.op == "output":
                self.nodes.append(helper.make_node("Identity", inputs, ["dry"]))
            elif node.target is not check_size:
                what = type(layers[node.target]).__name__ if node.op == "call_module" else node.target
                raise EngineError(f"{what} cannot be written as ONNX yet: use the engine torch")

    def model(self) -> onnx.ModelProto:
        image = [1, 3, "height", "width"]
        wet, dry = (helper.make_tensor_value_info(name, TensorProto.FLOAT, image) for name in ("wet", "dry"))
        graph = helper.make_graph(self.nodes, "generator", [wet], [dry])
        # Version 17 of the operators, of 2022, is read by every engine in use.
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="orelib"
        )

    def add(self, operator: str, inputs: Iterable[str], **attributes: object) -> str:
        output = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], output, **attributes))
        return output

    def weight(self, value: Tensor) -> str:
        name = f"weight_{len(self.weights)}"
        self.weights[name] = value.detach().float().contiguous().numpy()
        return name

    def convolution(self, x: str, layer: nn.Conv2d, half: slice = slice(None)) -> str:
        """A convolution, or ``half`` of it: that which computes a part of the output channels."""
        pads = [*layer.padding] * 2
        if layer.padding_mode == "reflect":
            whole = np.array([0, 0, *layer.padding] * 2)
            x = self.add("Pad", [x, self.add("Constant", [], value=numpy_helper.from_array(whole))], mode="reflect")
            pads = [0] * 4
        weight = layer.weight[half]
        groups = 1 if layer.groups == 1 else len(weight)  # the depthwise ones have a group a channel
        inputs = [x, self.weight(weight)] + ([] if layer.bias is None else [self.weight(layer.bias[half])])
        return self.add(
            "Conv", inputs, kernel_shape=layer.kernel_size, strides=layer.stride, pads=pads, group=groups
        )  # fmt: skip


def _transposed_convolution(graph: _Writer, x: str, layer: nn.ConvTranspose2d) -> str:
    inputs = [x, graph.weight(layer.weight)] + ([] if layer.bias is None else [graph.weight(layer.bias)])
    return graph.add(
        "ConvTranspose", inputs, kernel_shape=layer.kernel_size, strides=layer.stride, pads=[*layer.padding] * 2,
        output_padding=layer.output_padding,
    )  # fmt: skip


def _instance_norm(graph: _Writer, x: str, layer: nn.InstanceNorm2d) -> str:
    weights = graph.weight(layer.weight), graph.weight(layer.bias)
    return graph.add("InstanceNormalization", [x, *weights], epsilon=layer.eps)


def _batch_norm(graph: _Writer, x: str, layer: nn.BatchNorm2d) -> str:
    weights = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
    return graph.add("BatchNormalization", [x, *map(graph.weight, weights)], epsilon=layer.eps)


def _naf_block(graph: _Writer, x: str, block: nn.Module) -> str:
    """Both branches of a NAFBlock in a form that is computed faster.

    A norm over channels is moved to the last axis and back again by ONNX's own operator, which took a fifth of the
    time in OpenVINO; its means are 1 x 1 convolutions here. And instead of cutting features in two for the gate, the
    convolutions before it compute one half and then the other. OpenVINO then takes 0.6 of the time, ONNX Runtime 0.95.
    """
    for branch, gain in ((block.look, block.look_gain), (block.mix, block.mix_gain)):
        norm, *convolutions, _, last = branch
        normalised = _channel_norm(graph, x, norm)
        halves = []
        for start in (0, 1):
            half = normalised
            for layer in convolutions:
                middle = layer.out_channels // 2
                half = graph.convolution(half, layer, slice(start * middle, (start + 1) * middle))
            halves.append(half)
        correction = graph.convolution(graph.add("Mul", halves), last)
        x = graph.add("Add", [x, graph.add("Mul", [correction, graph.weight(gain[None])])])
    return x


def _channel_norm(graph: _Writer, x: str, norm: nn.LayerNorm) -> str:
    """``(x - mean) / sqrt(variance + eps) * weight + bias``, over the channels of each pixel."""
    channels = len(norm.weight)
    mean = graph.weight(torch.full((1, channels, 1, 1), 1 / channels))
    eps = graph.weight(torch.tensor([norm.eps]))
    scale, offset = (graph.weight(value.view(1, -1, 1, 1)) for value in (norm.weight, norm.bias))
    centred = graph.add("Sub", [x, graph.add("Conv", [x, mean])])
    variance = graph.add("Conv", [graph.add("Mul", [centred, centred]), mean, eps])
    normalised = graph.add("Div", [centred, graph.add("Sqrt", [variance])])
    return graph.add("Add", [graph.add("Mul", [normalised, scale]), offset])


# The first that fits a layer writes it.
_LAYERS: dict[type[nn.Module], Callable[[_Writer, str, nn.Module], str]] = {
    nn.Conv2d: _Writer.convolution,
    nn.ConvTranspose2d: _transposed_convolution,
    nn.InstanceNorm2d: _instance_norm,
    nn.BatchNorm2d: _batch_norm,
    NAFBlock: _naf_block,
    nn.PixelShuffle: lambda graph, x, layer: graph.add("DepthToSpace", [x], blocksize=layer.upscale_factor, mode="CRD"),
    nn.ReLU: lambda graph, x, layer: graph.add("Relu", [x]),
    nn.LeakyReLU: lambda graph, x, layer: graph.add("LeakyRelu", [x], alpha=layer.negative_slope),
    nn.Tanh: lambda graph, x, layer: graph.add("Tanh", [x]),
    nn.Dropout: lambda graph, x, layer: x,
    nn.Identity: lambda graph, x, layer: x,
}


def _layer(module: nn.Module) -> Callable[[_Writer, str, nn.Module], str] | None:
    return next((write for kind, write in _LAYERS.items() if isinstance(module, kind)), None)
