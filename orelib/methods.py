"""The methods of Table 3: Pix2Pix, the paper's improved Pix2Pix and CycleGAN; NAFNet and Slim, which it does not have.

A training step reads as its algorithm.

Letters follow the literature: x is the wet image (the condition), y the dry one, G the generator wet -> dry, D the
discriminator. (The paper's own text uses x and y both ways round.) Images are (N, 3, H, W) in [-1, 1].

A further method is one more class here, in ``METHODS`` of ``config`` and in :data:`METHOD_CLASSES`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from orelib import losses
from orelib.config import Experiment
from orelib.nafnet import NAFNet
from orelib.networks import PatchGAN, ResNetGenerator, UNet

Losses = dict[str, Tensor]


class Method:
    """What all methods share: networks, optimisers, and their state.

    A method sets ``self.generator``, builds its networks with :meth:`network` and its optimisers with :meth:`adam`,
    and implements :meth:`step`. Everything built so is checkpointed.
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
        self.networks[name] = on_device(module, self.device)
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


def on_device(module: nn.Module, device: torch.device) -> nn.Module:
    """Moves a network; on CUDA it then computes in bfloat16 where that is safe and answers in float32.

    So losses are always computed in float32, and no loss scaling is needed.
    """
    module.to(device)
    if device.type == "cuda":
        module.forward = torch.autocast("cuda", torch.bfloat16)(module.forward)
        module.register_forward_hook(lambda module, inputs, output: output.float())
    return module


def together(network: nn.Module, *batches: Tensor) -> tuple[Tensor, ...]:
    """``network(batch)`` of each batch, computed as one: the same, since norms are per image, and faster."""
    return network(torch.cat(batches)).chunk(len(batches))


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Within, gradients flow through the networks but are not computed for their weights."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)


class Pix2Pix(Method):
    """Pix2Pix (Isola et al. 2017), the paper's baseline 1: ``G* = arg min_G max_D L_cGAN + lambda L_L1``, eq. 3."""

    def __init__(self, experiment: Experiment, device: torch.device):
        super().__init__(experiment, device)
        self.generator = self.network("generator", self.build_generator(experiment))
        self.discriminator = self.network("discriminator", PatchGAN(6, experiment.discriminator_width))
        self.generator_adam = self.adam("generator", self.generator)
        self.discriminator_adam = self.adam("discriminator", self.discriminator)

    @staticmethod
    def build_generator(experiment: Experiment) -> nn.Module:
        return UNet(experiment.base_width, experiment.unet_depth)

    def reconstruction(self, restored: Tensor, y: Tensor) -> dict[str, tuple[float, Tensor]]:
        """The terms that compare with the dry image: name -> (weight, loss)."""
        return {"l1": (self.experiment.lambda_l1, losses.l1_loss(restored, y))}

    def step(self, x: Tensor, y: Tensor) -> Losses:
        restored = self.generator(x)
        return self.discriminator_step(x, y, restored) | self.generator_step(x, y, restored)

    def discriminator_step(self, x: Tensor, y: Tensor, restored: Tensor) -> Losses:
        # detach: this step must not reach the generator
        real, fake = losses.discriminator_loss(
            *together(self.discriminator, torch.cat([x, y], 1), torch.cat([x, restored.detach()], 1))
        )
        # Half of eq. 1 slows D down relative to G (Isola et al. 2017, section 3.3); eq. 1 itself is recorded.
        self.update(self.discriminator_adam, (real + fake) / 2)
        return {"discriminator": real + fake, "discriminator_real": real, "discriminator_fake": fake}

    def generator_step(self, x: Tensor, y: Tensor, restored: Tensor) -> Losses:
        e = self.experiment
        with frozen(self.discriminator):
            adversarial = losses.adversarial_loss(self.discriminator(torch.cat([x, restored], 1)))
            terms = {"adversarial": (e.lambda_adversarial, adversarial)} | self.reconstruction(restored, y)
            total = sum(weight * loss for weight, loss in terms.values())
            self.update(self.generator_adam, total)
        return {"generator": total} | {name: loss for name, (_, loss) in terms.items()}


