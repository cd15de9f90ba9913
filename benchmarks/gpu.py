"""Training steps and restoring on an NVIDIA GPU: ``python benchmarks/gpu.py [--train]``.

A step of each method under the profile ``paper``, with one sample of 512 px, in bfloat16, in which the kit trains on a
GPU, beside float32; and restoring, beside the time that the paper gives. ``--train`` also trains Improved for 2,000
steps on a few rendered scenes, into ``results/gpu``, and goes on there after an interruption.

Writes ``results/reference/gpu.md``. Without a GPU it measures nothing and ends with exit code 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from common import ROOT, markdown

if TYPE_CHECKING:
    import torch

PAGE = ROOT / "results" / "reference" / "gpu.md"
SIDE, LARGE = 512, (1900, 2048)
PRECISIONS = ("bfloat16", "float32")
STEPS = 950_000  # of the paper
TRAINING = (
    "scene_size=(512,512) train_pairs=24 val_pairs=4 test_pairs=8 steps=2000 validate_every=500 checkpoint_every=1000"
)
NO_GPU = f"Nothing was measured, and {PAGE.name} is unchanged: PyTorch finds no GPU, or this Slurm job was given none."
HEAD = """# On a GPU

Written by `python benchmarks/gpu.py`: {card}, driver {driver}, PyTorch {torch}, the kit as it was at commit {commit}.
Times are of the fastest call; memory is what PyTorch held of the GPU's at most.

## A training step

Profile `paper`, one sample of {side} x {side} px that lies on the GPU already. Networks compute in the precision that
is named, losses in float32. Without the perceptual loss. NAFNet and Slim train on more than one sample a step.
*Whole training* is what {steps:,} steps in bfloat16 take by this.
"""
RESTORING = """
## Restoring

A call, from the pixels of a photograph to those of the result, with the copies to the GPU and back; in float32. The
paper gives 32.28 to 37.69 ms for an image, on an RTX 3090 (section 3.3); it names neither the size nor what counts.
"""
TRAINED = """
## A short training

Improved under `paper`, but for `{changes}`. {loss}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", action="store_true", help="train for 2,000 steps, too")
    chosen = parser.parse_args()
    from orelib.config import Experiment
    from orelib.training import start_torch
    from orelib.utils.files import write_text

    device = start_torch(Experiment("paper"))
    if device.type != "cuda":
        sys.exit(NO_GPU)
    facts, steps, restoring = facts_of(device), step_rows(device), restoring_rows(device)
    write_text(PAGE, page(facts, steps, restoring))  # before the training, which may fail
    if chosen.train:
        write_text(PAGE, page(facts, steps, restoring, *training_rows(device)))
    print(PAGE.read_text("utf-8"))


def facts_of(device: torch.device) -> dict[str, str]:
    """What the numbers depend on, for :data:`HEAD`."""
    import torch

    from orelib.utils.provenance import git

    gibibytes = torch.cuda.get_device_properties(device).total_memory / 2**30
    try:
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        driver = "unknown"
    return dict(
        card=f"{torch.cuda.get_device_name(device)}, {gibibytes:.0f} GiB", driver=driver, torch=version("torch"),
        commit=git("rev-parse", "--short", "HEAD") or "unknown",
    )  # fmt: skip


def step_rows(device: torch.device, profile: str = "paper", side: int = SIDE, calls: int = 20) -> list[dict[str, str]]:
    """A row a method of the table of steps: one sample of ``side`` px, in both precisions."""
    import torch

    from orelib.config import PUBLISHED, Experiment, entry_of
    from orelib.methods import CLASSES

    rows = []
    x, y = torch.rand(2, 1, 3, side, side, device=device) * 2 - 1
    for name in PUBLISHED:
        numbers = {}
        for precision in PRECISIONS:
            with computing_in(getattr(torch, precision)):
                method = CLASSES[name](Experiment(profile, name, lambda_perceptual=0.0), device)
            numbers[precision] = measured(device, lambda method=method: method.step(x, y), calls)
            del method  # or the next one would add to the memory
        (fast, less), (slow, more) = (numbers[precision] for precision in PRECISIONS)
        rows.append({
            "method": entry_of(name).short,
            "bfloat16": milliseconds(fast), "float32": milliseconds(slow), "times": f"{slow / fast:.2f}",
            "memory, bfloat16": gibibytes(less), "memory, float32": gibibytes(more),
            "whole training": f"{STEPS * fast / 3600:.1f} h",
        })  # fmt: skip
    return rows


@contextmanager
def computing_in(dtype: torch.dtype) -> Iterator[None]:
    """Networks of a method that is made within the block compute in a dtype; the kit's choice depends on the device."""
    from orelib.methods import base

    usual = base.network_dtype
    base.network_dtype = lambda device, precision: dtype
    try:
        yield
    finally:
        base.network_dtype = usual


