"""NAFNet, a restoration network that is not in the paper (Chen et al. 2022, "Simple Baselines for Image Restoration").

It stands beside the paper's networks to show how much of the error comes from the method, how much from the data. Three
things set it apart from a U-Net GAN: it predicts the change of the image instead of the image, so that it need not
learn to copy what stays; it normalises over the channels of each pixel instead of over the image, so that an even
surface stays even; and it multiplies features with one another where others have an activation function.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orelib.networks import check_size


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each pixel: (N, C, H, W) -> the same shape."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.jit.is_tracing():  # for OpenVINO and ONNX: without moved axes they take two thirds of the time
            centred = x - x.mean(1, keepdim=True)
            deviation = ((centred * centred).mean(1, keepdim=True) + self.eps).sqrt()
            return centred * (self.weight[:, None, None] / deviation) + self.bias[:, None, None]
        x = x.permute(0, 2, 3, 1)  # (N, H, W, C): a layer norm looks at the last axis
        return super().forward(x).permute(0, 3, 1, 2)


class SimpleGate(nn.Module):
    """One half of the channels times the other, in place of an activation function: (N, 2 C, H, W) -> (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        one, other = x.chunk(2, dim=1)
        return one * other


class NAFBlock(nn.Module):
    """Two gated residual branches: one looks at the neighbouring pixels, one mixes the channels of each pixel.

    (N, width, H, W) -> the same shape. The gains start at 0, so that a new block passes its input on. The published
    block also weighs the channels by their mean over the whole image (simplified channel attention). It is left out:
    it made no difference on validation images, and without it the restoration of a pixel does not depend on
    distant parts of the photograph.
    """

    def __init__(self, width: int):
        super().__init__()
        self.look = nn.Sequential(
            ChannelNorm(width, eps=1e-6),
            nn.Conv2d(width, 2 * width, 1),  # (N, 2 width, H, W)
            nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width),
            SimpleGate(),  # (N, width, H, W)
            nn.Conv2d(width, width, 1),
        )
        self.mix = nn.Sequential(
            ChannelNorm(width, eps=1e-6),
            nn.Conv2d(width, 2 * width, 1),  # (N, 2 width, H, W)
            SimpleGate(),  # (N, width, H, W)
            nn.Conv2d(width, width, 1),
        )
        self.look_gain = nn.Parameter(torch.zeros(width, 1, 1))
        self.mix_gain = nn.Parameter(torch.zeros(width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.look_gain * self.look(x)
        return x + self.mix_gain * self.mix(x)


class NAFNet(nn.Module):
    """A U-shaped stack of NAFBlocks that adds its correction to the wet image.

    Each level halves the image and doubles the channels, starting with ``width`` at full resolution. ``down`` and
    ``up`` give the number of blocks of each level on the way down and up, full resolution first, and ``middle`` the
    number at the lowest. Full resolution has none, because a block costs most there: the skip connection carries the
    details, which one convolution reads and one writes. (A network without any feature map at full resolution lost 0.02
    in SSIM on validation images at the same cost; one block there, up alone, took 1.5 times as long.)

    (N, 3, H, W) in [-1, 1] -> the same shape; values may leave the range a little, and are clipped when they become an
    image. A new network returns its input. Raises ValueError when H or W is not a multiple of 2 ** levels.
    """

    def __init__(
        self,
        width: int = 32,
        down: tuple[int, ...] = (0, 0, 2, 4, 2),
        middle: int = 1,
        up: tuple[int, ...] = (0, 1, 1, 1, 1),
    ):
        super().__init__()
        widths = [width * 2**level for level in range(len(down) + 1)]
        self.stride = 2 ** len(down)
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        self.enlarge, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (down_blocks, up_blocks) in enumerate(zip(down, up, strict=True)):
            wide, narrow = widths[level + 1], widths[level]
            self.down.append(_blocks(narrow, down_blocks))
            self.shrink.append(nn.Conv2d(narrow, wide, 2, 2))
            self.enlarge.append(nn.Sequential(nn.Conv2d(wide, 4 * narrow, 1, bias=False), nn.PixelShuffle(2)))
            self.up.append(_blocks(narrow, up_blocks))
        self.middle = _blocks(widths[-1], middle)
        self.last = nn.Conv2d(width, 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        # Channels last: norms and 1 x 1 convolutions then read memory in order, a third faster on a CPU.
        self.to(memory_format=torch.channels_last)

    def forward(self, wet: Tensor) -> Tensor:
        check_size(wet, self.stride)
        x = self.first(wet.contiguous(memory_format=torch.channels_last))  # (N, 3, H, W) -> (N, width, H, W)
        skips = []
        for down, shrink in zip(self.down, self.shrink, strict=True):
            skips.append(down(x))
            x = shrink(skips[-1])  # (N, c, h, w) -> (N, 2 c, h/2, w/2)
        x = self.middle(x)
        for enlarge, up in zip(reversed(self.enlarge), reversed(self.up), strict=True):
            x = up(enlarge(x) + skips.pop())  # (N, 2 c, h/2, w/2) -> (N, c, h, w)
        return wet + self.last(x)  # -> (N, 3, H, W)


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(NAFBlock(width) for _ in range(count)))
