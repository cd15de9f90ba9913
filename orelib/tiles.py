"""Restoring a large photograph in overlapping tiles: memory then grows with the tile, not with the photograph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

TILE = 512  # px; the side of the samples that the paper trains on
OVERLAP = 128  # px over which two tiles fade into each other


def by_tiles(restore: Callable[[Tensor], Tensor], image: Tensor, tile: int, overlap: int) -> Tensor:
    """``restore(image)``, computed tile by tile and blended.

    Where tiles overlap, their weights rise and fall linearly, so that neighbours which differ, as they do when a
    network normalises over the whole image, fade into each other without a seam. An image of no more than one tile is
    restored whole.

    Parameters
    ----------
    restore : maps (1, C, h, w) to the same shape, for any tile that this image gives.
    image : (1, C, H, W).
    tile : largest side of a tile in pixels; a side of the image that is shorter is taken whole.
    overlap : pixels that neighbouring tiles share at least, less than ``tile``.
    """
    height, width = image.shape[-2:]
    if height <= tile and width <= tile:
        return restore(image)
    tall, wide = min(tile, height), min(tile, width)
    weight = _ramps(tall, overlap)[:, None] * _ramps(wide, overlap)
    blended, weights = torch.zeros(image.shape), torch.zeros(height, width)
    for top in tile_starts(height, tall, overlap):
        for left in tile_starts(width, wide, overlap):
            place = ..., slice(top, top + tall), slice(left, left + wide)
            blended[place] += weight * restore(image[place]).cpu()
            weights[place] += weight
    return blended / weights


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles start so that they cover ``length`` pixels: a step of ``tile - overlap``, the last one at the end."""
    return [0] if length <= tile else [*range(0, length - tile, tile - overlap), length - tile]


def _ramps(length: int, overlap: int) -> Tensor:
    """Weights along one side of a tile: rising over ``overlap`` pixels, 1 between, and falling. Nowhere 0."""
    position = torch.arange(1, length + 1)
    return torch.minimum(position, position.flip(0)).div(overlap + 1).clamp(max=1)
