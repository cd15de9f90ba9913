"""An explorer of losses: damage a dry image by hand, and see which loss notices it."""

from __future__ import annotations

import numpy as np

from orelib.data.degraded import degraded
from orelib.losses import PerceptualLoss
from orelib.study.loss_trials import TERMS, loss_values, metric_values, similarity_maps
from orelib.views.explorer import Choice, Explorer, Slider
from orelib.views.loss_figures import explored_figure

MAPS = ("SSIM", *TERMS, "absolute error")
WINDOWS = ("7 px", "11 px", "21 px", "41 px")
LARGEST_ERROR = 64  # grey levels; the map of absolute errors is scaled to it
SIDE = 160  # px; of the part of the images that is shown, so that a picture takes a fraction of a second


def loss_explorer(wet: np.ndarray, dry: np.ndarray, perceptual: PerceptualLoss | None = None) -> Explorer:
    """Returns an explorer of a pair, both uint8 (H, W, 3) of at least 11 px: damage to the dry image, and its losses.

    Losses are relative to the loss of the wet image: 0 for the dry image itself, 1 for one as bad as the wet image. A
    ``perceptual`` loss is one of them if it is given; its images have at least 32 px.
    """
    wet, dry = (_middle(image) for image in (wet, dry))
    windows = [window for window in WINDOWS if _size(window) <= min(dry.shape[:2])]
    of_wet = {window: loss_values(wet, dry, _size(window), perceptual) for window in windows}

    def draw(blur, shift, brightness, noise, glare, window, view):
        image = degraded(dry, blur, shift, brightness / 100, noise, glare / 100)
        values, metrics = loss_values(image, dry, _size(window), perceptual), metric_values(image, dry)
        bars = {name: value / of_wet[window][name] for name, value in values.items()}
        if view == "absolute error":
            drawn = np.abs(image.astype(float) - dry).mean(axis=2) / LARGEST_ERROR
            title = f"absolute error, 1 = {LARGEST_ERROR} grey levels"
        else:
            drawn, title = similarity_maps(image, dry, _size(window))[view], f"{view}, window {window}"
        return explored_figure(image, drawn, title, bars, _numbers(metrics))

    controls = {
        "blur": Slider(0.0, 6.0, 0.1, 0.0, "blur, sigma in px"),
        "shift": Slider(0.0, 8.0, 0.5, 0.0, "shift, px"),
        "brightness": Slider(-60, 60, 1, 0, "brightness, %"),
        "noise": Slider(0, 60, 1, 0, "noise, grey levels"),
        "glare": Slider(0.0, 30.0, 0.5, 0.0, "glare, % of the area"),
        "window": Choice(windows, "11 px", "SSIM window"),
        "view": Choice(MAPS, "SSIM", "map"),
    }
    positions = [{"blur": 1.5}, {"brightness": 15}, {"noise": 14}]
    alt = (
        "The dry image with blur {blur}, shift {shift}, brightness {brightness} %, noise {noise}, glare {glare} %. "
        "Beside it a map of {view}, and its losses relative to those of the wet image."
    )
    return Explorer(draw, controls, positions, alt)


def _numbers(metrics: dict[str, float]) -> str:
    decibel = f"{metrics['PSNR, dB']:.1f} dB" if np.isfinite(metrics["PSNR, dB"]) else "no error"
    return (
        f"PSNR {decibel}\nSSIM {metrics['SSIM']:.3f} (11 px)\nsharpness {metrics['sharpness']:.2f}\n"
        f"colour error {metrics['colour error']:.1f}"
    )


def _size(window: str) -> int:
    return int(window.split()[0])


def _middle(image: np.ndarray) -> np.ndarray:
    top, left = (max(0, (side - SIDE) // 2) for side in image.shape[:2])
    return image[top : top + SIDE, left : left + SIDE]
