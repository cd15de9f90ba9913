"""A training that is asked to stop: nothing is lost, and the same again ends as if it had never been stopped."""

import os
import re
import signal
import subprocess
import sys
import threading

import pytest
import torch
from conftest import ROOT

from orelib.checkpoint import TrainingStopped, read_checkpoint, write_checkpoint
from orelib.config import METHODS, Experiment
from orelib.methods import CLASSES
from orelib.restore.restorer import export_onnx, load_restorer
from orelib.restore.snapshots import read_snapshots
from orelib.training import is_finished, read_log, train
from orelib.utils.watching import Lines

RESULT = ("history.csv", "validation.csv", "snapshots.json", "generator.safetensors")


class StopAfter(Lines):
    """Asks to stop after some steps of a run, as a button does, and keeps what it is told."""

    def __init__(self, *steps):
        super().__init__()
        self.steps, self.begun, self.told, self.scored, self.ended = steps, None, [], [], []

    def begin(self, title, step, steps, earlier, pictures):
        super().begin(title, step, steps, earlier, pictures)
        self.begun = title, step, steps, {name: len(values) for name, values in earlier.items()}

    def advance(self, step, values, seconds_left):
        self.told.append((step, list(values)))
        if step in self.steps:
            self.stop.set()

    def score(self, step, scores, pictures):
        self.scored.append((step, list(scores), list(pictures.restored)))

    def end(self, state, says):
        self.ended.append((state, says))


def stopped(experiment, pairs, run, *steps):
    """Trains until one of the steps; returns the sentence that says where it stands."""
    with pytest.raises(TrainingStopped) as raised:
        train(experiment, pairs, run, StopAfter(*steps))
    return str(raised.value)


def assert_same(run, whole):
    assert sorted(path.name for path in run.iterdir()) == sorted(path.name for path in whole.iterdir())
    for name in RESULT:
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_ends_like_one_that_was_not(tmp_path, pairs, method):
    experiment = Experiment("smoke", method)
    whole = train(experiment, pairs, tmp_path / "whole")
    for step in (1, 3, 6):  # twice before the first validation, and once after it
        stopped(experiment, pairs, tmp_path / "cut", step)
        assert read_checkpoint(tmp_path / "cut" / "checkpoint.pt")["step"] == step
        assert not is_finished(tmp_path / "cut")
    assert_same(train(experiment, pairs, tmp_path / "cut"), whole)


def test_before_the_first_validation_it_restores_as_it_is_and_says_so(tmp_path, experiment, pairs):
    says = stopped(experiment, pairs, tmp_path / "run", 2)
    assert re.search(r"step 2 of 8; .*stopped\.safetensors restores already, .*not validated.*run the same again", says)
    restorer = load_restorer(tmp_path / "run" / "stopped.safetensors")
    assert restorer.about["step"] == 2
    assert "stopped at step 2 of 8: nothing was validated" in restorer.describe()
    kept = read_checkpoint(tmp_path / "run" / "checkpoint.pt")["method"]["networks"]["generator"]
    assert all(torch.equal(value, kept[name]) for name, value in restorer.generator.state_dict().items())


def test_after_a_validation_it_restores_with_the_best_generator_and_says_so(tmp_path, experiment, pairs):
    says = stopped(experiment, pairs, tmp_path / "run", 6)
    assert "the best generator so far, of step 4;" in says
    restorer = load_restorer(tmp_path / "run" / "stopped.safetensors")
    psnr = read_log(tmp_path / "run", "validation.csv")["psnr"].iloc[0]
    assert restorer.about["stopped"] == {"step": 6, "psnr": psnr}
    assert f"stopped at step 6 of 8: this is the best generator until then, {psnr:.2f} dB" in restorer.describe()
    wet, _ = pairs.test[0].load()
    early = train(experiment.replace(steps=4), pairs, tmp_path / "early")
    assert (restorer.restore(wet) == load_restorer(early / "generator.safetensors").restore(wet)).all()


