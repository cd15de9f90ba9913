"""The renderer: repeatable, in range, and wet as water makes it."""

import hashlib
import json
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from orelib.config import Experiment
from orelib.dataset import render_dataset
from orelib.scenes import render_pair

SIZE = (96, 112)


def fingerprint(seed: int) -> str:
    scene = render_pair(seed, SIZE)
    return hashlib.sha256(b"".join(x.tobytes() for x in (scene.wet, scene.dry, scene.labels, scene.glare))).hexdigest()


def test_shapes_and_types():
    scene = render_pair(1, SIZE, px_per_mm=2.0, wetness=0.7)
    assert scene.wet.shape == scene.dry.shape == (*SIZE, 3)
    assert scene.wet.dtype == scene.dry.dtype == np.uint8
    assert (scene.labels.shape, scene.labels.dtype) == (SIZE, np.int32)
    assert (scene.glare.shape, scene.glare.dtype) == (SIZE, bool)
    assert scene.wetness == 0.7


def test_same_seed_same_bytes_in_another_process_and_order():
    here = [fingerprint(seed) for seed in (3, 4, 5)]
    with ProcessPoolExecutor(2) as pool:
        there = list(pool.map(fingerprint, (5, 4, 3)))
    assert here == there[::-1]
    assert len(set(here)) == 3


def test_water_changes_the_water_alone():
    damp, flooded = (render_pair(2, SIZE, wetness=wetness) for wetness in (0.0, 1.0))
    assert np.array_equal(damp.dry, flooded.dry)
    assert np.array_equal(damp.labels, flooded.labels)


def test_wet_is_darker_more_saturated_and_glares():
    scenes = [render_pair(seed, (128, 128), wetness=1.0) for seed in range(4)]
    rock = np.concatenate([~scene.glare & (scene.labels > 0) for scene in scenes])
    wet, dry = (
        np.concatenate([getattr(scene, side) for scene in scenes])[rock].astype(float) for side in ("wet", "dry")
    )

    def saturation(image):
        return np.mean((image.max(axis=1) - image.min(axis=1)) / np.maximum(image.max(axis=1), 1))

    assert wet.mean() < 0.85 * dry.mean()
    assert saturation(wet) > saturation(dry)
    assert all((scene.wet[scene.glare] > scene.dry[scene.glare]).mean() > 0.9 for scene in scenes)
    assert any((scene.wet == 255).all(axis=2).any() for scene in scenes)


def test_more_water_means_more_glare_and_less_light():
    low, high = ([render_pair(seed, (128, 128), wetness=wetness) for seed in range(4)] for wetness in (0.2, 0.9))
    assert sum(s.glare.mean() for s in high) > 2 * sum(s.glare.mean() for s in low)
    assert sum(s.wet.mean() for s in high) < sum(s.wet.mean() for s in low)


def test_particles_have_the_size_of_ore():
    scene = render_pair(0, (400, 400), px_per_mm=4.0)
    areas = np.bincount(scene.labels.ravel())[1:] / 16  # mm^2
    widest = 2 * np.sqrt(areas.max() / np.pi)
    assert 8 < widest < 25
    assert 0.5 < (scene.labels > 0).mean() <= 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"size": (16, 64)}, "size"), ({"px_per_mm": 0}, "px_per_mm"), ({"wetness": -0.1}, "wetness")],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        render_pair(0, **arguments)


@pytest.fixture
def tiny() -> Experiment:
    return Experiment.from_profile("smoke", scene_size=(32, 40), train_pairs=3, val_pairs=1, test_pairs=1)


def test_a_data_set_goes_on_where_it_stopped(tmp_path, tiny):
    manifest = render_dataset(tmp_path / "data", tiny, workers=2)
    whole = manifest.read_bytes()
    image = tmp_path / "data" / "train" / "wet" / "0001.png"
    kept, lost = image.with_name("0000.png").stat().st_mtime_ns, image.read_bytes()
    for file in (image, tmp_path / "data" / "train" / "truth" / "0001.json", manifest):
        file.unlink()
    render_dataset(tmp_path / "data", tiny, workers=1)
    assert manifest.read_bytes() == whole
    assert image.read_bytes() == lost
    assert image.with_name("0000.png").stat().st_mtime_ns == kept


def test_splits_never_share_a_seed(tmp_path, tiny):
    scenes = json.loads(render_dataset(tmp_path, tiny, workers=1).read_text())["scenes"]
    assert len({scene["seed"] for scene in scenes}) == len(scenes) == 5


def test_a_folder_of_other_settings_is_refused(tmp_path, tiny):
    render_dataset(tmp_path, tiny, workers=1)
    with pytest.raises(FileExistsError, match="delete the folder"):
        render_dataset(tmp_path, tiny.replace(px_per_mm=2.0), workers=1)


def test_a_full_disk_is_refused_before_the_first_scene(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(OSError, match="make room"):
        render_dataset(tmp_path, tiny, workers=1)
    assert not (tmp_path / "train").exists()
