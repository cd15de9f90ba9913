"""Restoring: engines beside PyTorch with the same weights, Slim beside the wide Pix2Pix, tiles beside the whole image.

Slim is that of ``results/quick``, trained by ``make reproduce``; Pix2Pix of width 64, its usual one, is trained here
with the settings and images of ``quick`` (ten minutes), once, into ``results/bench``. ``restoring.py WAY NETWORK``, the
way being whole, tiles or fastest, prints seconds and peak memory in MiB, above that of the loaded packages, of
restoring 1900 x 2048 px.
"""

from __future__ import annotations

import resource
import sys
import time

from common import Row, in_turn, processes_in_turn

SIDE, LARGE = 512, (1900, 2048)
FINDING = (
    "A U-Net's time is in convolutions, of which PyTorch reorders the weights at every call and the engines once. In "
    "NAFNet, the engines' gain is larger: norms over channels are written as 1 x 1 convolutions, and gates without "
    "cutting features in two."
)
FINDING_SLIM = (
    "Test scenes of `quick`: Slim {slim[0]:.2f} dB and SSIM {slim[1]:.3f}, Pix2Pix of width 64 {wide[0]:.2f} dB and "
    "{wide[1]:.3f}, each the generator kept by validation PSNR. Slim is the same U-Net with an eighth of the width, "
    "which leaves 1/55 of the multiply-adds, and its batch norms melt into the convolutions."
)
FINDING_LARGE = (
    "Tiles overlap, so that {more:.0%} more pixels are computed than the photograph has, but their features stay near "
    "the processor. Memory is that of one tile, whatever the size of the photograph."
)


def measure() -> list[Row]:
    import numpy as np
    import torch

    from orelib.config import Experiment, Folders
    from orelib.evaluation import evaluate
    from orelib.networks import UNet
    from orelib.pairs import load_pairs
    from orelib.restore import load_restorer
    from orelib.tiles import OVERLAP, TILE, tile_shape, tile_starts
    from orelib.training import train

    folders, pairs = Folders("quick"), load_pairs(Folders("quick"))
    wide = folders.results.parent / "bench" / "pix2pix-seed0"
    experiment = Experiment.from_profile("quick", "pix2pix", base_width=64, discriminator_width=64, threads=2)
    train(experiment, pairs, wide)
    runs = {"wide": wide, "slim": folders.run("slim", 0)}
    scores = {name: tuple(evaluate(run, pairs)[["psnr", "ssim"]].mean()) for name, run in runs.items()}

    torch.set_num_threads(2)
    wet = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    models = {name: run / "generator.safetensors" for name, run in runs.items()}
    restorers = {(name, engine): load_restorer(models[name], engine=engine) for name in models for engine in ENGINES}
    restored = {key: restorer.restore(wet).astype(int) for key, restorer in restorers.items()}
    for (name, engine), image in restored.items():
        if np.abs(image - restored[name, "torch"]).max() > 1:
            raise RuntimeError(f"{engine} restores {name} otherwise than PyTorch")
    seconds = in_turn({key: lambda r=restorer: r.restore(wet) for key, restorer in restorers.items()}, rounds=9)
    eager = seconds["wide", "torch"]
    rows = [
        Row(6, f"restoring {SIDE} x {SIDE}, U-Net of width 64, {engine}", "PyTorch eager", seconds["wide", engine],
            eager, 1.4, 2, finding=FINDING)
        for engine in ENGINES[1:]
    ]  # fmt: skip
    fastest = min(ENGINES, key=lambda engine: seconds["slim", engine])
    what = f"restoring {SIDE} x {SIDE} with Slim, {fastest}"
    finding = FINDING_SLIM.format(**scores)
    rows.append(Row(7, what, "Pix2Pix of width 64, eager", seconds["slim", fastest], eager, 12, 25, finding=finding))
    stride = UNet(2, 7).stride
    padded = [-(-length // stride) * stride for length in LARGE]
    shape = tile_shape(*padded, TILE, OVERLAP, stride)
    counts = [len(tile_starts(*sides, OVERLAP, stride)) for sides in zip(padded, shape, strict=True)]
    more = counts[0] * counts[1] * shape[0] * shape[1] / (padded[0] * padded[1]) - 1
    return rows + large_rows(FINDING_LARGE.format(more=more))


def large_rows(finding: str) -> list[Row]:
    rows = []
    for network, title in (("nafnet", "NAFNet, as the kit's restorer"), ("unet", "U-Net of width 64")):
        ways = {way: (way, network) for way in ("whole", "tiles", "fastest")}
        seconds = processes_in_turn("restoring.py", ways, column=0)
        memory = processes_in_turn("restoring.py", ways, rounds=1, column=1)
        for way, engine in (("tiles", "eager"), ("fastest", "fastest engine")):
            what = f"restoring {LARGE[0]} x {LARGE[1]} in tiles, {engine}, {title}"
            rows += [
                Row(8, what, "whole image, eager", seconds[way], seconds["whole"], 1, 1, finding=finding),
                Row(8, f"the same, memory in MiB, {title}", "whole image, eager", memory[way], memory["whole"], 4, 4,
                    unit="MiB"),
            ]  # fmt: skip
    return rows


ENGINES = ("torch", "onnx", "openvino")


def main(way: str, network: str) -> None:
    import numpy as np
    import torch

    from orelib.engines import ENGINES, fastest_engine
    from orelib.networks import UNet
    from orelib.onnx_graph import OnnxGraph
    from orelib.restore import Restorer, load_restorer

    torch.set_num_threads(2)
    torch.manual_seed(0)
    generator = load_restorer().generator if network == "nafnet" else UNet(64, 7)
    engine = None
    if way == "fastest":
        engine = ENGINES[fastest_engine()](OnnxGraph.of(generator))
    restorer = Restorer(generator, generator.stride, engine=engine)
    wet = np.random.default_rng(0).integers(0, 256, (*LARGE, 3), dtype=np.uint8)
    if way == "whole":
        import orelib.restore

        orelib.restore.TILE = 1 << 20  # larger than any photograph: one tile
    before, seconds = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(2):
        began = time.perf_counter()
        restorer.restore(wet)
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(min(seconds), peak / (2**20 if sys.platform == "darwin" else 2**10))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
