"""Balls of one size that somebody has laid on the rock, found by their colour: round, and more colourful than the rock.

Nothing is assumed of the colour itself. A ball's edge is where the colour is half as strong as in the ball.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import regionprops

SMALLEST = 10  # px; the diameter of a smaller ball would be wrong by a tenth and more
STANDS_OUT = 80  # of 255: how much more colourful than the rock a ball must be
ROUND = 1.3  # longer axis against shorter one, at most
FULL = 0.92  # share of its convex hull that a ball covers, at least
ALONE = 0.8  # share of the pixels in the ball's colour that must lie in balls: else the rock has this colour, too


@dataclass(frozen=True)
class Ball:
    """A ball in a photograph: its middle and its diameter, in px."""

    row: float
    column: float
    diameter: float


def find_balls(pixels: np.ndarray) -> list[Ball]:
    """Returns the balls in a photograph, uint8 or uint16 (H, W, 3), from top to bottom; none where none stands out.

    Spots that are not round are left out, and so are balls that the border cuts. Where much else has their colour,
    nothing is a ball.
    """
    colourful = _colourful(pixels)
    if min(colourful.shape) <= 2 * SMALLEST:
        return []
    # What a spot of this size has at least, everywhere: single bright pixels do not count.
    strongest = float(ndimage.minimum_filter(colourful, SMALLEST // 2).max())
    usual = float(np.median(colourful))
    if strongest - usual < STANDS_OUT:
        return []
    spots, _ = ndimage.label(colourful > (strongest + usual) / 2)
    areas = np.bincount(spots.ravel())
    cut = np.concatenate([spots[0], spots[-1], spots[:, 0], spots[:, -1]])
    large = np.setdiff1d(np.flatnonzero(areas >= np.pi / 4 * SMALLEST**2), [0, *cut])
    windows = ndimage.find_objects(spots)
    balls = {number: ball for number in large if (ball := _as_ball(spots, number, windows[number - 1]))}
    if areas[list(balls)].sum() < ALONE * areas[large].sum():
        return []
    return list(balls.values())


def without_balls(labels: np.ndarray, balls: Sequence[Ball]) -> np.ndarray:
    """Returns particle numbers (H, W) with 0 where balls lie; what lies under a ball by half or more is no particle."""
    labels = labels.copy()
    for ball in balls:
        reach = ball.diameter / 2 + 1  # with the pixels that the ball's edge mixes
        top, left = (max(0, math.floor(place - reach)) for place in (ball.row, ball.column))
        part = labels[top : math.ceil(ball.row + reach) + 1, left : math.ceil(ball.column + reach) + 1]
        rows, columns = np.indices(part.shape)
        under = np.hypot(rows + top - ball.row, columns + left - ball.column) <= reach
        numbers, counts = np.unique(part[under], return_counts=True)
        for number, count in zip(numbers, counts, strict=True):
            if number and 2 * count >= (whole := labels == number).sum():
                labels[whole] = 0
        part[under] = 0
    return labels


def _colourful(pixels: np.ndarray) -> np.ndarray:
    """How colourful each pixel is, float32 (H, W), 0-255: the difference of its largest and its smallest channel."""
    largest = np.iinfo(pixels.dtype).max
    return (pixels.max(axis=2) - pixels.min(axis=2)).astype(np.float32) * (255 / largest)


def _as_ball(spots: np.ndarray, number: int, window: tuple[slice, slice]) -> Ball | None:
    """Returns a spot as a ball, its shine filled; None if it is not round."""
    (region,) = regionprops(ndimage.binary_fill_holes(spots[window] == number).astype(np.uint8))
    if region.axis_major_length > ROUND * region.axis_minor_length or region.solidity < FULL:
        return None
    row, column = region.centroid
    return Ball(float(window[0].start + row), float(window[1].start + column), float(np.sqrt(4 * region.area / np.pi)))
