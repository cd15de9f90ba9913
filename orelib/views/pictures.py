"""Pictures as HTML that needs no other file, with words for those who cannot see them.

Under IPython, a matplotlib Figure with a label shows itself in this way, and the label is its alternative text:
JupyterLab gives an ``image/png`` none. A figure without a label, such as a reader's own, is shown as usual.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from IPython import get_ipython
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

USUAL = ("image/png", "image/jpeg", "image/svg+xml", "application/pdf")  # what a notebook may make of a figure
WIDEST = 1200  # px: a notebook shows no more of a photograph


def encoded(drawn: Figure | np.ndarray, dpi: int = 100, quality: int = 85) -> bytes:
    """Returns a figure or an image, uint8 (H, W, 3), as a WebP file. The figure's own margins are kept."""
    if not isinstance(drawn, np.ndarray):
        return _saved(drawn, dpi=dpi, pil_kwargs={"quality": quality})
    buffer = BytesIO()
    Image.fromarray(drawn).save(buffer, format="webp", quality=quality)
    return buffer.getvalue()


def picture_of(picture: bytes, alt: str, caption: str = "") -> str:
    """Returns a WebP file as an HTML figure that needs no other file."""
    data = base64.b64encode(picture).decode()
    image = f'<img src="data:image/webp;base64,{data}" alt="{html.escape(alt)}" style="max-width:100%">'
    caption = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f'<figure style="margin:0">{image}{caption}</figure>'


def figure_of(figure: Figure, caption: str = "") -> str:
    """Returns a matplotlib figure as an HTML figure, with its label as alternative text.

    Lines keep every pixel; a figure that holds photographs is compressed, and at most :data:`WIDEST` px wide.
    """
    dpi, how = 100.0, {"lossless": True}
    if any(axis.images for axis in figure.axes):
        dpi, how = min(dpi, WIDEST / figure.get_figwidth()), {"quality": 80}
    return picture_of(_saved(figure, dpi=dpi, bbox_inches="tight", pil_kwargs=how), figure.get_label(), caption)


def _saved(figure: Figure, **settings) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="webp", **settings)
    return buffer.getvalue()


def listed(names: Iterable[str], most: int = 12) -> str:
    """Joins names for a sentence: "a, b and c"; of more than ``most``, the others are counted."""
    names = list(names)
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def show_figures_with_words() -> None:
    """Makes labelled figures show themselves by :func:`figure_of` under IPython; elsewhere, does nothing."""
    if shell := get_ipython():
        shell.display_formatter.mimebundle_formatter.for_type_by_name("matplotlib.figure", "Figure", _bundle)


def _bundle(figure: Figure, **_) -> dict[str, str] | None:
    """A labelled figure for a notebook; None, which leaves it to IPython, for another one."""
    label = figure.get_label()
    if not label:
        return None
    # matplotlib registers its own formatters late, when it draws first, and again when a notebook asks for other kinds.
    for kind in USUAL:
        formatter = get_ipython().display_formatter.formatters[kind]
        for class_ in type(figure).__mro__:
            usual = formatter.type_printers.get(class_)
            if usual and not getattr(usual, "only_without_label", False):
                formatter.for_type(class_, _only_without_label(usual))
    return {"text/html": figure_of(figure), "text/plain": f"<Figure: {label}>"}


def _only_without_label(usual: Callable) -> Callable:
    def shown(figure: Figure):
        return None if figure.get_label() else usual(figure)

    shown.only_without_label = True
    return shown
