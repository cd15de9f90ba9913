"""Particle sizes: of made particles, found against true ones, percentiles, and a segmenter that learns."""

import numpy as np
import pandas as pd
import pytest
from skimage.draw import disk

from orelib.config import Experiment
from orelib.data.dataset import render_dataset
from orelib.runs import Folders
from orelib.sizing import particles as module
from orelib.sizing.learning import _enlarged_from, fit_segmenter, read_labelled, train_network
from orelib.sizing.maps import build, targets
from orelib.sizing.scenes import render_sizing, sizing_folder
from orelib.sizing.segmenter import WEIGHTS, load_segmenter, save_segmenter, segmenter_checksum
from orelib.utils.weights import ModelFileError


def discs(*places, shape=(120, 160)):
    """Particle numbers of discs (row, column, radius)."""
    labels = np.zeros(shape, np.int32)
    for number, (row, column, radius) in enumerate(places, 1):
        labels[disk((row, column), radius, shape=shape)] = number
    return labels


def test_sizes_are_those_of_discs_and_cut_ones_are_left_out():
    table = module.particles(discs((40, 40, 20), (80, 110, 30), (60, 0, 15)), px_per_mm=4.0)
    assert table["label"].tolist() == [1, 2]
    assert np.allclose(table["size_mm"], [10, 15], rtol=0.03)
    assert table["mass"].iloc[1] / table["mass"].iloc[0] == pytest.approx(1.5**3, rel=0.05)


def test_what_is_smaller_than_a_particle_is_left_out():
    assert module.particles(discs((40, 40, 6)), px_per_mm=4.0).empty
    assert len(module.particles(discs((40, 40, 9)), px_per_mm=4.0)) == 1


def test_percentiles_weigh_by_mass():
    assert module.percentile([1, 2, 3], [1, 1, 1], 0.5) == pytest.approx(2)
    assert module.percentile([3, 1, 2], [0.01, 10, 10], 0.75) == pytest.approx(2, abs=0.01)
    assert np.isnan(module.percentile([], [], 0.8))


def test_the_truth_matches_itself_and_a_merged_pair_does_not():
    true = discs((40, 40, 20), (40, 82, 20), (90, 120, 15))
    itself = module.compare_particles(true, true, 4.0)
    assert itself["matched"] == itself["iou"] == 1
    assert itself["count"] == itself["true_count"] == 3
    assert itself["p80"] == itself["true_p80"]
    merged = module.compare_particles(np.where(true == 2, 1, true), true, 4.0)
    assert merged["count"] == 2
    assert merged["matched"] == pytest.approx(1 / 3)
    heap = discs((30, 40, 14), (30, 69, 14), (59, 40, 14), (59, 69, 14))
    as_one = module.compare_particles((heap > 0).astype(np.int32), heap, 4.0)
    assert as_one["p80"] > 1.5 * as_one["true_p80"]
    assert as_one["matched"] == 0
    nothing = module.compare_particles(np.zeros_like(true), true, 4.0)
    assert nothing["count"] == nothing["matched"] == 0
    assert np.isnan(nothing["p80"])


def test_targets_peak_inside_and_say_where_nothing_is():
    share, inside, border = targets(discs((40, 40, 20), (40, 81, 20)))
    assert share[40, 40] > 0.9
    assert share[100, 100] == 0
    assert inside[40, 40] == 1
    assert inside[100, 100] == 0
    assert border[40, 60] == 1
    assert border[40, 40] == 0


def test_an_empty_scene_has_no_targets():
    assert not targets(np.zeros((40, 40), np.int32)).any()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    scenes = {"scene_size": (96, 96), "px_per_mm": 2.0, "zoom": 1.0, "train_pairs": 4, "val_pairs": 1, "test_pairs": 1}
    render_dataset(folder, Experiment("smoke", **scenes), workers=1)
    return folder


def test_a_trained_segmenter_sees_more_than_an_untrained_one(scenes, tmp_path):
    def error(segmenter):
        seen = [np.abs(segmenter.maps(dry) - targets(labels)).mean() for dry, labels in read_labelled(scenes, "train")]
        return np.mean(seen)

    trained = fit_segmenter(train_network(scenes, steps=60, beds=4), scenes, count=1)
    assert error(trained) < 0.75 * error(fit_segmenter(build(), scenes, count=1))
    save_segmenter(trained, tmp_path / "segmenter.safetensors")
    again = load_segmenter(tmp_path / "segmenter.safetensors")
    assert (again.least, again.belief) == (trained.least, trained.belief)
    assert error(again) == pytest.approx(error(trained), abs=0.01)  # kept at half precision


def test_scores_of_scenes_have_their_columns(scenes):
    rows, sizes = module.score_sizing(scenes, load_segmenter(), np.copy, "train", "dry")
    assert list(sizes) == ["image", "size_mm", "mass"]
    assert rows["matched"].mean() > 0.3


def test_the_same_seed_trains_the_same_network(scenes):
    one, other = (train_network(scenes, seed=3, steps=2, beds=2).state_dict() for _ in range(2))
    assert all((value == other[name]).all() for name, value in one.items())


def test_a_photograph_of_a_coarser_camera_is_blurred_and_as_large(scenes):
    dry = next(read_labelled(scenes, "train"))[0]
    detail = {}
    for factor in (1.0, 3.0):
        seen = [_enlarged_from(dry / 255, factor, np.random.default_rng(seed)) for seed in range(8)]
        assert {(image.shape, image.dtype) for image in seen} == {(dry.shape, np.dtype(np.uint8))}
        assert abs(np.mean(seen) - dry.mean()) < 3
        detail[factor] = np.abs(np.diff(np.mean(seen, axis=0), axis=0)).mean()
    assert detail[3.0] < 0.8 * detail[1.0]


def test_the_kits_segmenter_finds_most_particles_of_a_dry_scene():
    from orelib.data.scenes import render_pair

    scene = render_pair(9_000_100, (256, 256), px_per_mm=4.0)
    found = load_segmenter().segment(scene.dry, 4.0)
    assert module.compare_particles(found, scene.labels, 4.0)["matched"] > 0.4
    assert found.dtype == np.int32


def one_bit(whole):
    return whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:]


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[:1000], lambda whole: b"", lambda whole: b"{" + whole[1:], one_bit]
)
def test_a_damaged_segmenter_is_refused(tmp_path, damage):
    path = tmp_path / "segmenter.safetensors"
    path.write_bytes(damage(WEIGHTS.read_bytes()))
    with pytest.raises(ModelFileError, match=r"segmenter\.safetensors holds no segmenter"):
        load_segmenter(path)
    for read in (load_segmenter, segmenter_checksum):
        with pytest.raises(FileNotFoundError, match="make segmenter"):
            read(tmp_path / "none.safetensors")


def test_any_size_of_photograph_is_segmented():
    assert load_segmenter().segment(np.full((50, 70, 3), 128, np.uint8), 4.0).shape == (50, 70)


def test_missing_scenes_say_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="make study"):
        module.score_sizing(tmp_path, load_segmenter(), np.copy)


def test_scenes_for_sizing_lie_beside_the_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "orelib").mkdir()
    folders = Folders("smoke")
    assert render_sizing(folders) == sizing_folder(folders) / "manifest.json"
    sizes = module.true_sizes(sizing_folder(folders))
    assert set(sizes["image"]) <= {"0000", "0001", "0002"}
    assert isinstance(sizes, pd.DataFrame)
    assert (sizes["mass"] > 0).all()
