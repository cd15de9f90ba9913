"""A training step, beside the same step written the default way.

The default way is a loop as tutorials have it: each image judged by itself, gradients for all weights, Adam and
PyTorch's other settings as they come, every loss read by ``.item()``, SSIM from pytorch-msssim. It trains networks of
the same layers, but PyTorch's own ones, in PyTorch's own order of memory. ``pl_bolts`` trains the networks of
lightning-bolts 0.7 in such a loop; its PatchGAN is smaller than Pix2Pix's (a fourth halving in place of the layer that
costs most).

A way is a process of its own, since some of what helps is set for the process: ``steps.py WAY METHOD WIDTH SIDE``
prints the fewest seconds of a step.
"""

from __future__ import annotations

import importlib.util
import sys
import time
import types
from pathlib import Path

from common import Row, as_pytorch_comes, processes_in_turn, start_process

STEPS, WARM_UP = 8, 3
FINDING = (
    "Three quarters of a Pix2Pix step are convolutions, which oneDNN computes as fast as the processor multiplies, and "
    "the largest is the discriminator's layer of 8 times the base width. The gain is fused Adam, no gradients for the "
    "frozen discriminator, one pass for real and generated pairs (1.03), and memory that is kept. In vain: a "
    "channels-last U-Net (0.94), instance norm as group norm (1.00-1.02), the smallest feature maps as matrix products "
    "(1.02), the last layer as a convolution to 12 channels (1.0-1.2 of that layer). Winograd convolutions of our own "
    "were taken out again: they make a step 1.2 times as fast at width 64 and 1.05 at width 32 on a processor with "
    "AVX-512, but the networks no longer read as the paper's, and bfloat16 (`precision`) gains more: 1.5 and 1.3. "
    "pl_bolts is not far behind where it is short, since its PatchGAN lacks that largest layer."
)
FINDING_SSIM = (
    "In Improved and NAFNet, SSIM was 36 ms of a step of 118 ms at 128 px, because PyTorch blurs planes one by one "
    "outside oneDNN's vector code; as channels of one channels-last image they take 3 ms. CycleGAN is convolutions "
    "almost alone: channels-last images with norms that keep them so (1.13; with a group norm of one channel a group "
    "0.9). With `precision=bfloat16`, a step of CycleGAN is 1.5 times as fast, of Improved 1.3, of NAFNet 1.2."
)


def measure() -> list[Row]:
    rows = []
    for width in (64, 32):
        ways = {name: (name, "pix2pix", width, 256) for name in ("orelib", "default")}
        if width == 64:  # the only width that pl_bolts has
            ways["pl_bolts"] = ("pl_bolts", "pix2pix", width, 256)
        seconds = processes_in_turn("steps.py", ways)
        for name in list(ways)[1:]:
            what, against = (
                f"Pix2Pix training step, width {width}",
                f"{name} loop".replace("pl_bolts loop", "pl_bolts 0.7"),
            )
            rows.append(Row(1, what, against, *seconds["orelib"], *seconds[name], 1.2, 1.5, finding=FINDING))
    for method, title in (("improved", "Improved"), ("cyclegan", "CycleGAN"), ("nafnet", "NAFNet")):
        seconds = processes_in_turn("steps.py", {name: (name, method, 24, 256) for name in ("orelib", "default")})
        what = f"{title} training step, as in `quick` but 256 px"
        rows.append(
            Row(2, what, "default loop", *seconds["orelib"], *seconds["default"], 1.2, 1.5, finding=FINDING_SSIM)
        )
    return rows


def main(way: str, method: str, width: int, side: int) -> None:
    start_process(as_the_kit=way == "orelib")
    import torch

    from orelib.config import Experiment
    from orelib.methods import CLASSES
    from orelib.training import start_torch

    changes = {"base_width": width, "unet_depth": side.bit_length() - 1, "mosaic_size": side, "threads": 2}
    if method == "pix2pix":
        changes["discriminator_width"] = width
    experiment = Experiment("quick", method, **changes)
    torch.manual_seed(0)
    torch.set_num_threads(2)
    x, y = torch.rand(2, experiment.batch_size, 3, side, side) * 2 - 1
    if way == "orelib":
        kit_method = CLASSES[method](experiment, start_torch(experiment))

        def step() -> None:
            torch.stack(list(kit_method.step(x, y).values())).tolist()

    elif way == "pl_bolts":
        step = gan_step(*bolts_networks(), x, y, reconstruction=l1_only)
    else:
        as_pytorch_comes()
        step = DEFAULT_WAYS[method](experiment, x, y)
    seconds = []
    for _ in range(WARM_UP + STEPS):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    print(min(seconds[WARM_UP:]))


# ---- the default ways --------------------------------------------------------------------------------------------


def adam(*networks):
    import torch

    return torch.optim.Adam([p for network in networks for p in network.parameters()], lr=2e-4, betas=(0.5, 0.999))


def l1_only(restored, y):
    return [100 * (restored - y).abs().mean()]


