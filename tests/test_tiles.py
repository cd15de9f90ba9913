"""Tiles: they cover the image, agree with the whole where they can, and leave no seam where they cannot."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from orelib.tiles import by_tiles, tile_starts


def image_of(height, width):
    """Smooth, so that a seam would stand out."""
    noise = torch.rand(1, 3, height // 8 + 1, width // 8 + 1, generator=torch.Generator().manual_seed(0))
    return F.interpolate(noise, (height, width), mode="bicubic").clamp(0, 1) * 2 - 1


@pytest.mark.parametrize(("length", "tile", "overlap"), [(100, 32, 8), (33, 32, 16), (64, 32, 0), (32, 32, 8)])
def test_tiles_cover_every_pixel_and_share_the_overlap(length, tile, overlap):
    starts = tile_starts(length, tile, overlap)
    assert starts[0] == 0
    assert starts[-1] + tile == length
    assert all(one + tile - overlap >= other for one, other in pairwise(starts))


@pytest.mark.parametrize("size", [(96, 130), (40, 20), (33, 64), (200, 16)])
def test_what_each_pixel_decides_alone_comes_out_as_from_the_whole(size):
    image = image_of(*size)
    assert torch.allclose(by_tiles(lambda part: part**2, image, 32, 8), image**2, atol=1e-6)


def test_an_image_of_one_tile_is_restored_whole():
    seen = []
    by_tiles(lambda part: seen.append(part.shape) or part, image_of(32, 24), 32, 8)
    assert seen == [(1, 3, 32, 24)]


def test_no_tile_is_larger_than_asked_for():
    sides = []
    by_tiles(lambda part: sides.append(part.shape[-2:]) or part, image_of(70, 20), 32, 8)
    assert set(sides) == {(32, 20)}


def seam_ratio(image, starts, tile):
    """Mean step between columns at tile borders against that everywhere else."""
    steps = image.diff(dim=-1).abs().mean(dim=(0, 1, 2))
    borders = torch.zeros(len(steps), dtype=bool)
    borders[[start - 1 for start in starts[1:]] + [start + tile - 1 for start in starts[:-1]]] = True
    return float(steps[borders].mean() / steps[~borders].mean())


def test_tiles_that_differ_leave_no_seam():
    """As with instance norms: what a tile holds changes the brightness of all of it."""
    image = image_of(64, 1280) * 0.3 + torch.linspace(-0.6, 0.6, 1280)

    def normalised(part):
        return (part - part.mean()) / part.std()

    ratios = [seam_ratio(by_tiles(normalised, image, 128, o), tile_starts(1280, 128, o), 128) for o in (32, 0)]
    assert ratios[0] < 1.05
    assert ratios[1] > 3


def test_a_side_shorter_than_the_overlap():
    assert torch.allclose(by_tiles(torch.neg, image_of(5, 70), 32, 16), -image_of(5, 70))
