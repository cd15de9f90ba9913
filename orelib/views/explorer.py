"""Pictures with controls: move a slider or click a place, and the kernel draws the picture anew.

Without a connected browser, as under papermill and ``nbconvert --execute``, an explorer leaves a few of its pictures:
an exported notebook shows what there is to see without a kernel and without a network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files

import numpy as np
import traitlets
from matplotlib.figure import Figure

from orelib.utils.saving import PAGE_CLASS
from orelib.views.pictures import encoded, picture_of
from orelib.views.watched import WatchedWidget

CONTROLS = files("orelib.views") / "controls"


@dataclass(frozen=True)
class Slider:
    """A number from ``low`` to ``high`` in steps of ``step``; an int where all of them are ints."""

    low: float
    high: float
    step: float
    value: float
    label: str = ""
    kind: str = "slider"

    def checked(self, value: float) -> float:
        if not self.low <= value <= self.high:
            raise ValueError(f"{value!r} is not from {self.low} to {self.high}")
        whole = all(isinstance(number, int) for number in (self.low, self.high, self.step, self.value))
        return int(value) if whole else float(value)


@dataclass(frozen=True)
class Choice:
    """One of some texts."""

    options: Sequence[str]
    value: str
    label: str = ""
    kind: str = "choice"

    def checked(self, value: str) -> str:
        if value not in self.options:
            raise ValueError(f"{value!r} is none of {', '.join(self.options)}")
        return value


@dataclass(frozen=True)
class Place:
    """A place in the picture, clicked or moved by arrow keys: (across, down), each from 0 to 1.

    ``area`` is the part of the picture in which places count: (left, top, right, bottom) as shares of the picture.
    """

    value: tuple[float, float] = (0.5, 0.5)
    area: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    step: float = 0.02
    label: str = ""
    kind: str = "place"

    def checked(self, value: Sequence[float]) -> tuple[float, float]:
        across, down = (float(np.clip(share, 0, 1)) for share in value)
        return across, down


Control = Slider | Choice | Place


class Explorer(WatchedWidget):
    """A picture that ``draw`` makes from the values of some controls.

    Parameters
    ----------
    draw : called with the controls' values by name; returns a matplotlib Figure or an image, uint8 (H, W, 3).
    controls : by the name of the argument that they set.
    positions : values to show where no kernel runs, a dict each; what one leaves out has the control's own value.
    alt : what the picture shows, for those who cannot see it; ``{name}`` stands for a control's value.

    In the browser, sliders move by mouse and by arrow keys, and a :class:`Place` by a click, or by arrow keys when the
    picture has the focus. When the kernel was restarted, a line says so.

    Raises
    ------
    ValueError
        For a position with a control that is not there, or a value that its control does not have.
    """

    _esm = "\n".join((CONTROLS / name).read_text("utf-8") for name in ("element.js", "kernel.js", "explorer.js"))
    _css = (CONTROLS / "explorer.css").read_text("utf-8")

    controls = traitlets.Dict().tag(sync=True)  # {name: the control's fields}
    values = traitlets.Dict().tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)  # WebP
    alt = traitlets.Unicode("").tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)  # what draw raised
    asked = traitlets.Int(0).tag(sync=True)  # counts questions of the browser, and
    answered = traitlets.Int(0).tag(sync=True)  # the last of them that was answered

    def __init__(
        self,
        draw: Callable[..., Figure | np.ndarray],
        controls: Mapping[str, Control],
        positions: Sequence[Mapping] = ({},),
        alt: str = "",
    ):
        self._draw, self._controls, self._alt = draw, dict(controls), alt
        self._positions = [self._completed(position) for position in positions]
        values = self._completed({})
        super().__init__(
            controls={name: asdict(control) for name, control in controls.items()},
            values=values,
            picture=encoded(draw(**values)),
            alt=alt.format(**values),
        )

    def _completed(self, values: Mapping) -> dict:
        if unknown := set(values) - set(self._controls):
            raise ValueError(f"no control is called {', '.join(sorted(unknown))}")
        return {name: control.checked(values.get(name, control.value)) for name, control in self._controls.items()}

    @traitlets.observe("asked")
    def _answer(self, _) -> None:
        """Draws what the browser asked for; an error is shown there, or nobody would see it."""
        try:
            values = self._completed(self.values)
            picture, problem = encoded(self._draw(**values)), ""
        except Exception as error:  # of any kind: it is the notebook's own function
            values, picture, problem = self.values, self.picture, f"{type(error).__name__}: {error}"
        with self.hold_sync():
            self.picture, self.alt, self.problem = picture, self._alt.format(**values), problem
            self.answered = self.asked

    def show(self, **values) -> None:
        """Moves controls, as the browser does."""
        self.values = self._completed(self.values | values)
        self.asked += 1

    def page(self) -> str:
        """Returns the pictures at ``positions`` as HTML that needs no kernel and no network."""
        first = self._completed({})
        figures = []
        for position in self._positions:
            moved = ", ".join(f"{name} {_said(value)}" for name, value in position.items() if value != first[name])
            picture = encoded(self._draw(**position))
            figures.append(picture_of(picture, self._alt.format(**position), moved))
        return (
            f'<div class="{PAGE_CLASS}" style="display:flex;flex-wrap:wrap;gap:24px 12px">{"".join(figures)}</div>'
            "<p><em>Run this cell in JupyterLab to move the controls.</em></p>"
        )

    def summary(self) -> str:
        return ", ".join(self._controls)


def _said(value) -> str:
    """Writes a control's value for a caption."""
    if isinstance(value, tuple):
        return " / ".join(f"{100 * share:.0f} %" for share in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
