"""Rounded rock: drill core side by side in its box, or pebbles. Smooth and curved, it carries long highlights."""

from __future__ import annotations

import numpy as np

from orelib.data.scenes.fields import Shape, blurred, noise
from orelib.data.scenes.particles import Pile

CORE_MM = (24, 90)  # diameters of drill core, from AQ (27 mm) to PQ (85 mm), a little widened
PEBBLES_MM = (6, 40)


def lay_round(rng: np.random.Generator, shape: Shape, px_per_mm: float) -> Pile:
    """Lays lengths of drill core into a box, or heaps pebbles, as often one as the other."""
    lay = _core if rng.random() < 0.5 else _pebbles
    height, labels = lay(rng, shape, px_per_mm)
    seen = np.unique(labels)
    seen = seen[seen > 0]
    numbers = np.zeros(labels.max() + 1, np.int32)
    numbers[seen] = np.arange(1, len(seen) + 1)
    whole = np.ones(len(seen))  # what is not measured: no sizes are read from these scenes
    return Pile(
        height=blurred(height, 0.3 * px_per_mm), labels=numbers[labels],
        belt=np.zeros(shape, bool), crumb_tone=np.ones(shape, np.float32),
        size_mm=whole * np.nan, visible=whole * np.nan, cut=whole > 0,
    )  # fmt: skip


def _core(rng, shape: Shape, px_per_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Cylinders side by side in a random direction; each is broken somewhere."""
    row, column = (np.mgrid[: shape[0], : shape[1]].astype(np.float32) - np.array(shape)[:, None, None] / 2) / px_per_mm
    angle, radius = rng.uniform(0, np.pi), rng.uniform(*CORE_MM) / 2
    across = np.cos(angle) * row + np.sin(angle) * column
    along = np.cos(angle) * column - np.sin(angle) * row
    height, labels = np.full(shape, -0.5 * radius, np.float32), np.zeros(shape, np.int32)
    first, reach = rng.uniform(-radius, radius), np.hypot(*shape) / px_per_mm / 2
    for number in range(-int(reach / radius) - 1, int(reach / radius) + 2):
        rise = radius**2 - (across - first - 2.04 * radius * number) ** 2
        core, end = rise > 0, along > (broken := rng.uniform(-reach, reach))
        height[core] = np.sqrt(rise[core]) + rng.uniform(-0.5, 0.5)
        labels[core] = 2 * number + 4 * int(reach / radius) + 5
        labels[core & end] += 1
        crack = np.abs(along - broken - 0.6 * noise(rng, shape, 4 * px_per_mm)) < 0.5
        height[core & crack] -= 2
    return height, labels


def _pebbles(rng, shape: Shape, px_per_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Ellipsoids of all sizes on each other, until they cover nearly everything."""
    row, column = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / px_per_mm
    height, labels = np.full(shape, -8, np.float32), np.zeros(shape, np.int32)
    number = 0
    while number % 20 or (labels > 0).mean() < 0.93:
        number += 1
        radius = np.exp(rng.uniform(*np.log(PEBBLES_MM))) / 2
        place, angle, longer = rng.uniform(0, shape) / px_per_mm, rng.uniform(0, np.pi), rng.uniform(1, 1.8)
        box = tuple(
            slice(max(0, int((at - longer * radius) * px_per_mm)), int((at + longer * radius) * px_per_mm) + 2)
            for at in place
        )
        y, x = row[box] - place[0], column[box] - place[1]
        u, v = (y * np.cos(angle) + x * np.sin(angle)) / longer, x * np.cos(angle) - y * np.sin(angle)
        rise = radius**2 - u * u - v * v
        top = np.where(rise > 0, 0.7 * np.sqrt(np.maximum(rise, 0)) + rng.uniform(-6, 0), -np.inf)
        higher = top > height[box]
        height[box][higher], labels[box][higher] = top[higher], number
    return height, labels
