"""The embedded data set on disk: rendered scenes as PNG, with their ground truth and a manifest.

``<folder>/{train,val,test}/{wet,dry,labels,glare}/<number>.png``, ``.../particles/<number>.csv`` with the size of each
labelled particle, and ``.../truth/<number>.json``, which is written last and marks a finished scene; ``manifest.json``
marks a finished data set. An interrupted rendering continues where it stopped. Several processes may render at once in
one folder, each its shard; a rendering without a shard then writes the manifest.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from math import prod
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from orelib.config import Experiment
from orelib.data.scenes import RENDERER, Scene, SizeDistribution, check_arguments, render_pair
from orelib.utils.checksums import DamagedFileError, file_checksum, read_json, write_json
from orelib.utils.files import appearing, demand_room, write_text, writing
from orelib.utils.paths import shown
from orelib.utils.process import cores
from orelib.utils.progress import Progress
from orelib.utils.shards import Shard

# Scenes of different splits never share a seed.
FIRST_SEED = {"train": 0, "val": 1_000_000, "test": 2_000_000}
SCENES_OF_A_SEED = 10_000_000  # each ``scenes_seed`` has its own range of seeds, for all splits
LAYERS = ("wet", "dry", "labels", "glare")
ENDINGS = dict.fromkeys(LAYERS, "png") | {"particles": "csv", "truth": "json"}  # of all files of a scene
CURE = "run notebooks/01_dataset.ipynb, which renders them again"
THREADS = 4  # for checksums
LARGEST_AREA = 4e6  # mm^2; one particle of the usual sizes takes 50 mm^2


def render_dataset(
    folder: Path, experiment: Experiment, workers: int | None = None, shard: Shard | None = None
) -> Path:
    """Renders the scenes of a profile that are missing or damaged; returns the path of the manifest.

    ``workers`` processes render side by side (None: one per core that this process may use); the bytes do not depend
    on it. With ``shard``, only its part of the scenes is rendered, and no manifest is written. Several shards may
    render at once in one folder, on several machines too; afterwards, a call without ``shard`` renders what is still
    missing, and writes the manifest.

    Raises
    ------
    FileExistsError
        When the folder holds scenes rendered with other settings.
    OSError
        When the disk has too little room, or the folder cannot be written.
    ValueError
        For settings that cannot be rendered; the folder is not touched then.
    """
    folder = Path(folder)
    with writing(folder, "What is finished is kept."):
        return _render_missing(folder, _settings(experiment), workers, shard)


def _pairs(experiment: Experiment) -> dict[str, int]:
    return {"train": experiment.train_pairs, "val": experiment.val_pairs, "test": experiment.test_pairs}


def _scenes(pairs: dict[str, int], shard: Shard | None = None) -> list[tuple[str, int]]:
    """Returns split and number of all scenes, or of those of a shard."""
    scenes = [(split, number) for split, count in pairs.items() for number in range(count)]
    return scenes if shard is None else shard.of(scenes)


def _file(split: str, number: int, layer: str) -> str:
    """Returns the place of one file of a scene in the data set."""
    return f"{split}/{layer}/{_stem(number)}.{ENDINGS[layer]}"


def _stem(number: int) -> str:
    return f"{number:04d}"


def _settings(experiment: Experiment) -> dict:
    for px_per_mm in (experiment.px_per_mm, experiment.px_per_mm * experiment.zoom):
        check_arguments(experiment.scene_size, px_per_mm, misalignment_px=experiment.misalignment_px)
    area = experiment.scene_size[0] * experiment.scene_size[1] / experiment.px_per_mm**2
    if area > LARGEST_AREA:
        raise ValueError(
            f"a scene of {area / 1e6:.1f} m^2, as scene_size and px_per_mm ask for, takes very long, and holds more "
            f"particles than 16-bit labels tell apart: at most {LARGEST_AREA / 1e6:g} m^2 are possible"
        )
    settings = {
        "renderer": RENDERER,
        "size": list(experiment.scene_size),
        "px_per_mm": experiment.px_per_mm,
        "zoom": experiment.zoom,
        "sizes": asdict(SizeDistribution(experiment.size_mm, experiment.size_modulus)),
        "misalignment_px": experiment.misalignment_px,
        "scenes_seed": experiment.scenes_seed,
        "pairs": _pairs(experiment),
    }
    # Only where there are such scenes: data sets without them keep the bytes that they had before there was a choice.
    return settings | ({"wide": experiment.wide} if experiment.wide else {})


def _render_missing(folder: Path, settings: dict, workers: int | None, shard: Shard | None) -> Path:
    _begin(folder, settings)
    scenes = _scenes(settings["pairs"], shard)
    with ThreadPoolExecutor(THREADS) as pool:
        whole = list(pool.map(lambda scene: _is_whole(folder, *scene), scenes))
    missing = [scene for scene, is_whole in zip(scenes, whole, strict=True) if not is_whole]
    # Bytes per pixel: two colour images, which are incompressible because of noise, and masks.
    demand_room(folder, len(missing) * 7 * prod(settings["size"]), f"{len(missing)} scenes", "choose a smaller profile")
    if missing:
        title = f"rendering {shown(folder)}" + (f", shard {shard}" if shard else "")
        progress = Progress(len(scenes), title, start=len(scenes) - len(missing))
        with ProcessPoolExecutor(min(workers or cores(), len(missing))) as pool:
            jobs = [pool.submit(_render_scene, folder, settings, split, number) for split, number in missing]
            try:
                for job in jobs:
                    job.result()
                    progress.advance()
            except BaseException:
                pool.shutdown(cancel_futures=True)  # otherwise an interruption would wait for all queued scenes
                raise
        progress.close()
    manifest = folder / "manifest.json"
    if shard is not None:
        return manifest
    contents = {"settings": settings, "scenes": [read_json(_truth_path(folder, *scene), CURE) for scene in scenes]}
    try:
        whole = _read_manifest(folder) == contents
    except (DamagedFileError, FileNotFoundError):
        whole = False
    if not whole:
        write_json(manifest, contents)
    return manifest


def _read_manifest(folder: Path) -> dict:
    return read_json(Path(folder) / "manifest.json", CURE)


def _is_whole(folder: Path, split: str, number: int) -> bool:
    """Returns whether a scene was rendered and no file of it changed since; prints the files that did."""
    path = _truth_path(folder, split, number)
    if not path.exists():
        return False
    try:
        damaged = _damaged(folder, read_json(path, CURE), (*LAYERS, "particles"))
    except DamagedFileError:
        damaged = [path]
    if damaged:
        print(f"{', '.join(map(shown, damaged))}: missing or damaged, so this scene is rendered again", flush=True)
    return not damaged


def _damaged(folder: Path, truth: dict, layers: Iterable[str]) -> list[Path]:
    """Files of a scene that are missing, or changed since rendering."""
    paths = {layer: Path(folder, _file(truth["split"], int(truth["stem"]), layer)) for layer in layers}
    return [
        path for layer, path in paths.items() if not path.is_file() or file_checksum(path) != truth["sha256"][layer]
    ]


def demand_whole_scenes(folder: Path, layers: Iterable[str] = ("wet", "dry")) -> None:
    """Raises DamagedFileError, which lists all files of these layers that are missing, or changed since rendering.

    Raises FileNotFoundError when the data set is not finished.
    """
    scenes, layers = _read_manifest(folder)["scenes"], tuple(layers)
    with ThreadPoolExecutor(THREADS) as pool:
        damaged = [path for paths in pool.map(lambda truth: _damaged(folder, truth, layers), scenes) for path in paths]
    if damaged:
        listing = "\n".join(f"  - {shown(path)}" for path in damaged)
        raise DamagedFileError(f"missing, or changed since rendering: {CURE}:\n{listing}")


def demand_same_settings(folder: Path, experiment: Experiment) -> None:
    """Raises FileExistsError when a folder holds scenes rendered with other settings; changes nothing."""
    if (Path(folder) / "settings.json").exists():
        _begin(Path(folder), _settings(experiment))


def _begin(folder: Path, settings: dict) -> None:
    """Writes the settings of the folder, or checks that they are the same.

    Of several processes that begin at once, the first one writes them, and the others check.
    """
    path = folder / "settings.json"
    # In this order: who begins at the same time writes the settings before any scene.
    holds_scenes = any(folder.glob("*/truth/*.json"))
    if not path.exists():
        if holds_scenes:
            raise FileNotFoundError(
                f"{shown(path)} is missing, so the settings of the scenes beside it are unknown: put back a copy "
                "of it, or delete the folder to render it again"
            )
        with suppress(FileExistsError):
            write_json(path, settings, only_new=True)
    if {"scenes_seed": 0} | read_json(path, "delete the folder to render it again") != settings:  # old files lack it
        raise FileExistsError(
            f"{shown(folder)} holds scenes rendered with other settings, see {shown(path)}: "
            "delete the folder to render it again"
        )


def _truth_path(folder: Path, split: str, number: int) -> Path:
    return folder / _file(split, number, "truth")


def render_one(experiment: Experiment, split: str, number: int) -> Scene:
    """Renders one scene of the data set of an experiment and writes nothing.

    ``split`` is train, val or test. Raises ValueError for settings that cannot be rendered.
    """
    return _scene(_settings(experiment), split, number)[-1]


def _scene(settings: dict, split: str, number: int) -> tuple[int, float, Scene]:
    """Returns the seed of a scene, its scale in px per mm, and the scene."""
    seed = FIRST_SEED[split] + SCENES_OF_A_SEED * settings["scenes_seed"] + number
    # As many scenes between one and two times nearer as between two and four times.
    view = np.random.default_rng([seed, 1])
    nearer = settings["zoom"] ** view.random()
    px_per_mm = round(settings["px_per_mm"] * nearer, 3)
    scene = render_pair(
        seed, settings["size"], px_per_mm,
        sizes=SizeDistribution(**settings["sizes"]),
        misalignment_px=0.0 if split == "test" else settings["misalignment_px"],
        wide=bool(view.random() < settings.get("wide", 0.0)),
    )  # fmt: skip
    return seed, px_per_mm, scene


def _render_scene(folder: Path, settings: dict, split: str, number: int) -> None:
    """Renders one scene and writes its files; runs in a worker process."""
    seed, px_per_mm, scene = _scene(settings, split, number)
    paths = {layer: folder / _file(split, number, layer) for layer in (*LAYERS, "particles")}
    for layer in LAYERS:
        with appearing(paths[layer]) as temporary:
            Image.fromarray(_as_png(getattr(scene, layer))).save(temporary, compress_level=3)
    write_text(paths["particles"], particle_table(scene).to_csv(index=False))
    truth = {
        "split": split, "stem": _stem(number), "seed": seed, "random_generator": f"PCG64, NumPy {np.__version__}",
        "px_per_mm": px_per_mm, "wetness": round(scene.wetness, 6), "glare_share": round(float(scene.glare.mean()), 6),
        "particles": len(scene.size_mm),
        "sha256": {name: file_checksum(path) for name, path in paths.items()},
    }  # fmt: skip
    write_json(_truth_path(folder, split, number), truth)


def particle_table(scene: Scene) -> pd.DataFrame:
    """Table with one row per visible particle: label, size_mm, visible (share of its outline, 0-1), cut."""
    seen = {"size_mm": scene.size_mm.round(3), "visible": scene.visible.round(3), "cut": scene.cut}
    return pd.DataFrame({"label": np.arange(1, len(scene.size_mm) + 1)} | seen)


_PARTICLE = {"label": int, "size_mm": float, "visible": float, "cut": bool}  # also where a scene shows no particle


def read_particles(folder: Path) -> pd.DataFrame:
    """Reads the particles of a finished data set: split, stem, and the columns of :func:`particle_table`."""
    demand_whole_scenes(folder, ["particles"])
    tables = [
        pd.read_csv(Path(folder, _file(split, int(stem), "particles")), dtype=_PARTICLE).assign(split=split, stem=stem)
        for split, stem in read_scenes(folder)[["split", "stem"]].itertuples(index=False)
    ]
    return pd.concat(tables, ignore_index=True)


def read_scenes(folder: Path) -> pd.DataFrame:
    """Reads one row per scene of a finished data set: split, stem, seed, px_per_mm, wetness, glare_share, particles."""
    scenes = _read_manifest(folder)["scenes"]
    return pd.DataFrame(scenes)[["split", "stem", "seed", "px_per_mm", "wetness", "glare_share", "particles"]]


def _as_png(layer: np.ndarray) -> np.ndarray:
    """Converts a layer for PNG: labels to 16 bits, masks to black and white; photographs stay as they are."""
    if layer.dtype == bool:
        return layer.astype(np.uint8) * 255
    if layer.dtype == np.uint8:
        return layer
    if layer.max() > 65535:
        raise ValueError(
            f"a scene with {layer.max():,} particles: 16-bit labels tell at most 65,535 apart; "
            "choose a smaller scene_size or px_per_mm, or larger particles"
        )
    return layer.astype(np.uint16)
