"""What a rendered pair costs on one core: seconds and peak memory by size, as a Markdown table.

    python benchmarks/rendering.py

Each row is a process of its own, held to one core where the system allows; the time is the median over some seeds, and
the memory is the largest that the process held, Python and its packages included.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time

# (height, width), px per mm, pairs. The last three rows show one scale at growing sizes.
ROWS = [
    ((256, 256), 2.5, 15),
    ((475, 512), 6.5, 7),
    ((950, 1024), 6.5, 5),
    ((1900, 2048), 6.5, 3),
]


def measure(height: int, width: int, px_per_mm: float, pairs: int) -> tuple[float, float]:
    """Median seconds a pair and peak memory in GiB, of this process."""
    import resource

    from orelib.data.scenes import render_pair

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    render_pair(0)  # imports and tables are not a pair's cost
    seconds = []
    for seed in range(1, pairs + 1):
        began = time.perf_counter()
        render_pair(seed, (height, width), px_per_mm)
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return statistics.median(seconds), peak / 2**30


def main() -> None:
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, one core\n")
    print("| pixels | px/mm | s a pair | s a megapixel | peak GiB |")
    print("|---|---|---|---|---|")
    for (height, width), px_per_mm, pairs in ROWS:
        row = [sys.executable, __file__, str(height), str(width), str(px_per_mm), str(pairs)]
        median, peak = map(float, subprocess.run(row, check=True, stdout=subprocess.PIPE, text=True).stdout.split())
        per_megapixel = median / (height * width / 1e6)
        print(f"| {height} x {width} | {px_per_mm} | {median:.3f} | {per_megapixel:.2f} | {peak:.2f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*measure(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
    else:
        main()
