"""What needs no training: colour maps that find their line, and filling that finds the glare."""

import numpy as np
import pytest

from orelib import baselines
from orelib.data.scenes import render_pair
from orelib.metrics import glare_of, psnr


class MadePair:
    stem = "made"
    slopes, offsets = np.array([0.5, 1.0, 1.5]), np.array([60, 10, -20])

    def load(self):
        wet = np.random.default_rng(0).integers(40, 160, (20, 20, 3)) // 2 * 2
        return wet.astype(np.uint8), (wet * self.slopes + self.offsets).astype(np.uint8)


def test_linear_colour_finds_the_line_and_the_others_are_what_they_say():
    wet, dry = MadePair().load()
    fitted = baselines.fit_baselines([MadePair()])
    assert np.array_equal(fitted["linear_colour"](wet), dry)
    assert np.array_equal(fitted["do_nothing"](wet), wet)
    mean = fitted["mean_colour"](wet)
    assert (mean == mean[0, 0]).all()
    assert np.allclose(mean[0, 0], dry.mean((0, 1)), atol=0.5)


def test_a_constant_wet_channel_does_not_break_the_linear_map():
    class Flat(MadePair):
        def load(self):
            wet, dry = super().load()
            wet[..., 0] = 7
            return wet, dry

    restored = baselines.fit_baselines([Flat()])["linear_colour"](Flat().load()[0])
    assert abs(restored[..., 0].mean() - Flat().load()[1][..., 0].mean()) < 1


class Rendered:
    stem = "rendered"

    def __init__(self, seed):
        scene = render_pair(seed, (96, 112), px_per_mm=2.5, wetness=0.7)
        self.images = scene.wet, scene.dry

    def load(self):
        return self.images


@pytest.mark.parametrize("name", ["biharmonic", "telea"])
def test_classical_filling_removes_glare_that_a_colour_map_leaves(name):
    fitted = baselines.fit_baselines([Rendered(0), Rendered(1)])
    wet, dry = Rendered(2).load()
    kept, filled = wet.copy(), fitted[name](wet)
    assert np.array_equal(wet, kept)
    glare = glare_of(wet, dry)
    assert (
        psnr(filled[glare][None], dry[glare][None])
        > psnr(fitted["linear_colour"](wet)[glare][None], dry[glare][None]) + 1
    )


def test_highlights_are_what_outshines_its_surroundings():
    wet = np.full((60, 60, 3), 90, np.uint8)
    wet[30:33, 20:24] = 230
    found = baselines.highlights(wet, 40)
    assert found[30:33, 20:24].all()
    assert found.sum() == 12 + 14  # and their rim of 1 px, but for corners
    assert not baselines.highlights(np.full((60, 60, 3), 250, np.uint8), 40).any()
    fitted = baselines.fit_baselines([MadePair()])
    flat = np.full((40, 40, 3), 250, np.uint8)
    assert np.array_equal(fitted["biharmonic"](flat), fitted["linear_colour"](flat))


def test_baselines_are_scored_in_tidy_rows():
    table = baselines.score_baselines([MadePair()], [MadePair(), MadePair()])
    assert table["method"].tolist() == [name for name in baselines.BASELINES for _ in range(2)]
    assert list(table.columns[:4]) == ["method", "image", "psnr", "ssim"]
