"""Notebooks that are executed in place, as they are committed."""

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from orelib.utils.execute import execute_in_place

CELL = """
import ipywidgets
from orelib.utils.progress import Progress
progress = Progress(20, "restoring mine")
for k in range(20):
    progress.advance(note="G 1.23")
widget = ipywidgets.IntSlider()
print("results/improved-seed0 is finished: 8 steps. To train again, delete the folder.")
print("of lasting worth")
6 * 7
"""


def made(path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def test_executed_again_a_notebook_is_the_same_to_the_byte(tmp_path):
    path = made(tmp_path / "one.ipynb", CELL, "Progress(1, 'alone').advance()")
    execute_in_place(path)
    first = path.read_bytes()
    execute_in_place(path)
    assert path.read_bytes() == first
    notebook = nbformat.read(path, 4)
    assert [output.get("text", output.get("data")) for output in notebook.cells[0].outputs] == [
        "of lasting worth\n",
        {"text/plain": "42"},
    ]
    assert notebook.cells[1].outputs == []
    assert [cell.execution_count for cell in notebook.cells] == [1, 2]
    assert not any("execution" in cell.metadata for cell in notebook.cells)
    assert "widgets" not in notebook.metadata


def test_a_notebook_that_fails_is_left_as_it_was(tmp_path):
    path = made(tmp_path / "one.ipynb", "print(1)", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute_in_place(path)
    assert path.read_bytes() == before
