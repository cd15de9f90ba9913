"""The slider that compares wet, dry and restored images: a widget in a notebook, and the same as one HTML page.

Both run ``slider/*.js`` in the browser alone: dragging, zooming and choosing need no kernel, and the page needs no
network. The images are embedded as lossless WebP, so that the browser computes scores of the visible part from the
exact pixels. An image that is too long for WebP is reduced, and a note says so.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
import traitlets
from PIL import Image

from orelib.config import entry_of
from orelib.losses import WINDOW_SIZE
from orelib.metrics import psnr, ssim
from orelib.utils.files import write_text
from orelib.utils.names import printable
from orelib.utils.saving import PAGE_CLASS
from orelib.views.pictures import encoded, listed, picture_of
from orelib.views.watched import WatchedWidget

_VIEWS = files("orelib.views")
SLIDER = ("controls/element", "slider/pixels", "slider/layers", "slider/gestures", "slider/slider", "slider/bound")


def script(*parts: str) -> str:
    """Joins parts of the browser's side, files below ``orelib/views/``, into one module."""
    return "\n".join((_VIEWS / f"{part}.js").read_text("utf-8") for part in parts)


_SCRIPT = script(*SLIDER)
STYLE = (_VIEWS / "slider" / "slider.css").read_text("utf-8")

# A scrollbar that appears and disappears would change the width, and with it the height of the stage, again and again.
_PAGE_STYLE = (
    ":root { color-scheme: light dark; color: CanvasText; background: Canvas; scrollbar-gutter: stable; "
    "font: 14px/1.4 system-ui, sans-serif; }\n"
)

MODES = ("divider", "two", "three")  # two images under one divider, or two or three side by side
NOTEBOOK_BYTES = 400_000  # of the images in a notebook's page: notebooks that hold more are slow to open and to share
REPORT_BYTES = 8_000_000  # the same in a page that holds more than the slider
LARGEST_SIDE = 16383  # px: the limit of a WebP file, and about the limit of a browser's canvas
_LOSSLESS = {"lossless": True, "quality": 0, "method": 0}  # as fast as PNG, and a fifth smaller
_QUALITIES = (90, 75)  # tried in this order, before an image is reduced
STILL_SIDE = 256  # px of an image in the picture that stands for the slider
# Where a page may not run, in a notebook that is not trusted, frames and styles are removed, and the picture is seen.
_STILL_STYLE = f".{PAGE_CLASS} iframe ~ figure {{ display: none; }}"
SIDES = ("left", "right", "third")  # the third is shown only in mode "three"


class Compare(WatchedWidget):
    """Wet, dry and restored photographs under one divider, or side by side, zoomed and moved together.

    In the browser: drop-downs choose the photograph and what is shown; the divider is dragged, or moved by arrow keys
    when it has the focus; ctrl and the wheel, + and -, two fingers or a double click zoom; dragging an enlarged
    photograph moves it. Below stand PSNR and SSIM (protocol ``rgb``) of the whole photograph and of the visible part.

    Without a connected browser, as under papermill and ``nbconvert --execute``, it shows itself as a page
    (:meth:`to_html`), so that the slider works in an exported notebook, too. In a notebook that was saved and is opened
    again, the page takes its place; in one that is not trusted, a picture does.

    Parameters
    ----------
    wet, dry : uint8 (H, W, 3) of one size; without ``dry`` there are no scores, error map or glare outline.
    restored : restored images by name: a method (``improved``) or any text.
    name : of the photograph.
    **state : what to show first: ``photograph`` (its name), ``left``, ``right``, ``third`` (``"wet"``, ``"dry"`` or a
        name in ``restored``), ``mode`` (``"divider"``, ``"two"`` or ``"three"`` side by side), ``position`` of the
        divider (0-1), ``error`` (lay the error map over), ``glare`` (outline the glare). All are traits: read them, set
        them, observe them.

    Raises
    ------
    ValueError
        For an image of a wrong type or shape, or of another size than the wet one, and for an unknown name.
    """

    _esm = script(*SLIDER, "slider/widget")
    _css = STYLE

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
        if "photographs" not in state:  # otherwise compare() has already described them
            layers = {"wet": wet} | ({} if dry is None else {"dry": dry})
            if taken := sorted({"wet", "dry"} & set(restored or {})):
                raise ValueError(f"a restored image cannot be named {' or '.join(taken)}")
            state["photographs"] = [_photograph(name, layers | dict(restored or {}))]
        super().__init__(**_resolved(state))

    @traitlets.observe("photographs")
    def _keep_names_that_are_there(self, _) -> None:
        """Keeps the chosen photograph and images where the new photographs have them."""
        known = {name: value for name, value in self._state().items() if name in ("photograph", *SIDES)}
        for name, value in _resolved({"photographs": self.photographs} | known, strict=False).items():
            if name in ("photograph", *SIDES):
                setattr(self, name, value)

    def summary(self) -> str:
        return ", ".join(photograph["name"] for photograph in self.photographs)

    def to_html(self, path: Path, title: str = "Wet, dry and restored") -> Path:
        """Writes one self-contained page that works from disk, without a network or a kernel; returns its path."""
        write_text(path, page(_section("comparison", self.photographs, self._state()), title))
        return Path(path)

    def section(self, name: str, largest: int = REPORT_BYTES) -> str:
        """Returns the comparison as a part of a page, for its body; ``name`` must be unique there.

        Images of more than ``largest`` bytes together are compressed, and reduced if necessary, and the page says so.
        """
        photographs, remark = (
            (self.photographs, "") if _bytes(self.photographs) <= largest else _smaller(self.photographs, largest)
        )
        return _section(name, photographs, self._state()) + remark

    def _state(self) -> dict:
        return {name: getattr(self, name) for name in ("photograph", *SIDES, "mode", "position", "error", "glare")}

    def page(self) -> str:
        """Returns the page in a frame, for a notebook; images are compressed or reduced to fit NOTEBOOK_BYTES."""
        body = self.section("comparison", NOTEBOOK_BYTES) + f"<script>{script('slider/frame')}</script>\n"
        text = page(body, "Wet, dry and restored")
        return (
            f'<div class="{PAGE_CLASS}"><style>{_STILL_STYLE}</style>'
            f'<iframe srcdoc="{html.escape(text)}" title="slider: wet, dry and restored" allowfullscreen '
            f'style="width:100%;height:870px;border:0"></iframe>{self.still()}</div>'
        )

    def still(self) -> str:
        """Returns the chosen images beside each other as HTML, for where the slider may not run."""
        photograph = next(each for each in self.photographs if each["name"] == self.photograph)
        layers = {layer["name"]: layer for layer in photograph["layers"]}
        chosen = [layers[name] for name in dict.fromkeys(getattr(self, side) for side in SIDES)]
        images = [Image.open(BytesIO(layer["image"])).convert("RGB") for layer in chosen]
        for image in images:
            image.thumbnail((STILL_SIDE, STILL_SIDE))
        gap = np.full((images[0].height, 6, 3), 255, np.uint8)
        beside = np.hstack([part for image in images for part in (image, gap)][:-1])
        alt = f"{photograph['name']}: {listed(layer['title'] for layer in chosen)}, side by side."
        caption = f"{alt} To compare them with the slider, trust this notebook or run this cell."
        return picture_of(encoded(beside, quality=75), alt, caption)


