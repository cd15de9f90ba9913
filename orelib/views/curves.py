"""Curves over the steps of a training as small SVG pictures, cheap enough to draw anew twice a second."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.ticker import MaxNLocator

POINTS = 150  # a curve has at most so many, however long the training
WIDTH, HEIGHT = 228, 150  # px, of a picture
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 24, 22  # px, around the curve
TICKS = MaxNLocator(3, steps=[1, 2, 5, 10])


@dataclass
class Curve:
    """A curve of any length in few buckets, each of the values of equally many steps: (sum, number, lowest, highest).

    When there are more than :data:`POINTS`, neighbours are joined.
    """

    size: int = 1  # steps of a bucket
    buckets: list[tuple[float, int, float, float]] = field(default_factory=list)

    def add(self, value: float) -> None:
        """Adds the value of the next step."""
        one = (value, 1, value, value)
        if self.buckets and self.buckets[-1][1] < self.size:
            self.buckets[-1] = _joined(self.buckets[-1], one)
        else:
            self.buckets.append(one)
        if len(self.buckets) > POINTS:
            pairs = [self.buckets[k : k + 2] for k in range(0, len(self.buckets), 2)]
            self.buckets = [_joined(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
            self.size *= 2

    def line(self) -> Line:
        """Returns the means over the middles of their buckets, with the range of the values."""
        sums, numbers, low, high = np.array(self.buckets, float).reshape(-1, 4).T
        starts = self.size * np.arange(len(sums))
        return Line(starts + (numbers + 1) / 2, sums / np.maximum(numbers, 1), low, high)


def _joined(one: tuple, other: tuple) -> tuple[float, int, float, float]:
    return one[0] + other[0], one[1] + other[1], min(one[2], other[2]), max(one[3], other[3])


@dataclass(frozen=True)
class Line:
    """What is drawn: values (n,) over steps (n,), and, if given, the band from ``low`` to ``high`` around them."""

    steps: np.ndarray
    values: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def curve_svg(title: str, alt: str, line: Line, steps: int, colour: str, marks: bool = False) -> str:
    """Draws a line over 0 to ``steps`` as an SVG picture on white, with its last value in the title.

    ``marks`` puts a dot on each value, and a ring around the highest. The scale leaves out rare extremes, as after the
    first steps; they are drawn at the edge.
    """
    low, high = _range(line)
    x = LEFT + (WIDTH - LEFT - RIGHT) * line.steps / max(steps, 1)

    def down(values: np.ndarray) -> np.ndarray:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * np.clip((values - low) / (high - low), 0, 1)

    y = down(line.values)
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', *_axes(low, high, steps)]
    if line.low is not None:
        outline = _points(np.concatenate([x, x[::-1]]), np.concatenate([down(line.low), down(line.high)[::-1]]))
        parts.append(f'<polygon points="{outline}" fill="{colour}" fill-opacity="0.25"/>')
    parts.append(f'<polyline points="{_points(x, y)}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    if marks and len(x):
        best = int(np.argmax(line.values))
        parts += [f'<circle cx="{at:.1f}" cy="{up:.1f}" r="2.4" fill="{colour}"/>' for at, up in zip(x, y, strict=True)]
        parts.append(f'<circle cx="{x[best]:.1f}" cy="{y[best]:.1f}" r="5" fill="none" stroke="{colour}"/>')
    parts.append(f'<text x="{LEFT}" y="15" font-weight="600">{html.escape(title)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{html.escape(alt)}" font-family="system-ui, sans-serif" font-size="11" fill="#333">'
        f"{''.join(parts)}</svg>"
    )


def _range(line: Line) -> tuple[float, float]:
    """Returns the lowest and highest value of the vertical axis."""
    values = line.values
    if not len(values):
        return 0.0, 1.0
    low, high = (np.percentile(values, share) for share in ((2, 98) if line.low is not None else (0, 100)))
    margin = 0.15 * (high - low) or 0.05 * abs(high) or 0.5
    return float(low - margin), float(high + margin)


def _axes(low: float, high: float, steps: int) -> list[str]:
    """Grid lines with their numbers: a few values at the left, steps below."""
    parts = []
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    inside = [tick for tick in TICKS.tick_values(low, high) if low <= tick <= high]
    digits = max(0, -int(np.floor(np.log10(inside[1] - inside[0])))) if len(inside) > 1 else 2
    for tick in inside:
        y = bottom - (bottom - TOP) * (tick - low) / (high - low)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{tick:.{digits}f}</text>')
    for tick in {0, steps // 2, steps}:
        x = LEFT + (right - LEFT) * tick / max(steps, 1)
        anchor = "end" if tick == steps else "middle"
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{tick:,}</text>')
    parts.append(f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#888"/>')
    return parts


def _points(x: Sequence[float], y: Sequence[float]) -> str:
    return " ".join(f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True))
