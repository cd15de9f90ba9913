"""The figures of notebook 04: what each loss and each part of SSIM sees."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import ndimage
from torch import Tensor

from orelib.data.degraded import LARGEST, degraded
from orelib.metrics import psnr, ssim
from orelib.study.loss_trials import best_guesses, loss_values, similarity_maps, striped_views

# The colours of Okabe and Ito.
COLOURS = {"blur": "#D55E00", "shift": "#0072B2", "brightness": "#E69F00", "noise": "#009E73", "glare": "#CC79A7"}
GUESS_COLOURS = {"MSE": "#0072B2", "L1": "#D55E00", "SSIM": "#009E73"}
UNITS = {"blur": "sigma {:.1f} px", "shift": "{:.0f} px", "brightness": "{:+.0%}", "noise": "sigma {:.0f}",
         "glare": "{:.1%} of the area"}  # fmt: skip
OUTLINE = "#E8002A"  # of glare; seen on grey rock and on all colours of the maps
SPECK = 2  # px; glare of up to twice this width is not outlined
SIMILARITY = {"cmap": "viridis", "vmin": 0, "vmax": 1}  # of similarity maps; what is below 0 is drawn as 0


def similarity_figure(images: Mapping[str, np.ndarray], dry: np.ndarray, glare: np.ndarray) -> Figure:
    """Maps of luminance, contrast, structure and SSIM against the dry image: a row per image.

    Red lines outline the glare, but for its smallest specks. Images are uint8 (H, W, 3), ``glare`` is bool (H, W).
    """
    figure, axes = _axes(len(images), 5, (11, 0.35 + 2.15 * len(images)))
    spots = ndimage.binary_opening(glare, iterations=SPECK)
    for row, (name, image) in zip(axes, images.items(), strict=True):
        row[0].imshow(image)
        row[0].set_ylabel(name)
        for axis, values in zip(row[1:], similarity_maps(image, dry).values(), strict=True):
            drawn = axis.imshow(values, **SIMILARITY)
            axis.set_xlabel(f"mean {np.nanmean(values):.3f}", fontsize=9)
        for axis in row:
            axis.contour(spots, levels=[0.5], colors=OUTLINE, linewidths=0.9)
    for axis, title in zip(axes[0], ("image", "luminance", "contrast", "structure", "SSIM"), strict=True):
        axis.set_title(title, fontsize=10)
    figure.colorbar(drawn, ax=axes, shrink=0.7, pad=0.01, extend="min")
    figure.set_label(
        "Maps of luminance, contrast, structure and SSIM against the dry image, a row each for "
        f"{' and '.join(images)}. Red lines outline the glare, where structure and SSIM are lowest in the wet image."
    )
    return figure


def equal_error_figure(dry: np.ndarray, damaged: Mapping[str, tuple[float, np.ndarray]]) -> Figure:
    """Images of one PSNR and of very different SSIM, each above its map of SSIM.

    ``damaged`` is what :func:`~orelib.data.degraded.equally_wrong` returns for the dry image, uint8 (H, W, 3).
    """
    figure, axes = _axes(2, 1 + len(damaged), (12, 4.6))
    axes[0, 0].imshow(dry)
    axes[0, 0].set_title("dry", fontsize=10)
    axes[1, 0].set_axis_off()
    colours = axes[1, 0].inset_axes((0.72, 0.05, 0.07, 0.9))
    for (kind, (strength, image)), (above, below) in zip(damaged.items(), axes.T[1:], strict=True):
        above.imshow(image)
        above.set_title(f"{kind}\n{UNITS[kind].format(strength)}", fontsize=10)
        drawn = below.imshow(similarity_maps(image, dry)["SSIM"], **SIMILARITY)
        values = loss_values(image, dry)
        above.set_xlabel(f"PSNR {psnr(image, dry):.1f} dB\nL1 {values['L1']:.3f}", fontsize=9)
        below.set_xlabel(f"SSIM {ssim(image, dry):.2f}", fontsize=10)
    figure.colorbar(drawn, cax=colours, label="SSIM", extend="min", ticklocation="left")
    likeness = ", ".join(f"{kind} {ssim(image, dry):.2f}" for kind, (_, image) in damaged.items())
    figure.set_label(f"Five damaged copies of a dry image with the same PSNR, above their SSIM maps. SSIM: {likeness}.")
    return figure


def damage_figure(dry: np.ndarray, strengths: int = 10) -> Figure:
    """SSIM against PSNR while each kind of damage to an image, uint8 (H, W, 3), grows."""
    figure, axis = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    plt.close(figure)
    for kind, colour in COLOURS.items():
        grown = [degraded(dry, **{kind: LARGEST[kind] * share}) for share in np.geomspace(0.002, 0.6, strengths)]
        grown = [image for image in grown if not np.array_equal(image, dry)]
        decibels, likeness = ([metric(image, dry) for image in grown] for metric in (psnr, ssim))
        axis.plot(decibels, likeness, "o-", ms=3, color=colour, label=kind)
    axis.set(xlabel="PSNR, dB", ylabel="SSIM", xlim=(12, 42), ylim=(0, 1.02))
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=9)
    figure.set_label(
        "SSIM against PSNR for growing blur, shift, brightness, noise and glare. At one PSNR, a brighter image keeps "
        "an SSIM near 1, and a blurred, shifted or noisy one loses much of it."
    )
    return figure


def stripes_figure() -> Figure:
    """An edge and a thin dark gap whose place is uncertain, and the one answer that each loss likes best."""
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.9), sharey=True, layout="constrained")
    plt.close(figure)
    for axis, kind in zip(axes, ("edge", "gap"), strict=True):
        possible = striped_views(kind)
        across = np.arange(possible.shape[-1]) - 28
        for number, profile in enumerate(possible[0, :, 5].numpy()):
            axis.plot(across, profile, color="#aaaaaa", lw=0.8, label="" if number else "possible")
        for name, guess in best_guesses(possible).items():
            style = "--" if name == "L1" else "-"
            axis.plot(
                across, guess[0, 0, 5].numpy(), style, color=GUESS_COLOURS[name], lw=1.8, label=f"best for {name}"
            )
        axis.set(xlabel="px", xlim=(-14, 14), ylim=(0, 1))
        axis.set_title({"edge": "an edge, somewhere within 6 px", "gap": "a dark gap of 2 px"}[kind], fontsize=10)
    axes[0].set_ylabel("grey value")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=9)
    figure.set_label(
        "Profiles across an edge and across a thin gap whose place is uncertain. The mean turns both into ramps, the "
        "median keeps the edge sharp and loses the gap, the best answer for SSIM is steeper than the mean at the edge "
        "and keeps less of the gap."
    )
    return figure


def guesses_figure(guesses: Mapping[str, Tensor], table: pd.DataFrame, margin: int = 5) -> Figure:
    """The answers of :func:`~orelib.study.loss_trials.best_guesses`, (1, 1, H, W), beside their expected scores.

    A margin of px is cut off, where few windows of SSIM reach.
    """
    figure, axes = _axes(1, len(guesses), (2.75 * len(guesses), 3.5))
    for axis, (name, guess) in zip(axes[0], guesses.items(), strict=True):
        axis.imshow(
            guess[0, 0, margin:-margin, margin:-margin].numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest"
        )
        axis.set_title(name, fontsize=10)
        row = table.loc[name]
        axis.set_xlabel(f"L1 {row['L1']:.3f}, MSE {row['MSE']:.4f}\nSSIM {row['SSIM']:.3f}", fontsize=9)
    figure.set_label(
        f"{len(guesses)} grey answers to a dry image whose place is uncertain: {', '.join(guesses)}. The mean is the "
        "most blurred; only an image that is itself possible looks like rock."
    )
    return figure


def discriminator_figure(undecided: pd.Series, pulls: pd.DataFrame) -> Figure:
    """The discriminator's loss, by the probability that it gives to the right answer, and the pull at the generator.

    ``undecided`` is the negative of eq. 1 by that probability, ``pulls`` what
    :func:`~orelib.study.loss_trials.generator_gradients` returns.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3), layout="constrained")
    plt.close(figure)
    left.plot(undecided, color="#0072B2")
    left.plot(0.5, 2 * np.log(2), "o", color="#D55E00")
    left.annotate("undecided: 2 ln 2 = 1.386", (0.5, 2 * np.log(2)), (0.54, 2.2), fontsize=9,
                  arrowprops={"arrowstyle": "-", "color": "#777777"})  # fmt: skip
    left.axhline(1, color="#777777", lw=0.8, ls=":")
    left.text(0.02, 0.66, "the paper's Fig. 7 settles near 1", fontsize=9, color="#555555")
    left.set(xlabel="probability of the right answer", ylabel="loss of D", xlim=(0, 1), ylim=(0, 5))
    for (name, values), colour in zip(pulls.items(), ("#E69F00", "#0072B2"), strict=True):
        right.plot(values, color=colour, label=name)
    right.set(
        xlabel="D(x, G(x)): probability that it is real",
        ylabel="size of the gradient by the logit",
        xlim=(0, 1),
        ylim=(0, 1.02),
    )
    right.legend(frameon=False, fontsize=9, loc="center right")
    for axis in (left, right):
        axis.grid(alpha=0.3)
    figure.set_label(
        "Left: the loss of a discriminator, 1.386 when it is undecided, near 0 when it is right. Right: the gradient "
        "of log(1 - D) by D's logit vanishes where D is sure that the image is generated, the one of "
        "-log D is largest there."
    )
    return figure


