"""Photographs with the outlines of their particles: in one colour those that count, in others those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from skimage.segmentation import find_boundaries

from orelib.sizing.balls import Ball
from orelib.sizing.measured import BORDER, SMALL
from orelib.sizing.sized import Side
from orelib.utils.files import appearing

# By Measured.table's ``left_out``. Yellow and blue differ for colour-blind readers, too.
COLOURS = {"": (255, 225, 0), BORDER: (60, 150, 255), SMALL: (200, 200, 200)}
BALL = (255, 0, 255)
LEGEND = "yellow: counted; blue: cut by the border; grey: too small; magenta: a ball"


def outlined(side: Side, longest: int | None = None) -> np.ndarray:
    """Returns a photograph with the outlines of its particles and balls, uint8 (H, W, 3).

    ``longest`` is the most pixels of its longer side; the photograph is reduced before it is drawn on, so that lines
    stay a pixel wide.
    """
    shape = np.array(side.labels.shape)
    factor = min(1.0, longest / shape.max()) if longest else 1.0
    height, width = (shape * factor).round().astype(int).clip(1)
    image = np.array(Image.fromarray(side.image).resize((width, height), Image.Resampling.BOX))
    labels = np.asarray(Image.fromarray(side.labels).resize((width, height), Image.Resampling.NEAREST))
    colours = _colours(side.measured.table, int(side.labels.max()))
    lines = find_boundaries(labels, mode="inner") & np.isin(labels, side.measured.table["label"])
    image[lines] = colours[labels[lines]]
    return _with_balls(image, side.scale.balls, factor)


def write_outlines(path: Path, side: Side) -> None:
    """Writes a photograph with outlines as PNG, at its own size."""
    with appearing(path) as temporary:
        Image.fromarray(outlined(side)).save(temporary)


def _colours(table: pd.DataFrame, largest: int) -> np.ndarray:
    """The colour of each particle by its number, uint8 (largest + 1, 3)."""
    colours = np.zeros((largest + 1, 3), np.uint8)
    for left_out, colour in COLOURS.items():
        colours[table.loc[table["left_out"] == left_out, "label"]] = colour
    return colours


def _with_balls(image: np.ndarray, balls: Sequence[Ball], factor: float) -> np.ndarray:
    drawn = Image.fromarray(image)
    draw = ImageDraw.Draw(drawn)
    for ball in balls:
        row, column, radius = (factor * value for value in (ball.row, ball.column, ball.diameter / 2))
        draw.ellipse((column - radius, row - radius, column + radius, row + radius), outline=BALL, width=3)
    return np.asarray(drawn)
