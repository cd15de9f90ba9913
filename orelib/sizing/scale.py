"""Pixels per mm of a photograph: stated, read from its file, or measured on an object of known size in it.

A camera that looks down on a belt has one scale. One that looks at a heap from the side sees near particles larger than
far ones: on a plane, px per mm then change evenly from one side of the photograph to the other, because 1 / distance is
a linear function of the place in the picture. Two balls of one size show how (:mod:`~orelib.sizing.balls`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from orelib.data.photographs import Photograph
from orelib.sizing.balls import Ball, find_balls
from orelib.utils.names import printable

FROM_FILE = "file"  # instead of a number of px per mm: what each file states
MM_PER_INCH = 25.4
# What programs write where nobody has measured anything: no scanner of rock has these resolutions.
PLACEHOLDERS = (1, 72, 96)
SQUARE = 0.01  # px per inch across and down may differ by this share
SHORTEST = 20  # px; on a shorter object, an error of a pixel is more than a twentieth
LARGEST_RATIO = 2.0  # of the diameters of two balls: a heap that is seen more obliquely is no plane any more
SAME = 0.1  # balls may differ by this share from the plane that fits all of them
BEYOND = 1.5  # how far, as a factor, the scale may go on changing beyond the balls


@dataclass(frozen=True)
class Scale:
    """How many pixels a mm takes, at each place of a photograph.

    ``px_per_mm`` holds at ``middle`` (row, column), and changes by ``slope`` per px down and across, within ``limits``;
    without slope it holds everywhere. ``how`` says in words where it comes from, ``error`` is its relative standard
    error (0: nobody knows), and ``balls`` are no particles.
    """

    px_per_mm: float
    how: str
    error: float = 0.0
    middle: tuple[float, float] = (0.0, 0.0)
    slope: tuple[float, float] = (0.0, 0.0)
    limits: tuple[float, float] = (0.0, math.inf)
    balls: tuple[Ball, ...] = ()

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Returns the px per mm at places of the photograph, given in px."""
        down, across = np.asarray(rows) - self.middle[0], np.asarray(columns) - self.middle[1]
        return np.clip(self.px_per_mm + self.slope[0] * down + self.slope[1] * across, *self.limits)


FindScale = Callable[[Photograph], Scale]  # raises ScaleError where a photograph has no scale


class ScaleError(ValueError):
    """A photograph whose scale cannot be found; the message says why, and what to do."""


def chosen_scale(px_per_mm: float | str | None = None, balls_mm: float | str | None = None) -> FindScale:
    """Returns the way to find scales that a user chose: one of a number of px per mm, the word "file", and balls.

    Numbers may be text. Raises ScaleError for none or both of the two, and for what is no positive number.
    """
    if (px_per_mm is None) == (balls_mm is None):
        raise ScaleError("a scale is needed: either how many px a mm takes, or the diameter of the balls on the rock")
    if balls_mm is not None:
        return ball_scale(positive(balls_mm, "no diameter of a ball, such as 150"))
    if px_per_mm == FROM_FILE:
        return file_scale
    px_per_mm = positive(px_per_mm, f"no number of px per mm, such as 4.2, and not the word {FROM_FILE}")
    return one_scale(Scale(px_per_mm, f"stated: {px_per_mm:.4g} px per mm"))


def one_scale(scale: Scale) -> FindScale:
    """Takes the same scale for all photographs."""
    return lambda photograph: scale


def positive(value: float | str, what_not: str) -> float:
    """Returns a number above 0, which may be text. Raises ScaleError that says what the value is not."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ScaleError(f"{printable(str(value))} is {what_not}")
    return number


def file_scale(photograph: Photograph) -> Scale:
    """Takes the resolution that the file states, which means something only if somebody has measured it.

    Scanners and programs for microscopes do; cameras write 72 or 300 px per inch whatever they look at.

    Raises ScaleError for a file that states none, or one of :data:`PLACEHOLDERS`, or another one across than down.
    """
    cure = "say how many px a mm takes"
    if photograph.resolution is None:
        raise ScaleError(f"the file states no resolution: {cure}")
    across, down = photograph.resolution
    if round(across) in PLACEHOLDERS:
        raise ScaleError(f"the file states {across:g} px per inch, as programs do that measured nothing: {cure}")
    if abs(across - down) > SQUARE * across:
        raise ScaleError(f"the file states {across:g} px per inch across and {down:g} down: {cure}")
    px_per_mm = across / MM_PER_INCH
    return Scale(px_per_mm, f"as the file states: {across:g} px per inch, {px_per_mm:.4g} px per mm")


def marked_scale(points: Sequence[tuple[float, float]], mm: float) -> Scale:
    """Returns the scale of a photograph in which two points, (across, down) in px, are so many mm apart.

    Each point is taken to be right to a pixel. Raises ScaleError for a length that is not positive, and for points
    that lie too close.
    """
    mm = positive(mm, "no number of mm: say how many lie between the two points")
    px = math.dist(*points)
    if px < SHORTEST:
        raise ScaleError(f"the two points are {px:.1f} px apart: mark an object of {SHORTEST} px or more")
    return Scale(px / mm, f"marked: {px:.0f} px are {mm:g} mm, {px / mm:.4g} px per mm", math.sqrt(2) / px)


def ball_scale(diameter_mm: float) -> FindScale:
    """Measures balls of one known diameter in each photograph, in a colour that the rock has not.

    One ball gives one scale, two give its change along the line between them, three or more in all directions. The
    diameter of each ball is taken to be right to a pixel.

    What it returns raises ScaleError where there is no ball, where the largest is more than :data:`LARGEST_RATIO` times
    the smallest, or where three or more do not lie on one plane.
    """

    def find(photograph: Photograph) -> Scale:
        return _through(find_balls(photograph.pixels), diameter_mm)

    return find


def _through(balls: list[Ball], diameter_mm: float) -> Scale:
    if not balls:
        raise ScaleError("no ball was found, round and in a colour that the rock has not: say how many px a mm takes")
    diameters = np.array([ball.diameter for ball in balls])
    said = " and ".join(f"{diameter:.0f}" for diameter in diameters)
    if diameters.max() > LARGEST_RATIO * diameters.min():
        raise ScaleError(
            f"its balls are {said} px wide, so the scale changes more than {LARGEST_RATIO:g} times: photograph it "
            "less obliquely, or cut it to the part around one ball"
        )
    places = np.array([(ball.row, ball.column) for ball in balls])
    middle, mean = places.mean(axis=0), diameters.mean()
    # The least change that fits: none with one ball, and only along the line if balls lie on one.
    slope = np.linalg.lstsq(places - middle, diameters - mean, rcond=0.1)[0]
    fitted = mean + (places - middle) @ slope
    if (abs(fitted / diameters - 1) > SAME).any():
        raise ScaleError(
            f"its balls are {said} px wide and do not lie on one plane: cut it to the part around one ball"
        )
    how = f"{len(balls)} ball{'s' * (len(balls) > 1)} of {diameter_mm:g} mm found, {said} px wide"
    if diameters.max() - diameters.min() > 1:
        how += f": {diameters.min() / diameter_mm:.3g} to {diameters.max() / diameter_mm:.3g} px per mm"
    return Scale(
        float(mean / diameter_mm), how,
        error=float(np.sqrt((1 / diameters**2).sum()) / len(balls)),
        middle=tuple(map(float, middle)),
        slope=tuple(float(part) for part in slope / diameter_mm),
        limits=(diameters.min() / BEYOND / diameter_mm, diameters.max() * BEYOND / diameter_mm),
        balls=tuple(balls),
    )  # fmt: skip
