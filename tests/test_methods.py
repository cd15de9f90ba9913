"""Methods: what a step computes, what it updates, and that losses fall."""

import copy

import pytest
import torch

from orelib import losses
from orelib.config import METHODS, Experiment
from orelib.methods import CLASSES
from orelib.methods.base import network_dtype
from orelib.methods.cyclegan import ImagePool
from orelib.methods.supervised import one_cycle
from orelib.utils import provenance

CPU = torch.device("cpu")
BATCH = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def build(name, **changes):
    torch.manual_seed(0)
    return CLASSES[name](Experiment("smoke", name, **changes), CPU)


@pytest.mark.parametrize("name", METHODS)
def test_a_step_updates_every_network(name):
    method = build(name)
    before = {key: [p.clone() for p in network.parameters()] for key, network in method.networks.items()}
    for _ in range(3):  # weights behind a gain that starts at 0 move after it
        method.step(BATCH, -BATCH)
    for key, network in method.networks.items():
        moved = [not torch.equal(p, q) for p, q in zip(network.parameters(), before[key], strict=True)]
        assert sum(moved) > 0.8 * len(moved), key
        assert all(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_recorded_total_is_the_weighted_sum(name):
    method = build(name, lambda_adversarial=1.5, lambda_l1=7.0, lambda_mse=5.0, lambda_ssim=3.0, lambda_cycle=2.0,
                   lambda_identity=0.5)  # fmt: skip
    recorded = method.step(BATCH, -BATCH)
    weights = {"adversarial": 1.5, "l1": 7, "mse": 5, "ssim": 3, "cycle": 2, "identity": 0.5}
    total = sum(weight * recorded[term] for term, weight in weights.items() if term in recorded)
    assert torch.isclose(recorded["generator"], total)


@pytest.mark.parametrize("name", METHODS)
def test_networks_compute_in_bfloat16_where_it_is_asked_for_and_all_else_in_float32(name):
    whole, rounded = build(name), build(name, precision="bfloat16")
    image = torch.cat([BATCH, BATCH])
    for key, network in rounded.networks.items():
        seen = []
        layer = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
        layer.register_forward_hook(lambda module, inputs, output, seen=seen: seen.append(output.dtype))
        channels = layer.in_channels
        torch.manual_seed(0)  # of dropout
        one = whole.networks[key](image[:, [0] * channels])
        torch.manual_seed(0)
        other = network(image[:, [0] * channels])
        assert (seen, other.dtype) == ([torch.bfloat16], torch.float32), key
        assert (one - other).abs().max() < 0.1 * one.abs().max(), key
    recorded = rounded.step(BATCH, -BATCH)
    for key, loss in whole.step(BATCH, -BATCH).items():
        assert recorded[key].dtype == torch.float32
        assert torch.isclose(recorded[key], loss, rtol=0.1), key
    for network in rounded.networks.values():
        assert all(p.dtype == p.grad.dtype == torch.float32 for p in network.parameters())


@pytest.mark.parametrize(("precision", "able", "dtype"), [
    ("float32", True, "float32"), ("bfloat16", False, "bfloat16"), ("auto", True, "bfloat16"),
    ("auto", False, "float32"),
])  # fmt: skip
def test_auto_is_bfloat16_where_the_processor_has_it(precision, able, dtype, monkeypatch, tmp_path):
    monkeypatch.setattr(provenance, "CPUINFO", tmp_path / "cpuinfo")
    assert network_dtype(CPU, "auto") == torch.float32  # a system that does not say
    provenance.CPUINFO.write_text("flags\t\t: fpu avx512f" + " avx512_bf16" * able + "\nbugs\t\t:\n")
    assert network_dtype(CPU, precision) == getattr(torch, dtype)
    assert network_dtype(torch.device("cuda"), precision) == torch.bfloat16


def test_terms_are_those_of_the_paper():
    assert {"adversarial", "l1"} <= set(build("pix2pix").step(BATCH, BATCH))
    assert {"adversarial", "l1", "mse", "ssim"} <= set(build("improved").step(BATCH, BATCH))
    assert {"adversarial", "cycle", "identity"} <= set(build("cyclegan").step(BATCH, BATCH))
    assert "ssim" not in build("pix2pix").step(BATCH, BATCH)


def test_a_weight_of_zero_switches_a_term_off():
    assert "ssim" not in build("improved", lambda_ssim=0.0).step(BATCH, BATCH)
    assert "identity" not in build("cyclegan", lambda_identity=0.0).step(BATCH, BATCH)


def test_without_adversarial_weight_the_generator_takes_no_notice_of_the_discriminator():
    one, other = build("improved", lambda_adversarial=0.0), build("improved", lambda_adversarial=0.0)
    with torch.no_grad():
        for parameter in other.discriminator.parameters():
            parameter.add_(0.1)
    for method in (one, other):
        method.step(BATCH, -BATCH)
    for mine, theirs in zip(one.generator.parameters(), other.generator.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_the_perceptual_term_is_never_dropped_for_want_of_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match="VGG19"):
        build("improved", lambda_perceptual=1.0, vgg_weights=str(tmp_path / "none.pth"))


def test_the_perceptual_term_counts(monkeypatch):
    monkeypatch.setattr(losses, "PerceptualLoss", lambda weights, network: torch.nn.MSELoss())
    recorded = build("improved", lambda_perceptual=4.0, lambda_ssim=0.0, lambda_mse=0.0).step(BATCH, -BATCH)
    total = recorded["adversarial"] + 100 * recorded["l1"] + 4 * recorded["perceptual"]
    assert torch.isclose(recorded["generator"], total)


@pytest.mark.parametrize("name", ["pix2pix", "improved"])
def test_the_generator_learns_one_pair(name):
    method = build(name, learning_rate=0.002)
    target = torch.full_like(BATCH, 0.4)
    recorded = [method.step(BATCH, target)["l1"].item() for _ in range(40)]
    assert recorded[-1] < 0.6 * recorded[0]


def test_nafnet_learns_one_pair_and_its_learning_rate_comes_and_goes():
    method = build("nafnet", steps=60, learning_rate=0.01)
    rates, recorded = [], []
    for _ in range(60):
        rates.append(method.generator_adam.param_groups[0]["lr"])
        recorded.append(method.step(BATCH, 0.5 * BATCH)["l1"].item())
    assert recorded[-1] < 0.3 * recorded[0]
    assert max(rates) == pytest.approx(method.experiment.learning_rate, rel=0.01)
    assert rates[0] < 0.2 * max(rates)
    assert rates[-1] < 0.02 * max(rates)


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11, 800])
def test_the_cycle_rises_to_its_peak_and_falls_to_nearly_nothing(steps):
    shares = [one_cycle(step, steps) for step in range(steps)]
    top = shares.index(max(shares))
    assert all(0 < share <= 1 for share in shares)
    assert shares[: top + 1] == sorted(shares[: top + 1])
    assert shares[top:] == sorted(shares[top:], reverse=True)
    if steps > 10:
        assert shares[-1] < 0.05


