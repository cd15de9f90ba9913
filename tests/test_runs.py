"""The folder of a run, and how runs are found."""

import json
from pathlib import Path

import pytest

from orelib.config import PUBLISHED, Experiment, UnknownMethodError
from orelib.runs import Folders, Run, find_runs, read_experiment, read_settings, runs_of


def make(results: Path, *names: str) -> None:
    for name in names:
        (results / name).mkdir(parents=True)
        (results / name / "metrics.csv").write_text("image,psnr\n")


def test_a_run_is_known_by_its_name():
    run = Run(Path("results/quick/improved+lambda_ssim=0+steps=9-seed12"))
    assert (run.method, run.variant, run.seed) == ("improved", "improved+lambda_ssim=0+steps=9", 12)
    assert run / "metrics.csv" == Path("results/quick/improved+lambda_ssim=0+steps=9-seed12/metrics.csv")
    assert Path(run) == run.path


@pytest.mark.parametrize("name", ["improved-seed0-old", "improved", "improved-seed", "-seed1"])
def test_a_folder_with_another_name_is_no_run(tmp_path, name):
    with pytest.raises(ValueError, match="<method>-seed<number>"):
        Run(tmp_path / name)
    make(tmp_path, name)
    assert find_runs(tmp_path, "metrics.csv") == []


def test_runs_come_in_the_order_of_the_methods(tmp_path):
    names = ["pix2pix-seed0", "pix2pix-seed10", "improved-seed2", "improved+steps=9-seed0", "slim-seed1", "mine-seed0"]
    make(tmp_path, *sorted(names))
    (tmp_path / "nafnet-seed0").mkdir()  # not scored yet
    assert [run.name for run in find_runs(tmp_path, "metrics.csv")] == names
    assert [run.name for run in find_runs(tmp_path, "metrics.csv", seed=0)] == [
        "pix2pix-seed0", "improved+steps=9-seed0", "mine-seed0",
    ]  # fmt: skip
    assert [run.seed for run in find_runs(tmp_path, "metrics.csv", variant="pix2pix")] == [0, 10]


def test_the_runs_of_a_seed_are_those_asked_for_and_all_others(tmp_path):
    folders = Folders("smoke", results_dir=str(tmp_path))
    make(folders.results, *(f"{method}-seed0" for method in PUBLISHED), "slim+steps=9-seed0", "slim-seed1")
    assert list(runs_of(folders, 0, "metrics.csv")) == [*PUBLISHED, "slim+steps=9"]
    assert list(runs_of(folders, 1, "metrics.csv", methods=["slim"])) == ["slim"]
    with pytest.raises(FileNotFoundError, match=r"pix2pix-seed1.*05_training"):
        runs_of(folders, 1, "metrics.csv")


def test_settings_of_a_method_that_is_not_known_here_can_be_read(tmp_path):
    settings = json.loads(Experiment("smoke").to_json()) | {"method": "mine"}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert read_settings(tmp_path)["steps"] == Experiment("smoke").steps
    with pytest.raises(UnknownMethodError, match=r"config\.json: method='mine' is unknown: .*register"):
        read_experiment(tmp_path)
