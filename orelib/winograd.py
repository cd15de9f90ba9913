"""Convolutions that take fewer multiplications on a CPU (Winograd 1980; Lavin & Gray 2016, arXiv:1509.09308).

As two numbers of n digits are multiplied by evaluating both as polynomials at a few points, multiplying point by point
and finding the polynomial through the products, so a small kernel and a small tile of an image are convolved: both are
transformed, multiplied element by element, which sums over channels and is a matrix product an element, and the
products transformed back. A tile of 4 x 4 outputs of a 3 x 3 kernel takes 36 multiplications a pair of channels instead
of 144. The results differ from those of PyTorch's own convolutions by rounding, 0.00001 of the largest value.

:class:`Conv2d` and :class:`ConvTranspose2d` are PyTorch's layers, which compute so where it is faster, see
:func:`pays`. A convolution of stride 2 is one of stride 1 whose channels are the four pixels of each 2 x 2.

Within this file images are (N, H, W, C), tiles (points, T, channels), where points are those of a tile and T counts the
tiles of all images.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_kept: WeakKeyDictionary[nn.Module, tuple[tuple[int, int], Tensor]] = WeakKeyDictionary()  # see _kernels

POINTS = (0, 1, -1, 2, -2)  # small numbers, with which little precision is lost; the last point is infinity
OUTPUTS = {2: 4, 3: 4, 4: 3}  # a tile's along each side, by the kernel's taps: as many as the points are enough for
# What it takes to move an element of a transformed tile, and one of a transformed kernel, in multiply-adds. In training
# 45 to 70 were seen, gradients being moved, too. In restoring, kernels are only read.
TRAINING, RESTORING = (60, 60), (110, 8)


class Conv2d(nn.Conv2d):
    """PyTorch's layer, which leaves to PyTorch what has groups, dilation, or kernels that are not square."""

    def forward(self, x: Tensor) -> Tensor:
        if not _is_square(self):
            return super().forward(x)
        kernel, stride, margin = self.kernel_size[0], self.stride[0], self.padding[0]
        sides = [(length + 2 * margin - kernel) // stride + 1 for length in x.shape[2:]]
        if not pays(x, self.weight, sides, stride):
            return super().forward(x)
        if self.padding_mode != "zeros":
            x, margin = F.pad(x, [margin] * 4, self.padding_mode), 0
        return _as_ordered(_convolve(x, self, sides, margin), self.bias, x)


class ConvTranspose2d(nn.ConvTranspose2d):
    """PyTorch's layer, which leaves to PyTorch what :class:`Conv2d` does, and outputs of a given size."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        stride, given = self.stride[0], output_size or any(self.output_padding)
        if given or not _is_square(self) or not pays(x, self.weight, x.shape[2:], stride):
            return super().forward(x, output_size)
        return _as_ordered(_convolve_transposed(x, self), self.bias, x)


def _is_square(layer: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    sides = (layer.kernel_size, layer.stride, layer.padding)
    return layer.groups == 1 and layer.dilation == (1, 1) and all(len({*side}) == 1 for side in sides)


def pays(x: Tensor, weight: Tensor, sides: Sequence[int], stride: int) -> bool:
    """Whether an image (N, C, H, W) is convolved faster so than by PyTorch; ``sides`` are those that tiles cover.

    It does with many channels, over which the transforms of tiles are shared out, and many tiles, over which those of
    kernels are. Never on a GPU, whose libraries choose for themselves.
    """
    kernel, (move_tile, move_kernel) = weight.shape[-1], TRAINING if torch.is_grad_enabled() else RESTORING
    if (
        x.dim() != 4
        or x.device.type != "cpu"
        or x.dtype != torch.float32
        or kernel % stride
        or kernel // stride not in OUTPUTS
    ):
        return False
    one, other = weight.shape[:2]
    outputs = OUTPUTS[kernel // stride]
    tiles = x.shape[0] * _count(sides[0], outputs) * _count(sides[1], outputs)
    points = (outputs + kernel // stride - 1) ** 2
    products = points * stride**2 * tiles * one * other
    moved = points * (move_kernel * stride**2 * one * other + move_tile * tiles * (one + other * stride**2))
    return products + moved < x.shape[0] * sides[0] * sides[1] * kernel**2 * one * other


def _count(length: int, outputs: int) -> int:
    """Tiles along a side."""
    return -(-length // outputs)


def _as_ordered(y: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    """(N, H, W, C) as (N, C, H, W), with the bias, in memory ordered as ``x`` is."""
    y = y.permute(0, 3, 1, 2)
    y = y if bias is None else y + bias.view(-1, 1, 1)
    last = x.is_contiguous(memory_format=torch.channels_last)
    return y.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


def _convolve(x: Tensor, layer: Conv2d, sides: Sequence[int], margin: int) -> Tensor:
    """(N, C, H, W) with kernels (K, C, k, k) -> (N, H', W', K), H' and W' being ``sides``."""
    stride = layer.stride[0]
    taps = layer.kernel_size[0] // stride
    step = OUTPUTS[taps]
    outputs, _, inputs = _transforms(taps)
    (high, wide), (down, right) = sides, (_count(length, step) for length in sides)
    bottom, after = (
        (count * step + taps - 1) * stride - length - margin
        for count, length in zip((down, right), x.shape[2:], strict=True)
    )
    # One name for all, so that each is forgotten as soon as the next is computed: they are large.
    y = F.pad(x.permute(0, 2, 3, 1), (0, 0, margin, after, margin, bottom)).contiguous()
    y = _Tiles.apply(y, taps, stride)
    y = (inputs @ y).view(len(inputs), len(x) * down * right, -1)
    y = _Products.apply(y, _kernels(layer))
    y = (outputs @ y.flatten(1)).view(step, step, len(x), down, right, -1)
    return y.permute(2, 3, 0, 4, 1, 5).reshape(len(x), down * step, right * step, -1)[:, :high, :wide]


def _convolve_transposed(x: Tensor, layer: ConvTranspose2d) -> Tensor:
    """(N, K, H, W) with kernels (K, C, k, k) -> (N, H', W', C): what :func:`_convolve` does, transposed, in reverse."""
    kernel, stride, margin = layer.kernel_size[0], layer.stride[0], layer.padding[0]
    taps = kernel // stride
    step = OUTPUTS[taps]
    outputs, _, inputs = _transforms(taps)
    count, channels, high, wide = x.shape
    down, right = _count(high, step), _count(wide, step)
    shape = count, *((n * step + taps - 1) * stride for n in (down, right)), layer.out_channels
    y = F.pad(x.permute(0, 2, 3, 1), (0, 0, 0, right * step - wide, 0, down * step - high))
    y = y.reshape(count, down, step, right, step, channels).permute(2, 4, 0, 1, 3, 5).reshape(step**2, -1)
    y = (outputs.T @ y).view(len(inputs), -1, channels)
    y = y @ _kernels(layer)
    y = inputs.T @ y.flatten(1)
    y = _Overlapped.apply(y, shape, taps, stride)
    high, wide = ((length - 1) * stride + kernel - 2 * margin for length in (high, wide))
    return y[:, margin : margin + high, margin : margin + wide]


@cache
def _transforms(taps: int) -> tuple[Tensor, Tensor, Tensor]:
    """The matrices that transform products to outputs, kernels of ``taps`` x ``taps`` to points, and inputs to points.

    Evaluating polynomials of n coefficients at the points (infinity: the last coefficient) is a matrix V_n, square and
    called V where there are as many points. Multiplying polynomials of m and r coefficients is then
    ``V^-1 ((V_m a) * (V_r b))``, and convolution with r taps, of m outputs, is this transposed:
    ``V_m^T ((V_r b) * (V^-T d))``. Both sides of a tile at once are a Kronecker product.
    """
    size = OUTPUTS[taps] + taps - 1
    points = np.array(POINTS[: size - 1], dtype=np.float64)

    def evaluation(coefficients: int) -> np.ndarray:
        infinity = np.eye(coefficients)[-1:]
        return np.concatenate([points[:, None] ** np.arange(coefficients), infinity])

    matrices = evaluation(OUTPUTS[taps]).T, evaluation(taps), np.linalg.inv(evaluation(size)).T
    # Kept for trainings to come, although the first who asks may be restoring.
    with torch.inference_mode(False):
        return tuple(torch.tensor(np.kron(matrix, matrix), dtype=torch.float32) for matrix in matrices)


def _kernels(layer: Conv2d | ConvTranspose2d) -> Tensor:
    """The kernels (K, C, k, k) of a layer, transformed: (points, K, stride^2 C).

    Without gradients they are kept for the next image, until the layer computes with gradients or its weights change.
    """
    weight = layer.weight
    if torch.is_grad_enabled() or weight.is_inference():  # whose changes PyTorch does not count
        _kept.pop(layer, None)
        return _transformed(weight, layer.stride[0])
    state = weight.data_ptr(), weight._version
    if layer not in _kept or _kept[layer][0] != state:
        _kept[layer] = state, _transformed(weight, layer.stride[0])
    return _kept[layer][1]


def _transformed(weight: Tensor, stride: int) -> Tensor:
    one, other, side, _ = weight.shape
    transform = _transforms(side // stride)[1]
    taps = weight.permute(2, 3, 0, 1)
    if stride > 1:
        split = taps.reshape(side // stride, stride, side // stride, stride, one, other)
        taps = split.permute(0, 2, 4, 1, 3, 5)
    return (transform @ taps.reshape(transform.shape[1], -1)).view(len(transform), one, -1)


def _overlapping(x: Tensor, taps: int, stride: int) -> Tensor:
    """The tiles of (N, H, W, C) as a view: (side, side, N, tiles down, tiles right, stride, stride, C)."""
    step = OUTPUTS[taps]
    side = step + taps - 1
    down, right = ((length // stride - side) // step + 1 for length in x.shape[1:3])
    image, row, pixel, channel = x.stride()
    return x.as_strided(
        (side, side, len(x), down, right, stride, stride, x.shape[3]),
        (row * stride, pixel * stride, image, row * stride * step, pixel * stride * step, row, pixel, channel),
    )


def _cut(x: Tensor, taps: int, stride: int) -> Tensor:
    """The overlapping tiles of (N, H, W, C), as a matrix of a row an element of a tile."""
    return _overlapping(x.contiguous(), taps, stride).flatten(2).flatten(0, 1)


def _overlap(tiles: Tensor, shape: tuple[int, ...], taps: int, stride: int) -> Tensor:
    """The transpose of :func:`_cut`: tiles added where they overlap."""
    x = tiles.new_zeros(shape)
    places = _overlapping(x, taps, stride)
    for row, values in zip(places.unbind(), tiles.view(places.shape).unbind(), strict=True):
        for place, value in zip(row.unbind(), values.unbind(), strict=True):
            place += value  # one after the other, since tiles overlap
    return x


class _Tiles(torch.autograd.Function):
    """:func:`_cut`, whose gradient is :func:`_overlap`."""

    @staticmethod
    def forward(ctx, x: Tensor, taps: int, stride: int) -> Tensor:
        ctx.arguments = x.shape, taps, stride
        return _cut(x, taps, stride)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor):
        return _overlap(gradient, *ctx.arguments), None, None


class _Overlapped(torch.autograd.Function):
    """:func:`_overlap`, whose gradient is :func:`_cut`."""

    @staticmethod
    def forward(ctx, tiles: Tensor, shape: tuple[int, ...], taps: int, stride: int) -> Tensor:
        ctx.arguments = taps, stride
        return _overlap(tiles, shape, taps, stride)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor):
        return _cut(gradient, *ctx.arguments), None, None, None


class _Products(torch.autograd.Function):
    """(points, T, C) and (points, K, C) -> (points, T, K). PyTorch's own gradient of it copies a transposed matrix."""

    @staticmethod
    def forward(ctx, tiles: Tensor, kernels: Tensor) -> Tensor:
        ctx.save_for_backward(tiles, kernels)
        return tiles @ kernels.transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor):
        tiles, kernels = ctx.saved_tensors
        return (
            gradient @ kernels if ctx.needs_input_grad[0] else None,
            gradient.transpose(1, 2) @ tiles if ctx.needs_input_grad[1] else None,
        )
