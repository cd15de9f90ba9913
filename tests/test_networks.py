"""Networks: well-known parameter counts, output shapes, and the residual module as eq. 4 prints it."""

import pytest
import torch
from torch import nn

from orelib.networks import InstanceNorm, PatchGAN, ResidualBlock, ResNetGenerator, UNet, count_parameters


@pytest.mark.parametrize(
    ("build", "millions"),
    [
        (lambda: UNet(64, 8), 54.4),
        (lambda: PatchGAN(6, 64), 2.8),
        (lambda: ResNetGenerator(64, 9), 11.4),
    ],
)
def test_width_64_has_the_well_known_parameter_counts(build, millions):
    with torch.device("meta"):
        assert round(count_parameters(build()) / 1e6, 1) == millions


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("depth", "size"), [(2, (8, 4)), (5, (32, 32)), (5, (64, 96))])
def test_unet_keeps_size_and_range(residual, depth, size):
    image = torch.rand(2, 3, *size) * 2 - 1
    restored = UNet(4, depth, residual)(image)
    assert restored.shape == image.shape
    assert restored.abs().max() <= 1


def test_unet_names_the_sizes_it_takes():
    with pytest.raises(ValueError, match="multiples of 32"):
        UNet(4, 5)(torch.zeros(1, 3, 48, 64))
    with pytest.raises(ValueError, match="at least 2"):
        UNet(4, 1)


def test_residual_modules_sit_at_all_but_the_outermost_and_innermost_stages():
    blocks = [m for m in UNet(4, 6, residual=True).modules() if isinstance(m, ResidualBlock)]
    assert len(blocks) == 2 * (6 - 2)
    assert not any(isinstance(m, ResidualBlock) for m in UNet(4, 6).modules())


def test_residual_module_is_eq_4():
    block = ResidualBlock(3)
    for layer in block.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.dirac_(layer.weight)
    block.residual[1], block.residual[4] = nn.Identity(), nn.Identity()
    x = torch.randn(1, 3, 6, 6)
    assert torch.allclose(block(x), x.relu() + x)


def test_dropout_is_off_in_evaluation():
    network, image = UNet(4, 7), torch.rand(1, 3, 128, 128)
    assert sum(isinstance(m, nn.Dropout) for m in network.modules()) == 2
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


@pytest.mark.parametrize(("size", "grid"), [(256, 30), (128, 14), (32, 2)])
def test_patchgan_gives_a_grid_of_logits(size, grid):
    assert PatchGAN(6, 4)(torch.zeros(1, 6, size, size)).shape == (1, 1, grid, grid)


def test_patchgan_judges_patches_of_70_pixels():
    network = PatchGAN(3, 2)
    for layer in network.modules():  # norms look at the whole image, so they are left out of the question
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 0.1)
    network.layers = nn.Sequential(*(m for m in network.layers if not isinstance(m, nn.InstanceNorm2d)))
    image = torch.zeros(1, 3, 160, 160, requires_grad=True)
    network(image)[0, 0, 9, 9].backward()
    rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero()
    assert rows.max() - rows.min() + 1 == 70


def test_resnet_generator_keeps_size_and_names_the_sizes_it_takes():
    network = ResNetGenerator(4, 2)
    assert network(torch.zeros(1, 3, 36, 44)).shape == (1, 3, 36, 44)
    with pytest.raises(ValueError, match="multiples of 4"):
        network(torch.zeros(1, 3, 38, 44))


@pytest.mark.parametrize("network", [UNet(4, 5, residual=True), ResNetGenerator(4, 1)])
def test_every_weight_learns(network):
    network(torch.rand(1, 3, 64, 64)).square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_instance_norm_is_pytorchs_and_keeps_the_order_of_the_image():
    ours, theirs = InstanceNorm(5), nn.InstanceNorm2d(5, affine=True)
    nn.init.normal_(ours.weight)
    theirs.load_state_dict(ours.state_dict())
    for images in (torch.randn(1, 5, 6, 7), torch.randn(3, 5, 6, 7)):
        images = images.contiguous(memory_format=torch.channels_last)
        assert torch.allclose(ours(images), theirs(images), atol=1e-6)
        assert ours(images).is_contiguous(memory_format=torch.channels_last)


def test_with_batch_norms_a_restoration_does_not_depend_on_the_rest_of_the_batch():
    torch.manual_seed(0)
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    for norm, differs in ((nn.BatchNorm2d, True), (InstanceNorm, False)):
        network = UNet(4, 3, norm=norm)
        network.train()
        alone, together = network(images[:1]), network(images)[:1]
        assert torch.allclose(alone, together, atol=1e-5) != differs
        network.eval()
        assert torch.allclose(network(images[:1]), network(images)[:1], atol=1e-5)
