"""Beds: dry photographs of stones of any shape, size and packing, from which a segmenter learns outlines.

A bed is wider than the paper's ore on its belt: broken rock or pebbles of 6 to 200 px, many sizes or nearly one, packed
or scattered, in sand, crumbs or clay, or on bare rubber, under hard or soft light, before any camera, some photographs
enlarged or compressed. Lengths in mm are such that the largest stones have 12 to 45 mm.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy import ndimage

from orelib.data.scenes import light, particles, rock
from orelib.data.scenes.fields import blurred, noise
from orelib.data.scenes.particles import Pile

LARGEST_PX, LARGEST_MM = (24, 200), (12, 45)
SPREAD = (2.5, 14)  # largest over smallest size
SMALLEST_PX = 6
COVERAGE = (0.15, 2.2)  # area of all outlines over that of the photograph
MOST_STONES = 1500
SPECK_PX, LEAST_VISIBLE = 16, 0.3  # of stones of which less can be seen nobody draws an outline


@dataclass(frozen=True)
class Bed:
    """``dry``, a photograph uint8 (H, W, 3), and ``labels`` int32 (H, W): stones from 1, and 0 for all between them."""

    dry: np.ndarray
    labels: np.ndarray


def render_bed(seed: int, side: int = 256) -> Bed:
    """Renders one bed, ``side`` pixels high and wide; the same seed gives the same bytes."""
    laying, mineral, lighting, taking = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)
    )
    largest_px, largest_mm = _log_uniform(laying, LARGEST_PX), _log_uniform(laying, LARGEST_MM)
    px_per_mm = largest_px / largest_mm
    pile = _lay(laying, (side, side), px_per_mm, largest_mm)
    surface = rock.minerals(mineral, pile, px_per_mm)
    if mineral.random() < 0.5:
        surface = rock.recoloured(mineral, surface)
    tones = _tones(mineral, len(pile.size_mm) + 1)
    albedo = np.clip(surface.dry * tones[:, pile.labels], 0.01, 0.9)
    main = lighting.uniform(0, 0.85)
    surroundings = replace(light.draw_surroundings(lighting), main=main, ambient=1 - main)
    falling, _ = light.falling_light(surroundings, pile.height, surface.relief, px_per_mm)
    return Bed(_photograph(taking, albedo * falling), _outlined(pile.labels, pile.visible))


def _tones(rng: np.random.Generator, count: int) -> np.ndarray:
    """How much paler each stone is than its rock, in R, G and B (3, count): from stones of one kind to all kinds."""
    spread = rng.uniform(0, 0.45)
    tones = np.exp(rng.normal(0, spread, (1, count)) + rng.normal(0, 0.15 * spread, (3, count)))
    tones[:, 0] = np.exp(rng.normal(0, 0.2))
    return tones.astype(np.float32)


def _outlined(labels: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Labels as a person would outline the stones: smooth, in one piece, and none of which little can be seen."""
    outlined = np.zeros_like(labels)
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        mask = np.pad(labels[box] == number, 2)
        smooth = ndimage.uniform_filter(mask.astype(np.float32), 3 if mask.size < 900 else 5) > 0.5
        pieces, count = ndimage.label(smooth)
        if count == 0 or visible[number - 1] < LEAST_VISIBLE:
            continue
        piece = ndimage.binary_fill_holes(pieces == np.bincount(pieces.ravel())[1:].argmax() + 1)[2:-2, 2:-2]
        if piece.sum() >= SPECK_PX:
            outlined[box][piece & ((labels[box] == number) | (labels[box] == 0))] = number
    return _numbered(outlined)


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))


