"""Pictures and tables of a user's photographs in a notebook: seen while the kernel runs, and not saved with it.

A notebook is passed on, and put under version control, more easily than its reader thinks of the photographs in it.
"""

from __future__ import annotations

import pandas as pd
import traitlets
from matplotlib.figure import Figure

from orelib.views.pictures import figure_of
from orelib.views.watched import WatchedWidget, is_watched


class Shown(WatchedWidget):
    """HTML that a notebook shows and does not save. ``html`` is the kit's own, with names of files escaped."""

    _esm = """
export default {
  render({ model, el }) {
    const show = () => (el.innerHTML = model.get("html"));
    el.classList.add("jp-RenderedHTMLCommon", "orelib-shown");
    model.on("change:html", show);
    show();
  },
};
"""
    _css = ".jp-RenderedHTMLCommon.orelib-shown :is(td, th) { text-align: left; }"
    html = traitlets.Unicode("").tag(sync=True)
    is_unsaved = True

    def page(self) -> str:
        return self.html

    def summary(self) -> str:
        return "HTML"


def unsaved(thing: WatchedWidget | Figure | pd.DataFrame | None) -> WatchedWidget | Figure | pd.DataFrame | None:
    """Returns a widget, a labelled figure or a table in a form that a saved notebook does not keep.

    Where nobody watches, as under papermill, it is returned as it is: that notebook is the user's own. None stays None.
    """
    if thing is None or not is_watched():
        return thing
    if isinstance(thing, WatchedWidget):
        thing.is_unsaved = True
        return thing
    return Shown(html=figure_of(thing) if isinstance(thing, Figure) else thing.to_html())
