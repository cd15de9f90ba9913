"""Rock: its dry colour, the dust on it, and its fine relief."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from orelib.data.scenes.fields import noise
from orelib.data.scenes.particles import Pile


@dataclass(frozen=True)
class Lithology:
    """One kind of rock. Colours are linear RGB albedo of fresh rock; ``second`` shows in patches and veins."""

    name: str
    share: float  # of the particles
    first: tuple[float, float, float]
    second: tuple[float, float, float]
    patches: float  # share of the surface that the second colour takes
    speckle: float  # contrast between mineral grains
    roughness_mm: float  # of fracture faces


LITHOLOGIES = (
    Lithology("wolframite-bearing", 0.22, (0.085, 0.075, 0.070), (0.40, 0.37, 0.33), 0.15, 0.30, 0.05),
    Lithology("granite", 0.40, (0.27, 0.25, 0.225), (0.13, 0.12, 0.115), 0.30, 0.32, 0.05),
    Lithology("quartz", 0.16, (0.52, 0.48, 0.42), (0.33, 0.22, 0.12), 0.22, 0.12, 0.03),
    Lithology("rusty", 0.22, (0.24, 0.145, 0.085), (0.33, 0.24, 0.16), 0.45, 0.22, 0.07),
)
CLAY = (0.36, 0.225, 0.125)  # red-brown, of oxidised ore; fines and dust are powdered rock with more or less of it
RUBBER = (0.030, 0.036, 0.033)


@dataclass(frozen=True)
class Surface:
    """Albedo without dust (``fresh``) and with dust (``dry``), linear RGB (3, H, W); ``relief`` in mm (H, W)."""

    fresh: np.ndarray
    dry: np.ndarray
    relief: np.ndarray


def minerals(rng: np.random.Generator, pile: Pile, px_per_mm: float) -> Surface:
    """Colour and fine relief of a pile."""
    labels, shape = pile.labels.astype(np.intp), pile.labels.shape
    count = len(pile.size_mm) + 1
    # The feed changes: a scene's shares vary around those of the ore, from a mixture to nearly one rock.
    shares = rng.dirichlet([3 * rock.share for rock in LITHOLOGIES])
    kind = rng.choice(len(LITHOLOGIES), size=count, p=shares)
    first, second, patches, speckle, roughness = (
        np.array([getattr(rock, field) for rock in LITHOLOGIES], dtype=np.float32)[kind]
        for field in ("first", "second", "patches", "speckle", "roughness_mm")
    )
    tone = (rng.uniform(0.72, 1.28, (count, 1)) * rng.uniform(0.97, 1.03, (count, 3))).astype(np.float32)
    first, second = first * tone, second * tone
    # Powder is paler than the rock it comes from, because light leaves it after fewer grains.
    powder = np.sqrt(shares @ np.array([rock.first for rock in LITHOLOGIES])) * 0.6
    dust = (powder + rng.uniform(0, 1) ** 2 * (np.array(CLAY) - powder)) * rng.uniform(0.75, 1.15)
    dust = dust.astype(np.float32)
    first[0], second[0] = dust, 0.6 * dust  # label 0: fines
    patches *= rng.uniform(0.0, 1.8, count).astype(np.float32)
    patches[0], speckle[0], roughness[0] = 0.0, 0.25, 0.12
    dustiness = rng.uniform(0.15, 0.95) * rng.uniform(0.6, 1.2, count).astype(np.float32)
    vein_width = np.where(rng.random(count) < 0.3, np.float32(0.10), np.float32(1e-6))

    patterns = [noise(rng, shape, grain * px_per_mm) for grain in (3.0, 0.9, 0.3)]
    patterns[1] = 0.6 * patterns[1] + 0.8 * patterns.pop()
    broad, middle = _cut_from_block(rng, pile.labels, patterns)
    fine = rng.standard_normal(shape, dtype=np.float32)
    # The second colour: patches where broad noise is high, veins where it crosses a level.
    share = 1.2 * (broad + 0.35 * middle) + np.take(3 * patches - 1.1, labels)
    np.maximum(share, 1 - np.abs(broad - 0.4) / np.take(vein_width, labels), out=share)
    np.clip(share, 0, 1, out=share)
    grain = np.take(speckle, labels) * (0.75 * middle + 0.65 * fine) + 1
    np.clip(grain, 0.3, 2.2, out=grain)
    grain *= pile.crumb_tone
    cover = np.take(dustiness, labels) + 0.15 * broad + 0.06 * middle
    np.clip(cover, 0.02, 0.97, out=cover)
    relief = np.take(roughness, labels) * (0.6 * middle + 0.35 * fine)
    dust_light = 0.7 + 0.3 * grain

    fresh, dry = np.empty((2, 3, *shape), dtype=np.float32)
    for channel in range(3):
        rock = np.take(first[:, channel], labels)
        rock += share * (np.take(second[:, channel], labels) - rock)
        rock *= grain
        fresh[channel] = rock
        dry[channel] = rock + cover * (dust[channel] * dust_light - rock)
    if pile.belt.any():
        _bare_belt(rng, pile.belt, fresh, dry, relief, dust)
    return Surface(np.clip(fresh, 0.01, 0.9, out=fresh), np.clip(dry, 0.01, 0.9, out=dry), relief)


def recoloured(rng: np.random.Generator, surface: Surface) -> Surface:
    """Another rock of the same pattern: each channel's contrast and level changed alike for fresh and dusty rock."""
    level, contrast = np.exp(rng.normal(0, 0.2, (3, 1, 1))), np.exp(rng.normal(0, 0.2))
    mean = surface.dry.mean(axis=(1, 2), keepdims=True)
    fresh, dry = (
        np.clip(level * mean * (albedo / mean) ** contrast, 0.01, 0.9).astype(np.float32)
        for albedo in (surface.fresh, surface.dry)
    )
    return Surface(fresh, dry, surface.relief)


def _cut_from_block(rng, labels: np.ndarray, patterns: list[np.ndarray]) -> list[np.ndarray]:
    """Cuts every particle from its own place in one patterned block, so that no pattern continues on the next rock."""
    where = np.arange(labels.size, dtype=np.intp).reshape(labels.shape)
    boxes = ndimage.find_objects(labels)
    moved = [0]  # fines stay
    for box, row, column in zip(boxes, rng.random(len(boxes)), rng.random(len(boxes)), strict=True):
        down, right = (
            int(part * (side - span.stop + span.start + 1)) - span.start
            for part, side, span in zip((row, column), labels.shape, box, strict=True)
        )
        moved.append(down * labels.shape[1] + right)
    where += np.take(np.array(moved), labels)
    return [np.take(pattern, where) for pattern in patterns]


def _bare_belt(rng, belt, fresh, dry, relief, dust) -> None:
    """Paints the bare belt, in place: rubber with scratches along the belt, and a little dust while it is dry."""
    colour = np.array(RUBBER) * rng.uniform([0.6, 0.8, 0.6], [1.2, 1.8, 1.2])
    scratches = np.clip(1 + 0.25 * rng.standard_normal(belt.shape[1]), 0.2, 3)
    grit = rng.standard_normal(belt.shape, dtype=np.float32)[belt]
    rubber = scratches.astype(np.float32)[np.nonzero(belt)[1]] * (1 + 0.1 * grit)
    for channel in range(3):
        fresh[channel][belt] = np.float32(colour[channel]) * rubber
        dry[channel][belt] = np.float32(colour[channel]) * rubber + np.float32(0.04) * dust[channel]
    relief[belt] = 0.01 * grit