def compare(
    examples: Mapping[str, Mapping[str, np.ndarray]],
    notes: Mapping[str, str] | None = None,
    orders: Mapping[str, Mapping[str, float]] | None = None,
    **state,
) -> Compare:
    """One :class:`Compare` over several photographs, ``{name: {"wet": ..., "dry": ..., method: ...}}``.

    ``notes`` are shown beside the photograph's name; ``orders`` hold values to sort the photographs by, ascending:
    ``{"PSNR, worst first": {name: value}}``. Raises ValueError when there is nothing to show, or an image does not fit.
    """
    return Compare(photographs=described(examples, notes, orders), **state)


def described(
    examples: Mapping[str, Mapping[str, np.ndarray]],
    notes: Mapping[str, str] | None = None,
    orders: Mapping[str, Mapping[str, float]] | None = None,
) -> list[dict]:
    """Encodes and scores the images of examples for ``Compare.photographs``, see :func:`compare`."""
    notes = notes or {}
    return [_photograph(name, layers, notes.get(name, ""), _sort(name, orders)) for name, layers in examples.items()]


def _sort(name: str, orders: Mapping[str, Mapping[str, float]] | None) -> dict[str, float | None]:
    """Values to sort a photograph by; None, which comes last, where a value is not finite."""
    values = {by: float(of[name]) for by, of in (orders or {}).items()}
    return {by: value if np.isfinite(value) else None for by, value in values.items()}


