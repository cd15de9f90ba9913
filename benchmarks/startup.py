"""How long the kit takes to start, where nothing needs PyTorch."""

from __future__ import annotations

import subprocess
import sys

from common import Row, in_turn

FINDING = "Neither imports PyTorch, NumPy or pandas; what is left is Python's own start, {python:.2f} s, and argparse."


def measure() -> list[Row]:
    def command(*arguments: str):
        return lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)

    ways = {
        "python": command("-c", "pass"),
        "import orelib": command("-c", "import orelib, sys; assert 'torch' not in sys.modules"),
        "orelib --help": command("-m", "orelib.cli", "--help"),
    }
    seconds = in_turn(ways, rounds=9)
    finding = FINDING.format(python=seconds.pop("python"))
    return [Row(10, what, "", value, None, 0.5, 0.2, finding=finding) for what, value in seconds.items()]
