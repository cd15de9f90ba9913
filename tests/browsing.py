"""A real browser and a real JupyterLab for tests: fixtures, which ``conftest`` makes known, and helpers.

Needs Chromium (Debian: ``apt-get install chromium``) and Playwright; tests are skipped where one is missing.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

ROOT = Path(__file__).resolve().parent.parent
JUPYTER = ROOT / "orelib" / "utils" / "jupyter"  # what an installation places below etc/jupyter and share/jupyter
PLACES = {"JUPYTER_CONFIG_PATH": str(JUPYTER), "JUPYTER_PATH": str(JUPYTER)}
LAST = "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].at(-1).textContent"  # [*]: or [12]:
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")  # no longer: while it runs, so does an event loop, which other tests start themselves
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lab_folder(tmp_path_factory):
    """The folder that :func:`lab` shows; put notebooks there."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(lab_folder):
    """A real JupyterLab on a folder; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}",
               "--ServerApp.port_retries=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={lab_folder}",
               "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]  # fmt: skip
    settings = {
        "JUPYTER_CONFIG_DIR": str(lab_folder / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(lab_folder / "s"),
    }
    with open(lab_folder / "lab.log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | PLACES | settings, stdout=log, stderr=log, cwd=ROOT)
    try:
        yield _answering(f"http://127.0.0.1:{port}", server, lab_folder / "lab.log")
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:  # it may wait for a kernel that has only begun to start
            server.kill()


def _answering(address, server, log):
    for _ in range(120):
        assert server.poll() is None, log.read_text()[-2000:]
        try:
            urllib.request.urlopen(f"{address}/api/status", timeout=2).close()
            return address
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"JupyterLab did not answer:\n{log.read_text()[-2000:]}")


def put_notebook(name, folder, **parameters):
    """Writes a notebook as committed, with other parameters, into a folder; returns its path."""
    committed = load_notebook_node(str(ROOT / "notebooks" / f"{name}.ipynb"))
    nbformat.write(parameterize_notebook(committed, parameters), folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


@contextmanager
def lab_tab(browser, address, name):
    """JupyterLab in a tab that reaches nothing but its own server."""
    context = browser.new_context(viewport={"width": 1400, "height": 1300})
    context.route(lambda url: not url.startswith(address) and url.startswith("http"), lambda route: route.abort())
    tab = context.new_page()
    tab.goto(f"{address}/lab/tree/{name}?reset")
    yield tab
    context.close()


def wait_until_it_runs(tab):
    """Waits until the last cell of the notebook waits to be run."""
    tab.wait_for_function(f"{LAST} === '[*]:'", polling=20)


def wait_until_it_has_run(tab):
    """Waits until the last cell of the notebook has run."""
    tab.wait_for_function(f"/\\d/.test({LAST})", timeout=180_000)


def run_all(tab):
    """Runs all cells of the notebook in a tab; returns before they have run."""
    tab.locator(".jp-Notebook").wait_for(timeout=60_000)
    tab.get_by_text("| Idle").wait_for(timeout=60_000)  # before the kernel is there, cells are not run
    tab.get_by_role("menuitem", name="Run", exact=True).click()
    tab.get_by_text("Run All Cells", exact=True).click()
