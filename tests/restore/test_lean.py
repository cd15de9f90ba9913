"""The lean form of a network computes the same, at its border, too."""

import pytest
import torch

from orelib.nafnet import NAFNet
from orelib.networks import UNet
from orelib.restore.lean import LeanNAFNet, lean
from orelib.restore.restorer import load_restorer


def shaken(generator):
    """Some weights of a new network are 0 or 1, so that they would not matter."""
    with torch.no_grad():
        for value in generator.parameters():
            value += 0.1 * torch.randn_like(value)
    return generator.eval()


@torch.inference_mode()
@pytest.mark.parametrize("size", [(8, 8), (16, 40), (24, 16)])
@pytest.mark.parametrize("blocks", [((0, 0, 1), 1, (0, 1, 1)), ((0, 2), 0, (0, 0))])
def test_it_computes_the_same(size, blocks):
    torch.manual_seed(1)
    generator = shaken(NAFNet(4, *blocks))
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    wet = torch.rand(2, 3, *size) * 2 - 1
    restored = generator(wet)
    other = lean(generator)
    assert isinstance(other, LeanNAFNet)
    assert other.stride == generator.stride
    assert (other(wet) - restored).abs().max() < 1e-4 * restored.abs().max()
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


@torch.inference_mode()
def test_the_kits_network_computes_the_same():
    generator, wet = load_restorer().network.generator, torch.rand(1, 3, 96, 64) * 2 - 1
    assert (lean(generator)(wet) - generator.eval()(wet)).abs().max() < 1e-5


def test_others_stay_as_they_are():
    for generator in (UNet(4, 3), NAFNet(4, (1, 0), 1, (0, 1))):
        assert lean(generator) is generator
