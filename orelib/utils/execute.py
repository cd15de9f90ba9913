"""Runs notebooks headless and says in one line why one failed.

``python -m orelib.utils.execute NOTEBOOK EXECUTED [-p NAME VALUE ...]`` does what ``papermill --engine orelib`` does;
the executed notebook shows the place of an error and all output before it. ``--in-place NOTEBOOK ...`` executes
notebooks as they are committed: without times, so that a file changes only if a result does.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from papermill.cli import papermill
from papermill.exceptions import PapermillExecutionError

from orelib.utils.files import write_text
from orelib.utils.kernel import LocalKernelManager

QUIETLY = ("--engine", "orelib", "--no-progress-bar", "--log-level", "WARNING", "--stdout-file", "-")
# Lines that another execution on the same results would not print, or would print with other times.
PASSING = re.compile(
    r"^.*(: \d+/\d+, [\d.]+ s each, [\d:]+ left.*| is finished: \d+ steps\. To train again, delete the folder\.)\n",
    re.MULTILINE,
)


def execute_in_place(path: Path) -> None:
    """Executes a notebook in its own folder and writes its outputs into it, without times and ids of widgets.

    Left out are the time when each cell ran, the state of widgets, which has new random ids each time, and lines of
    progress (:data:`PASSING`). A notebook that fails is left as it was.

    Raises CellExecutionError when a cell fails.
    """
    notebook = nbformat.read(path, 4)
    NotebookClient(
        notebook, kernel_manager_class=LocalKernelManager, record_timing=False, store_widget_state=False,
        coalesce_streams=True, resources={"metadata": {"path": str(path.parent)}},
    ).execute()  # fmt: skip
    notebook.metadata.pop("widgets", None)  # of an earlier execution, like the times
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            if output.output_type == "stream":
                output.text = PASSING.sub("", output.text)
        cell.outputs = [output for output in cell.outputs if output.get("text") != ""]
    write_text(path, nbformat.writes(notebook) + "\n")


def main() -> None:
    in_place = sys.argv[1] == "--in-place"
    executed = sys.argv[2]
    try:
        if in_place:
            for executed in sys.argv[2:]:
                print(f"== {executed}", flush=True)
                execute_in_place(Path(executed))
        else:
            papermill([*QUIETLY, *sys.argv[1:]], standalone_mode=False)
    except PapermillExecutionError as error:
        sys.exit(f"orelib: {error.ename}: {error.evalue}\n(cell {error.exec_count} of {executed})")
    except CellExecutionError as error:
        sys.exit(f"orelib: {error.ename}: {error.evalue}\n(in {executed}, which is left as it was)")
    except OSError as error:
        sys.exit(
            f"orelib: {executed} cannot be written ({error}): make room on its disk, or choose another results_dir"
        )


if __name__ == "__main__":
    main()
