"""Folders of shifted wet/dry pairs, cut to the area that both photographs show."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd

from orelib.data.alignment import LARGEST_SHIFT, Shift, measure_shift, misfit, overlap, why_not_measurable
from orelib.data.pair import THREADS, Pair, inspect_pair, of_each, refuse
from orelib.data.pairs import find_pairs
from orelib.data.photographs import Photograph, read_image, read_photograph, write_photograph
from orelib.utils.files import appearing_folder, demand_new_folder, writing
from orelib.utils.paths import shown


def align_folder(
    folder: Path, out: Path, largest_shift: float = LARGEST_SHIFT, replace_earlier: bool = False
) -> pd.DataFrame:
    """Writes the pairs of a data folder to ``out``; cuts shifted pairs to the area that both photographs show.

    A pair whose shift exceeds ``largest_shift`` pixels is shifted by whole pixels, so that no pixel is interpolated,
    and written as PNG at the depth of its files; other pairs are copied byte for byte. ``out`` appears when all pairs
    are written; a killed call leaves a hidden folder beside it, which the next call for the same ``out`` removes. With
    ``replace_earlier``, ``out`` may be the result of an earlier call, which is replaced when all pairs are written.
    Returns one row per pair: ``split, stem, shift_down, shift_right`` in pixels, ``action`` ("copied" or "aligned"),
    and ``remaining``, the length of the shift that is left.

    Raises
    ------
    FileNotFoundError
        When the folder is missing.
    FileExistsError
        When ``out`` is ``folder``, already holds something that may not be replaced, or is a mount point.
    OSError
        When ``out`` cannot be written; nothing of it remains then.
    PairError
        When pairs cannot be aligned; lists all of them, before anything is written.
    """
    folder, out = Path(folder), Path(out)
    if out.exists() and out.samefile(folder):
        raise FileExistsError(f"{shown(out)} holds the pairs that are to be aligned: name another folder")
    if not replace_earlier:
        demand_new_folder(out)
    problems: list[str] = []
    pairs = find_pairs(folder, problems)
    looks = of_each(_shift_of, pairs)
    problems += [problem for look in looks if isinstance(look, list) for problem in look]
    refuse(problems, folder, "nothing was written")
    with (
        writing(out, "Nothing was kept."),
        appearing_folder(out, replace_earlier) as unfinished,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        rows = pool.map(lambda pair, shift: _write_aligned(pair, shift, unfinished, largest_shift), pairs, looks)
        return pd.DataFrame(rows)


def _shift_of(pair: Pair) -> Shift | list[str]:
    """Returns the shift of a pair, or the reasons why it cannot be aligned."""
    seen, images = inspect_pair(pair)
    if seen.problems:
        return [f"{file}: {problem}" for file, problem in seen.problems]
    shift = measure_shift(**images)
    if not shift.measured:
        return [f"{seen.file('wet')}: {misfit(**images) or why_not_measurable(**images)}"]
    return shift


def _write_aligned(pair: Pair, shift: Shift, out: Path, largest_shift: float) -> dict:
    """Writes one pair; returns its row."""
    row = {"split": pair.split, "stem": pair.stem, "shift_down": shift.down, "shift_right": shift.right}
    whole = round(shift.down), round(shift.right)
    if shift.length <= largest_shift or whole == (0, 0):
        for side, path in (("wet", pair.wet), ("dry", pair.dry)):
            copy = out / pair.split / side / path.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        return row | {"action": "copied", "remaining": shift.length}
    wet, dry = (out / pair.split / side / f"{pair.stem}.png" for side in ("wet", "dry"))
    write_photograph(wet, _cut(read_photograph(pair.wet), 0, whole))
    write_photograph(dry, _cut(read_photograph(pair.dry), 1, whole))
    return row | {"action": "aligned", "remaining": measure_shift(read_image(wet), read_image(dry)).length}


def _cut(photograph: Photograph, side: int, shift: tuple[int, int]) -> Photograph:
    """Cuts a wet (``side`` 0) or dry (1) photograph to the area that its partner shows, too."""
    layers = {"pixels": photograph.pixels, "alpha": photograph.alpha}
    cut = {name: overlap(layer, layer, *shift)[side] for name, layer in layers.items() if layer is not None}
    return replace(photograph, **cut)
