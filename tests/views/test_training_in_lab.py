"""A training in a real JupyterLab: watched, stopped by its button, used, and gone on with to the same end."""

import json

import pytest
from browsing import lab_tab, put_notebook, run_all

from orelib.config import Experiment
from orelib.restore.restorer import load_restorer
from orelib.runs import Folders
from orelib.training import train

CHANGES = {"steps": 600, "validate_every": 150, "checkpoint_every": 200}
PANEL = ".orelib-panel"


@pytest.fixture(scope="module")
def folders(lab_folder, pair_folder):
    changes = " ".join(f"{name}={value}" for name, value in CHANGES.items())
    return Folders("smoke", str(pair_folder), str(lab_folder / "results"), changes)


@pytest.fixture(scope="module")
def notebook(lab_folder, folders):
    parameters = {"profile": "smoke", "method": "slim", "data_dir": folders.data_dir,
                  "results_dir": folders.results_dir, "changes": folders.changes}  # fmt: skip
    return put_notebook("05_training", lab_folder, **parameters)


def pages(notebook):
    """The pages of all widgets in a saved notebook."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    found = [output for cell in cells for output in cell.get("outputs", [])]
    return ["".join(output.get("data", {}).get("text/html", "")) for output in found]


def test_a_training_is_watched_stopped_used_and_goes_on(browser, lab, notebook, folders, pairs, tmp_path):
    run = folders.run("slim", 0)
    with lab_tab(browser, lab, notebook.name) as tab:
        run_all(tab)
        tab.wait_for_selector(f"{PANEL} svg", timeout=60_000)
        assert tab.locator(PANEL).get_attribute("data-state") == "running"
        assert tab.locator(f"{PANEL} figure img").count() == 3
        steps = tab.locator(PANEL).get_attribute("data-step")
        tab.wait_for_function(
            "(steps) => document.querySelector('.orelib-panel').dataset.step !== steps", arg=steps, timeout=10_000
        )
        tab.get_by_role("button", name="Stop", exact=True).click()
        tab.wait_for_selector(f"{PANEL}[data-state=stopped]", timeout=10_000)
        assert "Run this cell again" in tab.locator(f"{PANEL} .orelib-says").inner_text()
        error = tab.locator(".jp-OutputArea-output", has_text="Stopped: ")
        error.wait_for()
        assert error.inner_text().strip().startswith("Stopped: ")
        assert "stopped.safetensors restores already" in error.inner_text()
        assert "Traceback" not in error.inner_text()
        assert not (run / "generator.safetensors").exists()

        restorer = load_restorer(run / "stopped.safetensors")
        assert 0 < restorer.about["stopped"]["step"] < CHANGES["steps"]
        assert restorer.restore(pairs.test[0].load()[0]).shape == pairs.test[0].load()[0].shape

        run_all(tab)
        tab.wait_for_selector(f"{PANEL}[data-state=finished]", timeout=60_000)
        tab.wait_for_selector(".orelib-explorer", timeout=20_000)
        tab.get_by_role("menuitem", name="File", exact=True).click()
        tab.get_by_text("Save Notebook", exact=True).click()
        tab.locator(".jp-mod-dirty").first.wait_for(state="detached")
    (page,) = [page for page in pages(notebook) if "slim seed 0" in page]
    assert page.count("data:image/svg+xml") == 3
    assert "is finished" in page

    whole = train(Experiment("smoke", "slim", **CHANGES), pairs, tmp_path / "whole")
    for name in ("generator.safetensors", "history.csv", "validation.csv", "snapshots.json"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name


def test_the_kernels_own_stop_button_stops_a_training_as_the_panels_does(browser, lab, lab_folder, folders):
    changes = "steps=2000 validate_every=500"
    notebook = put_notebook(
        "05_training", lab_folder, profile="smoke", method="slim", data_dir=folders.data_dir,
        results_dir=folders.results_dir, changes=changes,
    )  # fmt: skip
    run = Folders("smoke", folders.data_dir, folders.results_dir, changes).run("slim", 0)
    with lab_tab(browser, lab, notebook.name) as tab:
        run_all(tab)
        tab.wait_for_selector(f"{PANEL}[data-state=running]", timeout=60_000)
        tab.get_by_title("Interrupt the kernel").click()
        tab.wait_for_selector(f"{PANEL}[data-state=stopped]", timeout=10_000)
        error = tab.locator(".jp-OutputArea-output", has_text="Stopped: ")
        error.wait_for()
        assert "Traceback" not in error.inner_text()
    assert load_restorer(run / "stopped.safetensors").about["stopped"]["step"] > 0