def _photograph(name: str, layers: Mapping[str, np.ndarray], note: str = "", sort: dict | None = None) -> dict:
    wet, dry = layers.get("wet"), layers.get("dry")
    if wet is None:
        raise ValueError(f"{name}: the wet image is missing")
    for layer, image in layers.items():
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            kind = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise ValueError(f"{layer} image of {name}: uint8 (H, W, 3) is needed, not {kind}")
        if not min(image.shape):
            raise ValueError(f"{layer} image of {name} is {image.shape}: it has no pixels")
        if image.shape != wet.shape:
            raise ValueError(f"{layer} image of {name} is {image.shape}, the wet one {wet.shape}: one size is needed")
    height, width = wet.shape[:2]
    factor = -(-max(height, width) // LARGEST_SIDE)
    if factor > 1:
        whole = f"reduced to 1/{factor} of {width} x {height} px, so scores of the visible part are not exact"
        note = f"{note}; {whole}" if note else whole
        height, width = (max(1, side // factor) for side in (height, width))
    encoded = [_layer(layer, image, dry, (width, height)) for layer, image in layers.items()]
    name = printable(str(name))
    return {"name": name, "note": note, "sort": sort or {}, "width": width, "height": height, "layers": encoded}


def _layer(name: str, image: np.ndarray, dry: np.ndarray | None, size: tuple[int, int]) -> dict:
    """Prepares one image for slider.js: scored if there is a dry one, and encoded at a size (width, height)."""
    score = "" if dry is None or name == "dry" else _score(image, dry)
    encoded = _webp(Image.fromarray(image).resize(size, Image.Resampling.BOX), _LOSSLESS)
    return {"name": name, "title": entry_of(name).short, "image": encoded, "score": score}


def _resolved(state: dict, strict: bool = True) -> dict:
    """Completes the state with names of a photograph and images that exist; if ``strict``, rejects a wrong name."""
    photographs = {photograph["name"]: photograph for photograph in state["photographs"]}
    if not photographs:
        raise ValueError("there are no images to compare")
    first = min(photographs.values(), key=_first_order)
    chosen = _known("photograph", state.get("photograph"), photographs, strict) or first["name"]
    names = [layer["name"] for layer in photographs[chosen]["layers"]]
    restored = [name for name in names if name not in ("wet", "dry")] or names[-1:]
    usual = {"left": "wet", "right": restored[0], "third": "dry" if "dry" in names else names[-1]}
    sides = {side: _known(side, state.get(side), names, strict) or usual[side] for side in SIDES}
    return state | {"photograph": chosen} | sides


def _known(what: str, name: str | None, names: Iterable[str], strict: bool) -> str | None:
    if not name or name in names:
        return name
    if strict:
        raise ValueError(f"{what}={name!r} is not there: choose one of {', '.join(names)}")
    return None


def _first_order(photograph: dict) -> float:
    """The value that photographs are sorted by at first, as in slider.js; missing values come last."""
    value = next(iter(photograph["sort"].values()), 0.0)
    return np.inf if value is None else value


def _score(image: np.ndarray, dry: np.ndarray) -> str:
    """Writes PSNR and SSIM as ``scoreText`` of pixels.js does."""
    decibels = psnr(image, dry)
    likeness = f"{ssim(image, dry):.4f}" if min(dry.shape[:2]) >= WINDOW_SIZE else "-"
    return f"{'∞' if np.isinf(decibels) else f'{decibels:.2f}'} dB, {likeness}"


def _webp(image: Image.Image, options: dict) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format="webp", **options)
    return buffer.getvalue()


def _bytes(photographs: list[dict]) -> int:
    return sum(len(layer["image"]) for photograph in photographs for layer in photograph["layers"])


def _smaller(photographs: list[dict], largest: int) -> tuple[list[dict], str]:
    """Compresses photographs with losses, halves them until they fit if that is not enough, and returns a remark."""
    steps = [(quality, 1) for quality in _QUALITIES] + [(_QUALITIES[-1], 2**k) for k in range(1, 7)]
    for quality, factor in steps:
        smaller = [_reduced(photograph, factor, quality) for photograph in photographs]
        if _bytes(smaller) <= largest:
            break
    how = "compressed" if factor == 1 else f"compressed and reduced to 1/{factor}"
    exact = "scores of the visible part are near the truth, not exact"
    return smaller, f"<p>To keep this page small, the images are {how}: {exact}.</p>"


def _reduced(photograph: dict, factor: int, quality: int) -> dict:
    width, height = (max(1, photograph[side] // factor) for side in ("width", "height"))
    layers = []
    for layer in photograph["layers"]:
        image = Image.open(BytesIO(layer["image"])).convert("RGB").resize((width, height), Image.Resampling.BOX)
        layers.append(layer | {"image": _webp(image, {"quality": quality, "method": 4})})
    return photograph | {"width": width, "height": height, "layers": layers}


def page(body: str, title: str, style: str = "") -> str:
    """Returns a whole HTML page around ``body``, which may hold comparisons; the page cannot load anything."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data: blob:; '
        "script-src 'unsafe-inline'; style-src 'unsafe-inline'\">\n"
        f"<title>{html.escape(title)}</title>\n<style>{_PAGE_STYLE}{STYLE}{style}</style>\n"
        f"</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _section(name: str, photographs: list[dict], state: dict) -> str:
    as_text = [
        photograph
        | {"layers": [layer | {"image": base64.b64encode(layer["image"]).decode()} for layer in photograph["layers"]]}
        for photograph in photographs
    ]
    # Escaped, "<" is the same text in JSON and can neither end the script nor begin a comment in it.
    data = json.dumps({"photographs": as_text, "state": state}, ensure_ascii=False, allow_nan=False)
    data = data.replace("<", "\\u003c")
    return (
        f'<div id="{name}"><noscript>The slider needs JavaScript.</noscript></div>\n'
        f'<script type="application/json" id="{name}-data">{data}</script>\n'
        f'<script type="module">{_SCRIPT}\n'
        f'const {{ photographs, state }} = JSON.parse(document.getElementById("{name}-data").textContent);\n'
        f'mount(document.getElementById("{name}"), photographs, state);\n</script>\n'
    )
