"""Figures: each draws what it is given, and looks where the glare is."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from orelib.baselines import BASELINES
from orelib.config import PUBLISHED
from orelib.data.scenes import SizeDistribution, render_pair
from orelib.study.table3 import PAPER
from orelib.views import figures


@pytest.fixture
def image(noise):
    return noise.integers(0, 200, (60, 80, 3)).astype(np.uint8)


@pytest.fixture
def history():
    steps = np.arange(1, 101)
    terms = dict.fromkeys(("generator", "adversarial", "l1", "discriminator"), 1 / steps)
    return pd.DataFrame({"step": steps, "epoch": steps // 10} | terms)


def shown_images(figure):
    return [axis.images[0].get_array() for axis in figure.axes if axis.images]


def test_pairs_and_mosaics_show_their_images(image):
    assert np.array_equal(shown_images(figures.pairs_figure([("a", image, image // 2)]))[0], image // 2)
    named = figures.pairs_figure([("a", image, image)], rows=("rendered", "photographs"))
    assert [axis.get_ylabel() for axis in named.axes] == ["photographs", "rendered"]
    assert len(shown_images(figures.mosaic_figure([(image, image)] * 3))) == 6


@pytest.mark.parametrize("shape", [(16, 900), (900, 16), (1, 50)])
def test_of_a_very_long_photograph_a_part_is_shown_with_a_word(noise, shape):
    image = noise.integers(0, 256, (*shape, 3)).astype(np.uint8)
    for figure in (figures.pairs_figure([("a", image, image)]), figures.contact_sheet_figure([("a", image, image)])):
        (part, _), axis = shown_images(figure), figure.axes[0]
        assert max(part.shape[:2]) == figures.LONGEST * min(shape)
        left, _, _, top = (round(edge + 0.5) for edge in axis.images[0].get_extent())
        assert np.array_equal(part, image[top : top + part.shape[0], left : left + part.shape[1]])
        assert axis.get_xlabel() == f"part of {shape[1]} x {shape[0]} px"


def test_a_very_large_photograph_is_reduced_with_a_word(noise, image, monkeypatch):
    monkeypatch.setattr(figures, "LARGEST_SIDE", 60)
    axis, other = figures.pairs_figure([("a", image[:50, :50], image)]).axes
    assert axis.images[0].get_array().shape == (30, 40, 3)
    assert axis.images[0].get_extent() == [-0.5, 79.5, 59.5, -0.5]
    assert (axis.get_xlabel(), other.get_xlabel()) == ("reduced from 80 x 60 px", "")


def test_fig_8_shows_the_part_with_its_window():
    dry = np.full((20, 2000, 3), 90, np.uint8)
    wet = dry // 2
    wet[5:12, 1900:1907] = 255
    figure = figures.comparison_figure([{"wet": wet, "dry": dry}])
    left, right, _, _ = figure.axes[0].images[0].get_extent()
    frame = figure.axes[0].patches[0]
    assert left <= frame.get_x() <= 1900 < 1906 <= frame.get_x() + frame.get_width() <= right
    assert right - left == figures.LONGEST * 20


def test_layers_of_a_scene_show_its_glare():
    scene = render_pair(0, (64, 80), wetness=0.8)
    layers = shown_images(figures.layers_figure(scene, px_per_mm=2.5))
    assert len(layers) == 6
    assert (layers[4][scene.glare] == 255).all()
    assert (layers[4][~scene.glare] < 255).all()


def test_sizes_are_drawn_with_what_was_asked_for():
    figure = figures.sizes_figure(SizeDistribution(), np.array([6.0, 8.0, 20.0]))
    assert [text.get_text() for text in figure.axes[0].get_legend().texts] == ["asked for", "seen whole (3 particles)"]


def test_histograms(image):
    counts = np.bincount(image.ravel(), minlength=256)
    assert len(figures.brightness_figure(counts, counts[::-1]).axes[0].patches) == 2


def test_the_window_of_fig_8_lies_on_the_glare(image):
    wet = image // 2
    wet[30:40, 50:60] = 255
    top, left, side = figures.glare_window(wet, image)
    assert top <= 30
    assert top + side >= 40
    assert left <= 50
    assert left + side >= 60


def test_fig_8_has_a_column_an_image_and_an_enlarged_row(image):
    example = {"wet": image, "dry": image // 2, "improved": image, "pix2pix": image, "cyclegan": image}
    figure = figures.comparison_figure([example, example])
    assert len(shown_images(figure)) == 2 * 2 * 5
    assert [axis.get_title() for axis in figure.axes[:5]] == ["wet", "dry", "Improved", "Pix2Pix", "CycleGAN"]


def test_loss_curves_have_a_panel_a_method_raw_and_smoothed(history):
    figure = figures.loss_curves_figure({"pix2pix": history, "improved": history}, "generator", "G loss")
    assert [len(axis.lines) for axis in figure.axes] == [2, 2]
    raw, smooth = (line.get_ydata() for line in figure.axes[0].lines)
    assert np.abs(np.diff(smooth)).max() < np.abs(np.diff(raw)).max()


def test_a_method_without_a_discriminator_has_no_panel_in_fig_7(history):
    histories = {"pix2pix": history, "nafnet": history.drop(columns="discriminator")}
    assert [axis.get_title() for axis in figures.loss_curves_figure(histories, "discriminator", "D").axes] == [
        "Pix2Pix"
    ]
    with pytest.raises(ValueError, match="no method has a loss term 'discriminate'"):
        figures.loss_curves_figure(histories, "discriminate", "D loss")


def test_every_term_has_a_panel(history):
    figure = figures.loss_terms_figure(history, "pix2pix")
    assert [axis.get_title() for axis in figure.axes if axis.lines] == list(history.columns[2:])


def test_validation_rings_the_generator_that_was_kept():
    scores = pd.DataFrame({"step": [1, 2, 3], "psnr": [20.0, 22.0, 21.0], "ssim": [0.5, 0.6, 0.7]})
    axis = figures.validation_figure({"improved": scores}).axes[0]
    assert axis.lines[1].get_xdata() == 2


def test_table3_figure_shows_measured_and_papers_values():
    rows = [
        {"method": name, "psnr": 20.0, "psnr_low": 19.0, "psnr_high": 21.0, "ssim": 0.5, "ssim_low": 0.4,
         "ssim_high": 0.6, "paper_psnr": PAPER.get(name, (np.nan,))[0], "paper_ssim": PAPER.get(name, (0, np.nan))[1]}
        for name in (*BASELINES, *PUBLISHED)
    ]  # fmt: skip
    figure = figures.table3_figure(pd.DataFrame(rows))
    points = {
        float(np.ravel(line.get_xdata())[0]) for line in figure.axes[0].lines if len(np.ravel(line.get_xdata())) == 1
    }
    assert points == {20.0, *(psnr for psnr, _ in PAPER.values())}


def test_figures_are_saved_whole_and_closed(tmp_path, image):
    figures.save(figures.pairs_figure([("a", image, image)]), tmp_path / "figures" / "a.png")
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["a.png"]
    assert not plt.get_fignums()


@pytest.mark.parametrize(("count", "panels"), [(1, 2), (6, 12), (8, 24)])
def test_a_contact_sheet_holds_every_photograph_twice(noise, count, panels):
    photographs = [(f"{k}.png", *noise.integers(0, 256, (2, 20, 30, 3)).astype(np.uint8)) for k in range(count)]
    axes = figures.contact_sheet_figure(photographs).axes
    assert len(axes) == panels
    assert sum(bool(axis.images) for axis in axes) == 2 * count
    wet = {axis.get_title(): axis.images[0].get_array() for axis in axes if axis.get_title()}
    assert all(np.array_equal(wet[name], image) for name, image, _ in photographs)


@pytest.mark.parametrize("name", ["a$x^{$b", "$$", "two\nlines", "bytes\udcff", "\x1b[31m"])
def test_names_of_photographs_are_no_formulas(tmp_path, name):
    image = np.zeros((20, 30, 3), np.uint8)
    for figure in (figures.pairs_figure([(name, image, image)]), figures.contact_sheet_figure([(name, image, image)])):
        figures.save(figure, tmp_path / "figure.png")
