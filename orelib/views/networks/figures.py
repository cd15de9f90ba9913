"""Fig. 1 to 4 of the paper, drawn from the networks themselves, and the residual module of eq. 4.

Every number in a figure comes from the module that it shows (:mod:`~orelib.views.networks.anatomy`): give another one,
and the figure shows that.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from orelib.networks import PatchGAN, ResidualBlock, UNet
from orelib.views.networks.anatomy import Level, shapes, unet_levels
from orelib.views.networks.diagram import (
    DOWN,
    INK,
    JUDGE,
    NORMAL,
    RESIDUAL,
    SKIP,
    UP,
    Box,
    arrow,
    badge,
    box,
    canvas,
    map_box,
    path,
    picture,
    polygon,
    say,
)
from orelib.views.networks.patchgan import fields_table, receptive_field

# ---- Fig. 1: Pix2Pix as a whole ------------------------------------------------------------------------------------

EQUATIONS = {"l1": " (eq. 2)", "ssim": " (eq. 5)"}


def pix2pix_figure(
    images: Mapping[str, np.ndarray],
    generator: UNet,
    discriminator: PatchGAN,
    size: int,
    weights: Mapping[str, float],
) -> Figure:
    """Fig. 1: how generator G and discriminator D are trained against each other.

    ``images`` are the ``wet``, ``restored`` and ``dry`` image, uint8 (H, W, 3); ``size`` is the side in px for which
    shapes are given; ``weights`` are the weights of the losses that compare G(x) with y, by name.
    """
    figure, axis = canvas(
        10.4, 4.85,
        "Flow diagram of Pix2Pix. The generator G turns the wet image x into G(x). The discriminator D sees x together "
        "with the dry image y, or x together with G(x), and returns a grid of logits for each pair. G is trained by "
        "the logits of its own pair and by its distance from y.",
    )  # fmt: skip
    channels, side, _ = shapes(generator, size)[""][0]
    grid = shapes(discriminator, size)[""][1][1]
    x = picture(axis, images["wet"], Box(0.2, 0.85, 1.3, 1.3))
    say(axis, (x.left, x.top + 0.16), "x: wet", NORMAL, "left")
    say(axis, (x.left, x.bottom - 0.18), f"{channels} x {side} x {side}", align="left")
    hourglass = [(1.95, 0.95), (2.55, 1.3), (3.15, 0.95), (3.15, 2.05), (2.55, 1.7), (1.95, 2.05)]
    polygon(axis, hourglass, DOWN, "G", size=13, weight="bold")
    say(axis, (2.55, 0.68), "generator (Fig. 2, 3)\ndropout: its noise z", va="top")
    arrow(axis, x.at(1, 0.5), (1.95, 1.5))
    restored = picture(axis, images["restored"], Box(3.6, 0.85, 1.3, 1.3), DOWN)
    arrow(axis, (3.15, 1.5), restored.at(0, 0.5))
    say(axis, (restored.left, restored.bottom - 0.18), "G(x): restored", NORMAL, "left")
    dry = picture(axis, images["dry"], Box(3.6, 3.15, 1.3, 1.3), JUDGE)
    say(axis, (dry.left, dry.top + 0.16), "y: dry", NORMAL, "left")
    arrow(axis, restored.at(0.5, 1), dry.at(0.5, 0), UP, "<|-|>")
    losses = "\n".join(f"{weight:g} x {name.upper()}{EQUATIONS.get(name, '')}" for name, weight in weights.items())
    say(axis, (4.35, 2.65), f"{losses}:\nG is trained towards 0", align="left")
    say(axis, (3.45, 3.8), "the same place,\nphotographed dry", align="right")
    _judged(axis, dry, images["wet"], images["dry"], "real pair (x, y)", grid, "D is trained\ntowards 1: dry")
    says = "D is trained\ntowards 0: restored", "G is trained\ntowards 1: dry"
    _judged(axis, restored, images["wet"], images["restored"], "restored pair (x, G(x))", grid, *says)
    say(axis, (7.27, 2.65), "one discriminator D,\nused twice (Fig. 4)")
    say(axis, (9.0, 2.65), "eq. 1, averaged\nover the grid", align="left")
    return figure


def _judged(axis: Axes, source: Box, wet: np.ndarray, image: np.ndarray, pair: str, grid: int, *trained: str) -> None:
    """Draws the right half of Fig. 1: a pair of images, D, its grid of logits, and where training moves them."""
    middle = source.middle[1]
    behind = picture(axis, wet, Box(5.6, middle - 0.15, 0.72, 0.72))
    front = picture(axis, image, Box(5.85, middle - 0.55, 0.72, 0.72))
    arrow(axis, source.at(1, 0.5), (front.left - 0.3, middle))
    say(axis, (behind.left, behind.top + 0.14), pair, align="left")
    polygon(
        axis, [(6.85, middle - 0.5), (7.7, middle - 0.28), (7.7, middle + 0.28), (6.85, middle + 0.5)], JUDGE,
        "D", size=13, weight="bold",
    )  # fmt: skip
    arrow(axis, (front.right, middle), (6.85, middle))
    cells = Box(8.05, middle - 0.35, 0.7, 0.7)
    for k in np.linspace(0, 1, 8):
        axis.plot(*zip(cells.at(k, 0), cells.at(k, 1), strict=True), color=JUDGE, lw=0.6)
        axis.plot(*zip(cells.at(0, k), cells.at(1, k), strict=True), color=JUDGE, lw=0.6)
    arrow(axis, (7.7, middle), cells.at(0, 0.5))
    say(axis, (cells.left, cells.bottom - 0.15), f"{grid} x {grid} logits", align="left")
    for row, text in enumerate(trained):
        up = 0.22 * (len(trained) - 1) - 0.44 * row
        say(axis, (9.0, middle + up), text, align="left", weight="bold" if text.startswith("G") else "normal")


# ---- Fig. 2 and 3: the U-Net ---------------------------------------------------------------------------------------

GAP, INSET, WITHIN = 0.22, 0.75, 1.1  # inches: between levels, beside the outermost level, between the innermost two


def unet_figure(network: UNet, size: int = 512) -> Figure:
    """Fig. 2, or for a network with residual modules Fig. 3: levels, channels, sizes, skip connections.

    ``size`` is the side of the image in px, a multiple of the network's stride.
    """
    levels = unet_levels(network, size)
    modules = sum(level.residual_down + level.residual_up for level in levels)
    heights = [map_box(1, level.side, 0, 0).height for level in levels]
    width, height = 10.4, sum(heights) + GAP * (len(levels) - 1) + 0.6
    figure, axis = canvas(width, height, _unet_alt(levels, modules))
    widest = map_box(levels[-1].down, 1, 0, 0).width
    across = (width - 2 * INSET - 3 * widest - WITHIN) / 2 / (len(levels) - 2)  # how much further in each level stands
    top, before = height - 0.35, None
    for number, (level, high) in enumerate(zip(levels, heights, strict=True)):
        lowest, middle = level is levels[-1], top - high / 2
        at = (width - widest) / 2 if lowest else INSET + number * across
        left = map_box(level.down, level.side, at, middle)
        joined, up = _draw_level(axis, level, left, width - INSET - number * across, lowest)
        if before:
            arrow(axis, before[0].at(0.5, 0), left.at(0.5, 1), DOWN)
            arrow(axis, joined.at(0.5, 1), before[1].at(0.5, 0), UP)
        before, top = (left, up), top - high - GAP
    _legend(axis, network, modules)
    return figure


def _draw_level(axis: Axes, level: Level, left: Box, edge: float, lowest: bool) -> tuple[Box, Box]:
    """Draws the maps of a level, which end at ``edge``; returns all maps on the way up, and the computed ones alone."""
    is_image = level.down == level.up == 3
    middle = left.middle[1]
    box(axis, left, INK if is_image else DOWN)
    say(axis, (left.left - 0.08, middle), f"{level.side} px", align="right")
    say(
        axis,
        (left.right + 0.07, middle + (0 if lowest else 0.1)),
        "x: 3" if is_image else f"{level.down}",
        align="left",
    )
    if level.residual_down:
        badge(axis, left.middle)
    if lowest:
        return left, left
    up = map_box(level.up, level.side, 0, middle)
    up = Box(edge - up.width, up.bottom, up.width, up.height)
    box(axis, up, INK if is_image else UP)
    if is_image:
        say(axis, (up.left - 0.07, middle + 0.1), "G(x): 3", align="right")
        return up, up
    copied = Box(up.left - left.width, left.bottom, left.width, left.height)
    box(axis, copied, DOWN)
    arrow(axis, left.at(1, 0.5), copied.at(0, 0.5), SKIP, linestyle=(0, (4, 2)), lw=1)
    say(axis, (copied.left - 0.07, middle + 0.1), f"{level.down} + {level.up}", align="right")
    if level.residual_up:
        badge(axis, up.middle)
    return Box(copied.left, up.bottom, copied.width + up.width, up.height), up


def _legend(axis: Axes, network: UNet, modules: int) -> None:
    """Explains arrows, boxes and numbers between the image and the restored one, where the diagram leaves room."""
    first, last = network.first, network.last[1]
    lines = [
        (DOWN, "-", f"convolution {_kernel(first)}: half the side"),
        (UP, "-", f"transposed convolution {_kernel(last)}: twice the side"),
        (SKIP, (0, (4, 2)), "skip connection: a copy, put beside what was computed"),
    ]
    top = axis.get_ylim()[1] - 0.25
    for row, (colour, style, text) in enumerate(lines):
        arrow(axis, (1.9, top - 0.22 * row), (2.3, top - 0.22 * row), colour, linestyle=style, lw=1.4)
        say(axis, (2.4, top - 0.22 * row), text, align="left")
    if modules:
        badge(axis, (2.1, top - 0.68))
        say(axis, (2.4, top - 0.68), f"residual module (eq. 4), {modules} in all", align="left")
    notes = "numbers: channels; on the way up, copied + computed", "wider box: more channels; higher box: more pixels"
    for row, text in enumerate(notes):
        say(axis, (6.0, top - 0.22 * row), text, align="left")


def _kernel(layer: nn.Conv2d | nn.ConvTranspose2d) -> str:
    return f"{layer.kernel_size[0]} x {layer.kernel_size[1]}, stride {layer.stride[0]}"


def _unet_alt(levels: list[Level], modules: int) -> str:
    first, last = levels[0], levels[-1]
    alt = (
        f"Diagram of a U-Net: {len(levels) - 1} convolutions halve the image from {first.side} to {last.side} px while "
        f"its channels grow from {first.down} to {last.down}; as many transposed convolutions lead up again, and "
        f"{len(levels) - 2} skip connections join the two sides."
    )
    return f"{alt} {modules} residual modules are marked." if modules else alt


# ---- eq. 4: one residual module ------------------------------------------------------------------------------------


def residual_module_figure(block: ResidualBlock, size: int = 128) -> Figure:
    """The residual module of eq. 4: its layers, in their order, and the path around them."""
    layers = list(block.residual)
    names = _layer_names(layers)
    figure, axis = canvas(
        10.4, 2.3,
        "Diagram of a residual module: X passes " + ", ".join(type(layer).__name__ for layer in layers) + ", which "
        "gives F(X); a second path leads X around all of this, and the two are added: Y = F(X) + X.",
    )  # fmt: skip
    taken, given = shapes(block, size)[""]
    middle, left = 0.95, 1.2
    say(axis, (0.4, middle), "X", 13, weight="bold")
    say(axis, (0.12, 0.3), f"{taken[0]} channels\n{taken[1]} x {taken[2]} px", align="left")
    arrow(axis, (0.55, middle), (left, middle))
    for layer, name in zip(layers, names, strict=True):
        place = Box(left, middle - 0.33, 1.15, 0.66)
        box(axis, place, RESIDUAL if isinstance(layer, nn.Conv2d) else SKIP, name)
        if layer is not layers[-1]:
            arrow(axis, place.at(1, 0.5), (place.right + 0.25, middle), RESIDUAL)
        left = place.right + 0.25
    plus = (place.right + 0.75, middle)
    arrow(axis, place.at(1, 0.5), (plus[0] - 0.14, middle), RESIDUAL)
    say(axis, (place.right + 0.3, middle + 0.18), "F(X)", NORMAL, color=RESIDUAL, weight="bold")
    axis.plot(*plus, "o", ms=20, color="white", mec=INK, mew=1.2, zorder=3)
    say(axis, plus, "+", 14, zorder=4, va="center_baseline")
    path(axis, [(0.85, middle), (0.85, 1.8), (plus[0], 1.8), (plus[0], middle + 0.15)], DOWN, lw=2)
    text = "identity path: X goes on unchanged, and so does the gradient on its way back"
    say(axis, ((0.85 + plus[0]) / 2, 1.98), text, color=DOWN)
    arrow(axis, (plus[0] + 0.16, middle), (plus[0] + 0.55, middle))
    say(axis, (plus[0] + 0.73, middle), "Y", 13, weight="bold")
    say(axis, (10.3, 0.3), f"{given[0]} channels\n{given[1]} x {given[2]} px", align="right")
    return figure


def _layer_names(layers: list[nn.Module]) -> list[str]:
    """Names the layers of a residual module, with the letters of eq. 4."""
    names, convolutions = [], 0
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            convolutions += 1
            names.append(f"$W_{convolutions}$\nconvolution {layer.kernel_size[0]} x {layer.kernel_size[1]}")
        elif isinstance(layer, nn.InstanceNorm2d):
            names.append("instance norm\n(not in eq. 4)")
        else:
            names.append({"ReLU": "$\\sigma$\nReLU"}.get(type(layer).__name__, type(layer).__name__))
    return names


# ---- Fig. 4: the PatchGAN ------------------------------------------------------------------------------------------


def patchgan_figure(
    wet: np.ndarray, image: np.ndarray, discriminator: PatchGAN, cell: tuple[int, int] = (42, 24)
) -> Figure:
    """Fig. 4: the discriminator, its grid, and the patch that one ``cell`` (row, column) of the grid judges.

    ``wet`` and ``image`` are square, uint8 (H, H, 3); they are what D gets together.
    """
    size, field = len(wet), receptive_field(discriminator)
    table, seen = fields_table(discriminator, size), shapes(discriminator, size)[""]
    grid = seen[1][1]
    figure, axis = canvas(
        10.4, 4.6,
        f"Diagram of a PatchGAN: wet image and judged image together pass {len(table)} convolutions and become a grid "
        f"of {grid} x {grid} logits. One cell of the grid is marked, and in the image the patch of {field.size} x "
        f"{field.size} px that it depends on.",
    )  # fmt: skip
    behind = picture(axis, wet, Box(0.15, 1.75, 2.1, 2.1))
    front = picture(axis, image, Box(0.55, 0.6, 2.1, 2.1), JUDGE)
    say(axis, (behind.left, behind.top + 0.15), "x: wet, the condition", NORMAL, "left")
    say(axis, (front.left, front.bottom - 0.17), "y or G(x): the image to judge", NORMAL, "left")
    patch = _patch(axis, front, field.window(cell[0]), field.window(cell[1]), size)
    maps = [(seen[0][0], size), *zip(table["channels"], table["grid"].str.split(" ").str[0].astype(int), strict=True)]
    sees = [1, *table["one value sees, px"]]
    left, middle, last = 3.1, 2.95, None
    arrow(axis, (front.right, front.at(0, 0.9)[1]), (left, middle))
    for (channels, side), pixels in zip(maps[:-1], sees, strict=False):
        place = box(axis, map_box(channels, side, left, middle, 1.25), JUDGE if last else INK)
        say(axis, (place.middle[0], place.top + 0.13), f"{channels}")
        say(axis, (place.middle[0], place.bottom - 0.13), f"{side} px")
        say(axis, (place.middle[0], place.bottom - 0.32), f"{pixels}", color=RESIDUAL, weight="bold")
        if last:
            arrow(axis, last.at(1, 0.5), place.at(0, 0.5), JUDGE)
        last, left = place, place.right + 0.36
    say(axis, (2.95, 4.28), "above a map: its channels; below: its side,", align="left")
    text = "and how many px of the image, along each side, one value sees"
    say(axis, (2.95, 4.06), text, align="left", color=RESIDUAL, weight="bold")
    cells = Box(7.65, 1.1, 2.6, 2.6)
    arrow(axis, last.at(1, 0.5), cells.at(0, (middle - cells.bottom) / cells.height), JUDGE)
    _grid(axis, cells, grid, cell)
    say(axis, (cells.left, cells.top + 0.15), f"{grid} x {grid} logits, 1 channel", NORMAL, "left")
    here = Box(*cells.at(cell[1] / grid, 1 - (cell[0] + 1) / grid), cells.width / grid, cells.height / grid)
    for corner in (0, 1):
        arrow(axis, patch.at(1, corner), here.at(0, corner), RESIDUAL, "-", lw=1, zorder=4)
    text = f"This logit judges the {field.size} x {field.size} px\nin the marked square, wet and judged."
    say(axis, (cells.left, cells.bottom - 0.14), text, align="left", va="top", color=RESIDUAL, weight="bold")
    return figure


def _patch(axis: Axes, image: Box, rows: tuple[int, int], columns: tuple[int, int], size: int) -> Box:
    """Marks a window of an image on the canvas."""
    (top, bottom), (left, right) = rows, columns
    corner, opposite = image.at(left / size, 1 - bottom / size), image.at(right / size, 1 - top / size)
    place = Box(*corner, opposite[0] - corner[0], opposite[1] - corner[1])
    axis.add_patch(Rectangle(corner, place.width, place.height, fill=False, ec=RESIDUAL, lw=2, zorder=4))
    return place


def _grid(axis: Axes, cells: Box, grid: int, cell: tuple[int, int]) -> None:
    """Draws a grid of logits, one of them marked."""
    for k in range(grid + 1):
        share = k / grid
        axis.plot(*zip(cells.at(share, 0), cells.at(share, 1), strict=True), color=JUDGE, lw=0.3)
        axis.plot(*zip(cells.at(0, share), cells.at(1, share), strict=True), color=JUDGE, lw=0.3)
    row, column = cell
    corner = cells.at(column / grid, 1 - (row + 1) / grid)
    side = cells.width / grid
    axis.add_patch(Rectangle(corner, side, side, fc=RESIDUAL, ec=RESIDUAL, lw=2, zorder=4))
