"""The training loop: what it writes, and that no interruption changes the result."""

import json
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from orelib import checkpoint
from orelib.baselines import BASELINES
from orelib.checkpoint import read_checkpoint, write_checkpoint
from orelib.config import METHODS, Experiment
from orelib.evaluation import evaluate, summary
from orelib.methods import CLASSES
from orelib.restore.restorer import load_restorer
from orelib.runs import Folders
from orelib.study.table3 import build_table3
from orelib.training import TrainingError, read_log, refuse_other_images, train
from orelib.utils.allowed import SettingsError
from orelib.utils.checksums import DamagedFileError, write_json
from orelib.utils.provenance import demand_whole, is_listed, is_whole, read_provenance, write_provenance
from orelib.utils.weights import ModelFileError

RESULT = ("history.csv", "validation.csv", "generator.safetensors")


def stop_after(monkeypatch, method, steps):
    """Makes the method's step fail, as a power cut would, after so many calls."""
    whole, calls = CLASSES[method].step, []

    def step(self, x, y):
        calls.append(1)
        if len(calls) > steps:
            raise KeyboardInterrupt
        return whole(self, x, y)

    monkeypatch.setattr(CLASSES[method], "step", step)


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
    assert provenance["sessions"][0]["packages"]["torch"] == version("torch")
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
    experiment = Experiment("smoke", method)
    whole = train(experiment, pairs, tmp_path / "whole")
    with monkeypatch.context() as patched:
        stop_after(patched, method, stop)
        with pytest.raises(KeyboardInterrupt):
            train(experiment, pairs, tmp_path / "cut")
    cut = train(experiment, pairs, tmp_path / "cut")
    for name in RESULT:
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name


def cut_run(tmp_path, experiment, pairs, monkeypatch, steps=6):
    """A run that was stopped after its checkpoint at step 4, and the whole one that it has to become."""
    whole = train(experiment, pairs, tmp_path / "whole")
    with monkeypatch.context() as patched:
        stop_after(patched, experiment.method, steps)
        with pytest.raises(KeyboardInterrupt):
            train(experiment, pairs, tmp_path / "cut")
    return tmp_path / "cut", whole


def assert_same(run, whole):
    for name in RESULT:
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_run_in_bfloat16_says_so_and_ends_like_an_uninterrupted_one(tmp_path, experiment, pairs, monkeypatch, capsys):
    run, whole = cut_run(tmp_path, experiment.replace(precision="bfloat16"), pairs, monkeypatch)
    train(experiment.replace(precision="bfloat16"), pairs, run)
    assert_same(run, whole)
    assert capsys.readouterr().out.count("networks compute in bfloat16") == 3
    assert [session["precision"] for session in read_provenance(run)["sessions"]] == ["bfloat16"] * 2
    exact = train(experiment, pairs, tmp_path / "exact")
    assert "networks compute" not in capsys.readouterr().out
    assert read_provenance(exact)["sessions"][0]["precision"] == "float32"
    assert (exact / "history.csv").read_bytes() != (run / "history.csv").read_bytes()


def test_a_kill_between_checkpoint_and_history_loses_nothing(tmp_path, experiment, pairs, monkeypatch):
    whole = train(experiment, pairs, tmp_path / "whole")
    written, write = [], checkpoint.write_text

    def write_once(path, text):
        if written and path.name == "history.csv":
            raise KeyboardInterrupt
        written.append(path.name == "history.csv")
        write(path, text)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "write_text", write_once)
        with pytest.raises(KeyboardInterrupt):
            train(experiment, pairs, tmp_path / "cut")
    assert read_checkpoint(tmp_path / "cut" / "checkpoint.pt")["step"] > 0
    assert_same(train(experiment, pairs, tmp_path / "cut"), whole)


@pytest.mark.parametrize("name", ["history.csv", "validation.csv", "config.json", "provenance.json"])
@pytest.mark.parametrize("damage", ["deleted", "emptied", "cut", "changed"])
def test_what_a_checkpoint_holds_too_is_made_again(tmp_path, experiment, pairs, monkeypatch, name, damage):
    cut, whole = cut_run(tmp_path, experiment, pairs, monkeypatch)
    content = (cut / name).read_bytes()
    (cut / name).unlink()
    if damage != "deleted":
        at = len(content) // 2
        changed = {"emptied": b"", "cut": content[:at], "changed": content[:at] + b"\0" + content[at + 1 :]}
        (cut / name).write_bytes(changed[damage])
    assert_same(train(experiment, pairs, cut), whole)
    assert Experiment.from_json((cut / "config.json").read_text()) == experiment
    assert read_provenance(cut)["data_checksum"] == pairs.checksum
    assert all(is_whole(cut / name) for name in ("history.csv", "validation.csv", "config.json"))


