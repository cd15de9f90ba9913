"""The figures of the published experiment: scores of methods, effects of changes, and particle sizes."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orelib.baselines import SHIPPED
from orelib.config import entry_of
from orelib.metrics import LIMITS
from orelib.study.bootstrap import Estimate, estimate
from orelib.study.effects import METRICS, scores, sized_ways, sizing_errors
from orelib.study.sizes import SIZED, masses_by_class
from orelib.views.pictures import listed

GREY = "#777777"


def answer_figure(results: Path) -> Figure:
    """All methods over seeds and scenes, with their 95 % intervals: PSNR, SSIM, particles found, and error of P80."""
    figure, axes = plt.subplots(1, 4, figsize=(11.5, 3.1), layout="constrained", sharey=True)
    plt.close(figure)
    names = [name for name in SIZED if name in sized_ways(results)][::-1]
    titles = {
        "psnr": METRICS["psnr"],
        "ssim": METRICS["ssim"],
        "matched": "particles found",
        "p80": "P80 error, mm (less is better)",
    }
    means = {metric: {} for metric in titles}
    for axis, (metric, title) in zip(axes, titles.items(), strict=True):
        for place, name in enumerate(names):
            if metric == "p80":
                found = estimate(sizing_errors(results, name)["p80"], limits=(0, np.inf))
            elif metric == "matched":
                found = estimate(scores(results, name, "matched", "sizing.csv"), limits=(0, 1))
            elif name == "dry" or name in SHIPPED:
                continue  # equal to itself; of another training
            else:
                found = estimate(scores(results, name, metric), limits=LIMITS[metric])
            _interval(axis, place, found, entry_of(name).colour)
            means[metric][name] = found.mean
        axis.set_title(title, fontsize=10)
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(names)), [SIZED[name] for name in names])
    decibels = listed(f"{SIZED[name]} {mean:.2f}" for name, mean in reversed(means["psnr"].items()))
    particles = listed(f"{SIZED[name]} {100 * mean:.0f} %" for name, mean in reversed(means["matched"].items()))
    figure.set_label(
        f"PSNR, SSIM, particles found and error of P80 of all methods, with 95 % intervals. PSNR in dB: {decibels}. "
        f"Particles found: {particles}."
    )
    return figure


def effects_figure(effects: pd.DataFrame) -> Figure:
    """Effects of the ablation (:mod:`~orelib.study.effects`): a panel per metric, a line per effect, 95 % intervals."""
    metrics = list(dict.fromkeys(effects["metric"]))
    names = list(dict.fromkeys(effects["effect"]))[::-1]
    figure, axes = plt.subplots(
        1, len(metrics), figsize=(4.4 * len(metrics) + 1, 0.36 * len(names) + 1), layout="constrained", sharey=True,
        squeeze=False,
    )  # fmt: skip
    plt.close(figure)
    for axis, metric in zip(axes[0], metrics, strict=True):
        rows = effects[effects["metric"] == metric].set_index("effect")
        for place, name in enumerate(names):
            row = rows.loc[name]
            clear = row["low"] > 0 or row["high"] < 0
            _interval(axis, place, row, entry_of("improved").colour if clear else GREY)
        axis.axvline(0, color="black", lw=0.8)
        axis.set_title(f"change of {METRICS[metric]}", fontsize=10)
        axis.grid(axis="x", alpha=0.3)
    axes[0, 0].set_yticks(range(len(names)), names)
    first = effects[effects["metric"] == metrics[0]]
    clear = first[(first["low"] > 0) | (first["high"] < 0)]
    said = listed((f"{row.effect} {row.mean:+.2f}" for row in clear.itertuples()), most=20)
    titles = [METRICS[metric].replace(", ", " in ") for metric in metrics]
    figure.set_label(
        f"Effects of each part and setting, with 95 % intervals, on {listed(titles)}. Clear of 0 in {titles[0]}: "
        f"{said or 'none'}."
    )
    return figure


def _interval(axis: Axes, place: int, found: Estimate | pd.Series, colour: str) -> None:
    low, mean, high = (
        found[name] if isinstance(found, pd.Series) else getattr(found, name) for name in ("low", "mean", "high")
    )
    axis.plot([low, high], [place, place], color=colour, lw=2, solid_capstyle="round")
    axis.plot(mean, place, "o", color=colour, ms=5)


def passing_figure(results: Path) -> Figure:
    """Size distributions by mass: the true ones (black), and the found ones in wet, restored and dry images.

    Bands are 95 % intervals over other scenes and other trainings.
    """
    names = [name for name in sized_ways(results) if name not in ("linear_colour", "biharmonic")]
    columns = -(-len(names) // 2)
    figure, axes = plt.subplots(
        2, columns, figsize=(2.6 * columns, 5.2), layout="constrained", sharex=True, sharey=True, squeeze=False
    )
    plt.close(figure)
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    truth = _passing(masses_by_class(results, "truth"))
    for axis, name in zip(axes.flat, names, strict=False):
        low, middle, high = _passing(masses_by_class(results, name))
        colour = entry_of(name).colour
        axis.fill_between(middle.index, low, high, color=colour, alpha=0.25, lw=0)
        axis.plot(middle, color=colour, lw=1.8)
        axis.plot(truth[1], color="black", lw=1.2)
        axis.set(title=SIZED[name], xlim=(4, 30), ylim=(0, 1))
    figure.supxlabel("size, mm", fontsize=10)
    figure.supylabel("share of mass that is smaller", fontsize=10)
    figure.set_label(
        "The share of mass that is smaller than a size: the true curve in black, the one found in colour, a panel each "
        f"for {listed(SIZED[name] for name in names)} images."
    )
    return figure


def _passing(tables: list[pd.DataFrame], draws: int = 400) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Low, mean and high share of the mass below each class's upper edge, over resampled seeds and scenes."""
    classes = np.arange(0.5, 40, 1)
    arrays = [table.reindex(columns=classes, fill_value=0).to_numpy() for table in tables]
    rng = np.random.default_rng(0)

    def share(masses: np.ndarray) -> np.ndarray:
        return masses.cumsum() / masses.sum()

    drawn = []
    for _ in range(draws):
        array = arrays[rng.integers(len(arrays))]
        drawn.append(share(array[rng.integers(0, len(array), len(array))].sum(axis=0)))
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    middle = share(sum(array.sum(axis=0) for array in arrays))
    return tuple(pd.Series(values, index=classes + 0.5) for values in (low, middle, high))


def segmentation_figure(panels: list[tuple[str, np.ndarray, np.ndarray]]) -> Figure:
    """Photographs with the outlines of particles: (title, uint8 image, particle numbers)."""
    from skimage.segmentation import mark_boundaries

    rows = -(-len(panels) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(8.4, 4.4 * rows), layout="constrained", squeeze=False)
    plt.close(figure)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, (title, image, labels) in zip(axes.flat, panels, strict=False):
        axis.imshow(mark_boundaries(image, labels, color=(1, 0.9, 0), mode="inner"))
        axis.set_title(title, fontsize=11)
        axis.set(xticks=[], yticks=[])
    said = listed(f"{title} ({len(np.unique(labels[labels > 0]))})" for title, _, labels in panels)
    figure.set_label(f"Photographs with yellow outlines around their particles, and how many: {said}.")
    return figure
