"""Smooth fields over the image grid: noise, blur, slopes. Maps are float32 (height, width)."""

from __future__ import annotations

import numpy as np

Shape = tuple[int, int]


def noise(rng: np.random.Generator, shape: Shape, grain_px: float) -> np.ndarray:
    """Smooth Gaussian noise of mean 0 and variance about 1, with blobs about two grains wide.

    Normal numbers on a grid as coarse as the grain, joined by cubic B-splines: broad noise costs no more than fine.
    """
    step = max(1, round(grain_px))
    knots = rng.standard_normal([side // step + 5 for side in shape], dtype=np.float32)
    if step == 1:
        return knots[: shape[0], : shape[1]]
    top, left = rng.integers(0, step, size=2)  # so that the grid does not begin in the image's corner
    whole = _spline(_spline(knots, step).T, step).T
    # The mean of a cubic B-spline's squared weights is 151 / 315 in each direction.
    return whole[top : top + shape[0], left : left + shape[1]] * np.float32(315 / 151)


def blurred(image: np.ndarray, sigma_px: float) -> np.ndarray:
    """Blurs an image (H, W) with standard deviation ``sigma_px``, which does not change the cost; edges are repeated.

    Means over blocks joined by cubic B-splines. Blocks of width w and the spline over them spread by w^2 / 12 and
    w^2 / 3, which makes w about 1.55 sigma.
    """
    step = max(1, round(1.55 * sigma_px))
    if step == 1:
        return image
    height, width = image.shape
    padded = np.pad(image, [(0, -side % step) for side in image.shape], mode="edge")
    blocks = padded.reshape(padded.shape[0] // step, step, -1).mean(axis=1)
    blocks = blocks.reshape(blocks.shape[0], -1, step).mean(axis=2)
    whole = _spline(_spline(np.pad(blocks, 2, mode="edge"), step).T, step).T
    start = step // 2  # the spline begins at the second knot, half a block before the image does
    return whole[start : start + height, start : start + width]


def _spline(knots: np.ndarray, step: int) -> np.ndarray:
    """Uniform cubic B-spline down the rows, ``step`` values between neighbouring knots: ((n - 3) step, columns)."""
    t = ((np.arange(step, dtype=np.float32) + 0.5) / step)[:, None]
    weights = (1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6, t**3 / 6
    spans = len(knots) - 3
    out = weights[0] * knots[:spans, None]
    for k in (1, 2, 3):
        out += weights[k] * knots[k : k + spans, None]
    return out.reshape(spans * step, -1)


def normals(height_mm: np.ndarray, px_per_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit surface normals as their downward, rightward and upward (toward the camera) components.

    Slopes are limited to 2 (63 degrees), because the slope of a particle's edge between two pixels has no meaning.
    """
    down, right = np.gradient(height_mm)
    for slope in (down, right):
        slope *= px_per_mm
        np.clip(slope, -2, 2, out=slope)
    up = 1 / np.sqrt(down * down + right * right + 1)
    return -down * up, -right * up, up
