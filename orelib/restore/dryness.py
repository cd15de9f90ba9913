"""Tells whether a photograph shows signs of water, because a restorer changes dry ore as it changes wet ore.

A film of water mirrors lamps and sky: wet rock has glints far brighter than what is around them, while the shadows of
dry rock lie as far below as its bright grains lie above. (Such skewed brightness is what makes a surface look glossy:
Motoyoshi et al. 2007, Nature 447.) And water darkens rock, so a bright photograph needs more glints to count as wet.

It is a remark and no more. A part of a wet rock without a glint looks like darker dry rock, and dark dry ore in hard
light looks wet.
"""

from __future__ import annotations

import cv2
import numpy as np

from orelib.data.highlights import above_surroundings
from orelib.restore.familiar import windows_of
from orelib.utils.counting import Counted

# A photograph counts as dry below 3 median ** 1.5 glints. The form is that of a linear discriminant of both logarithms
# between wet and dry, over scenes of both kinds and 24 pairs of drill core; the factor leaves 1 of 24 wet tiles of core
# on the wrong side.
FACTOR, EXPONENT = 3.0, 1.5
TAIL = 0.1  # per cent of the pixels that lie beyond the differences that are compared
REMARK = "without a sign of water (few glints for its brightness): if the ore is dry, keep the original"


def remark_on_dryness(photograph: np.ndarray) -> str:
    """Returns a sentence on a photograph, uint8 or uint16 (H, W, 3), that shows no sign of water; else ""."""
    glints, brightness = signs_of_water(photograph)
    return REMARK if glints < FACTOR * brightness**EXPONENT else ""


def signs_of_water(photograph: np.ndarray) -> tuple[float, float]:
    """Measures a photograph, uint8 or uint16 (H, W, 3), in up to 4 x 4 windows that are spread over it.

    Returns the glints: how far the brightest pixels lie above the median around them, divided by how far the darkest
    lie below it (0.1 % of the pixels lie beyond either); and the brightness: the median of luma, 0-1.
    """
    shallow = photograph if photograph.dtype == np.uint8 else (photograph // 257).astype(np.uint8)
    windows = [np.ascontiguousarray(window) for window in windows_of(shallow)]
    above = Counted(map(above_surroundings, windows), -255, 255)
    darkest, brightest = (above.percentile(share) for share in (TAIL, 100 - TAIL))
    luma = Counted((cv2.cvtColor(window, cv2.COLOR_RGB2GRAY) for window in windows), 0, 255)
    return max(brightest, 1) / max(-darkest, 1), sum(luma.middle()) / 2 / 255
