"""The base class of all methods: networks, optimisers, their state, and how a step is taken.

Letters follow the literature: x is the wet image (the condition), y the dry one, G the generator wet -> dry, D the
discriminator. (The paper's own text uses x and y both ways round.) Images are (N, 3, H, W) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from orelib.config import Experiment
from orelib.utils.provenance import has_bfloat16

Losses = dict[str, Tensor]


class Method:
    """The base class of all methods, with networks, optimisers, and their state.

    A method sets ``self.generator``, builds its networks with :meth:`network` and its optimisers with :meth:`adam`,
    and implements :meth:`step`. Everything built with them is saved in checkpoints.
    """

    paired = True  # whether wet and dry of a training sample show the same place
    generator: nn.Module

    def __init__(self, experiment: Experiment, device: torch.device):
        self.experiment, self.device = experiment, device
        self.networks: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}

    @staticmethod
    def build_generator(experiment: Experiment) -> nn.Module:
        """The generator wet -> dry, with fresh weights."""
        raise NotImplementedError

    def network(self, name: str, module: nn.Module) -> nn.Module:
        self.networks[name] = on_device(module, self.device, self.experiment.precision)
        return self.networks[name]

    def adam(self, name: str, *networks: nn.Module, betas: tuple[float, float] | None = None) -> torch.optim.Optimizer:
        parameters = [parameter for network in networks for parameter in network.parameters()]
        betas = betas or (self.experiment.beta1, 0.999)
        # fused: one pass over the weights; unfused, Adam took a third of a Pix2Pix step on a CPU
        self.optimizers[name] = torch.optim.Adam(parameters, lr=self.experiment.learning_rate, betas=betas, fused=True)
        return self.optimizers[name]

    def update(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def step(self, x: Tensor, y: Tensor) -> Losses:
        """One update of all networks; returns every loss term, unweighted, and ``generator``, the weighted sum."""
        raise NotImplementedError

    def state_dict(self) -> dict:
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
        }

    def load_state_dict(self, state: dict) -> None:
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])


def network_dtype(device: torch.device, precision: str) -> torch.dtype:
    """The dtype in which networks compute: bfloat16 on CUDA; on a processor as ``Experiment.precision`` says."""
    fast = device.type == "cuda" or (precision == "auto" and has_bfloat16())
    return torch.bfloat16 if fast or precision == "bfloat16" else torch.float32


def on_device(module: nn.Module, device: torch.device, precision: str) -> nn.Module:
    """Moves a network to a device. Under bfloat16 it computes in it where that is safe, and returns float32.

    So losses are always computed in float32, and no loss scaling is needed.
    """
    module.to(device)
    if network_dtype(device, precision) == torch.bfloat16:
        module.forward = torch.autocast(device.type, torch.bfloat16)(module.forward)
        module.register_forward_hook(lambda module, inputs, output: output.float())
    return module


def together(network: nn.Module, *batches: Tensor) -> tuple[Tensor, ...]:
    """Returns ``network(batch)`` of each batch, computed as one: equal, because norms are per image, and faster."""
    return network(torch.cat(batches)).chunk(len(batches))


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Within the block, gradients flow through the networks but are not computed for their weights."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)
