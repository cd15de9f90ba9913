"""A desk in a notebook: photographs chosen in the browser come to the kernel, and lie in a folder of the kit.

They come in pieces of a megabyte, because a Jupyter server refuses messages of more than ten. What is chosen lies in
``data/yours/<kind>-<number>``, the newest of which is in use; *Begin anew* begins the next one, and deletes nothing.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import traitlets

from orelib.data.filed import YOURS
from orelib.data.filing import usable_below
from orelib.data.photographs import SUFFIXES
from orelib.utils.files import make_folder
from orelib.utils.inbox import Inbox
from orelib.utils.names import one_line
from orelib.utils.paths import kit_path, shown
from orelib.utils.saving import PAGE_CLASS
from orelib.views.unsaved import unsaved
from orelib.views.watched import AnsweringWidget, is_watched

_CONTROLS = files("orelib.views") / "controls"


def yours() -> Path:
    """Returns the folder of the kit that holds copies of a user's photographs."""
    return kit_path("data_dir", YOURS)


def newest(kind: str) -> Path:
    """Returns the folder ``<kind>-<number>`` in use, of the highest number; it need not exist yet."""
    numbers = [
        int(match[1]) for path in yours().glob(f"{kind}-*") if (match := re.fullmatch(rf"{kind}-(\d+)", path.name))
    ]
    return yours() / f"{kind}-{max(numbers, default=1)}"


class Desk(AnsweringWidget):
    """Takes photographs in the browser. A derived class says in :meth:`look` what they are good for.

    ``given`` is a folder that a parameter names: the desk is closed then, and only says so. Where nobody watches,
    nothing is asked, and nothing that was once chosen in a browser counts: parameters alone decide.
    """

    _esm = "\n".join((_CONTROLS / name).read_text("utf-8") for name in ("element.js", "desk.js"))
    _css = (_CONTROLS / "desk.css").read_text("utf-8")
    kind, invites, below, flat = "", "Choose photographs …", "", False

    texts = traitlets.Dict().tag(sync=True)
    is_open = traitlets.Bool(True).tag(sync=True)
    said = traitlets.Dict().tag(sync=True)  # line, problem, remarks, action (a button), again or next; working, state
    rows = traitlets.List().tag(sync=True)  # of pairs: name, split, proposal, wet and dry as WebP
    is_unsaved = True

    def __init__(self, given: Path | None):
        self.given, self._inbox, self._count = given, None, 0
        self._asks = is_watched()
        super().__init__(
            texts={"files": self.invites, "accept": ",".join((*SUFFIXES, ".zip"))},
            is_open=given is None, said={"line": "", "working": True},
        )  # fmt: skip
        self.on_msg(self._hear)
        if given is not None:
            self.said = self.look()

    @property
    def chosen(self) -> Path | None:
        """The folder of the photographs that were given, or chosen in the browser; None where there are none."""
        if self.given is not None or not self._asks:
            return self.given
        folder = newest(self.kind)
        return folder if folder.is_dir() and usable_below(folder)[0] else None

    @property
    def is_yours(self) -> bool:
        """True for a user's own photographs, rather than an example."""
        return self.chosen is not None

    def show(self, thing):
        """Returns a widget, a figure or a table that shows the photographs, see :func:`~orelib.views.unsaved.unsaved`.

        An example may be saved with the notebook.
        """
        return unsaved(thing) if self.is_yours else thing

    def look(self) -> dict:
        """Looks at the chosen photographs; returns what to say of them, as the trait ``said`` has it."""
        raise NotImplementedError

    def use(self) -> dict:
        """Does what the desk's button says; returns what to say then."""
        raise NotImplementedError

    # ---- the browser's messages ----------------------------------------------------------------------------------

    def _hear(self, widget: Desk, message: dict, buffers: Sequence) -> None:
        """Answers a message; an error is shown in the browser, or nobody would see it."""
        try:
            if "file" in message:
                self._inbox.add(message["file"], message["name"], bytes(buffers[0]), message["last"])
                self.send({"got": message["file"]})
            elif "begin" in message:
                self._inbox = Inbox(newest(self.kind), SUFFIXES, self.flat)
                self._inbox.batch()
                self.send({"got": "begin"})
            else:
                self.send({"got": "a question"})  # the answer may take a while
                self._tell(self._answer(message))
        except Exception as error:  # of any kind: a full disk, a share that is away
            self.send({"failed": True})
            self._tell({"line": f"{type(error).__name__}: {one_line(error, 2000)}", "problem": True})

    def _answer(self, message: dict) -> dict:
        if "anew" in message and self.chosen is not None:
            kind, _, number = newest(self.kind).name.rpartition("-")
            make_folder(yours() / f"{kind}-{int(number) + 1}")
        if "use" in message:
            return self.use()
        said = self.look()
        if "ready" in message and "again" in said:  # the cell has just been run, and those below it follow
            said.pop("again")
            said["next"] = self.below
        if "end" in message:
            return said | {"remarks": [*self._inbox.remarks, *said.get("remarks", ())]}
        return said

    def _tell(self, said: dict) -> None:
        self._count += 1  # so that the browser hears of it, even if nothing has changed
        self.said = said | {"count": self._count}

    # ---- without a kernel ----------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        data["text/html"] = self.page()  # also where it is not saved: it holds no photograph
        return bundle

    def page(self) -> str:
        """Returns a sentence for a notebook without a kernel; it names no photograph."""
        if self.given is not None:
            text = f"The photographs in {html.escape(shown(self.given))} were given by a parameter."
        else:
            text = "Run this cell in JupyterLab to choose photographs here. They are not saved in this notebook."
        return f'<div class="{PAGE_CLASS}"><p><em>{text}</em></p></div>'

    def summary(self) -> str:
        return self.kind
