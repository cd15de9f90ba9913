"""Methods without a discriminator, which the paper does not have: NAFNet and Slim."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from orelib import losses, nafnet
from orelib.config import Experiment
from orelib.methods.base import Losses, Method
from orelib.networks import UNet


class Supervised(Method):
    """A generator trained on pairs alone, without a discriminator; not in the paper.

    L1 and SSIM (eq. 2 and 5) at the weights that Improved uses; Adam with a learning rate that rises and falls once
    (:func:`one_cycle`) in place of the paper's constant one. Nothing more, because nothing more helped on validation
    images under quick: not a larger weight on glare, glare as a second target, three wetness levels of each scene or
    four times as many scenes, flips, an average of weights (EMA), or PSNR as the loss. A jitter of colours cost 1.1 dB.
    """

    def __init__(self, experiment: Experiment, device: torch.device):
        super().__init__(experiment, device)
        e = experiment
        self.generator = self.network("generator", self.build_generator(e))
        self.ssim_loss = losses.SSIMLoss(1.0, experiment.ssim_window).to(device)
        self.generator_adam = self.adam("generator", self.generator, betas=(0.9, 0.99))
        self.schedule = LambdaLR(self.generator_adam, lambda step: one_cycle(step, e.steps))

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


class NAFNet(Supervised):
    """NAFNet (Chen et al. 2022), a restoration network that predicts the change of the image; not in the paper."""

    @staticmethod
    def build_generator(experiment: Experiment) -> nn.Module:
        return nafnet.NAFNet(experiment.nafnet_width)


class Slim(Supervised):
    """A U-Net of an eighth of Pix2Pix's width, for machines without a GPU; not in the paper.

    Trained as NAFNet is, without a discriminator. Batch norms, because their statistics are fixed after training: a
    restored pixel then depends only on its surroundings, and the norms cost nothing. On validation images
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
