"""The workflow on a real Slurm, of three virtual nodes on this machine, compared with a run without one.

    apt-get install slurm-wlm slurmdbd mariadb-server munge
    make test-cluster

Two runs go at once on one clone: ``smoke`` with its study, and of ``quick`` one training with its data set. The node
that trains for ``quick`` is killed when the first checkpoint is there, and its jobs go on elsewhere. Then every table
must be the same, byte for byte, as in a second clone where Snakemake ran alone. Half an hour on two cores.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from local_slurm import LocalSlurm, missing_programs, wait_until

ROOT = Path(__file__).parents[2]
SMOKE = ["--config", "profile=smoke", "--", "all", "study"]
TRAINING = "results/quick/slim-seed0"
QUICK = ["--config", "profile=quick", "shards=3", "--", f"{TRAINING}/sizing.csv", "results/quick/figures/mosaic.png"]
TABLES = ("results/*/*.csv", "results/*/*/*.csv", "data/*/manifest.json", "data/*/sizing/manifest.json")
PATIENCE = 3600.0  # seconds


def main() -> int:
    if missing := missing_programs():
        print(f"{', '.join(missing)} missing: apt-get install slurm-wlm slurmdbd mariadb-server munge", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="on-slurm-"))
    alone, cluster = (_clone(folder / name) for name in ("alone", "cluster"))
    began = time.monotonic()
    for options in (SMOKE, QUICK):
        _finish(_start(alone, ["--cores", "2", *options], folder / "alone.log"))
    _say(began, "without Slurm: both runs ended")
    with LocalSlurm(nodes=3, cores=4) as slurm:
        _say(began, slurm.command("sinfo", "-h", "-o", "Slurm: %D nodes, %c cores each, %T").strip())
        runs = [
            _start(cluster, ["--profile", "profiles/slurm", "--jobs", "6", *options], folder / f"{name}.log")
            for name, options in (("smoke", SMOKE), ("quick", QUICK))
        ]
        checkpoint = cluster / TRAINING / "checkpoint.pt"
        wait_until(lambda: checkpoint.exists() or any(run.poll() for run in runs), "there is no checkpoint", PATIENCE)
        node = _node_of(slurm, "train", "slim")
        jobs = slurm.command("squeue", "-h", "-w", node, "-o", "%k").split()
        slurm.kill_node(node)
        _say(began, f"killed {node}, on which ran: {', '.join(jobs)}")
        for run in runs:
            _finish(run)
        _say(began, "on Slurm: both runs ended")
        states = slurm.command("sacct", "-n", "-X", "-o", "State%20").split()
        _say(began, "jobs: " + ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states))))
    sessions = (cluster / TRAINING / "provenance.json").read_text().count('"precision"')
    if sessions != 2:
        print(f"the training was to begin twice, and began {sessions} times", file=sys.stderr)
        return 1
    different = _different(alone, cluster)
    for name in different:
        print(f"differs: {name}", file=sys.stderr)
    if different:
        return 1
    count = sum(1 for _ in _tables(alone))
    _say(began, f"all {count} tables and manifests are the same, byte for byte, but for the times in Table 3")
    shutil.rmtree(folder)
    return 0


def _clone(folder: Path) -> Path:
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


def _start(clone: Path, options: list[str], log: Path) -> subprocess.Popen:
    """Starts Snakemake in a clone, with its code instead of the installed one."""
    environment = os.environ | {"PYTHONPATH": str(clone)}
    with open(log, "ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *options], cwd=clone, env=environment, stdout=out, stderr=out
        )


def _finish(run: subprocess.Popen) -> None:
    if run.wait(PATIENCE):
        raise RuntimeError(f"{' '.join(run.args)} ended with {run.returncode}: see the logs in {tempfile.gettempdir()}")


def _node_of(slurm: LocalSlurm, *words: str) -> str:
    """Returns the node that runs the job whose comment holds all words."""
    for line in slurm.command("squeue", "-h", "-t", "running", "-o", "%N %k").splitlines():
        node, _, comment = line.partition(" ")
        if all(word in comment for word in words):
            return node
    raise RuntimeError(f"no job of {' '.join(words)} is running")


def _tables(clone: Path) -> list[str]:
    return sorted({str(path.relative_to(clone)) for pattern in TABLES for path in clone.glob(pattern)})


def _different(one: Path, other: Path) -> list[str]:
    """Returns the tables that only one of two clones has, or that differ."""
    names = set(_tables(one)) | set(_tables(other))
    return sorted(
        name
        for name in names
        if not (one / name).exists() or not (other / name).exists() or _content(one / name) != _content(other / name)
    )


def _content(table: Path) -> bytes:
    """What a table holds, without what differs from run to run: times, and rows of variants trained in the meantime."""
    if table.name != "table3.csv":
        return table.read_bytes()
    rows = pd.read_csv(table, dtype=str).drop(columns=["seconds_per_image", "training_seconds"])
    return rows[~rows["method"].str.contains("+", regex=False)].to_csv(index=False).encode()


def _say(began: float, text: str) -> None:
    print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
