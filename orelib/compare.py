"""The slider that compares wet, dry and restored images in a notebook, and restoring test images for it."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import ipywidgets as widgets
import numpy as np
from PIL import Image

from orelib.config import METHODS, Folders
from orelib.pairs import Pairs
from orelib.restore import load_restorer

FIGURE_8 = ("improved", *(method for method in METHODS if method != "improved"))  # the paper's own method first

SHOWN_HEIGHT = 480  # pixels on the screen: small images are enlarged without smoothing, large ones reduced


def restored_examples(
    pairs: Pairs, folders: Folders, seed: int = 0, count: int = 8
) -> dict[str, dict[str, np.ndarray]]:
    """The first ``count`` test images, each as ``{"wet": ..., "dry": ..., "improved": ..., ...}`` by its stem.

    Raises FileNotFoundError when a method is not trained yet.
    """
    restorers = {method: load_restorer(folders.run(method, seed) / "generator.safetensors") for method in METHODS}
    examples = {}
    for pair in pairs.test[:count]:
        wet, dry = pair.load()
        restored = {method: restorers[method].restore(wet) for method in FIGURE_8}
        examples[pair.stem] = {"wet": wet, "dry": dry} | restored
    return examples


def wipe(left: np.ndarray, right: np.ndarray, position: float) -> np.ndarray:
    """``left`` up to ``position`` (0-1 of the width), then ``right``, with a white line between them."""
    divider = round(position * left.shape[1])
    image = np.concatenate([left[:, :divider], right[:, divider:]], axis=1)
    if 0 < divider < image.shape[1]:
        image[:, divider] = 255
    return image


def compare(examples: Mapping[str, Mapping[str, np.ndarray]]) -> widgets.VBox:
    """Sliders over ``{image name: {"wet": ..., "dry": ..., method: ...}}``, images uint8 (H, W, 3) of one size.

    Drop-downs choose the photograph and what is shown left and right of the divider; the slider moves the divider.
    Raises ValueError when there is nothing to show.
    """
    if not examples:
        raise ValueError("there are no images to compare")
    examples = {
        name: {layer: _for_screen(image) for layer, image in layers.items()} for name, layers in examples.items()
    }
    first = next(iter(examples.values()))
    layers = list(first)
    name = widgets.Dropdown(options=list(examples), description="photograph")
    left = widgets.Dropdown(options=layers, value=layers[0], description="left")
    right = widgets.Dropdown(options=layers, value=layers[min(2, len(layers) - 1)], description="right")
    divider = widgets.FloatSlider(0.5, min=0, max=1, step=0.01, description="divider", readout=False)
    divider.layout.width = "480px"
    picture = widgets.Image(format="png")

    def show(_=None) -> None:
        layers = examples[name.value]
        picture.value = _png(wipe(layers[left.value], layers[right.value], divider.value))

    for control in (name, left, right, divider):
        control.observe(show, names="value")
    show()
    return widgets.VBox([widgets.HBox([name, left, right]), divider, picture])


def _for_screen(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    if height > SHOWN_HEIGHT:
        size = max(1, round(width * SHOWN_HEIGHT / height)), SHOWN_HEIGHT
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    factor = SHOWN_HEIGHT // height
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _png(image: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, format="png")
    return buffer.getvalue()
