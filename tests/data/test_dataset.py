"""The embedded data set on disk: complete, resumable, the same for any number of workers, and nothing half-written."""

import hashlib
import json
import resource

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from orelib.config import Experiment
from orelib.data import dataset
from orelib.data.dataset import LAYERS, demand_whole_scenes, read_particles, read_scenes, render_dataset
from orelib.utils.checksums import DamagedFileError


@pytest.fixture
def tiny() -> Experiment:
    return Experiment("smoke", scene_size=(32, 40), train_pairs=3, val_pairs=1, test_pairs=1)


def test_truth_lies_beside_the_images(tmp_path, tiny):
    manifest = json.loads(render_dataset(tmp_path, tiny, workers=1).read_text())
    assert manifest["settings"]["sizes"]["characteristic_mm"] == tiny.size_mm
    assert len(manifest["scenes"]) == 5
    for scene in manifest["scenes"]:
        folder = tmp_path / scene["split"]
        particles = pd.read_csv(folder / "particles" / f"{scene['stem']}.csv")
        labels = np.array(Image.open(folder / "labels" / f"{scene['stem']}.png"))
        assert set(np.unique(labels)) - {0} == set(particles["label"])
        assert particles["size_mm"].between(5, 25).all()
        assert particles["visible"].between(0, 1).all()
        assert 0 <= scene["wetness"] <= 1
        for layer, checksum in scene["sha256"].items():
            path = folder / layer / f"{scene['stem']}.{'csv' if layer == 'particles' else 'png'}"
            assert hashlib.sha256(path.read_bytes()).hexdigest() == checksum


def test_a_data_set_goes_on_where_it_stopped_with_any_number_of_workers(tmp_path, tiny):
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


