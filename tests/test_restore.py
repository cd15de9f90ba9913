"""Restoring photographs of any size, and the model file."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from orelib import restore
from orelib.config import Experiment
from orelib.methods import METHOD_CLASSES, Pix2Pix
from orelib.networks import count_multiply_adds
from orelib.restore import (
    DEFAULT_RESTORER,
    ModelFileError,
    Restorer,
    load_restorer,
    load_weights,
    publish,
    save_generator,
)
from orelib.training import train


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
    monkeypatch.setattr(restore, "TILE", 64)
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
    monkeypatch.setattr(restore, "TILE", 64)
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
    experiment = Experiment.from_profile("smoke", "nafnet", px_per_mm=2.5, zoom=4.0, steps=2000)
    weights = METHOD_CLASSES["nafnet"].build_generator(experiment).state_dict()
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
    weights = METHOD_CLASSES["slim"].build_generator(experiment).state_dict()
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
    with pytest.raises(FileNotFoundError, match="03_training"):
        load_restorer(tmp_path / "none.safetensors")
    assert DEFAULT_RESTORER.parent.parent.name == "orelib"
    monkeypatch.setattr(restore, "DEFAULT_RESTORER", tmp_path / "default.safetensors")
    with pytest.raises(FileNotFoundError, match=r"default\.safetensors is missing.*name a model file"):
        load_restorer()


def test_without_a_path_the_restorer_of_the_kit_is_loaded(saved, monkeypatch):
    monkeypatch.setattr(restore, "DEFAULT_RESTORER", saved[0])
    assert load_restorer().about["data_checksum"] == "abc"


def rewritten(path, target, change):
    """A copy whose metadata ``change`` has edited, given as the decoded text or to be written as it is."""
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["orelib"])
    about = change(about) or about
    save_file(load_file(path), target, {"orelib": about if isinstance(about, str) else json.dumps(about)})


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
}


@pytest.mark.parametrize("name", METADATA)
def test_metadata_that_is_wrong_is_one_error(saved, tmp_path, name):
    rewritten(saved[0], tmp_path / f"{name}.safetensors", METADATA[name])
    with pytest.raises(ModelFileError, match=rf"{name}\.safetensors"):
        load_restorer(tmp_path / f"{name}.safetensors")


def test_a_file_older_than_the_scale_still_loads(saved, tmp_path):
    rewritten(saved[0], tmp_path / "old.safetensors", lambda about: about.pop("px_per_mm"))
    assert "images of unknown scale" in load_restorer(tmp_path / "old.safetensors").describe()


def test_files_that_are_no_model_are_named(saved, tmp_path):
    whole = saved[0].read_bytes()
    contents = {"rubbish": b"rubbish", "empty": b"", "cut": whole[: len(whole) // 2], "head": whole[:100],
                "pickle": b"\x80\x04K\x01."}  # fmt: skip
    for name, content in contents.items():
        (tmp_path / f"{name}.safetensors").write_bytes(content)
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    for name in (*contents, "other", "folder"):
        with pytest.raises(ModelFileError, match=rf"{name}\.safetensors"):
            load_restorer(tmp_path / f"{name}.safetensors")


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
