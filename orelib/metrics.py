"""PSNR and SSIM of restored against dry images, under named protocols, and metrics of effects that the paper names.

Published values of the same restoration differ by more than one dB because of the protocol alone, so each has a name:

============  ========================================================================================================
``rgb``       the tables' default. PSNR over all three channels; SSIM with the settings of Wang et al. 2004 (Gaussian
              11 x 11, sigma 1.5, K 0.01 / 0.03, windows wholly inside) on each channel, averaged.
``luma``      the same on the luma of ITU-R BT.601 alone, as super-resolution papers report.
``library``   scikit-image's defaults on RGB: PSNR as ``rgb``; SSIM with a uniform 7 x 7 window and sample covariance.
============  ========================================================================================================

All take uint8 images and a data range of 255. A table's value is the mean of the images' values, never the value of
a mean error. An image that equals its dry partner has an infinite PSNR, and a mean that holds it would be infinite,
too: tables keep no infinite value, so such an image is left out of the mean, and Table 3 says how many were.

PSNR and SSIM cannot tell blur from a wrong colour, or glare from rock, as the paper does. So each image also has:
colour error, sharpness, invented edges, seams around the glare, PSNR inside the glare and outside, and how much of the
glare is gone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from scipy import ndimage
from scipy.special import stdtrit
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.feature import canny
from skimage.metrics import structural_similarity

from orelib import losses

DATA_RANGE = 255
PROTOCOLS = ("rgb", "luma", "library")
# The bounds of each metric, and so of its mean, whatever the images are.
LIMITS = {
    "psnr": (0.0, np.inf),
    "ssim": (-1.0, 1.0),
    "colour_error": (0.0, np.inf),
    "sharpness": (0.0, np.inf),
    "invented_edges": (0.0, 1.0),
    "psnr_glare": (0.0, np.inf),
    "psnr_rock": (0.0, np.inf),
    "glare_removed": (-np.inf, 1.0),
    "seams": (0.0, np.inf),
}


def column(metric: str, protocol: str) -> str:
    """The CSV column of a metric: ``psnr`` and ``ssim`` for the default protocol, ``psnr_luma`` and so on otherwise."""
    return metric if protocol == "rgb" else f"{metric}_{protocol}"


def psnr(restored: np.ndarray, dry: np.ndarray, protocol: str = "rgb") -> float:
    """Peak signal-to-noise ratio in dB, eq. 11 and 12; infinite for equal images.

    ``10 log10(255^2 / MSE)`` on uint8 (H, W, 3). Raises ValueError for other input.
    """
    return _decibel(np.subtract(*_prepared(restored, dry, protocol)))


def _decibel(error: np.ndarray) -> float:
    """PSNR of an error of any shape: infinite for no error, NaN for no pixels."""
    if not error.size:
        return float("nan")
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(DATA_RANGE**2 / np.mean(np.square(error), dtype=np.float64)))


def ssim(restored: np.ndarray, dry: np.ndarray, protocol: str = "rgb") -> float:
    """Structural similarity, eq. 6-10, at most 1; on uint8 (H, W, 3). Raises ValueError for other input.

    Computed in single precision; the largest difference seen to scikit-image's double precision was 0.00003.
    """
    restored, dry = _prepared(restored, dry, protocol)
    if protocol == "library":
        return float(structural_similarity(restored, dry, data_range=DATA_RANGE, channel_axis=2))
    x, y = (torch.from_numpy(image).permute(2, 0, 1)[None].contiguous() for image in (restored, dry))
    return min(losses.ssim(x, y, DATA_RANGE).item(), 1.0)  # rounding may exceed it


def _prepared(restored: np.ndarray, dry: np.ndarray, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """Checks both images and brings them to the protocol's colour space, float32 (H, W, channels)."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol={protocol!r} is unknown: choose one of {', '.join(PROTOCOLS)}")
    for image in (restored, dry):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"metrics take uint8 images (H, W, 3), not {image.dtype} {image.shape}")
    if restored.shape != dry.shape:
        raise ValueError(f"restored {restored.shape} and dry {dry.shape} differ in size")
    restored, dry = restored.astype(np.float32), dry.astype(np.float32)
    if protocol == "luma":
        weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
        restored, dry = (image @ weights[:, None] for image in (restored, dry))
    return restored, dry


