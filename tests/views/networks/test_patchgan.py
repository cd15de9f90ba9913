"""What one logit sees, and a small discriminator that learns to tell sharp from blurred."""

import numpy as np
import pytest
import torch
from torch import nn

from orelib.data.scenes import render_pair
from orelib.networks import PatchGAN
from orelib.views.networks import patchgan


def without_norms(network):
    """Norms look at the whole image; weights of one sign let no path cancel another."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 0.1)
    network.layers = nn.Sequential(*(layer for layer in network.layers if not isinstance(layer, nn.InstanceNorm2d)))
    return network


def test_a_logit_sees_70_px_in_a_grid_of_steps_of_8():
    field = patchgan.receptive_field(PatchGAN(6, 2))
    assert (field.size, field.step) == (70, 8)


@pytest.mark.parametrize(("row", "column"), [(9, 4), (0, 17), (12, 12)])
def test_a_gradient_finds_the_pixels_that_were_computed(row, column):
    network = without_norms(PatchGAN(3, 2))
    field = patchgan.receptive_field(network)
    image = torch.zeros(1, 3, 160, 160, requires_grad=True)
    network(image)[0, 0, row, column].backward()
    for k, axis in ((row, 3), (column, 2)):
        pixels = image.grad.abs().sum(dim=(0, 1, axis)).nonzero().ravel()
        first, behind = field.window(k)
        assert pixels.min() == max(first, 0)
        assert pixels.max() == min(behind, 160) - 1


def test_the_table_says_how_the_window_grows():
    table = patchgan.fields_table(PatchGAN(6, 8), 512)
    assert list(table["one value sees, px"]) == [4, 10, 22, 46, 70]
    assert list(table["grid"]) == [f"{side} x {side}" for side in (256, 128, 64, 63, 62)]


@pytest.mark.parametrize("count", [2, 30, 62])
def test_the_nearest_logit_has_the_pixel_in_the_middle_of_its_patch(count):
    field = patchgan.receptive_field(PatchGAN(6, 2))
    size = 8 * (count + 2)
    for pixel in range(size):
        k = field.nearest(pixel, count)
        middles = [sum(field.window(other)) / 2 - 0.5 for other in range(count)]
        assert abs(middles[k] - pixel) == min(abs(middle - pixel) for middle in middles)


def test_a_patch_over_the_border_is_filled_with_grey(noise):
    image = noise.integers(0, 100, (20, 30, 3)).astype(np.uint8)
    part = patchgan._cut_out(image, (-4, 6), (25, 35))
    assert part.shape == (10, 10, 3)
    assert (part[:4] == 128).all()
    assert (part[:, 5:] == 128).all()
    assert np.array_equal(part[4:, :5], image[:6, 25:])


def test_the_figure_shows_the_patch_of_the_logit_at_a_place(noise):
    wet, dry = noise.integers(0, 256, (2, 128, 128, 3)).astype(np.uint8)
    logits, field = noise.normal(size=(14, 14)), patchgan.receptive_field(PatchGAN(6, 2))
    figure = patchgan.judgement_figure((wet, dry), logits, (0.5, 0.25), field, 3.0, "noise")
    photograph, grid, _, *enlarged = figure.axes
    square, cell = photograph.patches[0], grid.patches[0]
    row, column = field.nearest(32, 14), field.nearest(64, 14)
    assert (square.get_x(), square.get_y(), square.get_width()) == (field.window(column)[0], field.window(row)[0], 70)
    assert (cell.get_x(), cell.get_y()) == (column - 0.5, row - 0.5)
    assert f"logit {logits[row, column]:+.1f}" in photograph.get_title()
    assert photograph.get_xlabel() == "noise, 128 x 128 px"
    (top, bottom), (left, right) = field.window(row), field.window(column)
    top, left = max(top, 0), max(left, 0)
    shown = enlarged[1].images[0].get_array()[top - field.window(row)[0] :, left - field.window(column)[0] :]
    assert np.array_equal(shown, dry[top:bottom, left:right])


def test_the_place_of_an_explorer_is_the_photograph(noise):
    """The area in which clicks count, from the top, is the photograph's axis, from the bottom."""
    image = np.zeros((128, 128, 3), np.uint8)
    field = patchgan.receptive_field(PatchGAN(6, 2))
    figure = patchgan.judgement_figure((image, image), np.zeros((14, 14)), (0, 0), field, 1.0)
    figure.draw_without_rendering()
    box = figure.axes[0].get_position()
    assert pytest.approx((box.x0, 1 - box.y1, box.x1, 1 - box.y0)) == patchgan.AREA


def test_images_to_judge_are_made_as_they_are_called(noise):
    image = noise.integers(0, 256, (40, 40, 3)).astype(np.uint8)
    inside = patchgan.blurred_inside(image, 2)
    assert np.array_equal(inside[0], image[0])
    assert inside[10:30, 10:30].std() < 0.5 * image.std()
    assert np.array_equal(patchgan.quarters_swapped(image)[:20, :20], image[20:, 20:])
    assert np.array_equal(patchgan.quarters_swapped(patchgan.quarters_swapped(image)), image)


def test_a_small_discriminator_learns_and_is_the_same_each_time():
    scenes = [render_pair(seed, (80, 80), px_per_mm=3) for seed in range(3)]
    real, fake = patchgan.lessons(scenes)
    judges = [
        patchgan.train_discriminator(patchgan.small_discriminator(4), real, fake, steps=150, crop=48) for _ in range(2)
    ]
    dry, blurred = (patchgan.logits_of(judges[0], pairs[0]) for pairs in (real, fake))
    assert dry.mean() > 0 > blurred.mean()
    assert np.array_equal(patchgan.logits_of(judges[1], real[0]), dry)
    assert list(patchgan.judgements_table({"dry": dry, "blurred": blurred}).index) == ["dry", "blurred"]


def test_its_logits_depend_on_their_patches_alone(noise):
    judge = patchgan.small_discriminator()
    wet, dry = noise.integers(0, 256, (2, 160, 160, 3)).astype(np.uint8)
    before, field = patchgan.logits_of(judge, (wet, dry)), patchgan.receptive_field(judge)
    dry[:40] = 0
    same = [field.window(row)[0] >= 40 for row in range(len(before))]
    after = patchgan.logits_of(judge, (wet, dry))
    assert np.allclose(before[same], after[same], atol=1e-5)
    assert not np.allclose(before[:4], after[:4], atol=1e-2)


def test_lessons_and_exam_pair_every_image_with_its_wet_one():
    scene = render_pair(0, (64, 64), px_per_mm=2)
    real, fake = patchgan.lessons([scene, scene])
    assert (len(real), len(fake)) == (2, 2)
    assert all(np.array_equal(wet, scene.wet) for wet, _ in (*real, *fake))
    exam = patchgan.exam(scene, scene.wet // 2)
    assert np.array_equal(exam["restored"][1], scene.wet // 2)
    assert np.array_equal(exam["dry, quarters exchanged"][0][:32, :32], scene.wet[32:, 32:])
