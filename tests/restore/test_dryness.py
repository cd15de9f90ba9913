"""The remark on photographs without a sign of water."""

import numpy as np
import pytest

from orelib.data.scenes import render_pair
from orelib.restore.dryness import REMARK, remark_on_dryness, signs_of_water
from orelib.restore.restorer import load_restorer


@pytest.fixture(scope="module")
def scenes():
    return [render_pair(3_100_000 + seed, (160, 160), px_per_mm=3 + seed % 4, wetness=0.6) for seed in range(12)]


def test_wet_scenes_show_water_and_many_dry_ones_do_not(scenes):
    assert not any(remark_on_dryness(scene.wet) for scene in scenes)
    assert sum(remark_on_dryness(scene.dry) == REMARK for scene in scenes) >= 6


def test_glints_raise_the_sign_and_shadows_lower_it():
    rock = np.random.default_rng(0).normal(120, 8, (128, 128, 1)).clip(0, 255).astype(np.uint8).repeat(3, axis=2)
    plain, brightness = signs_of_water(rock)
    assert plain == pytest.approx(1, abs=0.25)
    assert brightness == pytest.approx(120 / 255, abs=0.01)
    for level, compare in ((255, plain.__lt__), (0, plain.__gt__)):
        marked = rock.copy()
        marked[::16, ::16] = level
        assert compare(signs_of_water(marked)[0])


def test_depth_size_and_colour_do_not_matter(scenes):
    wet = scenes[0].wet
    glints, brightness = signs_of_water(wet)
    assert signs_of_water(wet.astype(np.uint16) * 257) == (glints, brightness)
    for small in (wet[:1, :1], wet[:3, :40], np.zeros_like(wet), np.full_like(wet, 255)):
        assert np.isfinite(signs_of_water(small)).all()


def test_every_restorer_makes_the_remark(scenes):
    dry = next(scene.dry for scene in scenes if remark_on_dryness(scene.dry))
    assert load_restorer("classical").remark(dry) == REMARK
    assert load_restorer().remark(dry).endswith(REMARK)
