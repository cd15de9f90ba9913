"""Losses: the paper's equations, agreement with scikit-image, and finite gradients."""

import math
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from orelib import losses, vgg
from orelib.utils.weights import ModelFileError


@pytest.fixture
def images():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 40, 48, dtype=torch.float64)
    return x, (x + 0.2 * torch.randn_like(x)).clamp(0, 1)


def test_an_undecided_discriminator_scores_2_ln_2():
    real, fake = losses.discriminator_loss(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
    assert math.isclose(real + fake, 2 * math.log(2), rel_tol=1e-6)


def test_adversarial_losses_are_eq_1():
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    minus_eq_1 = -(torch.sigmoid(real).log().mean() + (1 - torch.sigmoid(fake)).log().mean())
    assert torch.isclose(sum(losses.discriminator_loss(real, fake)), minus_eq_1)
    assert torch.isclose(losses.adversarial_loss(fake), -torch.sigmoid(fake).log().mean())


def test_adversarial_losses_stay_finite_for_certain_discriminators():
    logits = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = sum(losses.discriminator_loss(logits, logits)) + losses.adversarial_loss(logits)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_least_squares_losses():
    real, fake = losses.least_squares_discriminator_loss(torch.ones(3), torch.zeros(3))
    assert real == fake == 0
    assert losses.least_squares_adversarial_loss(torch.zeros(3)) == 1


@pytest.mark.parametrize("loss", [losses.l1_loss, losses.mse_loss, losses.cycle_loss, losses.identity_loss])
def test_pixel_losses(loss):
    x = torch.zeros(1, 3, 4, 4)
    assert loss(x, x) == 0
    assert torch.isclose(loss(x, x + 0.5), torch.tensor(0.25 if loss is losses.mse_loss else 0.5))


def test_ssim_agrees_with_scikit_image(images):
    ours = losses.ssim(*images, data_range=1.0)
    theirs = [
        structural_similarity(
            *(image[k].permute(1, 2, 0).numpy() for image in images), data_range=1.0, channel_axis=2,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        )
        for k in range(2)
    ]  # fmt: skip
    assert np.allclose(ours.numpy(), theirs, atol=1e-9)


def test_eq_10_with_c3_of_half_c2_is_the_two_factor_form(images):
    c1, c2 = 0.01**2, 0.03**2
    mean_x, mean_y, var_x, var_y, cov = losses.local_statistics(*images, losses.gaussian_window(torch.float64))
    three_factors = (
        losses.luminance(mean_x, mean_y, c1)
        * losses.contrast(var_x, var_y, c2)
        * losses.structure(var_x, var_y, cov, c2 / 2)
    )
    assert torch.allclose(three_factors.mean(dim=(1, 2, 3)), losses.ssim(*images, data_range=1.0), atol=1e-12)


def test_the_terms_multiply_to_the_map_whose_mean_is_ssim(images):
    terms = losses.ssim_terms(*images, data_range=1.0)
    drawn = losses.ssim_map(*images, data_range=1.0)
    assert drawn.shape == terms[0].shape == (2, 3, 30, 38)
    assert torch.allclose(terms[0] * terms[1] * terms[2], drawn, atol=1e-9)
    assert torch.equal(drawn.mean(dim=(1, 2, 3)), losses.ssim(*images, data_range=1.0))


def test_each_term_sees_one_kind_of_difference(images):
    y = 0.25 + images[0] / 2
    brighter = [term.mean().item() for term in losses.ssim_terms(y + 0.2, y, 1.0)]
    assert brighter[0] < 0.97
    assert brighter[1:] == pytest.approx([1, 1])
    flatter = [term.mean().item() for term in losses.ssim_terms(0.5 + (y - 0.5) / 2, y, 1.0)]
    assert flatter[1] < 0.85
    assert flatter[2] > 0.95
    negative = [term.mean().item() for term in losses.ssim_terms(1 - y, y, 1.0)]
    assert negative[1] == pytest.approx(1)
    assert negative[2] < -0.9


def test_ssim_properties(images):
    x, y = images
    assert torch.allclose(losses.ssim(x, x, 1.0), torch.ones(2, dtype=torch.float64))
    assert torch.allclose(losses.ssim(x, y, 1.0), losses.ssim(y, x, 1.0))
    assert torch.allclose(losses.ssim(x, y, 1.0), losses.ssim(255 * x, 255 * y, 255.0))
    assert (losses.ssim(x, 1 - x, 1.0) < losses.ssim(x, y, 1.0)).all()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_gradients_are_finite_on_constant_images(value):
    restored = torch.full((1, 3, 16, 16), value, requires_grad=True)
    losses.SSIMLoss(1.0)(restored, torch.full_like(restored, 0.3)).backward()
    assert restored.grad.isfinite().all()


def test_contrast_and_structure_are_finite_on_flat_patches():
    for grey in range(256):
        flat = torch.full((1, 1, 11, 11), grey / 255)
        _, _, var_x, var_y, cov = losses.local_statistics(flat, flat, losses.gaussian_window())
        assert losses.contrast(var_x, var_y, 0.03**2).isfinite()
        assert losses.structure(var_x, var_y, cov, 0.03**2 / 2).isfinite()


def test_a_wider_window_is_scikit_images_with_a_wider_gaussian(images):
    x, y = images
    loss = losses.SSIMLoss(1.0, window_size=15).double()
    pairs = zip(x.permute(0, 2, 3, 1).numpy(), y.permute(0, 2, 3, 1).numpy(), strict=True)
    settings = {"gaussian_weights": True, "sigma": 1.5 * 15 / 11, "truncate": 7 / (1.5 * 15 / 11), "data_range": 1.0}
    settings |= {"use_sample_covariance": False, "channel_axis": 2, "full": True}
    expected = [structural_similarity(*pair, **settings)[1][7:-7, 7:-7].mean() for pair in pairs]
    assert math.isclose(1 - loss(x, y).item(), np.mean(expected), abs_tol=1e-6)
    with pytest.raises(ValueError, match="at least 15"):
        loss(x[..., :14], y[..., :14])


def test_minimising_the_ssim_loss_restores_the_image():
    torch.manual_seed(0)
    dry = torch.rand(1, 3, 24, 24)
    restored = torch.full_like(dry, 0.5).requires_grad_()
    adam, loss = torch.optim.Adam([restored], lr=0.05), losses.SSIMLoss(1.0)
    first = loss(restored, dry).item()
    for _ in range(60):
        adam.zero_grad()
        loss(restored, dry).backward()
        adam.step()
    assert loss(restored, dry).item() < 0.2 * first


def test_wrong_input_is_refused(images):
    x, y = images
    with pytest.raises(ValueError, match="one shape"):
        losses.ssim(x, y[:1], 1.0)
    with pytest.raises(ValueError, match="at least 11"):
        losses.ssim(x[..., :8], y[..., :8], 1.0)


# ---- perceptual loss: the real loading code, on weights made here ------------------------------------------------


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory):
    """A VGG19 weight file as torchvision's, with random weights and, as there, more than the features.

    It lies where torchvision keeps its own, and its name holds the start of its checksum.
    """
    torch.manual_seed(0)
    state = {f"features.{name}": value for name, value in make_layers(cfgs["E"]).state_dict().items()}
    path = tmp_path_factory.mktemp("hub") / "checkpoints" / "vgg19.pth"
    path.parent.mkdir()
    torch.save(state | {"classifier.6.bias": torch.zeros(1000)}, path)
    return path.rename(path.with_name(f"vgg19-{vgg.file_checksum(path)[:8]}.pth"))


