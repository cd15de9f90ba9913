"""The training loop that all methods share: samples, history, validation, checkpoints, stop and resume.

A run folder is the unit of truth:

``config.json``            the :class:`~orelib.config.Experiment`
``provenance.json``        code, packages, processor, data checksum, times, checksums of the other files
``history.csv``            one row per step, one column per loss term
``validation.csv``         PSNR and SSIM of the validation images, every ``validate_every`` steps
``checkpoint.pt``          everything needed to go on, logs and settings included; a finished run has none
``snapshots.json``         a validation image over the steps, see :mod:`orelib.restore.snapshots`
``stopped.safetensors``    only of a run that was stopped on its way: the best generator until then
``generator.safetensors``  the generator that scored highest on the validation images, see :mod:`orelib.restore`;
                           it says that the run is finished

Beside it, ``pixels`` holds the decoded training photographs, which the runs of a results folder share
(:mod:`orelib.data.decoded`).

A run that is stopped or killed at any moment and started again ends with the same history and weights as one that was
not, on the same machine with the same number of threads. On CUDA, cuDNN may choose other algorithms from run to run, so
only the samples and initial weights are the same there.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader

from orelib.checkpoint import RunLog, TrainingError, TrainingStopped, begin_run, check_run, read_checkpoint
from orelib.config import Experiment
from orelib.data.decoded import decode_pairs
from orelib.data.mosaic import MosaicSamples, to_network
from orelib.data.pairs import Pairs
from orelib.methods import CLASSES, Method
from orelib.methods.base import network_dtype
from orelib.restore.familiar import Familiar
from orelib.restore.model_file import ModelFile
from orelib.restore.restorer import load_weights, read_about, save_generator
from orelib.restore.validation import Validation
from orelib.runs import Folders, find_runs, read_settings
from orelib.utils.allowed import SettingsError
from orelib.utils.checksums import DamagedFileError, demand_no_folder
from orelib.utils.devices import device_for
from orelib.utils.files import one_at_a_time
from orelib.utils.memory import memory_for
from orelib.utils.pace import Pace, parts_left
from orelib.utils.paths import kit_path, shown
from orelib.utils.process import keep_freed_memory
from orelib.utils.provenance import read_provenance, record_session, write_provenance
from orelib.utils.tables import read_table
from orelib.utils.watching import Lines, Watch, leave_interrupts_to_parent, stopped_by_signals

MEASURED = 400  # training photographs, at most, whose statistics a model file keeps, and
MEASURED_BRIEFLY = 40  # in the file of a stopped training, for which somebody waits
HEADLINES = {"G": "generator", "D": "discriminator"}  # the losses that those who watch are told
STOPPED = "stopped.safetensors"


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


def train(experiment: Experiment, pairs: Pairs, run: Path, watch: Watch | None = None) -> Path:
    """Trains one method, or goes on where an earlier call was interrupted; returns the run folder.

    A finished run is left as it is. ``watch`` is told what happens; without one, plain lines are printed.

    When ``watch`` asks to stop, at a Ctrl-C, the stop button of a notebook, or SIGTERM, the training ends after the
    step that it is at, unless that is the last one. It leaves a checkpoint, and the best generator so far in
    ``stopped.safetensors``. A second Ctrl-C ends it at once; it then goes on from the last checkpoint.

    Raises
    ------
    TrainingStopped
        When it was asked to stop, and did.
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
    watch, run = watch or Lines(), Path(run)
    try:
        with one_at_a_time(run):
            _train(experiment, pairs, run, watch)
    except TrainingStopped as stopped:
        watch.end("stopped", str(stopped))
        raise stopped.with_traceback(None) from None  # or its frames would keep the networks in a notebook's memory
    except BaseException as error:
        reason = "ended at once; the same again goes on from the last checkpoint"
        watch.end("failed", reason if isinstance(error, KeyboardInterrupt) else str(error))
        raise
    return run


