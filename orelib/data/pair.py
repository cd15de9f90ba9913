"""One place, photographed wet and dry: read, and judged by one inspector.

Training, ``orelib check`` and aligning all look at pairs through :func:`inspect_pair` and :func:`name_same_images`, so
that a pair is judged in one way and in the same words. :mod:`orelib.data.check` measures more.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np

from orelib.data.alignment import misfit
from orelib.data.photographs import PhotographError, in_8_bits, profile_name, read_image, read_photograph
from orelib.utils.paths import shown

SIDES = ("wet", "dry")
SMALLEST_SIDE = 16  # the 11 x 11 window of SSIM must fit, with some image around it
# Reading and filtering leave the interpreter free, but in small images threads wait for it longer than they compute.
THREADS, SMALL_FILE = 4, 20_000  # bytes


class PairError(ValueError):
    """A data folder that cannot be used; the message lists every file that is wrong and what to do."""


@dataclass(frozen=True)
class Pair:
    """One place, photographed wet and dry."""

    split: str
    stem: str
    wet: Path
    dry: Path

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """The wet and the dry image, uint8 (H, W, 3) RGB."""
        return read_image(self.wet), read_image(self.dry)


@dataclass
class Inspected:
    """What is kept of a pair when its images are closed, and what is said of it.

    ``size`` is the (height, width) of the wet image, ``pixels`` are the checksums of the images by side; without them,
    an image cannot be used, and ``problems`` say why. ``problems`` are (file, problem and cure).
    """

    pair: Pair
    size: tuple[int, int] = (0, 0)
    pixels: dict[str, str] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def file(self, side: str) -> str:
        return shown(getattr(self.pair, side))

    def blame(self, side: str, problem: str) -> None:
        """Adds a problem with the image of a side."""
        self.problems.append((self.file(side), problem))

    @property
    def cure(self) -> str:
        """What to do when another split has the same."""
        if self.pair.split == "val" and self.pair.wet.parents[1].name == "train":
            return "training holds out the last eighth of train as val, so make a folder val of places of its own"
        return "keep both in one split"


def inspect_pair(pair: Pair) -> tuple[Inspected, dict[str, np.ndarray]]:
    """What is to say of a pair by itself, and its images by side, uint8 (H, W, 3); no images where one is unusable."""
    seen, images, profiles = Inspected(pair), {}, []
    for side in SIDES:
        try:
            photograph = read_photograph(getattr(pair, side))
        except (PhotographError, OSError, MemoryError) as error:  # OSError: a link that leads nowhere, for one
            why = str(error).removeprefix(f"{seen.file(side)}: ")
            if not isinstance(error, PhotographError):
                why = f"cannot be read ({getattr(error, 'strerror', None) or why or 'it does not fit into memory'})"
            seen.blame(side, f"{why}; export it anew or take the pair away")
            continue
        images[side] = in_8_bits(photograph)
        seen.remarks += [f"{side}: {remark}" for remark in photograph.remarks]
        profiles.append(profile_name(photograph))
        height, width = images[side].shape[:2]
        if min(height, width) < SMALLEST_SIDE:
            seen.blame(side, f"{width} x {height} px; take the pair away, {SMALLEST_SIDE} a side are needed")
    if seen.problems:
        return seen, {}
    wet, dry = images.values()
    seen.size = wet.shape[:2]
    seen.pixels = {side: pixel_checksum(image) for side, image in images.items()}
    if profiles[0] != profiles[1]:
        seen.remarks.append("the colour profile of wet is {}, that of dry {}: convert both to one".format(*profiles))
    if wet.shape != dry.shape:
        seen.blame("wet", misfit(wet, dry))
    return seen, images


def pixel_checksum(pixels: np.ndarray) -> str:
    """The SHA-256 of an image's shape and pixels, whatever file format they come from."""
    checksum = hashlib.sha256(repr(pixels.shape).encode())
    checksum.update(np.ascontiguousarray(pixels))
    return checksum.hexdigest()


def of_each(look: Callable[[Pair], object], pairs: Sequence[Pair]) -> list:
    """What ``look`` finds of each pair; large photographs are looked at side by side."""
    sizes = [pair.wet.stat().st_size for pair in pairs if pair.wet.exists()]
    with ThreadPoolExecutor(1 if sizes and median(sizes) < SMALL_FILE else THREADS) as pool:
        return list(pool.map(look, pairs))


def name_same_images(seen: Iterable[Inspected], within_splits: bool = False) -> None:
    """Adds a problem for each image whose pixels an image of another split has: the table would measure memory.

    With ``within_splits``, also for one that is both wet and dry in one split, and a remark for a mere copy there.
    """
    places = defaultdict(list)
    for look, side in product(seen, SIDES):
        places[look.pixels[side]].append((look, side))
    for (first, first_side), *others in places.values():
        for look, side in others:
            same = f"the same image as {first.file(first_side)} ({first.pair.split})"
            across = look.pair.split != first.pair.split
            if side != first_side and (across or within_splits):
                look.blame(side, f"{same}: one of them is in the wrong folder")
            elif across:
                look.blame(side, f"{same}: {look.cure}")
            elif within_splits:
                look.remarks.append(f"{side} is {same}")


def refuse(problems: Sequence[str], folder: Path, outcome: str) -> None:
    """Raises PairError, which lists the problems of a data folder, each with its file; nothing without a problem."""
    if problems:
        listing = "\n".join(f"  - {problem}" for problem in problems)
        raise PairError(f"{len(problems)} problem(s) in {shown(folder)}; {outcome}:\n{listing}")
