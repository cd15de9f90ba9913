"""CycleGAN."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orelib import losses
from orelib.config import Experiment
from orelib.methods.base import Losses, Method, frozen, together
from orelib.networks import PatchGAN, ResNetGenerator


class CycleGAN(Method):
    """CycleGAN (Zhu et al. 2017), the paper's baseline 2: unpaired, G: wet -> dry and F: dry -> wet.

    ``y`` of a training sample shows other photographs than ``x``.
    """

    paired = False

    def __init__(self, experiment: Experiment, device: torch.device):
        super().__init__(experiment, device)
        e = experiment
        self.generator = self.G = self.network("generator", self.build_generator(e))
        self.F = self.network("F", self.build_generator(e))
        self.D_dry = self.network("D_dry", PatchGAN(3, e.discriminator_width))
        self.D_wet = self.network("D_wet", PatchGAN(3, e.discriminator_width))
        self.generator_adam = self.adam("generators", self.G, self.F)
        self.discriminator_adam = self.adam("discriminators", self.D_dry, self.D_wet)
        self.dry_pool, self.wet_pool = ImagePool(), ImagePool()

    @staticmethod
    def build_generator(experiment: Experiment) -> nn.Module:
        return ResNetGenerator(experiment.cyclegan_width, experiment.cyclegan_blocks)

    def step(self, x: Tensor, y: Tensor) -> Losses:
        generator_losses, dried, wetted = self.generator_step(x, y)
        return generator_losses | self.discriminator_step(x, y, dried, wetted)

    def generator_step(self, x: Tensor, y: Tensor) -> tuple[Losses, Tensor, Tensor]:
        e = self.experiment
        with frozen(self.D_dry, self.D_wet):
            if e.lambda_identity:
                (dried, still_dry), (wetted, still_wet) = together(self.G, x, y), together(self.F, y, x)
            else:
                dried, wetted = self.G(x), self.F(y)
            adversarial = losses.least_squares_adversarial_loss(
                self.D_dry(dried)
            ) + losses.least_squares_adversarial_loss(self.D_wet(wetted))
            cycle = losses.cycle_loss(x, self.F(dried)) + losses.cycle_loss(y, self.G(wetted))
            terms = {"adversarial": (e.lambda_adversarial, adversarial), "cycle": (e.lambda_cycle, cycle)}
            if e.lambda_identity:
                identity = losses.identity_loss(y, still_dry) + losses.identity_loss(x, still_wet)
                terms["identity"] = (e.lambda_identity, identity)
            total = sum(weight * loss for weight, loss in terms.values())
            self.update(self.generator_adam, total)
        recorded = {"generator": total} | {name: loss for name, (_, loss) in terms.items()}
        return recorded, dried.detach(), wetted.detach()

    def discriminator_step(self, x: Tensor, y: Tensor, dried: Tensor, wetted: Tensor) -> Losses:
        # Older generated images among the new ones keep the discriminators from following only the last step.
        dried, wetted = self.dry_pool.exchange(dried), self.wet_pool.exchange(wetted)
        dry = sum(losses.least_squares_discriminator_loss(*together(self.D_dry, y, dried)))
        wet = sum(losses.least_squares_discriminator_loss(*together(self.D_wet, x, wetted)))
        self.update(self.discriminator_adam, (dry + wet) / 2)
        return {"discriminator": dry, "discriminator_wet": wet}

    def state_dict(self) -> dict:
        return super().state_dict() | {"dry_pool": self.dry_pool.images, "wet_pool": self.wet_pool.images}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.dry_pool.images = [image.to(self.device) for image in state["dry_pool"]]
        self.wet_pool.images = [image.to(self.device) for image in state["wet_pool"]]


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
