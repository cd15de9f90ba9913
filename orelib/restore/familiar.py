"""Tells whether a photograph is like the photographs that a restorer was trained on.

A network restores what it has seen, and does harm to what it has not: trained on rendered ore alone, it makes drill
core worse than a dozen lines of classical code do. So a model file keeps statistics of the wet training photographs,
and a photograph is compared with them: a few numbers for its colour, brightness, contrast and sharpness, and their
distance from the training photographs' mean in units of their spread (Mahalanobis 1936).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from orelib.utils.counting import Counted

WINDOW, WINDOWS = 256, 4  # px; statistics are means over up to 4 x 4 windows, spread over the photograph
DARKEST = 0.02  # of white; darker pixels are mostly noise
# Most training photographs lie nearer: 19 of 20 if the statistics are Gaussian (chi, 9 degrees of freedom).
USUAL = 4.1
FADING = 1.25  # beyond this many times the usual distance, nothing is familiar
NAMES = (
    "brightness", "red", "blue", "contrast", "detail at 1 px", "detail at 2 px", "detail at 4 px", "steps at 4 px",
    "saturation",
)  # fmt: skip


def statistics_of(photograph: np.ndarray) -> np.ndarray:
    """Returns the statistics :data:`NAMES` of a photograph, uint8 or uint16 (H, W, 3): float64 (9,).

    All but the saturation are logarithms or their differences, so that exposure changes the first alone.
    """
    return np.mean([_statistics(window) for window in windows_of(photograph)], axis=0)


def windows_of(photograph: np.ndarray) -> list[np.ndarray]:
    """Returns up to 4 x 4 windows of 256 px, spread over a photograph (H, W, 3); a smaller one is one window."""
    height, width = photograph.shape[:2]
    tops, lefts = (_starts(side) for side in (height, width))
    return [photograph[top : top + WINDOW, left : left + WINDOW] for top in tops for left in lefts]


def _starts(side: int) -> np.ndarray:
    count = min(WINDOWS, max(1, side // WINDOW))
    return np.linspace(0, max(0, side - WINDOW), count).astype(int)


def _statistics(window: np.ndarray) -> np.ndarray:
    largest = np.iinfo(window.dtype).max
    planes = np.ascontiguousarray(np.moveaxis(window, 2, 0))  # (3, h, w): many times faster to reduce
    middles = np.array([Counted([plane], 0, largest).middle() for plane in planes], np.float32) / largest
    red, green, blue = _logarithm(middles).mean(axis=1)
    values = window.astype(np.float32) / largest
    light = _logarithm(values @ np.float32([0.299, 0.587, 0.114]))
    steps = [_step(_reduced(light, factor)) for factor in (1, 2, 4, 8)]
    saturation = (planes.max(axis=0) - planes.min(axis=0)).mean(dtype=np.float64) / largest
    details = -np.diff(steps)
    return np.array(
        [
            (red + green + blue) / 3,
            red - green,
            blue - green,
            light.std(),
            *details,
            steps[2],
            np.log(0.02 + saturation),
        ],
        dtype=np.float64,
    )


def _logarithm(values: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(values, DARKEST))


def _reduced(light: np.ndarray, factor: int) -> np.ndarray:
    """Means over blocks of ``factor`` x ``factor`` pixels; a side that is shorter is one block."""
    if factor == 1:
        return light
    height, width = (max(1, side // factor) for side in light.shape)
    tall, wide = (min(side, factor) for side in light.shape)
    rows = light[: height * tall, : width * wide].reshape(height, tall, -1).mean(axis=1)
    return rows.reshape(height, width, wide).mean(axis=2)


def _step(light: np.ndarray) -> float:
    """Logarithm of the mean step between neighbouring pixels."""
    steps = [np.abs(np.diff(light, axis=axis)).mean() for axis in (0, 1) if light.shape[axis] > 1]
    return float(np.log(max(steps, default=0.0) + 1e-4))


@dataclass(frozen=True)
class Familiar:
    """Statistics of training photographs: their ``mean`` (9,), and ``precision`` (9, 9), the inverse covariance."""

    mean: np.ndarray
    precision: np.ndarray

    @classmethod
    def of(cls, photographs: Iterable[np.ndarray]) -> Familiar:
        """Measures training photographs, uint8 or uint16 (H, W, 3), at least one."""
        statistics = np.array([statistics_of(photograph) for photograph in photographs])
        count, size = statistics.shape
        mean = statistics.mean(axis=0)
        # A few photographs say nothing about how statistics hang together, and too little about their spread.
        spread = np.square(statistics - mean).sum(axis=0) / max(1, count - 1) + 0.1**2 * size / count
        covariance = (statistics - mean).T @ (statistics - mean) / max(1, count - 1)
        alone = size / (count + size)
        shrunk = (1 - alone) * covariance + alone * np.diag(spread) + 1e-4 * np.eye(size)
        return cls(mean, np.linalg.inv(shrunk))

    def distance(self, photograph: np.ndarray) -> float:
        """Mahalanobis distance of a photograph; about 3 for training photographs, seldom above :data:`USUAL`."""
        off = statistics_of(photograph) - self.mean
        return float(np.sqrt(off @ self.precision @ off))

    def share(self, photograph: np.ndarray) -> float:
        """Returns how familiar a photograph is: 1 up to the usual distance, 0 beyond 1.25 times as far."""
        return self.compare(photograph)[0]

    def compare(self, photograph: np.ndarray) -> tuple[float, str]:
        """Returns how familiar a photograph is, and the statistic in which it differs most from the training, in words.

        The share is 1 up to the usual distance, 0 beyond 1.25 times as far.
        """
        off = statistics_of(photograph) - self.mean
        distance = float(np.sqrt(off @ self.precision @ off))
        most = int(np.argmax(np.abs(off) * np.sqrt(np.diag(self.precision))))
        share = float(np.clip((FADING - distance / USUAL) / (FADING - 1), 0, 1))
        return share, f"{NAMES[most]} ({'more' if off[most] > 0 else 'less'} than there)"

    def to_json(self) -> dict[str, list]:
        return {"mean": self.mean.round(6).tolist(), "precision": self.precision.round(6).tolist()}

    @classmethod
    def from_json(cls, value: dict) -> Familiar:
        """Reads what :meth:`to_json` wrote. Raises ValueError, KeyError or TypeError for anything else."""
        mean, precision = (np.asarray(value[name], dtype=np.float64) for name in ("mean", "precision"))
        size = len(NAMES)
        if (
            mean.shape != (size,)
            or precision.shape != (size, size)
            or not np.isfinite([*mean, *precision.ravel()]).all()
        ):
            raise ValueError(f"statistics of training photographs must be {size} and {size} x {size} finite numbers")
        if np.linalg.eigvalsh((precision + precision.T) / 2).min() <= 0:
            raise ValueError("the inverse covariance of training photographs must be positive definite")
        return cls(mean, precision)