def damage(path, how):
    """Deletes a file, or cuts or changes it."""
    content = path.read_bytes()
    path.unlink()
    if how != "deleted":
        at = len(content) // 2
        path.write_bytes(content[:at] if how == "cut" else content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


FILES = [*(f"{layer}/0001.png" for layer in LAYERS), "particles/0001.csv", "truth/0001.json", "../manifest.json"]


@pytest.mark.parametrize("how", ["deleted", "cut", "changed"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_scene_is_refused_and_rendered_again(tmp_path, tiny, capsys, name, how):
    manifest = render_dataset(tmp_path, tiny, workers=1)
    path = (tmp_path / "train" / name).resolve()
    whole, described = path.read_bytes(), manifest.read_bytes()
    damage(path, how)
    if "truth" not in name:  # which only rendering reads
        with pytest.raises(
            (DamagedFileError, FileNotFoundError), match=rf"(?s){path.name}.*01_dataset|01_.*{path.name}"
        ):
            demand_whole_scenes(tmp_path, (*LAYERS, "particles"))
    render_dataset(tmp_path, tiny, workers=1)
    assert path.read_bytes() == whole
    assert manifest.read_bytes() == described
    demand_whole_scenes(tmp_path, (*LAYERS, "particles"))
    if how != "deleted" and "manifest" not in name:
        assert f"{path.name}: missing or damaged" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["deleted", "cut", "changed"])
def test_scenes_whose_settings_are_lost_are_not_mixed_with_others(tmp_path, tiny, how):
    render_dataset(tmp_path, tiny, workers=1)
    damage(tmp_path / "settings.json", how)
    with pytest.raises((DamagedFileError, FileNotFoundError), match=r"settings\.json.*delete the folder"):
        render_dataset(tmp_path, tiny.replace(px_per_mm=2.0), workers=1)


def test_swapped_images_are_found(tmp_path, tiny):
    render_dataset(tmp_path, tiny, workers=1)
    wet, dry = (tmp_path / "test" / side / "0000.png" for side in ("wet", "dry"))
    content = wet.read_bytes()
    wet.write_bytes(dry.read_bytes())
    dry.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"(?s)wet.0000\.png.*dry.0000\.png"):
        demand_whole_scenes(tmp_path)


def test_splits_never_share_a_seed(tmp_path, tiny):
    scenes = json.loads(render_dataset(tmp_path, tiny, workers=1).read_text())["scenes"]
    assert len({scene["seed"] for scene in scenes}) == len(scenes) == 5


def test_scenes_are_seen_from_up_to_zoom_times_nearer(tmp_path, tiny):
    render_dataset(tmp_path, tiny.replace(zoom=4.0, train_pairs=12), workers=1)
    scale = read_scenes(tmp_path)["px_per_mm"] / tiny.px_per_mm
    assert 1 <= scale.min() < 2 < scale.max() <= 4
    assert len(read_particles(tmp_path).groupby(["split", "stem"])) == len(scale)


def test_a_share_of_the_scenes_is_wide_and_the_others_stay_what_they_are(tmp_path, tiny):
    for name, share in (("none", 0.0), ("half", 0.5), ("all", 1.0)):
        render_dataset(tmp_path / name, tiny.replace(wide=share, train_pairs=12), workers=1)
    stems = [f"{number:04d}" for number in range(12)]
    dry = {
        name: [(tmp_path / name / "train" / "dry" / f"{stem}.png").read_bytes() for stem in stems]
        for name in ("none", "half", "all")
    }
    alike = [half == none for half, none in zip(dry["half"], dry["none"], strict=True)]
    assert 2 <= sum(alike) <= 10
    assert [half != whole for half, whole in zip(dry["half"], dry["all"], strict=True)] == alike
    assert not set(dry["none"]) & set(dry["all"])
    assert "wide" not in (tmp_path / "none" / "settings.json").read_text()
    read_particles(tmp_path / "all")
    with pytest.raises(FileExistsError, match="other settings"):
        render_dataset(tmp_path / "half", tiny.replace(train_pairs=12), workers=1)


def test_misaligned_scenes_have_aligned_test_pairs(tmp_path, tiny):
    for name, shift in (("as", 0.0), ("shifted", 4.0)):
        render_dataset(tmp_path / name, tiny.replace(misalignment_px=shift, scene_size=(48, 48)), workers=1)
    for split, same in (("train", False), ("val", False), ("test", True)):
        one, other = (tmp_path / name / split / "wet" / "0000.png" for name in ("as", "shifted"))
        assert (one.read_bytes() == other.read_bytes()) == same


def test_another_scenes_seed_shares_no_scene_and_older_data_sets_have_the_first(tmp_path, tiny):
    manifest = render_dataset(tmp_path / "one", tiny, workers=1)
    render_dataset(tmp_path / "other", tiny.replace(scenes_seed=1), workers=1)
    one, other = (set(read_scenes(tmp_path / name)["seed"]) for name in ("one", "other"))
    assert not one & other
    settings = manifest.with_name("settings.json")
    older = json.loads(settings.read_text())
    del older["scenes_seed"], older["checksum"]
    settings.write_text(json.dumps(older))
    assert render_dataset(tmp_path / "one", tiny, workers=1) == manifest


def test_a_folder_of_other_settings_is_refused(tmp_path, tiny):
    render_dataset(tmp_path, tiny, workers=1)
    for change in ({"px_per_mm": 2.0}, {"size_mm": 10.0}, {"misalignment_px": 1.0}, {"zoom": 2.0}):
        with pytest.raises(FileExistsError, match="delete the folder"):
            render_dataset(tmp_path, tiny.replace(**change), workers=1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"size_mm": 500.0}, "less than 1 %"),
        ({"scene_size": (16, 16)}, "size"),
        ({"px_per_mm": 30.0, "zoom": 5.0}, "150"),
        ({"px_per_mm": 0.2, "scene_size": (1024, 1024)}, "at most 4 m"),
    ],
)
def test_impossible_settings_are_refused_before_the_folder_is_made(tmp_path, tiny, change, named):
    with pytest.raises(ValueError, match=named):
        render_dataset(tmp_path / "data", tiny.replace(**change), workers=1)
    assert not (tmp_path / "data").exists()


def test_a_disk_without_room_is_refused_before_the_first_scene(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(OSError, match="make room"):
        render_dataset(tmp_path, tiny, workers=1)
    assert not (tmp_path / "train").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path, tiny):
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"data is a file where a folder belongs: .*choose another folder"):
        render_dataset(tmp_path / "data", tiny, workers=1)


def test_a_disk_that_fills_up_leaves_nothing_half_written(tmp_path, tiny):
    """The largest file allowed is smaller than an image, so that writing fails in the middle of one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(OSError, match="cannot be written"):
            render_dataset(tmp_path / "data", tiny, workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.rglob("*.png"))
    assert not (tmp_path / "data" / "manifest.json").exists()
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"settings.json"}
    render_dataset(tmp_path / "data", tiny, workers=1)


def test_more_particles_than_labels_are_refused():
    labels = np.array([[0, 65_535]], dtype=np.int32)
    assert dataset._as_png(labels).tolist() == [[0, 65_535]]
    with pytest.raises(ValueError, match="65,536 particles"):
        dataset._as_png(labels + 1)