def _train(experiment: Experiment, pairs: Pairs, run: Path, watch: Watch) -> None:
    checkpoint, generator, stopped = (run / name for name in ("checkpoint.pt", "generator.safetensors", STOPPED))
    demand_no_folder(stopped, "start again")
    saved = read_checkpoint(checkpoint) if checkpoint.exists() and not generator.exists() else None
    known = check_run(run, experiment, pairs, saved)
    if generator.exists():
        if checkpoint.exists():  # the largest file of a run, and no longer needed, unless the generator is damaged
            ModelFile(generator).weights()
            checkpoint.unlink()
        stopped.unlink(missing_ok=True)
        print(f"{shown(run)} is finished: {experiment.steps} steps. To train again, delete the folder.")
        return
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
        begin_run(run, experiment, pairs)
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
            _train_on(method, pairs, log, watch)
    with stopped_by_signals(watch.stop):  # what is left to do takes seconds, and is not worth stopping
        write_provenance(
            run, "history.csv", "validation.csv",
            training_seconds=round(log.seconds, 1), seconds_per_step=round(log.seconds / log.step, 4),
            kept_step=log.best["step"], validation_psnr=log.best["psnr"], device=str(device),
        )  # fmt: skip
        best = log.best
        # Last, because it says that the run is finished.
        _write_generator(generator, best["generator"], best["step"], experiment, pairs)
        checkpoint.unlink(missing_ok=True)
        stopped.unlink(missing_ok=True)
    kept = f"the generator of step {best['step']:,} is kept, {best['psnr']:.2f} dB on the validation images"
    watch.end("finished", f"{shown(run)} is finished: {kept}.")


