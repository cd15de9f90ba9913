"""Images damaged on purpose."""

import numpy as np
import pytest

from orelib.data.degraded import LARGEST, degraded, equally_wrong, with_psnr
from orelib.data.scenes import render_pair
from orelib.metrics import psnr, sharpness


@pytest.fixture(scope="module")
def image():
    return render_pair(3, (64, 72), px_per_mm=2).dry


def test_without_damage_an_image_stays_as_it_is(image):
    assert np.array_equal(degraded(image), image)


@pytest.mark.parametrize("kind", LARGEST)
def test_damage_grows_with_its_strength_and_is_the_same_each_time(image, kind):
    strengths = [LARGEST[kind] * share for share in (0.02, 0.1, 0.5)]
    decibels = [psnr(degraded(image, **{kind: strength}), image) for strength in strengths]
    assert decibels == sorted(decibels, reverse=True)
    assert np.array_equal(*(degraded(image, **{kind: strengths[1]}) for _ in range(2)))


def test_each_kind_does_what_it_says(image):
    assert np.array_equal(degraded(image, shift=3)[:, 3:], image[:, :-3])
    assert degraded(image, brightness=-1.0).max() == 0
    assert sharpness(degraded(image, blur=2.0), image) < 0.6
    assert degraded(image // 4, noise=10.0).std() > (image // 4).std()
    covered = (degraded(image // 2, glare=0.1) > 200).all(axis=2).mean()
    assert covered == pytest.approx(0.1, abs=0.05)


def test_all_kinds_can_leave_one_psnr(image):
    damaged = equally_wrong(image)
    assert damaged.keys() == LARGEST.keys()
    decibel = psnr(damaged["shift"][1], image)
    assert [psnr(one, image) for _, one in damaged.values()] == pytest.approx([decibel] * 5, abs=0.05)


def test_a_psnr_out_of_reach_is_refused(image):
    with pytest.raises(ValueError, match="blur of 20 still leaves"):
        with_psnr(image, "blur", 3.0)
