"""The first notebook's tables: true on a fresh copy, in the middle of a training, and when all is made."""

import shutil

import pytest
from conftest import ROOT

from orelib.config import PUBLISHED, Experiment
from orelib.data.dataset import render_dataset
from orelib.data.pair import PairError
from orelib.runs import Folders
from orelib.study.contents import NOTEBOOKS
from orelib.training import train
from orelib.utils.files import one_at_a_time, write_text
from orelib.utils.provenance import begin_provenance, write_provenance
from orelib.views.start import first_look, run_state, scenes_state, the_answer, what_each_needs, what_is_there


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A copy of the kit in which nothing was made, and which lacks the published results."""
    for name in ("notebooks", "orelib"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    return Folders("smoke")


def run_with(folder, **files):
    """A run folder with some files, which its provenance lists if it is finished."""
    for name, text in files.items():
        write_text(folder / name.replace("__", "."), text)
    return folder


def states(table):
    return dict(zip(table["what"], table["state"], strict=True))


def test_on_a_fresh_copy_nothing_is_there_and_what_to_do_first_is_said(fresh):
    said = states(what_is_there(fresh))
    assert said["the data set"] == said["Improved, trained"] == said["the report"] == "missing"
    assert said["the published experiment"] == "missing"
    assert said["the kit's restorer"] == "there"
    runs = what_each_needs(fresh).set_index("notebook")["runs now"]
    assert runs["[01_dataset](01_dataset.ipynb)"] == "yes"
    assert "01_dataset" in runs["[05_training](05_training.ipynb)"]
    assert "make reproduce" in runs["[07_table3](07_table3.ipynb)"]
    assert "copy of the kit" in runs["[12_claims](12_claims.ipynb)"]
    assert "results/reference" in the_answer()
    assert sorted(path.name for path in fresh.data.parent.parent.iterdir()) == ["notebooks", "orelib"]  # all only read


def test_a_data_set_is_missing_begun_whole_or_another(fresh):
    experiment = Experiment("smoke")
    render_dataset(fresh.data, experiment, workers=1)
    assert scenes_state(fresh) == "whole: 6 training, 2 validation, 3 test pairs"
    (fresh.data / "manifest.json").unlink()
    (fresh.data / "train" / "truth" / "0000.json").unlink()
    assert scenes_state(fresh) == "begun: 10 of 11 pairs"
    shutil.rmtree(fresh.data)
    render_dataset(fresh.data, experiment.replace(scenes_seed=1), workers=1)
    assert scenes_state(fresh).startswith("of other settings")


def test_a_folder_of_pairs_is_counted_and_its_problems_are(pair_folder, tmp_path):
    assert scenes_state(Folders("smoke", str(pair_folder))) == "whole: 5 training, 1 validation, 2 test pairs"
    mine = shutil.copytree(pair_folder, tmp_path / "mine")
    (mine / "train" / "dry" / "belt_0.png").unlink()
    assert scenes_state(Folders("smoke", str(mine))).startswith("1 problem(s)")
    assert scenes_state(Folders("smoke", str(tmp_path / "none"))).startswith("missing")


def test_a_training_is_missing_stopped_running_finished_or_damaged(tmp_path):
    run = tmp_path / "improved-seed0"
    settings = Experiment("smoke").to_json()
    assert run_state(run) == "missing"
    run_with(run, config__json=settings)
    assert run_state(run) == "stopped at step 0 of 8"
    run_with(run, checkpoint__pt="", history__csv="step,epoch,generator\n1,0,3\n4,0,2\n")
    assert run_state(run) == "stopped at step 4 of 8"
    with one_at_a_time(run):
        assert run_state(run) == "training now, saved at step 4 of 8"
    write_text(run / "generator.safetensors", "")
    assert run_state(run) == "trained, but not scored"
    write_text(run / "metrics.csv", "")
    assert run_state(run) == "finished"
    (run / "generator.safetensors").unlink()
    begin_provenance(run)
    write_provenance(run, "config.json")
    write_text(run / "config.json", settings.replace("8", "9"))
    assert run_state(run).startswith("damaged")


def test_what_was_trained_can_be_read_by_others(tmp_path, pairs, experiment, pair_folder):
    folders = Folders("smoke", str(pair_folder), str(tmp_path))
    for method in PUBLISHED:
        run_with(folders.run(method, 0), generator__safetensors="", metrics__csv="")
    train(experiment.replace(lambda_ssim=50.0), pairs, tmp_path / "smoke" / "improved+lambda_ssim=50-seed0")
    said = states(what_is_there(folders))
    assert said["Pix2Pix, trained"] == "finished"
    assert said["Improved, lambda_ssim=50, trained"] == "trained, but not scored"
    runs = what_each_needs(folders).set_index("notebook")["runs now"]
    assert runs["[07_table3](07_table3.ipynb)"] == "yes"
    others = what_each_needs(folders, seed=1).set_index("notebook")["runs now"]
    assert others["[07_table3](07_table3.ipynb)"] != "yes"


def test_the_published_experiment_gives_the_answer_with_links_from_the_notebooks(monkeypatch):
    monkeypatch.chdir(ROOT)
    table = what_is_there(Folders("quick")).set_index("what")
    assert "trainings" in table.loc["the published experiment", "state"]
    assert table.loc["Improved, trained", "takes"].endswith("min")
    assert table.loc["the published experiment", "takes"].endswith("h")
    lines = the_answer()
    assert "(12_claims.ipynb)" in lines
    assert lines.replace("(12_", "(notebooks/12_") in (ROOT / "README.md").read_text("utf-8")


def test_every_notebook_is_listed():
    files = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert files <= {each.name for each in NOTEBOOKS}
    assert [each.name[:2] for each in NOTEBOOKS] == [f"{number:02d}" for number in range(len(NOTEBOOKS))]


def test_a_first_look_restores_one_scene_or_photograph(fresh, pair_folder, pairs):
    (scene,) = first_look(fresh).photographs
    assert [layer["name"] for layer in scene["layers"]] == ["wet", "dry", "restored"]
    assert (scene["height"], scene["width"]) == Experiment("smoke").scene_size
    (photograph,) = first_look(Folders("smoke", str(pair_folder))).photographs
    assert photograph["name"] == pairs.test[0].stem


def test_a_folder_without_test_pairs_is_named(tmp_path, pair_folder):
    mine = shutil.copytree(pair_folder, tmp_path / "mine")
    shutil.rmtree(mine / "test")
    with pytest.raises(PairError, match=r"test holds no pair"):
        first_look(Folders("smoke", str(mine)))
