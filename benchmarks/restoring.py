"""Restoring: engines beside PyTorch with the same weights, Slim beside the wide Pix2Pix, tiles beside the whole image.

Slim is that of ``results/quick``, trained by ``make reproduce``; Pix2Pix of width 64, its usual one, is trained here
with the settings and images of ``quick`` (ten minutes), once, into ``results/bench``.

A way is a process of its own, because the threads of ONNX Runtime go on waiting for work, and slow down whoever
computes after them: ``restoring.py WAY MODEL HEIGHT WIDTH`` prints the fewest seconds, and the peak memory in MiB above
that of the loaded packages. The way is an engine, ``whole``, the engine torch on the whole image, or ``plain``:
PyTorch as it comes, its own layers on the whole image. The model is a file.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

from common import Row, as_pytorch_comes, peak_mebibytes, processes_in_turn, start_process

SIDE, LARGE = 512, (1900, 2048)
ENGINES = ("openvino", "onnx", "torch")
FINDING = (
    "Restoring {side} x {side} px takes {macs:.1f} x 10^9 multiply-adds. {fastest} makes {rate:.0f} x 10^9 of them a "
    "second; a product of large matrices, PyTorch's own, {matrices:.0f} x 10^9. PyTorch brings weights into another "
    "order at every call, and the engines have done so once."
)
FINDING_SLIM = (
    "Test scenes of `quick`: Slim {slim[0]:.2f} dB and SSIM {slim[1]:.3f}, Pix2Pix of width 64 {wide[0]:.2f} dB and "
    "{wide[1]:.3f}, each the generator kept by validation PSNR. Slim is the same U-Net with an eighth of the width, "
    "which leaves 1/55 of the multiply-adds, and its batch norms melt into the convolutions."
)
FINDING_LARGE = (
    "{title}: tiles overlap, so that {more:.0%} more pixels are computed than the photograph has. Against the whole "
    "image restored as the kit does (channels-last order, and memory that is kept), tiles take {longer:.2f} times as "
    "long with {less:.1f} times less memory. Memory is that of one tile, whatever the size of the photograph."
)


def measure() -> list[Row]:
    from orelib.config import Experiment
    from orelib.data.pairs import load_pairs
    from orelib.evaluation import evaluate
    from orelib.runs import Folders
    from orelib.training import train

    folders, pairs = Folders("quick"), load_pairs(Folders("quick"))
    wide = folders.results.parent / "bench" / "pix2pix-seed0"
    experiment = Experiment("quick", "pix2pix", base_width=64, discriminator_width=64, threads=2)
    train(experiment, pairs, wide)
    runs = {"wide": wide, "slim": folders.run("slim", 0)}
    scores = {name: tuple(evaluate(run, pairs)[["psnr", "ssim"]].mean()) for name, run in runs.items()}
    models = {name: run / "generator.safetensors" for name, run in runs.items()}
    rows = small_rows(models, scores) + large_rows(models["wide"])
    check_engines(models)  # last, since with its engines in this process, PyTorch's took a quarter longer in the others
    return rows


def small_rows(models: dict[str, Path], scores: dict[str, tuple[float, float]]) -> list[Row]:
    ways = {(name, way): (way, model, SIDE, SIDE) for name, model in models.items() for way in ("plain", *ENGINES)}
    seconds = {key: numbers[0] for key, numbers in processes_in_turn("restoring.py", ways).items()}
    wide, slim = (sorted(ENGINES, key=lambda engine: seconds[name, engine]) for name in models)  # the fastest first
    plain, finding = seconds["wide", "plain"], finding_of_wide(models["wide"], wide[0], seconds["wide", wide[0]])
    rows = [
        Row(6, f"restoring {SIDE} x {SIDE}, U-Net of width 64, {engine}", "PyTorch eager", seconds["wide", engine],
            plain, *((1.4, 2) if engine == wide[0] else (None, None)), finding=finding)
        for engine in wide
    ]  # fmt: skip
    what, ours = f"restoring {SIDE} x {SIDE} with Slim, {slim[0]}", seconds["slim", slim[0]]
    finding = FINDING_SLIM.format(**scores)
    return [*rows, Row(7, what, "Pix2Pix of width 64, eager", ours, plain, 12, 25, finding=finding)]


def check_engines(models: dict[str, Path]) -> None:
    """Raises RuntimeError when an engine restores otherwise than PyTorch, by more than 1 of 255."""
    import numpy as np

    from orelib.restore.restorer import load_restorer

    wet = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    for name, model in models.items():
        restored = {engine: load_restorer(model, engine=engine).restore(wet).astype(int) for engine in ENGINES}
        for engine, image in restored.items():
            if np.abs(image - restored["torch"]).max() > 1:
                raise RuntimeError(f"{engine} restores {name} otherwise than PyTorch")


def finding_of_wide(model: Path, fastest: str, seconds: float) -> str:
    """How many multiply-adds a second the fastest engine makes, and a matrix product, which does nothing else."""
    import torch

    from orelib.restore.restorer import load_restorer

    torch.set_num_threads(2)
    one, other = torch.rand(2, 2048, 2048)
    product = math.inf
    for _ in range(20):
        began = time.perf_counter()
        one @ other
        product = min(product, time.perf_counter() - began)
    multiply_adds = load_restorer(model).multiply_adds
    return FINDING.format(
        side=SIDE, macs=multiply_adds / 1e9, fastest=fastest, rate=multiply_adds / seconds / 1e9,
        matrices=2048**3 / product / 1e9,
    )  # fmt: skip


def large_rows(wide: Path) -> list[Row]:
    from orelib.restore.engines import fastest_engine
    from orelib.restore.restorer import DEFAULT_RESTORER, load_restorer
    from orelib.restore.tiles import OVERLAP, TILE, tile_shape, tile_starts

    rows, fastest = [], fastest_engine()
    # The network of the kit's restorer, by its file: beside it, the restorer would choose the classical way for noise.
    for model, title in ((DEFAULT_RESTORER, "NAFNet, the kit's network"), (wide, "U-Net of width 64")):
        stride = load_restorer(model).stride
        padded = [-(-length // stride) * stride for length in LARGE]
        shape = tile_shape(*padded, TILE, OVERLAP, stride)
        down, right = (len(tile_starts(*sides, OVERLAP, stride)) for sides in zip(padded, shape, strict=True))
        ways = {way: (way, model, *LARGE) for way in ("plain", "whole", "torch", fastest)}
        measured = processes_in_turn("restoring.py", ways)
        finding = FINDING_LARGE.format(
            title=title, more=down * right * shape[0] * shape[1] / (padded[0] * padded[1]) - 1,
            longer=measured["torch"][0] / measured["whole"][0], less=measured["whole"][1] / measured["torch"][1],
        )  # fmt: skip
        for way in ("torch", fastest):
            what = f"restoring {LARGE[0]} x {LARGE[1]} in tiles, {way}, {title}"
            (ours, memory), (theirs, memory_of_whole) = measured[way], measured["plain"]
            rows += [
                Row(8, what, "whole image, eager", ours, theirs, 1, 1, finding=finding),
                Row(8, "the same, memory", "whole image, eager", memory, memory_of_whole, 4, 4, unit="MiB"),
            ]
    return rows


def main(way: str, model: str, height: int, width: int) -> None:
    start_process(as_the_kit=way != "plain")
    import numpy as np
    import torch

    from orelib.restore import restorer as module

    torch.set_num_threads(2)
    if way == "plain":
        as_pytorch_comes()
    if way in ("plain", "whole"):
        module.TILE = 1 << 20  # larger than any photograph: one tile
    restorer = module.load_restorer(Path(model), engine=way if way in ENGINES else "torch")
    wet = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    before, seconds = peak_mebibytes(), []
    for _ in range(10 if height * width < 1_000_000 else 2):
        began = time.perf_counter()
        restorer.restore(wet)
        seconds.append(time.perf_counter() - began)
    print(min(seconds[1:]), peak_mebibytes() - before)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
