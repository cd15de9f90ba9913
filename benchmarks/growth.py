"""How time and memory grow with the size of the image: a training step of Improved, and restoring with it.

Every cell is a process of its own: ``growth.py step|restore SIDE`` prints the fewest seconds and the peak memory in MiB
above that of the loaded packages. Networks are those of ``quick``, on two threads.
"""

from __future__ import annotations

import sys
import time

from common import peak_mebibytes, run_script

SIDES = (128, 256, 512, 1024, 2048)


def measure() -> list[dict[str, str]]:
    """A row a size, as text for the table."""
    rows = []
    for side in SIDES:
        row = {"pixels": f"{side} x {side}"}
        for what, title in (("step", "training step"), ("restore", "restoring")):
            seconds, mebibytes = run_script("growth.py", what, side)
            row[f"{title}, s"], row[f"{title}, MiB"] = f"{seconds:.3f}", f"{mebibytes:.0f}"
        rows.append(row)
    return rows


def main(what: str, side: int) -> None:
    import numpy as np
    import torch

    from orelib.config import Experiment
    from orelib.methods import CLASSES
    from orelib.restore.restorer import Restorer
    from orelib.training import start_torch

    experiment = Experiment("quick", "improved", mosaic_size=side, threads=2)
    device = start_torch(experiment)
    torch.manual_seed(0)
    method = CLASSES["improved"](experiment, device)
    if what == "step":
        x, y = torch.rand(2, 1, 3, side, side) * 2 - 1
        run = lambda: method.step(x, y)  # noqa: E731
    else:
        wet = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
        restorer = Restorer(method.generator, method.generator.stride)
        run = lambda: restorer.restore(wet)  # noqa: E731
    before, seconds = peak_mebibytes(), []
    for _ in range(4 if side < 2048 else 2):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    print(min(seconds[1:]), peak_mebibytes() - before)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
