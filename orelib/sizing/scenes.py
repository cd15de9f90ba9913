"""Rendered scenes for sizing, ``data/<profile>/sizing``: the particles that they were rendered from are known.

They are larger than training scenes and have one scale, because a belt's camera does not move. No training scene has
their seeds.
"""

from __future__ import annotations

from pathlib import Path

from orelib.config import Experiment
from orelib.data.dataset import render_dataset
from orelib.runs import Folders
from orelib.utils.shards import Shard

SCENES = {"scene_size": (512, 512), "px_per_mm": 4.0, "zoom": 1.0, "train_pairs": 0, "val_pairs": 8, "test_pairs": 200}
SMOKE_SCENES = SCENES | {"scene_size": (128, 128), "px_per_mm": 1.6, "val_pairs": 1, "test_pairs": 3}


def sizing_folder(folders: Folders) -> Path:
    return folders.data / "sizing"


def sizing_experiment(profile: str, **changes: object) -> Experiment:
    """Returns the settings of a profile's scenes for sizing, with some fields changed."""
    return Experiment(profile, **(SMOKE_SCENES if profile == "smoke" else SCENES) | changes)


def render_sizing(folders: Folders, workers: int | None = None, shard: Shard | None = None) -> Path:
    """Renders the scenes for sizing that are missing; returns the manifest's path.

    ``workers``, ``shard`` and errors: see :func:`~orelib.data.dataset.render_dataset`.
    """
    return render_dataset(sizing_folder(folders), sizing_experiment(folders.profile), workers, shard)
