"""The training loop: what it writes, and that no interruption changes the result."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from orelib.baselines import BASELINES
from orelib.config import METHODS, Experiment, Folders, SettingsError
from orelib.evaluation import evaluate, summary
from orelib.methods import METHOD_CLASSES
from orelib.provenance import read_provenance
from orelib.restore import load_restorer
from orelib.table3 import build_table3
from orelib.training import TrainingError, read_log, train

RESULT = ("history.csv", "validation.csv", "generator.safetensors")


def stop_after(monkeypatch, method, steps):
    """Makes the method's step fail, as a power cut would, after so many calls."""
    whole, calls = METHOD_CLASSES[method].step, []

    def step(self, x, y):
        calls.append(1)
        if len(calls) > steps:
            raise KeyboardInterrupt
        return whole(self, x, y)

    monkeypatch.setattr(METHOD_CLASSES[method], "step", step)


def test_a_run_folder_holds_what_it_promises(tmp_path, experiment, pairs):
    run = train(experiment, pairs, tmp_path / "run")
    assert Experiment.from_json((run / "config.json").read_text()) == experiment
    history = read_log(run, "history.csv")
    assert list(history.columns[:2]) == ["step", "epoch"]
    assert {"generator", "discriminator", "adversarial", "l1", "mse", "ssim"} <= set(history.columns)
    assert history["step"].tolist() == list(range(1, 9))
    assert history["epoch"].tolist() == [0] * 5 + [1] * 3
    assert read_log(run, "validation.csv")["step"].tolist() == [4, 8]
    provenance = read_provenance(run)
    assert provenance["data_checksum"] == pairs.checksum
    assert provenance["sessions"][0]["packages"]["torch"] == torch.__version__.split("+")[0]
    assert provenance["training_seconds"] > 0
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]


def test_the_kept_generator_is_the_best_on_validation(tmp_path, experiment, pairs):
    run = train(experiment.replace(validate_every=1), pairs, tmp_path)
    scores = read_log(run, "validation.csv")
    kept = load_restorer(run / "generator.safetensors").about["step"]
    assert kept == scores["step"][scores["psnr"].idxmax()] == read_provenance(run)["kept_step"]