class Improved(Pix2Pix):
    """The paper's method ("Ours"): a residual U-Net trained with L1 + MSE + SSIM + perceptual + adversarial losses.

    Fig. 3 and sections 2.1-2.3. With a weight of 0, the SSIM and perceptual terms are not even computed.
    """

    def __init__(self, experiment: Experiment, device: torch.device):
        super().__init__(experiment, device)
        self.ssim_loss = losses.SSIMLoss(1.0, experiment.ssim_window).to(device)
        self.perceptual_loss = None
        if experiment.lambda_perceptual:
            self.perceptual_loss = losses.PerceptualLoss(experiment.vgg_weights).to(device)

    @staticmethod
    def build_generator(experiment: Experiment) -> nn.Module:
        return UNet(experiment.base_width, experiment.unet_depth, residual=True)

    def reconstruction(self, restored: Tensor, y: Tensor) -> dict[str, tuple[float, Tensor]]:
        e = self.experiment
        terms = super().reconstruction(restored, y) | {"mse": (e.lambda_mse, losses.mse_loss(restored, y))}
        # SSIM and VGG19 are defined on values that start at 0.
        restored, y = (restored + 1) / 2, (y + 1) / 2
        if e.lambda_ssim:
            terms["ssim"] = (e.lambda_ssim, self.ssim_loss(restored, y))
        if self.perceptual_loss is not None:
            terms["perceptual"] = (e.lambda_perceptual, self.perceptual_loss(restored, y))
        return terms


class CycleGAN(Method):
    """CycleGAN (Zhu et al. 2017), the paper's baseline 2: unpaired, G: wet -> dry and F: dry -> wet.

    ``y`` of a training sample shows other photographs than ``x``.
    """

    paired = False

    def __init__(self, experiment: Experiment, device: torch.device):
        super().__init__(experiment, device)
        e = experiment
        self.generator = self.network("generator", self.build_generator(e))  # G
        self.wetting = self.network("wetting", self.build_generator(e))  # F
        self.judge_dry = self.network("judge_dry", PatchGAN(3, e.discriminator_width))
        self.judge_wet = self.network("judge_wet", PatchGAN(3, e.discriminator_width))
        self.generator_adam = self.adam("generators", self.generator, self.wetting)
        self.discriminator_adam = self.adam("discriminators", self.judge_dry, self.judge_wet)
        self.past_dry, self.past_wet = ImagePool(), ImagePool()

    @staticmethod
    def build_generator(experiment: Experiment) -> nn.Module:
        return ResNetGenerator(experiment.cyclegan_width, experiment.cyclegan_blocks)

    def step(self, x: Tensor, y: Tensor) -> Losses:
        generator_losses, dried, wetted = self.generator_step(x, y)
        return generator_losses | self.discriminator_step(x, y, dried, wetted)

    def generator_step(self, x: Tensor, y: Tensor) -> tuple[Losses, Tensor, Tensor]:
        e = self.experiment
        with frozen(self.judge_dry, self.judge_wet):
            if e.lambda_identity:
                (dried, still_dry), (wetted, still_wet) = together(self.generator, x, y), together(self.wetting, y, x)
            else:
                dried, wetted = self.generator(x), self.wetting(y)
            adversarial = losses.least_squares_adversarial_loss(
                self.judge_dry(dried)
            ) + losses.least_squares_adversarial_loss(self.judge_wet(wetted))
            cycle = losses.cycle_loss(x, self.wetting(dried)) + losses.cycle_loss(y, self.generator(wetted))
            terms = {"adversarial": (e.lambda_adversarial, adversarial), "cycle": (e.lambda_cycle, cycle)}
            if e.lambda_identity:
                identity = losses.identity_loss(y, still_dry) + losses.identity_loss(x, still_wet)
                terms["identity"] = (e.lambda_identity, identity)
            total = sum(weight * loss for weight, loss in terms.values())
            self.update(self.generator_adam, total)
        recorded = {"generator": total} | {name: loss for name, (_, loss) in terms.items()}
        return recorded, dried.detach(), wetted.detach()

    def discriminator_step(self, x: Tensor, y: Tensor, dried: Tensor, wetted: Tensor) -> Losses:
        # Older generated images among the new keep the discriminators from chasing the last step alone.
        dried, wetted = self.past_dry.exchange(dried), self.past_wet.exchange(wetted)
        dry = sum(losses.least_squares_discriminator_loss(*together(self.judge_dry, y, dried)))
        wet = sum(losses.least_squares_discriminator_loss(*together(self.judge_wet, x, wetted)))
        self.update(self.discriminator_adam, (dry + wet) / 2)
        return {"discriminator": dry, "discriminator_wet": wet}

    def state_dict(self) -> dict:
        return super().state_dict() | {"past_dry": self.past_dry.images, "past_wet": self.past_wet.images}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.past_dry.images = [image.to(self.device) for image in state["past_dry"]]
        self.past_wet.images = [image.to(self.device) for image in state["past_wet"]]


