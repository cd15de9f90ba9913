"""Decoded photographs on disk, so that a process reads only the windows it needs.

A Mosaic sample shows windows of eight images. A PNG has to be decoded as a whole for that, while a file of bare pixels
is mapped into memory: a window costs only its own bytes, and the operating system keeps used parts in memory, once for
all processes.

``<results>/pixels/<sha256>.rgb`` holds one image, named by the checksum of its pixels in the manifest of
:class:`~orelib.data.pairs.Pairs`. So a file may be damaged but never out of date, all methods and seeds share it, and
when a data set grows, only its new images are decoded. The folder may be deleted while no training runs.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from orelib.data.pair import Pair, PairError, pixel_checksum
from orelib.data.pairs import Pairs
from orelib.data.photographs import read_image
from orelib.utils.files import appearing, demand_room
from orelib.utils.paths import shown
from orelib.utils.progress import Progress

THREADS = 4  # this many images are in memory at a time


@dataclass(frozen=True)
class DecodedPair(Pair):
    """A pair whose ``wet`` and ``dry`` are files of bare pixels, both of this ``shape``, (H, W, 3)."""

    shape: tuple[int, int, int]

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the wet and the dry image, uint8 (H, W, 3) RGB, read-only; only the parts that are used are read."""
        # Mapped again each time (0.04 ms): a map keeps its file open, and a process may open only some hundreds.
        return tuple(np.memmap(path, np.uint8, "r", shape=self.shape) for path in (self.wet, self.dry))


def decode_pairs(pairs: Pairs, results: Path) -> tuple[DecodedPair, ...]:
    """Decodes the training pairs into ``pixels`` of a results folder, beside the runs; returns them.

    Existing files are checked; missing or damaged ones are decoded. Several processes may do so at once, also on
    several machines.

    Raises
    ------
    OSError
        When the disk has too little room; nothing was written then.
    PairError
        When a photograph has changed since ``pairs`` was loaded.
    """
    folder = Path(results) / "pixels"
    rows = pairs.manifest[pairs.manifest["split"] == "train"].itertuples()
    images, found = [], []
    for pair, row in zip(pairs.train, rows, strict=True):
        shape = row.height, row.width, 3
        wet, dry = (folder / f"{checksum}.rgb" for checksum in (row.wet_sha256, row.dry_sha256))
        images += [_Image(pair.wet, shape, wet), _Image(pair.dry, shape, dry)]
        found.append(DecodedPair(pair.split, pair.stem, wet, dry, shape))
    _decode_missing(images, folder)
    return tuple(found)


@dataclass(frozen=True)
class _Image:
    """A photograph, and the file for its pixels."""

    photograph: Path
    shape: tuple[int, int, int]
    path: Path

    def is_whole(self) -> bool:
        if not self.path.exists() or self.path.stat().st_size != prod(self.shape):
            return False
        return self.is_this(np.fromfile(self.path, np.uint8).reshape(self.shape))

    def is_this(self, pixels: np.ndarray) -> bool:
        """Returns whether pixels have the checksum that names the file."""
        return pixel_checksum(pixels) == self.path.stem

    def decode(self) -> None:
        if self.is_whole():  # another process may have decoded it by now
            return
        pixels = read_image(self.photograph)
        if not self.is_this(pixels):
            raise PairError(f"{shown(self.photograph)} has changed since it was checked: start again")
        with appearing(self.path) as temporary:
            pixels.tofile(temporary)


def _decode_missing(images: Iterable[_Image], folder: Path) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        missing = [image for image, whole in zip(images, pool.map(_Image.is_whole, images), strict=True) if not whole]
        if not missing:
            return
        needed = sum(prod(image.shape) for image in missing)
        demand_room(folder, needed, "the decoded training photographs", "choose a results_dir on another disk")
        for image in missing:
            if image.path.exists():
                print(f"{shown(image.path)} is damaged: {shown(image.photograph)} is decoded again", flush=True)
        # Trainings that start together decode in different orders, so that they share the work.
        random.Random().shuffle(missing)
        progress = Progress(len(missing), f"decoding photographs into {shown(folder)}")
        for _ in pool.map(_Image.decode, missing):
            progress.advance()
        progress.close()
