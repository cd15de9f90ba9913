"""Measures the shift between a wet and a dry photograph of one place.

Water darkens rock, strengthens its contrast and adds glare, but the edge of a particle keeps its direction. So
photographs are compared only by the direction of their brightness gradient, not by its strength (after
Tzimiropoulos et al. 2010, *Robust FFT-based scale-invariant image registration with image gradients*).

A shift is the shift of the wet photograph: a point at row r and column c of the dry photograph lies at row r + down and
column c + right of the wet one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from math import hypot, inf, isnan, nan, sqrt

import cv2
import numpy as np
from PIL import Image
from scipy import fft, ndimage
from scipy.signal.windows import tukey

# px. A perfect restoration of rendered ore that lies 2 px off scores 23 dB and SSIM 0.5, one that lies 1 px off 26 dB
# and 0.7: beyond that, loss and table measure the shift rather than the restoration, and aligning is free.
LARGEST_SHIFT = 1.0
LEAST_TRUST = 0.1  # photographs of different places stay below it, from 100 px a side
# Smaller images need more trust, because they agree by chance. Unrelated crops of scenes and of core, 28 to 100 px a
# side, reach TRUST_BY_SIDE / side in 0.1 % of all cases; the best of seven orientations reaches TRUST_OF_TURNED / side
# in fewer. Images below LEAST_SIDE have no other shifts, a few pixels away, to compare with.
TRUST_BY_SIDE = 10
TRUST_OF_TURNED = 12
LEAST_SIDE = 28  # px
FINE = 20  # a shift is measured to 1/20 of a pixel
NEIGHBOURHOOD = 6  # px around the best shift that still belong to its peak
COARSE_SIDE = 400  # px; a photograph whose shorter side is twice as long is searched on a reduced copy first
PART_SIDE = 512  # px; then the shift is refined in parts of the photograph at full resolution
SMALLEST_PART = 100  # px
NOT_MEASURABLE = "shift not measurable: see whether both show the same place"
TOO_SMALL = f"shift not measurable in an image under {LEAST_SIDE} px a side"


@dataclass(frozen=True)
class Shift:
    """Shift of the wet photograph against the dry one, in pixels ``down`` and ``right``; NaN: not measurable.

    ``trust`` is the margin of the correlation at this shift over the correlation at any other shift, at most 1; below
    0.1 (or more, in photographs under 100 px a side) the shift is not measurable. ``spread`` is the largest difference,
    in pixels, between the shifts of the photograph's parts: much more than 0.5 means that the camera was turned or
    moved nearer as well. It is NaN for a photograph under 200 px, which is one part.
    """

    down: float
    right: float
    trust: float
    spread: float

    @property
    def length(self) -> float:
        """Length of the shift in pixels."""
        return hypot(self.down, self.right)

    @property
    def measured(self) -> bool:
        return not isnan(self.down)


def measure_shift(wet: np.ndarray, dry: np.ndarray) -> Shift:
    """Measures the shift of a wet photograph against the dry one, uint8 (H, W, 3), up to a quarter of their sides.

    The shift is not measurable when their sizes differ.
    """
    return shift_of_lights(light(wet), light(dry))


def shift_of_lights(wet: np.ndarray, dry: np.ndarray) -> Shift:
    """Measures the shift as :func:`measure_shift` does, from the :func:`light` of both photographs."""
    if wet.shape != dry.shape:
        return Shift(nan, nan, 0.0, nan)
    factor = _reduction(wet)
    shift, trust = _best_shift(*(edges(_reduced(image, factor)) for image in (wet, dry)))
    if shift is None:
        return Shift(nan, nan, trust, nan)
    shift *= factor
    whole = np.round(shift).astype(int)
    wet, dry = overlap(wet, dry, *whole)
    parts = _parts(wet.shape)
    if factor == len(parts) == 1 and not whole.any():  # it would be measured once more
        return Shift(float(shift[0]), float(shift[1]), trust, nan)
    found = [_best_shift(edges(wet[part]), edges(dry[part])) for part in parts]
    fine = [whole + rest for rest, _ in found if rest is not None]
    down, right = np.mean(fine, axis=0) if fine else shift
    spread = max((hypot(*(one - other)) for one, other in combinations(fine, 2)), default=nan)
    return Shift(float(down), float(right), trust, spread)


def light(image: np.ndarray) -> np.ndarray:
    """Luma (ITU-R BT.601) of a uint8 (H, W, 3) image: float32 (H, W), 0-255. Needs little memory besides the image."""
    return np.asarray(Image.fromarray(image).convert("F"))


def _reduction(image: np.ndarray) -> int:
    return max(1, min(image.shape[:2]) // COARSE_SIDE)


def _reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """Reduces an image (H, W) to means of ``factor`` x ``factor`` pixels; cuts off incomplete blocks at its end."""
    height, width = (side // factor for side in image.shape)
    return image[: height * factor, : width * factor].reshape(height, factor, width, factor).mean(axis=(1, 3))


def edges(image: np.ndarray) -> np.ndarray:
    """Direction of the gradient of an image (H, W) of 0-255: complex64, down + i right, length near 1 at edges.

    The logarithm removes exposure and wetness; gradients of a few per cent per pixel and less, mostly noise, are
    shortened.
    """
    logarithm = np.log(image + 8)  # + 8: so that noise in the darkest pixels makes no edges
    smooth, slope = _gaussian()
    down = cv2.sepFilter2D(logarithm, -1, smooth, slope, borderType=cv2.BORDER_REFLECT)
    right = cv2.sepFilter2D(logarithm, -1, slope, smooth, borderType=cv2.BORDER_REFLECT)
    gradient = down + 1j * right
    return gradient / (np.abs(gradient) + 0.03)


@lru_cache(maxsize=1)
def _gaussian() -> tuple[np.ndarray, np.ndarray]:
    """A Gaussian of 1 px and its derivative, as filters to correlate with."""
    impulse = np.zeros(9)  # 4 px a side, as in SciPy
    impulse[4] = 1
    return ndimage.gaussian_filter1d(impulse, 1), ndimage.gaussian_filter1d(impulse, 1, order=1)[::-1]


def spectrum(gradient: np.ndarray) -> np.ndarray:
    """Fourier transform of an edge image (H, W), without its mean and scaled to unit energy.

    The image fades out at its borders, where wet and dry show different things.
    """
    height, width = map(_fading, gradient.shape)
    tapered = (gradient - gradient.mean()) * height[:, None] * width
    return fft.fft2(tapered / max(np.linalg.norm(tapered), 1e-6))


@lru_cache(maxsize=16)
def _fading(side: int) -> np.ndarray:
    return tukey(side, 0.25).astype(np.float32)


def correlation(wet: np.ndarray, dry: np.ndarray) -> np.ndarray:
    """Correlation, -1 to 1, of edge images at every shift of the wet against the dry one, (H, W) or (N, H, W).

    Takes and broadcasts their spectra. Shift (0, 0) comes first and shifts wrap around, as usual in FFTs.
    """
    return fft.ifft2(wet * dry.conj()).real


def peak(surface: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns the shift (down, right) of the highest correlation, up to a quarter of the sides, and its margin.

    The margin is the difference to the highest correlation at a shift more than a few pixels away: a straight edge that
    two photographs share, such as the rim of a belt, correlates well, but equally at many shifts.
    """
    centre = np.array(surface.shape) // 4
    surface = np.roll(surface, centre, axis=(0, 1))[: 2 * centre[0] + 1, : 2 * centre[1] + 1]
    place = np.array(np.unravel_index(surface.argmax(), surface.shape))
    away = surface.copy()
    away[tuple(slice(max(0, at - NEIGHBOURHOOD), at + NEIGHBOURHOOD + 1) for at in place)] = -np.inf
    margin = surface[tuple(place)] - away.max()
    return place - centre, float(margin) if np.isfinite(margin) else 0.0  # a tiny image has no shift that far away


