"""Any photograph, of 8 or 16 bits, restored in tiles: the frame that every restorer fills in.

It needs no PyTorch, so that a restorer without it need not wait for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from orelib.restore.correction import Correction
from orelib.restore.familiar import Familiar
from orelib.restore.tiles import by_tiles

CLASSICAL = "classical"  # the name of the restorer that is no file, where a model file could be named
UNLIKE = "unlike the training photographs, most in {}"
REMARKS = "; "  # stands between two remarks on one photograph
AT_ONCE = 4  # most tiles, or photographs, that are restored at the same time, because each takes memory
ASSUMED_LIGHT = 0.45  # share of the dry rock's light, linear, that the wet rock sends back; see docs/limits.md


class AnySizeRestorer(ABC):
    """Restores wet photographs of any size; a derived class restores one tile.

    ``about`` describes where the restorer comes from; ``correction`` is applied to its output, before it is rounded;
    ``familiar`` tells which photographs are like the training photographs (None: unknown, or there were none).
    ``at_once`` is how many tiles, or photographs, may be restored at the same time, each in a thread of its own.
    """

    about: dict
    correction: Correction | None = None
    familiar: Familiar | None = None
    at_once: int = 1

    @abstractmethod
    def restore_tile(self, tile: np.ndarray) -> np.ndarray:
        """Restores one tile, uint8 or uint16 (h, w, 3), to new floats in the range of its dtype."""

    @abstractmethod
    def tiling(self) -> tuple[int, int, int] | tuple[int, int, int, float]:
        """Returns how :func:`~orelib.restore.tiles.by_tiles` is to divide photographs: tile, overlap, stride, area."""

    @property
    @abstractmethod
    def origin(self) -> str:
        """Where the restorer comes from, in one or two sentences."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """A short text that two restorers share only if they restore alike."""

    @property
    def assumed_light(self) -> float | None:
        """Share of the dry rock's light, linear, that the wet rock is taken to send back; None: learnt from pairs."""
        return ASSUMED_LIGHT

    def remark(self, photograph: np.ndarray) -> str:
        """Returns what is odd about a photograph, uint8 or uint16 (H, W, 3): unlike the training, or dry; else ""."""
        from orelib.restore.dryness import remark_on_dryness  # only here, because it needs OpenCV

        return REMARKS.join(filter(None, (self.unlike(photograph), remark_on_dryness(photograph))))

    def unlike(self, photograph: np.ndarray) -> str:
        """Returns a sentence on a photograph that is unlike the training photographs; else ""."""
        share, oddest = self.familiar.compare(photograph) if self.familiar else (1, "")
        return "" if share == 1 else UNLIKE.format(oddest)

    def describe(self) -> str:
        """Describes the restorer, and the correction of its output, in a few sentences."""
        return self.origin if self.correction is None else f"{self.origin} {self.correction.says}"

    def restore(self, wet: np.ndarray, progress: Callable[[int, int], object] | None = None) -> np.ndarray:
        """The dry image of a wet one.

        The photograph is restored at its own scale, a large one in overlapping tiles (:mod:`orelib.restore.tiles`);
        mirrored margins fill it up to the stride and are cut off again. Besides ``wet`` and the result, ``at_once``
        tiles and a few rows are held in memory. The same photograph gives the same result. Each tile is turned into
        floating-point by itself, so 16 bits stay 16 bits, and little memory is needed.

        Parameters
        ----------
        wet : uint8 or uint16, RGB (H, W, 3) or grey (H, W), of any size.
        progress : called after each tile with the number of finished tiles and the number of all tiles.

        Returns
        -------
        RGB (H, W, 3), of the dtype of ``wet``.

        Raises
        ------
        ValueError
            For an array that is no such photograph.
        """
        if wet.dtype not in (np.uint8, np.uint16) or not (wet.ndim == 2 or wet.shape[2:] == (3,)) or wet.size == 0:
            raise ValueError(
                "a photograph is uint8 or uint16 of shape (height, width, 3) or (height, width), not "
                f"{wet.dtype} of shape {wet.shape}"
            )
        if wet.ndim == 2:
            wet = np.repeat(wet[..., None], 3, axis=2)
        restore_tile, tiling = self.for_photograph(wet)

        def restore_and_correct(tile: np.ndarray) -> np.ndarray:
            dry = restore_tile(tile)
            return dry if self.correction is None else self.correction.apply(dry, np.iinfo(tile.dtype).max)

        return by_tiles(restore_and_correct, wet, *tiling, progress=progress, at_once=self.at_once)

    def for_photograph(self, wet: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], tuple]:
        """Returns how a photograph, uint8 or uint16 (H, W, 3), is restored: :meth:`restore_tile`, :meth:`tiling`."""
        return self.restore_tile, self.tiling()
