"""Mosaic augmentation for pairs: four photographs in one square sample, wet and dry cut alike.

Mosaic (Bochkovskiy et al. 2020, YOLOv4) joins four images at a random centre. The paper uses it to bring 1900 x 2048
photographs to 512 x 512 samples (section 3.2). Here each quarter is a window cut at the photograph's own scale, so
that a particle has the same size in training as in the photograph that is restored later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from orelib.data.pair import Pair

CENTRE_RANGE = (0.25, 0.75)  # of the sample's side, so that every quarter stays large enough to show particles


@dataclass(frozen=True)
class Window:
    """A quarter of a sample, and the window of a photograph that fills it.

    ``rows`` and ``columns`` are the quarter's in the sample. ``top`` and ``left`` are the window's first row and column
    in the photograph, enlarged to ``filling`` (height, width) where it is smaller than the quarter.
    """

    rows: slice
    columns: slice
    top: int
    left: int
    filling: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def cut(self, image: np.ndarray) -> np.ndarray:
        """Returns the window's pixels of a photograph, uint8 (height, width, 3)."""
        height, width = self.shape
        return _enlarged(image, self.filling)[self.top : self.top + height, self.left : self.left + width]


def draw_windows(
    shapes: Sequence[tuple[int, ...]], size: int, rng: np.random.Generator, centre: tuple[int, int] | None = None
) -> list[Window]:
    """Draws the windows of four photographs that make one sample: upper left, upper right, lower left, lower right.

    ``shapes`` are the photographs', (H, W, ...). ``centre`` is the row and column at which the quarters meet, each from
    1 to ``size - 1``; when None, it is drawn within :data:`CENTRE_RANGE`. The same ``rng`` draws windows at about the
    same places of the photographs whatever the centre.

    Raises
    ------
    ValueError
        When there are not four shapes, or the centre lies outside the sample.
    """
    if len(shapes) != 4:
        raise ValueError(f"Mosaic composes 4 pairs, not {len(shapes)}")
    drawn = rng.integers(round(CENTRE_RANGE[0] * size), round(CENTRE_RANGE[1] * size), size=2, endpoint=True)
    row, column = drawn if centre is None else centre
    if not (0 < row < size and 0 < column < size):
        raise ValueError(f"centre={centre} must lie inside a sample of {size} px")
    windows = []
    for shape, (rows, columns) in zip(
        shapes, product((slice(0, row), slice(row, size)), (slice(0, column), slice(column, size))), strict=True
    ):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        filling = _filling(shape, height, width)
        top = rng.integers(0, filling[0] - height, endpoint=True)
        left = rng.integers(0, filling[1] - width, endpoint=True)
        windows.append(Window(rows, columns, int(top), int(left), filling))
    return windows


def mosaic(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    size: int,
    rng: np.random.Generator,
    centre: tuple[int, int] | None = None,
):
    """Composes one wet/dry sample from four pairs.

    Parameters
    ----------
    pairs : four (wet, dry), each uint8 (H, W, 3) of any size; wet and dry of one pair are of equal size.
    size : side of the sample in pixels.
    rng : draws the centre and the four windows, the same for wet and dry.
    centre : row and column to use instead of the drawn ones, see :func:`draw_windows`.

    Returns
    -------
    (wet, dry), each uint8 (size, size, 3). A photograph smaller than its quarter is enlarged until it fills it.

    Raises
    ------
    ValueError
        When there are not four pairs, wet and dry of a pair differ in size, or the centre lies outside the sample.
    """
    for wet, dry in pairs:
        if wet.shape != dry.shape:
            raise ValueError(f"wet {wet.shape} and dry {dry.shape} of one pair differ in size")
    sample = np.empty((2, size, size, 3), dtype=np.uint8)
    windows = draw_windows([wet.shape for wet, _ in pairs], size, rng, centre)
    for window, (wet, dry) in zip(windows, pairs, strict=True):
        sample[0, window.rows, window.columns] = window.cut(wet)
        sample[1, window.rows, window.columns] = window.cut(dry)
    return sample[0], sample[1]


def one_window(pair: tuple[np.ndarray, np.ndarray], size: int, rng: np.random.Generator):
    """Cuts a sample without Mosaic: one window of one pair, (wet, dry), each uint8 (size, size, 3)."""
    wet, dry = (_enlarged(image, _filling(image.shape, size, size)) for image in pair)
    top, left = (rng.integers(0, length - size, endpoint=True) for length in wet.shape[:2])
    window = slice(top, top + size), slice(left, left + size)
    return wet[window], dry[window]


def _filling(shape: tuple[int, ...], height: int, width: int) -> tuple[int, int]:
    """Returns the size (height, width) of an image, enlarged in proportion, if need be, to cover ``height, width``."""
    factor = max(height / shape[0], width / shape[1])
    if factor <= 1:
        return shape[0], shape[1]
    return max(height, round(shape[0] * factor)), max(width, round(shape[1] * factor))


def _enlarged(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns the image at a size (height, width); the image itself where it has that size."""
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC))


class MosaicSamples(Dataset):
    """Samples of a training run: sample k is a pure function of (seed, k).

    So a run that continues after an interruption sees the same samples as without it, and all methods with one seed
    see the same samples. Raises ValueError for pairs outside the training split.

    Parameters
    ----------
    pairs : the training split, from :func:`orelib.data.decoded.decode_pairs`, or each sample decodes eight photographs.
    size : side of the sample in pixels.
    seed : seed of the experiment.
    length : number of samples that the run needs.
    paired : False draws the dry half from other photographs than the wet half, as for CycleGAN; with four training
        pairs or fewer there are no others, and it draws other windows.
    joined : False gives :func:`one_window` of one pair instead of a Mosaic of four.
    """

    def __init__(
        self, pairs: Sequence[Pair], size: int, seed: int, length: int, paired: bool = True, joined: bool = True
    ):
        if any(pair.split != "train" for pair in pairs):
            raise ValueError("Mosaic samples may come from the training split alone")
        self.pairs, self.size, self.seed, self.length = pairs, size, seed, length
        self.paired, self.joined = paired, joined

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns (wet, dry), each uint8 (size, size, 3)."""
        rng = np.random.default_rng([self.seed, k])
        everything = np.arange(len(self.pairs))
        chosen, (wet, dry) = self._compose(rng, everything)
        if not self.paired:
            others = np.setdiff1d(everything, chosen)
            _, (_, dry) = self._compose(rng, others if len(others) else everything)
        return wet, dry

    def _compose(self, rng: np.random.Generator, candidates: np.ndarray):
        """Chooses four candidates (each once if there are enough) and their Mosaic, or one and its window."""
        if not self.joined:
            chosen = rng.choice(candidates, size=1)
            return chosen, one_window(self.pairs[chosen[0]].load(), self.size, rng)
        chosen = rng.choice(candidates, size=4, replace=len(candidates) < 4)
        return chosen, mosaic([self.pairs[index].load() for index in chosen], self.size, rng)


def to_network(images: Tensor, device: torch.device) -> Tensor:
    """Converts uint8 (B, H, W, 3) to float32 (B, 3, H, W) in [-1, 1], the range of the networks, on a device.

    The processes that make samples do not convert them, because they would have to pass on four times as many bytes.
    """
    images = images.to(device).permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    # Divided by a tensor, because CUDA turns a plain number into its reciprocal, which changes the last bits.
    return images.div_(torch.full((), 127.5, device=device)).sub_(1)
