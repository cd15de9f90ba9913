"""Restoring photographs of any size, and the model file."""

import errno
import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from orelib.config import Experiment
from orelib.methods import CLASSES, Pix2Pix, Slim
from orelib.networks import count_multiply_adds
from orelib.restore import restorer as module
from orelib.restore.restorer import (
    DEFAULT_RESTORER,
    ModelFileError,
    Restorer,
    load_restorer,
    load_weights,
    publish,
    save_generator,
)
from orelib.training import train
from orelib.utils.weights import checksum


@pytest.fixture
def saved(tmp_path, experiment):
    experiment = experiment.replace(method="pix2pix")
    generator = Pix2Pix.build_generator(experiment)
    save_generator(tmp_path / "generator.safetensors", generator.state_dict(), experiment, "abc", 12)
    return tmp_path / "generator.safetensors", generator


@pytest.fixture
def identity():
    same = torch.nn.Conv2d(3, 3, 1)
    torch.nn.init.dirac_(same.weight)
    torch.nn.init.zeros_(same.bias)
    return Restorer(same, stride=32)


def values(noise, depth, *shape):
    return noise.integers(0, 2**depth, shape).astype(f"uint{depth}")


# ---- restoring ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("size", [(64, 32), (45, 71), (7, 9), (1, 50), (50, 1), (1, 1)])
def test_any_size_is_restored_at_its_own_size(saved, noise, size, depth):
    wet = values(noise, depth, *size, 3)
    restored = load_restorer(saved[0]).restore(wet)
    assert (restored.shape, restored.dtype) == (wet.shape, wet.dtype)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("size", [(45, 71), (70, 250), (1, 1)])
def test_margins_and_tiles_leave_no_trace(identity, noise, monkeypatch, size, depth):
    monkeypatch.setattr(module, "TILE", 64)
    wet = values(noise, depth, *size, 3)
    assert np.array_equal(identity.restore(wet), wet)


def test_grey_comes_back_as_rgb(identity, noise):
    wet = values(noise, 8, 20, 30)
    assert np.array_equal(identity.restore(wet), np.repeat(wet[..., None], 3, axis=2))


def test_sixteen_bits_stay_sixteen(saved, noise):
    """Not eight stretched: more levels than eight bits have, and yet the same photograph."""
    restorer = load_restorer(saved[0])
    wet = values(noise, 8, 60, 70, 3)
    shallow, deep = restorer.restore(wet), restorer.restore(wet.astype(np.uint16) * 257)
    assert len(np.unique(deep)) > 256
    assert np.abs(deep / 257 - shallow).max() < 1


def test_the_same_photograph_gives_the_same_result(saved, noise):
    wet = values(noise, 8, 40, 50, 3)
    restorer = load_restorer(saved[0])
    restorer.generator.train()
    assert np.array_equal(restorer.restore(wet), restorer.restore(wet))


def test_progress_counts_tiles(identity, noise, monkeypatch):
    monkeypatch.setattr(module, "TILE", 64)
    monkeypatch.setattr(module, "LARGE_AREA", module.AREA)  # as for a large network
    calls = []
    identity.restore(values(noise, 8, 64, 288, 3), lambda done, total: calls.append((done, total)))
    assert calls == [(done, 4) for done in range(1, 5)]


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((20, 30, 3), np.float32),
        np.zeros((20, 30, 3), np.int64),
        np.zeros((20, 30, 4), np.uint8),
        np.zeros((2, 20, 30, 3), np.uint8),
        np.zeros(20, np.uint8),
        np.zeros((0, 30, 3), np.uint8),
        np.zeros((20, 0), np.uint16),
    ],
    ids=lambda wrong: f"{wrong.dtype}{wrong.shape}",
)
def test_what_is_no_photograph_is_refused(identity, wrong):
    with pytest.raises(ValueError, match="a photograph is uint8 or uint16") as error:
        identity.restore(wrong)
    assert str(wrong.shape) in str(error.value)


def test_multiply_adds_are_those_of_the_network(saved):
    restorer, generator = load_restorer(saved[0]), saved[1]
    assert restorer.multiply_adds == count_multiply_adds(generator, generator.stride, 512)
    assert restorer.multiply_adds == 16 * count_multiply_adds(generator, generator.stride, 128)


