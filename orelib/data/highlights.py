"""Highlights on wet rock, found by a rule in the wet photograph alone, and filled from their surroundings.

The baselines and the classical restorer share the rule, so it needs OpenCV only, which loads at once.
"""

from __future__ import annotations

import cv2
import numpy as np

SURROUNDINGS = 31  # px, side of the window; a highlight is brighter than its median
MARGIN = 1  # px around a highlight that are filled, too, because the highlight lights them
GROWTH = 30  # px; bounded, so that a highlight is the same in each tile of a photograph that shows it
RADIUS = 3  # px at half size, around a pixel from which Telea's method fills it


def highlights(wet: np.ndarray, excess: float, around: int = SURROUNDINGS, grown_to: float = 1.0) -> np.ndarray:
    """Returns a mask of the glare, bool (H, W), found in the wet photograph alone.

    A pixel belongs to it if its luma (BT.601) is more than ``excess`` grey levels above the median of the ``around`` x
    ``around`` px around it. So does what hangs together with such a pixel, is at most 30 px away and above ``grown_to``
    times the excess; and so does what lies within 1 px. Takes uint8 (H, W, 3).
    """
    above = above_surroundings(wet, around)
    bright = (above > excess).astype(np.uint8)
    if grown_to < 1:
        candidates, square = (above > grown_to * excess).astype(np.uint8), np.ones((3, 3), np.uint8)
        for _ in range(GROWTH):
            before, bright = bright, cv2.dilate(bright, square) & candidates
            if np.array_equal(bright, before):
                break
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return cv2.dilate(bright, cross, iterations=MARGIN).astype(bool)


def above_surroundings(wet: np.ndarray, around: int = SURROUNDINGS) -> np.ndarray:
    """Returns by how many grey levels a pixel's luma is above the median around it, int16 (H, W). Takes uint8."""
    luma = cv2.cvtColor(wet, cv2.COLOR_RGB2GRAY)
    return luma.astype(np.int16) - cv2.medianBlur(luma, around)


def fill(wet: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fills the pixels of a mask from their surroundings by fast marching (Telea 2004, OpenCV), at half size.

    Takes uint8 or uint16 (H, W, 3) and bool (H, W); returns the shape and dtype of ``wet``. Where the mask leaves
    nothing to fill from, the image stays as it is.

    At half size, a ninth of the time is spent as at full size with a radius of 5 px, and the result is as near to the
    dry photograph, or nearer. On 24 pairs of drill core: 29.45 dB, an SSIM (scikit-image's) of 0.814, and 27.2 dB in
    the glare, against 29.44, 0.814 and 27.1; on rendered scenes 20.41, 0.667 and 18.2 against 20.39, 0.663 and 18.2.
    """
    if mask.all():
        return wet
    height, width = mask.shape
    half = (width + 1) // 2, (height + 1) // 2
    known = (~mask).astype(np.float32)[..., None]
    share = cv2.resize(known, half, interpolation=cv2.INTER_AREA)[..., None]
    sums = cv2.resize(wet * known, half, interpolation=cv2.INTER_AREA)
    means = np.rint(np.divide(sums, share, out=np.zeros_like(sums), where=share > 0)).astype(wet.dtype)
    filled = _inpaint(means, (share[..., 0] == 0).astype(np.uint8))
    return np.where(mask[..., None], cv2.resize(filled, (width, height)), wet)


def _inpaint(image: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    if image.dtype == np.uint8:
        return cv2.inpaint(image, hidden, RADIUS, cv2.INPAINT_TELEA)
    # OpenCV fills 16 bits one channel at a time only.
    channels = [cv2.inpaint(np.ascontiguousarray(image[..., k]), hidden, RADIUS, cv2.INPAINT_TELEA) for k in range(3)]
    return np.dstack(channels)
