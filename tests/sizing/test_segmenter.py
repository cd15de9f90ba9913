"""The segmenter that comes with the kit, on photographs of unknown scale."""

import numpy as np
import pytest
from conftest import REAL
from PIL import Image

from orelib.data.scenes import render_pair
from orelib.data.scenes.beds import render_bed
from orelib.sizing.particles import overlaps, particles, percentile
from orelib.sizing.segmenter import WEIGHTS, load_segmenter, segmenter_checksum


@pytest.fixture(scope="module")
def segmenter():
    return load_segmenter()


def matched(found, true):
    """Share of the true particles that are whole that a found one overlaps by more than half."""
    pairs = overlaps(found, true)
    whole = particles(true, 2.0)["label"]
    return (pairs["true"].isin(whole) & (pairs["iou"] > 0.5)).sum() / len(whole)


@pytest.mark.parametrize("px_per_mm", [1.5, 4.0])
def test_particles_are_found_at_any_scale(segmenter, px_per_mm):
    scene = render_pair(9_000_100, (256, 256), px_per_mm=px_per_mm)
    found = segmenter.segment_any(scene.dry)
    assert found.dtype == np.int32
    assert found.shape == (256, 256)
    assert matched(found, scene.labels) > 0.5


def test_pebbles_in_sand_are_found(segmenter):
    shares = [matched(segmenter.segment_any(bed.dry), bed.labels) for bed in map(render_bed, (5, 6, 7))]
    assert np.mean(shares) > 0.4


def test_an_enlarged_photograph_holds_the_same_particles(segmenter):
    dry = render_pair(9_000_101, (192, 256), px_per_mm=2.5).dry
    enlarged = np.asarray(Image.fromarray(dry).resize((512, 384), Image.Resampling.BICUBIC))
    small, large = segmenter.segment_any(dry), segmenter.segment_any(enlarged)
    assert matched(large[::2, ::2], small) > 0.7
    one, other = (particles(found, px_per_mm) for found, px_per_mm in ((small, 2.5), (large, 5.0)))
    for share in (0.5, 0.8):
        percentiles = [percentile(table["size_mm"], table["mass"], share) for table in (one, other)]
        assert percentiles[0] == pytest.approx(percentiles[1], rel=0.15)


def test_a_grey_photograph_holds_nearly_the_same_particles(segmenter):
    dry = render_pair(9_000_102, (256, 256), px_per_mm=2.5).dry
    grey = np.repeat(np.rint(dry.mean(axis=2, keepdims=True)), 3, axis=2).astype(np.uint8)
    assert matched(segmenter.segment_any(grey), segmenter.segment_any(dry)) > 0.6


@pytest.mark.parametrize("grey", [0, 40, 128, 255])
def test_an_empty_belt_holds_no_particle(segmenter, grey):
    rng = np.random.default_rng(0)
    belt = np.clip(grey + 4 * rng.standard_normal((200, 200, 3)), 0, 255).astype(np.uint8)
    assert segmenter.segment_any(belt).max() == 0
    assert segmenter.segment(belt, 3.0).max() == 0


@pytest.mark.parametrize("shape", [(1, 1), (7, 90), (40, 33)])
def test_the_smallest_photographs_are_segmented(segmenter, shape):
    assert segmenter.segment_any(np.full((*shape, 3), 90, np.uint8)).shape == shape


def test_a_large_photograph_is_looked_at_reduced(segmenter, monkeypatch):
    seen = []
    monkeypatch.setattr(segmenter, "maps", lambda image: seen.append(image.shape) or np.zeros((3, *image.shape[:2])))
    assert segmenter.segment_any(np.zeros((1900, 2048, 3), np.uint8)).shape == (1900, 2048)
    assert max(height * width for height, width, _ in seen) <= 1410**2


def test_the_file_is_small_and_tells_its_checksum():
    assert WEIGHTS.stat().st_size <= 2_000_000
    assert len(segmenter_checksum()) == 64


@pytest.mark.skipif(not (REAL / "ore_belt").is_dir(), reason="the real photographs are not here")
def test_outlined_ore_on_a_belt_is_found(segmenter):
    shares = []
    for path in sorted((REAL / "ore_belt" / "images").glob("*.png"))[::30]:
        true = np.asarray(Image.open(REAL / "ore_belt" / "masks" / path.name)).astype(np.int32)
        shares.append(matched(segmenter.segment_any(np.asarray(Image.open(path).convert("RGB"))), true))
    assert np.mean(shares) > 0.5
