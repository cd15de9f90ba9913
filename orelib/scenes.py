"""Rendered photographs of crushed ore, wet and dry, with ground truth: the embedded data set.

A scene is a height map of broken particles lying over each other, an albedo map of their minerals, one sun-like
main light and a few lamps. The dry photograph is its diffuse shading. The wet one adds what water does to the same
rock: filled pores darken the albedo and deepen its colour, and a smooth film mirrors the lamps, until the camera
clips to white. Both are seen by the same camera, so a pair is aligned to the pixel.

Linear light throughout; only :func:`_photograph` turns it into 8-bit sRGB-like values. Maps are float32 (height,
width), heights in mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

RENDERER = 1  # raised whenever the same seed gives other bytes than before

SMALLEST_SIDE = 32
SMALLEST_PARTICLE_MM, LARGEST_PARTICLE_MM = 5.0, 25.0

# Linear RGB albedo and share of each rock: wolframite-bearing, granite, quartz, rusty surfaces.
LITHOLOGIES = np.array(
    [[0.075, 0.068, 0.066], [0.29, 0.275, 0.26], [0.56, 0.53, 0.48], [0.28, 0.185, 0.115]], dtype=np.float32
)
LITHOLOGY_SHARES = (0.22, 0.43, 0.17, 0.18)
FINES_ALBEDO = np.array([0.17, 0.14, 0.11], dtype=np.float32)

WATER_F0 = 0.02  # reflectance of water seen straight on, ((1.33 - 1) / (1.33 + 1))^2


@dataclass(frozen=True)
class Scene:
    """A wet/dry pair and its ground truth, see :func:`render_pair`."""

    wet: np.ndarray
    dry: np.ndarray
    labels: np.ndarray
    glare: np.ndarray
    wetness: float


def render_pair(
    seed: int, size: tuple[int, int] = (256, 256), px_per_mm: float = 2.5, wetness: float | None = None
) -> Scene:
    """Renders one scene wet and dry.

    Parameters
    ----------
    seed : int
        The same seed gives the same bytes, in any process and in any order.
    size : (height, width) in pixels, each at least 32.
    px_per_mm : float
        Scale of the photograph; particles are 5-25 mm (the paper's ore) at any scale.
    wetness : float, optional
        0 (damp in places) to 1 (water everywhere); drawn from the seed when None. The rock, light and noise of
        a seed do not depend on it.

    Returns
    -------
    Scene
        ``wet`` and ``dry`` uint8 (H, W, 3); ``labels`` int32 (H, W), particle numbers from 1 with 0 for the
        ground between them; ``glare`` bool (H, W), where mirrored lamps outshine the wet rock; ``wetness``.

    Raises
    ------
    ValueError
        For a size, scale or wetness out of range.
    """
    height_px, width_px = (int(side) for side in size)
    if min(height_px, width_px) < SMALLEST_SIDE:
        raise ValueError(f"size={tuple(size)} is too small: each side needs at least {SMALLEST_SIDE} px")
    if not 0.2 <= px_per_mm <= 100:
        raise ValueError(f"px_per_mm={px_per_mm} must lie between 0.2 and 100")
    if wetness is not None and not 0 <= wetness <= 1:
        raise ValueError(f"wetness={wetness} must lie between 0 and 1")

    # One generator a concern: drawing more numbers for one does not change the others.
    piling, minerals, lighting, water, camera = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(5)
    )
    drawn_wetness = float(water.uniform(0.15, 1.0))
    wetness = drawn_wetness if wetness is None else float(wetness)

    shape = (height_px, width_px)
    height, labels = _pile(piling, shape, px_per_mm)
    albedo, roughness = _minerals(minerals, labels, px_per_mm)
    surface = height + roughness
    diffuse_light = _diffuse_light(lighting, surface, px_per_mm)
    film = _film(water, height, wetness, px_per_mm)
    mirrored = _mirrored_lamps(lighting, water, surface, px_per_mm)

    dry_light = albedo * diffuse_light
    wet_rock = _wet_albedo(albedo, film) * diffuse_light
    mirrored = (film * mirrored)[..., None]
    exposure = 0.27 / max(float(dry_light.mean()), 1e-6) * camera.uniform(0.85, 1.15)
    dry, wet = (_photograph(camera, light * exposure) for light in (dry_light, wet_rock + mirrored))
    # Glare: the film alone would drive the pixel to at least 60 % of white, and it outshines the rock below.
    glare = (exposure * mirrored[..., 0] > 0.6) & (mirrored[..., 0] > wet_rock.mean(axis=2))
    return Scene(wet=wet, dry=dry, labels=labels, glare=glare, wetness=wetness)


def _noise(rng: np.random.Generator, shape: tuple[int, int], grain_px: float) -> np.ndarray:
    """Smooth noise of unit variance whose blobs are about ``grain_px`` wide.

    Drawn on a grid as coarse as the grain allows and enlarged by quadratic splines, so that broad noise costs no more
    than fine noise.
    """
    step = max(1, int(grain_px / 2))
    coarse = rng.standard_normal([side // step + 4 for side in shape], dtype=np.float32)
    coarse = ndimage.gaussian_filter(coarse, grain_px / 2 / step, mode="wrap")
    coarse /= coarse.std()
    if step == 1:
        return coarse[: shape[0], : shape[1]]
    large = ndimage.zoom(coarse, step, order=2, mode="nearest", grid_mode=True)
    top, left = rng.integers(0, step, size=2)
    return large[top : top + shape[0], left : left + shape[1]]


def _pile(rng: np.random.Generator, shape: tuple[int, int], px_per_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Drops broken particles one by one; returns the height map in mm and the particle labels."""
    margin = LARGEST_PARTICLE_MM * px_per_mm / 2
    area_mm2 = (shape[0] + 2 * margin) * (shape[1] + 2 * margin) / px_per_mm**2
    height = 0.5 * _noise(rng, shape, 1.2 * px_per_mm) + 0.3 * _noise(rng, shape, 5 * px_per_mm)
    labels = np.zeros(shape, dtype=np.int32)

    # Enough particles for their footprints to cover the ground about twice: few gaps, many overlaps.
    coverage = rng.uniform(1.2, 2.4)
    covered_mm2, number = 0.0, 0
    while covered_mm2 < coverage * area_mm2:
        number += 1
        diameter = min(SMALLEST_PARTICLE_MM + rng.gamma(1.6, 3.2), LARGEST_PARTICLE_MM)
        covered_mm2 += 0.6 * diameter**2
        centre = rng.uniform([-margin, -margin], [shape[0] + margin, shape[1] + margin])
        _drop(rng, number, diameter, centre, height, labels, px_per_mm)
    return height, labels


def _drop(rng, number, diameter, centre, height, labels, px_per_mm) -> None:
    """Lays one particle onto the pile, in place.

    Its upper side is the lower envelope of random planes that touch an ellipsoid: a convex polyhedron with flat
    fracture faces. Bending the coordinates a little chips its edges.
    """
    elongation, flatness = rng.uniform(0.6, 1.0), rng.uniform(0.4, 0.8)
    turn = rng.uniform(0, 2 * np.pi)
    faces = 12
    azimuth = (np.arange(faces) + rng.uniform(-0.3, 0.3, faces)) * (2 * np.pi * 0.382)
    tilt = np.sqrt((np.arange(faces) + 0.6) / faces) * (np.pi / 2 * 0.97)  # 0: looks up, 90 degrees: a side wall
    reach = rng.uniform(0.78, 1.0, faces)
    # Height of each plane at (x, y), in radii: level - slope_x x - slope_y y.
    planes = np.stack([reach / np.cos(tilt), np.tan(tilt) * np.cos(azimuth), np.tan(tilt) * np.sin(azimuth)], axis=1)
    bend = rng.uniform(0, 2 * np.pi, 3).astype(np.float32)

    half = int(np.ceil(0.75 * diameter * px_per_mm))
    top, left = round(centre[0]) - half, round(centre[1]) - half
    rows = slice(max(top, 0), min(top + 2 * half + 1, height.shape[0]))
    columns = slice(max(left, 0), min(left + 2 * half + 1, height.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    v = ((np.arange(rows.start, rows.stop) - centre[0]) / px_per_mm).astype(np.float32)[:, None]
    u = ((np.arange(columns.start, columns.stop) - centre[1]) / px_per_mm).astype(np.float32)[None, :]
    radius = diameter / 2
    # Into the particle's own axes, in units of its radius; short waves chip the outline.
    cosine, sine = np.float32(np.cos(turn) / radius), np.float32(np.sin(turn) / radius)
    x = cosine * u + sine * v
    y = (cosine * v - sine * u) / np.float32(elongation)
    chips = 0.05 * np.sin(7 * x + bend[0]) * np.sin(6 * y + bend[1]) + 0.03 * np.sin(13 * x + 11 * y + bend[2])
    x, y = x + chips, y - chips

    top_side = np.full(x.shape, np.inf, dtype=np.float32)
    for level, slope_x, slope_y in planes.astype(np.float32):
        np.minimum(top_side, level - slope_x * x - slope_y * y, out=top_side)
    inside = top_side > 0
    if not inside.any():
        return
    below = height[rows, columns]
    # It rests on what lies below its footprint and sinks a little between the higher spots.
    rest = below[inside].mean()
    upper = rest + np.float32(radius * flatness) * top_side
    covers = inside & (upper > below)
    below[covers] = upper[covers]
    labels[rows, columns][covers] = number


def _minerals(rng, labels, px_per_mm) -> tuple[np.ndarray, np.ndarray]:
    """Albedo (H, W, 3) and fine relief in mm, by the lithology of each particle; label 0 is sandy fines."""
    shape = labels.shape
    count = int(labels.max()) + 1
    rock = rng.choice(len(LITHOLOGIES), size=count, p=LITHOLOGY_SHARES)
    base = LITHOLOGIES[rock] * rng.uniform(0.75, 1.25, (count, 1)) * rng.uniform(0.96, 1.04, (count, 3))
    base[0] = FINES_ALBEDO
    base = base.astype(np.float32)[labels]

    broad = _noise(rng, shape, 4.0 * px_per_mm)
    grain = _noise(rng, shape, 0.9 * px_per_mm)
    fine = rng.standard_normal(shape, dtype=np.float32)
    contrast = np.array([0.10, 0.15, 0.08, 0.16], dtype=np.float32)[rock]
    contrast[0] = 0.30
    texture = 1 + contrast[labels] * (0.5 * broad + grain + 0.5 * fine)
    # Quartz veins: thin zero crossings of broad noise, on part of the rocks.
    veined = (rng.random(count) < 0.35)[labels] & (labels > 0)
    vein = np.clip(1 - np.abs(broad) / 0.09, 0, 1) * veined
    albedo = base * np.clip(texture, 0.25, 2.0)[..., None]
    albedo += vein[..., None] * (LITHOLOGIES[2] - albedo) * 0.8
    roughness = 0.06 * grain + 0.03 * fine
    roughness[labels == 0] *= 4
    return np.clip(albedo, 0.01, 0.9), roughness


def _normals(height: np.ndarray, px_per_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit surface normals as their row, column and upward components."""
    down, right = np.gradient(height * px_per_mm)
    length = np.sqrt(down * down + right * right + 1)
    return -down / length, -right / length, 1 / length


def _diffuse_light(rng, surface, px_per_mm) -> np.ndarray:
    """Light that falls on each point, (H, W, 3): main light with cast shadows, and sky dimmed in hollows."""
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(45, 65))
    toward = np.array([np.sin(azimuth), np.cos(azimuth)]) * np.cos(elevation)
    normal = _normals(surface, px_per_mm)
    facing = np.clip(normal[0] * toward[0] + normal[1] * toward[1] + normal[2] * np.sin(elevation), 0, None)

    # A point is in shadow when the surface, followed toward the light, rises above the ray.
    shadow = np.zeros_like(surface)
    direction, slope = toward / np.cos(elevation), np.tan(elevation)
    for distance_mm in (1.0, 2.0, 3.5, 5.5, 8.0, 11.0):
        offset = np.round(direction * distance_mm * px_per_mm).astype(int)
        blocker = _shifted(surface, offset)
        np.maximum(shadow, blocker - surface - distance_mm * slope, out=shadow)
    lit = ndimage.gaussian_filter(np.exp(-2.0 * shadow), 0.25 * px_per_mm)

    hollow = np.clip(_blurred(surface, 3.0 * px_per_mm) - surface, 0, None)
    sky = np.exp(-0.32 * hollow) * (0.65 + 0.35 * normal[2])
    warm, cool = np.array([1.0, 0.96, 0.90], np.float32), np.array([0.92, 0.97, 1.0], np.float32)
    return (0.85 * facing * lit)[..., None] * warm + (0.40 * sky)[..., None] * cool


def _shifted(image: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """``image[row + offset, column + offset]`` with the border repeated."""
    rows = np.clip(np.arange(image.shape[0]) + offset[0], 0, image.shape[0] - 1)
    columns = np.clip(np.arange(image.shape[1]) + offset[1], 0, image.shape[1] - 1)
    return image[rows][:, columns]


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur whose cost does not grow with ``sigma``: three box filters."""
    width = max(1, 2 * round(sigma * 0.94) + 1)
    for _ in range(3):
        image = ndimage.uniform_filter(image, width, mode="nearest")
    return image


def _film(rng, height, wetness, px_per_mm) -> np.ndarray:
    """Share of each point that water covers, 0-1: patches that grow with wetness, hollows first."""
    patches = 0.7 * _noise(rng, height.shape, 12 * px_per_mm) + 0.4 * _noise(rng, height.shape, 2 * px_per_mm)
    hollow = np.clip(_blurred(height, 3.0 * px_per_mm) - height, 0, 4) / 4
    dryness = patches - 0.8 * hollow
    return np.clip((3.6 * wetness - 1.2 - dryness) / 0.6 + 0.5, 0, 1).astype(np.float32)


def _wet_albedo(albedo: np.ndarray, film: np.ndarray) -> np.ndarray:
    """Albedo of wet rock, darker and more saturated.

    Light that the rock sends back is partly mirrored down again at the water's inner side and gets another chance
    to be absorbed: ``A = (1 - p) a / (1 - p a)`` with p the share turned back (Angstrom 1925; Lekner and Dorf 1988).
    A dark colour channel loses more than a bright one, which deepens the colour.
    """
    returned = 0.74 * film[..., None]
    return (1 - returned) * albedo / (1 - returned * albedo)


def _mirrored_lamps(lighting, water, surface, px_per_mm) -> np.ndarray:
    """Light of the lamps that a water film over ``surface`` mirrors toward the camera, (H, W), per unit of film.

    The film fills fine relief, so its normals are those of the smoothed surface, with ripples. Its reflectance is
    Fresnel's (Schlick's approximation); each lamp is a soft disc far away.
    """
    film_surface = ndimage.gaussian_filter(surface, 0.6 * px_per_mm)
    film_surface = film_surface + 0.02 * _noise(water, surface.shape, 1.5 * px_per_mm)
    down, right, up = _normals(film_surface, px_per_mm)
    # The camera looks straight down: the mirrored ray of (0, 0, 1) at normal n is 2 n_up n - (0, 0, 1).
    ray = 2 * up * down, 2 * up * right, 2 * up * up - 1
    fresnel = WATER_F0 + (1 - WATER_F0) * (1 - up) ** 5
    light = np.full(surface.shape, 0.5, dtype=np.float32) * np.clip(ray[2], 0, 1)  # the bright hall or sky
    for _ in range(int(lighting.integers(3, 6))):
        azimuth, elevation = lighting.uniform(0, 2 * np.pi), np.radians(lighting.uniform(35, 80))
        lamp = np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), np.sin(elevation)
        radiance, sharpness = lighting.uniform(40, 140), lighting.uniform(60, 250)
        nearness = sum(r * c for r, c in zip(ray, lamp, strict=True))
        light += radiance * np.exp(sharpness * (nearness - 1))
    return fresnel * light


def _photograph(rng, light: np.ndarray) -> np.ndarray:
    """What the camera makes of linear light: slight blur, vignetting, noise, gamma, 8 bits; above 1 it clips."""
    light = ndimage.gaussian_filter(light, (0.5, 0.5, 0))
    height, width = light.shape[:2]
    row, column = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    light = light * (1 - 0.06 * (row**2 + column**2))[..., None]
    light = light + np.sqrt(np.clip(light, 0, 1) * 2e-4 + 1e-5) * rng.standard_normal(light.shape, dtype=np.float32)
    return np.round(255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8)