def test_perceptual_loss_from_a_path(vgg_file):
    loss = losses.PerceptualLoss(vgg_file)
    dry = torch.rand(1, 3, 32, 32)
    restored = torch.rand(1, 3, 32, 32, requires_grad=True)
    assert loss(dry, dry) == 0
    value = loss(restored, dry)
    value.backward()
    assert value > 0
    assert restored.grad.isfinite().all()
    assert restored.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_perceptual_loss_taps_the_last_activation_of_each_block(vgg_file):
    layers = losses.PerceptualLoss(vgg_file).features
    assert [type(layers[k]).__name__ for k in losses.TAPS["vgg19"]] == ["ReLU"] * 5
    assert [type(layers[k + 1]).__name__ for k in losses.TAPS["vgg19"][:-1]] == ["MaxPool2d"] * 4
    assert len(layers) == losses.TAPS["vgg19"][-1] + 1


def test_perceptual_loss_from_torchvisions_cache(vgg_file, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(vgg_file.parent.parent))
    monkeypatch.setattr(vgg, "_url", lambda: f"https://nowhere/{vgg_file.name}")
    cached, given = losses.PerceptualLoss(), losses.PerceptualLoss(vgg_file)
    assert torch.equal(cached.features[0].weight, given.features[0].weight)


@pytest.fixture
def vgg16_file(tmp_path, monkeypatch):
    """The package's weight file, with random weights and layers numbered as there."""
    torch.manual_seed(0)
    numbers = [0, 2, 6, 8, 12, 14, 16, 20, 22, 24, 28, 30, 32]
    convolutions = [layer for layer in make_layers(cfgs["D"]) if isinstance(layer, nn.Conv2d)]
    state = {"lin0.model.1.weight": torch.zeros(1, 64, 1, 1), "net.slice2.5.filt": torch.ones(64, 1, 3, 3) / 9}
    for number, layer in zip(numbers, convolutions, strict=True):
        block = 1 + sum(number >= first for first in (4, 10, 18, 26))
        state |= {f"net.slice{block}.{number}.{name}": value for name, value in layer.state_dict().items()}
    path = tmp_path / "stlpips_pytorch" / vgg.VGG16_FILE
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    (tmp_path / "stlpips_pytorch" / "__init__.py").write_text("raise ImportError('it imports much else')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(vgg, "VGG16_SHA256", vgg.file_checksum(path))
    return path


def test_vgg16_is_an_alternative_that_needs_no_download(vgg16_file):
    loss = losses.PerceptualLoss(network="vgg16")
    assert [type(loss.features[k]).__name__ for k in losses.TAPS["vgg16"]] == ["ReLU"] * 5
    assert [type(loss.features[k + 2]).__name__ for k in losses.TAPS["vgg16"][:-1]] == ["Halving"] * 4
    dry, restored = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32, requires_grad=True)
    assert loss(dry, dry) == 0
    loss(restored, dry).backward()
    assert restored.grad.isfinite().all()
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_a_damaged_vgg16_is_named(vgg16_file):
    content = bytearray(vgg16_file.read_bytes())
    content[len(content) // 2] ^= 1
    vgg16_file.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"vgg_shift_tolerant\.pth is damaged.*stlpips-pytorch"):
        losses.PerceptualLoss(network="vgg16")