def _best_shift(wet: np.ndarray, dry: np.ndarray) -> tuple[np.ndarray | None, float]:
    """Returns the shift (down, right) of edge images to 1/20 px, or None where trust is too low; and the trust."""
    crossed = _crossed(wet, dry)
    surface = fft.ifft2(crossed)
    whole, trust = peak(surface.real)
    if trust < needed_trust(wet.shape):
        return None, trust
    if whole.any():
        crossed = _crossed(*overlap(wet, dry, *whole))
        surface = fft.ifft2(crossed)
    return whole + _fine_shift(crossed, surface), trust


def _crossed(wet: np.ndarray, dry: np.ndarray) -> np.ndarray:
    return spectrum(wet) * spectrum(dry).conj()


def _fine_shift(crossed: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """Shift (down, right) of the highest correlation of two edge images, to a twentieth of a pixel.

    Takes the product (H, W) of their spectra and its inverse transform, the correlation.

    The correlation around its highest pixel is computed at every twentieth by products of matrices (Guizar-Sicairos et
    al. 2008, *Efficient subpixel image registration algorithms*).
    """
    surface = np.abs(surface)
    whole = np.array(np.unravel_index(surface.argmax(), surface.shape))
    whole -= np.where(whole > np.array(surface.shape) // 2, surface.shape, 0)
    fractions = np.arange(-15, 15) / FINE
    rows, columns = (
        np.exp(2j * np.pi * np.outer(at + fractions, fft.fftfreq(side))).astype(crossed.dtype)
        for at, side in zip(whole, crossed.shape, strict=True)
    )
    # By einsum, because NumPy starts threads for a matrix product, which wait far longer here than they compute; and
    # with real numbers, because einsum multiplies them four times as fast as complex ones.
    real, imaginary = (np.einsum("yh,hw->yw", part, crossed.view(np.float32)) for part in (rows.real, rows.imag))
    along_rows = real.view(np.complex64) + 1j * imaginary.view(np.complex64)
    fine = np.abs(np.einsum("yw,xw->yx", along_rows, columns))
    return whole + fractions[np.array(np.unravel_index(fine.argmax(), fine.shape))]


def needed_trust(shape: tuple[int, int], by_side: float = TRUST_BY_SIDE) -> float:
    """Returns the trust (see :class:`Shift`) that shows, at this (height, width), that a shift is no coincidence."""
    return max(LEAST_TRUST, by_side / sqrt(shape[0] * shape[1])) if min(shape) >= LEAST_SIDE else inf


def _parts(shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Slices of the corners of an image, each up to half of a side; a short side is not divided."""

    def along(side: int) -> list[slice]:
        part = min(PART_SIDE, side // 2)
        return [slice(0, part), slice(side - part, side)] if part >= SMALLEST_PART else [slice(0, side)]

    return list(product(*map(along, shape)))


def overlap(wet: np.ndarray, dry: np.ndarray, down: int, right: int) -> tuple[np.ndarray, np.ndarray]:
    """Cuts images (H, W, ...) to their common area; the wet one lies ``down`` px lower, ``right`` px further right."""

    def shared(image: np.ndarray, down: int, right: int) -> np.ndarray:
        height, width = image.shape[:2]
        return image[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]

    return shared(wet, down, right), shared(dry, -down, -right)


# ---- orientation -------------------------------------------------------------------------------------------------

# How a dry image was turned or mirrored, and the function that undoes it.
ORIENTATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "turned by 90 degrees clockwise": lambda dry: np.rot90(dry, 1),
    "turned by 180 degrees": lambda dry: np.rot90(dry, 2),
    "turned by 90 degrees anticlockwise": lambda dry: np.rot90(dry, 3),
    "mirrored left to right": lambda dry: dry[:, ::-1],
    "mirrored top to bottom": lambda dry: dry[::-1],
    "mirrored left to right and turned by 90 degrees clockwise": lambda dry: np.rot90(dry, 1)[:, ::-1],
    "mirrored left to right and turned by 90 degrees anticlockwise": lambda dry: np.rot90(dry, 3)[:, ::-1],
}


def find_orientation(wet: np.ndarray, dry: np.ndarray) -> str | None:
    """Returns the key of :data:`ORIENTATIONS` that fits a dry image and a wet one, both uint8 (H, W, 3).

    None when no orientation fits, or the images are too small to tell. Images may differ in size.
    """
    if min(wet.shape[:2]) < LEAST_SIDE:
        return None
    factor = _reduction(wet)
    wet, dry = (_reduced(light(image), factor) for image in (wet, dry))
    seen = spectrum(edges(wet))
    trust = {
        name: peak(correlation(seen, spectrum(edges(undo(dry)))))[1]
        for name, undo in ORIENTATIONS.items()
        if undo(dry).shape == wet.shape
    }
    best = max(trust, key=trust.get, default=None)
    return best if best and trust[best] >= needed_trust(wet.shape, TRUST_OF_TURNED) else None


def why_not_measurable(wet: np.ndarray, dry: np.ndarray) -> str:
    """Returns the remark on a pair whose shift is not measurable."""
    return NOT_MEASURABLE if min(*wet.shape[:2], *dry.shape[:2]) >= LEAST_SIDE else TOO_SMALL


def misfit(wet: np.ndarray, dry: np.ndarray) -> str:
    """Returns why the images of a pair cannot match (orientation or size), and the cure; "" when it is neither."""
    if orientation := find_orientation(wet, dry):
        return f"the dry image is {orientation}: turn it back"
    if wet.shape != dry.shape:
        sizes = [f"{image.shape[1]} x {image.shape[0]} px" for image in (wet, dry)]
        return f"is {sizes[0]}, its dry partner {sizes[1]}: export both at one size"
    return ""
