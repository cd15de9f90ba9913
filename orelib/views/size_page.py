"""The page of particle sizes: one file that needs no network, to be looked at, passed on and printed."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

import orelib
from orelib.restore.any_size import REMARKS
from orelib.sizing.distribution import LEAST_COUNT, SHARES, Distribution
from orelib.sizing.measured import LEAST_PX
from orelib.sizing.sized import AS_IT_IS, LOOKED_AT, RESTORED
from orelib.utils.names import printable
from orelib.views.compare import page
from orelib.views.outlines import LEGEND
from orelib.views.pages import PAGE_STYLE, as_figure, as_table, as_text
from orelib.views.pictures import listed, picture_of
from orelib.views.size_figures import TITLES, in_mm, passing_curves_figure

_STYLE = (
    PAGE_STYLE
    + """
.sides figcaption { font-size: 13px; opacity: 0.85; }
table.dataframe td:last-child { min-width: 14em; }
.answer { font-size: 18px; }
.failed { color: #d55e00; }
@page { margin: 14mm; }
@media print {
  :root { color-scheme: light; }
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt; }
  table.dataframe { display: table; overflow: visible; font-size: 8.5pt; }
  tr, .figure, .sides { break-inside: avoid; }
  h2, h3 { break-after: avoid; margin-top: 20px; }
  .sides img { max-height: 85mm; }
}
"""
)

_BESIDE = "display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:12px;margin:12px 0 20px"

NOT_TO_CONCLUDE = (
    "The curve is of the particles that are seen on the surface. Heaps and belts sort their particles, and what lies "
    "below is not seen.",
    f"Particles less than {LEAST_PX} px across, or less than a {LOOKED_AT}th of a photograph's side, are not counted, "
    "nor those below the smallest size that was chosen. Where there are many of them, all percentiles are too large.",
    "The 95 % intervals say what other particles, other photographs and the accuracy of the scale would change. They "
    "do not say how wrong the outlines are: look at them. Two particles under one outline make sizes too large, one "
    "particle in two parts makes them too small.",
    "A size is the shorter axis of what is seen of a particle, which is near its sieve size if the particle lies flat "
    "and nothing covers it. Compare with a sieve once before you rely on the figures; differences between photographs "
    "that were taken alike are surer than the sizes themselves.",
    "The scale is taken to hold for the whole surface, or to change evenly over it, as on a plane.",
)
OF_RESTORED = (
    "Where glare hid the rock, the restored photograph is a guess. Compare its outlines with those of the photograph."
)


@dataclass(frozen=True)
class Entry:
    """One side of a photograph: how its scale was found, what is odd about it, and a WebP file with its outlines."""

    file: str
    side: str
    distribution: Distribution
    scale: str = ""
    remark: str = ""
    picture: bytes | None = None

    @property
    def remarks(self) -> str:
        """Returns what is odd about the photograph, and why percentiles cannot be given."""
        return REMARKS.join(filter(None, (self.distribution.remark, self.remark)))


def size_page(
    title: str,
    entries: Sequence[Entry],
    together: Mapping[str, Distribution],
    single: Mapping[str, Sequence[Distribution]],
    failed: Mapping[str, str],
    note: str = "",
) -> str:
    """Returns the page.

    Parameters
    ----------
    title : what was photographed, for instance the folder's name.
    entries : sides of photographs, those of one photograph behind each other.
    together : the distribution of all photographs, by side.
    single : those of each photograph, by side, for thin lines.
    failed : why a photograph was not sized, by its name.
    note : how the photographs were restored, if they were.
    """
    parts = [
        f"<h1>Particle sizes: {html.escape(printable(title))}</h1>",
        *(_answer(side, found, len(together) > 1) for side, found in together.items()),
        as_text(_counts(entries, together, failed)),
        "<h2>Size distribution by mass</h2>",
        as_figure(
            passing_curves_figure(together, single),
            "Lines: all photographs together, with their 95 % bands; thin lines: each photograph; dots: P20, P50 and "
            "P80, where they can be given",
        ),
        "<h2>Each photograph</h2>",
        as_text(
            "Sizes in mm, by mass [95 % interval]. P80: 80 % of the mass lies in particles smaller than this. Counted: "
            "whole particles; cut: by the border."
        ),
        as_table(sizes_table(entries, together)),
        _oddities(entries),
        _failures(failed),
        "<h2>Scale</h2>",
        as_table(_scales(entries)),
        "<h2>Outlines</h2>",
        as_text(f"Look at these before you believe the figures. {LEGEND[0].upper()}{LEGEND[1:]}."),
        *outline_pictures(entries),
        _without_picture(entries),
        "<h2>What not to conclude</h2>",
        "<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in _limits(together)) + "</ul>",
        "<h2>How it was computed</h2>",
        as_text(_method()),
        as_text(note),
    ]
    return page("\n".join(parts), f"Particle sizes: {printable(title)}", _STYLE)


def sizes_table(entries: Sequence[Entry], together: Mapping[str, Distribution]) -> pd.DataFrame:
    """Returns the table of sizes for readers: a row for each side of each photograph, and for all together.

    Columns that would be the same in all rows, or empty, are left out.
    """
    rows = list(entries)
    if len(rows) > len(together):
        rows += [Entry("all together", side, found) for side, found in together.items()]
    table = pd.DataFrame(
        [
            {"photograph": printable(each.file), "": TITLES[each.side].replace(" ", "\u00a0")} | _cells(each)
            for each in rows
        ]
    )
    return table.drop(columns=[""] if len(together) == 1 else []).loc[:, lambda table: table.ne("").any()]


def _cells(entry: Entry) -> dict[str, str]:
    found = entry.distribution
    return {
        "counted": f"{found.count:,}",
        "cut": f"{found.cut:,}",
        **{name.upper(): in_mm(percentile).replace(" ", "\u00a0") for name, percentile in found.percentiles.items()},
        "remark": found.remark,
    }


def _answer(side: str, found: Distribution, one_of_several: bool) -> str:
    """The result in one sentence."""
    named = f"{TITLES[side][0].upper()}{TITLES[side][1:]}: " if one_of_several else ""
    given = {name: in_mm(each) for name, each in found.percentiles.items() if name != "p20" and not each.why_not}
    if not given:
        return f'<p class="answer">{named}No size can be given. {html.escape(_sentence(found.remark))}.</p>'
    said = ", ".join(f"<strong>{name.upper()} {size} mm</strong>" for name, size in given.items())
    missing = f" {html.escape(_sentence(found.remark))}." if len(given) < len(SHARES) - 1 else ""
    return f'<p class="answer">{named}{said}.{missing}</p>'


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _counts(entries: Sequence[Entry], together: Mapping[str, Distribution], failed: Mapping[str, str]) -> str:
    photographs = len({each.file for each in entries})
    found = together[AS_IT_IS]
    failures = f" {len(failed)} more could not be sized; see below." if failed else ""
    return (
        f"{photographs} photograph{'s' * (photographs != 1)}, {found.count:,} whole particles counted, {found.cut:,} "
        f"cut by the border. In brackets: 95 % intervals.{failures}"
    )


def _oddities(entries: Sequence[Entry]) -> str:
    """What the restorer finds odd about photographs, each remark once."""
    files: dict[str, list[str]] = {}
    for each in entries:
        for remark in each.remark.split(REMARKS) if each.remark else []:
            files.setdefault(remark, []).append(printable(each.file))
    rows = "".join(f"<li>{html.escape(f'{listed(names)}: {remark}')}</li>" for remark, names in files.items())
    return f"<h3>Remarks of the restorer</h3><ul>{rows}</ul>" if rows else ""


def _failures(failed: Mapping[str, str]) -> str:
    if not failed:
        return ""
    rows = "".join(f"<li>{html.escape(printable(f'{name}: {why}'))}</li>" for name, why in failed.items())
    return f'<h3>Not sized</h3><ul class="failed">{rows}</ul>'


def _scales(entries: Sequence[Entry]) -> pd.DataFrame:
    """A row for each way in which a scale was found; photographs that share one are counted."""
    files: dict[str, list[Entry]] = {}
    for each in entries:
        if each.side != RESTORED:
            files.setdefault(each.scale, []).append(each)
    rows = []
    for scale, those in files.items():
        names = sorted({printable(each.file) for each in those})
        smallest = max((each.distribution.smallest_mm for each in those if each.distribution.count), default=None)
        rows.append(
            {
                "photograph": names[0] if len(names) == 1 else f"{len(names)} photographs",
                "scale": scale,
                "counted from, mm": "-" if smallest is None else f"{smallest:.3g}",
            }
        )
    return pd.DataFrame(rows)


def outline_pictures(entries: Sequence[Entry]) -> list[str]:
    """Returns the photographs with their outlines as HTML: the sides of one beside each other, or three photographs."""
    several = len({each.side for each in entries}) > 1
    figures: dict[str, list[str]] = {}
    for each in entries:
        if each.picture is None:
            continue
        name = f"{printable(each.file)}, {TITLES[each.side]}" if several else printable(each.file)
        found = each.distribution
        sizes = {share: in_mm(each) for share, each in found.percentiles.items() if not each.why_not}
        said = ", ".join(f"{share.upper()} {size} mm" for share, size in sizes.items()) or "no size can be given"
        counted = f"{found.count:,} particles counted"
        alt = f"{name}, with the outlines of its particles: {counted}, {found.cut:,} cut by the border."
        figure = picture_of(each.picture, alt, f"{name}: {counted}; {said}")
        figures.setdefault(each.file, []).append(figure)
    rows = list(figures.values())
    if not several:
        rows = [[figure for row in rows[k : k + 3] for figure in row] for k in range(0, len(rows), 3)]
    return [f'<div class="sides" style="{_BESIDE}">{"".join(row)}</div>' for row in rows]


def _without_picture(entries: Sequence[Entry]) -> str:
    count = sum(each.picture is None for each in entries)
    return as_text(f"{count} more pictures are in the folder outlines, beside this page.") if count else ""


def beside_truth(together: Mapping[str, Distribution], truth: Distribution | None) -> pd.DataFrame:
    """Returns what was found beside the true sizes, a row per side; empty without a truth.

    ``counted`` is the number of particles, and the errors are in per cent of the true size.
    """
    if truth is None:
        return pd.DataFrame(columns=["", "counted"])
    rows = [{"": "the truth", "counted": truth.count} | {f"{name.upper()} error, %": 0 for name in SHARES}]
    for side, found in together.items():
        row = {"": TITLES[side], "counted": found.count}
        for name, percentile in found.percentiles.items():
            error = 100 * (percentile.size_mm / truth.percentiles[name].size_mm - 1)
            row[f"{name.upper()} error, %"] = "-" if np.isnan(error) or percentile.why_not else f"{error:+.0f}"
        rows.append(row)
    return pd.DataFrame(rows).set_index("")


def _limits(together: Mapping[str, Distribution]) -> list[str]:
    return [*NOT_TO_CONCLUDE, *([OF_RESTORED] if RESTORED in together else [])]


def _method() -> str:
    return (
        f"orelib {orelib.__version__}. A small network that has learnt from rendered dry scenes finds the particles. A "
        "particle's size is the minor axis of the ellipse of equal second moments; its mass is taken as proportional "
        "to area times size. Particles that the border cuts are not counted. As it cuts large ones more often, each "
        "whole one counts the more often, the less place there was for it to be whole (Miles and Lantuéjoul). "
        "Intervals: bootstrap over photographs and, in each, over particles. No percentile is given for less than "
        f"{LEAST_COUNT} particles, near the smallest size that counts, with few larger particles, where few particles "
        "hold most of the mass, or where the border cuts more than half of the area."
    )