def test_halving_keeps_an_even_image_and_shifts_with_it():
    image = torch.rand(1, 2, 33, 33)
    assert torch.allclose(vgg.Halving()(torch.full_like(image, 0.3)), torch.tensor(0.3))
    shifted = vgg.Halving()(image.roll((2, 2), (2, 3)))
    assert torch.allclose(shifted[..., 4:-3, 4:-3], vgg.Halving()(image)[..., 3:-4, 3:-4], atol=1e-6)


def test_the_published_vgg16_is_read():
    if find_spec("stlpips_pytorch") is None:
        pytest.skip("stlpips-pytorch is not installed: pip install orelib[perceptual]")
    loss = losses.PerceptualLoss(network="vgg16")
    rock, rng = torch.rand(1, 3, 64, 64), torch.Generator().manual_seed(0)
    noisy = (rock + 0.1 * torch.randn(rock.shape, generator=rng)).clamp(0, 1)
    assert 0 < loss(noisy, rock) < loss(1 - rock, rock)


@pytest.fixture
def few_layers(monkeypatch):
    """VGG19 of one narrow layer, so that files are small."""
    monkeypatch.setattr(vgg, "_layers", lambda count: nn.Sequential(nn.Conv2d(3, 2, 3)))
    layer = nn.Conv2d(3, 2, 3)
    return {f"features.0.{name}": value for name, value in layer.state_dict().items()}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_damaged_weights_are_named(few_layers, tmp_path, legacy):
    """The published file is of PyTorch's older format; its name tells damage that no reader would see."""
    torch.save(few_layers, tmp_path / "whole", _use_new_zipfile_serialization=not legacy)
    whole = (tmp_path / "whole").read_bytes()
    cut, flipped = tmp_path / "cut.pth", tmp_path / f"vgg19-{vgg.file_checksum(tmp_path / 'whole')[:8]}.pth"
    flipped.write_bytes(whole)
    vgg.vgg19_features(1, flipped)
    for end in range(0, len(whole) - 40, 61):
        cut.write_bytes(whole[:end])
        with pytest.raises(ModelFileError, match=r"cut\.pth is damaged.*lambda_perceptual=0"):
            vgg.vgg19_features(1, cut)
    for place in range(0, len(whole), 61):
        flipped.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ModelFileError, match=f"{flipped.name} is damaged: its checksum"):
            vgg.vgg19_features(1, flipped)


def test_weights_of_another_network_are_named(few_layers, tmp_path):
    name, weight = "features.0.weight", few_layers["features.0.weight"]
    others = [
        [], "weights", {}, few_layers | {name: weight[None]}, few_layers | {name: weight.long()},
        few_layers | {name: 3}, few_layers | {name: weight * float("nan")},
    ]  # fmt: skip
    for state in others:
        torch.save(state, tmp_path / "other.pth")
        with pytest.raises(ModelFileError, match=r"other\.pth does not hold the weights of VGG19"):
            vgg.vgg19_features(1, tmp_path / "other.pth")


def test_code_in_a_weight_file_is_not_run(few_layers, tmp_path):
    class Code:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    torch.save(few_layers | {"code": Code()}, tmp_path / "code.pth")
    with pytest.raises(ModelFileError, match=r"code\.pth is damaged or no file of weights \(UnpicklingError"):
        vgg.vgg19_features(1, tmp_path / "code.pth")
    assert not (tmp_path / "ran").exists()


def test_a_download_that_is_damaged_is_named(tmp_path, monkeypatch):
    def damaged(url, to, hash_prefix):
        assert (Path(to).name, hash_prefix) == ("vgg19-dcbb9e9d.pth", "dcbb9e9d")
        raise RuntimeError("invalid hash value")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", damaged)
    with pytest.raises(FileNotFoundError, match="invalid hash value"):
        losses.PerceptualLoss()


def test_weights_that_are_no_file_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.pth")
    for path in (tmp_path / "pipe.pth", tmp_path):
        with pytest.raises(FileNotFoundError, match="is no file"):
            losses.PerceptualLoss(path)


def test_missing_weights_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="lambda_perceptual=0"):
        losses.PerceptualLoss(tmp_path / "none.pth")

    def no_network(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(FileNotFoundError, match="vgg_weights"):
        losses.PerceptualLoss()
