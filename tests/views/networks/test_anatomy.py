"""Shapes and levels of networks: what the figures say is what the modules do."""

import pytest
import torch

from orelib.config import Experiment
from orelib.networks import PatchGAN, ResidualBlock, ResNetGenerator, UNet
from orelib.views.networks.anatomy import paper_networks, reconstruction_weights, shapes, unet_levels


@pytest.mark.parametrize(("width", "depth", "size"), [(64, 8, 512), (24, 7, 128), (4, 2, 8)])
def test_levels_are_what_flows_through_the_network(width, depth, size):
    with torch.device("meta"):
        network = UNet(width, depth)
    levels = unet_levels(network, size)
    widths = [3, *(width * min(2**k, 8) for k in range(depth))]
    assert [level.side for level in levels] == [size >> k for k in range(depth + 1)]
    assert [level.down for level in levels] == widths
    assert [level.up for level in levels] == [3, *widths[1:-1], 0]
    assert not any(level.residual_down or level.residual_up for level in levels)


def test_residual_modules_are_found_where_they_are():
    network = UNet(4, 6, residual=True)
    levels = unet_levels(network, 64)
    assert [level.residual_down for level in levels] == [False, False, True, True, True, True, False]
    assert [level.residual_up for level in levels] == [False, True, True, True, True, False, False]
    found = sum(level.residual_down + level.residual_up for level in levels)
    assert found == sum(isinstance(module, ResidualBlock) for module in network.modules())


@pytest.mark.parametrize("network", [PatchGAN(6, 4), ResNetGenerator(4, 1), UNet(4, 5)])
def test_shapes_are_those_of_a_real_image_and_leave_the_network_alone(network):
    seen = shapes(network, 64)
    image = torch.zeros(1, seen[""][0][0], 64, 64)
    assert seen[""] == (image.shape[1:], network(image).shape[1:])
    assert network.training
    assert all(parameter.device.type == "cpu" and not module._forward_hooks
               for module in network.modules() for parameter in module.parameters())  # fmt: skip


def test_the_papers_networks_take_no_memory():
    networks = paper_networks()
    assert list(networks) == ["Pix2Pix", "CycleGAN", "Improved", "NAFNet", "Slim", "PatchGAN"]
    assert all(parameter.is_meta for network in networks.values() for parameter in network.parameters())
    assert shapes(networks["PatchGAN"], 512)[""] == ((6, 512, 512), (1, 62, 62))


def test_weights_of_losses_are_the_methods_own():
    assert reconstruction_weights("pix2pix") == {"l1": Experiment("paper").lambda_l1}
    assert set(reconstruction_weights("improved")) == {"l1", "mse", "ssim"}
