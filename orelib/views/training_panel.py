"""The panel of a training in a notebook: how far it is, its curves, a validation image, and a button that stops it.

The kernel's main thread trains, and sends what has changed about twice a second. JupyterLab hands the button's message
to another thread of the kernel (a *subshell* of ipykernel 7), which sets the panel's ``stop``. Where there is no
subshell, the message waits until the training is over: then the browser says that the kernel's own stop button does the
same.
"""

from __future__ import annotations

import base64
import html
import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np
import traitlets
from IPython.display import display

from orelib.restore.snapshots import Snapshots
from orelib.utils.saving import PAGE_CLASS
from orelib.views.curves import Curve, Line, curve_svg
from orelib.views.explorer import CONTROLS
from orelib.views.pictures import picture_of
from orelib.views.watched import AnsweringWidget, is_watched

EVERY = 0.5  # s between two updates
NAMES = {"G": "generator loss G", "D": "discriminator loss D", "PSNR": "PSNR, validation", "SSIM": "SSIM, validation"}
FORMATS = {"PSNR": ".2f", "SSIM": ".3f"}
COLOURS = {"G": "#0072B2", "D": "#D55E00", "PSNR": "#009E73", "SSIM": "#CC79A7"}


def training_panel() -> TrainingPanel | None:
    """Returns a panel for the ``watch`` of :func:`~orelib.training.train`; None where nobody watches.

    It shows itself as soon as the training begins. A finished run, which is only read, has no panel.
    """
    return TrainingPanel() if is_watched() else None


