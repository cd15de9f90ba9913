"""Restoring photographs of any size, and the model file."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from orelib.methods import Pix2Pix
from orelib.networks import count_multiply_adds
from orelib.restore import ModelFileError, Restorer, load_restorer, load_weights, save_generator


@pytest.fixture
def saved(tmp_path, experiment):
    experiment = experiment.replace(method="pix2pix")
    generator = Pix2Pix.build_generator(experiment)
    save_generator(tmp_path / "generator.safetensors", generator.state_dict(), experiment, "abc", 12)
    return tmp_path / "generator.safetensors", generator


@pytest.mark.parametrize("size", [(64, 32), (45, 71), (7, 9), (1, 50)])
def test_any_size_is_restored_at_its_own_size(saved, noise, size):
    path, _ = saved
    wet = noise.integers(0, 256, (*size, 3)).astype(np.uint8)
    restored = load_restorer(path).restore(wet)
    assert (restored.shape, restored.dtype) == (wet.shape, np.uint8)


def test_margins_are_cut_off_where_they_were_added(noise):
    wet = noise.integers(0, 256, (45, 71, 3)).astype(np.uint8)
    same = torch.nn.Conv2d(3, 3, 1)
    torch.nn.init.dirac_(same.weight)
    torch.nn.init.zeros_(same.bias)
    assert np.array_equal(Restorer(same, stride=32).restore(wet), wet)


def test_a_loaded_restorer_restores_as_the_trained_one(saved, noise):
    path, generator = saved
    wet = noise.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    trained = Restorer(generator, generator.stride).restore(wet)
    assert np.array_equal(load_restorer(path).restore(wet), trained)


def test_the_file_says_where_it_comes_from(saved):
    restorer = load_restorer(saved[0])
    assert restorer.about["data_checksum"] == "abc"
    assert restorer.about["step"] == 12
    assert restorer.parameters == sum(p.numel() for p in saved[1].parameters())


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="03_training"):
        load_restorer(tmp_path / "none.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"rubbish")
    with pytest.raises(ModelFileError, match="broken"):
        load_restorer(tmp_path / "broken.safetensors")
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelFileError, match=r"other\.safetensors was not written by this kit"):
        load_restorer(tmp_path / "other.safetensors")


def test_weights_go_into_a_network_of_the_same_shape_alone(saved, experiment):
    path, generator = saved
    same = Pix2Pix.build_generator(experiment)
    assert load_weights(same, path)["step"] == 12
    assert all(torch.equal(p, q) for p, q in zip(same.parameters(), generator.parameters(), strict=True))
    with pytest.raises(ModelFileError, match="another network, of method 'pix2pix'"):
        load_weights(Pix2Pix.build_generator(experiment.replace(base_width=8)), path)


def test_multiply_adds_are_those_of_the_network(saved):
    restorer, generator = load_restorer(saved[0]), saved[1]
    assert restorer.multiply_adds == count_multiply_adds(generator, generator.stride, 512)
    assert restorer.multiply_adds == 16 * count_multiply_adds(generator, generator.stride, 128)
