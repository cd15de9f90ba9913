"""How many Mosaic samples a second reach the training loop, from pairs of 1900 x 2048 px.

Every way makes samples in two worker processes and hands float tensors in [-1, 1] to this one; starting the workers is
part of it. The plain way decodes four PNG pairs for each sample. albumentations and kornia, where they can be imported,
have photographs that were decoded beforehand, and windows cut to the size of the sample, so that they work at the
photographs' own scale as the kit does and resize nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from common import Row, in_turn
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from orelib.data.decoded import decode_pairs
from orelib.data.mosaic import MosaicSamples, to_network
from orelib.data.pairs import load_pairs
from orelib.data.scenes import render_pair
from orelib.runs import Folders

CPU = torch.device("cpu")
PLAIN = "PNG decoded for each sample"
FINDING = (
    "A PNG has to be decoded whole where a sample needs windows of it. Decoded once and mapped into memory, images "
    "cost what their windows cost. What is left is the way to the training loop: bytes go it, and become floats there."
)


def measure(
    shape: tuple[int, int] = (1900, 2048), side: int = 512, pairs: int = 12, samples: int = 400, rounds: int = 3
) -> list[Row]:
    """The ways side by side, and what decoding all pairs once costs.

    ``samples`` are drawn a round, a fiftieth of them where every sample decodes photographs.
    """
    with tempfile.TemporaryDirectory() as folder:
        make_pairs(Path(folder), shape, pairs)
        found = load_pairs(Folders("", folder))
        began = time.perf_counter()
        train = decode_pairs(found, Path(folder))
        once = time.perf_counter() - began
        plain = MosaicSamples(found.train, side, 0, max(2, samples // 50))
        ways = {
            "orelib": drawing(MosaicSamples(train, side, 0, samples), 2),
            "one worker": drawing(MosaicSamples(train, side, 0, samples), 1),
            PLAIN: drawing(plain, 2),
        }
        arrays = [tuple(np.array(image) for image in pair.load()) for pair in train]
        if find_spec("albumentations"):
            ways["albumentations"] = drawing(Albumentations(arrays, side, samples), 2)
        if find_spec("kornia"):
            ways["kornia"] = drawing(Kornia(arrays, side, max(1, samples // 8)), 2)
        made = {name: draw() for name, draw in ways.items()}
        seconds = in_turn(ways, rounds, warm_up=0)
    rates = {name: made[name] / seconds[name] for name in ways}
    size = f"{shape[0]} x {shape[1]}"
    what = f"Mosaic samples, {side} px of {size}"
    ours, alone = rates.pop("orelib"), rates.pop("one worker")
    # Five times the plain way and level with the best peer were wanted, and 25 a second, which a GPU takes.
    wanted = dict.fromkeys(rates, (None, None)) | {max(rates, key=rates.get): (1, 1), PLAIN: (5, 5)}
    return [
        *(Row(5, what, name, ours, rate, *wanted[name], "samples/s", "more", FINDING) for name, rate in rates.items()),
        Row(5, what, "", ours, None, 25, 25, "samples/s", "more", FINDING),
        Row(5, f"{what}, one worker", "", alone, None, None, None, "samples/s", "more", FINDING),
        Row(5, f"Decoding {pairs} pairs of {size} once", "", once, None, None, None, finding=FINDING),
    ]


def drawing(samples: Dataset, workers: int) -> Callable[[], int]:
    """Draws all samples as the training loop does; returns their number."""

    def draw() -> int:
        count = 0
        for halves in DataLoader(samples, num_workers=workers):
            floats = [to_network(half, CPU) if half.dtype == torch.uint8 else half[0] for half in halves]
            count += len(floats[0])
        return count

    return draw


class Windows(Dataset):
    """Windows of four decoded pairs, wet and dry cut alike; what a peer makes of them is up to its class."""

    def __init__(self, pairs: list[tuple[np.ndarray, np.ndarray]], side: int, length: int):
        self.pairs, self.side, self.length = pairs, side, length

    def __len__(self) -> int:
        return self.length

    def windows(self, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(k)
        cut = []
        for index in rng.choice(len(self.pairs), 4, replace=len(self.pairs) < 4):
            wet, dry = self.pairs[index]
            top, left = (rng.integers(0, length - self.side, endpoint=True) for length in wet.shape[:2])
            window = slice(top, top + self.side), slice(left, left + self.side)
            cut.append((wet[window], dry[window]))
        return cut


class Albumentations(Windows):
    def __getitem__(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        import albumentations

        side = (self.side, self.side)
        compose = albumentations.Compose([albumentations.Mosaic(target_size=side, cell_shape=side, p=1)])
        first, *others = [{"image": wet, "mask": dry} for wet, dry in self.windows(k)]
        sample = compose(**first, mosaic_metadata=others)
        return sample["image"], sample["mask"]


class Kornia(Windows):
    """Four samples at a time, each of the same four windows, because kornia composes batches."""

    def __getitem__(self, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        from kornia.augmentation import RandomMosaic

        compose = RandomMosaic((self.side, self.side), data_keys=["input", "input"], p=1)
        wet, dry = (torch.from_numpy(np.stack(half)) for half in zip(*self.windows(k), strict=True))
        return tuple(compose(to_network(wet, CPU), to_network(dry, CPU)))


def make_pairs(folder: Path, shape: tuple[int, int], train: int) -> None:
    """A data folder of two rendered scenes, turned and rolled into as many as are needed."""
    scenes = [render_pair(seed, shape, px_per_mm=6.5) for seed in range(2)]
    number = 0
    for split, count in {"train": train, "val": 1, "test": 1}.items():
        for _ in range(count):
            scene, turned = scenes[number % 2], slice(None, None, (-1) ** (number // 2))
            for side in ("wet", "dry"):
                image = np.roll(getattr(scene, side)[turned], 7 * number, axis=1)
                path = folder / split / side / f"{number:04d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path, compress_level=3)
            number += 1
