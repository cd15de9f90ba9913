"""Checks a folder of wet/dry pairs before training on it.

Training must not start while there are problems; remarks are worth a look. Bad content raises no error: all findings
are listed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd

from orelib.data.alignment import LARGEST_SHIFT, Shift, light, misfit, shift_of_lights, why_not_measurable
from orelib.data.pair import SIDES, Inspected, Pair, inspect_pair, name_same_images, of_each, refuse
from orelib.data.pairs import find_pairs, hold_out
from orelib.data.same_places import MOST_ALIKE, SAME_PLACE, margins_of, marks_of, spectra_of, thumbnail
from orelib.utils.paths import shown

HALF_A_STOP = 2**0.5  # a pair whose exposure differs from the others' by more than this factor gets a remark
SWAPPED = 1.1  # exposure; water darkens rock to about 0.7, and automatic exposure brings that back to 1 at most


@dataclass(frozen=True)
class Check:
    """Findings of :func:`check_folder`.

    ``pairs`` has one row per readable pair of the splits that training uses: ``split, stem, width, height``;
    ``exposure``, the mean grey of wet over that of dry; ``shift_down, shift_right, shift, trust, spread``
    of the wet against the dry image (:class:`~orelib.data.alignment.Shift`, NaN: not measurable); ``problem`` and
    ``remark`` in words, empty where there is none.

    ``problems`` has one row per problem: ``file`` and ``problem``, which says what to do.
    """

    folder: Path
    largest_shift: float
    pairs: pd.DataFrame
    problems: pd.DataFrame

    @property
    def ok(self) -> bool:
        """True if training may start."""
        return self.problems.empty

    def demand(self) -> None:
        """Raises PairError, which lists every problem, if there is one."""
        problems = [f"{file}: {problem}" for file, problem in self.problems.itertuples(index=False)]
        refuse(problems, self.folder, "nothing was trained")


@dataclass
class _Seen(Inspected):
    """A pair, inspected and measured."""

    exposure: float = nan
    shift: Shift | None = None
    thumbnails: dict[str, np.ndarray] = field(default_factory=dict)  # by side


def check_folder(folder: Path, largest_shift: float = LARGEST_SHIFT) -> Check:
    """Checks a data folder, as :mod:`orelib.data.pairs` describes it; changes nothing.

    Problems are: missing partners and folders, damaged files, different sizes, a dry image that is turned or mirrored,
    a shift of more than ``largest_shift`` pixels, wet images that are brighter than the dry ones in the median, an
    image that is both wet and dry, and the same image or place in two splits. Without ``val``, the last eighth
    of the training pairs counts as ``val``, as in training.

    Raises FileNotFoundError when the folder is missing.
    """
    folder = Path(folder)
    listed: list[str] = []
    pairs = hold_out(folder, find_pairs(folder, listed), listed)
    looks = of_each(lambda pair: _look(pair, largest_shift), pairs)
    seen = [look for look in looks if look.pixels]
    listed += _compare_exposures(seen)
    name_same_images(seen, within_splits=True)
    _find_same_places(seen)
    problems = [problem.partition(": ")[::2] for problem in listed]
    for look in sorted(looks, key=lambda look: bool(look.pixels)):  # files that cannot be used come first
        problems += look.problems
    return Check(folder, largest_shift, _table(seen), pd.DataFrame(problems, columns=["file", "problem"]))


def _look(pair: Pair, largest_shift: float) -> _Seen:
    inspected, images = inspect_pair(pair)
    seen = _Seen(**vars(inspected))
    if not images:
        return seen
    lights = {side: light(image) for side, image in images.items()}
    wet_grey, dry_grey = (float(grey.mean(dtype=np.float64)) for grey in lights.values())
    seen.exposure = wet_grey / max(dry_grey, 0.5)  # 0.5: the dry image may be black
    seen.thumbnails = {side: thumbnail(grey) for side, grey in lights.items()}
    seen.shift = shift_of_lights(**lights)
    del lights  # they are large for a large photograph
    wet, dry = images.values()
    if seen.shift.measured:
        _judge_shift(seen, largest_shift)
    elif wet.shape == dry.shape:  # otherwise the inspector has named the problem
        if text := misfit(wet, dry):
            seen.blame("wet", text)
        else:
            seen.remarks.append(why_not_measurable(wet, dry))
    return seen


def _judge_shift(seen: _Seen, largest_shift: float) -> None:
    shift = seen.shift
    if shift.length > largest_shift:
        down = f"{abs(shift.down):.1f} px {'lower' if shift.down > 0 else 'higher'}"
        right = f"{abs(shift.right):.1f} px further {'right' if shift.right > 0 else 'left'}"
        # Aligning shifts by whole pixels, so that nothing is interpolated.
        cure = "align the folder" if round(shift.down) or round(shift.right) else "choose a larger largest_shift"
        text = f"lies {down} and {right} than its dry partner, more than {largest_shift:g} px off: {cure}"
        seen.blame("wet", text)
    if shift.spread > largest_shift:
        seen.remarks.append(
            f"its parts are shifted by up to {shift.spread:.1f} px against each other, which aligning cannot correct: "
            "check whether the camera was turned, tilted or moved nearer"
        )


def _compare_exposures(seen: Sequence[_Seen]) -> list[str]:
    """Adds remarks to pairs of unusual exposure; returns problems of folders whose wet images are the brighter ones."""
    usual = np.median([look.exposure for look in seen]) if seen else 1.0
    for look in seen:
        if not usual / HALF_A_STOP <= look.exposure <= usual * HALF_A_STOP:
            look.remarks.append(f"wet is {look.exposure:.2f} times as bright as dry, in other pairs {usual:.2f} times")
    by_folder = defaultdict(list)
    for look in seen:
        by_folder[look.pair.wet.parents[1]].append(look.exposure)
    return [
        f"{shown(folder)}: its wet images are {np.median(exposures):.2f} times as bright as the dry ones (median), "
        "while water darkens rock: swap the folders wet and dry"
        for folder, exposures in by_folder.items()
        if np.median(exposures) > SWAPPED
    ]


def _find_same_places(seen: Sequence[_Seen]) -> None:
    """Adds a problem for each image that shows the same place as one of another split, with different pixels."""
    splits = defaultdict(list)
    for number, look in enumerate(seen):
        splits[look.pair.split].append(number)
    for side in SIDES:
        spectra = spectra_of([look.thumbnails[side] for look in seen])
        marks = marks_of(spectra)
        for split, other_split in combinations(splits, 2):
            ones, others = np.array(splits[split]), splits[other_split]
            copies = defaultdict(list)  # positions in ``ones``, by pixels
            for place, one in enumerate(ones):
                copies[seen[one].pixels[side]].append(place)
            for number, likeness in zip(others, marks[others] @ marks[ones].T, strict=True):
                other = seen[number]
                likeness[copies.get(other.pixels[side], [])] = -np.inf  # named already
                likely = np.argsort(likeness)[-MOST_ALIKE:]
                likely = ones[likely[np.isfinite(likeness[likely])]]
                margins = margins_of(spectra[likely], spectra[number])
                if len(margins) and margins.max() >= SAME_PLACE:
                    one = seen[likely[margins.argmax()]]
                    text = f"shows the same place as {one.file(side)} ({split}): {other.cure}"
                    other.blame(side, text)


def _table(seen: Sequence[_Seen]) -> pd.DataFrame:
    columns = ["split", "stem", "width", "height", "exposure", "shift_down", "shift_right", "shift", "trust", "spread"]
    rows = [
        (
            look.pair.split, look.pair.stem, look.size[1], look.size[0], look.exposure,
            look.shift.down, look.shift.right, look.shift.length, look.shift.trust, look.shift.spread,
            "; ".join(text for _, text in look.problems), "; ".join(look.remarks),
        )
        for look in seen
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=[*columns, "problem", "remark"])