def test_validating_does_not_change_the_training(tmp_path, experiment, pairs):
    often, seldom = (train(experiment.replace(validate_every=n), pairs, tmp_path / str(n)) for n in (1, 8))
    assert (often / "history.csv").read_bytes() == (seldom / "history.csv").read_bytes()


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tmp_path, experiment, pairs):
    runs = [train(experiment.replace(seed=seed), pairs, tmp_path / str(k)) for k, seed in enumerate((0, 0, 1))]
    one, two, other = ((run / "history.csv").read_bytes() for run in runs)
    assert one == two != other


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("stop", [3, 6])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path, pairs, monkeypatch, method, stop):
    experiment = Experiment.from_profile("smoke", method)
    whole = train(experiment, pairs, tmp_path / "whole")
    with monkeypatch.context() as patched:
        stop_after(patched, method, stop)
        with pytest.raises(KeyboardInterrupt):
            train(experiment, pairs, tmp_path / "cut")
    cut = train(experiment, pairs, tmp_path / "cut")
    for name in RESULT:
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_kill_between_history_and_checkpoint_loses_nothing(tmp_path, experiment, pairs, monkeypatch):
    whole = train(experiment, pairs, tmp_path / "whole")
    saved, save = [], torch.save

    def save_once(*arguments):
        if saved:
            raise KeyboardInterrupt
        saved.append(save(*arguments))

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", save_once)
        with pytest.raises(KeyboardInterrupt):
            train(experiment, pairs, tmp_path / "cut")
    assert len(read_log(tmp_path / "cut", "history.csv")) == 8  # ahead of the checkpoint, which is at step 4
    cut = train(experiment, pairs, tmp_path / "cut")
    for name in RESULT:
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.parametrize("method", METHODS)
def test_fine_tuning_starts_where_another_run_ended(tmp_path, pairs, method):
    first = train(Experiment.from_profile("smoke", method), pairs, tmp_path / "first")
    settings = {"start_from": str(first / "generator.safetensors"), "steps": 1, "learning_rate": 1e-9}
    tuned = train(Experiment.from_profile("smoke", method, **settings), pairs, tmp_path / "tuned")
    began, ended = (load_file(run / "generator.safetensors") for run in (first, tuned))
    learned = [name for name in began if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    assert all(torch.allclose(began[name], ended[name], atol=1e-6) for name in learned)
    assert read_provenance(tuned)["started_from"]["data_checksum"] == pairs.checksum


def test_a_begun_fine_tuning_needs_its_origin_no_more(tmp_path, pairs, monkeypatch):
    first = train(Experiment.from_profile("smoke", "nafnet"), pairs, tmp_path / "first")
    origin = first / "generator.safetensors"
    tuning = Experiment.from_profile("smoke", "nafnet", start_from=str(origin))
    whole = train(tuning, pairs, tmp_path / "whole")
    with monkeypatch.context() as patched:
        stop_after(patched, "nafnet", 6)
        with pytest.raises(KeyboardInterrupt):
            train(tuning, pairs, tmp_path / "cut")
    origin.unlink()
    cut = train(tuning, pairs, tmp_path / "cut")
    assert (cut / "generator.safetensors").read_bytes() == (whole / "generator.safetensors").read_bytes()
    assert "started_from" in read_provenance(cut)
    assert train(tuning, pairs, cut) == cut  # finished


@pytest.mark.parametrize(
    "missing", [{"start_from": "none.safetensors"}, {"vgg_weights": "none.pth", "lambda_perceptual": 1.0}]
)
def test_weights_that_are_missing_leave_no_folder_behind(tmp_path, experiment, pairs, missing):
    with pytest.raises(FileNotFoundError, match="none"):
        train(experiment.replace(**missing), pairs, tmp_path / "run")
    assert not (tmp_path / "run").exists()


TRAINER = """
import sys, torch
from pathlib import Path
from orelib.config import Experiment, Folders
from orelib.pairs import load_pairs
from orelib.training import train
pairs = load_pairs(Folders("smoke", data_dir=sys.argv[1]))
experiment = Experiment.from_profile("smoke", "pix2pix", threads=1, steps=120, checkpoint_every=5, validate_every=20)
train(experiment, pairs, Path(sys.argv[2]))
"""


def test_sigkill_at_any_moment_changes_nothing(tmp_path, pair_folder):
    command = [sys.executable, "-c", TRAINER, str(pair_folder)]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True, timeout=600)
    cut = tmp_path / "cut"

    def saved():
        try:
            return (cut / "checkpoint.pt").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    for wait in (0.0, 0.15, 0.4):
        process = subprocess.Popen([*command, str(cut)], stdout=subprocess.DEVNULL)
        seen = saved()
        while process.poll() is None and saved() == seen:
            time.sleep(0.01)
        time.sleep(wait)
        process.kill()
        process.wait()
    done = subprocess.run([*command, str(cut)], check=True, capture_output=True, text=True, timeout=600)
    assert "going on from step" in done.stdout or "is finished" in done.stdout
    for name in RESULT:
        assert (cut / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_finished_run_is_left_as_it_is(tmp_path, experiment, pairs, capsys):
    run = train(experiment, pairs, tmp_path)
    written = (run / "generator.safetensors").stat().st_mtime_ns
    train(experiment, pairs, run)
    assert (run / "generator.safetensors").stat().st_mtime_ns == written
    assert "is finished" in capsys.readouterr().out


def test_other_settings_and_other_images_are_refused(tmp_path, experiment, pairs):
    run = train(experiment, pairs, tmp_path)
    with pytest.raises(SettingsError, match=r"learning_rate: 0.0002 there, 0.01 now"):
        train(experiment.replace(learning_rate=0.01), pairs, run)
    others = replace(pairs, checksum="another checksum")
    with pytest.raises(SettingsError, match="other images"):
        train(experiment, others, run)


def test_a_loss_that_is_not_finite_stops_the_run_with_advice(tmp_path, experiment, pairs, monkeypatch):
    whole = METHOD_CLASSES["improved"].step

    def explode(self, x, y):
        losses = whole(self, x, y)
        self.count = getattr(self, "count", 0) + 1
        return losses | {"ssim": losses["ssim"] * (float("nan") if self.count == 6 else 1)}

    monkeypatch.setattr(METHOD_CLASSES["improved"], "step", explode)
    with pytest.raises(TrainingError, match=r"step 6 .*\(ssim\).*step 4.*learning_rate") as error:
        train(experiment, pairs, tmp_path)
    assert "0.0002" in str(error.value)
    assert not (tmp_path / "generator.safetensors").exists()
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 4


def test_worker_processes_give_the_same_run(tmp_path, experiment, pairs):
    alone = train(experiment, pairs, tmp_path / "alone")
    helped = train(experiment.replace(loader_workers=1), pairs, tmp_path / "helped")
    assert (alone / "history.csv").read_bytes() == (helped / "history.csv").read_bytes()


def test_bytes_become_the_floats_that_samples_were(tmp_path, experiment, pairs, monkeypatch):
    now = train(experiment, pairs, tmp_path / "now")

    def one_by_one(images, device):
        return torch.stack([image.permute(2, 0, 1).float().div_(127.5).sub_(1) for image in images]).to(device)

    monkeypatch.setattr("orelib.training.to_network", one_by_one)
    before = train(experiment, pairs, tmp_path / "before")
    for name in RESULT:
        assert (now / name).read_bytes() == (before / name).read_bytes(), name


def test_runs_of_a_results_folder_share_decoded_photographs(tmp_path, experiment, pairs, capsys):
    train(experiment, pairs, tmp_path / "one")
    assert "decoding photographs" in capsys.readouterr().out
    train(experiment.replace(seed=1), pairs, tmp_path / "two")
    assert "decoding photographs" not in capsys.readouterr().out
    assert len(list((tmp_path / "pixels").iterdir())) == 2 * len(pairs.train)


def test_missing_logs_say_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="method='cyclegan' and seed=3"):
        read_log(tmp_path / "cyclegan-seed3", "history.csv")


