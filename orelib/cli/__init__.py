"""The command line, ``orelib``.

``restore``    makes photographs of wet ore look dry
``size``       measures particle sizes in photographs
``calibrate``  measures a correction of the results on a user's own photographs
``export``     writes a generator in another format
``check``      checks pairs before training
``wet``        makes pairs to train on from dry photographs
``notebooks``  copies the notebooks
``common``     parts that several commands share
``__main__``   ``python -m orelib.cli``

Exit codes: 0, all is well; 1, some photographs failed, or the check found problems; 2, wrong usage, or nothing could be
done, with one line on stderr that says why.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

from orelib.cli import calibrate, check, export, notebooks, restore, size, wet
from orelib.cli.common import EXIT_CODES
from orelib.utils.names import printable


class _Parser(argparse.ArgumentParser):
    """A parser that reports wrong usage in one line, like any other error."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"orelib: {printable(message)}; see {self.prog} --help\n")


def main(argv: list[str] | None = None) -> int:
    """Runs the command in ``argv``, by default the arguments of the process; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):  # a letter that the terminal lacks must not end the command
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        chosen = _parser().parse_args(argv)
        return _said(chosen.run(chosen))
    except SystemExit as stop:  # argparse: help, or wrong usage
        return stop.code
    except KeyboardInterrupt as stopped:
        if str(stopped):  # a training says where it stands
            return _complain(str(stopped), 130)
        return _complain("interrupted; what is finished is kept", 1)
    except (OSError, ValueError) as error:
        return _complain(str(error), 2)
    except Exception as error:
        from orelib.utils.memory import memory_ran_out

        if not memory_ran_out(error):
            raise
        message = str(error) if str(error).startswith("memory ran out") else f"memory ran out: {error}"
        return _complain(message, 2)


def _said(code: int) -> int:
    """Returns the exit code, or 1 if the output cannot be written: the disk of a log is full, or a reader is gone."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):  # AttributeError: there is no stdout
        if sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
        return max(code, 1)
    return code


def _complain(message: str, code: int) -> int:
    print(f"orelib: {printable(' '.join(message.split()))}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="orelib",
        description="Photographs of wet ore, made to look dry. See also: orelib COMMAND --help",
        epilog="example:\n  orelib restore belt_photos restored\n" + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (restore, size, calibrate, export, check, wet, notebooks):
        command.add(commands)
    return parser
