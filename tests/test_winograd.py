"""Convolutions with fewer multiplications: PyTorch's values and gradients, and where they are used."""

import gc
import weakref

import pytest
import torch
from torch import nn

from orelib import winograd

LAYERS = [
    (nn.Conv2d, dict(kernel_size=4, stride=1, padding=1, bias=False)),
    (nn.Conv2d, dict(kernel_size=4, stride=2, padding=1)),
    (nn.Conv2d, dict(kernel_size=3, stride=1, padding=1, padding_mode="reflect")),
    (nn.Conv2d, dict(kernel_size=3, stride=1, padding=0)),
    (nn.ConvTranspose2d, dict(kernel_size=4, stride=2, padding=1, bias=False)),
    (nn.ConvTranspose2d, dict(kernel_size=3, stride=1, padding=1)),
]


@pytest.fixture(params=LAYERS, ids=lambda layer: f"{layer[0].__name__}-{layer[1]['kernel_size']}-{layer[1]['stride']}")
def layers(request):
    """PyTorch's layer and ours, with the same weights."""
    kind, settings = request.param
    torch.manual_seed(0)
    theirs = kind(5, 7, **settings)
    ours = getattr(winograd, kind.__name__)(5, 7, **settings)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@pytest.fixture
def always(monkeypatch):
    """Used although it does not pay; ``calls`` counts how often it was asked for."""
    calls = []
    monkeypatch.setattr(winograd, "pays", lambda *arguments: calls.append(arguments) or True)
    return calls


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(1, 5, 12, 12), (2, 5, 14, 10), (3, 5, 8, 22)])
def test_values_and_gradients_are_pytorchs(always, layers, shape, order):
    image = torch.randn(shape)
    results = []
    for layer in layers:
        x = image.clone().contiguous(memory_format=order).requires_grad_()
        y = layer(x)
        torch.manual_seed(1)
        y.backward(torch.randn_like(y.contiguous()))
        results.append([y, x.grad, *(parameter.grad for parameter in layer.parameters())])
    assert always
    assert results[0][0].is_contiguous(memory_format=order) == results[1][0].is_contiguous(memory_format=order)
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5 * theirs.abs().max().item())


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("Conv2d", dict(kernel_size=3, groups=2)),
        ("Conv2d", dict(kernel_size=3, dilation=2)),
        ("Conv2d", dict(kernel_size=(3, 4))),
        ("Conv2d", dict(kernel_size=3, stride=(1, 2))),
        ("Conv2d", dict(kernel_size=3, padding="same")),
        ("ConvTranspose2d", dict(kernel_size=4, stride=2, output_padding=1)),
    ],
)
def test_other_layers_are_left_to_pytorch(always, kind, settings):
    layer, theirs = (getattr(module, kind)(4, 6, **settings) for module in (winograd, nn))
    layer.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 4, 12, 12)
    assert torch.equal(layer(x), theirs(x))
    assert not always


def test_no_gradient_is_computed_for_frozen_weights(always, layers):
    _, layer = layers
    layer.requires_grad_(False)
    x = torch.randn(1, 5, 12, 12, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert all(parameter.grad is None for parameter in layer.parameters())


@pytest.mark.parametrize(
    ("shape", "weight", "stride", "expected"),
    [
        ((2, 256, 31, 31), (512, 256, 4, 4), 1, True),  # Pix2Pix's discriminator at 256 px
        ((2, 128, 15, 15), (256, 128, 4, 4), 1, True),  # that of quick
        ((1, 3, 128, 128), (64, 3, 4, 4), 2, False),  # few channels
        ((1, 512, 2, 2), (512, 512, 4, 4), 2, False),  # few tiles
        ((2, 256, 128, 128), (256, 256, 5, 5), 1, False),  # more points than there are numbers for
        ((2, 256, 128, 128), (256, 256, 1, 1), 1, False),
        ((2, 256, 128, 128), (256, 256, 3, 3), 2, False),  # not a whole number of taps a pixel
    ],
)
def test_it_is_used_where_it_pays(shape, weight, stride, expected):
    image, weight = torch.empty(shape), torch.empty(weight)
    assert winograd.pays(image, weight, shape[2:], stride) is expected
    assert not winograd.pays(image.double(), weight, shape[2:], stride)
    assert not winograd.pays(image.to("meta"), weight, shape[2:], stride)


def test_it_pays_more_often_without_gradients():
    """Kernels are transformed once then: the U-Net's layers of few tiles."""
    image, weight = torch.empty(1, 1024, 16, 16), torch.empty(1024, 512, 4, 4)
    assert not winograd.pays(image, weight, (16, 16), 2)
    with torch.no_grad():
        assert winograd.pays(image, weight, (16, 16), 2)


def test_an_image_outside_a_batch_is_left_to_pytorch():
    assert winograd.Conv2d(64, 64, 3, padding=1)(torch.randn(64, 256, 256)).shape == (64, 256, 256)


def test_a_second_derivative_is_refused(always):
    layer = winograd.Conv2d(5, 7, 3, padding=1)
    x = torch.randn(1, 5, 12, 12, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_it_trains_after_it_has_restored(always, layers):
    """What is kept between calls must not be of the inference mode, in which nothing can be trained."""
    _, layer = layers
    winograd._transforms.cache_clear()
    with torch.inference_mode():
        layer(torch.randn(1, 5, 12, 12))
    layer(torch.randn(1, 5, 12, 12)).sum().backward()
    assert layer.weight.grad.abs().sum() > 0


def by_step(layer):
    """As the kit trains: PyTorch does not count the changes of a fused Adam."""
    with torch.enable_grad():
        layer(torch.randn(1, 5, 12, 12)).sum().backward()
    torch.optim.Adam(layer.parameters(), lr=0.1, fused=True).step()


CHANGES = {
    "step": by_step,
    "in place": lambda layer: layer.weight.mul_(2),
    "loaded": lambda layer: layer.load_state_dict({name: value * 2 for name, value in layer.state_dict().items()}),
    "another": lambda layer: setattr(layer, "weight", nn.Parameter(layer.weight * 2)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_kernels_are_transformed_once_until_they_change(always, layers, change, monkeypatch):
    theirs, ours = layers
    transformed, counted = winograd._transformed, []
    monkeypatch.setattr(winograd, "_transformed", lambda *arguments: counted.append(0) or transformed(*arguments))
    image = torch.randn(1, 5, 12, 12)
    with torch.no_grad():
        for _ in range(3):
            ours(image)
        assert len(counted) == 1
        CHANGES[change](ours)
        theirs.load_state_dict(ours.state_dict())
        expected = theirs(image)
        torch.testing.assert_close(ours(image), expected, rtol=0, atol=2e-5 * expected.abs().max().item())


def test_kept_kernels_go_with_their_layer(always):
    layer = winograd.Conv2d(5, 7, 3)
    with torch.inference_mode():
        layer(torch.randn(1, 5, 12, 12))
    assert layer in winograd._kept
    kept = weakref.ref(winograd._kept[layer][1])
    del layer
    gc.collect()
    assert kept() is None


def test_layers_made_for_restoring_alone_work(always):
    with torch.inference_mode():
        layer = winograd.Conv2d(5, 7, 3)
        assert layer(torch.randn(1, 5, 12, 12)).shape == (1, 7, 10, 10)
        assert layer not in winograd._kept
