"""What the benchmarks share: ways that take turns, and the table that comes out.

A machine that is used by others is never twice the same, so times are compared within one run: all ways take turns,
round by round, and each has the fastest of its rounds, since whatever else computes can only make one slower.
"""

from __future__ import annotations

import functools
import math
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Row:
    """One comparison of the table: what was measured ``ours`` and ``theirs``, and what was wanted of it.

    ``better`` is what counts as better: less (seconds, memory) or more (samples a second). A row without ``theirs`` has
    no peer, and ``at_least`` and ``aim`` are limits for ``ours`` then, not ratios. ``finding`` says why it is as it is.
    """

    number: int
    what: str
    against: str
    ours: float
    theirs: float | None
    at_least: float | None
    aim: float | None
    unit: str = "s"
    better: str = "less"
    finding: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer."""
        if self.theirs is None:
            return None
        return self.theirs / self.ours if self.better == "less" else self.ours / self.theirs

    @property
    def verdict(self) -> str:
        """``aim``, ``at least`` or ``short``, by what was reached."""
        for name, wanted in (("aim", self.aim), ("at least", self.at_least)):
            if wanted is not None and self._reaches(wanted):
                return name
        return "short"

    def _reaches(self, wanted: float) -> bool:
        if self.theirs is not None:
            return self.ratio >= wanted
        return self.ours <= wanted if self.better == "less" else self.ours >= wanted


def as_dict(row: Row | dict) -> dict:
    """A row for JSON, with what follows from it."""
    return row if isinstance(row, dict) else vars(row) | {"ratio": row.ratio, "verdict": row.verdict}


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 1) -> dict[str, float]:
    """Fewest seconds of each way, all of them taking turns; the first ``warm_up`` rounds are not counted."""
    seconds = dict.fromkeys(ways, math.inf)
    for number in range(warm_up + rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if number >= warm_up:
                seconds[name] = min(seconds[name], time.perf_counter() - began)
    return seconds


def processes_in_turn(script: str, ways: Mapping[str, Sequence], rounds: int = 3) -> dict[str, tuple[float, ...]]:
    """As :func:`in_turn`, each way a process of its own: ``script`` with these arguments, which prints numbers.

    For what is set for a whole process or stays in it: threads, the allocator, how denormal numbers are treated.
    Where a way prints several numbers, each has its own least, so that memory may be of another round than the time.
    """
    printed: dict[str, list[list[float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, arguments in ways.items():
            printed[name].append(run_script(script, *arguments))
    return {name: tuple(map(min, zip(*numbers, strict=True))) for name, numbers in printed.items()}


def run_script(script: str, *arguments) -> list[float]:
    """The numbers that a script of this folder prints on its last line, run as a process."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(number) for number in done.stdout.splitlines()[-1].split()]


def start_process(as_the_kit: bool) -> None:
    """Sets allocator and threads' waiting as the kit's programs do, or leaves them as they come; before torch."""
    from orelib.utils.process import prepare_for_torch

    if as_the_kit:
        prepare_for_torch()
    else:
        os.environ.pop("GOMP_SPINCOUNT", None)  # which make has set


def as_pytorch_comes() -> None:
    """The kit's networks with PyTorch's own instance norm, and without channels-last images."""
    import torch
    from torch import nn

    from orelib import networks

    networks.InstanceNorm = functools.partial(nn.InstanceNorm2d, affine=True)
    torch.channels_last = torch.contiguous_format


def peak_mebibytes() -> float:
    """The most memory that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says on Linux begins with the memory of the process that started this one
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of one shape as a Markdown table."""
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([str(row[column]) for column in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
