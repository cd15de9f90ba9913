"""Reads and inspects a pair: one place, photographed wet and dry.

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
# Reading and filtering release the interpreter, but for small images threads wait for it longer than they compute.
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
        """Reads the wet and the dry image, uint8 (H, W, 3) RGB."""
        return read_image(self.wet), read_image(self.dry)


@dataclass
class Inspected:
    """Findings on a pair, kept after its images are closed.

    ``size`` is the (height, width) of the wet image, ``pixels`` holds the checksums of the images by side; it is
    empty when an image cannot be used, and ``problems`` say why. ``problems`` are (file, problem and cure).
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
        """Advice for an image that is in another split, too."""
        if self.pair.split == "val" and self.pair.wet.parents[1].name == "train":
            return "training holds out the last eighth of train as val, so make a folder val with other places"
        return "keep both in one split"


def inspect_pair(pair: Pair) -> tuple[Inspected, dict[str, np.ndarray]]:
    """Inspects one pair; returns findings and images by side, uint8 (H, W, 3), or no images where one is unusable."""
    seen, images, profiles = Inspected(pair), {}, []
    for side in SIDES:
        try:
            photograph = read_photograph(getattr(pair, side))
        except (PhotographError, OSError, MemoryError) as error:  # OSError: such as a broken link
            why = str(error).removeprefix(f"{seen.file(side)}: ")
            if not isinstance(error, PhotographError):
                why = f"cannot be read ({getattr(error, 'strerror', None) or why or 'it does not fit into memory'})"
            seen.blame(side, f"{why}; export it again or remove the pair")
            continue
        images[side] = in_8_bits(photograph)
        seen.remarks += [f"{side}: {remark}" for remark in photograph.remarks]
        profiles.append(profile_name(photograph))
        height, width = images[side].shape[:2]
        if min(height, width) < SMALLEST_SIDE:
            seen.blame(side, f"{width} x {height} px is too small: remove the pair, each side needs {SMALLEST_SIDE} px")
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
    """The SHA-256 of an image's shape and pixels, independent of the file format."""
    checksum = hashlib.sha256(repr(pixels.shape).encode())
    checksum.update(np.ascontiguousarray(pixels))
    return checksum.hexdigest()


def of_each(look: Callable[[Pair], object], pairs: Sequence[Pair]) -> list:
    """Returns the result of ``look`` for each pair, in order; large photographs are read in parallel."""
    sizes = [pair.wet.stat().st_size for pair in pairs if pair.wet.exists()]
    with ThreadPoolExecutor(1 if sizes and median(sizes) < SMALL_FILE else THREADS) as pool:
        return list(pool.map(look, pairs))


def name_same_images(seen: Iterable[Inspected], within_splits: bool = False) -> None:
    """Adds a problem for each image whose pixels are in another split, too: the table would measure memorising.

    With ``within_splits``, also for an image that is both wet and dry in one split; other copies there get a remark. A
    dry image that has several wet ones in one split gets a single remark: it may have been wetted several times.
    """
    places = defaultdict(list)
    for look, side in product(seen, SIDES):
        places[look.pixels[side]].append((look, side))
    for copies in places.values():
        (first, first_side), *others = copies
        if within_splits and others and _wetted_anew(copies):
            more = f", as in {len(others) - 1} more pair(s)" if others[1:] else ""
            others[0][0].remarks.append(
                f"dry is the same image as {first.file('dry')} ({first.pair.split}){more}: right only if one "
                "photograph was wetted several times, as orelib wet does"
            )
            continue
        for look, side in others:
            same = f"the same image as {first.file(first_side)} ({first.pair.split})"
            across = look.pair.split != first.pair.split
            if side != first_side and (across or within_splits):
                look.blame(side, f"{same}: one of them is in the wrong folder")
            elif across:
                look.blame(side, f"{same}: {look.cure}")
            elif within_splits:
                look.remarks.append(f"{side} is {same}")


def _wetted_anew(copies: Sequence[tuple[Inspected, str]]) -> bool:
    """Returns whether copies of an image are all dry images of one split, each with a wet image of its own."""
    is_one_split = len({look.pair.split for look, _ in copies}) == 1
    wet = {look.pixels["wet"] for look, _ in copies}
    return is_one_split and len(wet) == len(copies) and all(side == "dry" for _, side in copies)


def refuse(problems: Sequence[str], folder: Path, outcome: str) -> None:
    """Raises PairError, which lists the problems of a data folder, each with its file; returns if there are none."""
    if problems:
        listing = "\n".join(f"  - {problem}" for problem in problems)
        raise PairError(f"{len(problems)} problem(s) in {shown(folder)}; {outcome}:\n{listing}")