# ---- the model file ----------------------------------------------------------------------------------------------


def test_a_loaded_restorer_restores_as_the_trained_one(saved, noise):
    path, generator = saved
    wet = values(noise, 8, 40, 50, 3)
    trained = Restorer(generator, generator.stride).restore(wet)
    assert np.array_equal(load_restorer(path).restore(wet), trained)


def test_the_file_says_where_it_comes_from(saved):
    restorer = load_restorer(saved[0])
    assert restorer.about["data_checksum"] == "abc"
    assert restorer.about["step"] == 12
    assert restorer.parameters == sum(p.numel() for p in saved[1].parameters())


def test_the_scale_of_rendered_scenes_is_noted_and_that_of_photographs_is_not(tmp_path):
    experiment = Experiment("smoke", "nafnet", px_per_mm=2.5, zoom=4.0, steps=2000)
    weights = CLASSES["nafnet"].build_generator(experiment).state_dict()
    for embedded in (True, False):
        save_generator(tmp_path / f"{embedded}.safetensors", weights, experiment, "0123456789abcdef", 1500, embedded)
    scenes, photographs = (load_restorer(tmp_path / f"{embedded}.safetensors") for embedded in (True, False))
    assert scenes.about["px_per_mm"] == [2.5, 10]
    assert photographs.about["px_per_mm"] is None
    said = scenes.describe()
    for fact in ("nafnet", "1,500 of 2,000", "rendered scenes of 2.5 to 10 px per mm", "0123456789ab."):
        assert fact in said
    assert "photographs of unknown scale" in photographs.describe()


def test_counters_survive_publishing(tmp_path, experiment):
    """Batch norms count the batches that they have seen, in an integer that half precision could not hold."""
    experiment = experiment.replace(method="slim")
    weights = CLASSES["slim"].build_generator(experiment).state_dict()
    counter = next(name for name in weights if name.endswith("num_batches_tracked"))
    weights[counter].fill_(100_001)
    save_generator(tmp_path / "generator.safetensors", weights, experiment, "abc", 8)
    publish(tmp_path / "generator.safetensors", tmp_path / "copy.safetensors")
    assert load_restorer(tmp_path / "copy.safetensors").generator.state_dict()[counter] == 100_001


def test_training_passes_on_what_the_pairs_are(saved, experiment, pairs, tmp_path):
    """The pairs are a user's here; see test_pairs for those of the kit."""
    run = train(experiment, pairs, tmp_path / "run")
    assert load_restorer(run / "generator.safetensors").about["px_per_mm"] is None
    run = train(experiment, replace(pairs, embedded=True), tmp_path / "embedded")
    assert load_restorer(run / "generator.safetensors").about["px_per_mm"] == [1.0, 1.0]


def test_a_missing_file_says_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="05_training"):
        load_restorer(tmp_path / "none.safetensors")
    assert DEFAULT_RESTORER.parent.parent == Path(module.__file__).parent
    monkeypatch.setattr(module, "DEFAULT_RESTORER", tmp_path / "default.safetensors")
    with pytest.raises(FileNotFoundError, match=r"default\.safetensors is missing.*name a model file"):
        load_restorer()


def test_without_a_path_the_restorer_of_the_kit_is_loaded(saved, monkeypatch):
    monkeypatch.setattr(module, "DEFAULT_RESTORER", saved[0])
    assert load_restorer().about["data_checksum"] == "abc"


def rewritten(path, target, change, weights=None):
    """A copy as an older version wrote it, without a checksum, whose metadata ``change`` has edited.

    ``change`` is given the metadata, and may return a text that is written instead.
    """
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["orelib"])
    del about["sha256"]
    about = change(about) or about
    text = about if isinstance(about, str) else json.dumps(about)
    save_file(load_file(path) if weights is None else weights, target, {"orelib": text})


def deep(about):
    return json.dumps(about)[:-1] + ', "more": ' + "[" * 100_000 + "]" * 100_000 + "}"


