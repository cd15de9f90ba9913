"""What a Jupyter server leaves out when it saves a notebook."""

import copy
import json
import logging
import re

import pytest
from conftest import ROOT
from jupyter_server.services.contents.filemanager import FileContentsManager
from traitlets.config import Config

from orelib.utils import saving
from orelib.utils.saving import PAGE_CLASS, STATE, VIEW, keep_pages

PAGE = f'<div class="{PAGE_CLASS}"><iframe srcdoc="a page"></iframe></div>'


def output(model_id, page=None):
    data = {VIEW: {"model_id": model_id, "version_major": 2, "version_minor": 0}, "text/plain": "a widget"}
    data |= {} if page is None else {"text/html": page}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def notebook(*outputs, states=()):
    cell = {"cell_type": "code", "id": "a", "source": "", "metadata": {}, "execution_count": 1, "outputs": [*outputs]}
    metadata = {"widgets": {STATE: {"state": dict(states), "version_major": 2, "version_minor": 0}}} if states else {}
    return {"cells": [cell, {"cell_type": "markdown", "id": "b", "source": "", "metadata": {}}],
            "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}  # fmt: skip


def saved(content):
    model = {"type": "notebook", "content": copy.deepcopy(content)}
    keep_pages(model=model, path="a.ipynb", contents_manager=None)
    return model["content"]


@pytest.mark.parametrize("page", [PAGE, PAGE.partition(" ")[::2]])
def test_a_page_is_kept_without_its_widget(page):
    page = [page[0] + " ", page[1]] if isinstance(page, tuple) else page  # lines, as in a file
    data = saved(notebook(output("1", page)))["cells"][0]["outputs"][0]["data"]
    assert data == {"text/plain": "a widget", "text/html": page}


@pytest.mark.parametrize("page", [None, "<p>a table</p>", "<p>about orelib-page</p>"])
def test_other_widgets_stay(page):
    before = notebook(output("1", page), states={"1": {"state": {}}})
    assert saved(before) == before


def test_the_saved_state_of_a_removed_widget_goes_with_its_parts_that_no_other_needs():
    states = {
        "page": {"state": {"layout": "IPY_MODEL_own", "box": ["IPY_MODEL_shared"]}},
        "own": {"state": {}},
        "other": {"state": {"children": ["IPY_MODEL_shared"]}},
        "shared": {"state": {}},
    }
    left = saved(notebook(output("page", PAGE), output("other"), states=states))
    assert set(left["metadata"]["widgets"][STATE]["state"]) == {"other", "shared"}


def test_the_saved_states_of_our_widgets_go_if_no_output_shows_them():
    def ours(**parts):
        return {"state": {"_anywidget_id": "orelib.views.compare.Compare"} | parts}

    states = {
        "stale": ours(layout="IPY_MODEL_own"),
        "own": {"state": {}},
        "shown": ours(),  # by a reader's own code, without a page
        "in a box": ours(),
        "box": {"state": {"children": ["IPY_MODEL_in a box"]}},
        "other": {"state": {"_anywidget_id": "theirs.Widget"}},
    }
    left = saved(notebook(output("shown"), output("box"), states=states))
    assert set(left["metadata"]["widgets"][STATE]["state"]) == {"shown", "in a box", "box", "other"}


@pytest.mark.parametrize(
    "model", [{"type": "file", "content": PAGE}, {"type": "notebook"}, {"type": "notebook", "content": None}]
)
def test_what_is_no_notebook_is_left_alone(model):
    before = copy.deepcopy(model)
    keep_pages(model)
    assert model == before


class Server:
    def __init__(self, folder, **settings):
        self.contents_manager = FileContentsManager(
            root_dir=str(folder), config=Config(FileContentsManager=settings), log=logging.getLogger("contents")
        )
        saving._load_jupyter_server_extension(self)

    def save(self, content):
        self.contents_manager.save({"type": "notebook", "format": "json", "content": content}, "a.ipynb")


def mark(model, **_):
    model["content"]["metadata"]["marked"] = True


def test_a_users_own_hook_works_beside_it(tmp_path):
    Server(tmp_path, pre_save_hook=mark).save(notebook(output("1", PAGE)))
    written = json.loads((tmp_path / "a.ipynb").read_text())
    assert written["metadata"]["marked"]
    assert VIEW not in written["cells"][0]["outputs"][0]["data"]


def test_a_hook_that_fails_does_not_prevent_saving(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("of any kind")

    monkeypatch.setattr(saving, "_is_page", fails)
    Server(tmp_path).save(notebook(output("1", PAGE)))
    assert VIEW in json.loads((tmp_path / "a.ipynb").read_text())["cells"][0]["outputs"][0]["data"]


def test_the_installation_switches_it_on():
    place = "orelib/utils/jupyter/jupyter_server_config.d/orelib.json"
    (point,) = saving._jupyter_server_extension_points()
    assert json.loads((ROOT / place).read_text())["ServerApp"]["jpserver_extensions"][point["module"]]
    installed = re.search(r'"etc/jupyter/jupyter_server_config.d" = \["(.*?)"\]', (ROOT / "pyproject.toml").read_text())
    assert installed[1] == place
