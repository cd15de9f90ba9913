"""The classical restorer: highlights are found by a rule and filled, then one fixed law brightens the photograph.

It was trained on nothing and needs no PyTorch. On the only real wet rock at hand, drill core that no method had seen,
it does better than the networks that were trained on rendered scenes.
"""

from __future__ import annotations

import cv2
import numpy as np

from orelib.data.highlights import fill, highlights
from orelib.restore.any_size import AT_ONCE, CLASSICAL, AnySizeRestorer
from orelib.utils.process import cores

# dry = 0.92 sqrt(wet) on display values 0-1, each channel alike: rock of a wet grey of 100 sends back 0.43 of its dry
# light. Chosen on 24 pairs of drill core, whose dry surface has half the wet one's contrast (in logarithms): 29.4 dB
# and an SSIM of 0.814 (scikit-image's), against 28.9 dB and 0.796 with wet ** 0.6. On rendered scenes, whose dry
# contrast is as strong as the wet one, wet ** 0.6 does better by half a dB.
FACTOR, EXPONENT = 0.92, 0.5
# Highlights: see orelib.data.highlights. Chosen on the same core and on rendered scenes of the wide kind, by the PSNR
# inside the glare, as far as it costs less than 0.02 in SSIM. The overlap with the true glare is no guide: with the
# highest, the rims of the highlights stay.
EXCESS, AROUND, GROWN_TO = 60, 61, 0.5
TILE, OVERLAP = 1024, 64  # px; a pixel decides on a highlight up to 60 px away, by growth and window
STRIDE = 2  # px; highlights are filled at half size


class ClassicalRestorer(AnySizeRestorer):
    """Fills the :func:`~orelib.data.highlights.highlights` by Telea's method, then takes roots of display values."""

    def __init__(self):
        self.about = {}
        self.at_once = min(AT_ONCE, cores())

    @property
    def origin(self) -> str:
        """Where the restorer comes from, in one sentence."""
        return "Classical, trained on nothing: highlights filled from their surroundings, then dry = 0.92 sqrt(wet)."

    @property
    def fingerprint(self) -> str:
        """A short text that two restorers share only if they restore alike."""
        return f"{CLASSICAL} {EXCESS} {AROUND} {GROWN_TO} {FACTOR} {EXPONENT}"

    def tiling(self) -> tuple[int, int, int]:
        """Returns the smallest side of a tile, the overlap of tiles, and their stride, in px."""
        return TILE, OVERLAP, STRIDE

    def restore_tile(self, tile: np.ndarray) -> np.ndarray:
        """Restores one tile, uint8 or uint16 (h, w, 3), to float32 in the range of its dtype."""
        tile = np.ascontiguousarray(tile)
        largest = np.iinfo(tile.dtype).max
        shallow = tile if tile.dtype == np.uint8 else (tile // 257).astype(np.uint8)
        filled = fill(tile, highlights(shallow, EXCESS, AROUND, GROWN_TO))
        values = np.arange(largest + 1, dtype=np.float32)
        # The larger of both, because water darkens and brightens nothing.
        law = np.maximum(FACTOR * largest * (values / largest) ** EXPONENT, values)
        return cv2.LUT(filled, law) if tile.dtype == np.uint8 else law[filled]