class TrainingPanel(AnsweringWidget):
    """Shows a training, as a :class:`~orelib.utils.watching.Watch`.

    Curves are drawn from at most 150 points each. When the training is over, its output also holds a page with the
    final curves (:meth:`page`), for a saved notebook without a kernel.
    """

    _esm = "\n".join((CONTROLS / name).read_text("utf-8") for name in ("element.js", "training_panel.js"))
    _css = (CONTROLS / "training_panel.css").read_text("utf-8")

    said = traitlets.Dict().tag(sync=True)  # title, step, steps, state, line (how far), says (in the end)
    curves = traitlets.List().tag(sync=True)  # SVG, each
    pictures = traitlets.List().tag(sync=True)  # of a validation image: webp, alt, caption, each

    def __init__(self):
        self.stop = threading.Event()
        self._losses: dict[str, Curve] = {}
        self._scores: dict[str, list[tuple[int, float]]] = {}
        self._drawn_scores: list[str] = []  # SVG of each, which does not change between two validations
        self._facts = {"title": "", "step": 0, "steps": 1, "state": "running", "line": "", "says": ""}
        self._shown_at, self._output = 0.0, None
        super().__init__()
        self.on_msg(self._hear)

    def _hear(self, widget: TrainingPanel, message: dict, buffers: list) -> None:
        """Answers the button, usually in another thread than the one that trains."""
        if message.get("stop"):
            self.stop.set()
            self.send({"heard": True})

    # ---- what the training says ----------------------------------------------------------------------------------

    def begin(
        self, title: str, step: int, steps: int, earlier: Mapping[str, Sequence[float]], pictures: Snapshots
    ) -> None:
        self._facts |= {"title": title, "step": step, "steps": steps, "line": f"step {step:,} of {steps:,}"}
        for name, values in earlier.items():
            for value in values:
                self._curve(name).add(value)
        self.pictures = _pictures(pictures)
        self._show()
        if is_watched():
            self._output = display(self, display_id=True)

    def advance(self, step: int, values: Mapping[str, float], seconds_left: float) -> None:
        for name, value in values.items():
            self._curve(name).add(value)
        self._facts["step"] = step
        if time.monotonic() - self._shown_at < EVERY and step < self._facts["steps"]:
            return
        state = "stopping" if self.stop.is_set() else "running"
        line = f"step {step:,} of {self._facts['steps']:,}, {said_time(seconds_left)} left"
        self._facts |= {"state": state, "line": line}
        self._show()

    def score(self, step: int, scores: Mapping[str, float], pictures: Snapshots) -> None:
        for name, value in scores.items():
            self._scores.setdefault(name, []).append((step, value))
        self._drawn_scores = [
            self._curve_of(name, Line(*map(_column, zip(*points, strict=True))), step)
            for name, points in self._scores.items()
        ]
        self.pictures = _pictures(pictures)
        self._shown_at = 0.0  # shown with the next step

    def end(self, state: str, says: str) -> None:
        if self._facts["title"]:  # else it never began
            self._facts |= {"state": state, "line": f"step {self._facts['step']:,} of {self._facts['steps']:,}"}
            self._facts["says"] = says
            self._show()
            if self._output is not None:
                self._output.update(self)  # the page of a saved notebook, too

    # ---- what is shown -------------------------------------------------------------------------------------------

    def _curve(self, name: str) -> Curve:
        return self._losses.setdefault(name, Curve())

    def _show(self) -> None:
        with self.hold_sync():
            self.said = dict(self._facts)
            self.curves = self._drawn()
        self._shown_at = time.monotonic()

    def _drawn(self) -> list[str]:
        """All curves as SVG: the losses, and, after the first validation, its scores."""
        step = self._facts["step"]
        losses = [self._curve_of(name, curve.line(), step) for name, curve in self._losses.items()]
        return losses + self._drawn_scores

    def _curve_of(self, name: str, line: Line, step: int) -> str:
        last, steps = f"{line.values[-1]:{FORMATS.get(name, '.3g')}}", self._facts["steps"]
        alt = f"{NAMES[name]} up to step {step:,} of {steps:,}, now {last}"
        return curve_svg(f"{NAMES[name]}: {last}", alt, line, steps, COLOURS[name], marks=name in self._scores)

    def page(self) -> str:
        """Returns the panel as HTML that needs no kernel, no script and no network."""
        facts = self._facts
        curves = "".join(
            f'<img src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" alt="{_alt(svg)}">'
            for svg in self._drawn()
        )
        pictures = "".join(picture_of(each["webp"], each["alt"], each["caption"]) for each in self.pictures)
        row = '<div style="display:flex;flex-wrap:wrap;gap:8px 12px;margin:6px 0">'
        return (
            f'<div class="{PAGE_CLASS}"><p><strong>{html.escape(facts["title"])}</strong>, '
            f"{html.escape(facts['line'])}. {html.escape(facts['says'])}</p>"
            f"{row}{curves}</div>{row}{pictures}</div></div>"
        )

    def summary(self) -> str:
        return self._facts["line"]


def said_time(seconds: float) -> str:
    """Says a time that is not known exactly: ``about 40 s``, ``about 3 min``, ``about 2 h 10 min``."""
    if seconds < 5:
        return "a few seconds"
    if seconds < 90:
        return f"about {round(seconds / 5) * 5} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min"
    return f"about {minutes // 60} h {minutes % 60 // 10 * 10} min"


def _pictures(snapshots: Snapshots) -> list[dict]:
    """The validation image wet, restored at the newest step, and dry."""
    step = max(snapshots.restored)
    shown = {"wet": snapshots.wet, f"restored at step {step:,}": snapshots.restored[step], "dry": snapshots.dry}
    return [
        {
            "webp": picture.file,
            "alt": f"{name}: {snapshots.part}",
            "caption": name if name == "dry" else f"{name}: {picture.psnr:.2f} dB",
        }
        for name, picture in shown.items()
    ]


def _column(numbers: Sequence[float]) -> np.ndarray:
    return np.array(numbers, float)


def _alt(svg: str) -> str:
    """Returns the alternative text in a picture of :func:`~orelib.views.curves.curve_svg`."""
    return svg.split('aria-label="')[1].split('"')[0]
