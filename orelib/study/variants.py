"""The published experiment: which trainings it takes.

Every method is trained by several seeds on the same pairs, the same Mosaic samples and with the same number of
updates; CycleGAN, whose step takes three times as long, also with as many as fit into the time of Improved. The
ablation changes one thing at a time, by a field of :class:`~orelib.config.Experiment`.
"""

from __future__ import annotations

from dataclasses import dataclass

from orelib.config import METHODS, Experiment
from orelib.runs import Folders

SEEDS = {"smoke": 2, "cpu": 5}  # trainings of every method; the other profiles have one
ABLATION_SEEDS = {"smoke": 2, "cpu": 3}
EQUAL_TIME = {"smoke": 2, "cpu": 700}  # CycleGAN's updates in the time that Improved takes for all of its own


@dataclass(frozen=True)
class Variant:
    """A method with some fields changed, of which several seeds are trained. ``title`` is what tables call it."""

    title: str
    method: str
    changes: str
    seeds: int

    @property
    def name(self) -> str:
        """As in the names of its run folders, without the seed."""
        return Folders("", changes=self.changes).run(self.method, 0).name.removesuffix("-seed0")


def methods(profile: str) -> list[Variant]:
    """The rows of Table 3, and CycleGAN at equal time."""
    seeds = SEEDS.get(profile, 1)
    variants = [Variant(method, method, "", seeds) for method in METHODS]
    if profile in EQUAL_TIME:
        steps = EQUAL_TIME[profile]
        variants.append(Variant("CycleGAN, in the time of Improved", "cyclegan", f"steps={steps}", seeds))
    return variants


def ablation(profile: str) -> list[Variant]:
    """What Improved is made of, added one by one to a plain U-Net; and other settings of it, one at a time.

    A batch of 4 sees as many images as a batch of 1, so it takes a quarter of the updates.
    """
    if profile not in ABLATION_SEEDS:
        return []
    experiment, seeds = Experiment.from_profile(profile, "improved"), ABLATION_SEEDS[profile]
    quarter = f"steps={experiment.steps // 4} validate_every={experiment.validate_every // 4}"
    changed = {
        "residual modules": "lambda_mse=0 lambda_ssim=0",
        "residual modules, SSIM": "lambda_mse=0",
        "residual modules, MSE": "lambda_ssim=0",
        "without Mosaic": "mosaic=False",
        "batch 4": f"batch_size=4 {quarter}",
        "learning rate 0.002": "learning_rate=0.002",
        "without adversarial loss": "lambda_adversarial=0",
        "SSIM window of 7 px": "ssim_window=7",
        "misaligned by 1 px": "misalignment_px=1",
        "misaligned by 3 px": "misalignment_px=3",
    }
    return [Variant(title, "improved", changes, seeds) for title, changes in changed.items()]


def study(profile: str) -> list[Variant]:
    """All that is trained."""
    return [*methods(profile), *ablation(profile)]
