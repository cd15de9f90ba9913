"""``checkpoint.pt``: all that a training needs to go on, logs included. A damaged file is refused.

PyTorch writes a zip archive with a CRC-32 of every tensor, but does not check them when it reads one.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import torch

from orelib.methods import Method
from orelib.utils.checksums import DamagedFileError, demand_no_folder
from orelib.utils.files import appearing, write_text
from orelib.utils.names import one_line
from orelib.utils.paths import shown

CURE = "put back a copy of it, or delete the folder to train again"


class TrainingError(RuntimeError):
    """Training that cannot go on; the message says where it stopped and what to try."""


def write_checkpoint(path: Path, state: dict) -> None:
    """Writes tensors, numbers and texts in one piece.

    Raises OSError, which names the file, when it cannot be written, as on a full disk; an earlier checkpoint stays.
    """
    try:
        with appearing(path) as temporary:
            torch.save(state, temporary)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError over a full disk
        raise OSError(f"{shown(path)} cannot be written ({one_line(error)})") from error


def read_checkpoint(path: Path) -> dict:
    """Reads what :func:`write_checkpoint` wrote, for the processor; nothing in the file is executed.

    Raises DamagedFileError when the file was cut or changed, or comes from an earlier version of the kit.
    """
    demand_no_folder(path, CURE)
    try:
        with zipfile.ZipFile(path) as archive:
            if bad := archive.testzip():
                raise zipfile.BadZipFile(f"the checksum of {bad} does not fit")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # over damaged files torch and zipfile raise errors of almost any class
        raise DamagedFileError(f"{shown(path)} is damaged ({one_line(error)}): {CURE}") from error
    if not isinstance(state, dict) or "experiment" not in state:
        raise older(path)
    return state


def older(path: Path) -> DamagedFileError:
    """Returns the error for a checkpoint from which this version cannot go on."""
    cure = "finish this training with that version, or delete the folder to train again"
    return DamagedFileError(f"{shown(path)} was written by an earlier version of the kit: {cure}")


class RunLog:
    """The log of a run so far, and how it is saved and read again.

    The checkpoint holds all of it. The CSV files are copies for readers, written after it.
    """

    def __init__(self, run: Path, method: Method):
        self.run, self.method = run, method
        self.step = self.saved_step = 0
        self.seconds = 0.0
        self.history: list[str] = []
        self.validation: list[str] = ["step,psnr,ssim"]
        self.best: dict = {"psnr": -math.inf, "step": 0, "generator": {}}
        self.random_state = None

    def resume(self, saved: dict) -> None:
        """Goes on from what :meth:`save` put into a checkpoint."""
        try:
            self.method.load_state_dict(saved["method"])
        except KeyError as error:  # networks had other names
            raise older(self.run / "checkpoint.pt") from error
        self.step = self.saved_step = saved["step"]
        self.seconds, self.best, self.random_state = saved["seconds"], saved["best"], saved["random_state"]
        self.history, self.validation = saved["history"].splitlines(), saved["validation"].splitlines()
        self._write_tables()  # the files may be older, newer or damaged
        print(f"going on from step {self.step} of {shown(self.run)}")

    @property
    def last_good_state(self) -> str:
        if not self.saved_step:
            return "nothing was saved before"
        return f"the last good state is checkpoint.pt at step {self.saved_step}"

    def restore_random_state(self) -> None:
        if self.random_state is not None:
            torch.set_rng_state(self.random_state["cpu"])
            if torch.cuda.is_available():
                torch.cuda.set_rng_state_all(self.random_state["cuda"])

    def record(self, names: list[str], values: list[float], epoch: int) -> None:
        if not self.history:
            self.history.append(",".join(["step", "epoch", *names]))
        self.history.append(",".join([str(self.step), str(epoch), *(f"{value:.6g}" for value in values)]))

    def validated(self, scores: tuple[float, float]) -> None:
        """Keeps the generator with the highest validation PSNR, as restoration papers do; ties keep the earlier."""
        psnr, ssim = round(scores[0], 4), round(scores[1], 5)  # compared as they are written down
        self.validation.append(f"{self.step},{psnr},{ssim}")
        if psnr > self.best["psnr"]:
            weights = {name: value.cpu().clone() for name, value in self.method.generator.state_dict().items()}
            self.best = {"psnr": psnr, "step": self.step, "generator": weights}

    def save(self, data_checksum: str) -> None:
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        state = {
            "experiment": self.method.experiment.to_json(), "data_checksum": data_checksum,
            "step": self.step, "seconds": self.seconds, "best": self.best,
            "history": "\n".join(self.history), "validation": "\n".join(self.validation),
            "random_state": {"cpu": torch.get_rng_state(), "cuda": cuda},
            "method": self.method.state_dict(),
        }  # fmt: skip
        try:
            write_checkpoint(self.run / "checkpoint.pt", state)
            self.saved_step = self.step
            self._write_tables()
        except OSError as error:
            raise TrainingError(
                f"step {self.step} of {shown(self.run)}: {error}; {self.last_good_state}. Make room on the disk, and "
                "start again: training goes on from there."
            ) from error

    def _write_tables(self) -> None:
        write_text(self.run / "history.csv", "\n".join(self.history) + "\n")
        write_text(self.run / "validation.csv", "\n".join(self.validation) + "\n")
