"""The particle sizes of photographs, written into a folder: tables, pictures with outlines, a figure and a page.

``sizes.csv`` has a row per photograph and side, then one per side for all photographs together (file ``*``);
``passing.csv`` the curves, ``particles.csv`` a row per particle, ``outlines/`` each photograph with its outlines,
``passing.png`` the figure, and ``sizes.html`` all of it on one page. The folder appears when all is done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from orelib.data.photographs import PhotographError
from orelib.sizing.distribution import SHARES, Distribution, distribution
from orelib.sizing.measured import Measured
from orelib.sizing.scale import ScaleError
from orelib.sizing.sized import AS_IT_IS, Side, Sizer, partners, photographs_by_name
from orelib.utils.files import appearing_folder, demand_new_folder, write_text
from orelib.utils.names import one_name, printable
from orelib.utils.paths import shown
from orelib.utils.progress import Progress, say
from orelib.utils.tables import write_csv
from orelib.views.figures import save
from orelib.views.outlines import outlined, write_outlines
from orelib.views.pictures import encoded
from orelib.views.size_figures import passing_curves_figure
from orelib.views.size_page import Entry, size_page

Row = dict[str, str | float | int | None]
ALL = "*"  # the name of all photographs together in the tables
FILES = {"sizes.csv", "passing.csv", "particles.csv", "passing.png", "sizes.html", "outlines"}
PICTURE = 640  # px, the longer side of a picture on the page
MOST_PICTURES = 80  # on the page, which would grow too large with more


@dataclass
class SizeReport:
    """The results of :func:`size_folder`.

    ``entries``: a side of a photograph each; ``together``: the distribution of all photographs by side; ``failed``: why
    a photograph was not sized, by its name; ``interrupted``: photographs that were not reached.
    """

    entries: list[Entry] = field(default_factory=list)
    together: dict[str, Distribution] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    interrupted: int = 0

    def single(self) -> dict[str, list[Distribution]]:
        """Returns the distributions of single photographs by side; none of a side with one photograph."""
        found = {side: [each.distribution for each in self.entries if each.side == side] for side in self.together}
        return {side: each for side, each in found.items() if len(each) > 1}

    def demand_all(self) -> None:
        """Raises PhotographError that lists the photographs that could not be sized, if any."""
        if self.failed:
            listing = "\n".join(f"  - {printable(name)}: {why}" for name, why in self.failed.items())
            raise PhotographError(f"{len(self.failed)} photographs were not sized:\n{listing}")

    def rows(self) -> pd.DataFrame:
        """Returns the rows of ``sizes.csv``."""
        rows = [row_of(each) for each in self.entries]
        rows += [row_of(Entry(ALL, side, found)) for side, found in self.together.items()]
        rows += [failed_row(file, error) for file, error in self.failed.items()]
        return pd.DataFrame(rows)


def size_folder(
    photographs: Path,
    out: Path,
    sizer: Sizer,
    dry: Path | None = None,
    recursive: bool = False,
    replace_earlier: bool = False,
    report: Callable[[Row], object] | None = None,
) -> SizeReport:
    """Sizes the particles in every photograph of a folder, and writes what it finds to another folder.

    A photograph that cannot be sized does not stop the others. An interruption (Ctrl-C) ends the work, and the
    photographs that are done are written. Originals are never touched.

    Parameters
    ----------
    photographs : a folder, or one photograph.
    out : a new folder.
    dry : a folder with dry partners of some photographs, of the same names, or one dry photograph.
    recursive : size the photographs in folders below, too.
    replace_earlier : ``out`` may be a folder of an earlier call, which is deleted when the new one is complete.
    report : called with each row of ``sizes.csv`` that belongs to one photograph, as soon as it is known.

    Raises
    ------
    FileExistsError
        When something lies at ``out`` that may not be replaced.
    PhotographError
        When no photograph could be sized; nothing is written then.
    ValueError
        When there are no photographs, or they lie in ``out``; and as
        :func:`~orelib.sizing.sized.photographs_by_name` and :func:`~orelib.sizing.sized.partners`.
    """
    photographs, out = Path(photographs), Path(out)
    names, skipped = photographs_by_name(photographs, recursive, leave_out=out)
    if skipped:
        say(f"skipped, because they are no photographs: {', '.join(map(printable, skipped))}")
    dry_of = partners(names, dry, recursive) if dry is not None else {}
    _demand_place(out, photographs, replace_earlier)
    with appearing_folder(out, replace_earlier) as folder:
        result, measured = _size_all(names, dry_of, sizer, folder, report)
        for side in dict.fromkeys(each.side for each in result.entries):
            result.together[side] = distribution(list(measured[side].values()))
        if not result.entries:
            raise PhotographError(_nothing(result, len(names)))
        note = f"Restored by: {sizer.restorer.describe()}" if sizer.restorer is not None else ""
        _write_tables(folder, result, measured)
        save(passing_curves_figure(result.together, result.single()), folder / "passing.png")
        page = size_page(photographs.name, result.entries, result.together, result.single(), result.failed, note)
        write_text(folder / "sizes.html", page)
    return result


def _size_all(
    names: dict[str, Path],
    dry_of: dict[str, Path],
    sizer: Sizer,
    folder: Path,
    report: Callable[[Row], object] | None,
) -> tuple[SizeReport, dict[str, dict[str, Measured]]]:
    """Sizes photographs one after the other; returns the results, and the particles by side and name."""
    result, measured, taken = SizeReport(), defaultdict(dict), set()
    progress = Progress(len(names), "sizing")
    for done, (name, path) in enumerate(names.items()):
        entries, found = [], {}
        try:
            for side in sizer.sides(path, dry_of.get(name)):
                picture = _picture(side, len(result.entries) + len(entries))
                write_outlines(folder / "outlines" / _free_name(name, side.side, taken), side)
                sizes = distribution([side.measured])
                entries.append(Entry(name, side.side, sizes, side.scale.how, side.remark, picture))
                found[side.side] = side.measured
        except KeyboardInterrupt:
            result.interrupted = len(names) - done
            break
        except Exception as error:  # of any kind: the other photographs are sized all the same
            named = isinstance(error, PhotographError | ScaleError)
            why = str(error).removeprefix(f"{shown(path)}: ") if named else f"{type(error).__name__}: {error}"
            result.failed[name] = why
            rows = [failed_row(name, result.failed[name])]
        else:
            result.entries += entries
            for side, particles in found.items():
                measured[side][name] = particles
            rows = [row_of(each) for each in entries]
        progress.advance()
        for row in rows if report is not None else ():
            report(row)
    progress.close()
    return result, measured


def row_of(entry: Entry) -> Row:
    """Returns a row of ``sizes.csv``; a percentile that cannot be given is None, and the remark says why."""
    found = entry.distribution
    row = {"file": entry.file, "side": entry.side, "status": "sized", "photographs": found.photographs}
    row |= {"count": found.count, "cut": found.cut, "smallest_mm": found.smallest_mm if found.count else None}
    for name, percentile in found.percentiles.items():
        given = (percentile.size_mm, percentile.low, percentile.high) if not percentile.why_not else (None,) * 3
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), given, strict=True))
    return row | {"scale": entry.scale, "remark": entry.remarks, "error": ""}


def failed_row(file: str, error: str) -> Row:
    """Returns the row of a photograph that could not be sized."""
    numbers = ("smallest_mm", *(f"{name}{end}" for name in SHARES for end in ("", "_low", "_high")))
    row = {"file": file, "side": AS_IT_IS, "status": "failed", "photographs": 1, "count": 0, "cut": 0}
    return row | dict.fromkeys(numbers) | {"scale": "", "remark": "", "error": error}


def _demand_place(out: Path, photographs: Path, replace_earlier: bool) -> None:
    """Checks that nothing is lost when ``out`` is written; raises FileExistsError or ValueError."""
    if out.exists() and photographs.resolve().is_relative_to(out.resolve()):
        raise ValueError(f"{shown(out)} holds the photographs: name a new folder")
    if replace_earlier and out.is_dir() and {path.name for path in out.iterdir()} <= FILES:
        return
    demand_new_folder(out)


def _picture(side: Side, number: int) -> bytes | None:
    return encoded(outlined(side, PICTURE), quality=80) if number < MOST_PICTURES else None


def _free_name(name: str, side: str, taken: set[str]) -> str:
    """Returns the name of a picture below outlines/, which no other photograph has, by case and accents either."""
    ending = "" if side == AS_IT_IS else f"-{side}"
    path = Path(name)
    for stem in (path.stem, path.name):  # the same stem with another ending is another photograph
        free = path.with_name(f"{stem}{ending}.png").as_posix()
        if one_name(free) not in taken:
            break
    taken.add(one_name(free))
    return free


def _write_tables(folder: Path, result: SizeReport, measured: dict[str, dict[str, Measured]]) -> None:
    keys = ["file", "side"]
    curves = [each.distribution.curve.assign(file=each.file, side=each.side) for each in result.entries]
    curves += [found.curve.assign(file=ALL, side=side) for side, found in result.together.items()]
    particles = [
        each.table.assign(file=name, side=side) for side, by_name in measured.items() for name, each in by_name.items()
    ]
    write_csv(folder / "sizes.csv", result.rows())
    for file, tables in (("passing.csv", curves), ("particles.csv", particles)):
        table = pd.concat([each for each in tables if len(each)] or tables[:1])
        write_csv(folder / file, table[[*keys, *table.columns.drop(keys)]])


def _nothing(result: SizeReport, count: int) -> str:
    if result.interrupted:
        return "interrupted before the first photograph was sized: nothing was written"
    name, why = next(iter(result.failed.items()))
    return f"none of {count} photograph(s) could be sized: {printable(name)}: {why}"
