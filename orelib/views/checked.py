"""The figure of a checked folder of pairs."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from orelib.data.check import HALF_A_STOP, Check
from orelib.utils.paths import shown

SPLIT_COLOURS = {"train": "#0072B2", "val": "#E69F00", "test": "#009E73"}


def check_figure(check: Check) -> Figure:
    """A checked folder: the shift and the brightness of each wet photograph, relative to its dry one.

    Pairs stand in order of their names within their split; a ring marks a pair with a problem.
    """
    figure, (shifts, exposures) = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained", width_ratios=(4, 5))
    plt.close(figure)
    pairs = check.pairs
    limit, turn, usual = check.largest_shift, np.linspace(0, 2 * np.pi, 181), pairs["exposure"].median()
    legend = {
        f"largest shift, {limit:g} px": shifts.plot(limit * np.cos(turn), limit * np.sin(turn), "--", color="#777777")[
            0
        ],
        "half a stop around the median": exposures.axhspan(
            usual / HALF_A_STOP, usual * HALF_A_STOP, color="#777777", alpha=0.15, linewidth=0
        ),
        "wet as bright as dry": exposures.axhline(1, color="#777777", linewidth=1),
    }
    splits = list(pairs["split"].unique())
    for place, split in enumerate(splits):
        of_split = pairs[pairs["split"] == split]
        order = place - 0.4 + 0.8 * (np.arange(len(of_split)) + 0.5) / len(of_split)
        bad = of_split["problem"].ne("").to_numpy()
        for axis, x, y in (
            (shifts, of_split["shift_right"].to_numpy(), of_split["shift_down"].to_numpy()),
            (exposures, order, of_split["exposure"].to_numpy()),
        ):
            dots = axis.scatter(x, y, s=16, color=SPLIT_COLOURS[split], alpha=0.7, linewidths=0)
            rings = axis.scatter(x[bad], y[bad], s=70, facecolors="none", edgecolors="#D55E00", linewidths=1.2)
        legend[f"{split} ({len(of_split)})"] = dots
    if pairs["problem"].ne("").any():
        legend["with a problem"] = rings
    reach = 1.15 * max(limit, *pairs["shift_down"].abs().dropna(), *pairs["shift_right"].abs().dropna(), 0)
    shifts.set(
        title=f"shift of wet against dry\n({pairs['shift'].count()} of {len(pairs)} measurable)", aspect="equal",
        xlabel="to the right, px", ylabel="down, px", xlim=(-reach, reach), ylim=(reach, -reach),
    )  # fmt: skip
    exposures.set(title="brightness of wet against dry", ylabel="mean grey of wet / mean grey of dry")
    exposures.set_xticks(range(len(splits)), splits)
    for axis in (shifts, exposures):
        axis.grid(alpha=0.3)
    text = f"{shown(check.folder)}: {len(pairs)} pairs, {len(check.problems)} problems"
    figure.suptitle(text, fontsize=11, parse_math=False)  # a name may hold dollars
    figure.legend(legend.values(), legend.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.set_label(_said(check))
    return figure


def _said(check: Check) -> str:
    """The figure in words."""
    shift, exposure = check.pairs["shift"].dropna(), check.pairs["exposure"].dropna()
    largest = f"the largest shift is {shift.max():.1f} px" if len(shift) else "no shift could be measured"
    median = f"; wet images have {100 * exposure.median():.0f} % of the dry ones' brightness" if len(exposure) else ""
    problems = int(check.pairs["problem"].ne("").sum())
    return (
        f"Two panels over {len(check.pairs)} pairs of photographs, shift and brightness of wet against dry: "
        f"{largest}{median}. Pairs with a problem, ringed: {problems}."
    )
