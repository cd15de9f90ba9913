"""Mosaic samples: paired, repeatable, at the photographs' own scale, and from the training split alone."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT

from orelib.data.decoded import decode_pairs
from orelib.data.mosaic import MosaicSamples, mosaic, one_window, to_network


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


def test_a_centre_that_is_drawn_may_also_be_given():
    pairs = numbered_pairs([(100, 120)] * 4)
    row, column = np.random.default_rng(4).integers(16, 48, size=2, endpoint=True)
    drawn, given = (mosaic(pairs, 64, np.random.default_rng(4), centre)[0] for centre in (None, (row, column)))
    assert np.array_equal(drawn, given)
    source = mosaic(pairs, 64, np.random.default_rng(4), (10, 60))[0][..., 0] // 10
    assert (int((source[:, 0] == 1).sum()), int((source[0] == 1).sum())) == (10, 60)
    with pytest.raises(ValueError, match="inside a sample"):
        mosaic(pairs, 64, np.random.default_rng(4), (0, 60))


def test_without_mosaic_a_sample_is_one_window_of_one_pair():
    pair = numbered_pairs([(100, 120)])[0]
    wet, dry = one_window(pair, 64, np.random.default_rng(0))
    assert wet.shape == (64, 64, 3)
    assert np.array_equal(wet + 1, dry)
    top, left = wet[0, 0, 1:]
    assert np.array_equal(wet, pair[0][top : top + 64, left : left + 64])
    assert one_window(numbered_pairs([(40, 50)])[0], 64, np.random.default_rng(0))[0].shape == (64, 64, 3)


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
        assert np.array_equal(first[k], again[k])
    assert not np.array_equal(first[2][0], first[3][0])
    assert not np.array_equal(first[2][0], other[2][0])


def test_paired_methods_and_cyclegan_see_the_same_wet_images(pairs):
    paired = MosaicSamples(pairs.train, 32, seed=0, length=4)
    unpaired = MosaicSamples(pairs.train, 32, seed=0, length=4, paired=False)
    assert np.array_equal(paired[1][0], unpaired[1][0])
    assert not np.array_equal(paired[1][1], unpaired[1][1])


class Asked:
    """A pair that writes down when it is loaded."""

    split = "train"

    def __init__(self, pair, asked):
        self.pair, self.asked = pair, asked

    def load(self):
        self.asked.append(self.pair.stem)
        return self.pair.load()


def test_the_unpaired_half_shows_other_photographs(pairs):
    asked = []
    samples = MosaicSamples([Asked(pair, asked) for pair in pairs.train], 32, seed=0, length=20, paired=False)
    for k in range(20):
        samples[k]
        wet_sources, dry_sources = set(asked[-8:-4]), set(asked[-4:])
        assert len(asked) == 8 * (k + 1)
        assert not wet_sources & dry_sources


@pytest.mark.parametrize("size", [32, 96])  # 96: quarters larger than the photographs, which are enlarged
@pytest.mark.parametrize("paired", [True, False])
def test_samples_of_decoded_pairs_are_those_of_the_photographs(pairs, tmp_path, size, paired):
    loaded = [pair.load() for pair in pairs.train]
    samples = MosaicSamples(decode_pairs(pairs, tmp_path), size, seed=3, length=5, paired=paired)
    handed_over = pickle.loads(pickle.dumps(samples))
    for k in range(5):
        rng = np.random.default_rng([3, k])
        chosen = rng.choice(np.arange(len(loaded)), size=4, replace=False)
        wet, dry = mosaic([loaded[index] for index in chosen], size, rng)
        if not paired:
            others = np.setdiff1d(np.arange(len(loaded)), chosen)
            others = rng.choice(others, size=4, replace=len(others) < 4)
            _, dry = mosaic([loaded[index] for index in others], size, rng)
        assert np.array_equal(samples[k], (wet, dry))
        assert np.array_equal(handed_over[k], (wet, dry))


def test_only_training_pairs_are_taken(pairs):
    with pytest.raises(ValueError, match="training split"):
        MosaicSamples((*pairs.train, *pairs.test), 32, seed=0, length=1)


def test_networks_get_every_grey_value_as_the_same_float():
    images = torch.arange(256, dtype=torch.uint8).repeat(3).reshape(2, 16, 8, 3)
    floats = to_network(images, torch.device("cpu"))
    one_by_one = [image.permute(2, 0, 1).float().div_(127.5).sub_(1) for image in images]
    assert torch.equal(floats, torch.stack(one_by_one))
    assert floats.is_contiguous()
    assert (floats.min(), floats.max()) == (-1, 1)


def test_the_benchmark_runs():
    code = "import mosaic; print(*mosaic.measure((40, 48), side=32, pairs=4, samples=4, rounds=1), sep='\\n')"
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, cwd=ROOT / "benchmarks", check=True, capture_output=True, text=True).stdout
    rows = [line for line in printed.splitlines() if line.startswith("Row(")]
    assert "unit='samples/s'" in rows[0]
    assert "PNG decoded for each sample" in printed
    assert "Decoding 4 pairs" in rows[-1]


@pytest.mark.parametrize("paired", [True, False])
def test_samples_without_mosaic_show_one_photograph(pairs, paired):
    samples = MosaicSamples(pairs.train, 32, 0, 4, paired=paired, joined=False)
    wet, dry = samples[2]
    again = MosaicSamples(pairs.train, 32, 0, 4, paired=paired, joined=False)[2]
    assert np.array_equal(wet, again[0])
    assert np.array_equal(dry, again[1])
    shown = [any(_holds(pair.load()[0], wet) for pair in pairs.train)]
    assert shown == [True]
    same = any(_holds(pair.load()[0], wet) and _holds(pair.load()[1], dry) for pair in pairs.train)
    assert same == paired


def _holds(photograph, window):
    height, width = window.shape[:2]
    places = np.lib.stride_tricks.sliding_window_view(photograph, (height, width, 3))
    return bool((places == window).all(axis=(-1, -2, -3)).any())
