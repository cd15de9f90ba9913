"""The same network in another form, which an engine computes in fewer passes over memory.

Much of the time goes into reading and writing feature maps. So what is linear is merged beforehand: scale, offset and
mean of a norm into the convolution behind it, the gains of a block into its last convolutions, and all convolutions at
full resolution, so that no feature map of that size is left. What comes out is the same up to rounding.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orelib.nafnet import NAFBlock, NAFNet


def lean(generator: nn.Module) -> nn.Module:
    """Returns a generator that computes the same, for restoring alone; a network without such a form as it is."""
    if isinstance(generator, NAFNet) and not len(generator.down[0]) and not len(generator.up[0]):
        with torch.no_grad():
            return LeanNAFNet(copy.deepcopy(generator).eval()).eval()
    return generator


class UnitDeviation(nn.Module):
    """Divides each pixel by the standard deviation of its channels: (N, C, H, W) -> the same shape.

    A channel norm does so, too, but subtracts the mean first: that is left to the convolution behind, to whose weights
    it is the same if they add up to 0.
    """

    def __init__(self, eps: float):
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        return x * (length * length / x.shape[1] - mean * mean + self.eps).rsqrt()


class LeanBranch(nn.Module):
    """A branch of a :class:`~orelib.nafnet.NAFBlock`, with its gain: (N, C, H, W) -> the same shape.

    Each factor of the gate has convolutions of its own, so that no feature map is taken apart.
    """

    def __init__(self, branch: nn.Sequential, gain: Tensor):
        super().__init__()
        norm, first, *between, _, last = branch  # between: a depthwise convolution, or nothing
        weight = first.weight[..., 0, 0].double()  # (2 C, C)
        first.bias += (weight @ norm.bias.double()).float()
        weight = weight * norm.weight.double()
        first.weight[..., 0, 0] = (weight - weight.mean(1, keepdim=True)).float()
        last.weight *= gain[..., None]
        last.bias *= gain[:, 0, 0]
        self.norm, self.last = UnitDeviation(norm.eps), last
        self.one, self.other = (nn.Sequential(*layers) for layers in zip(*map(_halves, (first, *between)), strict=True))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return self.last(self.one(x) * self.other(x))


class LeanBlock(nn.Module):
    """A :class:`~orelib.nafnet.NAFBlock` without scales, offsets and gains of its own; takes over its weights."""

    def __init__(self, block: NAFBlock):
        super().__init__()
        self.look, self.mix = LeanBranch(block.look, block.look_gain), LeanBranch(block.mix, block.mix_gain)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.look(x)
        return x + self.mix(x)


class LeanNAFNet(nn.Module):
    """A :class:`~orelib.nafnet.NAFNet` without blocks at full resolution; takes over its layers.

    (N, 3, H, W) in [-1, 1] -> the same shape.
    """

    def __init__(self, net: NAFNet):
        super().__init__()
        self.stride = net.stride
        self.down, self.up = nn.ModuleList(map(_lean_blocks, net.down)), nn.ModuleList(map(_lean_blocks, net.up))
        self.middle, self.shrink, self.enlarge = _lean_blocks(net.middle), net.shrink, net.enlarge
        self.first, self.last = net.first, net.last
        # Down from full resolution: 3 x 3, then 2 x 2 at every second pixel, is 4 x 4 at every second pixel.
        self.shrink_wet = _convolution(*_chained(net.first, net.shrink[0]), stride=2, padding=1)
        # Up to full resolution: a channel for each of the four pixels that one pixel becomes.
        self.enlarge_last = _convolution(_before_enlarging(net.last.weight, net.enlarge[0][0].weight), None, padding=1)
        self.straight = _convolution(*_chained(net.first, net.last), padding=2)

    def forward(self, wet: Tensor) -> Tensor:
        x = self.shrink_wet(wet)  # (N, 3, H, W) -> (N, 2 width, H/2, W/2)
        skips = []
        for down, shrink in zip(self.down[1:], self.shrink[1:], strict=True):
            skips.append(down(x))
            x = shrink(skips[-1])
        x = self.middle(x)
        for enlarge, up in zip(reversed(self.enlarge[1:]), reversed(self.up[1:]), strict=True):
            x = up(enlarge(x) + skips.pop())
        return wet + (F.pixel_shuffle(self.enlarge_last(x), 2) + self._straight(wet))

    def _straight(self, wet: Tensor) -> Tensor:
        """The first convolution and the last, one after the other.

        At the border of the image they are not one: the last one finds zeros beyond it.
        """
        left, right, top, bottom = (
            self.last(self.first(part)) for part in (wet[..., :4], wet[..., -4:], wet[..., :4, :], wet[..., -4:, :])
        )
        inside = torch.cat([top[..., :1, :], self.straight(wet)[..., 1:-1, :], bottom[..., -1:, :]], dim=2)
        return torch.cat([left[..., :1], inside[..., 1:-1], right[..., -1:]], dim=3)


def _lean_blocks(blocks: nn.Sequential) -> nn.Sequential:
    return nn.Sequential(*map(LeanBlock, blocks))


def _halves(layer: nn.Conv2d) -> list[nn.Conv2d]:
    """Returns two convolutions that give the first and the second half of a convolution's channels."""
    half, groups, halves = layer.out_channels // 2, layer.groups, []
    for weight, bias in zip(layer.weight.split(half), layer.bias.split(half), strict=True):
        inputs = half if groups > 1 else layer.in_channels
        part = nn.Conv2d(inputs, half, layer.kernel_size, padding=layer.padding, groups=min(groups, half))
        part.weight.copy_(weight)
        part.bias.copy_(bias)
        halves.append(part)
    return halves


def _convolution(weight: Tensor, bias: Tensor | None, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    wide, narrow, side, _ = weight.shape
    layer = nn.Conv2d(narrow, wide, side, stride, padding, bias=bias is not None)
    layer.weight.copy_(weight)
    if bias is not None:
        layer.bias.copy_(bias)
    return layer


def _chained(one: nn.Conv2d, other: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of two convolutions in one: (M, I, s, s), then (O, M, t, t), is (O, I, s + t - 1, s + t - 1)."""
    first, then = one.weight.double().transpose(0, 1), other.weight.double()
    spread = F.conv2d(first, then.flip(2, 3), padding=then.shape[-1] - 1).transpose(0, 1)
    return spread.float(), (then.sum((2, 3)) @ one.bias.double() + other.bias.double()).float()


def _before_enlarging(last: Tensor, enlarge: Tensor) -> Tensor:
    """Weights of a 1 x 1 convolution (4 M, I, 1, 1), a pixel shuffle to (M, 2 H, 2 W), and a convolution (O, M, 3, 3).

    Returns (4 O, I, 3, 3), for a convolution before the pixel shuffle.
    """
    wide, middle = last.shape[:2]
    inputs = enlarge.shape[1]
    enlarge = enlarge.double().view(middle, 2, 2, inputs)  # the shuffle's order: channel, row, column
    merged = torch.zeros(wide, 2, 2, inputs, 3, 3, dtype=torch.double)
    for row, column, down, right in torch.cartesian_prod(*(torch.arange(n) for n in (2, 2, 3, 3))).tolist():
        # The pixel at (row, column) of the four sees the one that lies (down - 1, right - 1) from it.
        (y, from_row), (x, from_column) = divmod(row + down - 1, 2), divmod(column + right - 1, 2)
        merged[:, row, column, :, 1 + y, 1 + x] += last[:, :, down, right].double() @ enlarge[:, from_row, from_column]
    return merged.view(4 * wide, inputs, 3, 3).float()
