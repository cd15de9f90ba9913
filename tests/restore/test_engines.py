"""Engines: the same pixels whatever computes them, and one clear error for what cannot be."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import onnx
import pytest
import torch
from torch.overrides import TorchFunctionMode

from orelib.config import METHODS, Experiment
from orelib.data.scenes import render_pair
from orelib.methods import CLASSES
from orelib.restore.engines import (
    ENGINES,
    EngineError,
    OpenVinoEngine,
    TorchEngine,
    demand,
    fastest_engine,
    is_installed,
)
from orelib.restore.lean import lean
from orelib.restore.onnx_file import as_onnx
from orelib.restore.restorer import (
    DEFAULT_RESTORER,
    ModelFileError,
    Restorer,
    export_onnx,
    load_restorer,
    save_generator,
)

OTHERS = [
    pytest.param(name, marks=pytest.mark.skipif(not is_installed(name), reason=f"orelib[{name}] is not installed"))
    for name in ("openvino", "onnx")
]
SIZES = [(64, 32), (45, 71), (33, 100), (64, 32)]


def trained(method):
    """A generator whose every weight matters: some start at 0 or 1."""
    experiment = Experiment("smoke", method)
    generator = CLASSES[method].build_generator(experiment)
    torch.manual_seed(0)
    for name, value in generator.state_dict().items():
        if "running_var" in name:
            value.uniform_(0.5, 2)
        elif value.is_floating_point():
            value.add_(torch.randn_like(value) * 0.1)
    return experiment, generator


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model file a method."""
    folder = tmp_path_factory.mktemp("models")
    for method in METHODS:
        experiment, generator = trained(method)
        save_generator(folder / f"{method}.safetensors", generator.state_dict(), experiment, "0123456789abcdef", 8)
    return {method: folder / f"{method}.safetensors" for method in METHODS}


