"""SSIM as a loss beside the libraries' that have one, and the scores of Table 3 beside a scikit-image loop."""

from __future__ import annotations

import time
from importlib.util import find_spec

import numpy as np
import torch
from common import Row, in_turn

from orelib import losses, metrics

SIDE, PAIRS = 512, 200
FINDING = (
    "PyTorch blurs single planes by a general convolution without vector code, which took nine tenths of the time. As "
    "channels of one channels-last image, the same planes take a depthwise kernel that treats 16 of them at a time."
)
FINDING_SCORES = (
    "As above; and in single precision, whose values differ from scikit-image's by 0.00003 at most on nearly even "
    "images and far less on others. Largest difference in this run: {difference:.1e}."
)


def measure() -> list[Row]:
    return [*loss_rows(), score_row()]


def loss_rows() -> list[Row]:
    torch.set_num_threads(2)
    torch.manual_seed(0)
    dry = torch.rand(1, 3, SIDE, SIDE)
    restored = (dry + 0.1 * torch.randn_like(dry)).clamp(0, 1)

    def forward_and_backward(loss):
        def run():
            loss(restored.clone().requires_grad_(), dry).backward()

        return run

    ways = {"orelib": losses.SSIMLoss(data_range=1.0)} | peers()
    values = {name: loss(restored, dry).item() for name, loss in ways.items()}
    # kornia and torchmetrics pad the image, so theirs differs in the fourth decimal.
    if max(values.values()) - min(values.values()) > 1e-3:
        raise RuntimeError(f"not the same loss: {values}")
    seconds = in_turn({name: forward_and_backward(loss) for name, loss in ways.items()}, rounds=15, warm_up=3)
    ours, fastest = seconds.pop("orelib"), min(seconds, key=seconds.get)
    what = f"SSIM loss, forward and backward, {SIDE} x {SIDE} RGB"
    return [
        Row(3, what, name, ours, theirs, *((1.0, 2.0) if name == fastest else (None, None)), finding=FINDING)
        for name, theirs in sorted(seconds.items(), key=lambda item: item[1])
    ]


def peers() -> dict:
    ways = {}
    if find_spec("pytorch_msssim"):
        from pytorch_msssim import ssim as msssim

        ways["pytorch-msssim"] = lambda x, y: 1 - msssim(x, y, data_range=1.0, win_size=11, win_sigma=1.5)
    if find_spec("kornia"):
        from kornia.metrics import ssim as kornia_ssim

        ways["kornia"] = lambda x, y: 1 - kornia_ssim(x, y, 11, max_val=1.0).mean()
    if find_spec("piq"):
        from piq import ssim as piq_ssim

        ways["piq"] = lambda x, y: (
            1 - piq_ssim(x, y, kernel_size=11, kernel_sigma=1.5, data_range=1.0, downsample=False)
        )
    if find_spec("torchmetrics"):
        from torchmetrics.functional.image import structural_similarity_index_measure as measure

        ways["torchmetrics"] = lambda x, y: 1 - measure(x, y, sigma=1.5, kernel_size=11, data_range=1.0)
    if not ways:
        raise RuntimeError("no peer is installed: make bench installs them")
    return ways


def score_row() -> Row:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    wang = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2)
    seconds = dict.fromkeys(("ours", "theirs"), 0.0)
    difference, rng = 0.0, np.random.default_rng(0)
    for _ in range(PAIRS):  # taking turns, pair by pair
        dry = rng.integers(30, 220, (SIDE // 8, SIDE // 8, 3)).repeat(8, 0).repeat(8, 1)
        restored = np.clip(dry + rng.normal(0, 12, dry.shape), 0, 255).astype(np.uint8)
        dry = dry.astype(np.uint8)
        began = time.perf_counter()
        ours = metrics.psnr(restored, dry), metrics.ssim(restored, dry)
        between = time.perf_counter()
        theirs = peak_signal_noise_ratio(dry, restored, data_range=255), structural_similarity(dry, restored, **wang)
        seconds["theirs"] += time.perf_counter() - between
        seconds["ours"] += between - began
        difference = max(difference, *np.abs(np.subtract(ours, theirs)))
    if difference > 1e-4:
        raise RuntimeError(f"not the same values: they differ by {difference}")
    what = f"PSNR and SSIM of {PAIRS} pairs of {SIDE} x {SIDE}"
    finding = FINDING_SCORES.format(difference=difference)
    return Row(4, what, "scikit-image loop", seconds["ours"], seconds["theirs"], 3, 6, finding=finding)
