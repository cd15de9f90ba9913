"""Plans how photographs of any folder become pairs to train on: partners found, places told apart, splits chosen.

Nothing is written here; :mod:`orelib.data.filed` does it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from orelib.data.alignment import light
from orelib.data.pair import SIDES, Pair, inspect_pair, of_each
from orelib.data.partners import Partners, find_partners
from orelib.data.photographs import photographs_below
from orelib.data.same_places import thumbnail
from orelib.data.splitting import hold_out_places, number_places
from orelib.utils.checksums import file_checksum
from orelib.utils.names import fits_a_table, one_name, printable
from orelib.utils.paths import shown

TEST, VAL = 6, 8  # one of so many pairs, at least one, is held out for testing, and for validating
SIGNS = 6  # of a checksum, in the name of a folder
USES = {"train": "training", "val": "validation", "test": "the test"}


@dataclass(frozen=True)
class FiledPair:
    """A pair on its way into a split; pairs that show one place share its number, from 0."""

    partners: Partners
    place: int = 0
    split: str = "train"
    checksums: tuple[str, str] = ("", "")  # of the files, wet and dry


@dataclass(frozen=True)
class Filing:
    """What filing a folder would do; :func:`~orelib.data.filed.file_pairs` does it.

    ``pairs`` are in order of their names. ``left_out`` holds (file, problem and cure) for photographs that would not be
    used, and ``others`` files that are no photographs. ``problem`` says why nothing can be trained on the pairs, and is
    "" where they are enough.
    """

    root: Path
    pairs: tuple[FiledPair, ...]
    left_out: tuple[tuple[str, str], ...]
    others: tuple[str, ...]
    problem: str = ""

    @property
    def proposals(self) -> list[FiledPair]:
        """The pairs that a person has to agree to."""
        return [pair for pair in self.pairs if pair.partners.proposal]

    @property
    def name(self) -> str:
        """Name of the folder to file into: the root's, and signs that stand for exactly these files and splits."""
        rows = [(pair.split, pair.partners.name, *pair.checksums) for pair in self.pairs]
        return f"{self.root.name}-{hashlib.sha256(repr(rows).encode()).hexdigest()[:SIGNS]}"

    def table(self) -> pd.DataFrame:
        """Returns a row per pair: ``split, place, stem, wet, dry``, and ``proposal``, "" where names gave the pair."""
        rows = [
            (
                pair.split, pair.place, pair.partners.name, within(pair.partners.wet, self.root),
                within(pair.partners.dry, self.root), pair.partners.proposal,
            )
            for pair in self.pairs
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["split", "place", "stem", "wet", "dry", "proposal"])

    def summary(self) -> str:
        """Says in a sentence what was found."""
        if not self.pairs:
            return "no pairs found"
        counts = Counter(pair.split for pair in self.pairs)
        places = len({pair.place for pair in self.pairs})
        splits = ", ".join(f"{counts[split]} for {use}" for split, use in USES.items() if counts[split])
        return f"{len(self.pairs)} pairs of {places} places: {splits}"


# ---- what is there -----------------------------------------------------------------------------------------------


def usable_below(root: Path) -> tuple[list[Path], list[Path]]:
    """Returns the photographs in a folder and in all folders below it that can stand in a table, and all else.

    As :func:`~orelib.data.photographs.photographs_below`. Raises FileNotFoundError for no folder.
    """
    if not Path(root).is_dir():
        raise FileNotFoundError(f"{shown(root)} is not a folder: name a folder of wet and dry photographs")
    found, others = photographs_below(root)
    usable = [path for path in found if fits_a_table(path.name)]
    return usable, others + [path for path in found if not fits_a_table(path.name)]


def within(path: Path, root: Path) -> str:
    """Returns the name of a file below ``root``, in one line."""
    return printable(path.relative_to(root).as_posix())


# ---- the plan ----------------------------------------------------------------------------------------------------


