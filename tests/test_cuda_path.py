"""What a training on a GPU does, as far as a machine without one can tell.

PyTorch's meta device stands for the GPU: it computes shapes and no values, so the paper's sizes cost nothing there.
test_methods.py has networks that compute in bfloat16 with losses in float32, and utils/test_devices.py which GPU a
process takes.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from orelib import losses, vgg
from orelib.checkpoint import RunLog
from orelib.config import METHODS, Experiment
from orelib.methods import CLASSES
from orelib.methods.base import Method

META = torch.device("meta")


@pytest.fixture(autouse=True)
def _plain_adam(monkeypatch):
    """The meta device has no fused optimisers."""
    adam = torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda *arguments, fused, **settings: adam(*arguments, **settings))


@pytest.fixture
def vgg19(monkeypatch):
    """VGG19 with random weights; those of the paper are 548 MB."""
    pytest.importorskip("torchvision")
    monkeypatch.setattr(losses, "vgg19_features", lambda layers, weights: vgg._layers(layers))


class OneDevice(TorchDispatchMode):
    """Within the block, no operation may take tensors of two devices; a single number may lie anywhere."""

    def __torch_dispatch__(self, function, types, arguments=(), settings=None):
        settings = settings or {}
        tensors = [each for each in tree_leaves((arguments, settings)) if isinstance(each, torch.Tensor)]
        found = {str(each.device) for each in tensors if each.dim()}
        assert len(found) < 2 or "copy" in str(function), f"{function} takes tensors on {sorted(found)}"
        return function(*arguments, **settings)


@pytest.mark.parametrize("name", METHODS)
def test_the_papers_networks_take_512_pixels(name):
    with META:
        method = CLASSES[name](Experiment("paper", name, lambda_perceptual=0.0), META)
    for key, network in method.networks.items():
        channels = next(layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)).in_channels
        made = network(torch.empty(1, channels, 512, 512, device=META))
        generates = network is method.generator or key == "F"
        assert made.shape == ((1, 3, 512, 512) if generates else (1, 1, 62, 62)), key
        assert all(parameter.is_meta for parameter in network.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_a_step_leaves_no_tensor_on_another_device(name, vgg19):
    method = CLASSES[name](Experiment("smoke", name, lambda_perceptual=1.0), META)  # made on the processor, as always
    image = torch.empty(1, 3, 32, 32, device=META)
    with OneDevice():
        recorded = [method.step(image, image) for _ in range(2)]
    assert all(loss.is_meta and loss.dtype == torch.float32 for step in recorded for loss in step.values())
    assert ("perceptual" in recorded[0]) == (name == "improved")


def test_the_perceptual_loss_of_features_in_bfloat16_is_float32(vgg19):
    """On CUDA it computes them so by itself."""
    torch.manual_seed(0)
    loss, dry = losses.PerceptualLoss(), torch.rand(1, 3, 32, 32)
    restored = (dry + 0.1 * torch.rand(1, 3, 32, 32)).requires_grad_()
    seen = []
    loss.features[0].register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
    whole = loss(restored, dry)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = loss(restored, dry)
    rounded.backward()
    assert seen == [torch.float32] * 2 + [torch.bfloat16] * 2
    assert rounded.dtype == restored.grad.dtype == torch.float32
    assert torch.isclose(rounded, whole, rtol=0.1)


def test_two_devices_are_noticed():
    with OneDevice(), pytest.raises(AssertionError, match="takes tensors on"):
        torch.nn.functional.conv2d(torch.empty(1, 3, 8, 8, device=META), torch.zeros(3, 3, 3, 3))


def test_a_checkpoint_holds_the_random_state_of_its_own_gpu_alone(tmp_path, experiment, monkeypatch):
    """That of another GPU may belong to another training, and to ask for it takes memory there."""
    states, second = {torch.device("cuda", 2): "mine"}, torch.device("cuda", 1)
    monkeypatch.setattr(torch.cuda, "get_rng_state", states.__getitem__)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: states.update({device: state}))
    kept = {}
    monkeypatch.setattr("orelib.checkpoint.write_checkpoint", lambda path, state: kept.update(state))
    for device in states:
        RunLog(tmp_path, _on(device, experiment)).save("checksum")
    for device in (second, torch.device("cpu")):
        log = RunLog(tmp_path, _on(device, experiment))
        log.random_state = kept["random_state"]
        log.restore_random_state()
    assert states == {torch.device("cuda", 2): "mine", second: "mine"}


def _on(device: torch.device, experiment: Experiment) -> Method:
    """A method without networks, on a device that this machine lacks."""
    return Method(experiment, device)
