"""A rendered scene under controls: its rock, its water, the camera's distance and the lamps."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from orelib.data.scenes import render_pair
from orelib.metrics import psnr, ssim
from orelib.views.explorer import Choice, Explorer, Slider

SIDE = 192  # px; a scene of this size is rendered in a tenth of a second
CONTROLS = {
    "seed": Slider(0, 99, 1, 52, "seed (another heap)"),
    "wetness": Slider(0.0, 1.0, 0.05, 0.7),
    "scale": Slider(1.5, 10.0, 0.5, 2.5, "scale, px per mm"),
    "lamps": Slider(0, 8, 1, 3, "lamps beside the main light"),
    "turn": Slider(0, 345, 15, 0, "turn all lights, degrees"),
    "outline": Choice(("no", "yes"), "no", "outline the glare"),
}
POSITIONS = ({"outline": "yes"}, {"lamps": 0}, {"wetness": 1.0, "scale": 6.0})
ALT = (
    "Rendered scene number {seed}, wet on the left and dry on the right: wetness {wetness:g}, {scale:g} px per mm, "
    "{lamps} lamps beside the main light, all lights turned by {turn} degrees."
)


def scene_explorer() -> Explorer:
    """An explorer over rendered scenes; they are rendered anew with each move, and nothing is written."""
    return Explorer(scene_figure, CONTROLS, POSITIONS, ALT)


def scene_figure(
    seed: int, wetness: float, scale: float, lamps: int, turn: float, outline: str = "no", side: int = SIDE
) -> Figure:
    """A scene, wet beside dry, with the share of glare and the scores of the wet image under them.

    ``scale`` is in px per mm, ``turn`` in degrees; ``outline`` is "yes" or "no". Raises ValueError as
    :func:`~orelib.data.scenes.render_pair`.
    """
    scene = render_pair(
        seed, (side, side), px_per_mm=scale, wetness=wetness, lamps=lamps, turned=float(np.radians(turn))
    )
    glare = 100 * scene.glare.mean()
    figure = Figure(figsize=(8, 4.5))
    for left, name, image in ((0.005, "wet", scene.wet), (0.505, "dry", scene.dry)):
        axis = figure.add_axes((left, 0.09, 0.49, 0.49 * 8 / 4.5), xticks=[], yticks=[])
        axis.imshow(image, interpolation="nearest")
        axis.set_title(name, fontsize=10, pad=3)
        if outline == "yes" and name == "wet" and scene.glare.any():
            axis.contour(scene.glare, levels=[0.5], colors="#F0E442", linewidths=0.9)
    figure.text(
        0.5, 0.025,
        f"glare: {glare:.1f} % of the wet image; wet is {scene.wet.mean() / scene.dry.mean():.2f} times as "
        f"bright as dry; left unrestored, it is {psnr(scene.wet, scene.dry):.1f} dB from dry, "
        f"SSIM {ssim(scene.wet, scene.dry):.2f}",
        ha="center", fontsize=9,
    )  # fmt: skip
    figure.set_label(
        ALT.format(seed=seed, wetness=wetness, scale=scale, lamps=lamps, turn=turn)
        + f" Glare covers {glare:.1f} % of the wet image."
    )
    return figure