def plan_filing(root: Path) -> Filing:
    """Finds the pairs below a folder, and splits them by place; writes nothing.

    Photographs that show one place stay in one split. Places stand in order of their names, and the last ones are held
    out: a sixth of the pairs for testing, an eighth for validating. Where all pairs lie in folders called train and
    test already, they stay there, and only the validation pairs are taken from the training pairs.

    Raises FileNotFoundError when there is no such folder.
    """
    root = Path(root)
    photographs, others = usable_below(root)
    found, alone, problems = find_partners(root, photographs)
    left_out = [(within(path, root), "has no partner; add it, or leave this one out") for path in alone]
    left_out += [tuple(problem.split(": ", 1)) for problem in problems]
    looks = of_each(_look, [Pair("train", each.name, each.wet, each.dry) for each in found])
    good = []
    for partners, look in zip(found, looks, strict=True):
        if look.problems:
            left_out += [(within(Path(path), root), why) for path, why in look.problems]
        else:
            good.append((partners, look))
    good = sorted(_with_names(good, root), key=lambda item: _natural(item[0].name))
    places = number_places([look.thumbnails for _, look in good], [look.pixels for _, look in good])
    splits, problem = _splits([partners.split for partners, _ in good], places)
    pairs = [
        FiledPair(partners, place, split, look.checksums)
        for (partners, look), place, split in zip(good, places, splits, strict=True)
    ]
    others = tuple(within(path, root) for path in others)
    return Filing(root, tuple(pairs), tuple(left_out), others, problem)


def _splits(given: list[str], places: list[int]) -> tuple[list[str], str]:
    """Returns the split of each pair, and why training is not possible, or ""."""
    if not ({"train", "test"} <= set(given) and "" not in given):
        return hold_out_places(places, {"test": TEST, "val": VAL})
    if "val" in given:
        return given, ""
    train = [number for number, split in enumerate(given) if split == "train"]
    held_out, problem = hold_out_places([places[number] for number in train], {"val": VAL})
    for number, split in zip(train, held_out, strict=True):
        given[number] = split
    return given, problem


@dataclass
class _Seen:
    """What is kept of a pair: thumbnails, checksums of files and pixels, problems as (path, text)."""

    thumbnails: dict[str, np.ndarray]
    checksums: tuple[str, str]
    pixels: dict[str, str]
    problems: list[tuple[Path, str]]


def _look(pair: Pair) -> _Seen:
    inspected, images = inspect_pair(pair)
    paths = {inspected.file(side): getattr(pair, side) for side in SIDES}
    problems = [(paths[file], problem) for file, problem in inspected.problems]
    if problems:
        return _Seen({}, ("", ""), {}, problems)
    thumbnails = {side: thumbnail(light(image)) for side, image in images.items()}
    return _Seen(thumbnails, (file_checksum(pair.wet), file_checksum(pair.dry)), inspected.pixels, [])


def _natural(name: str) -> list:
    """Sorts ``belt_2`` before ``belt_10``."""
    parts, number = [], ""
    for sign in f"{one_name(name)} ":
        if sign.isdecimal():
            number += sign
            continue
        parts += [(0, int(number), "")] if number else []
        parts.append((1, 0, sign))
        number = ""
    return parts


def _with_names(good: list[tuple[Partners, _Seen]], root: Path) -> list[tuple[Partners, _Seen]]:
    """Gives pairs of one name different names: with their folders, and a number where that is not enough."""
    counts, taken, renamed = Counter(one_name(partners.name) for partners, _ in good), set(), []
    for partners, look in sorted(good, key=lambda item: item[0].wet.as_posix()):
        name = partners.name
        if counts[one_name(name)] > 1:
            folders = partners.wet.relative_to(root).parts[:-1]
            name = "_".join([*(folder for folder in folders if one_name(folder) not in SIDES), name])
        free, number = name, 2
        while one_name(free) in taken:
            free, number = f"{name}_{number}", number + 1
        taken.add(one_name(free))
        renamed.append((replace(partners, name=free), look))
    return renamed
