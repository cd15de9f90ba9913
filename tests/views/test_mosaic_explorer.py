"""The Mosaic explorer: it composes as training does, and outlines the windows where they are."""

import numpy as np
import pytest

from orelib.data.mosaic import CENTRE_RANGE, Window, draw_windows, mosaic
from orelib.views.mosaic_explorer import POSITIONS, centre_in, mosaic_explorer, mosaic_sample_figure, outline_of


@pytest.fixture
def four(noise):
    """Pairs of several sizes, one of them smaller than its quarter."""
    sizes = ((40, 60), (90, 50), (20, 24), (64, 64))
    wet = [noise.integers(0, 200, (*size, 3)).astype(np.uint8) for size in sizes]
    return [(image, image + 50) for image in wet]


def images_of(figure):
    return [axis.images[0].get_array() for axis in figure.axes]


def test_the_sample_is_the_one_that_training_composes(four):
    *_, wet, dry = images_of(mosaic_sample_figure(four, 64, seed=3, centre=(0.5, 0.5)))
    assert np.array_equal((wet, dry), mosaic(four, 64, np.random.default_rng(3), centre=(32, 32)))


def test_outlines_hold_the_pixels_of_the_sample(four):
    centre = (0.2, 0.8)
    figure = mosaic_sample_figure(four, 64, seed=1, centre=centre)
    *photographs, wet, _ = images_of(figure)
    windows = draw_windows([image.shape for image in photographs], 64, np.random.default_rng(1), centre_in(64, centre))
    for number, (photograph, window) in enumerate(zip(photographs, windows, strict=True)):
        (frame,) = figure.axes[number].patches
        left, top = (round(edge) for edge in frame.get_xy())
        width, height = round(frame.get_width()), round(frame.get_height())
        assert 0 <= left <= left + width <= photograph.shape[1]
        assert 0 <= top <= top + height <= photograph.shape[0]
        if window.filling == photograph.shape[:2]:
            cut = photograph[top : top + height, left : left + width]
            assert np.array_equal(cut, wet[window.rows, window.columns])


def test_of_an_enlarged_photograph_the_outline_has_its_own_scale():
    window = Window(slice(0, 40), slice(0, 20), top=10, left=4, filling=(80, 40))
    frame = outline_of(window, (40, 20, 3), "red")
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((2, 5), 10, 20)


@pytest.mark.parametrize(("centre", "place"), [((0, 0), (16, 16)), ((1, 0), (16, 48)), ((0, 1), (48, 16))])
def test_a_click_reaches_the_whole_range_of_centres_and_no_more(centre, place):
    assert centre_in(64, centre) == place
    assert tuple(round(64 * share) for share in CENTRE_RANGE) == (16, 48)


def test_a_place_lies_on_the_wet_sample(four):
    """The corners of the area in which clicks count are the corners of the dashed square."""
    explorer = mosaic_explorer(four, 64)
    figure = mosaic_sample_figure(four, 64, 0, (0.5, 0.5))
    figure.canvas.draw()
    axis, (left, top, right, bottom) = figure.axes[4], explorer.controls["centre"]["area"]
    for (x, y), (across, down) in zip(((16, 16), (48, 48)), ((left, top), (right, bottom)), strict=True):
        seen = figure.transFigure.inverted().transform(axis.transData.transform((x, y)))
        assert seen == pytest.approx((across, 1 - down), abs=0.003)


def test_moving_the_centre_keeps_windows_at_about_the_same_places(four):
    shapes = [(300, 300, 3)] * 4
    here, there = (draw_windows(shapes, 64, np.random.default_rng(0), centre) for centre in ((32, 32), (34, 30)))
    for one, other in zip(here, there, strict=True):
        assert abs(one.top - other.top) <= 3
        assert abs(one.left - other.left) <= 3


def test_without_a_kernel_it_leaves_telling_pictures(four):
    explorer = mosaic_explorer(four, 32)
    assert explorer.page().count("<img") == len(POSITIONS)
    explorer.show(centre=(0.9, 0.1), windows=7)
    assert explorer.problem == ""