def gan_step(generator, judge, discriminator, x, y, reconstruction):
    """A step of a conditional GAN; ``judge(x, image)`` gives the discriminator's logits."""
    import torch
    from torch import nn

    cross_entropy = nn.BCEWithLogitsLoss()
    generator_adam, discriminator_adam = adam(generator), adam(discriminator)

    def step():
        restored = generator(x)
        discriminator_adam.zero_grad()
        fake, real = judge(x, restored.detach()), judge(x, y)
        fake = cross_entropy(fake, torch.zeros_like(fake))
        real = cross_entropy(real, torch.ones_like(real))
        ((fake + real) / 2).backward()
        discriminator_adam.step()
        generator_adam.zero_grad()
        logits = judge(x, restored)
        terms = [cross_entropy(logits, torch.ones_like(logits)), *reconstruction(restored, y)]
        sum(terms).backward()
        generator_adam.step()
        return [loss.item() for loss in (fake, real, *terms)]

    return step


def pix2pix(experiment, x, y, residual=False, reconstruction=l1_only):
    import torch

    from orelib.networks import InstanceNorm, PatchGAN, UNet

    generator = UNet(experiment.base_width, experiment.unet_depth, residual, InstanceNorm)
    discriminator = PatchGAN(6, experiment.discriminator_width)
    return gan_step(
        generator, lambda x, image: discriminator(torch.cat([x, image], 1)), discriminator, x, y, reconstruction
    )


def structural(restored, y):
    from pytorch_msssim import ssim

    return 100 * (1 - ssim((restored + 1) / 2, (y + 1) / 2, data_range=1.0))


def improved(experiment, x, y):
    def reconstruction(restored, y):
        return [*l1_only(restored, y), 100 * (restored - y).square().mean(), structural(restored, y)]

    return pix2pix(experiment, x, y, residual=True, reconstruction=reconstruction)


def cyclegan(experiment, x, y):
    import itertools

    import torch
    from torch import nn

    from orelib.methods.cyclegan import ImagePool
    from orelib.networks import PatchGAN, ResNetGenerator

    e, l1, square = experiment, nn.L1Loss(), nn.MSELoss()
    drying, wetting = (ResNetGenerator(e.cyclegan_width, e.cyclegan_blocks) for _ in range(2))
    judge_dry, judge_wet = (PatchGAN(3, e.discriminator_width) for _ in range(2))
    generator_adam, discriminator_adam = adam(drying, wetting), adam(judge_dry, judge_wet)
    pools = ImagePool(), ImagePool()

    def fooled(logits):
        return square(logits, torch.ones_like(logits))

    def step():
        dried, wetted = drying(x), wetting(y)
        for weight in itertools.chain(judge_dry.parameters(), judge_wet.parameters()):
            weight.requires_grad = False
        terms = [fooled(judge_dry(dried)), fooled(judge_wet(wetted))]
        terms += [10 * l1(wetting(dried), x), 10 * l1(drying(wetted), y), 5 * l1(drying(y), y), 5 * l1(wetting(x), x)]
        generator_adam.zero_grad()
        sum(terms).backward()
        generator_adam.step()
        for weight in itertools.chain(judge_dry.parameters(), judge_wet.parameters()):
            weight.requires_grad = True
        discriminator_adam.zero_grad()
        for judge, real, fake, pool in ((judge_dry, y, dried, pools[0]), (judge_wet, x, wetted, pools[1])):
            logits = judge(pool.exchange(fake.detach()))
            terms.append((fooled(judge(real)) + square(logits, torch.zeros_like(logits))) / 2)
            terms[-1].backward()
        discriminator_adam.step()
        return [loss.item() for loss in terms]

    return step


def nafnet(experiment, x, y):
    from orelib.nafnet import NAFNet

    generator = NAFNet(experiment.nafnet_width)
    optimizer = adam(generator)

    def step():
        restored = generator(x)
        terms = [*l1_only(restored, y), structural(restored, y)]
        optimizer.zero_grad()
        sum(terms).backward()
        optimizer.step()
        return [loss.item() for loss in terms]

    return step


DEFAULT_WAYS = {"pix2pix": pix2pix, "improved": improved, "cyclegan": cyclegan, "nafnet": nafnet}


def bolts_networks():
    """The networks of lightning-bolts' Pix2Pix; from its file alone, as the package no longer imports."""
    stubs = {name: types.ModuleType(name) for name in ("pl_bolts", "pl_bolts.utils", "pl_bolts.utils.stability")}
    stubs["pl_bolts.utils.stability"].under_review = lambda: lambda reviewed: reviewed
    folder = next(Path(place) for place in sys.path if (Path(place) / "pl_bolts").is_dir())
    sys.modules.update(stubs)
    path = folder / "pl_bolts" / "models" / "gans" / "pix2pix" / "components.py"
    spec = importlib.util.spec_from_file_location("components", path)
    components = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(components)
    generator, discriminator = components.Generator(3, 3), components.PatchGAN(6)
    return generator, lambda x, image: discriminator(image, x), discriminator


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
