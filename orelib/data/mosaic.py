"""Mosaic augmentation for pairs: four photographs in one square sample, wet and dry cut alike.

Mosaic (Bochkovskiy et al. 2020, YOLOv4) joins four images at a random centre. The paper uses it to bring 1900 x 2048
photographs to 512 x 512 samples (section 3.2). Here each quarter is a window cut at the photograph's own scale, so
that a particle has the same size in training as in the photograph that is restored later.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from orelib.data.pair import Pair

CENTRE_RANGE = (0.25, 0.75)  # of the sample's side, so that every quarter stays large enough to show particles


def mosaic(pairs: Sequence[tuple[np.ndarray, np.ndarray]], size: int, rng: np.random.Generator):
    """Composes one wet/dry sample from four pairs.

    Parameters
    ----------
    pairs : four (wet, dry), each uint8 (H, W, 3) of any size; wet and dry of one pair are of equal size.
    size : side of the sample in pixels.
    rng : draws the centre and the four windows, the same for wet and dry.

    Returns
    -------
    (wet, dry), each uint8 (size, size, 3). A photograph smaller than its quarter is enlarged until it fills it.

    Raises
    ------
    ValueError
        When there are not four pairs, or wet and dry of a pair differ in size.
    """
    if len(pairs) != 4:
        raise ValueError(f"Mosaic composes 4 pairs, not {len(pairs)}")
    row, column = rng.integers(round(CENTRE_RANGE[0] * size), round(CENTRE_RANGE[1] * size), size=2, endpoint=True)
    quarters = [
        (slice(0, row), slice(0, column)),
        (slice(0, row), slice(column, size)),
        (slice(row, size), slice(0, column)),
        (slice(row, size), slice(column, size)),
    ]
    sample = np.empty((2, size, size, 3), dtype=np.uint8)
    for (rows, columns), (wet, dry) in zip(quarters, pairs, strict=True):
        if wet.shape != dry.shape:
            raise ValueError(f"wet {wet.shape} and dry {dry.shape} of one pair differ in size")
        height, width = rows.stop - rows.start, columns.stop - columns.start
        wet, dry = (_filling(image, height, width) for image in (wet, dry))
        top = rng.integers(0, wet.shape[0] - height, endpoint=True)
        left = rng.integers(0, wet.shape[1] - width, endpoint=True)
        window = slice(top, top + height), slice(left, left + width)
        sample[0, rows, columns], sample[1, rows, columns] = wet[window], dry[window]
    return sample[0], sample[1]


def one_window(pair: tuple[np.ndarray, np.ndarray], size: int, rng: np.random.Generator):
    """Cuts a sample without Mosaic: one window of one pair, (wet, dry), each uint8 (size, size, 3)."""
    wet, dry = (_filling(image, size, size) for image in pair)
    top, left = (rng.integers(0, length - size, endpoint=True) for length in wet.shape[:2])
    window = slice(top, top + size), slice(left, left + size)
    return wet[window], dry[window]


def _filling(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns the image itself, or enlarges it in proportion until it covers ``height`` x ``width``."""
    factor = max(height / image.shape[0], width / image.shape[1])
    if factor <= 1:
        return image
    size = max(width, round(image.shape[1] * factor)), max(height, round(image.shape[0] * factor))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


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