class ImagePool:
    """The last generated images, at most 50 (Shrivastava et al. 2017, as CycleGAN uses it)."""

    def __init__(self, size: int = 50):
        self.size = size
        self.images: list[Tensor] = []

    def exchange(self, batch: Tensor) -> Tensor:
        """Stores new images; half of the time each is swapped for an older one, once the pool is full."""
        chosen = []
        for image in batch:
            if len(self.images) < self.size:
                self.images.append(image)
            elif torch.rand(()) < 0.5:
                slot = int(torch.randint(self.size, ()))
                image, self.images[slot] = self.images[slot], image
            chosen.append(image)
        return torch.stack(chosen)


class Supervised(Method):
    """NAFNet trained on pairs alone, without a discriminator; not in the paper.

    L1 and SSIM (eq. 2 and 5) at the weights that Improved uses; Adam with a learning rate that rises and falls once
    (:func:`one_cycle`) in place of the paper's constant one. Nothing more, because nothing more paid on validation
    images under quick: not a heavier weight on glare, glare as a second target, three wetness levels of each scene or
    four times as many scenes, flips, an average of weights (EMA), or PSNR as the loss. A jitter of colours cost 1.1 dB.
    """

    def __init__(self, experiment: Experiment, device: torch.device):
        super().__init__(experiment, device)
        e = experiment
        self.generator = self.network("generator", self.build_generator(e))
        self.ssim_loss = losses.SSIMLoss(1.0, experiment.ssim_window).to(device)
        self.generator_adam = self.adam("generator", self.generator, betas=(0.9, 0.99))
        self.schedule = LambdaLR(self.generator_adam, lambda step: one_cycle(step, e.steps))

    @staticmethod
    def build_generator(experiment: Experiment) -> nn.Module:
        return NAFNet(experiment.nafnet_width)

    def step(self, x: Tensor, y: Tensor) -> Losses:
        e = self.experiment
        restored = self.generator(x)
        l1, ssim = losses.l1_loss(restored, y), self.ssim_loss((restored + 1) / 2, (y + 1) / 2)
        total = e.lambda_l1 * l1 + e.lambda_ssim * ssim
        self.update(self.generator_adam, total)
        self.schedule.step()
        return {"generator": total, "l1": l1, "ssim": ssim}

    def state_dict(self) -> dict:
        return super().state_dict() | {"schedule": self.schedule.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.schedule.load_state_dict(state["schedule"])


class Slim(Supervised):
    """A U-Net of an eighth of Pix2Pix's width, for machines without a GPU; not in the paper.

    Trained as NAFNet is, without a discriminator. Batch norms, because their statistics are fixed after training: the
    restorer then sees no more of a photograph than is near a pixel, and the norms cost nothing. On validation images
    they did better (23.4 dB, SSIM 0.82, four samples a step) than instance norms (22.7 dB, 0.81, two samples a step;
    3,000 steps under quick).
    """

    @staticmethod
    def build_generator(experiment: Experiment) -> nn.Module:
        return UNet(experiment.slim_width, experiment.unet_depth, norm=nn.BatchNorm2d)


def one_cycle(step: int, steps: int) -> float:
    """Share of the highest learning rate: rises over the first tenth of the steps, falls as half a cosine to nearly 0.

    One cycle as Smith & Topin (2018) train; a rise over three tenths did a little worse on validation images.
    """
    rise = max(1, steps // 10)
    if step < rise:
        return (step + 1) / rise
    return (1 + math.cos(math.pi * (step - rise + 1) / (steps - rise + 1))) / 2


METHOD_CLASSES: dict[str, type[Method]] = {
    "pix2pix": Pix2Pix,
    "cyclegan": CycleGAN,
    "improved": Improved,
    "nafnet": Supervised,
    "slim": Slim,
}