def test_cyclegan_learns_to_come_back():
    method = build("cyclegan", learning_rate=0.002)
    smooth = torch.nn.functional.avg_pool2d(BATCH, 5, 1, 2)
    recorded = [method.step(smooth, 0.5 * smooth)["cycle"].item() for _ in range(40)]
    assert recorded[-1] < 0.8 * recorded[0]


def test_cyclegans_generator_dries():
    """Its wet images are dark and its dry ones bright; the generator must learn to brighten."""
    method = build("cyclegan", learning_rate=0.002)
    dark, bright = BATCH * 0.1 - 0.7, BATCH * 0.1 + 0.7
    for _ in range(60):
        method.step(dark, bright)
    with torch.no_grad():
        assert method.generator(dark).mean() > 0 > method.F(bright).mean()


@pytest.mark.parametrize("name", METHODS)
def test_state_carries_on(name):
    first, second = build(name), build(name)
    first.step(BATCH, -BATCH)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    torch.manual_seed(1)
    one = first.step(BATCH, -BATCH)
    torch.manual_seed(1)
    other = second.step(BATCH, -BATCH)
    assert {key: value.item() for key, value in one.items()} == {key: value.item() for key, value in other.items()}


def test_the_pool_returns_older_images_once_it_is_full():
    torch.manual_seed(0)
    pool = ImagePool(size=2)
    images = [torch.full((1, 1, 1, 1), float(k)) for k in range(30)]
    returned = [int(pool.exchange(image)) for image in images]
    assert returned[:2] == [0, 1]
    assert any(late < k for k, late in enumerate(returned))
    assert len(pool.images) == 2
