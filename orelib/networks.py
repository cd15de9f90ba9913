"""The networks of the paper: residual U-Net, plain U-Net, PatchGAN and CycleGAN's ResNet generator.

Generators map a wet image (N, 3, H, W) in [-1, 1] to a dry one of the same shape and range. Norms are instance norms:
the paper trains with batch 1, where the batch norm of Pix2Pix is the same (Isola et al. 2017, section 3.3).
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class InstanceNorm(nn.InstanceNorm2d):
    """Instance norm with a learned scale and offset: every channel of every image to mean 0 and variance 1.

    (N, C, H, W) -> the same shape and order in memory. PyTorch's own forward puts channels-last images in another
    order, and the copies that follow cost CycleGAN a seventh of its step; a group norm, one channel per group, a fifth.
    """

    def __init__(self, channels: int):
        super().__init__(channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        if torch.jit.is_tracing():  # OpenVINO and ONNX know this norm, but no batch norm with an image's statistics
            return super().forward(x)
        # A single image's batch norm is its instance norm.
        images = [
            F.batch_norm(image, None, None, self.weight, self.bias, training=True, eps=self.eps)
            for image in x.split(1)  # (1, C, H, W) each
        ]
        return torch.cat(images) if len(images) > 1 else images[0]


class ResidualBlock(nn.Module):
    """The residual module of the paper, eq. 4: ``F = W2 relu(W1 X)``, ``Y = F + X``; (N, channels, H, W) throughout.

    W1 and W2 are 3 x 3 convolutions. The paper does not say how they are normalised; an instance norm follows each,
    as in the ResNet blocks of CycleGAN.
    """

    def __init__(self, channels: int, padding_mode: str = "zeros"):
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding_mode, bias=False),
            InstanceNorm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding_mode, bias=False),
            InstanceNorm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + x


class UNetLevel(nn.Module):
    """One level of the U-Net: halve the image, go deeper, double it again, and join the result to the input."""

    def __init__(
        self,
        width: int,
        inner_width: int,
        inner: nn.Module | None,
        residual: bool,
        dropout: bool,
        norm: Callable[[int], nn.Module],
    ):
        super().__init__()
        innermost = inner is None
        # down: (N, width, H, W) -> (N, inner_width, H/2, W/2)
        # The innermost feature map can be 1 x 1, which no instance norm can normalise.
        down = [nn.LeakyReLU(0.2), nn.Conv2d(width, inner_width, 4, 2, 1, bias=False)]
        down += [] if innermost else [norm(inner_width)]
        # up: (N, 2 inner_width, H/2, W/2) -> (N, width, H, W); the innermost level joins nothing: inner_width alone
        up = [nn.ReLU(), nn.ConvTranspose2d(inner_width * (1 if innermost else 2), width, 4, 2, 1, bias=False)]
        up += [norm(width)]
        if residual and not innermost:
            down += [ResidualBlock(inner_width)]
            up += [ResidualBlock(width)]
        up += [nn.Dropout(0.5)] if dropout else []
        self.down, self.inner, self.up = nn.Sequential(*down), inner or nn.Identity(), nn.Sequential(*up)

    def forward(self, x: Tensor) -> Tensor:
        deep = self.down(x)  # (N, width, H, W) -> (N, inner_width, H/2, W/2)
        deep = self.inner(deep)  # -> (N, 2 inner_width, H/2, W/2)
        deep = self.up(deep)  # -> (N, width, H, W)
        return torch.cat([x, deep], dim=1)  # -> (N, 2 width, H, W): x itself is the skip connection


class UNet(nn.Module):
    """The generator of Pix2Pix and, with ``residual=True``, the paper's improved generator (Fig. 2 and 3).

    ``depth`` levels halve the image, so height and width must be multiples of ``2 ** depth``. Channels double from
    ``width`` up to eight times that. The residual modules sit after every down- and up-sampling stage except the
    outermost and the innermost: the paper's Fig. 3 shows them throughout without naming the levels.

    Dropout after the up-sampling stages of eight times the base width, all but the innermost (three at depth 8, two at
    depth 7), is the noise z of eq. 1, as in Pix2Pix; in evaluation mode it is off, so that one photograph has one
    restoration.

    ``norm`` makes a norm for a number of channels. With ``nn.BatchNorm2d``, whose statistics come from the training
    images and are fixed in evaluation mode, restoring a pixel does not depend on distant pixels, and the norm can
    be merged into the convolution before it; it needs batches of several images. (Residual modules keep theirs.)

    Raises ValueError when an image does not fit the depth.
    """

    def __init__(
        self,
        width: int = 64,
        depth: int = 8,
        residual: bool = False,
        norm: Callable[[int], nn.Module] = InstanceNorm,
    ):
        super().__init__()
        if depth < 2:
            raise ValueError(f"depth={depth}: a U-Net needs at least 2 levels")
        widths = [width * min(2**level, 8) for level in range(depth)]  # after each down-sampling
        inner = None
        for level in reversed(range(1, depth)):
            # In Pix2Pix dropout sits between the levels of eight times the base width, below the innermost one.
            dropout = inner is not None and widths[level - 1] == widths[level] == 8 * width
            inner = UNetLevel(widths[level - 1], widths[level], inner, residual, dropout, norm)
        self.stride = 2**depth
        self.first = nn.Conv2d(3, width, 4, 2, 1)
        self.inner = inner
        self.last = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * width, 3, 4, 2, 1), nn.Tanh())
        self.apply(init_weights)

    def forward(self, wet: Tensor) -> Tensor:
        check_size(wet, self.stride)
        x = self.first(wet)  # (N, 3, H, W) -> (N, width, H/2, W/2)
        x = self.inner(x)  # -> (N, 2 width, H/2, W/2)
        return self.last(x)  # -> (N, 3, H, W)


class PatchGAN(nn.Module):
    """The 70 x 70 PatchGAN: a grid of logits, each judging one overlapping 70 x 70 patch (Isola et al. 2017; Fig. 4).

    ``in_channels`` is 6 when the wet image is the condition (Pix2Pix, Improved) and 3 without one (CycleGAN).
    (N, in_channels, H, W) -> (N, 1, H/8 - 2, W/8 - 2).
    """

    def __init__(self, in_channels: int = 6, width: int = 64):
        super().__init__()
        layers = [nn.Conv2d(in_channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]  # -> (N, width, H/2, W/2)
        # -> (N, 2 width, H/4, W/4) -> (N, 4 width, H/8, W/8) -> (N, 8 width, H/8 - 1, W/8 - 1)
        for narrow, wide, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            layers += [nn.Conv2d(width * narrow, width * wide, 4, stride, 1, bias=False)]
            layers += [InstanceNorm(width * wide), nn.LeakyReLU(0.2)]
        layers += [nn.Conv2d(width * 8, 1, 4, 1, 1)]  # -> (N, 1, H/8 - 2, W/8 - 2)
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # a little faster on a CPU
        self.apply(init_weights)

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image.contiguous(memory_format=torch.channels_last))


class ResNetGenerator(nn.Module):
    """CycleGAN's generator: down to a quarter of the size, ``blocks`` residual blocks, and up again.

    (Zhu et al. 2017, section 7.2; 6 blocks for 128 px, 9 for 256 px and more.)

    Raises ValueError when height or width is not a multiple of 4.
    """

    stride = 4

    def __init__(self, width: int = 64, blocks: int = 9):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 7, padding=3, padding_mode="reflect", bias=False),  # (N, width, H, W)
            *(InstanceNorm(width), nn.ReLU()),
            nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False),  # (N, 2 width, H/2, W/2)
            *(InstanceNorm(2 * width), nn.ReLU()),
            nn.Conv2d(2 * width, 4 * width, 3, 2, 1, bias=False),  # (N, 4 width, H/4, W/4)
            *(InstanceNorm(4 * width), nn.ReLU()),
            *(ResidualBlock(4 * width, padding_mode="reflect") for _ in range(blocks)),
            nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, output_padding=1, bias=False),  # (N, 2 width, H/2, W/2)
            *(InstanceNorm(2 * width), nn.ReLU()),
            nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1, bias=False),  # (N, width, H, W)
            *(InstanceNorm(width), nn.ReLU()),
            nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect"),  # (N, 3, H, W)
            nn.Tanh(),
        ).to(memory_format=torch.channels_last)  # a seventh faster on a CPU; the U-Net gains nothing by it
        self.apply(init_weights)

    def forward(self, image: Tensor) -> Tensor:
        check_size(image, self.stride)
        return self.layers(image.contiguous(memory_format=torch.channels_last))


def check_size(image: Tensor, stride: int) -> None:
    height, width = image.shape[-2:]
    if height % stride or width % stride:
        raise ValueError(f"image of {height} x {width} px: both sides must be multiples of {stride}")


def init_weights(module: nn.Module) -> None:
    """Normal weights of standard deviation 0.02, as in Pix2Pix and CycleGAN."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.InstanceNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def count_multiply_adds(generator: nn.Module, stride: int, size: int = 512) -> int:
    """Multiplications, each with its addition, that restoring ``size`` x ``size`` px takes in convolutions.

    ``size`` is rounded up to a multiple of ``stride``. Counted on PyTorch's meta device, which computes no values; for
    a generator as built or loaded, not one that :func:`~orelib.methods.base.on_device` made compute in bfloat16.
    """
    from torch.utils.flop_counter import FlopCounterMode  # takes a quarter of a second; few starts need it

    side = -(-size // stride) * stride
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        copy.deepcopy(generator).to("meta")(torch.empty(1, 3, side, side, device="meta"))
    return counter.get_total_flops() // 2


def count_parameters(module: nn.Module) -> int:
    """Number of trained parameters."""
    return sum(parameter.numel() for parameter in module.parameters())
