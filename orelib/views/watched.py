"""Whether a person watches: a widget is for eyes and hands, a page that needs no kernel is for everything else."""

from __future__ import annotations

import anywidget
from IPython import get_ipython


def is_watched() -> bool:
    """True if a person may be watching: under papermill and nbconvert, nobody can answer a question."""
    shell = get_ipython()
    if shell is None or not hasattr(shell, "get_parent"):
        return False
    return bool(shell.get_parent().get("content", {}).get("allow_stdin"))


class WatchedWidget(anywidget.AnyWidget):
    """A widget that shows itself as a page where nobody watches; saved notebooks keep the page beside the widget.

    A derived class gives :meth:`page`, HTML that needs no kernel and no network, and :meth:`summary`, a line of text.
    """

    def page(self) -> str:
        raise NotImplementedError

    def summary(self) -> str:
        raise NotImplementedError

    def open(self) -> None:
        """Opens the connection to the browser, only if somebody watches: else pictures would be stored twice."""
        if is_watched():
            super().open()

    @property
    def model_id(self) -> str:
        """The id by which a box refers to this widget; opens the connection if it is still closed."""
        if self.comm is None:
            super().open()
        return self.comm.comm_id

    def _repr_mimebundle_(self, **kwargs):
        without_kernel = {"text/html": self.page(), "text/plain": f"<{type(self).__name__}: {self.summary()}>"}
        if not is_watched():
            return without_kernel
        widget = super()._repr_mimebundle_(**kwargs)
        data, metadata = widget if isinstance(widget, tuple) else (widget, {})
        return without_kernel | data, metadata