def _write_generator(
    path: Path, weights: dict, step: int, experiment: Experiment, pairs: Pairs, stopped: dict | None = None
) -> None:
    """Writes a model file, with the statistics of the training photographs."""
    every = -(-len(pairs.train) // (MEASURED_BRIEFLY if stopped else MEASURED))
    familiar = Familiar.of(pair.load()[0] for pair in pairs.train[::every])
    save_generator(path, weights, experiment, pairs.checksum, step, pairs.embedded, familiar, stopped)


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
    """Sets up the process for training and returns the device to train on (:func:`~orelib.utils.devices.device_for`).

    Raises SettingsError when a GPU is asked for, and there is none or none was given to this process.
    """
    device = device_for(experiment.device)
    torch.set_num_threads(experiment.threads)
    keep_freed_memory()
    # Adam's tiny second moments become denormal numbers, which a CPU multiplies ten times slower.
    torch.set_flush_denormal(True)
    # TF32's 10 bits are too few for the variances of SSIM; on CUDA the networks compute in bfloat16 anyway.
    torch.backends.cudnn.allow_tf32 = False
    return device


def _train_on(method: Method, pairs: Pairs, log: RunLog, watch: Watch) -> None:
    """The loop itself, from the step that ``log`` has reached to the last; TrainingStopped if it is asked to stop."""
    experiment = method.experiment
    loader = _loader(method, pairs, log)
    validation = Validation(pairs.val)
    due = {"step": 1, "validation": experiment.validate_every, "checkpoint": experiment.checkpoint_every}
    pace = Pace({kind: parts_left(log.step, experiment.steps, every) for kind, every in due.items()})
    first_look = validation.look(method).picture
    pace.expect("validation", pace.lap() * len(validation))
    if log.snapshots is None:
        log.snapshots = validation.snapshots()
        log.snapshots.restored[log.step] = first_look
    _begin_watch(watch, log)
    log.restore_random_state()
    began = time.monotonic() - log.seconds
    with stopped_by_signals(watch.stop):  # not before: until here, a Ctrl-C loses nothing
        for images in loader:
            values = _step(method, images, log, epoch=log.step * experiment.batch_size // len(pairs.train))
            pace.done("step")
            if log.step == experiment.steps or log.step % experiment.validate_every == 0:
                scores = validation.score(method)
                log.validated(scores.psnr, scores.ssim)
                log.snapshots.restored[log.step] = scores.picture
                pace.done("validation")
                watch.score(log.step, {"PSNR": scores.psnr, "SSIM": scores.ssim}, log.snapshots)
            log.seconds = time.monotonic() - began
            if log.step == experiment.steps or log.step % experiment.checkpoint_every == 0:
                log.save(pairs.checksum)
                pace.done("checkpoint")
            watch.advance(log.step, values, pace.seconds_left())
            if watch.stop.is_set():
                break
        if log.step < experiment.steps:
            raise _stopped(log, pairs)


def _loader(method: Method, pairs: Pairs, log: RunLog) -> DataLoader:
    """The samples of all steps that are still to do, in batches of uint8 (B, H, W, 3), wet and dry."""
    experiment = method.experiment
    batch, train_pairs = experiment.batch_size, decode_pairs(pairs, log.run.parent)
    samples = MosaicSamples(
        train_pairs, experiment.mosaic_size, experiment.seed, experiment.steps * batch, method.paired, experiment.mosaic
    )
    return DataLoader(
        samples,
        batch_size=batch,
        sampler=range(log.step * batch, len(samples)),
        num_workers=experiment.loader_workers,
        generator=torch.Generator(),  # of its own, so that starting a loader does not change the run's random state
        # Arrays, because tensors would come from the workers through /dev/shm, which may be tiny.
        collate_fn=_stacked,
        worker_init_fn=leave_interrupts_to_parent,
    )


def _stacked(samples: list) -> tuple[np.ndarray, np.ndarray]:
    """Wet and dry samples as two batches, uint8 (B, H, W, 3)."""
    wet, dry = zip(*samples, strict=True)
    return np.stack(wet), np.stack(dry)


def _step(method: Method, images: tuple[np.ndarray, np.ndarray], log: RunLog, epoch: int) -> dict[str, float]:
    """Takes one step and logs it; returns the headline losses. Raises TrainingError for losses that are not finite."""
    x, y = (to_network(torch.from_numpy(batch), method.device) for batch in images)
    losses = method.step(x, y)
    values = dict(zip(losses, torch.stack(list(losses.values())).tolist(), strict=True))
    log.step += 1
    log.record(list(values), list(values.values()), epoch)
    if bad := [name for name, value in values.items() if not math.isfinite(value)]:
        raise TrainingError(
            f"step {log.step} of {shown(log.run)}: loss not finite ({', '.join(bad)}); {log.last_good_state}. "
            f"Try a smaller learning_rate (now {method.experiment.learning_rate}) or smaller loss weights in a new "
            "results_dir."
        )
    return {short: values[name] for short, name in HEADLINES.items() if name in values}


def _begin_watch(watch: Watch, log: RunLog) -> None:
    """Tells who watches what this run is, and all that happened in earlier sessions."""
    experiment = log.method.experiment
    earlier = {short: values for short, name in HEADLINES.items() if (values := log.values(name))}
    watch.begin(f"{experiment.method} seed {experiment.seed}", log.step, experiment.steps, earlier, log.snapshots)
    for step, psnr, ssim in log.scores():
        watch.score(step, {"PSNR": psnr, "SSIM": ssim}, log.snapshots)


def _stopped(log: RunLog, pairs: Pairs) -> TrainingStopped:
    """Saves a run that was asked to stop, and its best generator so far; returns the sentence to raise."""
    experiment, best = log.method.experiment, log.best
    place = f"step {log.step:,} of {experiment.steps:,}"
    if log.saved_step != log.step:
        log.save(pairs.checksum)
    validated = bool(best["generator"])
    weights, step = (best["generator"], best["step"]) if validated else (log.generator(), log.step)
    stopped = {"step": log.step, "psnr": best["psnr"] if validated else None}
    _write_generator(log.run / STOPPED, weights, step, experiment, pairs, stopped=stopped)
    which = f"the best generator so far, of step {step:,}" if validated else "the generator as it is, not validated yet"
    return TrainingStopped(
        f"{shown(log.run)} stands at {place}; {shown(log.run / STOPPED)} restores already, with {which}; "
        "run the same again, and the training goes on to the same end."
    )