def _lay(rng: np.random.Generator, shape: tuple[int, int], px_per_mm: float, largest_mm: float) -> Pile:
    """Lays stones, the large ones mostly first, and fills the matrix between them."""
    smallest_mm = max(largest_mm / _log_uniform(rng, SPREAD), SMALLEST_PX / px_per_mm)
    size = _draw_sizes(rng, shape, px_per_mm, smallest_mm, largest_mm)
    size = size[np.argsort(-size * np.exp(rng.normal(0, rng.uniform(0.1, 1.0), len(size))))]
    height = 0.04 * largest_mm * noise(rng, shape, largest_mm * px_per_mm)
    labels = np.zeros(shape, np.int32)
    loaded = particles.load_edge(rng, shape, px_per_mm)
    roundness, lowest_of = rng.choice([0.0, 1.0, rng.random()]), int(rng.integers(1, 9))
    sunk, rough = rng.uniform(-0.3, 0.3), rng.uniform(0, 0.012) * largest_mm
    bend = rough * (
        noise(rng, shape, 0.12 * largest_mm * px_per_mm) + 0.4 * noise(rng, shape, 0.04 * largest_mm * px_per_mm)
    )
    outline_px = np.zeros(len(size) + 1)
    for number, width in enumerate(size, 1):
        places = rng.uniform(0, np.array(shape) + 1, (lowest_of, 2))
        rows, columns = np.minimum(places.astype(int), np.array(shape) - 1).T
        best = height[rows, columns].argmin()
        if loaded[rows[best], columns[best]] > 0:
            stone = width, roundness, sunk
            outline_px[number] = _add(rng, height, labels, number, stone, places[best], bend, px_per_mm)
    belt, tone = _fill(rng, height, labels, loaded, px_per_mm, largest_mm)
    seen = np.bincount(labels.ravel(), minlength=len(outline_px))
    kept = np.flatnonzero(seen[1:]) + 1
    unknown = np.full(len(kept), np.nan)  # sizes of beds are not read
    visible, height = seen[kept] / outline_px[kept], blurred(height, 0.25 * px_per_mm)
    return Pile(height, _numbered(labels), belt, tone, unknown, visible, unknown > 0)


def _draw_sizes(rng, shape, px_per_mm, smallest_mm, largest_mm) -> np.ndarray:
    """Sizes in mm whose number falls with a random power of size, for a random coverage."""
    power = rng.uniform(-2.2, 0.5)  # of the integrated number; -2 gives each octave of size the same area
    power = power if abs(power) > 0.05 else 0.05
    size = np.linspace(smallest_mm**power, largest_mm**power, 400) ** (1 / power)
    outline = 1.1 * (size**2).mean() * px_per_mm**2
    count = int(np.clip(_log_uniform(rng, COVERAGE) * np.prod(shape) / outline, 3, MOST_STONES))
    return rng.choice(size, count)


def _add(rng, height, labels, number, stone, place, bend, px_per_mm) -> int:
    """Lays one stone, in place: an ellipsoid from which faces are cut, more and deeper the less round it is.

    Returns the pixels of its outline.
    """
    width, roundness, sunk = stone
    half_width = width / 2
    half_length = half_width * rng.uniform(1.0, 2.0 if rng.random() < 0.85 else 3.2)
    thick = half_width * rng.uniform(0.5, 1.0)
    reach = 1.1 * half_length * px_per_mm
    box = tuple(
        slice(max(0, int(at - reach)), max(0, min(side, int(at + reach) + 2)))
        for at, side in zip(place, height.shape, strict=True)
    )
    below = height[box]
    if not below.size:
        return 0
    y = (np.arange(box[0].start, box[0].stop, dtype=np.float32)[:, None] - place[0]) / px_per_mm + bend[box]
    x = (np.arange(box[1].start, box[1].stop, dtype=np.float32) - place[1]) / px_per_mm - bend[box]
    angle = rng.uniform(0, np.pi)
    u = (y * np.cos(angle) + x * np.sin(angle)) / half_length
    v = (x * np.cos(angle) - y * np.sin(angle)) / half_width
    power = rng.uniform(2.0, 3.0)
    rest = 1 - (np.abs(u) ** power + np.abs(v) ** power)
    top = np.sqrt(np.maximum(rest, 0))
    inside = rest > 0
    if roundness < 1:
        for azimuth, tilt, distance in _faces(rng, roundness):
            face = (distance - np.sin(tilt) * (np.cos(azimuth) * u + np.sin(azimuth) * v)) / np.cos(tilt)
            np.minimum(top, face, out=top)
        inside &= top > 0
    if not inside.any():
        return 0
    area = np.count_nonzero(inside)
    top = thick * (top + sunk) + below[inside].mean()
    inside &= top > below
    np.copyto(below, top, where=inside)
    np.copyto(labels[box], number, where=inside)
    return area


