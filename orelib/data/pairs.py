"""Folders of wet/dry photographs, matched and checked.

A data folder holds ``train``, ``test`` and optionally ``val``; each holds ``wet`` and ``dry``; the same stem in both
is the same place, however its accents are encoded::

    <data_dir>/train/wet/belt_017.jpg      <data_dir>/train/dry/belt_017.png

Everything is checked before anything is trained, and one error lists every file that is wrong.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from orelib.data.dataset import demand_whole_scenes
from orelib.data.pair import SIDES, Pair, inspect_pair, name_same_images, of_each, refuse
from orelib.data.photographs import SUFFIXES, file_state, photographs_in
from orelib.runs import Folders
from orelib.utils.files import in_the_way
from orelib.utils.names import composed, fits_a_table, is_left_behind, printable
from orelib.utils.paths import shown

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Pairs:
    """A checked data folder.

    ``manifest`` has one row per pair; ``checksum`` identifies exactly these pixels in these splits; ``embedded`` says
    whether they are the kit's rendered scenes rather than a user's photographs.
    """

    train: tuple[Pair, ...]
    val: tuple[Pair, ...]
    test: tuple[Pair, ...]
    manifest: pd.DataFrame
    checksum: str
    embedded: bool


def load_pairs(folders: Folders) -> Pairs:
    """Matches and checks all pairs below ``folders.data``.

    Without a ``val`` folder, the last eighth of the training pairs in order of their names (at least one) becomes
    the validation split: a block at the end, because neighbouring names are often the same scene.

    Raises
    ------
    FileNotFoundError
        When the folder is missing; says what to run first.
    DamagedFileError
        Lists all images of embedded scenes that are missing, or changed since rendering.
    PairError
        Lists all problems: a missing partner, different sizes, an unreadable, empty or too small image, two files with
        one stem, a file that is no image, an empty folder, and the same image in two splits.
    """
    root = folders.data
    if folders.embedded and not (root / "manifest.json").exists():
        cure = f"run notebooks/01_dataset.ipynb with profile={folders.profile!r} first"
        if "+" in root.name:  # a data set of changed scenes
            cure = f"run python -m orelib.study scenes {folders.profile} --changes {folders.changes!r} first"
        raise FileNotFoundError(f"{shown(root)} holds no finished data set: {cure}")
    if folders.embedded:
        demand_whole_scenes(root)
    problems: list[str] = []
    pairs = hold_out(root, find_pairs(root, problems), problems)
    looks = of_each(lambda pair: inspect_pair(pair)[0], pairs)
    seen = [look for look in looks if look.pixels]
    name_same_images(seen)
    problems += [f"{file}: {problem}" for look in looks for file, problem in look.problems]
    refuse(problems, root, "nothing was trained")
    by_split = {split: tuple(pair for pair in pairs if pair.split == split) for split in SPLITS}
    rows = [(look.pair.split, look.pair.stem, *look.size[::-1], *look.pixels.values()) for look in seen]
    manifest = pd.DataFrame(rows, columns=["split", "stem", "width", "height", "wet_sha256", "dry_sha256"])
    checksum = hashlib.sha256(manifest.to_csv(index=False).encode()).hexdigest()
    return Pairs(**by_split, manifest=manifest, checksum=checksum, embedded=folders.embedded)


def find_pairs(root: Path, problems: list[str]) -> list[Pair]:
    """Finds the pairs of a data folder, by split and stem; adds files without partner to ``problems``.

    Raises FileNotFoundError when the folder is missing.
    """
    if not root.is_dir():
        cure = "name a folder that holds train/ and test/, each with wet/ and dry/"
        raise FileNotFoundError(f"{shown(root)} is not a folder: {cure}")
    splits = [split for split in SPLITS if split != "val" or (root / split).exists()]
    return [pair for split in splits for pair in match_pairs(root / split, split, problems)]


def data_folders_below(folder: Path) -> list[Path]:
    """Returns the data folders at and below a folder, in order: those that hold ``train`` or ``test``.

    Links to folders are not followed, and hidden folders are left out. Raises OSError when a folder cannot be listed.
    """
    found, waiting = [], [Path(folder)]
    while waiting:
        place = waiting.pop()
        inside = [path for path in photographs_in(place)[1] if os.path.isdir(path) and not os.path.islink(path)]
        if {"train", "test"} & {path.name for path in inside}:
            found.append(place)
        waiting += [path for path in reversed(inside) if path.name not in (*SPLITS, *SIDES)]
    return found


def folder_state(root: Path) -> str:
    """SHA-256 of the names, sizes and modification times of all files of a data folder's pairs; any change alters it.

    Folders that cannot be listed are left out; reading the pairs reports them.
    """
    state = hashlib.sha256()
    for split, side in product(SPLITS, SIDES):
        with suppress(OSError):
            for name in sorted(os.listdir(Path(root) / split / side)):
                if not is_left_behind(name):
                    state.update(repr((split, side, name, file_state(Path(root) / split / side / name))).encode())
    return state.hexdigest()


def hold_out(root: Path, pairs: list[Pair], problems: list[str]) -> list[Pair]:
    """Returns the pairs; without a ``val`` folder, the last eighth of the training pairs, at least one, is ``val``."""
    if (root / "val").exists():
        return pairs
    train = [pair for pair in pairs if pair.split == "train"]
    held_out = train[-max(1, len(train) // 8) :]
    kept = train[: len(train) - len(held_out)]
    rest = [pair for pair in pairs if pair.split != "train"]
    if train and not kept:
        problems.append(f"{shown(root / 'train')}: at least two pairs are needed, because one is held out")
    return [*kept, *(replace(pair, split="val") for pair in held_out), *rest]


def match_pairs(folder: Path, split: str, problems: list[str]) -> list[Pair]:
    """Matches the pairs in a folder's ``wet`` and ``dry``, in order of their stems.

    Adds files without partner to ``problems``, and folders that are missing.
    """
    wet, dry = (images_by_stem(folder / side, problems) for side in SIDES)
    for side, other, partner in ((wet, dry, "dry"), (dry, wet, "wet")):
        if other:  # a missing or empty folder was named already
            problems += [
                f"{shown(side[stem])}: has no {partner} partner; add it or remove the file"
                for stem in sorted(set(side) - set(other))
            ]
    return [Pair(split, stem, wet[stem], dry[stem]) for stem in sorted(set(wet) & set(dry))]


def images_by_stem(folder: Path, problems: list[str]) -> dict[str, Path]:
    """Returns the images of a folder by stem, accents composed; adds other files to ``problems``."""
    if file := in_the_way(folder):
        if (problem := f"{shown(file)}: is a file where a folder belongs; move it elsewhere") not in problems:
            problems.append(problem)
        return {}
    if not os.path.isdir(folder):  # unlike Path.is_dir, raises nothing where access is denied
        problems.append(f"{shown(folder)}: the folder is missing; put the photographs there")
        return {}
    try:
        photographs, others = photographs_in(folder)
    except OSError as error:
        problems.append(f"{shown(folder)}: the folder cannot be read ({error.strerror}); make it readable")
        return {}
    problems += [
        f"{shown(path)}: not an image this kit reads ({', '.join(SUFFIXES)}); move it elsewhere" for path in others
    ]
    images: dict[str, list[Path]] = defaultdict(list)
    for path in photographs:
        if fits_a_table(path.name):
            images[composed(path.stem)].append(path)
        else:
            problems.append(f"{shown(path)}: its name is no text that a table can hold; rename it")
    problems += [
        f"{shown(folder)}: more than one file is named {printable(stem)}.*; keep one"
        for stem, paths in images.items()
        if len(paths) > 1
    ]
    if not images:
        problems.append(f"{shown(folder)}: the folder holds no images; put the photographs there")
    return {stem: paths[-1] for stem, paths in images.items()}


def pixel_counts(pairs: Iterable[Pair]) -> tuple[np.ndarray, np.ndarray]:
    """Counts the values 0, 1, ... 255 in the wet and in the dry images: two integer arrays (256,)."""
    counts = np.zeros((2, 256), dtype=np.int64)
    for pair in pairs:
        counts += [np.bincount(image.ravel(), minlength=256) for image in pair.load()]
    return counts[0], counts[1]
