"""Frames a second on a belt, from JPEG to JPEG, beside the kit before it restored several photographs at a time.

    python benchmarks/belt.py

Photographs of 1900 x 2048 px, rendered, are restored by the kit's restorer, by Slim (the size of ``quick``, without
training, which costs the same), and the classical way; the networks by OpenVINO on two threads. The columns *read* to
*write* are milliseconds that the first photograph takes by itself; *together* is a whole folder, divided by the number
of its photographs, and *processor* what both cores together have computed meanwhile for one of them, which other
programs change less. *Classical* counts the photographs that are restored the classical way, at least in part, because
the restorer takes them for unlike its training.

Every way is a process of its own, which takes turns with the others: ``belt.py PRECISION MODEL FOLDER`` prints the
fewest milliseconds of each column, and that count, by the code that ``PYTHONPATH`` leads to.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from common import ROOT, markdown, start_process

BEFORE = "f9da19d"  # the last commit before the folder was restored several photographs at a time
CLASSICAL = "classical"
SIDES, FRAMES, ROUNDS = (1900, 2048), 8, 3
TIMES = ("read", "look", "restore", "write", "together", "processor")
TOGETHER = TIMES.index("together")


def measure() -> list[dict[str, str]]:
    """A row for each restorer and way, as text for the table."""
    from orelib.utils.provenance import has_bfloat16

    ways = {"before": (BEFORE, "float32"), "now": ("", "float32")}
    if has_bfloat16():
        ways["now, bfloat16"] = ("", "bfloat16")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        photographs, models, before = photographed(place / "wet"), restorers(place), checkout(place / "before", BEFORE)
        milliseconds: dict[tuple[str, str], list[list[float]]] = {}
        for _ in range(ROUNDS):
            for title, model in models.items():
                for way, (commit, precision) in ways.items():
                    if model == CLASSICAL and precision != "float32":
                        continue
                    numbers = run(before if commit else ROOT, precision, model, photographs)
                    milliseconds.setdefault((title, way), []).append(numbers)
    fewest = {key: [min(column) for column in zip(*rounds, strict=True)] for key, rounds in milliseconds.items()}
    return [row(title, way, numbers, fewest[title, "before"][TOGETHER]) for (title, way), numbers in fewest.items()]


def row(title: str, way: str, numbers: list[float], before: float) -> dict[str, str]:
    """A row of the table: milliseconds of each part, frames a second, and how many times those of ``before``."""
    *times, classical = numbers
    cells = {f"{name}, ms": f"{number:.0f}" for name, number in zip(TIMES, times, strict=True)}
    together = numbers[TOGETHER]
    frames = {"frames/s": f"{1000 / together:.2f}", "times": f"{before / together:.2f}"}
    return {"restorer": title, "way": way} | cells | frames | {"classical": f"{classical:.0f} of {FRAMES}"}


def photographed(folder: Path) -> Path:
    """Saves rendered wet scenes, mirrored to the size of a frame, as JPEG; returns the folder."""
    import numpy as np
    from PIL import Image

    from orelib.data.scenes import render_pair

    folder.mkdir()
    height, width = SIDES
    for number in range(FRAMES):
        scene = render_pair(4_000_000 + number, (height // 4, width // 4), px_per_mm=6.5).wet
        scene = np.concatenate([scene, scene[::-1]])
        scene = np.concatenate([scene, scene[:, ::-1]], axis=1)
        Image.fromarray(np.tile(scene, (2, 2, 1))).save(folder / f"belt_{number:03d}.jpg", quality=92)
    return folder


def restorers(folder: Path) -> dict[str, Path | str]:
    """Returns model files, or what stands for one, by title; Slim's is made in ``folder``."""
    from orelib.config import Experiment
    from orelib.data.scenes import render_pair
    from orelib.methods import CLASSES
    from orelib.restore.familiar import Familiar
    from orelib.restore.restorer import DEFAULT_RESTORER, save_generator

    slim, path = Experiment("quick", "slim"), folder / "generator.safetensors"
    weights = CLASSES["slim"].build_generator(slim).state_dict()
    known = Familiar.of(render_pair(seed, (128, 128)).wet for seed in range(4))
    save_generator(path, weights, slim, "no data", 0, familiar=known)
    return {"the kit's": DEFAULT_RESTORER, "Slim": path, "classical": CLASSICAL}


def checkout(folder: Path, commit: str) -> Path:
    """Checks the kit of a commit out into a new folder."""
    subprocess.run(["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(folder)], check=True)
    subprocess.run(["git", "checkout", "--quiet", commit], cwd=folder, check=True)
    return folder


def run(kit: Path, precision: str, model: Path | str, photographs: Path) -> list[float]:
    """The numbers that this script prints as a process with the code of ``kit``."""
    command = [sys.executable, __file__, precision, str(model), str(photographs)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(kit), str(ROOT / "benchmarks")])}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return [float(number) for number in done.stdout.splitlines()[-1].split()]


def main(precision: str, model: str, photographs: Path) -> None:
    start_process(as_the_kit=True)
    from dataclasses import replace

    import torch

    from orelib.data.photographs import read_photograph, write_photograph
    from orelib.restore.folders import restore_folder
    from orelib.restore.restorer import DEFAULT_RESTORER, load_restorer

    torch.set_num_threads(2)
    options = {} if precision == "float32" else {"precision": precision}  # which the older code does not know
    restorer = load_restorer(None if model == str(DEFAULT_RESTORER) else model, engine="openvino", **options)
    first, fewest = sorted(photographs.iterdir())[0], dict.fromkeys(TIMES, float("inf"))
    with tempfile.TemporaryDirectory() as folder:
        restorer.restore(read_photograph(first).pixels)  # compiles
        for number in range(2):
            wet = timed(fewest, "read", read_photograph, first)
            timed(fewest, "look", restorer.remark, wet.pixels)
            dry = replace(wet, pixels=timed(fewest, "restore", restorer.restore, wet.pixels))
            timed(fewest, "write", write_photograph, Path(folder) / f"{number}.jpg", dry)
        before = time.process_time()
        table = timed(fewest, "together", restore_folder, restorer, photographs, Path(folder) / "out")
        fewest["processor"] = time.process_time() - before
    if (table["status"] != "restored").any():
        raise RuntimeError(f"not all photographs were restored: {table['error'].max()}")
    for whole in ("together", "processor"):
        fewest[whole] /= len(table)
    classical = len(table) if model == CLASSICAL else table["remark"].str.contains(CLASSICAL).sum()
    print(*(1000 * seconds for seconds in fewest.values()), classical)


def timed(fewest: dict[str, float], what: str, work: Callable, *arguments: object) -> object:
    """Calls ``work``, and notes its seconds if they are the fewest; returns its result."""
    began = time.perf_counter()
    result = work(*arguments)
    fewest[what] = min(fewest[what], time.perf_counter() - began)
    return result


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    else:
        print(markdown(measure()))
