"""Metrics: agreement with scikit-image under every protocol, properties and intervals."""

import math

import numpy as np
import pytest
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from orelib import metrics

WANG = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}


@pytest.fixture
def images(noise):
    dry = noise.integers(30, 220, (64, 80, 3))
    return np.clip(dry + noise.normal(0, 12, dry.shape), 0, 255).astype(np.uint8), dry.astype(np.uint8)


def luma(image):
    return image @ np.array([0.299, 0.587, 0.114])


def test_rgb_protocol_agrees_with_scikit_image(images):
    assert math.isclose(metrics.psnr(*images), peak_signal_noise_ratio(*images, data_range=255), rel_tol=1e-12)
    assert math.isclose(metrics.ssim(*images), structural_similarity(*images, channel_axis=2, **WANG), abs_tol=1e-6)


def test_luma_protocol_agrees_with_scikit_image(images):
    x, y = map(luma, images)
    assert math.isclose(metrics.psnr(*images, "luma"), peak_signal_noise_ratio(x, y, data_range=255), rel_tol=1e-7)
    assert math.isclose(metrics.ssim(*images, "luma"), structural_similarity(x, y, **WANG), abs_tol=1e-6)


def test_library_protocol_is_scikit_images_default(images):
    assert math.isclose(metrics.ssim(*images, "library"), structural_similarity(*images, channel_axis=2), abs_tol=1e-6)


@pytest.mark.parametrize("level", [5, 128, 250])
def test_ssim_keeps_its_precision_on_nearly_even_images(noise, level):
    """Where a variance is the small difference of large numbers, single precision could lose it."""
    restored, dry = (np.clip(noise.normal(level, 1, (64, 64, 3)), 0, 255).astype(np.uint8) for _ in range(2))
    assert math.isclose(
        metrics.ssim(restored, dry), structural_similarity(restored, dry, channel_axis=2, **WANG), abs_tol=1e-4
    )


def test_psnr_is_eq_12():
    black, grey = np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 51, np.uint8)
    assert math.isclose(metrics.psnr(grey, black), 20 * math.log10(255 / 51))


@pytest.mark.parametrize("protocol", metrics.PROTOCOLS)
def test_properties(images, protocol):
    restored, dry = images
    assert metrics.psnr(dry, dry, protocol) == math.inf
    assert math.isclose(metrics.ssim(dry, dry, protocol), 1, rel_tol=1e-6)
    there, back = metrics.ssim(restored, dry, protocol), metrics.ssim(dry, restored, protocol)
    assert math.isclose(there, back, rel_tol=1e-6)  # single precision
    assert metrics.ssim(restored, dry, protocol) < 1


def test_wrong_input_is_refused(images):
    restored, dry = images
    with pytest.raises(ValueError, match="differ in size"):
        metrics.psnr(restored[1:], dry)
    with pytest.raises(ValueError, match="uint8"):
        metrics.ssim(restored / 255, dry / 255)
    with pytest.raises(ValueError, match="luma"):
        metrics.psnr(restored, dry, "ycbcr")


def test_interval_covers_the_mean_95_times_in_100():
    rng = np.random.default_rng(1)
    covered = [low <= 3 <= high for _, low, high in (metrics.mean_interval(rng.normal(3, 2, 8)) for _ in range(2000))]
    assert 0.93 < np.mean(covered) < 0.97


def test_interval_of_one_image_is_unknown():
    mean, low, high = metrics.mean_interval([4.0])
    assert mean == 4
    assert math.isnan(low)
    assert math.isnan(high)


def test_what_is_not_finite_is_left_out_of_a_mean():
    assert metrics.mean_interval([4.0, math.inf, 6.0, math.nan]) == metrics.mean_interval([4.0, 6.0])
    assert metrics.mean_interval([4.0, math.inf])[0] == 4
    assert all(map(math.isnan, metrics.mean_interval([math.inf, math.inf])))
    assert all(map(math.isnan, metrics.mean_interval([])))


def test_an_interval_ends_where_the_metric_does():
    scores = [0.31, 1.0, 0.64]
    mean, low, high = metrics.mean_interval(scores)
    assert low < 0
    assert high > 1
    assert metrics.mean_interval(scores, limits=metrics.LIMITS["ssim"]) == (mean, low, 1)
    assert metrics.mean_interval([3.0, 60.0], limits=metrics.LIMITS["psnr"])[1] == 0
    assert metrics.mean_interval([1.0, 1.0], limits=metrics.LIMITS["ssim"]) == (1, 1, 1)


