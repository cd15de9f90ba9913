"""Headless notebooks: no TCP port, and whatever the folder for temporary files is called."""

import tempfile

import nbformat
import papermill
import pytest

from orelib.utils import kernel

# What listens in this process and what is connected to it; and what a forked process prints.
CELL = """
import multiprocessing, psutil
def work():
    print("printed by a forked process", flush=True)
process = multiprocessing.get_context("fork").Process(target=work)
process.start()
process.join()
print("tcp:", psutil.Process().net_connections("tcp"))
"""


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "in.ipynb"
    cells = [nbformat.v4.new_code_cell(CELL)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def printed(notebook):
    done = papermill.execute_notebook(
        str(notebook), str(notebook.with_name("out.ipynb")), engine_name="orelib", progress_bar=False
    )
    return "".join(output.text for output in done.cells[0].outputs)


@pytest.mark.parametrize("long", [False, True])
def test_a_headless_notebook_opens_no_tcp_port(notebook, tmp_path, monkeypatch, long):
    if long:
        folder = tmp_path / ("a" * 120)
        folder.mkdir()
        monkeypatch.setenv("TMPDIR", str(folder))
        monkeypatch.setattr(tempfile, "tempdir", None)
    text = printed(notebook)
    assert "tcp: []" in text
    assert "printed by a forked process" in text


def test_a_folder_that_cannot_hold_a_socket_is_named(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/" + "a" * 120)
    monkeypatch.setattr("os.access", lambda *arguments: False)
    with pytest.raises(OSError, match="set TMPDIR to a short path"):
        kernel._short_folder()
