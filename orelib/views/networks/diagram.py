"""Boxes, arrows and words of which diagrams of networks are drawn. The unit is an inch, so that text fits its box."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle

# Okabe and Ito's colours, which remain distinct to colour-blind readers.
DOWN, UP, SKIP, RESIDUAL, JUDGE, INK = "#0072B2", "#E69F00", "#777777", "#D55E00", "#009E73", "#222222"
SMALL, NORMAL = 8, 9.5  # pt

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle on the canvas, by its left lower corner."""

    left: float
    bottom: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def top(self) -> float:
        return self.bottom + self.height

    @property
    def middle(self) -> Point:
        return self.left + self.width / 2, self.bottom + self.height / 2

    def at(self, across: float, up: float) -> Point:
        """Returns the place at shares of its width and height."""
        return self.left + across * self.width, self.bottom + up * self.height


def canvas(width: float, height: float, alt: str) -> tuple[Figure, Axes]:
    """Returns a figure of so many inches and the one axis that fills it, (0, 0) at the lower left."""
    figure = plt.figure(figsize=(width, height))
    plt.close(figure)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, width), ylim=(0, height))
    axis.set_axis_off()
    figure.set_label(alt)
    return figure, axis


def pale(colour: str, share: float = 0.35) -> tuple[float, ...]:
    """Mixes a colour with white; ``share`` is how much of the colour stays."""
    return tuple(share * part + 1 - share for part in to_rgb(colour))


def box(axis: Axes, place: Box, colour: str, text: str = "", **words) -> Box:
    """Draws a box with words in its middle."""
    patch = Rectangle((place.left, place.bottom), place.width, place.height, fc=pale(colour), ec=colour, lw=1.2)
    axis.add_patch(patch)
    if text:
        say(axis, place.middle, text, **words)
    return place


def polygon(axis: Axes, corners: Sequence[Point], colour: str, text: str = "", **words) -> None:
    """Draws a filled shape with words in its middle."""
    axis.add_patch(Polygon(corners, closed=True, fc=pale(colour), ec=colour, lw=1.2))
    if text:
        say(axis, tuple(np.mean(corners, axis=0)), text, **words)


def say(axis: Axes, place: Point, text: str, size: float = SMALL, align: str = "center", **words) -> None:
    """Writes words at a place, which is their left, centre or right, as ``align`` says."""
    words = {"va": "center", "color": INK, "linespacing": 1.25} | words
    axis.text(*place, text, fontsize=size, ha=align, **words)


def arrow(
    axis: Axes, start: Point, end: Point, colour: str = INK, style: str = "-|>", bend: float = 0.0, **line
) -> None:
    """Draws an arrow; ``bend`` is the height of its arc as a share of its length."""
    line = {"lw": 1.2, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9} | line
    bow = f"arc3,rad={bend}"
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle=style, color=colour, connectionstyle=bow, **line))


def path(axis: Axes, points: Sequence[Point], colour: str = INK, **line) -> None:
    """Draws a line around corners that ends in an arrow."""
    axis.plot(*zip(*points[:-1], strict=True), color=colour, solid_capstyle="butt", **({"lw": 1.2} | line))
    arrow(axis, points[-2], points[-1], colour, **line)


def picture(axis: Axes, image: np.ndarray, place: Box, colour: str = INK) -> Box:
    """Shows an image, uint8 (H, W, 3), in a box with a frame; a later one covers an earlier one."""
    limits = axis.get_xlim(), axis.get_ylim()
    axis.imshow(image, extent=(place.left, place.right, place.bottom, place.top), aspect="auto", zorder=1.5)
    axis.set(xlim=limits[0], ylim=limits[1])
    frame = Rectangle((place.left, place.bottom), place.width, place.height, fill=False, ec=colour, lw=1, zorder=1.5)
    axis.add_patch(frame)
    return place


def map_box(channels: int, side: int, left: float, middle: float, scale: float = 1.0) -> Box:
    """Returns the box of a feature map: wider with more channels (their root), higher with its side (its logarithm)."""
    height = scale * (0.1 + 0.07 * math.log2(side))
    return Box(left, middle - height / 2, scale * 0.028 * math.sqrt(channels), height)


def badge(axis: Axes, place: Point, text: str = "R", colour: str = RESIDUAL) -> None:
    """Draws a letter in a small filled disc."""
    axis.plot(*place, "o", ms=11, color=colour, mec="white", mew=0.8, zorder=4)
    say(axis, place, text, color="white", weight="bold", zorder=5, va="center_baseline")
