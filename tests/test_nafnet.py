"""NAFNet: shapes, where it starts, what its blocks do, and how far they look."""

import pytest
import torch
from torch import nn

from orelib.nafnet import ChannelNorm, NAFBlock, NAFNet, SimpleGate
from orelib.networks import count_multiply_adds, count_parameters


def awake(network: nn.Module) -> nn.Module:
    """With random weights where a new network has zeros."""
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, 0, 0.1)
    return network


def test_a_new_network_returns_its_input():
    image = torch.rand(2, 3, 32, 64) * 2 - 1
    assert torch.equal(NAFNet(4)(image), image)
    assert awake(NAFNet(4))(image).shape == image.shape


def test_it_names_the_sizes_it_takes():
    with pytest.raises(ValueError, match="multiples of 32"):
        NAFNet(4)(torch.zeros(1, 3, 48, 64))


def test_the_norm_sees_one_pixel_at_a_time():
    x = torch.randn(1, 8, 4, 4)
    changed = x.clone()
    changed[..., 0, 0] += torch.randn(8)
    one, other = ChannelNorm(8)(x), ChannelNorm(8)(changed)
    assert torch.allclose(one[..., 1:, :], other[..., 1:, :])
    assert torch.allclose(one.mean(1), torch.zeros(1, 4, 4), atol=1e-6)


def test_the_gate_multiplies_halves():
    x = torch.randn(1, 6, 2, 2)
    assert torch.equal(SimpleGate()(x), x[:, :3] * x[:, 3:])


def test_a_block_looks_at_its_neighbours_alone():
    block, image = awake(NAFBlock(4)), torch.randn(1, 4, 9, 9, requires_grad=True)
    block(image)[0, :, 4, 4].sum().backward()
    rows, columns = image.grad.abs().sum(dim=(0, 1)).nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 5, 3, 5)


def test_what_lies_far_away_changes_nothing():
    """No statistics of the whole image: a photograph can be restored in parts."""
    network, image = awake(NAFNet(4)), torch.rand(1, 3, 32, 1024) * 2 - 1
    changed = image.clone()
    changed[..., 960:] = -1
    with torch.no_grad():
        one, other = network(image), network(changed)
    assert torch.allclose(one[..., :64], other[..., :64], atol=1e-6)
    assert not torch.allclose(one[..., 960:], other[..., 960:])


def test_every_weight_learns():
    network = awake(NAFNet(4))
    network(torch.rand(1, 3, 64, 64)).square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_multiply_adds_are_those_of_its_convolutions():
    convolution = nn.Conv2d(3, 5, 3, padding=1)
    assert count_multiply_adds(convolution, stride=1, size=10) == 3 * 5 * 9 * 10 * 10
    assert count_multiply_adds(convolution, stride=64, size=10) == 3 * 5 * 9 * 64 * 64
    assert count_parameters(convolution) == 3 * 5 * 9 + 5
    assert next(convolution.parameters()).device.type == "cpu"
