"""A Mosaic sample under controls: the centre at which its quarters meet, and the windows that fill them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from orelib.data.mosaic import CENTRE_RANGE, Window, draw_windows, mosaic
from orelib.views.explorer import Explorer, Place, Slider

COLOURS = ("#D55E00", "#56B4E9", "#F0E442", "#009E73")  # upper left, upper right, lower left, lower right
WIDTH, HEIGHT = 10.4, 3.9  # inches
QUARTER, SAMPLE = 1.6, 3.3  # sides of a source photograph and of a sample
TOP, SAMPLES = 3.5, (3.6, 7.05)  # upper edge of all pictures, left edges of the samples
SHOWN = 256  # px: larger photographs are reduced, because drawing them would take longer than composing the sample
POSITIONS = ({}, {"centre": (0.0, 0.0)}, {"windows": 5})
ALT = (
    "Four wet photographs with a coloured window in each, and the sample that the four windows make, wet and dry: they "
    "meet at {centre[0]:.2f} of the way across and {centre[1]:.2f} of the way down the dashed square."
)

Pair = tuple[np.ndarray, np.ndarray]


def mosaic_explorer(pairs: Sequence[Pair], size: int) -> Explorer:
    """An explorer over the samples of four pairs, (wet, dry), each uint8 (H, W, 3), with a sample of ``size`` px.

    Samples are composed by the function that training uses; only the centre is chosen instead of drawn. Raises
    ValueError as :func:`~orelib.data.mosaic.mosaic`.
    """
    low, high = CENTRE_RANGE
    left, top, side = SAMPLES[0] / WIDTH, 1 - TOP / HEIGHT, np.array([SAMPLE / WIDTH, SAMPLE / HEIGHT])
    area = (left + low * side[0], top + low * side[1], left + high * side[0], top + high * side[1])
    controls = {
        "windows": Slider(0, 50, 1, 0, "other windows"),
        "centre": Place((0.35, 0.6), tuple(map(float, area)), 0.04, "centre"),
    }
    reduced = [_reduced(wet) for wet, _ in pairs]

    def draw(windows: int, centre: tuple[float, float]) -> Figure:
        return mosaic_sample_figure(pairs, size, windows, centre, reduced)

    return Explorer(draw, controls, POSITIONS, ALT)


def mosaic_sample_figure(
    pairs: Sequence[Pair],
    size: int,
    seed: int,
    centre: tuple[float, float],
    reduced: Sequence[np.ndarray] | None = None,
) -> Figure:
    """Four wet photographs with their windows, and the sample that these make, wet and dry.

    ``centre`` is (across, down), as shares of :data:`~orelib.data.mosaic.CENTRE_RANGE`; ``seed`` draws the windows.
    ``reduced`` are the wet photographs to show, of any scale, by default the whole ones.
    """
    place = centre_in(size, centre)
    wet, dry = mosaic(pairs, size, np.random.default_rng(seed), place)
    shapes = [image.shape for image, _ in pairs]
    windows = draw_windows(shapes, size, np.random.default_rng(seed), place)
    figure = Figure(figsize=(WIDTH, HEIGHT))
    shown = reduced or [image for image, _ in pairs]
    for number, (window, shape, image) in enumerate(zip(windows, shapes, shown, strict=True)):
        row, column = divmod(number, 2)
        axis = _axis(figure, 0.1 + 1.7 * column, TOP - 1.7 * row, QUARTER)
        axis.imshow(image, extent=(0, shape[1], shape[0], 0))
        axis.add_patch(outline_of(window, shape, COLOURS[number]))
    for left, image in zip(SAMPLES, (wet, dry), strict=True):
        axis = _axis(figure, left, TOP, SAMPLE)
        axis.imshow(image, extent=(0, size, size, 0))
        for window, colour in zip(windows, COLOURS, strict=True):
            axis.add_patch(_frame(window.columns.start, window.rows.start, window.shape, colour, size / 130))
    low, high = (share * size for share in CENTRE_RANGE)
    allowed = {"fill": False, "edgecolor": "white", "linewidth": 1, "linestyle": (0, (4, 4))}
    figure.axes[4].add_patch(Rectangle((low, low), high - low, high - low, **allowed))
    titles = ("four wet photographs", "the sample, wet: click in the dashed square", "the sample, dry: cut alike")
    for left, title in zip((0.1, *SAMPLES), titles, strict=True):
        figure.text(left / WIDTH, (TOP + 0.12) / HEIGHT, title, fontsize=10)
    figure.set_label(
        f"Four wet photographs with a coloured window in each, and the sample of {size} x {size} px that the windows "
        f"make, wet and dry. They meet at row {place[0]} and column {place[1]}."
    )
    return figure


def centre_in(size: int, centre: tuple[float, float]) -> tuple[int, int]:
    """Row and column of a centre, (across, down), given as shares of the range from which training draws it."""
    low, high = (round(share * size) for share in CENTRE_RANGE)
    across, down = (round(low + share * (high - low)) for share in centre)
    return down, across


def outline_of(window: Window, shape: tuple[int, ...], colour: str) -> Rectangle:
    """The frame of a window in its photograph of ``shape`` (H, W, ...), in the photograph's own pixels."""
    down, across = (whole / filling for whole, filling in zip(shape, window.filling, strict=False))
    height, width = window.shape
    return _frame(window.left * across, window.top * down, (height * down, width * across), colour)


def _frame(left: float, top: float, shape: tuple[float, float], colour: str, inset: float = 0.0) -> Rectangle:
    height, width = (side - 2 * inset for side in shape)
    return Rectangle((left + inset, top + inset), width, height, fill=False, edgecolor=colour, linewidth=2)


def _axis(figure: Figure, left: float, top: float, side: float) -> Axes:
    """A square for a picture, by its upper left corner in inches from the figure's left and lower edge."""
    axis = figure.add_axes((left / WIDTH, (top - side) / HEIGHT, side / WIDTH, side / HEIGHT), xticks=[], yticks=[])
    axis.set_aspect("equal", anchor="NW")
    return axis


def _reduced(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).reduce(max(1, max(image.shape[:2]) // SHOWN)))
