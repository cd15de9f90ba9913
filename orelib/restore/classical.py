"""The classical restorer: highlights are found by a rule and filled, then one fixed law brightens the photograph.

It was trained on nothing and needs no PyTorch. On the only real wet rock at hand, drill core that no method had seen,
it does better than the networks that were trained on rendered scenes.
"""

from __future__ import annotations

import numpy as np

from orelib.data.highlights import fill, highlights
from orelib.restore.any_size import CLASSICAL, AnySizeRestorer

# dry = wet ** 0.6 on display values 0-1, each channel alike. Rock of a wet grey of 100 then sends back 0.44 of its dry
# light. On rendered validation scenes, exponents of 0.6 and 0.65 score best.
EXPONENT = 0.6
# Grey levels. Of 15 to 100, tried on 30 rendered scenes of 2.5 to 12.5 px per mm, this one has the highest mean of the
# PSNR of the photograph (22.1 dB; best: 22.3, at 60) and of its glare (19.8 dB; best: 20.1, at 25). The overlap with
# the true glare is no guide: it is largest at 100, where the rims of the highlights stay and the glare scores 14.7 dB.
# On scenes of the field "wide", PSNR is higher the lower the excess, and 40 has the highest SSIM.
EXCESS = 40
TILE, OVERLAP = 1024, 64  # px; the overlap is wider than the window around a pixel that decides on a highlight


class ClassicalRestorer(AnySizeRestorer):
    """Fills the :func:`~orelib.data.highlights.highlights` by Telea's method, then takes display values to the 0.6."""

    def __init__(self):
        self.about = {}

    @property
    def origin(self) -> str:
        """Where the restorer comes from, in one sentence."""
        return "Classical, trained on nothing: highlights filled from their surroundings, then dry = wet ^ 0.6."

    @property
    def fingerprint(self) -> str:
        """A short text that two restorers share only if they restore alike."""
        return f"{CLASSICAL} {EXCESS} {EXPONENT}"

    def tiling(self) -> tuple[int, int, int]:
        """Returns the smallest side of a tile, the overlap of tiles, and their stride, in px."""
        return TILE, OVERLAP, 1

    def restore_tile(self, tile: np.ndarray) -> np.ndarray:
        """Restores one tile, uint8 or uint16 (h, w, 3), to float32 in the range of its dtype."""
        tile = np.ascontiguousarray(tile)
        largest = np.iinfo(tile.dtype).max
        shallow = tile if tile.dtype == np.uint8 else (tile // 257).astype(np.uint8)
        filled = fill(tile, highlights(shallow, EXCESS)).astype(np.float32)
        return largest * (filled / largest) ** EXPONENT
