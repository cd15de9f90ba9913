"""Rendered wet/dry photographs of ore with ground truth: the embedded data set.

A scene is a height map seen from straight above. ``particles`` piles it up (``rounded``: core and pebbles), ``rock``
colours it, ``water`` wets it, ``light`` lights and photographs it, and this module puts them together; ``fields`` has
the noise and blur that all of them use. ``beds`` has dry photographs of stones of all kinds, for the segmenter.
Lengths are in mm, light and albedo linear until the camera makes 8-bit values of them; maps are float32
(height, width), colours (3, height, width).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from orelib.data.scenes import light, particles, rock, rounded, water
from orelib.data.scenes.particles import SizeDistribution

__all__ = ["RENDERER", "SMALLEST_SIDE", "Scene", "SizeDistribution", "check_arguments", "render_pair"]

RENDERER = 3  # increased whenever the same seed gives other bytes than before

SMALLEST_SIDE = 32
MOST_LAMPS = 20
ROUND = 0.4  # share of the wide scenes that show core or pebbles


@dataclass(frozen=True)
class Scene:
    """A wet/dry pair and its ground truth.

    ``wet`` and ``dry`` are uint8 (H, W, 3). ``labels`` int32 (H, W): particle numbers from 1, and 0 for fines and belt.
    ``glare`` bool (H, W): where the camera sees the film, not the rock. ``wetness``: 0-1.

    Of particle i, ``size_mm[i - 1]`` is the width in mm, ``visible[i - 1]`` the share of its outline in the image that
    nothing covers, and ``cut[i - 1]`` whether the image's border cuts it.

    The pictures were made from these maps: ``height`` in mm with fine relief (H, W), ``albedo`` of the dry
    surface (H, W, 3), ``film``, the share that a water film covers (H, W), ``depth`` of standing water in mm (H, W).
    All but ``wet`` and ``glare`` lie in the frame of the dry photograph, whatever the misalignment.
    """

    wet: np.ndarray
    dry: np.ndarray
    labels: np.ndarray
    glare: np.ndarray
    wetness: float
    size_mm: np.ndarray
    visible: np.ndarray
    cut: np.ndarray
    height: np.ndarray
    albedo: np.ndarray
    film: np.ndarray
    depth: np.ndarray


def render_pair(
    seed: int,
    size: tuple[int, int] = (256, 256),
    px_per_mm: float = 2.5,
    wetness: float | None = None,
    sizes: SizeDistribution | None = None,
    misalignment_px: float = 0.0,
    wide: bool = False,
    lamps: int | None = None,
    turned: float = 0.0,
) -> Scene:
    """Renders one scene wet and dry.

    Parameters
    ----------
    seed : int
        The same seed gives the same bytes, in any process and in any order.
    size : (height, width) in pixels, each at least 32.
    px_per_mm : float
        Scale of the photograph, 0.2-100.
    wetness : float, optional
        0 (damp in places) to 1 (flooded); drawn from the seed when None. The rock, the lamps and the dry photograph of
        a seed do not depend on it.
    sizes : SizeDistribution, optional
        Sizes of the particles; the default is between 5 and 25 mm, as for the paper's ore.
    misalignment_px : float
        Shift in pixels, in a direction drawn from the seed, of the wet photograph and its glare mask against the dry
        photograph, as happens when a camera is touched between two shots.
    wide : bool
        A scene of a wider kind than the paper's ore: rock of any colour, broken or round, wetted by any law of
        :func:`~orelib.data.scenes.water.draw_law`, before a camera of any exposure. Sizes are not known then.
    lamps : int, optional
        Number of lamps and windows beside the main light, 0-20; 2 to 4, drawn from the seed, when None. They are seen
        in the water alone: their part of the light on the rock belongs to the even light from all around.
    turned : float
        Angle in radians by which all lights are turned around the vertical.

    Raises
    ------
    ValueError
        For a size, scale, wetness, misalignment or number of lamps out of range.
    """
    check_arguments(size, px_per_mm, wetness, misalignment_px)
    if lamps is not None and lamps not in range(MOST_LAMPS + 1):
        raise ValueError(f"lamps={lamps} must be a whole number from 0 to {MOST_LAMPS}")
    shape = tuple(int(side) for side in size)
    # One generator per concern: drawing more numbers for one does not change the others.
    piling, mineral, lighting, wetting, aiming, dry_shot, wet_shot, widening = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(8)
    )
    drawn_wetness = wetting.uniform(0.1, 1.0)
    wetness = drawn_wetness if wetness is None else float(wetness)

    if wide and widening.random() < ROUND:
        pile = rounded.lay_round(piling, shape, px_per_mm)
    else:
        pile = particles.pile_up(piling, shape, px_per_mm, sizes or SizeDistribution())
    surface = rock.minerals(mineral, pile, px_per_mm)
    if wide:
        surface = rock.recoloured(widening, surface)
    surroundings = light.draw_surroundings(lighting, lamps, turned)
    falling, openness = light.falling_light(surroundings, pile.height, surface.relief, px_per_mm)
    wetted = water.pour(wetting, pile.height, surface.relief, wetness, px_per_mm)
    dry_light = surface.dry * falling
    if wide:
        wet_rock = water.wet_by_law(surface.dry, surface.fresh, wetted.pores, water.draw_law(widening))
    else:
        wet_rock = water.wet_albedo(surface.dry, surface.fresh, wetted.pores)
    wet_rock *= falling
    mirrored = water.mirrored(wetted, surroundings, px_per_mm) * openness

    camera = light.draw_any_camera(widening) if wide else light.draw_camera(aiming)
    direction = aiming.uniform(0, 2 * np.pi)
    if misalignment_px:
        shift = misalignment_px * np.sin(direction), misalignment_px * np.cos(direction)
        for plane in (*wet_rock, mirrored):
            plane[:] = ndimage.shift(plane, shift, order=1, mode="nearest")
    wet_light = wet_rock + mirrored
    dry_mean, wet_mean = float(dry_light[1].mean()), float(wet_light[1].mean())
    dry_exposure = camera.exposure(dry_shot, dry_mean, dry_mean)
    wet_exposure = camera.exposure(wet_shot, wet_mean, dry_mean)
    # Glare: the film alone would drive the pixel to 30 % of white (58 % after gamma), and it outshines the rock below.
    glare = (wet_exposure * mirrored > 0.3) & (mirrored > wet_rock[1])
    return Scene(
        wet=camera.photograph(wet_shot, wet_light, wet_exposure),
        dry=camera.photograph(dry_shot, dry_light, dry_exposure),
        labels=pile.labels, glare=glare, wetness=wetness,
        size_mm=pile.size_mm, visible=pile.visible, cut=pile.cut,
        height=pile.height + surface.relief, albedo=surface.dry.transpose(1, 2, 0), film=wetted.film,
        depth=wetted.depth,
    )  # fmt: skip


def check_arguments(
    size: tuple[int, int], px_per_mm: float, wetness: float | None = None, misalignment_px: float = 0.0
) -> None:
    """Raises ValueError for arguments of :func:`render_pair` that are out of range."""
    shape = tuple(int(side) for side in size)
    if len(shape) != 2 or min(shape) < SMALLEST_SIDE:
        raise ValueError(f"size={tuple(size)} must be (height, width), each at least {SMALLEST_SIDE} px")
    if not 0.2 <= px_per_mm <= 100:
        raise ValueError(f"px_per_mm={px_per_mm} must lie between 0.2 and 100")
    if wetness is not None and not 0 <= wetness <= 1:
        raise ValueError(f"wetness={wetness} must lie between 0 and 1")
    if not 0 <= misalignment_px < min(shape) / 4:
        raise ValueError(f"misalignment_px={misalignment_px} must lie between 0 and a quarter of the shorter side")
