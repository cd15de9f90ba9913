"""Where the weights of a network are, and where its work is: at which size of its feature maps.

A weight of a convolution is used once at every pixel, so that the same weight costs 65,536 times as much on a map of
512 x 512 px as on one of 2 x 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import nn

from orelib.views.networks.anatomy import shapes


def costs(network: nn.Module, size: int = 512) -> pd.DataFrame:
    """Returns weights and multiply-adds by the size of the feature maps, for an image of ``size`` px a side.

    A row per ``side`` in px, the largest first, with ``parameters`` and ``multiply_adds``. A convolution uses each of
    its weights once at every pixel of its output (a transposed one: of its input), and this is the side at which it
    counts. Sides that the border makes a little smaller than a power of two count as that. The sums are those of
    :func:`~orelib.networks.count_parameters` and :func:`~orelib.networks.count_multiply_adds`.
    """
    seen, rows = shapes(network, size), []
    for name, module in network.named_modules():
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        if not own:
            continue
        taken, given = seen[name]
        _, height, width = taken if isinstance(module, nn.ConvTranspose2d) else given
        work = module.weight.numel() * height * width if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) else 0
        rows.append((size >> round(math.log2(size / height)), own, work))
    table = pd.DataFrame(rows, columns=["side", "parameters", "multiply_adds"])
    return table.groupby("side").sum().sort_index(ascending=False)


def costs_table(tables: Mapping[str, pd.DataFrame], small: int = 16, large: int = 32) -> pd.DataFrame:
    """Returns a row per network: weights and multiply-adds, and how much of them is at small and at large maps.

    ``tables`` are those of :func:`costs`, by title. ``small`` and ``large`` are sides in px: maps of up to, and of at
    least, so many.
    """
    rows = {}
    for title, table in tables.items():
        weights, work = table["parameters"], table["multiply_adds"]
        rows[title] = {
            "weights, million": round(weights.sum() / 1e6, 2),
            f"weights at {small} px or less": f"{weights[weights.index <= small].sum() / weights.sum():.0%}",
            "multiply-adds, billion": round(work.sum() / 1e9, 1),
            f"work at {large} px or more": f"{work[work.index >= large].sum() / work.sum():.0%}",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def costs_figure(tables: Mapping[str, pd.DataFrame], size: int = 512) -> Figure:
    """Shares of weights and of multiply-adds by the size of the feature maps, a bar per network, with the sums.

    ``tables`` are those of :func:`costs`, by title, for an image of ``size`` px a side.
    """
    sides = sorted({side for table in tables.values() for side in table.index}, reverse=True)
    colours = dict(zip(sides, plt.get_cmap("viridis")(np.linspace(0.97, 0.05, len(sides))), strict=True))
    figure, axes = plt.subplots(1, 2, figsize=(10.4, 0.45 * len(tables) + 1.5), sharey=True, layout="constrained")
    plt.close(figure)
    for axis, column, title, unit in (
        (axes[0], "parameters", "weights", (1e6, "million")),
        (axes[1], "multiply_adds", f"multiply-adds for {size} x {size} px", (1e9, "billion")),
    ):
        for row, table in enumerate(tables.values()):
            shares, left = table[column] / table[column].sum(), 0.0
            for side, share in shares.items():
                axis.barh(row, share, left=left, color=colours[side], height=0.68, ec="white", lw=0.4)
                left += share
            total = f"{_three_digits(table[column].sum() / unit[0])} {unit[1]}"
            axis.text(1.02, row, total, va="center", fontsize=9)
        axis.set(title=title, xlim=(0, 1.3), xticks=[0, 0.25, 0.5, 0.75, 1])
        axis.set_xticklabels([f"{share:.0%}" for share in (0, 0.25, 0.5, 0.75, 1)], fontsize=8)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.spines["bottom"].set_bounds(0, 1)
        axis.tick_params(left=False)
    axes[0].set_yticks(range(len(tables)), list(tables))
    axes[0].invert_yaxis()
    handles = [plt.Rectangle((0, 0), 1, 1, color=colours[side]) for side in sides]
    figure.legend(
        handles, [f"{side} px" for side in sides], loc="outside lower center", ncols=len(sides), frameon=False,
        fontsize=8, title="side of the feature map", title_fontsize=8, handlelength=1.2, columnspacing=1.2,
    )  # fmt: skip
    figure.set_label(_costs_alt(tables))
    return figure


def _three_digits(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def _costs_alt(tables: Mapping[str, pd.DataFrame]) -> str:
    sums = ", ".join(
        f"{title} {_three_digits(table['parameters'].sum() / 1e6)} million weights and "
        f"{_three_digits(table['multiply_adds'].sum() / 1e9)} billion multiply-adds"
        for title, table in tables.items()
    )
    return f"Two groups of bars, divided by the side of the feature maps: shares of weights and of work. Sums: {sums}."
