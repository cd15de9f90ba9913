"""The published experiment: what is trained, and what of it is kept."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from orelib.baselines import SHIPPED
from orelib.config import METHODS, Experiment, parse_changes
from orelib.data.pairs import load_pairs
from orelib.evaluation import evaluate
from orelib.runs import Folders
from orelib.sizing.scores import evaluate_sizing, size_without_runs
from orelib.study.kept import LOSSES, keep
from orelib.study.variants import ablation, all_variants, table3_variants
from orelib.training import train


@pytest.mark.parametrize("profile", ["smoke", "cpu"])
def test_every_variant_is_an_experiment_with_a_name_of_its_own(profile):
    variants = all_variants(profile)
    assert len({variant.name for variant in variants}) == len(variants)
    plain = Experiment(profile, "improved")
    for variant in ablation(profile):
        assert Experiment(profile, variant.method, **parse_changes(variant.changes)) != plain
    assert {variant.name for variant in variants} >= set(METHODS)


def test_the_published_experiment_is_as_large_as_it_should_be():
    assert all(variant.seeds >= 5 for variant in table3_variants("cpu"))
    assert all(variant.seeds >= 3 for variant in ablation("cpu"))
    steps = {Experiment("cpu", method).steps for method in METHODS}
    assert len(steps) == 1  # equal updates


def test_a_batch_of_four_sees_as_many_images():
    batch = next(variant for variant in ablation("cpu") if variant.key == "batch_4")
    one, four = (Experiment("cpu", "improved", **parse_changes(text)) for text in ("", batch.changes))
    assert four.steps * four.batch_size == one.steps * one.batch_size


@pytest.fixture(scope="module")
def trained(kit_folder):
    """Two methods trained and scored on embedded scenes."""
    folders = Folders("smoke")
    pairs = load_pairs(folders)
    for method in ("pix2pix", "improved"):
        run = train(Experiment("smoke", method), pairs, folders.run(method, 0))
        evaluate(run, pairs)
        evaluate_sizing(run, folders.data / "sizing")
    size_without_runs(folders)
    return folders


def test_what_no_run_restored_is_sized_once(trained):
    rows = pd.read_csv(trained.results / "sizing.csv")
    assert set(rows["method"]) == {"do_nothing", "linear_colour", "biharmonic", "telea", *SHIPPED, "dry"}
    assert set(pd.read_csv(trained.results / "sizes.csv")["method"]) == {*rows["method"], "truth"}
    assert len(pd.read_csv(trained.results / "scenes.csv")) == 3


def test_baselines_are_computed_once_for_all_runs_on_the_same_images(trained):
    one, other = (trained.run(method, 0) / "baselines.csv" for method in ("pix2pix", "improved"))
    assert one.read_bytes() == other.read_bytes()


def test_what_is_kept_is_small_and_enough(trained, tmp_path):
    keep(trained.results, tmp_path)
    kept = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert {"improved-seed0/metrics.csv", "improved-seed0/sizing.csv", "baselines.csv", "scenes.csv"} <= kept
    assert not [name for name in kept if name.endswith((".pt", ".safetensors"))]
    history = pd.read_csv(tmp_path / "improved-seed0" / "history.csv")
    assert set(history) == set(LOSSES)
    assert len(history) == 8
    metrics = "improved-seed0/metrics.csv"
    assert (tmp_path / metrics).read_bytes() == (trained.results / metrics).read_bytes()


def test_a_run_that_is_sized_is_left_as_it_is(trained, tmp_path):
    run = shutil.copytree(trained.run("improved", 0), tmp_path / "improved-seed0")
    sized = (run / "sizing.csv").stat().st_ino
    evaluate_sizing(run, trained.data / "sizing")
    assert (run / "sizing.csv").stat().st_ino == sized


@pytest.mark.parametrize("name", ["sizing.csv", "sizes.csv"])
def test_a_run_whose_sizes_are_damaged_is_sized_again(trained, tmp_path, name):
    run = shutil.copytree(trained.run("improved", 0), tmp_path / "improved-seed0")
    whole = (run / name).read_bytes()
    (run / name).write_bytes(whole[: len(whole) // 2])
    evaluate_sizing(run, trained.data / "sizing")
    assert (run / name).read_bytes() == whole


def test_the_same_run_alone_gives_the_same_metrics(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(trained.data.parent.parent)
    pairs = load_pairs(trained)
    run = train(Experiment("smoke", "improved"), pairs, tmp_path / "improved-seed0")
    evaluate(run, pairs)
    assert (run / "metrics.csv").read_bytes() == (trained.run("improved", 0) / "metrics.csv").read_bytes()
    assert json.loads((run / "provenance.json").read_text())["data_checksum"] == pairs.checksum
    assert np.isfinite(pd.read_csv(run / "metrics.csv")["psnr"]).all()


def test_a_changed_training_can_be_asked_for_by_its_name():
    """Of any field, not only of those in the ablation; by its name alone it would train what the profile says."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "--dry-run", "--printshellcmds"]
    target = "results/smoke/improved+lambda_l1=50+ssim_window=9-seed3/finished"
    asked = subprocess.run(
        [*command, "--config", "profile=smoke", "--", target], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "-p method improved -p seed 3 -r changes 'lambda_l1=50 ssim_window=9'" in asked.stdout
