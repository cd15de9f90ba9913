"""The trainings of the published experiment.

Every method is trained with several seeds, on the same pairs and Mosaic samples, with the same number of updates. A
step of CycleGAN takes three times as long, so CycleGAN is also trained with as many updates as fit into the time of
Improved. The ablation changes one thing at a time, by a field of :class:`~orelib.config.Experiment`.
"""

from __future__ import annotations

from dataclasses import dataclass

from orelib.config import METHODS, PUBLISHED, Experiment
from orelib.runs import Folders, Run

SEEDS = {"smoke": 2, "cpu": 5}  # trainings of every method; the other profiles have one
ABLATION_SEEDS = {"smoke": 2, "cpu": 3}
EQUAL_TIME = {"smoke": 2, "cpu": 700}  # CycleGAN's updates in the time that Improved takes for all of its own


@dataclass(frozen=True)
class Variant:
    """A method with some fields changed, trained with several seeds.

    ``key`` is its name in code, ``title`` its name in tables.
    """

    key: str
    title: str
    method: str
    changes: str
    seeds: int

    @property
    def name(self) -> str:
        """The name of its run folders, without the seed."""
        return Run(Folders("", changes=self.changes).run(self.method, 0)).variant


def table3_variants(profile: str) -> list[Variant]:
    """The rows of Table 3, and CycleGAN at equal time."""
    seeds = SEEDS.get(profile, 1)
    variants = [Variant(method, METHODS[method].title, method, "", seeds) for method in PUBLISHED]
    if profile in EQUAL_TIME:
        title, changes = "CycleGAN, in the time of Improved", f"steps={EQUAL_TIME[profile]}"
        variants.append(Variant("cyclegan_in_time", title, "cyclegan", changes, seeds))
    return variants


def ablation(profile: str) -> list[Variant]:
    """The parts of Improved, added one by one to a plain U-Net; and other settings of Improved, one at a time.

    A batch of 4 sees as many images as a batch of 1, so it takes a quarter of the updates. The perceptual loss has the
    weight of the profile ``paper``, but VGG16 in the place of VGG19, whose weights cannot be shipped.
    """
    if profile not in ABLATION_SEEDS:
        return []
    experiment, seeds = Experiment(profile, "improved"), ABLATION_SEEDS[profile]
    quarter = f"steps={experiment.steps // 4} validate_every={experiment.validate_every // 4}"
    changed = [
        ("residual", "residual modules", "lambda_mse=0 lambda_ssim=0"),
        ("residual_ssim", "residual modules, SSIM", "lambda_mse=0"),
        ("residual_mse", "residual modules, MSE", "lambda_ssim=0"),
        ("no_mosaic", "without Mosaic", "mosaic=False"),
        ("batch_4", "batch 4", f"batch_size=4 {quarter}"),
        ("rate_0.002", "learning rate 0.002", "learning_rate=0.002"),
        ("no_adversarial", "without adversarial loss", "lambda_adversarial=0"),
        ("window_7", "SSIM window of 7 px", "ssim_window=7"),
        ("vgg16", "with a perceptual loss (VGG16)", "lambda_perceptual=10.0 perceptual_network=vgg16"),
        ("shifted_1", "misaligned by 1 px", "misalignment_px=1"),
        ("shifted_3", "misaligned by 3 px", "misalignment_px=3"),
    ]
    return [Variant(key, title, "improved", changes, seeds) for key, title, changes in changed]


def all_variants(profile: str) -> list[Variant]:
    """All variants that a profile's experiment trains."""
    return [*table3_variants(profile), *ablation(profile)]


def variant_names(profile: str) -> dict[str, str]:
    """The name of each variant, as in its run folders, by its key."""
    return {variant.key: variant.name for variant in all_variants(profile)}
