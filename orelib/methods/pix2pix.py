"""Pix2Pix, and the paper's improved Pix2Pix."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orelib import losses
from orelib.config import Experiment
from orelib.methods.base import Losses, Method, frozen, together
from orelib.networks import PatchGAN, UNet


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
            loss = losses.PerceptualLoss(experiment.vgg_weights, experiment.perceptual_network)
            self.perceptual_loss = loss.to(device)

    @staticmethod
    def build_generator(experiment: Experiment) -> nn.Module:
        return UNet(experiment.base_width, experiment.unet_depth, residual=True)

    def reconstruction(self, restored: Tensor, y: Tensor) -> dict[str, tuple[float, Tensor]]:
        e = self.experiment
        terms = super().reconstruction(restored, y) | {"mse": (e.lambda_mse, losses.mse_loss(restored, y))}
        # SSIM and VGG are defined on values that start at 0.
        restored, y = (restored + 1) / 2, (y + 1) / 2
        if e.lambda_ssim:
            terms["ssim"] = (e.lambda_ssim, self.ssim_loss(restored, y))
        if self.perceptual_loss is not None:
            terms["perceptual"] = (e.lambda_perceptual, self.perceptual_loss(restored, y))
        return terms