def explored_figure(
    image: np.ndarray, drawn: np.ndarray, title: str, bars: Mapping[str, float], numbers: str
) -> Figure:
    """The picture of the loss explorer: a damaged image, a map, and bars of its losses relative to the wet image's.

    ``image`` is uint8 (H, W, 3), ``drawn`` a map (H, W) from 0 to 1, ``numbers`` the text above the bars.
    """
    figure = Figure(figsize=(11, 4.1))  # without a layout engine, which takes longer than all else
    places = ((0.01, 0.02, 0.34, 0.9), (0.36, 0.02, 0.34, 0.9), (0.703, 0.1, 0.009, 0.74), (0.83, 0.13, 0.12, 0.5))
    left, middle, colours, right = (figure.add_axes(place) for place in places)
    left.imshow(image, interpolation="nearest")
    left.set_title("dry, damaged", fontsize=10)
    shown = middle.imshow(drawn, interpolation="nearest", **SIMILARITY)
    middle.set_title(title, fontsize=10)
    figure.colorbar(shown, cax=colours).ax.tick_params(labelsize=8)
    for axis in (left, middle):
        axis.set(xticks=[], yticks=[])
    _bars(right, bars)
    figure.text(0.765, 0.93, numbers, fontsize=10, va="top", linespacing=1.5)
    said = ", ".join(f"{name} {value:.2f}" for name, value in bars.items())
    figure.set_label(f"The damaged dry image, a map ({title}), and losses as shares of the wet image's: {said}.")
    return figure


def _bars(axis: Axes, bars: Mapping[str, float]) -> None:
    longest = 1.6
    axis.barh(list(bars), [min(value, longest) for value in bars.values()], color="#0072B2", height=0.6)
    axis.axvline(1, color="#D55E00", lw=1.2)
    for place, value in enumerate(bars.values()):
        axis.text(1.03 * longest, place, f"{value:.2f}", va="center", fontsize=10)
    axis.set_title("loss / loss of the wet image", fontsize=9)
    axis.set(xlim=(0, longest), xticks=[0, 0.5, 1, 1.5])
    axis.tick_params(labelsize=9)
    axis.invert_yaxis()


def _axes(rows: int, columns: int, size: tuple[float, float]) -> tuple[Figure, np.ndarray]:
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    plt.close(figure)
    return figure, axes