def test_a_checkpoint_knows_its_settings_and_images(tmp_path, experiment, pairs, monkeypatch):
    cut, _ = cut_run(tmp_path, experiment, pairs, monkeypatch)
    (cut / "config.json").unlink()
    (cut / "provenance.json").unlink()
    with pytest.raises(SettingsError, match="other images"):
        train(experiment, replace(pairs, checksum="another"), cut)
    with pytest.raises(SettingsError, match="learning_rate"):
        train(experiment.replace(learning_rate=0.01), pairs, cut)


def test_a_finished_run_knows_its_settings_and_images(tmp_path, experiment, pairs):
    run = train(experiment, pairs, tmp_path)
    (run / "config.json").unlink()
    with pytest.raises(SettingsError, match="other images"):
        train(experiment, replace(pairs, checksum="another"), run)
    assert not (run / "config.json").exists()
    train(experiment, pairs, run)
    assert Experiment.from_json((run / "config.json").read_text()) == experiment


def test_a_damaged_checkpoint_is_refused(tmp_path, experiment, pairs, monkeypatch):
    cut, _ = cut_run(tmp_path, experiment, pairs, monkeypatch)
    path = cut / "checkpoint.pt"
    content = path.read_bytes()
    weights = max(zipfile.ZipFile(path).infolist(), key=lambda member: member.file_size)
    at = weights.header_offset + weights.file_size // 2
    for damaged in (content[: len(content) // 2], b"", content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]):
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError, match=r"checkpoint\.pt is damaged .*delete the folder"):
            train(experiment, pairs, cut)
        assert path.read_bytes() == damaged


def test_a_checkpoint_of_an_earlier_version_is_refused(tmp_path, experiment, pairs, monkeypatch):
    cut, _ = cut_run(tmp_path, experiment, pairs, monkeypatch)
    torch.save({"step": 4}, cut / "checkpoint.pt")
    with pytest.raises(DamagedFileError, match="earlier version"):
        train(experiment, pairs, cut)


def test_a_checkpoint_whose_networks_were_called_otherwise_is_refused(tmp_path, experiment, pairs, monkeypatch):
    run, _ = cut_run(tmp_path, experiment, pairs, monkeypatch)
    state = read_checkpoint(run / "checkpoint.pt")
    state["method"]["networks"]["judge"] = state["method"]["networks"].pop("discriminator")
    write_checkpoint(run / "checkpoint.pt", state)
    with pytest.raises(DamagedFileError, match="earlier version"):
        train(experiment, pairs, run)


def test_a_finished_run_keeps_no_checkpoint(tmp_path, experiment, pairs):
    run = train(experiment, pairs, tmp_path)
    assert not (run / "checkpoint.pt").exists()
    (run / "checkpoint.pt").write_bytes(b"left by a kill")
    train(experiment, pairs, run)
    assert not (run / "checkpoint.pt").exists()


def test_a_checkpoint_beside_a_damaged_generator_is_kept(tmp_path, experiment, pairs, monkeypatch):
    cut, whole = cut_run(tmp_path, experiment, pairs, monkeypatch)
    content = bytearray((whole / "generator.safetensors").read_bytes())
    content[-10] ^= 1
    (cut / "generator.safetensors").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"generator\.safetensors is damaged"):
        train(experiment, pairs, cut)
    assert (cut / "checkpoint.pt").exists()
    (cut / "generator.safetensors").unlink()
    assert_same(train(experiment, pairs, cut), whole)


def test_a_full_disk_stops_the_run_and_keeps_the_last_checkpoint(tmp_path, experiment, pairs, monkeypatch):
    whole = train(experiment, pairs, tmp_path / "whole")
    saved, save = [], torch.save

    def save_once(state, path):
        if saved:
            Path(path).write_bytes(b"half")
            raise RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed")
        saved.append(save(state, path))

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", save_once)
        with pytest.raises(TrainingError, match=r"step 8 .*checkpoint\.pt cannot be written .* at step 4.*Make room"):
            train(experiment, pairs, tmp_path / "cut")
    assert not [path for path in (tmp_path / "cut").iterdir() if path.name.startswith(".")]
    assert_same(train(experiment, pairs, tmp_path / "cut"), whole)


def test_results_on_other_images_are_refused_before_anything_is_written(tmp_path, experiment, pairs):
    folders = Folders("smoke", results_dir=str(tmp_path / "c++"))
    run = train(experiment, pairs, folders.run("improved", 0))
    shutil.copytree(run, run.with_name("improved-seed0-old"))  # somebody's copy
    write_provenance(run.with_name("improved-seed0-old"), data_checksum="of other images")
    refuse_other_images(folders, pairs)
    with pytest.raises(SettingsError, match=r"improved-seed0.*another results_dir"):
        refuse_other_images(folders, replace(pairs, checksum="another"))


