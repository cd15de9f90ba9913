"""Settings, profiles and folders."""

import json

import pytest

from orelib.config import (
    METHODS,
    PROFILES,
    SCENE_FIELDS,
    Experiment,
    Folders,
    SettingsError,
    kit_root,
    parse_changes,
    shown,
)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("method", METHODS)
def test_every_profile_survives_its_json(profile, method):
    experiment = Experiment.from_profile(profile, method, seed=3)
    assert Experiment.from_json(experiment.to_json()) == experiment


def test_the_paper_profile_is_the_paper():
    paper = Experiment.from_profile("paper")
    assert (paper.scene_size, paper.train_pairs, paper.test_pairs) == ((1900, 2048), 500, 200)
    assert (paper.mosaic_size, paper.batch_size, paper.learning_rate) == (512, 1, 0.002)
    assert paper.lambda_perceptual > 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"profile": "fast"}, "quick"),
        ({"profile": "quick", "method": "unet"}, "cyclegan"),
        ({"profile": "quick", "lambda_l2": 1}, "lambda_l2"),
        ({"profile": "quick", "steps": 0}, "steps"),
        ({"profile": "quick", "zoom": 0.5}, "zoom"),
        ({"profile": "quick", "checkpoint_every": 0}, "checkpoint_every"),
        ({"profile": "quick", "device": "mps"}, "cuda"),
        ({"profile": "quick", "ssim_window": 8}, "odd"),
        ({"profile": "quick", "mosaic_size": 100}, "multiple of 128"),
        ({"profile": "quick", "method": "nafnet", "mosaic_size": 100}, "multiple of 32"),
    ],
)
def test_impossible_settings_name_the_cure(arguments, named):
    with pytest.raises(SettingsError, match=named):
        Experiment.from_profile(**arguments)


def test_an_older_configuration_has_its_profiles_value_for_newer_fields():
    experiment = Experiment.from_profile("quick", "pix2pix", seed=3)
    older = json.loads(experiment.to_json())
    del older["nafnet_width"], older["start_from"]
    assert Experiment.from_json(json.dumps(older)) == experiment


def test_relative_paths_count_from_the_kit_in_every_folder_of_it(tmp_path, monkeypatch):
    for folder in ("notebooks", "orelib"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert kit_root() == tmp_path
    assert Folders("quick").data == tmp_path / "data" / "quick"
    assert Folders("quick", data_dir="../mine").data == tmp_path / "../mine"
    assert Folders("quick").run("improved", 2) == tmp_path / "results" / "quick" / "improved-seed2"
    assert shown(tmp_path / "results") == "results"


def test_outside_the_kit_paths_count_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert kit_root() == tmp_path


def test_changes_become_values_of_their_fields_kind():
    changes = parse_changes("lambda_ssim=0 batch_size=4 mosaic=False device=cpu scene_size=(64,80)")
    assert changes == {"lambda_ssim": 0.0, "batch_size": 4, "mosaic": False, "device": "cpu", "scene_size": (64, 80)}
    assert type(changes["lambda_ssim"]) is float
    assert parse_changes("") == {}


@pytest.mark.parametrize("text", ["lambda_ssim", "lambda_l2=1", "batch_size=1.5", "mosaic=1", "seed=3", "steps=many"])
def test_other_changes_are_refused(text):
    with pytest.raises(SettingsError, match=text.partition("=")[0]):
        parse_changes(text)


def test_changes_are_part_of_a_runs_name_and_those_of_scenes_of_the_data_sets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, other = (Folders("cpu", changes=text) for text in ("steps=9 misalignment_px=1", "misalignment_px=1 steps=9"))
    assert one.run("improved", 2).name == "improved+misalignment_px=1+steps=9-seed2"
    assert one.run("improved", 2) == other.run("improved", 2)
    assert one.data == tmp_path / "data" / "cpu+misalignment_px=1"
    assert Folders("cpu", changes="steps=9").data == tmp_path / "data" / "cpu"
    assert set(SCENE_FIELDS) <= set(vars(Experiment()))
