"""Errors of the modules that are run as ``python -m orelib.<name>``: a reason is printed, and no traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

from orelib.utils.memory import memory_ran_out


def run_command(command: Callable[[], object]) -> NoReturn:
    """Runs a command and ends the process: with 0, or with 2 and the reason on stderr, or, interrupted, with 130."""
    try:
        command()
    except KeyboardInterrupt as stopped:
        if str(stopped):  # a training says where it stands
            print(f"orelib: {stopped}", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if not isinstance(error, OSError | ValueError) and not memory_ran_out(error):
            raise  # a bug of the kit, whose place should be seen
        print(f"orelib: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)
