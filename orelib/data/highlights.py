"""Highlights on wet rock, found by a rule in the wet photograph alone, and filled from their surroundings.

The baselines and the classical restorer share the rule, so it needs OpenCV only, which loads at once.
"""

from __future__ import annotations

import cv2
import numpy as np

SURROUNDINGS = 31  # px, side of the window; a highlight is brighter than its median
MARGIN = 1  # px around a highlight that are filled, too, because the highlight lights them
GROWTH = 30  # px; bounded, so that a highlight is the same in each tile of a photograph that shows it
RADIUS = 5  # px around a pixel from which Telea's method fills it


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
    """Fills the pixels of a mask from their surroundings by fast marching (Telea 2004, OpenCV; radius 5 px).

    Takes uint8 or uint16 (H, W, 3) and bool (H, W); returns the shape and dtype of ``wet``.
    """
    hidden = mask.astype(np.uint8)
    if wet.dtype == np.uint8:
        return cv2.inpaint(wet, hidden, RADIUS, cv2.INPAINT_TELEA)
    # OpenCV fills 16 bits one channel at a time only.
    channels = [cv2.inpaint(np.ascontiguousarray(wet[..., k]), hidden, RADIUS, cv2.INPAINT_TELEA) for k in range(3)]
    return np.dstack(channels)
