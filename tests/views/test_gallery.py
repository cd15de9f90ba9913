"""Test images and what was trained: found, sorted, restored, compared."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from orelib.config import METHODS
from orelib.methods import CLASSES
from orelib.restore.restorer import load_restorer, save_generator
from orelib.runs import Folders
from orelib.views import compare, gallery, watched
from orelib.views.gallery import DEFAULT, Browser, Gallery, trained_runs


@pytest.fixture
def folders(tmp_path, pair_folder):
    return Folders("smoke", data_dir=str(pair_folder), results_dir=str(tmp_path))


@pytest.fixture
def trained(folders, experiment):
    """Untrained generators of every method, and a second seed of Improved that was scored."""
    for method, seed in [*((method, 0) for method in METHODS), ("improved", 1)]:
        settings = experiment.replace(method=method, seed=seed)
        weights = CLASSES[method].build_generator(settings).state_dict()
        save_generator(folders.run(method, seed) / "generator.safetensors", weights, settings, "abc", 1)
    scores = pd.DataFrame({"image": ["belt_6", "belt_7"], "psnr": [20.0, 10.0]})
    scores.to_csv(folders.run("improved", 1) / "metrics.csv", index=False)
    return folders


@pytest.fixture
def no_default(monkeypatch, tmp_path):
    monkeypatch.setattr(gallery, "DEFAULT_RESTORER", tmp_path / "none.safetensors")


def test_what_was_trained_is_found_in_the_order_of_figure_8(trained):
    assert list(trained_runs(trained)) == [
        "improved-seed0", "improved-seed1", "pix2pix-seed0", "cyclegan-seed0", "nafnet-seed0", "slim-seed0",
    ]  # fmt: skip


def test_a_copy_beside_a_run_is_passed_over(trained):
    shutil.copytree(trained.run("improved", 0), trained.results / "improved-seed0-backup")
    assert len(trained_runs(trained)) == len(METHODS) + 1


def test_images_are_sorted_by_score_worst_first(trained, pairs, no_default):
    shown = Gallery(trained, pairs)
    assert shown.sorted() == ["belt_6", "belt_7"]
    assert list(shown.orders) == ["PSNR of improved-seed1, worst first"]
    assert shown.sorted("PSNR of improved-seed1, worst first") == ["belt_7", "belt_6"]


def test_names_that_look_like_something_else_find_their_scores(trained, pairs, no_default):
    names = ["NA", "007"]
    named = replace(pairs, test=tuple(replace(pair, stem=name) for pair, name in zip(pairs.test, names, strict=True)))
    scores = pd.DataFrame({"image": [*names, "7", "nan"], "psnr": [20.0, np.nan, 30.0, 40.0]})
    scores.to_csv(trained.run("improved", 1) / "metrics.csv", index=False)
    shown = Gallery(trained, named)
    assert shown.scores["psnr_improved-seed1"].to_dict() == pytest.approx({"NA": 20, "007": np.nan}, nan_ok=True)
    assert shown.sorted("PSNR of improved-seed1, worst first") == names  # equal images come last
    slider = shown.compare(names, [])
    assert [photograph["name"] for photograph in slider.photographs] == names


def test_an_example_holds_what_was_chosen(trained, pairs, no_default):
    shown = Gallery(trained, pairs)
    one = shown.example("belt_6", shown.of_seed(0))
    assert list(one) == ["wet", "dry", "improved", "pix2pix", "cyclegan", "nafnet", "slim"]
    assert {image.shape for image in one.values()} == {(40, 48, 3)}
    both = shown.example("belt_6", ["improved-seed0", "improved-seed1"])
    assert list(both)[2:] == ["improved-seed0", "improved-seed1"]
    assert not np.array_equal(both["improved-seed0"], both["improved-seed1"])


def test_with_nothing_trained_the_default_restorer_stands_in(folders, pairs, tmp_path):
    shown = Gallery(Folders("smoke", folders.data_dir, str(tmp_path / "empty")), pairs)
    assert shown.of_seed(0) == [DEFAULT]
    example = shown.example("belt_6", [DEFAULT])
    assert list(example) == ["wet", "dry", DEFAULT]
    assert np.array_equal(example[DEFAULT], load_restorer().restore(example["wet"])), "its network alone, perhaps"


def test_with_nothing_at_all_the_cure_is_named(folders, pairs, no_default):
    with pytest.raises(FileNotFoundError, match="05_training"):
        Gallery(folders, pairs)


def test_headless_the_worst_images_are_a_page(trained, pairs, no_default):
    shown = Gallery(trained, pairs).browse(images=1, seed=0)
    assert isinstance(shown, compare.Compare)
    assert [photograph["name"] for photograph in shown.photographs] == ["belt_7"]


def test_controls_choose_image_order_and_models(trained, pairs, no_default):
    shown = Gallery(trained, pairs)
    browser = Browser(shown, "name", shown.of_seed(0))
    worst = "PSNR of improved-seed1, worst first"
    assert browser.orders == {"name": ["belt_6", "belt_7"], worst: ["belt_7", "belt_6"]}

    def layers():
        return [layer["name"] for layer in browser.photographs[0]["layers"]]

    assert browser.photographs[0]["name"] == browser.image == "belt_6"
    browser.show(by=worst, image="belt_7")
    assert browser.photographs[0]["name"] == browser.photograph == "belt_7"
    browser.show(models=["nafnet-seed0", "improved-seed1"])
    assert layers() == ["wet", "dry", "nafnet", "improved"]
    assert browser.right == "improved"  # as before, because it is there
    browser.show(models=[])
    assert layers() == ["wet", "dry"]
    assert browser.answered == browser.asked == 3


def test_an_image_that_cannot_be_restored_is_told_in_the_browser(trained, pairs, no_default):
    shown = Gallery(trained, pairs)
    browser = Browser(shown, "name", ["improved-seed0"])
    trained.run("nafnet", 0).joinpath("generator.safetensors").unlink()
    browser.show(models=["nafnet-seed0"])
    assert "nafnet-seed0" in browser.problem
    assert browser.answered == 1
    assert [layer["name"] for layer in browser.photographs[0]["layers"]] == ["wet", "dry", "improved"]
    browser.show(models=["improved-seed0"])
    assert browser.problem == ""


def test_a_browsers_output_holds_the_page_too(trained, pairs, no_default, monkeypatch):
    monkeypatch.setattr(watched, "is_watched", lambda: True)
    shown = Gallery(trained, pairs)
    data, _ = Browser(shown, "name", shown.of_seed(0))._repr_mimebundle_()
    assert {"text/html", "application/vnd.jupyter.widget-view+json"} <= set(data)
