"""The slider that compares wet, dry and restored images: a widget in a notebook, and the same as one HTML page.

Both run ``orelib/slider/*.js`` in the browser and ask nobody for anything: the kernel is not needed to drag, zoom or
choose, and the page needs no network. The images travel as lossless WebP, so that what the browser computes of the
visible part is computed from the very pixels.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from IPython import get_ipython
from PIL import Image

from orelib.figures import SHORT
from orelib.files import write_text
from orelib.losses import WINDOW_SIZE
from orelib.metrics import psnr, ssim

_SLIDER = files("orelib") / "slider"
_SCRIPT = "\n".join((_SLIDER / f"{part}.js").read_text("utf-8") for part in ("pixels", "layers", "slider", "widget"))
_STYLE = (_SLIDER / "slider.css").read_text("utf-8")

MODES = ("divider", "two", "three")  # one beside the other under a divider, or side by side
NOTEBOOK_BYTES = 1_300_000  # of the images in a notebook's page: notebooks that hold more are slow to open and to share
LARGEST_SIDE = 16383  # px, of a WebP file, and about that of a browser's canvas
_LOSSLESS = {"lossless": True, "quality": 0, "method": 0}  # as fast as PNG, and a fifth smaller
_LOSSY = {"quality": 90, "method": 4}


class Compare(anywidget.AnyWidget):
    """Wet, dry and restored photographs under one divider, or side by side, zoomed and moved together.

    In the browser: drop-downs choose the photograph and what is shown; the divider is dragged, or moved by arrow keys
    when it has the focus; ctrl and the wheel, + and -, two fingers or a double click zoom; dragging an enlarged
    photograph moves it. Below stand PSNR and SSIM (protocol ``rgb``) of the whole photograph and of the visible part.

    Where no browser listens, as under papermill and ``nbconvert --execute``, it shows itself as a page
    (:meth:`to_html`), so that an exported notebook still slides.

    Parameters
    ----------
    wet, dry : uint8 (H, W, 3) of one size; without ``dry`` there are no scores, error map or glare outline.
    restored : restored images by name: a method (``improved``) or any text.
    name : of the photograph.
    **state : what to show first: ``left``, ``right``, ``third`` (``"wet"``, ``"dry"`` or a name in ``restored``),
        ``mode`` (``"divider"``, ``"two"`` or ``"three"`` side by side), ``position`` of the divider (0-1), ``error``
        (lay the error map over), ``glare`` (outline the glare). All are traits: read them, set them, observe them.

    Raises
    ------
    ValueError
        For an image of another type, shape or size than the wet one.
    """

    _esm = _SCRIPT
    _css = _STYLE

    photographs = traitlets.List().tag(sync=True)  # see slider.js
    photograph = traitlets.Unicode("").tag(sync=True)
    left = traitlets.Unicode("").tag(sync=True)
    right = traitlets.Unicode("").tag(sync=True)
    third = traitlets.Unicode("").tag(sync=True)
    mode = traitlets.Enum(MODES, "divider").tag(sync=True)
    position = traitlets.Float(0.5, min=0, max=1).tag(sync=True)
    error = traitlets.Bool(False).tag(sync=True)
    glare = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        wet: np.ndarray | None = None,
        dry: np.ndarray | None = None,
        restored: Mapping[str, np.ndarray] | None = None,
        name: str = "photograph",
        **state,
    ):
        if wet is not None:  # None: compare() gives photographs that are described already
            layers = {"wet": wet} | ({} if dry is None else {"dry": dry}) | dict(restored or {})
            state["photographs"] = [_photograph(name, layers)]
        super().__init__(**state)

    def open(self) -> None:
        """Opens the line to the browser; not where nobody listens, or the images would be stored a second time."""
        if is_watched():
            super().open()

    @property
    def model_id(self) -> str:
        """What a box that holds this widget calls it by; opens the line after all."""
        if self.comm is None:
            super().open()
        return self.comm.comm_id

    def _repr_mimebundle_(self, **kwargs):
        names = ", ".join(photograph["name"] for photograph in self.photographs)
        without_kernel = {"text/html": self.frame(), "text/plain": f"<Compare: {names}>"}
        if not is_watched():
            return without_kernel
        widget = super()._repr_mimebundle_(**kwargs)
        data, metadata = widget if isinstance(widget, tuple) else (widget, {})
        return without_kernel | data, metadata

    def to_html(self, path: Path, title: str = "Wet, dry and restored") -> Path:
        """Writes one self-contained page that works from disk, without a network or a kernel; returns its path."""
        write_text(path, page(self.section("comparison"), title))
        return Path(path)

    def section(self, name: str) -> str:
        """The comparison as a part of a page, to be put into its body; ``name`` must be its own there."""
        return _section(name, self.photographs, self._state())

    def _state(self) -> dict:
        return {
            name: value
            for name in ("photograph", "left", "right", "third", "mode", "position", "error", "glare")
            if (value := getattr(self, name)) != ""
        }

    def frame(self) -> str:
        """The page in a frame, for a notebook, with images that are compressed or reduced where they are many."""
        photographs, remark = self.photographs, ""
        if _bytes(photographs) > NOTEBOOK_BYTES:
            photographs, remark = _smaller(photographs)
        text = page(_section("comparison", photographs, self._state()) + remark, "Wet, dry and restored")
        return (
            f'<iframe srcdoc="{html.escape(text)}" title="slider: wet, dry and restored" allowfullscreen '
            'style="width:100%;height:820px;border:0">Run this cell, or trust the notebook, to see the slider.</iframe>'
        )


def compare(
    examples: Mapping[str, Mapping[str, np.ndarray]],
    notes: Mapping[str, str] | None = None,
    orders: Mapping[str, Mapping[str, float]] | None = None,
    **state,
) -> Compare:
    """One :class:`Compare` over several photographs, ``{name: {"wet": ..., "dry": ..., method: ...}}``.

    ``notes`` are shown beside the photograph's name; ``orders`` are what the photographs can be sorted by, ascending:
    ``{"PSNR, worst first": {name: value}}``. Raises ValueError when there is nothing to show, or an image does not fit.
    """
    if not examples:
        raise ValueError("there are no images to compare")
    return Compare(photographs=described(examples, notes, orders), **state)


def described(
    examples: Mapping[str, Mapping[str, np.ndarray]],
    notes: Mapping[str, str] | None = None,
    orders: Mapping[str, Mapping[str, float]] | None = None,
) -> list[dict]:
    """What ``Compare.photographs`` holds of examples, see :func:`compare`: images encoded and scored."""
    return [
        _photograph(
            name, layers, (notes or {}).get(name, ""), {by: float(of[name]) for by, of in (orders or {}).items()}
        )
        for name, layers in examples.items()
    ]


def _photograph(name: str, layers: Mapping[str, np.ndarray], note: str = "", sort: dict | None = None) -> dict:
    wet, dry = layers["wet"], layers.get("dry")
    for layer, image in layers.items():
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"{layer} image of {name}: uint8 (H, W, 3) is needed, not {image.dtype} {image.shape}")
        if max(image.shape) > LARGEST_SIDE:
            raise ValueError(f"{layer} image of {name} is {image.shape}: at most {LARGEST_SIDE} px a side can be shown")
        if image.shape != wet.shape:
            raise ValueError(
                f"{layer} image of {name} is {image.shape}, the wet one {wet.shape}: they must be of one size"
            )
    described = {
        layer: {
            "title": SHORT.get(layer, layer),
            "image": _webp(image, _LOSSLESS),
            "score": "" if dry is None or layer == "dry" else _score(image, dry),
        }
        for layer, image in layers.items()
    }
    height, width = wet.shape[:2]
    return {"name": name, "note": note, "sort": sort or {}, "width": width, "height": height, "layers": described}


def _score(image: np.ndarray, dry: np.ndarray) -> str:
    """As ``scoreText`` of pixels.js."""
    decibels = psnr(image, dry)
    likeness = f"{ssim(image, dry):.4f}" if min(dry.shape[:2]) >= WINDOW_SIZE else "-"
    return f"{'∞' if np.isinf(decibels) else f'{decibels:.2f}'} dB, {likeness}"


def _webp(image: np.ndarray, options: dict) -> bytes:
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, format="webp", **options)
    return buffer.getvalue()


def _bytes(photographs: list[dict]) -> int:
    return sum(len(layer["image"]) for photograph in photographs for layer in photograph["layers"].values())


def _smaller(photographs: list[dict]) -> tuple[list[dict], str]:
    """The photographs compressed with losses and, where that is not enough, halved until they fit a notebook."""
    factor = 1
    while True:
        smaller = [_reduced(photograph, factor) for photograph in photographs]
        if _bytes(smaller) <= NOTEBOOK_BYTES or factor == 64:
            break
        factor *= 2
    how = "compressed" if factor == 1 else f"compressed and reduced to 1/{factor}"
    remark = (
        f"<p>For this notebook the images are {how}: what is said of the visible part is near the truth, not exact.</p>"
    )
    return smaller, remark


def _reduced(photograph: dict, factor: int) -> dict:
    width, height = (max(1, photograph[side] // factor) for side in ("width", "height"))
    layers = {}
    for name, layer in photograph["layers"].items():
        image = Image.open(BytesIO(layer["image"])).convert("RGB").resize((width, height), Image.Resampling.BOX)
        layers[name] = layer | {"image": _webp(np.asarray(image), _LOSSY)}
    return photograph | {"width": width, "height": height, "layers": layers}


def page(body: str, title: str, style: str = "") -> str:
    """A whole HTML page around ``body`` and sections of comparisons; it may ask nobody for anything."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # The page may ask nobody for anything, and says so to the browser.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data: blob:; '
        "script-src 'unsafe-inline'; style-src 'unsafe-inline'\">\n"
        f"<title>{html.escape(title)}</title>\n<style>:root {{ color-scheme: light dark; }}\n{_STYLE}{style}</style>\n"
        f"</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _section(name: str, photographs: list[dict], state: dict) -> str:
    as_text = [
        photograph
        | {
            "layers": {
                layer: facts | {"image": base64.b64encode(facts["image"]).decode()}
                for layer, facts in photograph["layers"].items()
            }
        }
        for photograph in photographs
    ]
    # "</" would end the script; "<\/" is the same text in JSON.
    data = json.dumps({"photographs": as_text, "state": state}, ensure_ascii=False).replace("</", "<\\/")
    return (
        f'<div id="{name}"><noscript>The slider needs JavaScript.</noscript></div>\n'
        f'<script type="application/json" id="{name}-data">{data}</script>\n'
        f'<script type="module">{_SCRIPT}\n'
        f'const {{ photographs, state }} = JSON.parse(document.getElementById("{name}-data").textContent);\n'
        f'mount(document.getElementById("{name}"), photographs, state);\n</script>\n'
    )


def is_watched() -> bool:
    """Whether a person may be looking: papermill and nbconvert run cells without anybody to ask."""
    shell = get_ipython()
    if shell is None or not hasattr(shell, "get_parent"):
        return False
    return bool(shell.get_parent().get("content", {}).get("allow_stdin"))
