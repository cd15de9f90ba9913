"""Small experiments with losses: what they show is so."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from orelib import losses
from orelib.data.degraded import degraded, equally_wrong
from orelib.data.scenes import render_pair
from orelib.metrics import glare_of, ssim
from orelib.runs import Folders
from orelib.study import loss_trials
from orelib.study.effects import scores


@pytest.fixture(scope="module")
def scene():
    return render_pair(3, (64, 72), px_per_mm=2, wetness=0.8)


def test_the_example_is_a_scene_or_the_middle_of_a_test_pair(pair_folder, pairs, monkeypatch):
    wet, dry = loss_trials.example_pair(Folders("smoke"))
    assert wet.shape == dry.shape == (256, 256, 3)
    folders = Folders("smoke", data_dir=str(pair_folder))
    assert np.array_equal(loss_trials.example_pair(folders), pairs.test[0].load())
    monkeypatch.setattr(loss_trials, "SIDE", 20)
    assert np.array_equal(loss_trials.example_pair(folders)[1], pairs.test[0].load()[1][10:30, 14:34])


def test_losses_are_those_of_a_training(scene):
    values = loss_trials.loss_values(scene.wet, scene.dry)
    difference = (scene.wet.astype(float) - scene.dry) / 127.5
    assert values["L1"] == pytest.approx(np.abs(difference).mean(), rel=1e-5)
    assert values["MSE"] == pytest.approx(np.square(difference).mean(), rel=1e-5)
    assert values["SSIM loss"] == pytest.approx(1 - ssim(scene.wet, scene.dry), abs=1e-5)
    assert set(loss_trials.loss_values(scene.dry, scene.dry).values()) == {0}


def test_a_perceptual_loss_is_taken_of_values_from_0_to_1(scene):
    seen = []

    def in_the_place_of_vgg(x, y):
        seen.extend((x, y))
        return (x - y).abs().max()

    values = loss_trials.loss_values(scene.wet, scene.dry, perceptual=in_the_place_of_vgg)
    assert values["VGG loss"] == pytest.approx(np.abs(scene.wet / 255 - scene.dry / 255).max(), abs=1e-6)
    assert all(image.min() >= 0 and image.max() <= 1 for image in seen)


@pytest.mark.parametrize("size", [7, 11, 21])
def test_maps_are_as_large_as_the_image(scene, size):
    maps = loss_trials.similarity_maps(scene.wet, scene.dry, size)
    assert list(maps) == ["luminance", "contrast", "structure", "SSIM"]
    for values in maps.values():
        assert values.shape == (64, 72)
        assert np.isnan(values).sum() == 64 * 72 - (65 - size) * (73 - size)
    assert np.nanmean(maps["SSIM"]) == pytest.approx(
        1 - loss_trials.loss_values(scene.wet, scene.dry, size)["SSIM loss"], abs=1e-5
    )


def test_glare_hides_structure(scene):
    table = loss_trials.inside_and_outside({"wet": scene.wet}, scene.dry, glare_of(scene.wet, scene.dry))
    assert table.loc[("wet", "glare"), "structure"] < table.loc[("wet", "elsewhere"), "structure"]


def test_at_one_psnr_brightness_keeps_its_ssim_and_noise_does_not(scene):
    likeness = {kind: ssim(image, scene.dry) for kind, (_, image) in equally_wrong(scene.dry).items()}
    assert likeness["brightness"] > likeness["blur"] + 0.1
    assert likeness["brightness"] > likeness["noise"] + 0.1


def test_each_loss_likes_its_own_guess_best_and_none_of_them_a_sharp_one(scene):
    possible = loss_trials.shifted_views(scene.dry, largest=40)
    assert possible.shape == (1, 13, 40, 40)
    best = loss_trials.best_guesses(possible, steps=60)
    table = loss_trials.expected_scores(best | {"sharp": possible[:, :1]}, possible)
    assert table["MSE"].idxmin() == "MSE"
    assert table["L1"].idxmin() == "L1"
    assert table["SSIM"].idxmax() == "SSIM"
    assert table["spread / true spread"].idxmin() == "MSE"
    assert (table.loc["sharp", ["L1", "MSE"]] > table.loc[["L1", "MSE"], ["L1", "MSE"]].max()).all()
    assert table["SSIM"].idxmin() == "sharp"


def test_views_are_shifted_by_whole_pixels():
    image = np.arange(30 * 30, dtype=np.uint8).reshape(30, 30, 1).repeat(3, axis=2)
    first, *others = loss_trials.shifted_views(image, radius=2, largest=20)[0]
    assert first[0, 0] == pytest.approx(image[5, 5, 0] / 255, abs=1e-6)
    moved = {round(255 * (view - first)[10, 10].item()) % 256 for view in others}
    assert moved == {shift % 256 for shift in (2, -2, 60, -60, 29, -29, 31, -31)}
    assert loss_trials.shifted_views(image, radius=3).shape[-1] == 24  # what is left


def test_the_median_keeps_an_edge_and_loses_a_gap():
    edge, gap = (loss_trials.best_guesses(loss_trials.striped_views(kind), steps=1)["L1"] for kind in ("edge", "gap"))
    assert edge.unique().tolist() == pytest.approx([0.2, 0.8])
    assert gap.unique().tolist() == pytest.approx([0.8])


def test_where_d_is_sure_only_the_form_of_the_code_pulls():
    pulls = loss_trials.generator_gradients(np.array([0.01, 0.5, 0.99]))
    assert pulls["log(1 - D)"].tolist() == pytest.approx([0.01, 0.5, 0.99])
    assert pulls["-log D"].tolist() == pytest.approx([0.99, 0.5, 0.01])


def test_the_discriminators_loss():
    assert loss_trials.discriminator_losses(np.array([0.5, 0.9])) == pytest.approx(
        [2 * math.log(2), -2 * math.log(0.9)]
    )


def test_gains_of_the_paper_and_of_a_folder(made_study, tmp_path):
    table = loss_trials.gains(tmp_path, made_study)
    assert table.index[0] == "the paper: Improved over Pix2Pix"
    paper = table.iloc[0]
    assert paper["PSNR, dB"] == pytest.approx(0.088)
    assert paper["MSE taken away, %"] == pytest.approx(100 * (1 - 10**-0.0088))
    assert paper["1 - SSIM taken away, %"] == pytest.approx(100 * 0.0128 / (1 - 0.7013))
    assert len(table) == 4
    assert table.notna().all(axis=None)


def test_standings_are_means_of_an_experiment_or_empty(made_study, tmp_path):
    table = loss_trials.standings(made_study)
    assert list(table.index) == list(loss_trials.ROWS.values())
    assert table.loc["Improved", "SSIM"] == pytest.approx(scores(made_study, "improved", "ssim").mean(axis=None))
    assert loss_trials.standings(tmp_path).empty


def test_the_best_guess_for_ssim_is_found_by_its_gradient():
    possible = torch.rand(1, 3, 12, 12)
    found = loss_trials.best_guesses(possible, steps=40)["SSIM"]
    mean = possible.mean(1, keepdim=True)
    of_found, of_mean = (losses.ssim(guess.expand_as(possible), possible, 1.0).mean() for guess in (found, mean))
    assert of_found > of_mean


def test_blur_costs_ssim_more_than_l1(scene):
    """Relative to the wet image, as the explorer shows it."""
    of_wet, of_blurred = (
        loss_trials.loss_values(image, scene.dry) for image in (scene.wet, degraded(scene.dry, blur=1))
    )
    relative = pd.Series(of_blurred) / pd.Series(of_wet)
    assert relative["SSIM loss"] > 1.5 * relative["L1"]
