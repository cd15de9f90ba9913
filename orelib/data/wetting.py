"""Dry photographs, wetted by the water of the rendered scenes.

Aligned pairs of wet and dry photographs are rare at a plant; dry photographs are not. Here the dry photograph stays as
it is, and a wet partner is computed: the height of the rock is guessed from its shading; the scenes' water is poured
over it, which darkens the rock and mirrors lamps; and a camera of the same exposure photographs it.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
from scipy import ndimage

from orelib.data.scenes import water
from orelib.data.scenes.fields import blurred, noise
from orelib.data.scenes.light import Camera, draw_surroundings
from orelib.utils.allowed import checked

PX_PER_MM = 2.5  # as in the rendered scenes: 1,000 px show 40 cm
SMALLEST_SIDE = 32
WETNESS = (0.25, 1.0)  # from wet nearly everywhere to flooded: no restorer can tell a dry patch from pale wet rock
# Share of its light that rock sends back when it is wet, and the share of the difference that automatic exposure takes
# back: together 0.35 to 0.60, around the 0.45 that restorers assume. That is narrower than in the scenes, whose range
# made wetted core brighter than wet core is; what a training learns was much the same.
RATIO, COMPENSATION = (0.3, 0.55), (0.0, 0.3)
# Albedo of the palest rock, which a photograph does not tell: the darker that is, the brighter are the lamps in water.
PALEST = (0.15, 0.6)
# Linear light of a grey value, as Camera.photograph makes it. Black is above 0, because laws divide by a mean.
FROM_8_BITS = np.maximum(np.linspace(0, 1, 256) ** 2.2, 1e-6).astype(np.float32)


def wet_photograph(
    dry: np.ndarray, seed: int | tuple[int, ...], px_per_mm: float = PX_PER_MM
) -> tuple[np.ndarray, np.ndarray]:
    """Returns a dry photograph as it would look wet, and where glare hides the rock.

    Parameters
    ----------
    dry : uint8 (H, W, 3), each side at least 32 px. It is not changed.
    seed : numbers that choose the water, the lamps, the law of darkening and the exposure; the same give the same
        bytes.
    px_per_mm : scale of the photograph, 0.2-100: how large drops and puddles are.

    Returns
    -------
    (wet, glare): uint8 (H, W, 3) and bool (H, W).

    Raises ValueError for another kind of image, or a scale out of range.
    """
    checked("px_per_mm", px_per_mm)
    if dry.dtype != np.uint8 or dry.ndim != 3 or dry.shape[2] != 3 or min(dry.shape[:2]) < SMALLEST_SIDE:
        raise ValueError(f"{dry.dtype} {dry.shape} is no image to wet: uint8 (H, W, 3) of {SMALLEST_SIDE} px or more")
    shaping, pouring, lighting, darkening, shooting = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(5)
    )
    # The edge is mirrored outwards, because filters would flatten the water there, and flat water mirrors one lamp.
    margin = ceil(2 * px_per_mm)
    inner = (..., *(slice(margin, margin + side) for side in dry.shape[:2]))
    light = FROM_8_BITS[np.pad(dry, [(margin, margin), (margin, margin), (0, 0)], mode="symmetric")].transpose(2, 0, 1)
    height, relief, openness = _shape_of(shaping, light.mean(axis=0), px_per_mm)
    poured = water.pour(pouring, height, relief, pouring.uniform(*WETNESS), px_per_mm)
    mirrored = water.mirrored(poured, draw_surroundings(lighting), px_per_mm) * openness
    light, mirrored = light[inner], mirrored[inner]

    law = water.draw_law(darkening, RATIO)
    # A law holds for albedo, and only a part of the contrast of a photograph is albedo. The rest is shading.
    law = replace(law, slope=1 + darkening.uniform(0.3, 1.0) * (law.slope - 1))
    # Laws of low slope would make deep shadows brighter.
    rock = np.minimum(water.wet_by_law(light, light, poured.pores[inner], law), light)

    mean = float(light[1].mean())
    mirrored *= np.quantile(light[1], 0.98) / np.exp(lighting.uniform(*np.log(PALEST)))
    # Rock is as sharp as in the photograph; only the mirrored lamps are put out of focus here.
    mirrored = ndimage.gaussian_filter(np.minimum(mirrored, 4), shooting.uniform(0.4, 0.9), truncate=3)
    camera = Camera(
        defocus_px=0, vignetting=0, noise=shooting.uniform(0.001, 0.01), white_balance=(1, 1, 1), sharpening=0,
        target=mean, compensation=shooting.uniform(*COMPENSATION),
    )  # fmt: skip
    shot = rock + mirrored
    exposure = camera.exposure(shooting, float(shot[1].mean()), mean)
    glare = (exposure * mirrored > 0.3) & (mirrored > rock[1])
    return camera.photograph(shooting, shot, exposure), glare


def _shape_of(rng, light: np.ndarray, px_per_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Guesses the shape of rock from its light (H, W): height and relief in mm, and openness 0-1.

    What is dark lies low, at several scales; and because that is a guess, random hills and a round are added, as of
    a piece of core or a heap.
    """
    shade = np.log(light + 0.02)
    # Lamps do not reach the water in a hollow, which is darker than its surroundings, or in a pit, which is darker than
    # the photograph; by the root, because a dark place may also be dark rock.
    openness = np.exp(np.minimum(shade - blurred(shade, 3 * px_per_mm), 0))
    openness *= np.exp(np.minimum(shade - shade.mean(), 0) / 2)
    height = np.zeros_like(light)
    for reach_mm in (0.8, 2.5, 8.0):
        band = blurred(shade, reach_mm / 3 * px_per_mm) - blurred(shade, reach_mm * px_per_mm)
        height += rng.uniform(0.2, 1.2) * reach_mm * band
    height += rng.uniform(0, 1) ** 2 * noise(rng, light.shape, 8 * px_per_mm)
    down, right = (np.arange(side, dtype=np.float32) / px_per_mm for side in light.shape)
    angle, radius_mm = rng.uniform(0, np.pi), np.exp(rng.uniform(*np.log((20, 500))))
    across = np.cos(angle) * down[:, None] + np.sin(angle) * right
    across -= rng.uniform(across.min(), across.max())
    height -= np.sqrt(across**2 + radius_mm**2)
    relief = rng.uniform(0, 0.15) * (shade - blurred(shade, 0.6 * px_per_mm))
    relief += rng.uniform(0, 0.08) * noise(rng, light.shape, 0.4 * px_per_mm)
    return height, relief, openness
