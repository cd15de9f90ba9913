"""Tiles: they cover the image, agree with the whole where they can, and leave no seam where they cannot."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from orelib.restore import restorer as module
from orelib.restore.restorer import Restorer
from orelib.restore.tiles import AREA, OVERLAP, by_tiles, tile_shape, tile_starts


def image_of(height, width, depth=8):
    """Smooth, so that a seam would stand out."""
    small = np.random.default_rng(0).random((height // 8 + 1, width // 8 + 1, 3))
    layers = [Image.fromarray(small[..., channel]).resize((width, height), Image.BICUBIC) for channel in range(3)]
    return (np.clip(np.dstack(layers), 0, 1) * (2**depth - 1)).round().astype(f"uint{depth}")


@pytest.mark.parametrize(("length", "side", "overlap"), [(100, 32, 8), (33, 32, 16), (64, 32, 0), (32, 32, 8)])
def test_tiles_cover_every_pixel_and_share_the_overlap(length, side, overlap):
    starts = tile_starts(length, side, overlap)
    assert starts[0] == 0
    assert starts[-1] + side == length
    assert all(one + side - overlap >= other for one, other in pairwise(starts))


SIZES = [(1900, 2048), (1080, 1920), (800, 1000), (769, 769), (200, 4000), (600, 512), (3000, 4000)]


@pytest.mark.parametrize("stride", [1, 4, 32, 128, 256])
@pytest.mark.parametrize("size", SIZES)
def test_tiles_are_of_one_shape_that_the_network_takes(size, stride):
    padded = [side + -side % stride for side in size]
    shape = tile_shape(*padded, 512, OVERLAP, stride)
    assert shape[0] * shape[1] <= AREA * 512**2
    for length, side in zip(padded, shape, strict=True):
        assert side % stride == 0
        assert side >= min(512, length)
        starts = tile_starts(length, side, OVERLAP, stride)
        assert starts[-1] + side == length
        assert all(start % min(stride, OVERLAP) == 0 for start in starts)
        assert all(one + side - OVERLAP >= other for one, other in pairwise(starts))


def test_tiles_compute_few_pixels_twice():
    """An eighth more than a photograph of the paper's size has, where each of the network's steps is a few pixels."""
    height, width = 1920, 2048
    tall, wide = tile_shape(height, width, 512, OVERLAP, 32)
    computed = len(tile_starts(height, tall, OVERLAP, 32)) * tall * len(tile_starts(width, wide, OVERLAP, 32)) * wide
    assert computed < 1.125 * height * width


@pytest.mark.parametrize("at_once", [1, 3])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("size", [(96, 130), (40, 20), (33, 64), (200, 16), (5, 70), (70, 1), (1, 1)])
def test_what_each_pixel_decides_alone_comes_out_as_from_the_whole(size, depth, at_once):
    image = image_of(*size, depth)
    negative = by_tiles(lambda part: 2.0**depth - 1 - part, image, 32, 8, at_once=at_once)
    assert negative.dtype == image.dtype
    assert np.array_equal(negative, 2**depth - 1 - image)


def test_values_beyond_the_range_are_clipped():
    image = image_of(40, 70)
    assert np.array_equal(by_tiles(lambda part: part * 3.0 - 200, image, 32, 8), np.clip(image * 3.0 - 200, 0, 255))


def test_an_image_of_one_tile_is_restored_whole():
    seen = []
    by_tiles(lambda part: seen.append(part.shape) or part, image_of(32, 24), 32, 8)
    assert seen == [(32, 24, 3)]


@pytest.mark.parametrize("size", [(50, 90), (33, 7), (5, 130), (65, 64)])
@pytest.mark.parametrize("stride", [8, 32])
def test_sides_are_filled_up_with_the_mirror_image(size, stride):
    image = image_of(*size)
    margins = [(0, -side % stride) for side in size]
    filled = np.pad(image, (*margins, (0, 0)), mode="symmetric")

    def blur(part):
        return (part + np.roll(part.astype(float), -1, axis=0) + np.roll(part, -1, axis=1)) / 3

    whole = by_tiles(blur, filled, 32, 8, stride)[: size[0], : size[1]]
    assert np.array_equal(by_tiles(blur, image, 32, 8, stride), whole)


@pytest.mark.parametrize("turned", [False, True])
def test_memory_grows_with_the_result_alone(turned):
    """Along rows of tiles as well as across them."""
    image = np.zeros((6000, 92, 3) if turned else (92, 6000, 3), np.uint8)
    by_tiles(lambda part: part, image[:92, :92], 32, 2)
    tracemalloc.start()
    try:
        by_tiles(lambda part: part, image, 32, 2)
        assert tracemalloc.get_traced_memory()[1] < 1.25 * image.nbytes
    finally:
        tracemalloc.stop()


def test_fading_is_that_of_a_plain_sum_of_weighted_tiles(noise):
    """Against the same sums, written down in full."""
    image, tile, overlap = noise.integers(0, 256, (90, 150, 3), dtype=np.uint8), 32, 12

    def restore(part):
        return part * np.float32(0.5) + part.mean(dtype=np.float32)

    tall, wide = tile_shape(90, 150, tile, overlap)
    sums, weights = np.zeros(image.shape), np.zeros((90, 150, 1))
    ramps = [np.minimum(np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) / (overlap + 1), 1) for n in (tall, wide)]
    down, across = (ramp**2 * (3 - 2 * ramp) for ramp in ramps)
    for top in tile_starts(90, tall, overlap):
        for left in tile_starts(150, wide, overlap):
            place, weight = np.s_[top : top + tall, left : left + wide], (down[:, None] * across)[..., None]
            sums[place] += weight * restore(image[place])
            weights[place] += weight
    expected = (sums / weights).clip(0, 255)
    assert np.abs(by_tiles(restore, image, tile, overlap) - expected).max() < 0.51


def test_every_tile_is_counted():
    calls = []
    by_tiles(lambda part: part, image_of(70, 80), 32, 8, progress=lambda *count: calls.append(count))
    assert calls == [(number, 6) for number in range(1, 7)]


class Normalised(torch.nn.Module):
    """As with instance norms: what a tile holds changes the brightness of all of it."""

    def __init__(self):
        super().__init__()
        self.strength = torch.nn.Parameter(torch.tensor(0.3))

    def forward(self, part):
        return (part - part.mean()) / part.std() * self.strength


def seam_ratio(image, starts, tile):
    """Mean step between columns at tile borders against that everywhere else."""
    steps = np.abs(np.diff(image.astype(float), axis=1)).mean(axis=(0, 2))
    borders = np.zeros(len(steps), dtype=bool)
    borders[[start - 1 for start in starts[1:]] + [start + tile - 1 for start in starts[:-1]]] = True
    return steps[borders].mean() / steps[~borders].mean()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
def test_tiles_that_differ_leave_no_seam(monkeypatch, depth, turned):
    """Through the restorer, with eight borders and more from left to right or from top to bottom. Without the overlap,
    in which tiles fade into each other, the same photograph shows every border."""
    ramp = np.linspace(0.2, 0.8, 1280)[:, None]
    wet = (image_of(128, 1280, depth) * 0.2 + ramp * (2**depth - 1) * 0.8).astype(f"uint{depth}")
    monkeypatch.setattr(module, "TILE", 128)
    ratios = []
    for overlap in (32, 0):
        monkeypatch.setattr(module, "OVERLAP", overlap)
        restored = Restorer(Normalised(), stride=1).restore(wet.swapaxes(0, 1) if turned else wet)
        side = tile_shape(128, 1280, 128, overlap)[1]
        starts = tile_starts(1280, side, overlap)
        ratios.append(seam_ratio(restored.swapaxes(0, 1) if turned else restored, starts, side))
    assert len(starts) >= 5
    assert ratios[0] < 1.05
    assert ratios[1] > 3
