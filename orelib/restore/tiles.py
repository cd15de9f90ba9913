"""Restoring a large photograph in overlapping tiles: memory then grows with the tile, not with the photograph."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np

from orelib.utils.side_by_side import side_by_side

TILE = 512  # px; side of the samples that the paper trains on; smallest side of a tile of a larger photograph
AREA = 3 / 2  # usual largest area of a tile, in squares of that side
# Least number of px over which two tiles fade into each other. The kit's restorer, on photographs of a megapixel: tiles
# differed from the whole by 0.05 grey values on average, 12 at most; with 64 px by 0.02 and 4, in a tenth more time.
OVERLAP = 32


def by_tiles(
    restore: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    tile: int,
    overlap: int,
    stride: int = 1,
    area: float = AREA,
    progress: Callable[[int, int], object] | None = None,
    at_once: int = 1,
) -> np.ndarray:
    """Returns ``restore(image)``, computed tile by tile and blended.

    Where tiles overlap, one fades out while the other fades in, so that neighbours which differ, as they do when a
    network normalises over the whole image, leave no seam. The fading is slowest at the border of a tile, where the
    tile lacks its surroundings. An image of no more than one tile is restored whole. Besides the image and the result,
    only the tiles that are computed at the same time and the rows that two rows of tiles share are held.

    Parameters
    ----------
    restore : maps a tile of the image, (h, w, C), to floats of the same shape and range. All tiles have one shape. It
        must not change the tile, which may be a part of the image itself; what it returns may be changed.
    image : (H, W, C), of an integer dtype, as the result is; values are rounded, and clipped to the range of the dtype.
    tile : smallest side of a tile in pixels; a side of the image that is shorter is taken whole. See
        :func:`tile_shape`.
    overlap : pixels that neighbouring tiles share at least, less than ``tile``.
    stride : sides of tiles are multiples of it, as ``tile`` is. Tiles start at multiples of it, or of its common
        divisor with ``overlap``, so that a pixel meets strided convolutions in the same phase in any tile. Sides of the
        image that are no multiples are filled up with its mirror image, which is cut off again.
    area : largest area of a tile, in squares of the side ``tile``.
    progress : called after each tile with the number of finished tiles and the number of all tiles.
    at_once : how many tiles are restored at the same time, each in a thread of its own.
    """
    down_the_image, across_the_image = (_filled_up(side, stride) for side in image.shape[:2])
    height, width, channels = len(down_the_image), len(across_the_image), image.shape[2]
    tall, wide = tile_shape(height, width, tile, overlap, stride, area)
    tops, lefts = tile_starts(height, tall, overlap, stride), tile_starts(width, wide, overlap, stride)
    columns, rows = _weights(lefts, wide, overlap), _weights(tops, tall, overlap)
    places = itertools.product(tops, lefts)
    parts = (_part(image, down_the_image[y : y + tall], across_the_image[x : x + wide]) for y, x in places)
    count = len(tops) * len(lefts)
    restored = side_by_side(restore, parts, min(at_once, count))
    blended = np.empty_like(image)
    largest = np.iinfo(image.dtype).max
    above = np.zeros((0, width, channels), np.float32)  # sums of the rows that the last row of tiles shares with this
    for down, (top, below) in enumerate(itertools.pairwise([*tops, height])):
        shared = np.zeros((top + tall - below, width, channels), np.float32)
        left_over = np.zeros((tall, 0, channels), np.float32)  # of the columns that the last tile shares with this
        for right, (left, beyond) in enumerate(itertools.pairwise([*lefts, width])):
            sums = _faded(np.asarray(next(restored), np.float32), rows[down], columns[right])
            both = left_over.shape[1]  # columns whose sums, from the last tile, hold the rows above already
            sums[: len(above), both:] += above[:, left + both : left + wide]
            sums[:, :both] += left_over
            shared[:, left:beyond] = sums[below - top :, : beyond - left]
            left_over = sums[:, beyond - left :].copy()
            place = blended[top:below, left:beyond]
            known = sums[: place.shape[0], : place.shape[1]]
            np.rint(known, out=known)
            place[...] = np.clip(known, 0, largest, out=known)
            if progress is not None:
                progress(down * len(lefts) + right + 1, count)
        above = shared
    return blended


def _part(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Returns the pixels of some rows and columns: a view, unless mirrored ones are among them."""
    if all(len(places) == 1 or (np.diff(places) == 1).all() for places in (rows, columns)):
        return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return image[np.ix_(rows, columns)]


def _faded(part: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Multiplies a tile, float32 (h, w, C), by the weights of its rows and columns, in place; most of them are 1."""
    for weights, lines in ((rows, part), (columns, part.swapaxes(0, 1))):
        alone = np.flatnonzero(weights == 1)  # the middle of a tile, which no other tile shares
        first, last = (alone[0], alone[-1] + 1) if len(alone) else (len(weights), len(weights))
        for fading in (slice(0, first), slice(last, None)):
            lines[fading] *= weights[fading, None, None]
    return part


def _filled_up(length: int, stride: int) -> np.ndarray:
    """Returns the places of ``length`` pixels, mirrored at their end up to a multiple of ``stride``."""
    return np.pad(np.arange(length), (0, -length % stride), mode="symmetric")


def tile_shape(
    height: int, width: int, tile: int, overlap: int, stride: int = 1, area: float = AREA
) -> tuple[int, int]:
    """Returns height and width of equal tiles for which the fewest pixels are computed.

    No side is smaller than ``tile``, unless the image is, and the area is at most ``area`` times its square.
    """

    def computed(shape: tuple[int, int]) -> int:
        tops, lefts = (tile_starts(*sides, overlap) for sides in zip((height, width), shape, strict=True))
        return len(tops) * len(lefts) * math.prod(shape)

    shapes = itertools.product(_sides(height, tile, overlap, stride), _sides(width, tile, overlap, stride))
    fitting = [shape for shape in shapes if math.prod(shape) <= area * tile**2]
    return min(fitting, key=lambda shape: (computed(shape), math.prod(shape)))


def _sides(length: int, tile: int, overlap: int, stride: int) -> Iterator[int]:
    """Yields the side of one, two, three and more equal tiles that cover ``length`` pixels, down to ``tile``."""
    for count in itertools.count(1):
        side = math.ceil((length + (count - 1) * overlap) / count / stride) * stride
        yield max(side, min(tile, length))
        if side <= tile:
            return


def tile_starts(length: int, side: int, overlap: int, stride: int = 1) -> list[int]:
    """Returns the starts of the fewest tiles that cover ``length`` pixels, as evenly as the grid allows."""
    if length == side:
        return [0]
    count = math.ceil((length - overlap) / (side - overlap))
    grid = math.gcd(stride, overlap)
    return [k * (length - side) // (count - 1) // grid * grid for k in range(count)]


def _weights(starts: list[int], side: int, overlap: int) -> list[np.ndarray]:
    """The weights of each tile along one side, float32 (side,); at every pixel they add up to 1."""
    position = np.arange(1, side + 1)
    ramp = np.minimum(np.minimum(position, position[::-1]) / (overlap + 1), 1)  # rises, stays at 1, and falls; never 0
    ramp = ramp**2 * (3 - 2 * ramp)
    total = np.zeros(starts[-1] + side)
    for start in starts:
        total[start : start + side] += ramp
    return [(ramp / total[start : start + side]).astype(np.float32) for start in starts]
