"""Images damaged on purpose, by a known amount: blurred, shifted, brightened, noisy, or covered with glare."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from orelib.metrics import psnr

# The largest strength of each kind of damage, in the units of degraded.
LARGEST = {"blur": 20.0, "shift": 20.0, "brightness": 2.0, "noise": 150.0, "glare": 1.0}
SPOT = 3.0  # px; the size of glare spots
HALVINGS = 18  # of the range of strengths, until the error fits to about 0.01 dB


def degraded(
    image: np.ndarray,
    blur: float = 0.0,
    shift: float = 0.0,
    brightness: float = 0.0,
    noise: float = 0.0,
    glare: float = 0.0,
) -> np.ndarray:
    """Returns an image with one or more kinds of damage; the same arguments give the same bytes.

    Parameters
    ----------
    image : uint8 (H, W, 3).
    blur : sigma of a Gaussian, px.
    shift : px to the right; a fraction of a pixel also blurs a little, because it is interpolated.
    brightness : share by which every value grows, -1 to any; 0.1 is a tenth brighter.
    noise : standard deviation of Gaussian noise, grey levels.
    glare : share of the area, 0 to 1, that white spots with soft edges cover.
    """
    damaged = image.astype(np.float32)
    if shift:
        damaged = ndimage.shift(damaged, (0, shift, 0), order=1, mode="nearest")
    damaged *= 1 + brightness
    if glare:
        height = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(image.shape[:2]), SPOT)
        opaque = (height - np.quantile(height, 1 - glare)) / (0.3 * height.std()) + 0.5
        damaged += opaque.clip(0, 1)[..., None].astype(np.float32) * (255 - damaged)
    if blur:
        damaged = cv2.GaussianBlur(damaged, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
    if noise:
        damaged += noise * np.random.default_rng(1).standard_normal(image.shape, dtype=np.float32)
    return damaged.round().clip(0, 255).astype(np.uint8)


def with_psnr(image: np.ndarray, kind: str, decibel: float) -> tuple[float, np.ndarray]:
    """Returns the strength of one kind of damage that leaves a given PSNR, and the damaged image.

    Raises ValueError for a PSNR that not even the largest strength leaves.
    """
    low, high = 0.0, LARGEST[kind]
    if (least := psnr(degraded(image, **{kind: high}), image)) > decibel:
        raise ValueError(f"{kind} of {high:g} still leaves {least:.1f} dB, more than {decibel:.1f} dB")
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if psnr(degraded(image, **{kind: middle}), image) > decibel:
            low = middle
        else:
            high = middle
    return high, degraded(image, **{kind: high})


def equally_wrong(image: np.ndarray, shift: int = 1) -> dict[str, tuple[float, np.ndarray]]:
    """Returns an image damaged in each way, with one PSNR: the strength and the image, by kind of damage.

    The PSNR is the one of a shift by so many pixels.
    """
    moved = degraded(image, shift=shift)
    decibel = psnr(moved, image)
    return {kind: (float(shift), moved) if kind == "shift" else with_psnr(image, kind, decibel) for kind in LARGEST}
