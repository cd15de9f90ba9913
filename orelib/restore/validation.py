"""The validation images of a training: restored and scored, and one of them kept as small pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from orelib.data.pair import Pair
from orelib.methods import Method
from orelib.metrics import psnr, ssim
from orelib.restore.restorer import Restorer
from orelib.restore.snapshots import Picture, Snapshots, middle


class Scores(NamedTuple):
    """Mean PSNR in dB and SSIM of all images, and the chosen one restored."""

    psnr: float
    ssim: float
    picture: Picture


class Validation:
    """The validation images in memory. Pictures are kept of the one whose middle the water has changed most."""

    def __init__(self, pairs: Sequence[Pair]):
        self.images = [pair.load() for pair in pairs]
        self.chosen = int(np.argmin([psnr(middle(wet), middle(dry)) for wet, dry in self.images]))
        self._stem = pairs[self.chosen].stem

    def __len__(self) -> int:
        return len(self.images)

    def snapshots(self) -> Snapshots:
        """Begins the pictures of a run: the chosen image wet and dry, and nothing restored yet."""
        wet, dry = self.images[self.chosen]
        return Snapshots(self._stem, dry.shape[:2], Picture.of(wet, dry), Picture.of(dry, dry))

    def look(self, method: Method) -> Scores:
        """Restores and scores the chosen image alone."""
        return self._score(method, [self.chosen])

    def score(self, method: Method) -> Scores:
        """Restores and scores all images; equal ones count as 100 dB. The training is not changed by it."""
        return self._score(method, range(len(self)))

    def _score(self, method: Method, numbers: Sequence[int]) -> Scores:
        restorer = Restorer(method.generator, method.generator.stride)
        restored = {number: restorer.restore(self.images[number][0]) for number in numbers}
        method.generator.train()
        compared = [(image, self.images[number][1]) for number, image in restored.items()]
        mean_psnr = sum(min(psnr(*images), 100.0) for images in compared) / len(compared)
        mean_ssim = sum(ssim(*images) for images in compared) / len(compared)
        return Scores(mean_psnr, mean_ssim, Picture.of(restored[self.chosen], self.images[self.chosen][1]))