def test_a_stopped_restorer_is_a_model_file_like_others(tmp_path, experiment, pairs):
    stopped(experiment, pairs, tmp_path, 3)
    export_onnx(tmp_path / "stopped.safetensors", tmp_path / "stopped.onnx")
    assert "stopped at step 3" in load_restorer(tmp_path / "stopped.onnx", engine="onnx").describe()
    tuned = train(experiment.replace(start_from=str(tmp_path / "stopped.safetensors")), pairs, tmp_path / "tuned")
    assert is_finished(tuned)


def test_asked_to_stop_during_the_last_step_it_finishes(tmp_path, experiment, pairs):
    watch = StopAfter(8)
    run = train(experiment, pairs, tmp_path / "run", watch)
    assert [state for state, _ in watch.ended] == ["finished"]
    assert_same(run, train(experiment, pairs, tmp_path / "whole"))


def test_a_stop_after_a_finished_run_changes_nothing(tmp_path, experiment, pairs):
    run = train(experiment, pairs, tmp_path / "run")
    watch = StopAfter()
    watch.stop.set()
    assert train(experiment, pairs, run, watch) == run


def test_what_was_left_by_a_kill_in_the_end_is_removed(tmp_path, experiment, pairs):
    stopped(experiment, pairs, tmp_path / "run", 3)
    content = (tmp_path / "run" / "stopped.safetensors").read_bytes()
    run = train(experiment, pairs, tmp_path / "run")
    assert not (run / "stopped.safetensors").exists()
    (run / "stopped.safetensors").write_bytes(content)
    train(experiment, pairs, run)
    assert not (run / "stopped.safetensors").exists()


def test_who_watches_is_told_of_steps_scores_and_the_past(tmp_path, experiment, pairs):
    first, second = StopAfter(5), StopAfter()
    with pytest.raises(TrainingStopped):
        train(experiment, pairs, tmp_path / "run", first)
    train(experiment, pairs, tmp_path / "run", second)
    assert first.begun == ("improved seed 0", 0, 8, {})
    assert first.told == [(step, ["G", "D"]) for step in range(1, 6)]
    assert first.scored == [(4, ["PSNR", "SSIM"], [0, 4])]
    assert second.begun == ("improved seed 0", 5, 8, {"G": 5, "D": 5})
    assert [step for step, _ in second.told] == [6, 7, 8]
    assert [(step, kept) for step, _, kept in second.scored] == [(4, [0, 4]), (8, [0, 4, 8])]
    assert [state for state, _ in first.ended + second.ended] == ["stopped", "finished"]


def test_a_failure_is_told(tmp_path, experiment, pairs, monkeypatch):
    def broken(self, x, y):
        raise RuntimeError("the step failed")

    monkeypatch.setattr(CLASSES["improved"], "step", broken)
    watch = StopAfter()
    with pytest.raises(RuntimeError, match="the step failed"):
        train(experiment, pairs, tmp_path / "run", watch)
    assert watch.ended == [("failed", "the step failed")]


# ---- pictures over the steps -----------------------------------------------------------------------------------------


def test_a_run_keeps_a_picture_at_each_validation(tmp_path, experiment, pairs):
    snapshots = read_snapshots(train(experiment, pairs, tmp_path / "run"))
    assert list(snapshots.restored) == [0, 4, 8]
    assert snapshots.image in {pair.stem for pair in pairs.val}
    assert snapshots.dry.psnr == 100
    assert snapshots.wet.pixels.shape == snapshots.restored[8].pixels.shape == (*snapshots.size, 3)


def test_a_checkpoint_without_pictures_goes_on_and_keeps_the_later_ones(tmp_path, experiment, pairs):
    whole = train(experiment, pairs, tmp_path / "whole")
    stopped(experiment, pairs, tmp_path / "cut", 5)
    state = read_checkpoint(tmp_path / "cut" / "checkpoint.pt")
    del state["snapshots"]  # as an earlier version left it
    write_checkpoint(tmp_path / "cut" / "checkpoint.pt", state)
    (tmp_path / "cut" / "snapshots.json").unlink()
    run = train(experiment, pairs, tmp_path / "cut")
    assert list(read_snapshots(run).restored) == [5, 8]
    assert (run / "generator.safetensors").read_bytes() == (whole / "generator.safetensors").read_bytes()


