"""The figure of particle sizes: which share of the mass passes a sieve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter, StrMethodFormatter

from orelib.sizing.distribution import SHARES, Distribution, Percentile
from orelib.sizing.sized import AS_IT_IS, DRY, RESTORED
from orelib.views.pictures import listed

COLOURS = {AS_IT_IS: "#0072B2", RESTORED: "#D55E00", DRY: "#444444"}
TITLES = {AS_IT_IS: "as photographed", RESTORED: "restored", DRY: "dry"}


def in_mm(percentile: Percentile) -> str:
    """A percentile with its 95 % interval as text, "17.4 [15.9, 18.8]"; a dash where it cannot be given."""
    if percentile.why_not:
        return "-"
    digits = 0 if percentile.size_mm >= 100 else 1 if percentile.size_mm >= 10 else 2
    size, low, high = (f"{value:.{digits}f}" for value in (percentile.size_mm, percentile.low, percentile.high))
    return f"{size} [{low}, {high}]"


def passing_curves_figure(
    together: Mapping[str, Distribution],
    single: Mapping[str, Sequence[Distribution]] | None = None,
    truth: Distribution | None = None,
) -> Figure:
    """The share of the mass that is smaller than a size, a curve for each side, with its 95 % band.

    ``together`` are the distributions of all photographs by side; ``single`` those of each one, thin lines. Dots with
    bars are the percentiles that can be given, with their intervals. Sizes in the grey part were not counted. ``truth``
    is drawn in black.
    """
    figure, axis = plt.subplots(figsize=(8, 4.2), layout="constrained")
    plt.close(figure)
    axis.set_xscale("log")
    drawn = {side: found for side, found in together.items() if found.count}
    for side, found in drawn.items():
        colour = COLOURS[side]
        for each in (single or {}).get(side, ()):
            axis.plot(each.curve["size_mm"], each.curve["passing"], color=colour, alpha=0.25, lw=0.8)
        axis.fill_between(*(found.curve[name] for name in ("size_mm", "low", "high")), color=colour, alpha=0.2, lw=0)
        label = f"{TITLES[side]}: {found.count:,} particles"
        axis.plot(found.curve["size_mm"], found.curve["passing"], color=colour, lw=2, label=label)
        for name, percentile in found.percentiles.items():
            if not percentile.why_not:
                axis.plot([percentile.low, percentile.high], [SHARES[name]] * 2, color=colour, lw=1.2)
                axis.plot(percentile.size_mm, SHARES[name], "o", color=colour, ms=5)
    if truth is not None:
        axis.plot(truth.curve["size_mm"], truth.curve["passing"], color="black", lw=1.2, label="true sizes")
    if drawn:
        smallest = max(found.smallest_mm for found in drawn.values())
        left, right = axis.get_xlim()
        left = min(left, 0.8 * smallest)
        axis.axvspan(left, smallest, color="#999999", alpha=0.2, lw=0, label="not counted")
        axis.set_xlim(left, right)
        axis.legend(frameon=False, fontsize=9, loc="upper left")
    _sieves(figure)
    figure.set_label(_said(drawn))
    return figure


def _sieves(figure: Figure) -> None:
    """Labels the axes: plain numbers of mm, and per cent."""
    (axis,) = figure.axes
    axis.set(xlabel="particle size, mm", ylabel="share of the mass that is smaller", ylim=(0, 1))
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.set_yticks(np.linspace(0, 1, 6))
    axis.grid(alpha=0.3)


def _said(drawn: Mapping[str, Distribution]) -> str:
    """The figure in words."""
    if not drawn:
        return "An empty figure of the share of the mass that is smaller than a size: no particle was counted."
    said = []
    for side, found in drawn.items():
        known = [f"{name.upper()} {in_mm(each)} mm" for name, each in found.percentiles.items() if not each.why_not]
        said.append(f"{TITLES[side]}, {listed(known) or 'no percentile can be given'}")
    return f"The share of the mass that is smaller than a size, with 95 % bands: {'; '.join(said)}."
