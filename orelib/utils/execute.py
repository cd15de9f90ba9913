"""Runs a notebook headless, as ``papermill --engine orelib`` does, and says in one line why it failed.

The place and all that went before stand in the executed notebook.
"""

from __future__ import annotations

import sys

from papermill.cli import papermill
from papermill.exceptions import PapermillExecutionError

QUIETLY = ("--engine", "orelib", "--no-progress-bar", "--log-level", "WARNING", "--stdout-file", "-")


def main() -> None:
    notebook, executed, *parameters = sys.argv[1:]
    try:
        papermill([*QUIETLY, notebook, executed, *parameters], standalone_mode=False)
    except PapermillExecutionError as error:
        sys.exit(f"orelib: {error.ename}: {error.evalue}\n(cell {error.exec_count} of {executed})")
    except OSError as error:
        sys.exit(
            f"orelib: {executed} cannot be written ({error}): make room on its disk, or choose another results_dir"
        )


if __name__ == "__main__":
    main()