@pytest.mark.parametrize("wet_is_dry", [True, False])
@pytest.mark.parametrize("even", [0, 9, 255, None])
@pytest.mark.parametrize("restored_is_dry", [True, False])
@pytest.mark.filterwarnings("error")
def test_a_score_is_finite_or_missing_and_within_its_limits(noise, even, wet_is_dry, restored_is_dry):
    dry = noise.integers(0, 256, (24, 20, 3)).astype(np.uint8) if even is None else np.full((24, 20, 3), even, np.uint8)
    wet, restored = (dry if same else 255 - dry // 2 for same in (wet_is_dry, restored_is_dry))
    values = metrics.score(wet, restored, dry)
    assert not any(map(math.isinf, values.values()))
    assert math.isnan(values["psnr"]) == restored_is_dry
    assert (values["ssim"] == pytest.approx(1)) == restored_is_dry
    for name, (least, most) in metrics.LIMITS.items():
        assert math.isnan(values[name]) or least <= values[name] <= most


def test_glare_removed_counts_what_is_left_over_the_dry_image():
    dry = np.full((40, 40, 3), 100, np.uint8)
    wet = np.full((40, 40, 3), 70, np.uint8)
    wet[:10, :10] = 250
    half = wet.copy()
    half[:10, :10] = 175
    assert metrics.glare_removed(wet, wet, dry) == pytest.approx(0)
    assert metrics.glare_removed(wet, half, dry) == pytest.approx(0.5)
    assert metrics.glare_removed(wet, dry // 2, dry) == pytest.approx(1)
    assert metrics.glare_removed(half, wet, dry) == pytest.approx(-1)
    assert math.isnan(metrics.glare_removed(dry // 2, dry, dry))
    with pytest.raises(ValueError, match="differ in size"):
        metrics.glare_removed(wet[:20], wet, dry)


def test_sharpness_tells_blur_from_noise(noise):
    dry = noise.integers(60, 200, (40, 50, 3)).astype(np.uint8)
    blurred = np.stack([ndimage.uniform_filter(dry[..., k], 3) for k in range(3)], axis=2)
    assert metrics.sharpness(dry, dry) == 1
    assert metrics.sharpness(blurred, dry) < 0.7
    assert metrics.sharpness(dry, blurred) > 1.4
    assert metrics.sharpness(dry // 2, dry) == pytest.approx(0.5, abs=0.02)
    assert math.isnan(metrics.sharpness(dry, np.full_like(dry, 9)))


def test_psnr_in_the_glare_looks_nowhere_else(noise):
    dry = np.full((40, 40, 3), 100, np.uint8)
    wet = dry // 2
    wet[:10, :10] = 250
    restored = noise.integers(0, 255, dry.shape).astype(np.uint8)
    restored[:10, :10] = 110
    assert metrics.psnr_glare(wet, restored, dry) == pytest.approx(10 * math.log10(255**2 / 10**2))
    assert metrics.psnr_glare(wet, dry, dry) == math.inf
    assert math.isnan(metrics.psnr_glare(dry, restored, dry))
    with pytest.raises(ValueError, match="differ in size"):
        metrics.psnr_glare(wet, restored[:20], dry)


def test_psnr_outside_the_glare_looks_nowhere_else():
    dry = np.full((40, 40, 3), 100, np.uint8)
    wet = dry // 2
    wet[:10, :10] = 250
    restored = dry + np.uint8(10)
    restored[:10, :10] = 0
    assert metrics.psnr_rock(wet, restored, dry) == pytest.approx(10 * math.log10(255**2 / 10**2))
    assert math.isnan(metrics.psnr_rock(np.full_like(dry, 250), restored, dry))


def test_colour_error_knows_hue_from_nothing(noise):
    dry = noise.integers(60, 200, (30, 30, 3)).astype(np.uint8)
    assert metrics.colour_error(dry, dry) == 0
    assert metrics.colour_error(dry[..., ::-1], dry) > metrics.colour_error(dry + np.uint8(3), dry) > 0.3
    black, white = np.zeros_like(dry), np.full_like(dry, 255)
    assert metrics.colour_error(black, white) == pytest.approx(100, abs=0.1)  # as CIEDE2000 defines it


def test_invented_edges_are_those_that_neither_image_has():
    dry = np.full((60, 60, 3), 60, np.uint8)
    dry[:, 20:] = 180
    wet = dry // 2
    assert metrics.invented_edges(wet, dry, dry) == 0
    assert metrics.invented_edges(wet, wet, dry) == 0
    other = np.full_like(dry, 60)
    other[:, 45:] = 180
    assert metrics.invented_edges(wet, other, dry) == 1
    assert math.isnan(metrics.invented_edges(wet, np.full_like(dry, 9), dry))


def test_seams_see_the_outline_of_the_glare(noise):
    dry = noise.integers(90, 110, (60, 60, 3)).astype(np.uint8)
    wet = dry - np.uint8(30)
    wet[20:40, 20:40] = 250
    patched = dry.copy()
    patched[20:40, 20:40] = 150
    assert metrics.seams(wet, dry, dry) == 1
    assert metrics.seams(wet, patched, dry) > 2
    assert math.isnan(metrics.seams(dry, dry, dry))
