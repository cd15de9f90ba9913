"""The figures of notebook 04, its explorer, and code shown in a notebook."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from orelib import losses
from orelib.data.degraded import equally_wrong
from orelib.data.scenes import render_pair
from orelib.methods.pix2pix import Improved
from orelib.metrics import glare_of
from orelib.study import loss_trials
from orelib.views import loss_figures
from orelib.views.loss_explorer import loss_explorer
from orelib.views.sources import source


@pytest.fixture(scope="module")
def scene():
    return render_pair(3, (48, 56), px_per_mm=2, wetness=0.8)


@pytest.fixture(scope="module")
def figures(scene):
    possible = loss_trials.shifted_views(scene.dry, radius=1, largest=40)
    best = loss_trials.best_guesses(possible, steps=3)
    probabilities = np.linspace(0.1, 0.9, 5)
    undecided = pd.Series(loss_trials.discriminator_losses(probabilities), index=probabilities)
    return {
        "similarity": loss_figures.similarity_figure({"wet": scene.wet}, scene.dry, glare_of(scene.wet, scene.dry)),
        "equal error": loss_figures.equal_error_figure(scene.dry, equally_wrong(scene.dry)),
        "damage": loss_figures.damage_figure(scene.dry, strengths=2),
        "guesses": loss_figures.guesses_figure(best, loss_trials.expected_scores(best, possible)),
        "discriminator": loss_figures.discriminator_figure(undecided, loss_trials.generator_gradients(probabilities)),
    }


def test_every_figure_can_be_drawn_read_and_heard(figures):
    for name, figure in figures.items():
        figure.canvas.draw()
        sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
        assert min(sizes) >= 8, name
        assert len(figure.get_label()) > 40, name


def test_the_similarity_figure_shows_each_map(figures, scene):
    maps = [axis.images[0].get_array() for axis in figures["similarity"].axes if axis.images][1:5]
    for drawn, values in zip(maps, loss_trials.similarity_maps(scene.wet, scene.dry).values(), strict=True):
        assert np.array_equal(drawn.filled(np.nan), values, equal_nan=True)


def test_the_explorer_answers_every_control(scene):
    explorer = loss_explorer(scene.wet, scene.dry)
    seen = {bytes(explorer.picture)}
    for moved in ({"blur": 2.0}, {"brightness": 30}, {"noise": 20}, {"glare": 5.0}, {"shift": 1.5}, {"window": "21 px"},
                  {"view": "structure"}, {"view": "absolute error"}):  # fmt: skip
        explorer.show(**moved)
        assert explorer.problem == ""
        seen.add(bytes(explorer.picture))
    assert len(seen) == 9
    assert "blur 2.0" in explorer.alt


def test_the_explorer_draws_a_perceptual_loss_if_it_is_given_one(scene):
    with_vgg = loss_explorer(scene.wet, scene.dry, lambda x, y: (x - y).abs().max())
    assert bytes(with_vgg.picture) != bytes(loss_explorer(scene.wet, scene.dry).picture)


def test_the_explorer_offers_only_windows_that_fit(scene):
    explorer = loss_explorer(scene.wet[:30], scene.dry[:30])
    assert explorer.controls["window"]["options"] == ["7 px", "11 px", "21 px"]
    assert explorer.page().count("<img") == 3


def test_code_is_shown_without_its_docstrings():
    text = source(losses.l1_loss, Improved.reconstruction, losses.SSIMLoss).data
    assert "def l1_loss(restored: Tensor, dry: Tensor) -> Tensor:\n    return (restored - dry).abs().mean()\n\n" in text
    assert text.count("```python\n") == 1
    assert '"""' not in text
    assert "are defined on values that start at 0." in text
    assert "\ndef reconstruction(self" in text
