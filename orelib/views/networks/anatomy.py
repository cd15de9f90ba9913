"""What a network is made of, as the network itself says: shapes from hooks, weights from its parameters.

Networks run on PyTorch's meta device here, which computes shapes and no values: the paper's sizes cost no memory.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from orelib.config import PUBLISHED, Experiment, entry_of
from orelib.methods import CLASSES
from orelib.networks import PatchGAN, ResidualBlock, UNet, UNetLevel

Shape = tuple[int, ...]  # (C, H, W)


def on_meta(method: str, profile: str = "paper") -> nn.Module:
    """Builds the generator of a method without memory: it has shapes, but no values."""
    with torch.device("meta"):
        return CLASSES[method].build_generator(Experiment(profile, method))


def paper_networks() -> dict[str, nn.Module]:
    """Builds the generators of Table 3, and the discriminator, at the paper's widths on the meta device, by title."""
    generators = {entry_of(method).short: on_meta(method) for method in PUBLISHED}
    with torch.device("meta"):
        return generators | {"PatchGAN": PatchGAN(6, Experiment("paper").discriminator_width)}


def reconstruction_weights(method: str) -> dict[str, float]:
    """Returns the weights of the losses that compare G(x) with y, by name, as the code of the method adds them up.

    ``method`` is Pix2Pix or one derived from it; of a small profile, without the perceptual loss.
    """
    small, image = CLASSES[method](Experiment("smoke", method), torch.device("cpu")), torch.zeros(1, 3, 32, 32)
    return {name: weight for name, (weight, _) in small.reconstruction(image, image).items()}


def shapes(network: nn.Module, size: int) -> dict[str, tuple[Shape, Shape]]:
    """Returns the shapes (C, H, W) of input and output of every module, by name, for an image of ``size`` px a side.

    The number of the image's channels is what the first convolution takes.
    """
    seen: dict[str, tuple[Shape, Shape]] = {}

    def note(name: str):
        def hook(_, inputs: tuple[Tensor], output: Tensor) -> None:
            seen[name] = tuple(inputs[0].shape[1:]), tuple(output.shape[1:])

        return hook

    probe = copy.deepcopy(network).to("meta").eval()
    for name, module in probe.named_modules():
        module.register_forward_hook(note(name))
    first = next(module for module in probe.modules() if isinstance(module, nn.Conv2d))
    with torch.no_grad():
        probe(torch.empty(1, first.in_channels, size, size, device="meta"))
    return seen


# ---- the U-Net -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Level:
    """The feature maps of one size in a U-Net: ``down`` channels on the way down, and ``up`` channels on the way up.

    The level with the image itself has its 3 channels on either side; the lowest has nothing on the way up (0). A skip
    connection puts both side by side. ``residual_down`` and ``residual_up`` say whether a residual module follows.
    """

    side: int
    down: int
    up: int
    residual_down: bool = False
    residual_up: bool = False


def unet_levels(network: UNet, size: int) -> list[Level]:
    """Returns the levels of a U-Net for an image of ``size`` px a side, the image first, the lowest last."""
    seen, module, name = shapes(network, size), network.inner, "inner"
    levels, follows = [Level(size, seen["first"][0][0], seen["last"][1][0])], False
    while isinstance(module, UNetLevel):
        channels, side, _ = seen[name][0]
        levels.append(Level(side, channels, seen[f"{name}.up"][1][0], follows, _has_residual(module.up)))
        follows, lowest = _has_residual(module.down), seen[f"{name}.down"][1]
        module, name = module.inner, f"{name}.inner"
    return [*levels, Level(lowest[1], lowest[0], 0, follows)]


def _has_residual(modules: nn.Module) -> bool:
    return any(isinstance(module, ResidualBlock) for module in modules.modules())