def test_a_run_without_pictures_says_so_in_a_sentence(tmp_path, experiment, pairs):
    run = train(experiment, pairs, tmp_path / "run")
    (run / "snapshots.json").unlink()
    train(experiment, pairs, run)  # is finished all the same
    with pytest.raises(FileNotFoundError, match=r"snapshots\.json is missing, so there are no pictures"):
        read_snapshots(run)


# ---- signals ---------------------------------------------------------------------------------------------------------


def interrupt(monkeypatch, number, signals):
    """Sends signals to this process within one step."""
    whole, calls = CLASSES["improved"].step, []

    def step(self, x, y):
        calls.append(1)
        losses = whole(self, x, y)
        for each in signals if len(calls) == number else ():
            os.kill(os.getpid(), each)
        return losses

    monkeypatch.setattr(CLASSES["improved"], "step", step)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_training_after_its_step(tmp_path, experiment, pairs, monkeypatch, number):
    whole = train(experiment, pairs, tmp_path / "whole")
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patched:
        interrupt(patched, 3, [number])
        with pytest.raises(TrainingStopped, match="step 3 of 8"):
            train(experiment, pairs, tmp_path / "cut")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert_same(train(experiment, pairs, tmp_path / "cut"), whole)


def test_a_second_ctrl_c_ends_it_at_once_and_the_last_checkpoint_is_kept(tmp_path, experiment, pairs, monkeypatch):
    whole = train(experiment, pairs, tmp_path / "whole")
    watch, before = StopAfter(), signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        interrupt(patched, 6, [signal.SIGINT, signal.SIGINT])
        with pytest.raises(KeyboardInterrupt) as raised:
            train(experiment, pairs, tmp_path / "cut", watch)
    assert not isinstance(raised.value, TrainingStopped)
    assert signal.getsignal(signal.SIGINT) == before
    assert read_checkpoint(tmp_path / "cut" / "checkpoint.pt")["step"] == 4
    assert not (tmp_path / "cut" / "stopped.safetensors").exists()
    assert watch.ended == [("failed", "ended at once; the same again goes on from the last checkpoint")]
    assert_same(train(experiment, pairs, tmp_path / "cut"), whole)


def test_in_another_thread_no_handler_is_touched_and_a_button_still_stops(tmp_path, experiment, pairs):
    before, found = signal.getsignal(signal.SIGINT), []

    def work():
        try:
            train(experiment, pairs, tmp_path / "run", StopAfter(2))
        except TrainingStopped as error:
            found.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "step 2 of 8" in found[0]
    assert signal.getsignal(signal.SIGINT) == before


PROGRAM = """
import signal, sys, time
from pathlib import Path
from orelib.config import Experiment
from orelib.data.pairs import load_pairs
from orelib.methods import CLASSES
from orelib.runs import Folders
from orelib.training import train
from orelib.utils.command import run_command

signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background ignore Ctrl-C
whole = CLASSES["slim"].step

def slow(self, x, y):
    print("a step", flush=True)
    time.sleep(0.3)
    return whole(self, x, y)

CLASSES["slim"].step = slow
pairs = load_pairs(Folders("smoke", data_dir=sys.argv[1]))
experiment = Experiment("smoke", "slim", threads=1, loader_workers=2)
run_command(lambda: train(experiment, pairs, Path(sys.argv[2])))
"""


def test_ctrl_c_in_a_terminal_is_one_line_and_130_also_with_worker_processes(tmp_path, pair_folder):
    """The terminal sends it to the worker processes, too, which neither die of it nor say anything."""
    command = [sys.executable, "-c", PROGRAM, str(pair_folder), str(tmp_path / "run")]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        while process.stdout.readline() != "a step\n":
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert re.fullmatch(r"orelib: \S+run stands at step \d of 8; .* goes on to the same end\.\n", err), err
    assert (tmp_path / "run" / "stopped.safetensors").exists()
    assert (tmp_path / "run" / "checkpoint.pt").exists()
