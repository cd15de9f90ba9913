"""A validation image over the steps of a training: wet, restored, dry, with a slider over the steps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import gcd
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown
from matplotlib.figure import Figure

from orelib.config import entry_of
from orelib.restore.snapshots import Snapshots, read_snapshots
from orelib.runs import Run
from orelib.utils.checksums import DamagedFileError
from orelib.views.explorer import Choice, Explorer, Slider


def over_steps(runs: Mapping[str, Path | Run]) -> Explorer | Markdown:
    """Lets the reader move through the pictures that runs have kept, by method or variant.

    With several runs, a drop-down chooses one. Prints a sentence for a run without pictures, or with damaged ones; if
    no run has any, returns the sentences instead.
    """
    kept, problems = {}, []
    for variant, run in runs.items():
        try:
            kept[variant] = read_snapshots(run)
        except (FileNotFoundError, DamagedFileError) as error:
            problems.append(str(error))
    if not kept:
        return Markdown("\n\n".join(problems))
    for problem in problems:
        print(problem)
    variants = {entry_of(variant).short: variant for variant in kept}
    pixels = lru_cache(maxsize=64)(lambda picture: picture.pixels)

    def draw(step: int, method: str = next(iter(variants))) -> Figure:
        return snapshot_figure(kept[variants[method]], step, variants[method], pixels)

    steps = sorted({step for snapshots in kept.values() for step in snapshots.restored})
    ends = {name: max(kept[variant].restored) for name, variant in variants.items()}
    alt = "One part of a validation image wet, restored at step {step}, and dry; below, its PSNR over the steps."
    slider = Slider(steps[0], steps[-1], max(1, gcd(*(step - steps[0] for step in steps))), steps[-1], "step")
    if len(kept) == 1:
        shown = sorted({steps[0], steps[len(steps) // 2], steps[-1]})
        return Explorer(draw, {"step": slider}, [{"step": step} for step in shown], alt)
    controls = {"method": Choice(list(variants), next(iter(variants)), "method"), "step": slider}
    positions = [{"method": name, "step": end} for name, end in ends.items()]
    return Explorer(draw, controls, positions, "{method}: " + alt[0].lower() + alt[1:])


def snapshot_figure(snapshots: Snapshots, step: int, variant: str, pixels=lambda picture: picture.pixels) -> Figure:
    """Draws the image wet, restored at the newest kept step that is not after ``step``, and dry, with its PSNR.

    Below stands the PSNR of the same part at all kept steps. ``pixels`` decodes a :class:`Picture`.
    """
    at, entry = snapshots.at(step), entry_of(variant)
    figure, axes = plt.subplot_mosaic(
        [["wet", "restored", "dry"], ["psnr"] * 3], figsize=(7.8, 4.2), height_ratios=(3, 1.25), layout="constrained"
    )
    plt.close(figure)
    restored = snapshots.restored[at]
    _panel(axes["wet"], pixels(snapshots.wet), f"wet, {snapshots.wet.psnr:.2f} dB")
    _panel(axes["restored"], pixels(restored), f"restored at step {at:,}, {restored.psnr:.2f} dB")
    _panel(axes["dry"], pixels(snapshots.dry), "dry")
    steps = list(snapshots.restored)
    values = [picture.psnr for picture in snapshots.restored.values()]
    axes["psnr"].axhline(snapshots.wet.psnr, color="#777777", linestyle="--", linewidth=1, label="the wet image")
    axes["psnr"].plot(steps, values, ".-", color=entry.colour, label="restored")
    axes["psnr"].plot(at, restored.psnr, "o", ms=11, mfc="none", color=entry.colour)
    axes["psnr"].set(xlabel="step", ylabel="PSNR, dB")
    axes["psnr"].legend(frameon=False, fontsize=8, loc="lower right")
    figure.suptitle(f"{entry.short}: {snapshots.part}", fontsize=10)
    figure.set_label(
        f"Wet, restored by {entry.short} at step {at:,}, and dry: {snapshots.part}. "
        f"Below, the PSNR of the restored picture over the steps, {restored.psnr:.2f} dB at this one."
    )
    return figure


def _panel(axis: plt.Axes, image: np.ndarray, title: str) -> None:
    axis.imshow(image)
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=9)
