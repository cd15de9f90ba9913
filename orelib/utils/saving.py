"""What a Jupyter server leaves out when it saves a notebook: widgets whose output also holds a page of ours.

A widget lives as long as its kernel. In a notebook that is opened again, JupyterLab would show "model not found" in its
place, although the page beside it in the same output needs no kernel. So pages are kept, and their widgets are not.

The installation switches this on, by ``etc/jupyter/jupyter_server_config.d/orelib.json``. It is a server extension, so
that a ``pre_save_hook`` in a user's own configuration works beside it.
"""

from __future__ import annotations

import json

PAGE_CLASS = "orelib-page"  # of the outermost element of each page
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def keep_pages(model: dict, **_) -> None:
    """Removes the widgets whose output has a page of ours from a notebook that is about to be saved.

    The saved states of our widgets go, too, if no output shows them, because their cells were run again since: they may
    hold photographs. (JupyterLab saves states only where a setting says so.)

    ``model`` is the contents model that Jupyter calls a ``pre_save_hook`` with; it is changed in place. Other files,
    other outputs and other widgets stay as they are.
    """
    if model.get("type") != "notebook" or not isinstance(model.get("content"), dict):
        return
    notebook, removed, shown = model["content"], set(), set()
    for cell in notebook.get("cells", ()):
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if VIEW in data and _is_page(data.get("text/html", "")):
                removed.add(data.pop(VIEW).get("model_id"))
            elif VIEW in data:
                shown.add(data[VIEW].get("model_id"))
    states = notebook.get("metadata", {}).get("widgets", {}).get(STATE, {}).get("state", {})
    needed = shown.union(*map(_parts, states.values()))
    stale = {model_id for model_id, state in states.items() if _is_ours(state)} - needed
    for model_id in (removed | stale) & set(states):
        _remove(model_id, states)


def _is_page(text: str | list[str]) -> bool:
    return f'class="{PAGE_CLASS}"' in "".join(text)[:1000]


def _is_ours(state: dict) -> bool:
    return str(state.get("state", {}).get("_anywidget_id", "")).startswith("orelib.")


def _remove(model_id: str, states: dict[str, dict]) -> None:
    """Removes a widget's saved state, and then the state of its layout and other parts that no widget needs now."""
    parts = _parts(states.pop(model_id))
    needed = {part for state in states.values() for part in _parts(state)}
    for part in (parts - needed) & set(states):
        _remove(part, states)


def _parts(state: dict) -> set[str]:
    """Ids of the models that a widget's state refers to."""
    pieces = json.dumps(state).split('"IPY_MODEL_')[1:]
    return {piece.partition('"')[0] for piece in pieces}


# ---- Jupyter's names for a server extension --------------------------------------------------------------------------


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "orelib.utils.saving"}]


def _load_jupyter_server_extension(server) -> None:
    server.contents_manager.register_pre_save_hook(keep_pages)
