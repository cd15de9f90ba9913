"""The scene explorer: its pictures are the renderer's scenes, and each control moves what it names."""

import numpy as np
import pytest

from orelib.data.scenes import render_pair
from orelib.views.scene_explorer import CONTROLS, POSITIONS, scene_explorer, scene_figure

FIRST = {name: control.value for name, control in CONTROLS.items()}


def drawn(**moved):
    figure = scene_figure(**(FIRST | moved), side=48)
    return figure, *(axis.images[0].get_array() for axis in figure.axes)


def test_it_shows_what_the_renderer_makes():
    scene = render_pair(52, (48, 48), 2.5, wetness=0.7, lamps=3)
    _, wet, dry = drawn()
    assert np.array_equal(wet, scene.wet)
    assert np.array_equal(dry, scene.dry)


@pytest.mark.parametrize(
    ("moved", "dry_stays"),
    [
        ({"wetness": 0.2}, True),
        ({"lamps": 0}, True),
        ({"turn": 90}, False),
        ({"seed": 3}, False),
        ({"scale": 5.0}, False),
    ],
)
def test_water_and_lamps_change_the_wet_image_alone_and_the_rest_both(moved, dry_stays):
    _, wet, dry = drawn()
    figure, other_wet, other_dry = drawn(**moved)
    assert not np.array_equal(wet, other_wet)
    assert np.array_equal(dry, other_dry) == dry_stays
    assert f"{(FIRST | moved)['wetness']:g}" in figure.get_label()


def test_the_outline_marks_glare_only_where_there_is_some():
    assert drawn(outline="yes", wetness=1.0)[0].axes[0].collections
    assert not drawn(outline="no", wetness=1.0)[0].axes[0].collections
    assert not drawn(outline="yes", wetness=0.0, lamps=0)[0].axes[0].collections


def test_without_a_kernel_it_leaves_telling_pictures():
    page = scene_explorer().page()
    assert page.count("<img") == len(POSITIONS)
    assert "lamps 0" in page


def test_no_text_is_small():
    sizes = [text.get_fontsize() for text in [*drawn()[0].texts, *(axis.title for axis in drawn()[0].axes)]]
    assert min(sizes) >= 8
