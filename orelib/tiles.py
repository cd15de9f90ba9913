"""Restoring a large photograph in overlapping tiles: memory then grows with the tile, not with the photograph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

TILE = 512  # px; the side of the samples that the paper trains on
OVERLAP = 128  # px over which two tiles fade into each other


def by_tiles(
    restore: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    tile: int,
    overlap: int,
    progress: Callable[[int, int], object] | None = None,
) -> np.ndarray:
    """``restore(image)``, computed tile by tile and blended.

    Where tiles overlap, their weights rise and fall linearly, so that neighbours which differ, as they do when a
    network normalises over the whole image, fade into each other without a seam. An image of no more than one tile is
    restored whole. Besides the image and the result, only one row of tiles is held.

    Parameters
    ----------
    restore : maps a tile of the image, (h, w, C), to floats of the same shape and range.
    image : (H, W, C), of an integer dtype, as the result is; values are rounded, and clipped to the range of the dtype.
    tile : largest side of a tile in pixels; a side of the image that is shorter is taken whole.
    overlap : pixels that neighbouring tiles share at least, less than ``tile``.
    progress : called with the number of finished tiles and that of all of them after each tile.
    """
    height, width = image.shape[:2]
    tall, wide = min(tile, height), min(tile, width)
    tops, lefts = tile_starts(height, tall, overlap), tile_starts(width, wide, overlap)
    columns = [weights[:, None] for weights in _weights(lefts, wide, overlap)]
    rows = [weights[:, None, None] for weights in _weights(tops, tall, overlap)]
    blended = np.empty_like(image)
    largest = np.iinfo(image.dtype).max
    band = np.zeros((tall, *image.shape[1:]), np.float32)  # the image's rows from ``top`` on, as far as they are known
    for down, top in enumerate(tops):
        for right, left in enumerate(lefts):
            restored = restore(image[top : top + tall, left : left + wide])
            band[:, left : left + wide] += rows[down] * columns[right] * restored
            if progress is not None:
                progress(down * len(lefts) + right + 1, len(tops) * len(lefts))
        known = [*tops, height][down + 1] - top  # rows that no further tile reaches
        blended[top : top + known] = np.clip(np.rint(band[:known]), 0, largest)
        band[: tall - known] = band[known:].copy()
        band[tall - known :] = 0
    return blended


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles start so that they cover ``length`` pixels: a step of ``tile - overlap``, the last one at the end."""
    return [0] if length <= tile else [*range(0, length - tile, tile - overlap), length - tile]


def _weights(starts: list[int], tile: int, overlap: int) -> list[np.ndarray]:
    """The weights of each tile along one side, float32 (tile,); at every pixel they add up to 1."""
    position = np.arange(1, tile + 1)
    ramp = np.minimum(np.minimum(position, position[::-1]) / (overlap + 1), 1)  # rises, stays at 1, and falls; never 0
    total = np.zeros(starts[-1] + tile)
    for start in starts:
        total[start : start + tile] += ramp
    return [(ramp / total[start : start + tile]).astype(np.float32) for start in starts]
