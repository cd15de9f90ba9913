"""Rendered scenes in the place of a user's photographs: wet, dry, and with the true sizes of their particles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from orelib.data.dataset import render_dataset
from orelib.sizing.measured import Measured, measure
from orelib.sizing.scale import Scale
from orelib.sizing.scenes import sizing_experiment

# Other seeds than those of the scenes whose results are published.
FEW = {"val_pairs": 0, "test_pairs": 2, "scenes_seed": 9}


@dataclass(frozen=True)
class Examples:
    """Folders of wet and of dry photographs, under the same names, their scale, and their true particles."""

    wet: Path
    dry: Path
    px_per_mm: float
    truth: tuple[Measured, ...]


def example_photographs(folder: Path, profile: str) -> Examples:
    """Renders a few scenes into a folder, or takes those that lie there; small ones for the profile ``smoke``.

    Raises the errors of :func:`~orelib.data.dataset.render_dataset`.
    """
    experiment = sizing_experiment(profile, **FEW)
    render_dataset(folder, experiment)
    scale = Scale(experiment.px_per_mm, "as rendered")
    paths = sorted((folder / "test" / "labels").glob("*.png"))
    truth = tuple(measure(np.asarray(Image.open(path), dtype=np.int32), scale) for path in paths)
    return Examples(folder / "test" / "wet", folder / "test" / "dry", scale.px_per_mm, truth)
