"""Finds which photographs of a folder are partners: one place, wet and dry.

Names say it in several ways, all of which are understood, also mixed::

    belt_017_wet.jpg  belt_017_dry.jpg       beside each other
    wet/belt_017.jpg  dry/belt_017.jpg       in two folders
    train/wet/017.jpg train/dry/017.jpg      in the folders of load_pairs
    first/017.jpg     second/017.jpg         one name in two folders: the darker folder is the wet one

Photographs that names leave over are compared by what they show. Partners that were found so, and sides that were told
by brightness, are *proposals*: a person has to agree before anything uses them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orelib.data.alignment import COARSE_SIDE, light, shift_of_lights
from orelib.data.photographs import PhotographError, read_image
from orelib.data.same_places import margins_of, spectra_of, thumbnail
from orelib.utils.names import composed, one_name

# Words that name a side, as whole words of a file's or folder's name: English, German, Polish, Spanish.
WORDS = {"wet": ("wet", "nass", "mokry", "mokre", "mojado"), "dry": ("dry", "trocken", "suchy", "suche", "seco")}
SIDE_OF = {word: side for side, words in WORDS.items() for word in words}
SPLIT_OF = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test",
    "testing": "test",
}  # fmt: skip
_WORD = re.compile(rf"(?i:(?<![^\W\d_])({'|'.join(SIDE_OF)})(?![^\W\d_]))|(?<=[a-z0-9])(Wet|Dry)(?![a-z])")
_LETTER = re.compile(r"(.+)[_\-. ]([wd])", re.IGNORECASE)
MOST_COMPARED = 400  # photographs without a partner by name, in which partners are looked for by content
CANDIDATES = 3  # for each, of the most alike thumbnails
LEAST_ALIKE = 0.05  # margin of thumbnails below which nothing more is measured


@dataclass(frozen=True)
class Named:
    """A photograph below a folder, and what its name says.

    ``folders`` and ``stem`` are its name without the words for a side; ``side`` is "wet", "dry" or "" (unknown), and
    ``split`` is "train", "val", "test" or "".
    """

    path: Path
    folders: tuple[str, ...]
    stem: str
    side: str
    split: str


@dataclass(frozen=True)
class Partners:
    """Two photographs of one place. ``proposal`` says what is a guess, and is "" where names say all."""

    name: str
    wet: Path
    dry: Path
    split: str = ""
    proposal: str = ""


def read_name(path: Path, root: Path) -> Named:
    """Reads what the name of a photograph below ``root`` says."""
    *folders, _ = path.relative_to(root).parts
    sides, split, kept = [], "", []
    for folder in folders:
        rest, found = _without_words(folder)
        sides += found
        if one_name(folder) in SPLIT_OF:
            split = SPLIT_OF[one_name(folder)]
        if rest:
            kept.append(rest)
    stem, found = _without_words(composed(path.stem))
    sides += found
    side = sides[0] if len(set(sides)) == 1 else ""  # a name that says both says nothing
    return Named(path, tuple(kept), stem, side, split)


def _without_words(name: str) -> tuple[str, list[str]]:
    """Returns a name without the words for a side, and the sides that they name."""
    sides = [SIDE_OF[match[0].lower()] for match in _WORD.finditer(name)]
    rest = _WORD.sub("", name) if sides else name
    return (re.sub(r"([_\-. ])[_\-. ]+", r"\1", rest).strip("_-. ") if sides else rest), sides


def by_names(photographs: Iterable[Named]) -> tuple[list[Partners], list[Named], list[str]]:
    """Matches photographs by their names.

    Returns the partners, the photographs that are left over, and problems: several files for one side of a place.
    """
    left = {named.path: named for named in photographs}
    found, problems = [], []
    # First within one folder or two that differ by the word alone, then anywhere, where a name is unique.
    for key in (_in_its_folder, _anywhere):
        for group in _grouped(left.values(), key):
            wet, dry = ([named for named in group if named.side == side] for side in ("wet", "dry"))
            if len(wet) == len(dry) == 1:
                found.append(_partners(*wet, *dry))
            elif wet and dry and key is _in_its_folder:
                names = ", ".join(named.path.name for named in (*wet, *dry))
                problems.append(f"{names}: more than one photograph for one side of one place; keep one of each")
            else:
                continue
            for named in (*wet, *dry):
                del left[named.path]
    for wet, dry in _by_last_letter(left.values()):
        found.append(_partners(wet, dry, name=_LETTER.fullmatch(wet.stem)[1]))
        del left[wet.path], left[dry.path]
    found += _by_two_folders(left)
    return found, list(left.values()), problems


def _in_its_folder(named: Named) -> tuple:
    return named.folders, one_name(named.stem)


def _anywhere(named: Named) -> tuple:
    return named.split, one_name(named.stem)


def _grouped(photographs: Iterable[Named], key: Callable) -> list[list[Named]]:
    groups = defaultdict(list)
    for named in photographs:
        groups[key(named)].append(named)
    return list(groups.values())


def _partners(wet: Named, dry: Named, name: str = "", proposal: str = "") -> Partners:
    split = wet.split if wet.split == dry.split else ""
    return Partners(name or wet.stem or "_".join(wet.folders) or "pair", wet.path, dry.path, split, proposal)


def _by_last_letter(photographs: Iterable[Named]) -> list[tuple[Named, Named]]:
    """Pairs such as ``x_w.jpg`` and ``x_d.jpg``; a letter alone says nothing."""
    groups = defaultdict(dict)
    for named in photographs:
        if not named.side and (match := _LETTER.fullmatch(named.stem)):
            groups[named.folders, one_name(match[1])].setdefault(match[2].lower(), []).append(named)
    return [
        (group["w"][0], group["d"][0])
        for group in groups.values()
        if len(group.get("w", ())) == len(group.get("d", ())) == 1
    ]


def _by_two_folders(left: dict[Path, Named]) -> list[Partners]:
    """Matches one name in two folders that no word tells apart, if both show one place; takes them out of ``left``."""
    by_folders = defaultdict(list)
    for group in _grouped(left.values(), _anywhere):
        if len(group) == 2 and group[0].folders != group[1].folders and not any(named.side for named in group):
            looks = [_look_at(named) for named in sorted(group, key=lambda named: named.folders)]
            if None not in looks and _trust(*looks):  # cameras give one number to many places
                by_folders[looks[0].named.folders, looks[1].named.folders].append(looks)
    found = []
    for pairs in by_folders.values():
        swapped = np.median([one.brightness - other.brightness for one, other in pairs]) > 0
        for pair in pairs:
            wet, dry = (look.named for look in (reversed(pair) if swapped else pair))
            found.append(_partners(wet, dry, proposal="wet and dry told by brightness"))
            del left[wet.path], left[dry.path]
    return found


# ---- by content --------------------------------------------------------------------------------------------------


@dataclass
class _Look:
    named: Named
    size: tuple[int, int]
    grey: np.ndarray  # reduced, (h, w)
    brightness: float


def by_content(photographs: Iterable[Named]) -> list[Partners]:
    """Proposes partners by what photographs show: the same edges, wet and dry; the darker one is taken for the wet one.

    Only photographs of one size are compared, and not two that are both called wet, or dry. One that cannot be read is
    left out, and none is proposed where there are more than :data:`MOST_COMPARED`.
    """
    looks = [look for named in photographs if (look := _look_at(named)) is not None]
    if not 2 <= len(looks) <= MOST_COMPARED:
        return []
    spectra = spectra_of([thumbnail(look.grey) for look in looks])
    trusts = {}
    for number, look in enumerate(looks):
        margins = margins_of(spectra, spectra[number], LEAST_ALIKE)
        fitting = [k for k, other in enumerate(looks) if k != number and _may_be_partners(look, other)]
        for other in sorted(fitting, key=lambda k: -margins[k])[:CANDIDATES]:
            pair = min(number, other), max(number, other)
            if margins[other] > 0 and pair not in trusts:
                trusts[pair] = _trust(look, looks[other])
    found, taken = [], set()
    for pair, trust in sorted(trusts.items(), key=lambda item: -item[1]):
        one, other = (looks[number] for number in pair)
        if trust and not taken & set(pair):
            taken |= set(pair)
            found.append(_proposed(one, other))
    return sorted(found, key=lambda partners: partners.name)


def _look_at(named: Named) -> _Look | None:
    try:
        grey = light(read_image(named.path))
    except (PhotographError, OSError, MemoryError):
        return None
    height, width = grey.shape
    factor = max(1, min(height, width) // COARSE_SIDE)
    small = grey[: height // factor * factor, : width // factor * factor]
    small = small.reshape(height // factor, factor, width // factor, factor).mean(axis=(1, 3))
    return _Look(named, (height, width), small, float(np.median(grey)))


def _trust(one: _Look, other: _Look) -> float:
    """How clear it is that two photographs show one place (see :class:`~orelib.data.alignment.Shift`); 0: it is not."""
    shift = shift_of_lights(one.grey, other.grey)
    return shift.trust if shift.measured else 0.0


def _may_be_partners(one: _Look, other: _Look) -> bool:
    both_known = one.named.side and one.named.side == other.named.side
    return one.size == other.size and not both_known


def _proposed(one: _Look, other: _Look) -> Partners:
    sides = {look.named.side for look in (one, other)}
    known = "wet" in sides or "dry" in sides
    swapped = one.named.side == "dry" or other.named.side == "wet" if known else one.brightness > other.brightness
    wet, dry = (other, one) if swapped else (one, other)
    how = "by what they show" if known else "by what they show, wet and dry by brightness"
    return _partners(wet.named, dry.named, proposal=f"partners found {how}")


def find_partners(root: Path, photographs: Iterable[Path]) -> tuple[list[Partners], list[Path], list[str]]:
    """Finds partners among photographs below ``root``: by names, then, for those left over, by content.

    Returns them in order of their names, the photographs without a partner, and problems in words.
    """
    found, left, problems = by_names(read_name(path, root) for path in sorted(photographs))
    proposed = by_content(left)
    taken = {path for partners in proposed for path in (partners.wet, partners.dry)}
    return found + proposed, [named.path for named in left if named.path not in taken], problems
