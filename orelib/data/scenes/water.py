"""Water on rock: its place, its effect on the rock's colour, and its reflections.

Three things happen when rock gets wet, and each has its own map. Pores fill, and rock turns dark and deep in colour; a
film smooths the surface and mirrors lamps; water collects in hollows, where it stands level and climbs up the rock
around it (meniscus). Damp rock is dark without glare, so the pores' map reaches further than the film's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from orelib.data.scenes.fields import blurred, noise, normals
from orelib.data.scenes.light import SKY_SIDE, Surroundings

F0 = 0.02  # reflectance of water seen straight on: ((1.33 - 1) / (1.33 + 1))^2
TURNED_BACK = 0.62  # share of light from the rock that the water's inner side reflects down again


@dataclass(frozen=True)
class Water:
    """Maps (H, W): shares of filled ``pores`` and of ``film``, 0-1; ``surface`` of the water and ``depth``, both mm."""

    pores: np.ndarray
    film: np.ndarray
    surface: np.ndarray
    depth: np.ndarray


@dataclass(frozen=True)
class WettingLaw:
    """What water does to albedo: ``wet = ratio mean (dry / mean) ** slope``.

    ``ratio`` and ``slope`` are (3,), RGB; the mean is the scene's.
    """

    ratio: np.ndarray
    slope: np.ndarray


def draw_law(rng: np.random.Generator, ratio: tuple[float, float] = (0.25, 0.7)) -> WettingLaw:
    """Draws a law whose range holds what was measured; of the range of ``ratio``, every part of an octave is as likely.

    Spectra of 100 soils, dry and wet (Wadoux, soilspec; as linear RGB): ratio 0.53 (5-95 %: 0.37-0.69), slope 0.73,
    0.57 and 0.41 in R, G and B: pale soils lose more. Drill core as photographed: ratio 0.43, slope 1.4, because dry
    rock has a pale veil that water takes away. :func:`wet_albedo` alone: ratio 0.40, slope 0.93.
    """
    ratios = np.exp(rng.uniform(*np.log(ratio)) + rng.normal(0, 0.06, 3))
    slope = np.exp(rng.uniform(np.log(0.4), np.log(1.8))) + np.array([0.1, 0.0, -0.1]) * rng.uniform(0, 1.5)
    return WettingLaw(ratios, slope)


def pour(rng: np.random.Generator, height: np.ndarray, relief: np.ndarray, wetness: float, px_per_mm: float) -> Water:
    """Wets a pile: ``wetness`` from 0 (damp in places) to 1 (flooded)."""
    shape = height.shape
    mean_height = blurred(height, 4 * px_per_mm)
    hollow = np.clip(mean_height - height, -4, 4) / 4
    patches = 0.6 * noise(rng, shape, 10 * px_per_mm) + 0.35 * noise(rng, shape, 2 * px_per_mm) - 0.6 * hollow
    pores = np.clip((5.0 * wetness - 0.2 - patches) / 0.9 + 0.5, 0, 1)
    film = np.clip((3.6 * wetness - 1.7 - patches) / 0.7 + 0.5, 0, 1)

    # The film fills fine relief; drops stand on it where it is thin.
    smooth = ndimage.gaussian_filter(height + relief, 0.6 * px_per_mm, truncate=2.5)
    drops = np.clip(noise(rng, shape, 0.7 * px_per_mm) - 1.9, 0, 1)
    smooth += 0.4 * np.sqrt(drops) + 0.010 * noise(rng, shape, 1.2 * px_per_mm)
    # Standing water: level over some millimetres, at the height that the wetness gives. A smooth maximum of its level
    # and the film's surface makes the meniscus, some 1.5 mm wide.
    level = blurred(height, 6 * px_per_mm) + np.float32(3.2 * wetness - 5.2)
    over = level - smooth
    surface = smooth + 0.5 * (over + np.sqrt(over * over + 0.08))
    depth = np.clip(over, 0, None)
    standing = np.clip(over * 2 + 0.5, 0, 1)
    np.maximum(film, standing, out=film)
    np.maximum(pores, film, out=pores)
    return Water(pores, film, surface, depth)


def wet_albedo(dry: np.ndarray, fresh: np.ndarray, pores: np.ndarray) -> np.ndarray:
    """Albedo of rock whose pores are filled, darker and deeper in colour; linear RGB (3, H, W).

    Light that the rock sends back is partly mirrored down again at the water's inner side and can be absorbed
    again: ``A = (1 - p) a / (1 - p a)``, p the share turned back (Angstrom 1925; Lekner and Dorf 1988), and a the
    albedo of rock under water. That is lower than in air, because water in the pores comes nearer to the rock's index
    of refraction, so that grains scatter more forward and light goes deeper (Twomey, Bohren and Mergenthaler 1986):
    ``a^1.25`` here. A dark channel loses more than a bright one, which
    deepens the colour.
    """
    wet = np.empty_like(dry)
    for channel in range(3):
        albedo = _without_dust(dry[channel], fresh[channel])
        albedo *= np.sqrt(np.sqrt(albedo))
        albedo *= (1 - TURNED_BACK) / (1 - TURNED_BACK * albedo)
        wet[channel] = dry[channel] + pores * (albedo - dry[channel])
    return wet


def wet_by_law(dry: np.ndarray, fresh: np.ndarray, pores: np.ndarray, law: WettingLaw) -> np.ndarray:
    """Albedo of rock whose pores are filled, as :func:`wet_albedo`, but by a law of measured kind."""
    under_water = _without_dust(dry, fresh)
    mean = under_water.mean(axis=(1, 2), keepdims=True)
    slope, ratio = law.slope[:, None, None], law.ratio[:, None, None]
    lawful = ratio * dry.mean(axis=(1, 2), keepdims=True) * (under_water / mean) ** slope
    return (dry + pores * (np.minimum(lawful, 0.95) - dry)).astype(np.float32)


def _without_dust(dry: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """Albedo of rock under water, in air: dust becomes mostly transparent."""
    return fresh + 0.3 * (dry - fresh)


def mirrored(water: Water, around: Surroundings, px_per_mm: float) -> np.ndarray:
    """Light that the water's surface mirrors toward the camera, (H, W), where a film is.

    Reflectance is Fresnel's in the approximation of Schlick (1994) with F0 = 0.02. The camera looks straight down: the
    mirrored direction of (0, 0, 1) at a normal n is 2 n_up n - (0, 0, 1).
    """
    down, right, up = normals(water.surface, px_per_mm)
    twice = (SKY_SIDE - 1) * up  # 2 n_up, times half the side of the sky's map
    middle = (SKY_SIDE - 1) / 2 + 0.5
    cell = (down * twice + middle).astype(np.int32)
    cell *= SKY_SIDE
    cell += (right * twice + middle).astype(np.int32)
    light = around.sky.ravel()[cell]
    light[up < 0.7071] = 0.3  # mirrored downward: neighbouring rock
    off = 1 - up
    off2 = off * off
    light *= F0 + (1 - F0) * off2 * off2 * off
    return light * water.film
