"""A photograph in which the two ends of an object of known size are clicked: the scale, in px per mm."""

from __future__ import annotations

import numpy as np
import traitlets
from PIL import Image, ImageDraw

from orelib.sizing.scale import Scale, ScaleError, marked_scale
from orelib.utils.saving import PAGE_CLASS
from orelib.views.compare import script
from orelib.views.explorer import CONTROLS
from orelib.views.pictures import WIDEST, encoded, picture_of
from orelib.views.watched import WatchedWidget

LONGEST = 2400  # px of the longer side that the browser gets; a larger photograph is reduced, its scale is not
LINE = (255, 0, 255)


class ScaleMarker(WatchedWidget):
    """A line over a photograph, whose ends are clicked, dragged, or moved by arrow keys (with shift: by 10 px).

    While an end is dragged, a lens shows the pixels below it. Where no kernel runs, the photograph stays, with the line
    as it was.

    Parameters
    ----------
    photograph : uint8 (H, W, 3).
    mm : length of the marked object; 0: not known yet.
    points : the ends of the line, (across, down) in px; None: at a third and two thirds of the middle row.

    Read ``scale``; ``points`` and ``mm`` are traits, to be set and observed.
    """

    _esm = script("controls/element", "controls/scale_marker")
    _css = "\n".join((CONTROLS / name).read_text("utf-8") for name in ("explorer.css", "scale_marker.css"))

    picture = traitlets.Bytes(b"").tag(sync=True)  # WebP
    size = traitlets.List().tag(sync=True)  # width and height of the photograph, px
    points = traitlets.List().tag(sync=True)
    mm = traitlets.Float(0.0).tag(sync=True)
    alt = traitlets.Unicode("A photograph in which an object of known size can be marked.").tag(sync=True)

    def __init__(self, photograph: np.ndarray, mm: float = 0.0, points: list | None = None):
        height, width = photograph.shape[:2]
        self._shown = _reduced(photograph, LONGEST)
        super().__init__(
            picture=encoded(self._shown, quality=90),
            size=[width, height],
            points=points or [[width / 3, height / 2], [2 * width / 3, height / 2]],
            mm=float(mm),
        )

    @property
    def scale(self) -> Scale:
        """The scale of the photograph. Raises ScaleError as :func:`~orelib.sizing.scale.marked_scale`."""
        return marked_scale(self.points, self.mm)

    def page(self) -> str:
        """Returns the photograph with the line as HTML that needs no kernel and no network."""
        shown = Image.fromarray(_reduced(self._shown, WIDEST))
        factor = shown.width / self.size[0]
        line = [tuple(factor * place for place in point) for point in self.points]
        ImageDraw.Draw(shown).line(line, fill=LINE, width=3)
        alt = f"A photograph with a line between two points: {self.summary()}."
        picture = picture_of(encoded(np.asarray(shown), quality=75), alt, self.summary())
        hint = "<p><em>Run this cell in JupyterLab to mark an object of known size.</em></p>"
        return f'<div class="{PAGE_CLASS}">{picture}</div>{hint}'

    def summary(self) -> str:
        try:
            return self.scale.how
        except ScaleError as error:
            return str(error)


def _reduced(image: np.ndarray, longest: int) -> np.ndarray:
    """The image, made smaller where its longer side has more than ``longest`` px."""
    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return image
    size = [max(1, round(side * factor)) for side in (width, height)]
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
