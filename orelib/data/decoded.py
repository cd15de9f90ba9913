"""Decoded photographs on disk, of which a process reads no more than the windows it needs.

A Mosaic sample shows windows of eight images. A PNG has to be decoded whole for that, while a file of bare pixels is
mapped into memory: a window costs no more than its own bytes, and the system keeps what is used in memory, once for
all processes.

``<results>/pixels/<sha256>.rgb`` holds one image under the checksum that the manifest of
:class:`~orelib.data.pairs.Pairs` gives its pixels. So a file may be damaged but never out of date, all methods and
seeds share it, and of a data set that grows only what is new is decoded. The folder may be deleted whenever nobody
trains.
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

THREADS = 4  # as many images are in memory at a time


@dataclass(frozen=True)
class DecodedPair(Pair):
    """A pair whose ``wet`` and ``dry`` are files of bare pixels, both of this ``shape``, (H, W, 3)."""

    shape: tuple[int, int, int]

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """The wet and the dry image, uint8 (H, W, 3) RGB, read-only: only the parts that are looked at are read."""
        # Mapped anew each time, 0.04 ms: a map holds its file open, and a process may open no more than some hundreds.
        return tuple(np.memmap(path, np.uint8, "r", shape=self.shape) for path in (self.wet, self.dry))


def decode_pairs(pairs: Pairs, results: Path) -> tuple[DecodedPair, ...]:
    """The training pairs, decoded into ``pixels`` of a results folder, beside the runs.

    What lies there is checked; what is missing or damaged is decoded. Several processes may do so at once, also those
    of several machines.

    Raises
    ------
    OSError
        When the disk has too little room; nothing was written then.
    PairError
        When a photograph is not what it was when ``pairs`` was loaded.
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
    """A photograph, and the file that holds its pixels or will do so."""

    photograph: Path
    shape: tuple[int, int, int]
    path: Path

    def is_whole(self) -> bool:
        if not self.path.exists() or self.path.stat().st_size != prod(self.shape):
            return False
        return self.is_this(np.fromfile(self.path, np.uint8).reshape(self.shape))

    def is_this(self, pixels: np.ndarray) -> bool:
        """Whether pixels have the checksum that names the file."""
        return pixel_checksum(pixels) == self.path.stem

    def decode(self) -> None:
        if self.is_whole():  # by now, thanks to another process
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
        # Trainings that start together go through them each in its own order, so that they share the work.
        random.Random().shuffle(missing)
        progress = Progress(len(missing), f"decoding photographs into {shown(folder)}")
        for _ in pool.map(_Image.decode, missing):
            progress.advance()
        progress.close()