@pytest.fixture
def exported(files, tmp_path):
    export_onnx(files["pix2pix"], tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def largest_difference(one, other, wet):
    return np.abs(one.restore(wet).astype(int) - other.restore(wet)).max()


# ---- the same pixels ---------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("method", METHODS)
def test_an_engine_restores_the_same_pixels(files, noise, method, engine):
    """From the model file itself, at more sizes than OpenVINO compiles a network for, and at one of them again."""
    restorer, other = load_restorer(files[method]), load_restorer(files[method], engine=engine)
    for size in SIZES:
        wet = noise.integers(0, 65536, (*size, 3)).astype(np.uint16)
        assert np.ptp(restorer.restore(wet)) > 10_000
        assert largest_difference(restorer, other, wet) <= 2  # of 65535
        assert largest_difference(restorer, other, (wet >> 8).astype(np.uint8)) <= 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("method", METHODS)
def test_an_exported_file_restores_the_same_pixels(files, noise, tmp_path, method, engine):
    export_onnx(files[method], tmp_path / "model.onnx")
    restorer, other = load_restorer(files[method]), load_restorer(tmp_path / "model.onnx", engine=engine)
    wet = noise.integers(0, 256, (45, 71, 3)).astype(np.uint8)
    assert largest_difference(restorer, other, wet) <= 1


@pytest.mark.parametrize("engine", OTHERS)
def test_the_restorer_of_the_kit_restores_the_same_pixels(engine, noise):
    restorer, other = load_restorer(), load_restorer(engine=engine)
    scene = render_pair(3_000_000, (120, 130), px_per_mm=4).wet
    for wet in (scene, noise.integers(0, 256, scene.shape).astype(np.uint8)):
        assert largest_difference(restorer, other, wet) <= 1


@pytest.mark.skipif(not is_installed("openvino"), reason="orelib[openvino] is not installed")
def test_a_folder_of_many_sizes_compiles_few_networks():
    generator = trained("pix2pix")[1].eval()
    engine = OpenVinoEngine(generator)
    for side in range(1, 6):
        wet = torch.rand(1, 3, 32, 32 * side)
        with torch.inference_mode():
            assert (engine(wet) - generator(wet)).abs().max() < 1e-4
    assert len(engine.compiled) == 3


@pytest.mark.skipif(not is_installed("openvino"), reason="orelib[openvino] is not installed")
def test_tiles_side_by_side_are_those_that_come_one_by_one(files, noise, monkeypatch):
    monkeypatch.setattr("orelib.restore.restorer.TILE", 64)
    monkeypatch.setattr("orelib.restore.engines.TILE", 32)  # so that tiles have threads of their own
    torch.set_num_threads(3)
    try:
        restorer = load_restorer(files["slim"], engine="openvino")
    finally:
        torch.set_num_threads(1)
    wet, calls = noise.integers(0, 256, (250, 460, 3)).astype(np.uint8), []
    together = restorer.restore(wet, lambda *count: calls.append(count))
    assert restorer.at_once == 3
    assert calls == [(number, len(calls)) for number in range(1, len(calls) + 1)]
    assert len(calls) > 4
    restorer.at_once = 1
    assert np.array_equal(together, restorer.restore(wet))


# ---- less than single precision ----------------------------------------------------------------------------------


class Counting:
    """An engine that counts its calls."""

    packages, at_once = (), 1

    def __init__(self):
        self.calls = 0

    def __call__(self, wet):
        self.calls += 1
        return wet


def test_photographs_of_16_bits_are_computed_by_the_deep_engine(noise):
    fast, deep = Counting(), Counting()
    restorer = Restorer(torch.nn.Identity(), 1, engine=fast, deep_engine=deep)
    shallow = noise.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    restorer.restore(shallow)
    assert (fast.calls, deep.calls) == (1, 0)
    restorer.restore(shallow.astype(np.uint16))
    assert (fast.calls, deep.calls) == (1, 1)


@pytest.mark.skipif(not is_installed("openvino"), reason="orelib[openvino] is not installed")
def test_bfloat16_is_for_processors_and_engines_that_have_it(files, noise, monkeypatch):
    monkeypatch.setattr("orelib.restore.engines.has_bfloat16", lambda: False)
    with pytest.raises(EngineError, match="this processor does not compute in bfloat16"):
        load_restorer(files["slim"], engine="openvino", precision="bfloat16")
    monkeypatch.setattr("orelib.restore.engines.has_bfloat16", lambda: True)
    for engine in ("torch", "onnx"):
        with pytest.raises(EngineError, match="float32 alone"):
            load_restorer(files["slim"], engine=engine, precision="bfloat16")
    with pytest.raises(EngineError, match="no precision 'half': choose one of float32, bfloat16"):
        load_restorer(files["slim"], engine="openvino", precision="half")
    fast = load_restorer(files["slim"], engine="openvino", precision="bfloat16")
    assert (fast.engine.precision, fast.deep_engine.precision) == ("bfloat16", "float32")
    wet = noise.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    assert largest_difference(fast, load_restorer(files["slim"]), wet) <= 8  # random weights enlarge what is rounded


class Rounding(TorchFunctionMode):
    """Rounds the result of every operation to bfloat16."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        with torch._C.DisableTorchFunction():
            return result.bfloat16().float() if torch.is_tensor(result) and result.is_floating_point() else result


@torch.no_grad()
def test_bfloat16_changes_what_the_kits_restorer_restores_by_2_of_255_at_most():
    """As a processor computes it: weights and the result of every layer are rounded, sums within a layer are not."""
    exact = load_restorer(DEFAULT_RESTORER)
    network = lean(exact.generator)
    for weight in network.parameters():
        weight.copy_(weight.bfloat16())

    class Emulated(Counting):
        def __call__(self, wet):
            with Rounding():
                return network(wet)

    fast = Restorer(network, exact.stride, engine=Emulated())
    for seed in range(3):
        wet = render_pair(3_000_000 + seed, (256, 256), px_per_mm=3 + 2 * seed).wet
        assert 0 < largest_difference(exact, fast, wet) <= 2


# Models are freed in the order in which they were loaded, or by another thread; then comes Ctrl-C.
FREED = """
import signal, sys, threading
import numpy as np
from orelib.restore.restorer import load_restorer

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
models = [load_restorer(sys.argv[1], engine="openvino") for _ in range(2)]
for model in models:
    model.restore(np.zeros((8, 8, 3), np.uint8))
del model
if sys.argv[2] == "in order":
    del models[0], models[0]
else:
    thread = threading.Thread(target=models.clear)
    thread.start()
    thread.join()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(not is_installed("openvino"), reason="orelib[openvino] is not installed")
@pytest.mark.parametrize("freed", ["in order", "by another thread"])
def test_a_signal_after_models_are_freed_is_no_crash(files, freed):
    ended = subprocess.run(
        [sys.executable, "-c", FREED, str(files["slim"]), freed], capture_output=True, text=True, timeout=600
    )
    assert (ended.returncode, ended.stdout) == (0, "interrupted\n"), ended.stderr


def test_a_generator_in_training_restores_without_dropout():
    generator = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.Dropout(0.5)).train()
    engine, wet = TorchEngine(generator), torch.ones(1, 3, 8, 8)
    assert torch.equal(engine(wet), engine(wet))