def _faces(rng, roundness: float) -> np.ndarray:
    """Azimuth, tilt and distance from the middle of the faces of a stone whose ellipsoid is the unit ball."""
    sides, uppers = 8, 5
    azimuth = np.arange(sides) * (2 * np.pi / sides) + rng.uniform(-0.35, 0.35, sides)
    azimuth = np.append(azimuth, rng.uniform(0, 2 * np.pi, uppers))
    tilt = np.append(rng.uniform(1.15, 1.45, sides), rng.uniform(0.05, 1.05, uppers))
    deep = 0.79 + 0.2 * roundness
    return np.stack([azimuth, tilt, rng.uniform(deep, deep + 0.3, sides + uppers)], axis=1)


def _fill(rng, height, labels, loaded, px_per_mm, largest_mm) -> tuple[np.ndarray, np.ndarray]:
    """Fills the matrix, in place: sand, crumbs or clay to a level; returns masks of the belt and the crumbs' tone."""
    shape = height.shape
    level = np.quantile(height, rng.uniform(0, 0.6)) + 0.03 * largest_mm * noise(
        rng, shape, 0.5 * largest_mm * px_per_mm
    )
    level = np.maximum(level, np.where(labels == 0, height, -np.inf)).astype(np.float32)
    row, column = np.nonzero(level + 0.1 * largest_mm > height)
    top, tone = np.zeros(len(row), np.float32), np.ones(len(row), np.float32)
    finest = _log_uniform(rng, (1.5, 6.0)) / px_per_mm
    for grain in finest * np.array([3.0, 1.7, 1.0])[int(rng.integers(0, 4)) :]:  # none: clay
        particles.scatter_crumbs(rng, top, tone, row, column, shape, grain, px_per_mm)
    top += level[row, column]
    bare = np.zeros(shape, bool)
    covered = (top > height[row, column]) & (loaded[row, column] > 0)
    row, column = row[covered], column[covered]
    height[row, column], labels[row, column] = top[covered], 0
    tones = np.ones(shape, np.float32)
    tones[row, column] = tone[covered]
    bare[(labels == 0) & (loaded <= 0)] = True
    return bare, tones


def _numbered(labels: np.ndarray) -> np.ndarray:
    """The same regions with numbers without gaps."""
    return np.unique(np.append(labels.ravel(), 0), return_inverse=True)[1][:-1].reshape(labels.shape).astype(np.int32)


def _photograph(rng: np.random.Generator, falling: np.ndarray) -> np.ndarray:
    camera = light.draw_any_camera(rng)
    exposure = camera.target / float(falling[1].mean())
    photograph = Image.fromarray(camera.photograph(rng, falling, exposure))
    whole = photograph.size
    if rng.random() < 0.3:  # taken from farther away, and enlarged
        smaller = [round(side / rng.uniform(1.3, 2.5)) for side in whole[:1]] * 2
        photograph = photograph.resize(smaller, Image.Resampling.BICUBIC).resize(whole, Image.Resampling.BICUBIC)
    if rng.random() < 0.5:
        stream = io.BytesIO()
        photograph.save(stream, "jpeg", quality=int(rng.integers(40, 96)))
        photograph = Image.open(stream)
    return np.asarray(photograph)