def restoring_rows(
    device: torch.device, profile: str = "paper", sizes: tuple = ((SIDE, SIDE), LARGE), calls: int = 10
) -> list[dict[str, str]]:
    """A row for each restorer and size (height, width): the kit's network and Improved, whose weights are random."""
    import numpy as np
    import torch

    from orelib.config import Experiment
    from orelib.methods import CLASSES
    from orelib.restore.restorer import DEFAULT_RESTORER, Restorer, load_restorer

    experiment = Experiment(profile, "improved")
    torch.manual_seed(0)
    improved = CLASSES["improved"].build_generator(experiment).to(device)
    # The kit's by its file: for noise, its restorer would choose the classical way.
    restorers = {
        "the kit's network": load_restorer(DEFAULT_RESTORER, device),
        f"Improved of width {experiment.base_width}": Restorer(improved, improved.stride),
    }
    rows = []
    for height, width in sizes:
        wet = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        for title, restorer in restorers.items():
            seconds, memory = measured(device, lambda restorer=restorer, wet=wet: restorer.restore(wet), calls)
            pixels = f"{height} x {width}"
            rows.append({
                "restorer": title, "pixels": pixels, "time": milliseconds(seconds), "memory": gibibytes(memory),
            })  # fmt: skip
    return rows


def measured(device: torch.device, work: Callable[[], object], calls: int) -> tuple[float, float | None]:
    """Fewest seconds of a call, and the most bytes of a GPU's memory that PyTorch held; None on a processor."""
    import torch

    on_gpu, seconds = device.type == "cuda", []
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    for _ in range(3 + calls):  # the first ones choose algorithms
        began = time.perf_counter()
        work()
        if on_gpu:
            torch.cuda.synchronize(device)  # until then, the work is only ordered
        seconds.append(time.perf_counter() - began)
    return min(seconds[3:]), torch.cuda.max_memory_reserved(device) if on_gpu else None


def training_rows(
    device: torch.device, profile: str = "paper", changes: str = TRAINING, results_dir: str = "results/gpu"
) -> tuple[list[dict[str, str]], str, str]:
    """Trains Improved with some fields changed, on scenes rendered for it.

    Returns the rows of its table, the changes, and a sentence on the perceptual loss: there is none where torchvision's
    cache does not hold VGG19's weights.
    """
    import torch

    from orelib.config import Experiment, parse_changes
    from orelib.data.dataset import render_dataset
    from orelib.data.pairs import load_pairs
    from orelib.evaluation import evaluate, summary
    from orelib.runs import Folders
    from orelib.training import train
    from orelib.utils.provenance import read_provenance

    loss = "The perceptual loss is VGG19's."
    if not has_vgg19():
        changes += " lambda_perceptual=0"
        loss = "**Without the perceptual loss**, because the weights of VGG19 were not there."
    folders = Folders(profile, results_dir=results_dir, changes=changes)
    experiment = Experiment(profile, "improved", **parse_changes(changes))
    render_dataset(folders.data, experiment)
    pairs, run = load_pairs(folders), folders.run("improved", 0)
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    train(experiment, pairs, run)
    memory = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else None
    evaluate(run, pairs)
    facts, scores = read_provenance(run), summary(run)
    rows = [
        {"": "a step, with its samples and validations", "value": milliseconds(facts["seconds_per_step"])},
        {"": "all steps", "value": f"{facts['training_seconds']:.0f} s"},
        {"": "memory", "value": gibibytes(memory)},
        *({"": f"PSNR, SSIM of test scenes, {title}", "value": f"{scores.psnr[name]:.2f} dB, {scores.ssim[name]:.3f}"}
          for name, title in (("improved", "Improved"), ("do_nothing", "do nothing"))),
    ]  # fmt: skip
    return rows, changes, loss


def has_vgg19() -> bool:
    """Whether torchvision's cache holds the weights of VGG19, so that nothing would be downloaded."""
    import torch

    from orelib import vgg

    return Path(torch.hub.get_dir(), "checkpoints", Path(vgg._url()).name).is_file()


def page(facts: dict, steps: list, restoring: list, trained: list = (), changes: str = "", loss: str = "") -> str:
    """All that was measured, as Markdown."""
    parts = [HEAD.format(**facts, side=SIDE, steps=STEPS), markdown(steps), RESTORING, markdown(restoring)]
    if trained:
        parts += [TRAINED.format(changes=changes, loss=loss), markdown(trained)]
    return "\n".join(parts) + "\n"


def milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"


def gibibytes(count: float | None) -> str:
    return "-" if count is None else f"{count / 2**30:.1f} GiB"


if __name__ == "__main__":
    main()
