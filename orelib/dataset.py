"""The embedded data set on disk: rendered scenes as PNG, with their ground truth and a manifest.

``<folder>/{train,val,test}/{wet,dry,labels,glare}/<number>.png`` and ``.../truth/<number>.json``, which is written
last and marks a finished scene; ``manifest.json`` marks a finished data set. An interrupted rendering goes on where
it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from orelib.config import Experiment, shown
from orelib.files import appearing, write_text
from orelib.progress import Progress
from orelib.scenes import RENDERER, render_pair

# Scenes of different splits never share a seed.
FIRST_SEED = {"train": 0, "val": 1_000_000, "test": 2_000_000}
LAYERS = ("wet", "dry", "labels", "glare")


def render_dataset(folder: Path, experiment: Experiment, workers: int | None = None) -> Path:
    """Renders the scenes of a profile that are still missing; returns the path of the manifest.

    ``workers`` processes render side by side (None: one a core); the bytes do not depend on it.

    Raises
    ------
    FileExistsError
        When the folder holds scenes of other settings.
    OSError
        When the disk has too little room.
    """
    folder = Path(folder)
    settings = {
        "renderer": RENDERER,
        "size": list(experiment.scene_size),
        "px_per_mm": experiment.px_per_mm,
        "pairs": {"train": experiment.train_pairs, "val": experiment.val_pairs, "test": experiment.test_pairs},
    }
    _claim(folder, settings)
    scenes = [(split, number) for split, count in settings["pairs"].items() for number in range(count)]
    missing = [scene for scene in scenes if not _truth_path(folder, *scene).exists()]
    _check_room(folder, experiment.scene_size, len(missing))
    if missing:
        progress = Progress(len(scenes), f"rendering {shown(folder)}", start=len(scenes) - len(missing))
        with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
            jobs = [
                pool.submit(_render_scene, folder, split, number, experiment.scene_size, experiment.px_per_mm)
                for split, number in missing
            ]
            try:
                for job in jobs:
                    job.result()
                    progress.advance()
            except BaseException:
                pool.shutdown(cancel_futures=True)  # or an interruption would wait for all that are queued
                raise
        progress.close()
    manifest = folder / "manifest.json"
    if missing or not manifest.exists():
        truths = [json.loads(_truth_path(folder, *scene).read_text()) for scene in scenes]
        write_text(manifest, json.dumps({"settings": settings, "scenes": truths}, indent=1) + "\n")
    return manifest


def _claim(folder: Path, settings: dict) -> None:
    """Writes down what the folder is for, or checks that it is for the same."""
    path = folder / "settings.json"
    if not path.exists():
        write_text(path, json.dumps(settings, indent=1) + "\n")
    elif json.loads(path.read_text()) != settings:
        raise FileExistsError(
            f"{shown(folder)} holds scenes rendered with other settings, see {shown(path)}: "
            "delete the folder to render it anew"
        )


def _check_room(folder: Path, size: tuple[int, int], scenes: int) -> None:
    """Refuses before the first file when the disk cannot hold the last one."""
    needed = scenes * size[0] * size[1] * 7  # bytes: two colour images, which noise keeps incompressible, and masks
    free = shutil.disk_usage(folder).free
    if needed > 0.95 * free:
        raise OSError(
            f"{shown(folder)} needs about {needed / 1e9:.1f} GB for {scenes} scenes and the disk has "
            f"{free / 1e9:.1f} GB free: make room, or choose a smaller profile"
        )


def _truth_path(folder: Path, split: str, number: int) -> Path:
    return folder / split / "truth" / f"{number:04d}.json"


def _render_scene(folder: Path, split: str, number: int, size: tuple[int, int], px_per_mm: float) -> None:
    """Renders one scene and writes its files; runs in a worker process."""
    seed = FIRST_SEED[split] + number
    scene = render_pair(seed, size, px_per_mm)
    checksums = {}
    for layer in LAYERS:
        path = folder / split / layer / f"{number:04d}.png"
        with appearing(path) as temporary:
            Image.fromarray(_as_png(getattr(scene, layer))).save(temporary, compress_level=3)
        checksums[layer] = hashlib.sha256(path.read_bytes()).hexdigest()
    truth = {
        "split": split, "stem": f"{number:04d}", "seed": seed, "wetness": round(scene.wetness, 6),
        "glare_share": round(float(scene.glare.mean()), 6), "sha256": checksums,
    }  # fmt: skip
    write_text(_truth_path(folder, split, number), json.dumps(truth, indent=1) + "\n")


def _as_png(layer: np.ndarray) -> np.ndarray:
    """Particle labels as 16-bit, masks as black and white, photographs as they are."""
    if layer.dtype == bool:
        return layer.astype(np.uint8) * 255
    return layer if layer.dtype == np.uint8 else layer.astype(np.uint16)
