"""Every figure of the kit. Each function returns a matplotlib Figure, closed for pyplot, so that it shows once.

Figure numbers are the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from orelib.config import entry_of
from orelib.data.scenes import Scene, SizeDistribution
from orelib.data.scenes.fields import normals
from orelib.study.table3 import title_of
from orelib.utils.files import appearing
from orelib.utils.names import printable
from orelib.views.pictures import listed

LONGEST = 8  # a figure shows a photograph up to so many times its shorter side; more would be too small to see
LARGEST_SIDE = 4096  # px; matplotlib copies what it draws several times
INSET = 0.22  # side of the enlarged window of Fig. 8, as a share of the image's shorter side


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG in one piece."""
    with appearing(path) as temporary:
        figure.savefig(temporary, dpi=110, bbox_inches="tight")


def _images(rows: int, columns: int, height: float = 2.3, width: float = 2.3) -> tuple[Figure, np.ndarray]:
    figure, axes = plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    plt.close(figure)
    return figure, axes


def _show(axis: Axes, image: np.ndarray, centre: tuple[int, int] | None = None) -> None:
    """Draws a photograph in its own pixel coordinates; cuts or reduces a very long or large one, with a note below.

    The cut is around ``centre`` (row, column), by default the middle.
    """
    shape = image.shape[:2]
    sides = [min(side, LONGEST * min(shape)) for side in shape]
    middle = centre or (shape[0] // 2, shape[1] // 2)
    top, left = (int(np.clip(m - s // 2, 0, whole - s)) for m, s, whole in zip(middle, sides, shape, strict=True))
    part = image[top : top + sides[0], left : left + sides[1]]
    factor = -(-max(sides) // LARGEST_SIDE)
    if factor > 1:
        part = np.asarray(Image.fromarray(part).reduce(factor))
    axis.imshow(part, extent=(left - 0.5, left + sides[1] - 0.5, top + sides[0] - 0.5, top - 0.5))
    if sides != list(shape) or factor > 1:
        how = "reduced from" if sides == list(shape) else "part of"
        axis.set_xlabel(f"{how} {shape[1]} x {shape[0]} px", fontsize=8)


def _title(axis: Axes, name: str, **settings) -> None:
    """Sets a title, which may be a photograph's name with any characters: dollars do not start a formula."""
    axis.set_title(printable(name), parse_math=False, **settings)


def pairs_figure(pairs: Sequence[tuple[str, np.ndarray, np.ndarray]], rows: tuple[str, str] = ("wet", "dry")) -> Figure:
    """Fig. 5: dry above wet, a column per pair; ``pairs`` are (title, lower, upper image), ``rows`` names them."""
    figure, axes = _images(2, len(pairs))
    for column, (title, lower, upper) in enumerate(pairs):
        _show(axes[0, column], upper)
        _show(axes[1, column], lower)
        _title(axes[0, column], title, fontsize=9)
    for axis, name in zip(axes[::-1, 0], rows, strict=True):
        axis.set_ylabel(name)
    names = [printable(title) for title, _, _ in pairs if title]
    figure.set_label(f"Pairs of images, {rows[1]} above {rows[0]}{': ' * bool(names)}{listed(names)}.")
    return figure


def layers_figure(scene: Scene, px_per_mm: float) -> Figure:
    """The layers of a rendered scene, and its ground truth: height, normals, albedo; film, glare, particles."""
    figure, axes = _images(2, 3, height=3.1, width=3)
    down, right, up = normals(scene.height, px_per_mm)
    colours = np.random.default_rng(0).integers(60, 256, (int(scene.labels.max()) + 1, 3)).astype(np.uint8)
    colours[0] = 0
    layers = {
        "height (dark: low)": scene.height,
        "normals": 0.5 + 0.5 * np.stack([right, down, up], axis=2),
        "albedo of the dry surface": np.clip(scene.albedo, 0, 1) ** (1 / 2.2),
        "water film and standing water": np.stack([0 * scene.film, 0.5 * scene.film, scene.depth > 0.05], axis=2),
        "glare": np.where(scene.glare[..., None], 255, scene.wet // 4),
        "particles": colours[scene.labels],
    }
    for axis, (title, image) in zip(axes.flat, layers.items(), strict=True):
        axis.imshow(image, cmap="gray")
        axis.set_title(title, fontsize=9)
    figure.set_label(
        f"Six layers of a rendered scene: {listed(layers)}. Glare covers {100 * scene.glare.mean():.0f} % of it; "
        f"{len(np.unique(scene.labels[scene.labels > 0]))} particles are seen, each in a colour of its own."
    )
    return figure


def sizes_figure(asked: SizeDistribution, seen_mm: np.ndarray) -> Figure:
    """Share of particles smaller than a size: the distribution asked for, and the sizes ``seen_mm`` in images."""
    figure, axis = plt.subplots(figsize=(6, 2.8), layout="constrained")
    plt.close(figure)
    size = np.linspace(asked.smallest_mm, asked.largest_mm, 200)
    axis.plot(size, asked.smaller(size), color="#999999", lw=2, label="asked for")
    axis.ecdf(seen_mm, color="#D55E00", lw=1.6, label=f"seen whole ({len(seen_mm):,} particles)")
    axis.set(xlabel="particle size, mm", ylabel="share of particles smaller", xlim=(size[0], size[-1]), ylim=(0, 1))
    axis.legend(frameon=False)
    figure.set_label(
        f"The share of particles smaller than a size, as a curve that was asked for and as seen in images: half of the "
        f"{len(seen_mm):,} particles seen are smaller than {np.median(seen_mm):.1f} mm."
    )
    return figure


def brightness_figure(wet: np.ndarray, dry: np.ndarray) -> Figure:
    """Histograms of pixel values, given as counts (256,): water darkens the rock and its glare clips to white."""
    figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
    plt.close(figure)
    for name, counts, colour in (("dry", dry, "#999999"), ("wet", wet, "#0072B2")):
        axis.stairs(
            counts.reshape(64, 4).sum(axis=1) / counts.sum(), np.arange(0, 257, 4), color=colour, label=name, lw=1.6
        )
    axis.set(xlabel="pixel value", ylabel="share of pixels", yscale="log", xlim=(0, 256))
    axis.legend(frameon=False)
    means = [np.average(np.arange(256), weights=counts) for counts in (wet, dry)]
    white = [100 * counts[255] / counts.sum() for counts in (wet, dry)]
    figure.set_label(
        f"Histograms of pixel values. Wet images have a mean of {means[0]:.0f} and {white[0]:.2f} % white pixels, dry "
        f"ones a mean of {means[1]:.0f} and {white[1]:.2f} %."
    )
    return figure


def mosaic_figure(samples: Sequence[tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Mosaic samples, dry above wet, a column per sample: the same four windows in both."""
    figure, axes = _images(2, len(samples))
    for column, (wet, dry) in enumerate(samples):
        axes[0, column].imshow(dry)
        axes[1, column].imshow(wet)
    axes[0, 0].set_ylabel("dry")
    axes[1, 0].set_ylabel("wet")
    figure.set_label(
        f"Mosaic samples, {len(samples)} in all, dry above wet: windows of four photographs meet at a random centre, "
        "the same in both rows."
    )
    return figure


def _curve(axis: Axes, steps: pd.Series, values: pd.Series, colour: str, label: str | None = None) -> None:
    """Draws raw values faintly, and their running mean over a fiftieth of the run."""
    axis.plot(steps, values, color=colour, alpha=0.22, linewidth=0.6)
    smooth = values.rolling(max(1, len(values) // 50), center=True, min_periods=1).mean()
    axis.plot(steps, smooth, color=colour, linewidth=1.6, label=label)


def _ends(values: pd.Series) -> str:
    """The mean of the first fiftieth of a curve and that of the last one, in words."""
    part = max(1, len(values) // 50)
    return f"from {values.iloc[:part].mean():.3g} to {values.iloc[-part:].mean():.3g}"


def loss_curves_figure(histories: Mapping[str, pd.DataFrame], term: str, title: str) -> Figure:
    """Fig. 6 (``term="generator"``) or Fig. 7 (``"discriminator"``): one panel per method, raw and smoothed.

    Each method has its own scale, because the losses are sums of different terms; a method without the term has no
    panel. Raises ValueError when no method has the term.
    """
    histories = {method: history for method, history in histories.items() if term in history}
    if not histories:
        raise ValueError(f"no method has a loss term {term!r}")
    columns = min(3, len(histories))
    rows = -(-len(histories) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.3 * columns, 2.6 * rows), squeeze=False, layout="constrained")
    plt.close(figure)
    for axis in axes.flat[len(histories) :]:
        axis.set_axis_off()
    for axis, (method, history) in zip(axes.flat, histories.items(), strict=False):
        _curve(axis, history["step"], history[term], entry_of(method).colour)
        axis.set_title(entry_of(method).short, fontsize=10)
        axis.set_xlabel("step")
        axis.set_ylim(0, float(history[term].quantile(0.995)) * 1.15)
    for axis in axes[:, 0]:
        axis.set_ylabel(title)
    said = (f"{entry_of(method).short} {_ends(history[term])}" for method, history in histories.items())
    figure.set_label(f"{title} over the steps, a panel for each method: {listed(said)}.")
    return figure


def loss_terms_figure(history: pd.DataFrame, method: str) -> Figure:
    """All recorded terms of one method, unweighted except ``generator``, their weighted sum."""
    terms = [name for name in history.columns if name not in ("step", "epoch")]
    columns = 4
    rows = -(-len(terms) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.7 * columns, 1.9 * rows), squeeze=False, layout="constrained")
    plt.close(figure)
    for axis, name in zip(axes.flat, terms, strict=False):
        _curve(axis, history["step"], history[name], entry_of(method).colour)
        axis.set_title(name.replace("_", " "), fontsize=10)
        axis.tick_params(labelsize=9)
    for axis in axes.flat[len(terms) :]:
        axis.set_axis_off()
    figure.suptitle(f"{entry_of(method).short}: every loss term over the steps", fontsize=11)
    said = (f"{name.replace('_', ' ')} {_ends(history[name])}" for name in terms)
    figure.set_label(f"Loss terms of {entry_of(method).short} over the steps, a panel each: {listed(said, most=20)}.")
    return figure


def validation_figure(validations: Mapping[str, pd.DataFrame]) -> Figure:
    """PSNR and SSIM of the validation images over the steps; the ring marks the generator that was kept."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
    plt.close(figure)
    for method, scores in validations.items():
        kept = scores["psnr"].idxmax()
        for axis, metric in zip(axes, ("psnr", "ssim"), strict=True):
            axis.plot(scores["step"], scores[metric], ".-", color=entry_of(method).colour, label=entry_of(method).short)
            axis.plot(scores["step"][kept], scores[metric][kept], "o", ms=10, mfc="none", color=entry_of(method).colour)
    axes[0].set(xlabel="step", ylabel="PSNR, dB")
    axes[1].set(xlabel="step", ylabel="SSIM")
    axes[1].legend(frameon=False, fontsize=9)
    best = {method: scores.loc[scores["psnr"].idxmax()] for method, scores in validations.items()}
    said = (
        f"{entry_of(method).short} {row['psnr']:.2f} dB / {row['ssim']:.3f} at step {row['step']:,.0f}"
        for method, row in best.items()
    )
    figure.set_label(f"PSNR and SSIM of the validation images over the steps. The best: {listed(said)}.")
    return figure


def glare_window(wet: np.ndarray, dry: np.ndarray) -> tuple[int, int, int]:
    """Top, left and side of the square window with the most glare: where wet is brighter than dry."""
    side = max(8, round(INSET * min(wet.shape[:2])))
    glare = np.clip(wet.astype(np.float64).mean(2) - dry.mean(2), 0, None)
    total = np.pad(glare, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    top, left = np.unravel_index(sums.argmax(), sums.shape)
    return int(top), int(left), side


def comparison_figure(examples: Sequence[Mapping[str, np.ndarray]]) -> Figure:
    """Fig. 8: a row per image, with columns wet, dry, improved, ..., and below it a window with much glare.

    Each example maps column titles to images of one size and holds ``wet`` and ``dry``.
    """
    titles = list(examples[0])
    figure, axes = _images(2 * len(examples), len(titles), height=2.15)
    for number, example in enumerate(examples):
        top, left, side = glare_window(example["wet"], example["dry"])
        whole, enlarged = axes[2 * number], axes[2 * number + 1]
        for column, title in enumerate(titles):
            image = example[title]
            _show(whole[column], image, (top + side // 2, left + side // 2))
            frame = Rectangle((left - 0.5, top - 0.5), side, side, fill=False, edgecolor="#F0E442", linewidth=1.4)
            frame.set_clip_on(False)  # at the border of the image, too
            whole[column].add_patch(frame)
            enlarged[column].imshow(image[top : top + side, left : left + side], interpolation="nearest")
            for spine in enlarged[column].spines.values():
                spine.set(edgecolor="#F0E442", linewidth=2)
            if number == 0:
                _title(whole[column], entry_of(title).short, fontsize=15)
    figure.set_label(
        f"The same images in columns: {listed(entry_of(title).short for title in titles)}. Below each, its window with "
        "the most glare is enlarged."
    )
    return figure


def table3_figure(table: pd.DataFrame) -> Figure:
    """Table 3 as a figure: measured means with 95 % intervals, the paper's values, and the untrained baselines."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.9), sharey=True, layout="constrained")
    plt.close(figure)
    rows = table.set_index("method")
    names = list(rows.index)
    for axis, metric, label in zip(axes, ("psnr", "ssim"), ("PSNR, dB", "SSIM"), strict=True):
        axis.plot([], [], "o", color="#777777", label="measured")
        if rows[f"paper_{metric}"].notna().any():
            axis.plot([], [], "D", mfc="none", color="black", label="the paper, on its own photographs")
        for height, (name, row) in enumerate(rows.iterrows()):
            colour = entry_of(name).colour
            axis.plot([row[f"{metric}_low"], row[f"{metric}_high"]], [height, height], color=colour, linewidth=3)
            axis.plot(row[metric], height, "o", color=colour)
            if not np.isnan(row[f"paper_{metric}"]):
                axis.plot(row[f"paper_{metric}"], height, "D", mfc="none", color="black")
        axis.set_xlabel(label)
        axis.grid(axis="x", alpha=0.3)
        axis.set_yticks(range(len(names)), [title_of(name) for name in names])
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    said = (
        f"{title_of(name)} {row['psnr']:.2f} dB / {row['ssim']:.3f}"
        for name, row in rows.dropna(subset=["psnr", "ssim"]).iterrows()
    )
    figure.set_label(f"Measured PSNR and SSIM with 95 % intervals, beside the paper's values: {listed(said, most=20)}.")
    return figure


def contact_sheet_figure(photographs: Sequence[tuple[str, np.ndarray, np.ndarray]], columns: int = 6) -> Figure:
    """Restored below wet, ``columns`` photographs per row; ``photographs`` are (title, wet, restored)."""
    columns = min(columns, len(photographs))
    rows = -(-len(photographs) // columns)
    slope = float(np.median([wet.shape[0] / wet.shape[1] for _, wet, _ in photographs]))
    figure, axes = _images(2 * rows, columns, height=0.12 + 1.75 * np.clip(slope, 1 / LONGEST, 3), width=1.75)
    for axis in axes[-2:, len(photographs) - (rows - 1) * columns :].flat:
        axis.set_axis_off()  # places of the last row that stay empty
    for number, (title, wet, restored) in enumerate(photographs):
        row, column = divmod(number, columns)
        upper, lower = axes[2 * row, column], axes[2 * row + 1, column]
        _show(upper, wet)
        _show(lower, restored)
        _title(upper, title, fontsize=8)
        if column == 0:
            upper.set_ylabel("wet")
            lower.set_ylabel("restored")
    names = listed((printable(title) for title, _, _ in photographs), most=8)
    figure.set_label(f"Photographs, restored below wet: {names}.")
    return figure
