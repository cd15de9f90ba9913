"""``checkpoint.pt``: all that a training needs to go on, logs included. A damaged file is refused.

:func:`check_run` says whether a folder holds the run that is to go on, and mends its description.

PyTorch writes a zip archive with a CRC-32 of every tensor, but does not check them when it reads one.
"""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path

import torch

from orelib.config import Experiment
from orelib.data.pairs import Pairs
from orelib.methods import Method
from orelib.restore.restorer import read_about
from orelib.restore.snapshots import Snapshots, write_snapshots
from orelib.runs import read_experiment
from orelib.utils.allowed import SettingsError
from orelib.utils.checksums import DamagedFileError, demand_no_folder
from orelib.utils.files import appearing, write_text
from orelib.utils.names import one_line
from orelib.utils.paths import shown
from orelib.utils.provenance import begin_provenance, read_provenance, write_provenance

CURE = "put back a copy of it, or delete the folder to train again"


class TrainingError(RuntimeError):
    """Training that cannot go on; the message says where it stopped and what to try."""


class TrainingStopped(KeyboardInterrupt):
    """Training that was asked to stop, and did without loss.

    The message says where it stands, which file restores already, and that the same again goes on. A notebook shows
    this sentence alone, without a traceback, and does not run the cells below.
    """

    def _render_traceback_(self) -> list[str]:  # by this name, IPython asks for what it shows
        return [f"Stopped: {self}"]


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

    The checkpoint holds all of it. The CSV files and the snapshots are copies for readers, written after it.
    """

    def __init__(self, run: Path, method: Method):
        self.run, self.method = run, method
        self.step = self.saved_step = 0
        self.seconds = 0.0
        self.history: list[str] = []
        self.validation: list[str] = ["step,psnr,ssim"]
        self.best: dict = {"psnr": -math.inf, "step": 0, "generator": {}}
        self.snapshots: Snapshots | None = None  # until the first look at the validation images
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
        if saved.get("snapshots"):  # an earlier version kept none
            self.snapshots = Snapshots.from_json(saved["snapshots"])
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
            if self.method.device.type == "cuda" and self.random_state["cuda"]:  # not if it began on a processor
                torch.cuda.set_rng_state(self.random_state["cuda"][0], self.method.device)

    def record(self, names: list[str], values: list[float], epoch: int) -> None:
        if not self.history:
            self.history.append(",".join(["step", "epoch", *names]))
        self.history.append(",".join([str(self.step), str(epoch), *(f"{value:.6g}" for value in values)]))

    def values(self, term: str) -> list[float]:
        """Returns a loss term of all steps so far; nothing for a method without it."""
        names = self.history[0].split(",") if self.history else []
        return [float(row.split(",")[names.index(term)]) for row in self.history[1:]] if term in names else []

    def scores(self) -> list[tuple[int, float, float]]:
        """Returns step, PSNR and SSIM of all validations so far."""
        rows = [row.split(",") for row in self.validation[1:]]
        return [(int(step), float(psnr), float(ssim)) for step, psnr, ssim in rows]

    def validated(self, psnr: float, ssim: float) -> None:
        """Keeps the generator with the highest validation PSNR, as restoration papers do; ties keep the earlier."""
        psnr, ssim = round(psnr, 4), round(ssim, 5)  # compared as they are written down
        self.validation.append(f"{self.step},{psnr},{ssim}")
        if psnr > self.best["psnr"]:
            self.best = {"psnr": psnr, "step": self.step, "generator": self.generator()}

    def generator(self) -> dict[str, torch.Tensor]:
        """Returns a copy of the generator's present weights, on the processor."""
        return {name: value.cpu().clone() for name, value in self.method.generator.state_dict().items()}

    def save(self, data_checksum: str) -> None:
        device = self.method.device  # of this one alone: other GPUs are other processes'
        cuda = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
        state = {
            "experiment": self.method.experiment.to_json(), "data_checksum": data_checksum,
            "step": self.step, "seconds": self.seconds, "best": self.best,
            "history": "\n".join(self.history), "validation": "\n".join(self.validation),
            "snapshots": self.snapshots and self.snapshots.to_json(),
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
        if self.snapshots:
            write_snapshots(self.run, self.snapshots)


def check_run(run: Path, experiment: Experiment, pairs: Pairs, saved: dict | None) -> bool:
    """Returns whether the folder holds exactly this run, begun or finished. SettingsError when it holds another."""
    earlier, checksum = _identity(run, saved)
    if earlier is None:
        return False
    cure = "delete the folder to train again, or choose another results_dir"
    if earlier != experiment:
        changed = [
            f"{name}: {value!r} there, {getattr(experiment, name)!r} now"
            for name, value in vars(earlier).items()
            if value != getattr(experiment, name)
        ]
        raise SettingsError(f"{shown(run)} holds a run with other settings ({'; '.join(changed)}): {cure}")
    if checksum != pairs.checksum:
        raise SettingsError(f"{shown(run)} holds a run on other images than these: {cure}")
    _mend(run, experiment, pairs)
    return True


def _identity(run: Path, saved: dict | None) -> tuple[Experiment | None, str]:
    """Settings and data checksum of the run in a folder, from the file that most depends on them; None: no run."""
    if (run / "generator.safetensors").exists():
        about = read_about(run / "generator.safetensors")
        return Experiment.from_json(json.dumps(about["experiment"])), about["data_checksum"]
    if saved:
        return Experiment.from_json(saved["experiment"]), saved["data_checksum"]
    if (run / "config.json").exists():  # begun, and stopped before its first checkpoint: nothing to lose
        try:
            return read_experiment(run), read_provenance(run)["data_checksum"]
        except (DamagedFileError, FileNotFoundError, KeyError):
            return None, ""
    return None, ""


def _mend(run: Path, experiment: Experiment, pairs: Pairs) -> None:
    """Writes lost or damaged parts of a run's description again, as far as other files of the run hold them.

    Raises DamagedFileError or FileNotFoundError for the provenance of a finished run: nothing else holds its times.
    """
    try:
        read_provenance(run)
    except (DamagedFileError, FileNotFoundError):
        if (run / "generator.safetensors").exists():
            raise
        print(f"{shown(run / 'provenance.json')} was missing or damaged: it begins again with this session")
        begin_run(run, experiment, pairs)
    try:
        whole = read_experiment(run) == experiment
    except (DamagedFileError, FileNotFoundError):
        whole = False
    if not whole:
        print(f"{shown(run / 'config.json')} was missing or damaged: it is written again")
        write_text(run / "config.json", experiment.to_json())
        write_provenance(run, "config.json")


def begin_run(run: Path, experiment: Experiment, pairs: Pairs) -> None:
    """Writes settings and provenance of a new run; the settings last, because they say that the folder is taken."""
    begin_provenance(
        run, data_checksum=pairs.checksum,
        train_pairs=len(pairs.train), val_pairs=len(pairs.val), test_pairs=len(pairs.test),
    )  # fmt: skip
    write_text(run / "config.json", experiment.to_json())
