"""Mosaic samples: paired, repeatable, at the photographs' own scale, and from the training split alone."""

import numpy as np
import pytest
import torch

from orelib.mosaic import MosaicSamples, mosaic, to_image, to_tensor


def numbered_pairs(sizes):
    """Pairs whose pixels say where they come from: red the pair, green and blue the row and column."""
    pairs = []
    for number, (height, width) in enumerate(sizes):
        wet = np.zeros((height, width, 3), dtype=np.uint8)
        wet[..., 0] = 10 * (number + 1)
        wet[..., 1], wet[..., 2] = np.arange(height)[:, None], np.arange(width)[None, :]
        pairs.append((wet, wet + 1))
    return pairs


def test_wet_and_dry_are_cut_alike():
    wet, dry = mosaic(numbered_pairs([(100, 120)] * 4), 64, np.random.default_rng(0))
    assert wet.shape == dry.shape == (64, 64, 3)
    assert np.array_equal(wet + 1, dry)


def test_four_quarters_meet_at_one_centre():
    for seed in range(20):
        wet, _ = mosaic(numbered_pairs([(100, 120)] * 4), 64, np.random.default_rng(seed))
        source = wet[..., 0] // 10
        row = int((source[:, 0] == 1).sum())
        column = int((source[0] == 1).sum())
        expected = np.repeat(np.repeat([[1, 2], [3, 4]], [row, 64 - row], axis=0), [column, 64 - column], axis=1)
        assert np.array_equal(source, expected)
        assert 16 <= row <= 48
        assert 16 <= column <= 48


def test_windows_keep_the_photographs_scale():
    wet, _ = mosaic(numbered_pairs([(200, 250)] * 4), 64, np.random.default_rng(1))
    assert (np.diff(wet[:16, :16, 1].astype(int), axis=0) == 1).all()
    assert (np.diff(wet[:16, :16, 2].astype(int), axis=1) == 1).all()


def test_any_input_size_fills_the_sample():
    wet, dry = mosaic(numbered_pairs([(16, 16), (300, 20), (20, 300), (64, 64)]), 128, np.random.default_rng(2))
    assert (wet[..., 0] >= 10).all()
    assert wet.shape == dry.shape == (128, 128, 3)


def test_wrong_input_is_refused():
    pairs = numbered_pairs([(50, 50)] * 4)
    with pytest.raises(ValueError, match="4 pairs"):
        mosaic(pairs[:3], 32, np.random.default_rng(0))
    with pytest.raises(ValueError, match="differ in size"):
        mosaic([*pairs[:3], (pairs[3][0], pairs[3][1][1:])], 32, np.random.default_rng(0))


def test_sample_k_depends_on_seed_and_k_alone(pairs):
    first = MosaicSamples(pairs.train, 32, seed=5, length=10)
    again = MosaicSamples(pairs.train, 32, seed=5, length=99)
    other = MosaicSamples(pairs.train, 32, seed=6, length=10)
    for k in (7, 2, 2):
        assert torch.equal(torch.stack(first[k]), torch.stack(again[k]))
    assert not torch.equal(first[2][0], first[3][0])
    assert not torch.equal(first[2][0], other[2][0])


def test_paired_methods_and_cyclegan_see_the_same_wet_images(pairs):
    paired = MosaicSamples(pairs.train, 32, seed=0, length=4)
    unpaired = MosaicSamples(pairs.train, 32, seed=0, length=4, paired=False)
    assert torch.equal(paired[1][0], unpaired[1][0])
    assert not torch.equal(paired[1][1], unpaired[1][1])


def test_the_unpaired_half_shows_other_photographs(pairs, monkeypatch):
    samples = MosaicSamples(pairs.train, 32, seed=0, length=20, paired=False)
    asked = []
    monkeypatch.setattr(samples, "_load", lambda index: asked.append(index) or pairs.train[index].load())
    for k in range(20):
        samples[k]
        wet_sources, dry_sources = set(asked[-8:-4]), set(asked[-4:])
        assert not wet_sources & dry_sources


def test_only_training_pairs_are_taken(pairs):
    with pytest.raises(ValueError, match="training split"):
        MosaicSamples((*pairs.train, *pairs.test), 32, seed=0, length=1)


def test_large_data_is_read_anew_and_gives_the_same_samples(pairs, monkeypatch):
    kept = MosaicSamples(pairs.train, 32, seed=0, length=3)
    monkeypatch.setattr("orelib.mosaic.KEEP_IN_MEMORY", 0)
    anew = MosaicSamples(pairs.train, 32, seed=0, length=3)
    assert all(torch.equal(kept[k][0], anew[k][0]) for k in range(3))
    assert not anew.loaded


def test_tensor_and_image_are_inverse():
    image = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    tensor = to_tensor(image)
    assert (tensor.shape, tensor.min(), tensor.max()) == ((3, 16, 16), -1, 1)
    assert np.array_equal(to_image(tensor), image)
    assert to_image(tensor * 2).max() == 255
