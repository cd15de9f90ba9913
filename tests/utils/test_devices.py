"""Devices: no GPU that was not given, and one of its own for each process, on a machine whose GPUs are made up."""

import os
import stat
import subprocess
import sys

import pytest
import torch

from orelib.config import Experiment
from orelib.training import start_torch
from orelib.utils import devices
from orelib.utils.allowed import SettingsError

FOUR = ("a", "b", "c", "d")
# Takes a GPU, says which, forks a child as a loader of samples is forked, and keeps the GPU until stdin ends.
PROCESS = """
import os, sys, time
from pathlib import Path
from orelib.utils.devices import own_gpu

mine = own_gpu(("a", "b", "c", "d"), Path(sys.argv[1]))
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print(mine, own_gpu(("a", "b", "c", "d"), Path(sys.argv[1])), "torch" in sys.modules, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _nothing_is_taken(monkeypatch):
    devices.own_gpu.cache_clear()
    for name in ("SLURM_JOB_ID", *devices.OF_THE_JOB):
        monkeypatch.delenv(name, raising=False)
    yield
    devices.own_gpu.cache_clear()


@pytest.fixture
def gpus(monkeypatch, tmp_path):
    """PyTorch says that there are GPUs of these names; returns the one that is its current one, in a list."""
    current = [None]

    def found(*names):
        monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(names))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda k: type("Card", (), {"uuid": names[k]}))
        monkeypatch.setattr(torch.cuda, "set_device", lambda k: current.__setitem__(0, k))
        return current

    return found


@pytest.fixture
def process(tmp_path):
    """Starts a process that takes a GPU; what it says is on its stdout."""
    started = []

    def start():
        command = [sys.executable, "-c", PROCESS, str(tmp_path)]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        started.append(subprocess.Popen(command, text=True, **pipes))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


def test_four_processes_take_four_gpus_and_a_killed_one_frees_its_own(process):
    running = [process() for _ in range(4)]
    said = [one.stdout.readline().split() for one in running]
    assert sorted(line[0] for line in said) == ["0", "1", "2", "3"]
    assert [line[1:] for line in said] == [[line[0], "False"] for line in said], "another one, or PyTorch was loaded"
    fifth = process()
    assert fifth.stdout.readline().split()[0] == "0"
    assert "All 4 GPUs are in use" in fifth.stderr.readline()
    running[2].kill()  # its child lives on
    running[2].wait()
    assert process().stdout.readline().split()[0] == said[2][0]


def test_what_others_put_into_the_shared_folder_does_no_harm(tmp_path):
    (tmp_path / "orelib-gpu-a.lock").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "orelib-gpu-b.lock")
    assert devices.own_gpu(FOUR, tmp_path) == 1  # without waiting for a writer
    assert not (tmp_path / "elsewhere").exists()


def test_another_user_can_see_that_a_gpu_is_taken(tmp_path):
    mask = os.umask(0o077)
    try:
        assert devices.own_gpu(FOUR, tmp_path) == 0
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "orelib-gpu-a.lock").stat().st_mode) == 0o644


def test_one_gpu_needs_no_lock_and_a_system_without_locks_takes_the_first(tmp_path, monkeypatch):
    assert devices.own_gpu(("a",), tmp_path) == 0
    monkeypatch.setattr(devices, "fcntl", None)
    assert devices.own_gpu(FOUR, tmp_path) == 0
    assert not list(tmp_path.iterdir())


def test_training_takes_a_gpu_of_its_own_and_stays_there(gpus, tmp_path):
    current = gpus(*FOUR)
    devices._lock(tmp_path / "orelib-gpu-a.lock")  # as another process does
    taken = [start_torch(Experiment("smoke", device=setting)) for setting in ("auto", "cuda", "auto")]
    assert taken == [torch.device("cuda", 1)] * 3
    assert current == [1]
    assert start_torch(Experiment("smoke", device="cpu")) == torch.device("cpu")


@pytest.mark.parametrize("given", [{}, {"CUDA_VISIBLE_DEVICES": ""}])
def test_a_slurm_job_without_a_gpu_takes_none(gpus, monkeypatch, given):
    gpus("a")
    assert start_torch(Experiment("smoke")) == torch.device("cuda", 0)
    for name, value in ({"SLURM_JOB_ID": "17"} | given).items():
        monkeypatch.setenv(name, value)
    assert start_torch(Experiment("smoke")) == torch.device("cpu")
    with pytest.raises(SettingsError, match="this Slurm job was given no GPU: ask for one"):
        start_torch(Experiment("smoke", device="cuda"))


@pytest.mark.parametrize("name", devices.OF_THE_JOB)
def test_a_slurm_job_takes_a_gpu_that_it_was_given(gpus, monkeypatch, name):
    gpus("a")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv(name, "0")
    assert start_torch(Experiment("smoke")) == torch.device("cuda", 0)


def test_without_a_gpu_auto_is_the_processor_and_cuda_an_error(gpus):
    gpus()
    assert start_torch(Experiment("smoke")) == torch.device("cpu")
    with pytest.raises(SettingsError, match="PyTorch finds no GPU here"):
        start_torch(Experiment("smoke", device="cuda"))


@pytest.mark.parametrize("file", ["nvidia0", "dxg"])
def test_gpus_are_counted_for_planning(gpus, tmp_path, monkeypatch, file):
    gpus(*FOUR)
    assert devices.gpus_given(tmp_path / "none") == 0
    (tmp_path / "nvidiactl").touch()
    assert devices.gpus_given(tmp_path) == 0, "a driver without a card"
    (tmp_path / file).touch()
    assert devices.gpus_given(tmp_path) == 4
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert devices.gpus_given(tmp_path) == 0
    monkeypatch.delenv("SLURM_JOB_ID")
    gpus()  # PyTorch for processors alone
    assert devices.gpus_given(tmp_path) == 0


def test_counting_does_not_load_pytorch_without_a_gpu(tmp_path):
    code = (
        "import sys; from pathlib import Path; from orelib.utils.devices import gpus_given; "
        "print(gpus_given(Path(sys.argv[1])), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]
