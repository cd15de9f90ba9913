"""The training loop that all methods share: samples, history, validation, checkpoints, resume.

A run folder is the unit of truth:

``config.json``            the :class:`~orelib.config.Experiment`
``provenance.json``        code, packages, processor, data checksum, times, checksums of the other files
``history.csv``            one row per step, one column per loss term
``validation.csv``         PSNR and SSIM of the validation images, every ``validate_every`` steps
``checkpoint.pt``          everything needed to go on, logs and settings included; a finished run has none
``generator.safetensors``  the generator that scored highest on the validation images, see :mod:`orelib.restore`

Beside it, ``pixels`` holds the decoded training photographs, which the runs of a results folder share
(:mod:`orelib.data.decoded`).

A run that is killed at any moment and started again ends with the same history and weights as one that was not killed,
on the same machine with the same number of threads. On CUDA, cuDNN may choose other algorithms from run to run, so only
the samples and initial weights are the same there.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader

from orelib.checkpoint import RunLog, TrainingError, read_checkpoint
from orelib.config import Experiment
from orelib.data.decoded import decode_pairs
from orelib.data.mosaic import MosaicSamples, to_network
from orelib.data.pairs import Pairs
from orelib.methods import CLASSES, Method
from orelib.methods.base import network_dtype
from orelib.metrics import psnr, ssim
from orelib.restore.familiar import Familiar
from orelib.restore.model_file import ModelFile
from orelib.restore.restorer import Restorer, load_weights, read_about, save_generator
from orelib.runs import Folders, find_runs, read_experiment, read_settings
from orelib.utils.allowed import SettingsError
from orelib.utils.checksums import DamagedFileError
from orelib.utils.files import one_at_a_time, write_text
from orelib.utils.memory import memory_for
from orelib.utils.paths import kit_path, shown
from orelib.utils.process import keep_freed_memory
from orelib.utils.progress import Progress
from orelib.utils.provenance import begin_provenance, read_provenance, record_session, write_provenance
from orelib.utils.tables import read_table

MEASURED = 400  # training photographs, at most, whose statistics a model file keeps
HEADLINES = ("generator", "discriminator")  # the losses that the progress line shows, as G and D


def read_log(run: Path, name: str) -> pd.DataFrame:
    """Reads ``history.csv`` or ``validation.csv`` of a run.

    Raises FileNotFoundError when it was not trained yet, and DamagedFileError when the file was cut or changed.
    """
    path = Path(run) / name
    if not path.exists():
        if (path.parent / "generator.safetensors").exists():
            cure = "put back a copy of it, or delete the folder to train again"
        else:
            method, _, seed = path.parent.name.rpartition("-seed")
            cure = f"run notebooks/05_training.ipynb with method={method!r} and seed={seed} first"
        raise FileNotFoundError(f"{shown(path)} is missing: {cure}")
    try:
        table = read_table(path)
    except DamagedFileError as error:
        cure = "put back a copy of it (no other file holds it), or delete the folder to train again"
        raise DamagedFileError(f"{shown(path)} is damaged: {cure}") from error
    if is_finished(path.parent) and table["step"].iloc[-1] != read_settings(path.parent)["steps"]:
        cure = "put back a copy of it, or delete the folder to train again"
        raise DamagedFileError(f"{shown(path)} lacks its end: {cure}")
    return table


def is_finished(run: Path) -> bool:
    """Returns whether a training is finished. Published runs are kept without a generator, and do not count."""
    return (Path(run) / "generator.safetensors").exists()


def train(experiment: Experiment, pairs: Pairs, run: Path) -> Path:
    """Trains one method, or goes on where an earlier call was interrupted; returns the run folder.

    A finished run is left as it is.

    Raises
    ------
    SettingsError
        When the folder holds a run with other settings or other data. It is not touched then.
    DamagedFileError
        When files of an earlier call are damaged and cannot be made again.
    TrainingError
        When a loss is no longer finite, or a checkpoint cannot be written.
    FileNotFoundError, ModelFileError
        When weights that the experiment needs are missing or unusable: the ones to start from, or VGG19's.
    OSError, PairError
        When the training photographs cannot be decoded beside the run, see :func:`~orelib.data.decoded.decode_pairs`.
    """
    with one_at_a_time(run):
        return _train(experiment, pairs, Path(run))


def _train(experiment: Experiment, pairs: Pairs, run: Path) -> Path:
    checkpoint, generator = run / "checkpoint.pt", run / "generator.safetensors"
    saved = read_checkpoint(checkpoint) if checkpoint.exists() and not generator.exists() else None
    known = _check(run, experiment, pairs, saved)
    if generator.exists():
        if checkpoint.exists():  # the largest file of a run, and no longer needed, unless the generator is damaged
            ModelFile(generator).weights()
            checkpoint.unlink()
        print(f"{shown(run)} is finished: {experiment.steps} steps. To train again, delete the folder.")
        return run
    device = start_torch(experiment)
    torch.manual_seed(experiment.seed)
    with memory_for(f"a {experiment.method} of these widths", "choose smaller ones"):
        method = CLASSES[experiment.method](experiment, device)
    origin = {}
    if experiment.start_from and not saved:
        about = load_weights(method.generator, kit_path("start_from", experiment.start_from))
        origin = {"started_from": {"data_checksum": about["data_checksum"], "step": about["step"]}}
    for name in ("metrics.csv", "sizing.csv", "sizes.csv"):  # of a generator that is lost: the new one may differ
        (run / name).unlink(missing_ok=True)
    if not known:  # only now, so that missing weights leave no folder behind
        _begin_run(run, experiment, pairs)
    precision = str(network_dtype(device, experiment.precision)).removeprefix("torch.")
    record_session(run, device=str(device), precision=precision)
    if precision != "float32":
        print(f"{shown(run)}: networks compute in {precision}, losses in float32")
    write_provenance(run, "config.json", **origin)
    log = RunLog(run, method)
    if saved:
        log.resume(saved)
    if log.step < experiment.steps:
        with memory_for("training", f"choose a smaller batch_size, mosaic_size or width; {log.last_good_state}"):
            _train_on(method, pairs, log)
    write_provenance(
        run, "history.csv", "validation.csv",
        training_seconds=round(log.seconds, 1), seconds_per_step=round(log.seconds / log.step, 4),
        kept_step=log.best["step"], validation_psnr=log.best["psnr"], device=str(device),
    )  # fmt: skip
    # Last, because it says that the run is finished.
    best = log.best
    familiar = Familiar.of(pair.load()[0] for pair in pairs.train[:: -(-len(pairs.train) // MEASURED)])
    save_generator(generator, best["generator"], experiment, pairs.checksum, best["step"], pairs.embedded, familiar)
    checkpoint.unlink(missing_ok=True)
    return run


def refuse_other_images(folders: Folders, pairs: Pairs) -> None:
    """Raises SettingsError when a results folder holds runs on other images than ``pairs``; changes nothing.

    Runs of changed settings, which may have scenes of their own, are skipped.
    """
    kept = ("generator.safetensors", "checkpoint.pt")  # files that take hours; a run without them has nothing to lose
    found = (run for name in kept for run in find_runs(folders.results, name))
    runs = {run.path for run in found if run.variant == run.method}
    other = [shown(run) for run in sorted(runs) if _checksum_of(run) != pairs.checksum]
    if other:
        raise SettingsError(
            f"trained on other images than those in {shown(folders.data)} now: {', '.join(other)}. "
            "Nothing was changed: choose another results_dir, or delete these folders to train again"
        )


def _checksum_of(run: Path) -> str:
    """Returns the checksum of the images that a run is trained on, from the file that most depends on it."""
    if is_finished(run):
        return read_about(run / "generator.safetensors")["data_checksum"]
    try:
        return read_provenance(run)["data_checksum"]
    except (DamagedFileError, FileNotFoundError, KeyError):  # training repairs it
        return read_checkpoint(run / "checkpoint.pt")["data_checksum"]


def start_torch(experiment: Experiment) -> torch.device:
    """Sets up the process for training and returns the device to train on.

    Raises SettingsError when a GPU is asked for and PyTorch finds none.
    """
    if experiment.device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("device='cuda': PyTorch finds no GPU here: choose auto or cpu")
    torch.set_num_threads(experiment.threads)
    keep_freed_memory()
    # Adam's tiny second moments become denormal numbers, which a CPU multiplies ten times slower.
    torch.set_flush_denormal(True)
    # TF32's 10 bits are too few for the variances of SSIM; on CUDA the networks compute in bfloat16 anyway.
    torch.backends.cudnn.allow_tf32 = False
    cuda = experiment.device == "cuda" or (experiment.device == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if cuda else "cpu")


def _check(run: Path, experiment: Experiment, pairs: Pairs, saved: dict | None) -> bool:
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
        _begin_run(run, experiment, pairs)
    try:
        whole = read_experiment(run) == experiment
    except (DamagedFileError, FileNotFoundError):
        whole = False
    if not whole:
        print(f"{shown(run / 'config.json')} was missing or damaged: it is written again")
        write_text(run / "config.json", experiment.to_json())
        write_provenance(run, "config.json")


def _begin_run(run: Path, experiment: Experiment, pairs: Pairs) -> None:
    """Writes settings and provenance of a new run; the settings last, because they say that the folder is taken."""
    begin_provenance(
        run, data_checksum=pairs.checksum,
        train_pairs=len(pairs.train), val_pairs=len(pairs.val), test_pairs=len(pairs.test),
    )  # fmt: skip
    write_text(run / "config.json", experiment.to_json())


def _train_on(method: Method, pairs: Pairs, log: RunLog) -> None:
    """The loop itself, from the step that ``log`` has reached to the last."""
    experiment, device = method.experiment, method.device
    batch = experiment.batch_size
    train_pairs = decode_pairs(pairs, log.run.parent)
    samples = MosaicSamples(
        train_pairs, experiment.mosaic_size, experiment.seed, experiment.steps * batch, method.paired, experiment.mosaic
    )
    loader = DataLoader(
        samples,
        batch_size=batch,
        sampler=range(log.step * batch, len(samples)),
        num_workers=experiment.loader_workers,
        generator=torch.Generator(),  # of its own, so that starting a loader does not change the run's random state
        # Arrays, because tensors would come from the workers through /dev/shm, which may be tiny.
        collate_fn=_stacked,
    )
    validation = [pair.load() for pair in pairs.val]
    progress = Progress(experiment.steps, f"{experiment.method} seed {experiment.seed}", start=log.step)
    log.restore_random_state()
    began = time.monotonic() - log.seconds
    for batch_of_images in loader:
        x, y = (to_network(torch.from_numpy(images), device) for images in batch_of_images)
        losses = method.step(x, y)
        values = torch.stack(list(losses.values())).tolist()
        log.step += 1
        log.record(list(losses), values, epoch=(log.step - 1) * batch // len(pairs.train))
        if not all(map(math.isfinite, values)):
            bad = [name for name, value in zip(losses, values, strict=True) if not math.isfinite(value)]
            raise TrainingError(
                f"step {log.step} of {shown(log.run)}: loss not finite ({', '.join(bad)}); {log.last_good_state}. "
                f"Try a smaller learning_rate (now {experiment.learning_rate}) or smaller loss weights in a new "
                "results_dir."
            )
        last = log.step == experiment.steps
        if last or log.step % experiment.validate_every == 0:
            log.validated(validate(method, validation))
        if last or log.step % experiment.checkpoint_every == 0:
            log.seconds = time.monotonic() - began
            log.save(pairs.checksum)
        named = dict(zip(losses, values, strict=True))
        progress.advance(note="  ".join(f"{name[0].upper()} {named[name]:.2f}" for name in HEADLINES if name in named))
    progress.close()


def _stacked(samples: list) -> tuple[np.ndarray, np.ndarray]:
    """Wet and dry samples as two batches, uint8 (B, H, W, 3)."""
    wet, dry = zip(*samples, strict=True)
    return np.stack(wet), np.stack(dry)


def validate(method: Method, validation: list) -> tuple[float, float]:
    """Mean PSNR and SSIM of the validation images, (wet, dry) uint8 each; equal images count as 100 dB."""
    restorer = Restorer(method.generator, method.generator.stride)
    restored = [(restorer.restore(wet), dry) for wet, dry in validation]
    method.generator.train()
    mean_psnr = sum(min(psnr(*images), 100.0) for images in restored) / len(restored)
    return mean_psnr, sum(ssim(*images) for images in restored) / len(restored)
