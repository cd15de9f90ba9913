"""What the published experiment, the paper's own and a million photographs cost, on one machine and on many.

Written into ``docs/scaling.md``, from the times and sizes that are measured in ``results/reference``.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from orelib.config import METHODS, Experiment
from orelib.losses import TAPS
from orelib.methods import CLASSES
from orelib.runs import find_runs
from orelib.study.table3 import to_markdown
from orelib.study.wording import paragraph
from orelib.utils.provenance import read_provenance

SLOTS = (1, 2, 4, 8, 16, 32, 64)
GPUS = (1, 4, 32)
PAPERS = ("pix2pix", "cyclegan", "improved")  # the methods of the paper's Table 3
SEEDS = 5
GPU_TFLOPS = 20  # a third of what an RTX 3090 is rated for in mixed precision
PHOTOGRAPHS = 1_000_000
RESTORING = "restoring 1900 x 2048 in tiles, openvino, NAFNet, the kit's network"  # a row of benchmarks.json


def makespan(seconds: Iterable[float], slots: int) -> float:
    """Returns how long jobs take on ``slots`` machines, each free one taking the longest job that waits, in seconds.

    Raises ValueError without a slot.
    """
    if slots < 1:
        raise ValueError(f"{slots} slots: at least 1 is needed")
    free_at = [0.0] * slots
    for length in sorted(seconds, reverse=True):
        heapq.heapreplace(free_at, free_at[0] + length)
    return max(free_at)


def step_teraflop(method: str) -> float:
    """Counts the floating-point operations of a step of a method under ``paper``, in 10^12, without computing them."""
    experiment = Experiment("paper", method, lambda_perceptual=0.0)
    counted = type("Counted", (CLASSES[method],), {"adam": _no_optimizer, "update": _backward})
    with torch.device("meta"):
        networks = counted(experiment, torch.device("meta"))
        image = torch.empty(1, 3, experiment.mosaic_size, experiment.mosaic_size)
    with FlopCounterMode(display=False) as step:
        networks.step(image, image)
    perceptual = _perceptual_flop(image) if method == "improved" else 0
    return (step.get_total_flops() + perceptual) / 1e12


def _no_optimizer(*_arguments, **_settings) -> None:
    return None


def _backward(_method, _optimizer: None, loss: torch.Tensor) -> None:
    loss.backward()


def _perceptual_flop(image: torch.Tensor) -> int:
    """Operations of the VGG19 loss of one image; its weights are fixed, so its backward pass costs about as much."""
    from torchvision.models.vgg import cfgs, make_layers  # which the core of the package does not need

    with torch.device("meta"):
        vgg = make_layers(cfgs["E"])[: TAPS["vgg19"][-1] + 1]
    with FlopCounterMode(display=False) as features:
        vgg(torch.cat([image, image]))
    return 2 * features.get_total_flops()


def scaling(reference: Path) -> str:
    """The block of ``docs/scaling.md``."""
    return "\n\n".join((published(reference / "cpu"), papers(), photographs(reference)))


def published(results: Path) -> str:
    """The published experiment on 1 to 64 cores, from the times that its trainings took."""
    seconds = [read_provenance(run)["training_seconds"] for run in find_runs(results, "provenance.json")]
    rows = [{"cores": str(slots), "minutes": f"{makespan(seconds, slots) / 60:.0f}"} for slots in SLOTS]
    text = f"""**The published experiment** (`cpu`) is {len(seconds)} trainings of one core each. They took
        {sum(seconds) / 3600:.1f} hours of a core; the longest took {max(seconds) / 60:.0f} minutes, and no number of
        machines makes it shorter than that. Each free core takes the longest training that waits. Rendering,
        scoring, sizing and the start of each job, one or two minutes of a core a training, are not counted:"""
    return f"{paragraph(text)}\n\n{to_markdown(pd.DataFrame(rows))}"


def papers() -> str:
    """The paper's experiment on 1 to 32 GPUs, by calculation."""
    steps = Experiment("paper").steps
    teraflop = {method: step_teraflop(method) for method in PAPERS}
    hours = {method: steps * each / GPU_TFLOPS / 3600 for method, each in teraflop.items()}
    jobs = [each for each in hours.values() for _ in range(SEEDS)]
    counted = _listing([f"{METHODS[m].short} {teraflop[m]:.1f} TFLOP and {hours[m]:.0f} hours" for m in PAPERS])
    rows = [{"GPUs": str(gpus), "days": f"{makespan(jobs, gpus) / 24:.1f}"} for gpus in GPUS]
    text = f"""**The paper's experiment** (`paper`): {len(PAPERS)} methods with {SEEDS} seeds, {steps:,} steps of 512 px
        each. Nobody has run it. Operations are counted, and {GPU_TFLOPS} TFLOP/s assumed, a third of what an RTX 3090
        is rated for in mixed precision. A step and a training then take: {counted}; all of them {sum(jobs):,.0f} hours
        of a GPU. One training on each:"""
    return f"{paragraph(text)}\n\n{to_markdown(pd.DataFrame(rows))}"


def photographs(reference: Path) -> str:
    """A million photographs of 1900 x 2048 px on processors, from the benchmark of restoring."""
    measured = json.loads((reference / "benchmarks.json").read_text("utf-8"))
    (seconds,) = {row["ours"] for row in measured["rows"]["restoring"] if row["what"] == RESTORING}
    cores = measured["machine"]["cores"]
    hours = seconds * cores * PHOTOGRAPHS / 3600
    rows = [{"machines of 32 cores": str(n), "days": f"{hours / 32 / n / 24:.1f}"} for n in (1, 4, 32)]
    text = f"""**{PHOTOGRAPHS:,} photographs** of 1900 x 2048 px take {hours:,.0f} hours of a core with the restorer
        that comes with the kit: {seconds:.1f} s each were measured on {cores} cores of an
        {measured["machine"]["processor"]} ({measured["machine"]["vectors"]}, without bfloat16; with it, about half).
        Shards have nothing to wait for: cores add up, as long as the drive gives them photographs fast enough:"""
    return f"{paragraph(text)}\n\n{to_markdown(pd.DataFrame(rows))}"


def _listing(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