def score(wet: np.ndarray, restored: np.ndarray, dry: np.ndarray) -> dict[str, float]:
    """Returns an image's values for ``metrics.csv``, by column: PSNR and SSIM under every protocol, and the metrics
    that explain them. NaN where a metric is not finite. Takes uint8 (H, W, 3); raises ValueError otherwise."""
    values = {}
    for protocol in PROTOCOLS:
        if protocol != "library":  # its PSNR equals rgb's
            values[column("psnr", protocol)] = psnr(restored, dry, protocol)
        values[column("ssim", protocol)] = ssim(restored, dry, protocol)
    values |= {
        "colour_error": colour_error(restored, dry),
        "sharpness": sharpness(restored, dry),
        "invented_edges": invented_edges(wet, restored, dry),
        "psnr_glare": psnr_glare(wet, restored, dry),
        "psnr_rock": psnr_rock(wet, restored, dry),
        "glare_removed": glare_removed(wet, restored, dry),
        "seams": seams(wet, restored, dry),
    }
    return {name: finite(value) for name, value in values.items()}


def finite(value: float) -> float:
    """Returns the value, or NaN instead of an infinite one, as tables hold it."""
    return value if np.isfinite(value) else float("nan")


def colour_error(restored: np.ndarray, dry: np.ndarray) -> float:
    """Mean CIEDE2000 colour difference (Sharma et al. 2005, by scikit-image); about 1 is just noticeable.

    Images are taken as sRGB. Takes uint8 (H, W, 3); raises ValueError for other input.
    """
    restored, dry = (image / DATA_RANGE for image in _prepared(restored, dry, "rgb"))
    return float(deltaE_ciede2000(rgb2lab(restored), rgb2lab(dry)).mean())


def sharpness(restored: np.ndarray, dry: np.ndarray) -> float:
    """Mean gradient magnitude of the restored image relative to the dry one, on luma (BT.601).

    1: edges and texture as strong as in the dry image; below, it is blurred or lacks contrast; above, it has contrast,
    noise or glare that the dry one lacks. NaN for a dry image of one grey. Takes uint8 (H, W, 3); raises ValueError
    for other input.
    """
    return _ratio(*(magnitude.mean() for magnitude in _gradients(restored, dry)))


def _gradients(*images: np.ndarray) -> list[np.ndarray]:
    """Gradient magnitude (H, W) of the luma of two images."""
    return [np.hypot(*np.gradient(image[..., 0])) for image in _prepared(*images, "luma")]


def _ratio(one: float, other: float) -> float:
    """Returns ``one / other``; NaN where ``other`` is 0."""
    return float(one / other) if other else float("nan")


EDGE_REACH = 2  # px; edges of two images that lie this near count as the same


def invented_edges(wet: np.ndarray, restored: np.ndarray, dry: np.ndarray) -> float:
    """Share of the restored image's edges that neither the wet nor the dry image has within 2 px, 0-1.

    Edges are Canny's on luma (sigma 1.5 px, hysteresis from 10 to 25 grey levels a pixel, by scikit-image). 0 for the
    wet or the dry image itself, and NaN for an image without edges. Takes uint8 (H, W, 3); raises ValueError for other
    input.
    """
    edges = [
        canny(image[..., 0], sigma=1.5, low_threshold=10, high_threshold=25)
        for image in (*_prepared(restored, dry, "luma"), _prepared(wet, dry, "luma")[0])
    ]
    known = ndimage.distance_transform_edt(~(edges[1] | edges[2])) <= EDGE_REACH
    return _ratio((edges[0] & ~known).sum(), edges[0].sum())


GLARE_EXCESS = 25  # grey levels; water darkens rock, so a pixel that it brightens by more than this is glare
LEAST_GLARE = 0.002  # share of the pixels; with less, a value for the glare is chance


