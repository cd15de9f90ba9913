"""The whole of ``make reproduce`` (quick profile, installation apart), beside what it took before it was made faster.

Both run from fresh checkouts in a temporary folder, one after the other, in the environment of this process.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from common import ROOT, Row

BEFORE = "198c903"  # the last commit before the kit was profiled
FINDING = (
    "Of 9 minutes, 7 were training, of which SSIM took a third for Improved and NAFNet. Now SSIM takes little, and "
    "trainings run side by side with one thread each: one thread does two thirds of what two do together. The command "
    "does more than before: it trains Slim, too, a fifth method, in more than a minute of one core. To begin with the "
    "longest training changed nothing, since another one is left alone in the end."
)


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        before, now = (seconds(Path(folder) / name, commit) for name, commit in (("before", BEFORE), ("now", "HEAD")))
    return [Row(9, "`make reproduce`, quick profile", f"commit {BEFORE}", now, before, 1.3, 2, finding=FINDING)]


def seconds(checkout: Path, commit: str) -> float:
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(checkout)], check=True)
    subprocess.run(["git", "checkout", "--quiet", commit], cwd=checkout, check=True)
    command = ["snakemake", "--cores", "all", "--resources", "gpu=1", "--nolock", "--quiet", "all"]
    # PYTHONPATH: the checkout's own package, also in the notebooks' kernels
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    began = time.perf_counter()
    subprocess.run([*command, "--config", "profile=quick"], cwd=checkout, env=environment, check=True)
    return time.perf_counter() - began
