"""Folders of wet/dry pairs that are made of dry photographs alone, in the form of :mod:`orelib.data.pairs`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

from orelib.data.pair import SIDES, THREADS, pixel_checksum, refuse
from orelib.data.pairs import SPLITS, images_by_stem
from orelib.data.photographs import Photograph, PhotographError, in_8_bits, read_photograph, write_photograph
from orelib.data.wetting import PX_PER_MM, SMALLEST_SIDE, wet_photograph
from orelib.utils.allowed import checked
from orelib.utils.files import appearing_folder, demand_new_folder, demand_room, write_text, writing
from orelib.utils.names import composed
from orelib.utils.paths import shown
from orelib.utils.progress import Progress

VARIANTS = 8
HELD_OUT_VARIANTS = 2  # of photographs for val and test: more would say little, and validating takes time
# Of a larger photograph, every variant shows a window of its own of this side, in px. Training cuts samples of 128 to
# 512 px anyway; windows show it more of the photograph in as much memory, disk and time for validating.
WINDOW = 1024
FEWEST = 3  # photographs: one each for train, val and test
ABOUT = "wetted.json"  # beside train, val and test: how the folder was made


@dataclass(frozen=True)
class Source:
    """A dry photograph that can be used: ``size`` is (height, width) in px, ``pixels`` a checksum."""

    path: Path
    size: tuple[int, int]
    pixels: str


def wet_folder(
    photographs: Path, out: Path, variants: int = VARIANTS, seed: int = 0, px_per_mm: float = PX_PER_MM
) -> pd.DataFrame:
    """Writes pairs to train on to ``out``: dry photographs of a folder, and the same wetted by :func:`wet_photograph`.

    Every photograph is wetted ``variants`` times, each time by other water, lamps and exposure, as the pair
    ``<stem>_<variant>.png``. The photographs, in order of their names, are split into train, val and test: an eighth,
    at least one, each for val and test, which get at most two variants. So no photograph is in two splits; two
    photographs of one place may be, which :func:`~orelib.data.check.check_folder` finds. Of a photograph of more than
    1024 px a side, every variant shows a window of its own.

    ``out`` appears when all is written, with ``wetted.json``, which says how it was made. Returns one row per pair:
    ``split, stem, photograph`` and ``glare``, the share of the wet image that glare hides.

    Raises
    ------
    FileNotFoundError
        When the folder of photographs is missing.
    FileExistsError
        When ``out`` already holds something.
    PairError
        When there are fewer than three photographs; or lists all that cannot be used, before anything is written.
    ValueError
        For numbers out of range.
    OSError
        When ``out`` cannot be written; nothing of it remains then.
    """
    photographs, out = Path(photographs), Path(out)
    checked("px_per_mm", px_per_mm)
    if variants < 1 or seed < 0:
        raise ValueError(f"variants={variants} must be at least 1, and seed={seed} at least 0")
    demand_new_folder(out)
    if photographs.is_dir() and photographs.resolve() in out.resolve().parents:
        raise ValueError(f"{shown(out)} lies among the photographs, and would be one of them: name another folder")
    by_split = split_by_name(find_sources(photographs))
    tasks = [
        (source, split, variants if split == "train" else min(variants, HELD_OUT_VARIANTS))
        for split, sources in by_split.items()
        for source in sources
    ]
    room = sum(6 * count * np.prod(np.minimum(source.size, WINDOW)) for source, _, count in tasks)
    demand_room(out.absolute().parent, room, "the pairs", "make fewer variants")
    about = {"made_by": "orelib wet", "seed": seed, "variants": variants, "px_per_mm": px_per_mm}
    about |= {split: [source.path.name for source in sources] for split, sources in by_split.items()}
    rows = []
    with (
        writing(out, "Nothing was kept."),
        appearing_folder(out) as unfinished,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        for split, side in product(SPLITS, SIDES):
            (unfinished / split / side).mkdir(parents=True)
        progress = Progress(len(tasks), "wetting")
        for written in pool.map(lambda task: _write_pairs(*task, unfinished, seed, px_per_mm), tasks):
            rows += written
            progress.advance()
        progress.close()
        write_text(unfinished / ABOUT, json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    return pd.DataFrame(rows)


def find_sources(folder: Path) -> list[Source]:
    """Finds the photographs of a folder, in order of their names. Raises as :func:`wet_folder` does."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{shown(folder)} is not a folder: name a folder of dry photographs")
    problems: list[str] = []
    paths = sorted(images_by_stem(folder, problems).values(), key=lambda path: composed(path.stem))
    with ThreadPoolExecutor(THREADS) as pool:
        looks = list(pool.map(_look, paths))
    problems += [look for look in looks if isinstance(look, str)]
    sources, first = [look for look in looks if isinstance(look, Source)], {}
    for source in sources:
        same = first.setdefault(source.pixels, source)
        if same is not source:
            problems.append(f"{shown(source.path)}: the same image as {shown(same.path)}; remove one of them")
    if not problems and len(sources) < FEWEST:
        problems.append(
            f"{shown(folder)}: holds {len(sources)} photograph(s), and one each is needed to train, to validate and to "
            "test; add some, or cut one into parts that do not overlap"
        )
    refuse(problems, folder, "nothing was written")
    return sources


def _look(path: Path) -> Source | str:
    """Returns a photograph's size and checksum, or the reason why it cannot be used."""
    try:
        pixels = in_8_bits(read_photograph(path))
    except (PhotographError, OSError, MemoryError) as error:  # OSError: such as a broken link
        why = str(error) if isinstance(error, PhotographError) else f"{shown(path)}: cannot be read ({error})"
        return f"{why}; export it again or remove it"
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        return f"{shown(path)}: {width} x {height} px is too small; remove it, each side needs {SMALLEST_SIDE} px"
    return Source(path, (height, width), pixel_checksum(pixels))


def split_by_name(sources: list[Source]) -> dict[str, list[Source]]:
    """Splits photographs into train, val and test, in this order: neighbouring names are often the same place."""
    held_out = max(1, len(sources) // 8)
    train = len(sources) - 2 * held_out
    return {
        "train": sources[:train],
        "val": sources[train : train + held_out],
        "test": sources[train + held_out :],
    }


def _write_pairs(source: Source, split: str, count: int, out: Path, seed: int, px_per_mm: float) -> list[dict]:
    """Writes the pairs of a photograph; returns their rows. The other photographs do not change their pixels."""
    photograph, stem = read_photograph(source.path), composed(source.path.stem)
    image, rows = in_8_bits(photograph), []
    for variant in range(count):
        numbers = seed, crc32(stem.encode()), variant
        dry = _window(image, np.random.default_rng(numbers))
        wet, glare = wet_photograph(dry, numbers, px_per_mm)
        name = f"{stem}_{variant}"
        for side, pixels in (("wet", wet), ("dry", dry)):
            kept = Photograph(pixels, icc_profile=photograph.icc_profile)
            write_photograph(out / split / side / f"{name}.png", kept)
        rows.append({"split": split, "stem": name, "photograph": source.path.name, "glare": float(glare.mean())})
    return rows


def _window(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cuts a random window of at most ``WINDOW`` px a side; all of a smaller image."""
    size = [min(side, WINDOW) for side in image.shape[:2]]
    top, left = (
        int(rng.integers(side - length, endpoint=True)) for side, length in zip(image.shape[:2], size, strict=True)
    )
    return np.ascontiguousarray(image[top : top + size[0], left : left + size[1]])
