"""Where a process computes: on no GPU that was not given to it, and on one of its own where there are several."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from orelib.utils.allowed import SettingsError

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None

if TYPE_CHECKING:  # it loads slowly, and without a GPU nobody here asks it
    import torch

# Of a system with an NVIDIA GPU; dxg is Windows' own, under WSL 2.
DEVICE_FILES = ("nvidia[0-9]*", "dxg")
# Slurm names the GPUs of a job in these.
OF_THE_JOB = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "GPU_DEVICE_ORDINAL")
NONE_GIVEN = (
    "device='cuda': this Slurm job was given no GPU: ask for one (--gpus=1 or --gres=gpu:1), or choose auto or cpu; "
    "where the GPUs of a node belong to all of its jobs, set CUDA_VISIBLE_DEVICES"
)
NONE_FOUND = "device='cuda': PyTorch finds no GPU here: choose auto or cpu"


def device_for(setting: str) -> torch.device:
    """Returns the device that ``auto``, ``cpu`` or ``cuda`` means in this process; the same at every call.

    ``auto`` is a GPU where PyTorch finds one that this process may use (:func:`may_use_gpus`), and else the processor.
    Of several, the process takes one of its own (:func:`own_gpu`), which also becomes PyTorch's current one: what is
    put on "cuda", without a number, lies there, too.

    Raises SettingsError for ``cuda`` where there is no GPU, or none was given to this Slurm job.
    """
    import torch

    if setting == "cpu":
        return torch.device("cpu")
    may = may_use_gpus(os.environ)
    if not may or not torch.cuda.is_available():
        if setting == "cuda":
            raise SettingsError(NONE_FOUND if may else NONE_GIVEN)
        return torch.device("cpu")
    number = own_gpu(_names(torch.cuda.device_count()), Path(tempfile.gettempdir()))
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def gpus_given(devices: Path = Path("/dev")) -> int:
    """Returns how many GPUs this process may use, 0 without; PyTorch is loaded only where ``devices`` has a GPU's file.

    For planning: so many trainings can run side by side on GPUs.
    """
    if not may_use_gpus(os.environ) or not any(next(devices.glob(name), None) for name in DEVICE_FILES):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def may_use_gpus(environment: Mapping[str, str]) -> bool:
    """Returns whether a process with this environment may use the GPUs that it finds.

    In a Slurm job it may if the job was given any: on many clusters, a job also sees those of other people's jobs.
    """
    return not environment.get("SLURM_JOB_ID") or any(environment.get(name) for name in OF_THE_JOB)


def _names(count: int) -> tuple[str, ...]:
    """Names of the visible GPUs by which other processes know them, too: their numbers may differ there."""
    import torch

    if count < 2:  # asking for a name would start CUDA, and there is nothing to choose
        return ("0",) * count
    return tuple(str(getattr(torch.cuda.get_device_properties(k), "uuid", k)) for k in range(count))


@cache  # a process keeps its GPU
def own_gpu(names: tuple[str, ...], folder: Path) -> int:
    """Returns the number, from 0, of the first GPU that no other process has taken, and takes it for this one.

    ``names`` are those of all GPUs, without slashes. Taken is a GPU whose file in ``folder`` is
    locked; the system removes the lock when the process ends, however it ends. Where all are taken, it is the first
    one, and a line on stderr says so; it is also the first where there is only one, or the system has no such locks.
    """
    if len(names) < 2 or fcntl is None:
        return 0
    for number, name in enumerate(names):
        with suppress(OSError):  # it is locked, or the file is not one of ours
            _lock(folder / f"orelib-gpu-{name}.lock")
            return number
    print(
        f"All {len(names)} GPUs are in use by other processes of orelib: this one computes on the first of them, too. "
        "Start fewer at a time, or choose a GPU by CUDA_VISIBLE_DEVICES.",
        file=sys.stderr,
        flush=True,
    )
    return 0


def _lock(path: Path) -> None:
    """Locks a file, which all users share, until this process ends. Raises OSError if another process has locked it."""
    safely = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # anybody may have put anything into a shared folder
    try:
        file = os.open(path, safely | os.O_CREAT | os.O_EXCL, 0o644)
        os.fchmod(file, 0o644)  # readable whatever the umask, because to lock it one has to open it
    except FileExistsError:
        file = os.open(path, safely)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    # A process that makes training samples would keep the lock for a while after this one was killed.
    os.register_at_fork(after_in_child=partial(os.close, file))