@pytest.mark.parametrize("method", METHODS)
def test_fine_tuning_starts_where_another_run_ended(tmp_path, pairs, method):
    first = train(Experiment("smoke", method), pairs, tmp_path / "first")
    settings = {"start_from": str(first / "generator.safetensors"), "steps": 1, "learning_rate": 1e-9}
    tuned = train(Experiment("smoke", method, **settings), pairs, tmp_path / "tuned")
    began, ended = (load_file(run / "generator.safetensors") for run in (first, tuned))
    learned = [name for name in began if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    assert all(torch.allclose(began[name], ended[name], atol=1e-6) for name in learned)
    assert read_provenance(tuned)["started_from"]["data_checksum"] == pairs.checksum


def test_a_begun_fine_tuning_needs_its_origin_no_more(tmp_path, pairs, monkeypatch):
    first = train(Experiment("smoke", "nafnet"), pairs, tmp_path / "first")
    origin = first / "generator.safetensors"
    tuning = Experiment("smoke", "nafnet", start_from=str(origin))
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
from orelib.config import Experiment
from orelib.runs import Folders
from orelib.data.pairs import load_pairs
from orelib.training import train
pairs = load_pairs(Folders("smoke", data_dir=sys.argv[1]))
experiment = Experiment("smoke", "pix2pix", threads=1, steps=120, checkpoint_every=5, validate_every=20)
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
    whole = CLASSES["improved"].step

    def explode(self, x, y):
        losses = whole(self, x, y)
        self.count = getattr(self, "count", 0) + 1
        return losses | {"ssim": losses["ssim"] * (float("nan") if self.count == 6 else 1)}

    monkeypatch.setattr(CLASSES["improved"], "step", explode)
    with pytest.raises(TrainingError, match=r"step 6 .*\(ssim\).*step 4.*learning_rate") as error:
        train(experiment, pairs, tmp_path)
    assert "0.0002" in str(error.value)
    assert not (tmp_path / "generator.safetensors").exists()
    assert read_checkpoint(tmp_path / "checkpoint.pt")["step"] == 4


def test_a_loss_that_is_not_finite_at_once_names_no_checkpoint(tmp_path, experiment, pairs, monkeypatch):
    bad = {"generator": torch.tensor(float("nan"))}
    monkeypatch.setattr(CLASSES["improved"], "step", lambda self, x, y: bad)
    with pytest.raises(TrainingError, match="nothing was saved before"):
        train(experiment, pairs, tmp_path)


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


@pytest.mark.parametrize("name", ["metrics.csv", "baselines.csv"])
@pytest.mark.parametrize("listed", [True, False])
def test_scores_that_lack_images_are_computed_again(tmp_path, experiment, pairs, capsys, name, listed):
    run = train(experiment, pairs, tmp_path / "improved-seed0")
    evaluate(run, pairs)
    whole = (run / name).read_bytes()
    for damaged in (whole[: whole.index(b"belt_7")], whole + whole.splitlines(keepends=True)[-1]):
        if not listed:  # as an earlier version of the kit left it
            write_provenance(run, files={})
        (run / name).write_bytes(damaged)
        evaluate(run, pairs)
        assert (run / name).read_bytes() == whole
    assert f"{name} is damaged" in capsys.readouterr().out


def test_scores_without_what_they_cost_are_computed_again(tmp_path, experiment, pairs):
    """A kill came between the table and its entry in the provenance."""
    run = train(experiment, pairs, tmp_path)
    evaluate(run, pairs)
    facts = read_provenance(run)
    whole = (run / "metrics.csv").read_bytes()
    del facts["files"]["metrics.csv"], facts["parameters"], facts["multiply_adds"]
    write_json(run / "provenance.json", facts)
    evaluate(run, pairs)
    assert (run / "metrics.csv").read_bytes() == whole
    assert {"parameters", "multiply_adds"} <= set(read_provenance(run))
    assert is_listed(run / "metrics.csv")


def test_a_changed_score_is_found(tmp_path, experiment, pairs):
    run = train(experiment, pairs, tmp_path)
    evaluate(run, pairs)
    whole = (run / "metrics.csv").read_text()
    digit = whole.index("belt_6,") + len("belt_6,")
    (run / "metrics.csv").write_text(whole[:digit] + ("1" if whole[digit] == "2" else "2") + whole[digit + 1 :])
    with pytest.raises(DamagedFileError, match=r"metrics\.csv is not what was written"):
        demand_whole(run / "metrics.csv")
    evaluate(run, pairs)
    assert (run / "metrics.csv").read_text() == whole


def test_the_same_seed_gives_the_same_table_and_another_seed_another(tmp_path, pairs):
    tables = []
    for number, seed in enumerate((0, 0, 1)):
        folders = Folders("smoke", results_dir=str(tmp_path / str(number)))
        for method in METHODS:
            experiment = Experiment("smoke", method, seed)
            evaluate(train(experiment, pairs, folders.run(method, seed)), pairs)
        tables.append(build_table3(folders, seed).drop(columns=["seconds_per_image", "training_seconds"]))
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])