METADATA = {
    "no_json": lambda about: "{not json",
    "a_list": lambda about: "[1, 2]",
    "no_experiment": lambda about: about.pop("experiment") and None,
    "no_step": lambda about: about.pop("step") and None,
    "no_checksum": lambda about: about.pop("data_checksum") and None,
    "step_as_text": lambda about: about.update(step="many"),
    "unknown_method": lambda about: about["experiment"].update(method="diffusion"),
    "unknown_setting": lambda about: about["experiment"].update(attention=3),
    "no_scene_size": lambda about: about["experiment"].pop("scene_size") and None,
    "another_width": lambda about: about["experiment"].update(base_width=8),
    "width_as_text": lambda about: about["experiment"].update(base_width="wide"),
    "negative_width": lambda about: about["experiment"].update(base_width=-4),
    "giant_width": lambda about: about["experiment"].update(base_width=10**9),
    "giant_depth": lambda about: about["experiment"].update(unet_depth=10**6),
    "giant_number": lambda about: json.dumps(about).replace('"unet_depth": 5', '"unet_depth": ' + "5" * 5000),
    "no_number": lambda about: about["experiment"].update(learning_rate=float("nan")),
    "experiment_as_list": lambda about: about.update(experiment=[1]),
    "experiment_as_text": lambda about: about.update(experiment="improved"),
    "method_as_list": lambda about: about["experiment"].update(method=["pix2pix"]),
    "profile_as_object": lambda about: about["experiment"].update(profile={}),
    "step_as_bool": lambda about: about.update(step=True),
    "negative_step": lambda about: about.update(step=-1),
    "checksum_for_the_terminal": lambda about: about.update(data_checksum="\x1b[2J"),
    "scale_as_text": lambda about: about.update(px_per_mm="wide"),
    "scale_of_one": lambda about: about.update(px_per_mm=[1.0]),
    "scale_no_number": lambda about: about.update(px_per_mm=[float("nan"), 1]),
    "endless_scale": lambda about: about.update(px_per_mm=[1, float("inf")]),
    "deep": deep,
    "null": lambda about: "null",
    "empty": lambda about: " ",
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_that_is_wrong_is_one_error(saved, tmp_path, name):
    rewritten(saved[0], tmp_path / f"{name}.safetensors", METADATA[name])
    with pytest.raises(ModelFileError, match=rf"{name}\.safetensors.*(?s:.*)(Copy it again|choose)") as error:
        load_restorer(tmp_path / f"{name}.safetensors")
    assert len(str(error.value)) < 1000
    assert "\x1b" not in str(error.value)


def test_a_header_that_claims_a_giant_network_takes_no_memory(saved, tmp_path, monkeypatch):
    """Networks are compared by their shapes before any is built; one of this width has a thousand million weights."""
    path, build = tmp_path / "giant.safetensors", Pix2Pix.build_generator
    rewritten(saved[0], path, lambda about: about["experiment"].update(base_width=1024, unet_depth=8, mosaic_size=256))

    def watched(experiment):
        assert torch.get_default_device().type == "meta"
        return build(experiment)

    monkeypatch.setattr(Pix2Pix, "build_generator", staticmethod(watched))
    for use in (load_restorer, lambda path: publish(path, tmp_path / "copy.safetensors")):
        with pytest.raises(ModelFileError, match=r"giant\.safetensors holds other weights"):
            use(path)


def test_weights_of_another_kind_or_shape_are_refused(saved, tmp_path):
    weights = load_file(saved[0])
    first = next(iter(weights))
    others = {
        "integers": weights | {first: weights[first].to(torch.int32)},
        "missing": {name: value for name, value in weights.items() if name != first},
        "more": weights | {"more": torch.zeros(1)},
        "turned": weights | {first: weights[first][None]},
    }
    for name, changed in others.items():
        rewritten(saved[0], tmp_path / f"{name}.safetensors", lambda about: None, changed)
        with pytest.raises(ModelFileError, match=rf"{name}\.safetensors holds other weights"):
            load_restorer(tmp_path / f"{name}.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_neither_written_nor_read(saved, tmp_path, experiment, value):
    """They would restore every photograph to black."""
    weights = load_file(saved[0])
    weights[next(iter(weights))].view(-1)[0] = value
    rewritten(saved[0], tmp_path / "old.safetensors", lambda about: None, weights)
    with pytest.raises(ModelFileError, match=r"old\.safetensors holds weights that are no finite numbers"):
        load_restorer(tmp_path / "old.safetensors")
    with pytest.raises(ModelFileError, match=r"new\.safetensors holds weights that are no finite numbers"):
        save_generator(tmp_path / "new.safetensors", weights, experiment, "abc", 12)
    assert not (tmp_path / "new.safetensors").exists()


def test_what_half_precision_cannot_hold_is_not_published(saved, tmp_path):
    weights = load_file(saved[0])
    weights[next(iter(weights))].view(-1)[0] = 1e6
    rewritten(saved[0], tmp_path / "old.safetensors", lambda about: None, weights)
    load_restorer(tmp_path / "old.safetensors")
    with pytest.raises(ModelFileError, match=r"copy\.safetensors holds weights that are no finite numbers"):
        publish(tmp_path / "old.safetensors", tmp_path / "copy.safetensors")


# ---- the checksum in it ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The smallest file that there is, whose restorer has batch norms, floats and integers."""
    experiment = Experiment("smoke", "slim", slim_width=1, unet_depth=2)
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("tiny") / "generator.safetensors"
    save_generator(path, Slim.build_generator(experiment).state_dict(), experiment, "abc", 12)
    return path


def test_a_file_with_flipped_bytes_restores_the_same_pixels_or_is_refused(tiny, tmp_path, noise):
    wet = values(noise, 8, 8, 8, 3)
    whole, restored, refused = tiny.read_bytes(), load_restorer(tiny).restore(wet), 0
    path = tmp_path / "flipped.safetensors"
    for place in range(0, len(whole), 17):
        for flip in (0x01, 0x80):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
            try:
                assert np.array_equal(load_restorer(path).restore(wet), restored)
            except ModelFileError:
                refused += 1
    assert refused > 0.9 * 2 * len(range(0, len(whole), 17))


def test_a_file_that_is_cut_or_longer_is_refused(tiny, tmp_path):
    whole = tiny.read_bytes()
    path = tmp_path / "cut.safetensors"
    for content in (*(whole[:end] for end in range(0, len(whole), 97)), whole[:-1], whole + b"\0", whole + whole):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"cut\.safetensors is damaged"):
            load_restorer(path)


def test_the_checksum_covers_names_kinds_shapes_and_bytes():
    about, weight = {"step": 1}, torch.arange(4.0)
    all_of_them = [
        (about, {"a": weight}), ({"step": 2}, {"a": weight}), (about, {"b": weight}), (about, {"a": weight + 1e-7}),
        (about, {"a": weight.view(2, 2)}), (about, {"a": weight.to(torch.int32)}), (about, {}),
        (about, {"a": weight.view(torch.int32)}), (about, {"a": weight, "c": torch.tensor(1)}),
    ]  # fmt: skip
    assert len({checksum(*one) for one in all_of_them}) == len(all_of_them)
    assert checksum(about, {"a": weight, "b": weight}) == checksum(about, {"b": weight, "a": weight.clone()})
    assert checksum(about, {"a": weight.view(2, 2).T}) == checksum(about, {"a": weight.view(2, 2).T.contiguous()})


def test_the_same_generator_gives_the_same_bytes(saved, tmp_path, experiment):
    for name in ("one", "other"):
        save_generator(tmp_path / name, saved[1].state_dict(), experiment.replace(method="pix2pix"), "abc", 12)
        publish(tmp_path / name, tmp_path / f"{name}_half")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes() == saved[0].read_bytes()
    assert (tmp_path / "one_half").read_bytes() == (tmp_path / "other_half").read_bytes()
    assert "sha256" not in load_restorer(saved[0]).about


def test_a_file_older_than_the_scale_still_loads(saved, tmp_path):
    rewritten(saved[0], tmp_path / "old.safetensors", lambda about: about.pop("px_per_mm"))
    assert "images of unknown scale" in load_restorer(tmp_path / "old.safetensors").describe()


def test_files_that_are_no_model_are_named(saved, tmp_path):
    whole = saved[0].read_bytes()
    contents = {"rubbish": b"rubbish", "empty": b"", "cut": whole[: len(whole) // 2], "head": whole[:100],
                "pickle": b"\x80\x04K\x01.", "giant_head": b"\xff" * 8 + b"{}"}  # fmt: skip
    for name, content in contents.items():
        (tmp_path / f"{name}.safetensors").write_bytes(content)
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    for name in (*contents, "other", "folder"):
        with pytest.raises(ModelFileError, match=rf"{name}\.safetensors"):
            load_restorer(tmp_path / f"{name}.safetensors")


def test_what_is_no_file_is_named_at_once(tmp_path, monkeypatch):
    """A pipe would be waited for without end."""
    monkeypatch.chdir(tmp_path)  # a socket's path may not be long
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("socket")
    listening.close()
    places = {name: tmp_path / name for name in ("pipe", "folder", "loop", "socket")}
    for name, path in {**places, "null": Path("/dev/null"), "n" * 20: tmp_path / ("n" * 300)}.items():
        for use in (load_restorer, lambda path: publish(path, tmp_path / "out"), lambda path: load_weights(None, path)):
            with pytest.raises(ModelFileError, match=name):
                use(path)
    assert not (tmp_path / "out").exists()
    with pytest.raises(FileNotFoundError, match="missing"):
        load_restorer(tmp_path / "pipe" / "deeper")


def test_a_full_disk_leaves_what_was_there(saved, tmp_path, monkeypatch, experiment):
    def full(path, content):
        with open(path, "wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    before = saved[0].read_bytes()
    with pytest.raises(OSError, match=r"generator\.safetensors cannot be written \(No space left.*make room"):
        save_generator(saved[0], saved[1].state_dict(), experiment, "abc", 13)
    with pytest.raises(OSError, match=r"copy\.safetensors cannot be written \(No space left"):
        publish(saved[0], tmp_path / "copy.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == [saved[0].name]
    assert saved[0].read_bytes() == before


def test_memory_that_runs_out_is_one_error(saved, monkeypatch, noise):
    """PyTorch says so by a RuntimeError."""

    def too_much(*_):
        return torch.empty(10**15)

    restorer = load_restorer(saved[0])
    monkeypatch.setattr(restorer.generator, "forward", too_much)
    with pytest.raises(MemoryError, match="memory ran out: a tile of the photograph"):
        restorer.restore(values(noise, 8, 8, 8, 3))
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", too_much)
    with pytest.raises(MemoryError, match=r"memory ran out: the network in .*generator\.safetensors"):
        load_restorer(saved[0])


def test_weights_go_into_a_network_of_the_same_shape_alone(saved, experiment):
    path, generator = saved
    same = Pix2Pix.build_generator(experiment)
    assert load_weights(same, path)["step"] == 12
    assert all(torch.equal(p, q) for p, q in zip(same.parameters(), generator.parameters(), strict=True))
    with pytest.raises(ModelFileError, match="another network, of method 'pix2pix'"):
        load_weights(Pix2Pix.build_generator(experiment.replace(base_width=8)), path)


@pytest.mark.parametrize("method", ["improved", "nafnet"])
def test_a_published_copy_is_half_as_large_and_restores_alike(tmp_path, experiment, pairs, method):
    run = train(experiment.replace(method=method), pairs, tmp_path / "run")
    publish(run / "generator.safetensors", tmp_path / "published" / "generator.safetensors")
    sizes = [path.stat().st_size for path in tmp_path.glob("*/generator.safetensors")]
    whole, copy = (load_restorer(tmp_path / name / "generator.safetensors") for name in ("run", "published"))
    assert min(sizes) < 0.6 * max(sizes)
    assert copy.about == whole.about | {"precision": "float16"}
    assert {parameter.dtype for parameter in copy.generator.parameters()} == {torch.float32}
    wet = pairs.test[0].load()[0]
    difference = np.abs(copy.restore(wet).astype(int) - whole.restore(wet))
    assert difference.max() <= 1