def glare_of(wet: np.ndarray, dry: np.ndarray) -> np.ndarray:
    """Returns a mask of the glare, bool (H, W): the wet image is over 25 grey levels (BT.601) brighter than the dry.

    So glare can be found in photographs that have no glare mask. Takes uint8 (H, W, 3); raises ValueError for other
    input.
    """
    return _excess(wet, dry) > GLARE_EXCESS


def _excess(image: np.ndarray, dry: np.ndarray) -> np.ndarray:
    """Returns by how many grey levels an image is brighter than the dry one, (H, W)."""
    image, dry = _prepared(image, dry, "luma")
    return (image - dry)[..., 0]


def psnr_glare(wet: np.ndarray, restored: np.ndarray, dry: np.ndarray) -> float:
    """PSNR of the pixels of :func:`glare_of` alone, in dB, where rock is hidden and must be invented.

    NaN where less than 0.2 % of the pixels are glare. Takes uint8 (H, W, 3); raises ValueError for other input.
    """
    error = np.subtract(*_prepared(restored, dry, "rgb"))
    glare = glare_of(wet, dry)
    return float("nan") if glare.mean() < LEAST_GLARE else _decibel(error[glare])


def psnr_rock(wet: np.ndarray, restored: np.ndarray, dry: np.ndarray) -> float:
    """PSNR outside :func:`glare_of`, in dB, where rock is seen through water.

    NaN where all is glare. Takes and raises as :func:`psnr_glare`.
    """
    return _decibel(np.subtract(*_prepared(restored, dry, "rgb"))[~glare_of(wet, dry)])


def seams(wet: np.ndarray, restored: np.ndarray, dry: np.ndarray) -> float:
    """Gradient magnitude along the border of the glare, relative to the dry image at the same places.

    1: nothing shows where the glare was; above, its outline is still seen; below, the place is smeared. Taken over the
    pixels within 1 px of the border of :func:`glare_of`. NaN where less than 0.2 % of the pixels are glare. Takes uint8
    (H, W, 3); raises ValueError for other input.
    """
    glare = glare_of(wet, dry)
    if glare.mean() < LEAST_GLARE:
        return float("nan")
    border = ndimage.binary_dilation(glare) & ~ndimage.binary_erosion(glare)
    return _ratio(*(magnitude[border].mean() for magnitude in _gradients(restored, dry)))


def glare_removed(wet: np.ndarray, restored: np.ndarray, dry: np.ndarray) -> float:
    """Share of the glare that a restorer took away: 1 for all of it, 0 for none, below 0 if it added glare.

    In :func:`glare_of`, the excess of the restored image over the dry one is compared with that of the wet image. A
    constant dark image scores 1, so read it beside PSNR and SSIM. NaN where less than 0.2 % of the pixels are glare.
    Takes uint8 (H, W, 3); raises ValueError for other input.
    """
    left, excess, glare = _excess(restored, dry).clip(min=0), _excess(wet, dry), glare_of(wet, dry)
    return float("nan") if glare.mean() < LEAST_GLARE else float(1 - left[glare].sum() / excess[glare].sum())


def mean_interval(
    values: Iterable[float], confidence: float = 0.95, limits: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float, float]:
    """Mean of the images' values and its confidence interval, by Student's t over images.

    It says how far the mean would move with other test images of the same kind; it does not include what another
    training seed would change. Values that are not finite are left out: NaN, of an image without the metric, and the
    infinite PSNR of equal images. The interval is cut off at ``limits``, between which the mean must lie (see
    :data:`LIMITS`), because few images give wide intervals. The bounds are NaN for fewer than two values; without any
    value, so is the mean.
    """
    values = np.asarray(list(values), dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return (float("nan"),) * 3
    mean = float(values.mean())
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    half = stdtrit(len(values) - 1, (1 + confidence) / 2) * values.std(ddof=1) / np.sqrt(len(values))
    return mean, float(max(mean - half, limits[0])), float(min(mean + half, limits[1]))