# ---- the ONNX file -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", OTHERS)
def test_the_file_says_of_itself_what_the_model_does(files, exported, engine):
    restorer, other = load_restorer(files["pix2pix"]), load_restorer(exported, engine=engine)
    assert other.about == restorer.about
    assert other.describe() == restorer.describe()
    assert (other.stride, other.parameters, other.multiply_adds) == (
        restorer.stride, restorer.parameters, restorer.multiply_adds
    )  # fmt: skip


def test_the_file_is_a_valid_one_for_any_height_and_width(exported):
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    (wet,), (dry,) = model.graph.input, model.graph.output
    for value, name in ((wet, "wet"), (dry, "dry")):
        assert value.name == name
        assert [side.dim_value or side.dim_param for side in value.type.tensor_type.shape.dim] == [
            1, 3, "height", "width"
        ]  # fmt: skip


def test_a_place_that_is_taken_is_refused(files, exported, tmp_path):
    with pytest.raises(FileExistsError, match=r"model\.onnx exists already"):
        export_onnx(files["pix2pix"], exported)
    with pytest.raises(ValueError, match=r"must end in \.onnx"):
        export_onnx(files["pix2pix"], tmp_path / "model.pt")


def test_files_that_are_no_model_are_named(exported, tmp_path):
    whole = exported.read_bytes()
    for name, content in {"rubbish": b"rubbish", "empty": b"", "cut": whole[: len(whole) // 2]}.items():
        (tmp_path / f"{name}.onnx").write_bytes(content)
    foreign = onnx.load(exported)
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    (tmp_path / "folder.onnx").mkdir()
    for name in ("rubbish", "empty", "cut", "foreign", "folder"):
        with pytest.raises(ModelFileError, match=rf"{name}\.onnx"):
            load_restorer(tmp_path / f"{name}.onnx", engine="onnx")
    with pytest.raises(FileNotFoundError, match=r"none\.onnx is missing"):
        load_restorer(tmp_path / "none.onnx", engine="onnx")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The smallest ONNX file that there is."""
    folder = tmp_path_factory.mktemp("tiny")
    experiment = Experiment("smoke", "slim", slim_width=1, unet_depth=2)
    torch.manual_seed(0)
    weights = CLASSES["slim"].build_generator(experiment).state_dict()
    save_generator(folder / "generator.safetensors", weights, experiment, "abc", 8)
    export_onnx(folder / "generator.safetensors", folder / "model.onnx")
    return folder / "model.onnx"


def refused_or_same(path, wet, restored):
    """Whether a file is refused by name; otherwise it must restore the same pixels."""
    try:
        restorer = load_restorer(path, engine="onnx")
    except ModelFileError:
        return True
    assert np.array_equal(restorer.restore(wet), restored)
    return False


@pytest.mark.skipif(not is_installed("onnx"), reason="orelib[onnx] is not installed")
def test_a_file_with_flipped_bytes_restores_the_same_pixels_or_is_refused(tiny, tmp_path, noise):
    wet = noise.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    whole, restored = tiny.read_bytes(), load_restorer(tiny, engine="onnx").restore(wet)
    path, flips = tmp_path / "flipped.onnx", [(place, bit) for place in range(0, len(whole), 11) for bit in (1, 128)]
    refused = 0
    for place, bit in flips:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        refused += refused_or_same(path, wet, restored)
    assert refused > 0.9 * len(flips)


@pytest.mark.skipif(not is_installed("onnx"), reason="orelib[onnx] is not installed")
def test_a_file_that_is_cut_or_longer_is_refused(tiny, tmp_path):
    whole = tiny.read_bytes()
    signature = len(whole) - whole.rindex(b"sha256")
    for content in (*(whole[:end] for end in range(0, len(whole) - 2 * signature, 101)), whole[:-1], whole + whole):
        (tmp_path / "cut.onnx").write_bytes(content)
        with pytest.raises(ModelFileError, match=r"cut\.onnx"):
            load_restorer(tmp_path / "cut.onnx", engine="onnx")


@pytest.mark.parametrize("engine", OTHERS)
def test_a_file_without_a_checksum_is_read_as_before(tiny, tmp_path, noise, engine):
    """As earlier versions wrote it, and as other programs write it anew."""
    model = onnx.load(tiny)
    model.metadata_props.pop()
    onnx.save(model, tmp_path / "old.onnx")
    wet = noise.integers(0, 256, (8, 12, 3)).astype(np.uint8)
    old, new = (load_restorer(path, engine=engine) for path in (tmp_path / "old.onnx", tiny))
    assert np.array_equal(old.restore(wet), new.restore(wet))


def external(model):
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="secret.bin")


def external_constant(model):
    tensor = onnx.numpy_helper.from_array(np.zeros(4, np.float32))
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["unused"], value=tensor))


def branches(model):
    inner = onnx.helper.make_graph([], "inner", [], [])
    model.graph.node.insert(0, onnx.helper.make_node("If", ["wet"], ["unused"], then_branch=inner, else_branch=inner))


def infinite(model):
    weight = model.graph.initializer[0]
    weight.CopyFrom(onnx.numpy_helper.from_array(np.full(tuple(weight.dims), np.inf, np.float32), weight.name))


def double(model):
    weight = model.graph.initializer[0]
    weight.CopyFrom(onnx.numpy_helper.from_array(np.zeros(tuple(weight.dims)), weight.name))


WRONG = {
    "external": external,
    "external_constant": external_constant,
    "branches": branches,
    "infinite": infinite,
    "double": double,
    "own_operator": lambda model: setattr(model.graph.node[0], "domain", "elsewhere"),
    "own_function": lambda model: model.functions.add(name="f"),
    "unknown_operator": lambda model: setattr(model.graph.node[0], "op_type", "Frobnicate"),
    "no_node": lambda model: model.graph.ClearField("node"),
    "no_graph": lambda model: model.ClearField("graph"),
    "unknown_input": lambda model: model.graph.node[0].input.__setitem__(0, "nothing"),
    "other_input": lambda model: setattr(model.graph.input[0], "name", "image"),
    "two_inputs": lambda model: model.graph.input.append(model.graph.input[0]),
    "giant_weight": lambda model: model.graph.initializer[0].dims.__setitem__(0, 2**40),
    "fewer_weights": lambda model: model.graph.initializer.pop() and None,
    "other_shape": lambda model: model.graph.initializer[1].dims.__setitem__(0, 0),
    "no_opset": lambda model: model.ClearField("opset_import"),
    "future_opset": lambda model: setattr(model.opset_import[0], "version", 10_000),
}


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("name", WRONG)
def test_a_graph_that_is_wrong_is_refused_and_no_other_file_is_read(tiny, tmp_path, monkeypatch, name, engine):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(b"\0" * 4096)
    model = onnx.load(tiny)
    model.metadata_props.pop()  # or the checksum would tell
    WRONG[name](model)
    (tmp_path / f"{name}.onnx").write_bytes(model.SerializeToString())
    wet = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises((ModelFileError, EngineError), match=rf"{name}\.onnx is damaged|{name}\.onnx holds|engine"):
        load_restorer(tmp_path / f"{name}.onnx", engine=engine).restore(wet)


@pytest.mark.parametrize("engine", OTHERS)
def test_a_graph_that_makes_another_size_is_named(tiny, tmp_path, engine):
    model = onnx.load(tiny)
    model.metadata_props.pop()
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.append(onnx.helper.make_node("Concat", ["wet", "wet"], ["dry"], axis=2))
    model.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(model, tmp_path / "large.onnx")
    with pytest.raises(EngineError, match=rf"the engine {engine} failed .*\(1, 3, 16, 8\) of \(1, 3, 8, 8\)"):
        load_restorer(tmp_path / "large.onnx", engine=engine).restore(np.zeros((8, 8, 3), np.uint8))


def test_what_is_no_file_is_named_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "folder.onnx").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ModelFileError, match=rf"{name}\.onnx is a (pipe|folder)"):
            load_restorer(tmp_path / f"{name}.onnx", engine="onnx")
        with pytest.raises(ModelFileError, match=rf"{name}\.onnx is a (pipe|folder)"):
            export_onnx(tmp_path / f"{name}.onnx", tmp_path / "out.onnx")


def test_a_full_disk_leaves_nothing_behind(files, tmp_path, monkeypatch):
    def full(path, content):
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"model\.onnx cannot be written \(No space left.*make room"):
        export_onnx(files["pix2pix"], tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", OTHERS)
def test_memory_that_runs_out_is_one_error(files, engine, monkeypatch, noise):
    """The errors of engines that say so have no class in common."""
    restorer = load_restorer(files["slim"], engine=engine)

    class Full:
        def run(self, *_):
            raise Exception("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 100")

        def infer(self, *_, **__):
            raise RuntimeError("Exception from src/inference: std::bad_alloc")

    monkeypatch.setattr(restorer.engine, "session", Full(), raising=False)
    idle = SimpleQueue()
    idle.put(Full())
    monkeypatch.setattr(restorer.engine, "_requests", lambda shape: idle, raising=False)
    with pytest.raises(MemoryError, match=f"memory ran out: the engine {engine} needs more"):
        restorer.restore(noise.integers(0, 256, (8, 8, 3)).astype(np.uint8))


def test_an_engine_that_fails_to_start_is_named(files, monkeypatch):
    def broken(graph):
        raise ImportError("libopenvino.so: cannot open shared object file")

    monkeypatch.setitem(ENGINES, "onnx", broken)
    monkeypatch.setattr("orelib.restore.engines.is_installed", lambda engine: True)
    with pytest.raises(EngineError, match=r"the engine onnx failed \(libopenvino.so.*choose another engine"):
        load_restorer(files["slim"], engine="onnx")


class Exponential(torch.nn.Module):
    """A network with an operator that neither OpenVINO nor ONNX has."""

    stride = 32

    def forward(self, wet):
        return wet * torch.linalg.matrix_exp(wet)


@pytest.mark.parametrize("engine", OTHERS)
def test_a_network_that_cannot_be_converted_is_one_error(files, monkeypatch, engine):
    monkeypatch.setattr("orelib.restore.restorer._load_generator", lambda path: (Exponential(), {}))
    with pytest.raises(EngineError, match=r"matrix_exp.*(choose another engine|use the engine torch)"):
        load_restorer(files["pix2pix"], engine=engine)


def test_a_network_that_cannot_be_exported_is_one_error():
    with pytest.raises(EngineError, match=r"cannot be written as ONNX.*matrix_exp.*use the engine torch"):
        as_onnx(Exponential())


# ---- what is installed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("engine", "package"), [("openvino", "openvino"), ("onnx", "onnxruntime")])
def test_an_engine_that_is_not_installed_says_how_to_install_it(monkeypatch, engine, package):
    monkeypatch.setitem(sys.modules, package, None)
    for ask in (lambda: demand(engine), lambda: load_restorer(engine=engine)):
        with pytest.raises(EngineError) as error:
            ask()
        assert f'pip install "orelib[{engine}]"' in str(error.value)
        assert f'pip install --editable ".[{engine}]"' in str(error.value)


def test_without_onnx_nothing_is_exported(files, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(EngineError, match=r"orelib\[onnx\]"):
        export_onnx(files["pix2pix"], tmp_path / "model.onnx")


def test_the_fastest_engine_is_one_that_is_installed(monkeypatch):
    monkeypatch.setattr("orelib.restore.engines.find_spec", lambda package: True)
    assert fastest_engine() == fastest_engine(takes_onnx=True) == "openvino"
    monkeypatch.setattr("orelib.restore.engines.find_spec", lambda package: package != "openvino")
    assert (fastest_engine(), fastest_engine(takes_onnx=True)) == ("torch", "onnx")
    monkeypatch.setattr("orelib.restore.engines.find_spec", lambda package: None)
    assert (fastest_engine(), fastest_engine(takes_onnx=True)) == ("torch", "onnx")


def test_an_engine_takes_what_it_can_run(exported):
    with pytest.raises(EngineError, match=r"model\.onnx is an ONNX file"):
        load_restorer(exported)
    with pytest.raises(EngineError, match=f"choose one of {', '.join(ENGINES)}"):
        load_restorer(engine="warp")


@pytest.mark.skipif(not is_installed("openvino"), reason="orelib[openvino] is not installed")
def test_openvino_does_not_report_its_use(files):
    load_restorer(files["pix2pix"], engine="openvino")
    assert sys.modules["openvino_telemetry"] is None