def test_evaluation_writes_tidy_scores_once(tmp_path, experiment, pairs):
    run = train(experiment, pairs, tmp_path)
    metrics = evaluate(run, pairs)
    assert metrics["image"].tolist() == ["belt_6", "belt_7"]
    assert {"psnr", "ssim", "psnr_luma", "ssim_luma", "ssim_library"} <= set(metrics.columns)
    baselines = pd.read_csv(run / "baselines.csv")
    assert baselines.columns[0] == "method"
    assert len(baselines) == 2 * len(BASELINES)
    assert json.loads((run / "provenance.json").read_text())["seconds_per_image"] > 0
    assert summary(run).index.tolist() == [*BASELINES, "improved"]
    written = (run / "metrics.csv").stat().st_mtime_ns
    evaluate(run, pairs)
    assert (run / "metrics.csv").stat().st_mtime_ns == written


def test_the_same_seed_gives_the_same_table_and_another_seed_another(tmp_path, pairs):
    tables = []
    for number, seed in enumerate((0, 0, 1)):
        folders = Folders("smoke", results_dir=str(tmp_path / str(number)))
        for method in METHODS:
            experiment = Experiment.from_profile("smoke", method, seed)
            evaluate(train(experiment, pairs, folders.run(method, seed)), pairs)
        tables.append(build_table3(folders, seed).drop(columns=["seconds_per_image", "training_seconds"]))
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])
