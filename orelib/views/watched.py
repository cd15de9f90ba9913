"""Whether a person watches: a widget is for eyes and hands, a page that needs no kernel is for everything else."""

from __future__ import annotations

import anywidget
from IPython import get_ipython

from orelib.utils.saving import PAGE_CLASS

NOT_SAVED = (
    f'<div class="{PAGE_CLASS}"><p><em>This shows photographs of yours, so it is not saved in the notebook. '
    "Run this cell to see it again.</em></p></div>"
)


def is_watched() -> bool:
    """True if a person may be watching: under papermill and nbconvert, nobody can answer a question."""
    shell = get_ipython()
    if shell is None or not hasattr(shell, "get_parent"):
        return False
    return bool(shell.get_parent().get("content", {}).get("allow_stdin"))


class WatchedWidget(anywidget.AnyWidget):
    """A widget that shows itself as a page where nobody watches; saved notebooks keep the page beside the widget.

    A derived class gives :meth:`page`, HTML that needs no kernel and no network, and :meth:`summary`, a line of text.
    Where somebody watches, the page of a widget that ``is_unsaved`` says only that it is not saved.
    """

    is_unsaved = False

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
        name, is_kept = type(self).__name__, not (self.is_unsaved and is_watched())
        without_kernel = {"text/html": NOT_SAVED, "text/plain": f"<{name}>"}
        if is_kept:
            without_kernel = {"text/html": self.page(), "text/plain": f"<{name}: {self.summary()}>"}
        if not is_watched():
            return without_kernel
        widget = super()._repr_mimebundle_(**kwargs)
        data, metadata = widget if isinstance(widget, tuple) else (widget, {})
        return without_kernel | data, metadata


class AnsweringWidget(WatchedWidget):
    """A widget that hears the browser while a cell runs, where Jupyter has subshells; elsewhere, when it is done."""

    def open(self) -> None:
        """Opens the connection to the browser, only if somebody watches."""
        super().open()
        self._let_subshells_answer()

    def _send(self, msg: dict, buffers: list | None = None) -> None:
        super()._send(msg, buffers)
        self._let_subshells_answer()

    def _let_subshells_answer(self) -> None:
        """Lets a message of the browser go to the subshell that it names, and not wait for the cell that runs.

        ipykernel 7.4 notes in the connection which shell last sent something, and hands what comes back to that one.
        """
        getattr(self.comm, "__dict__", {}).pop("_reply_subshell_id", None)
