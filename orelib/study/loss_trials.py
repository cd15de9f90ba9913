"""Small experiments on what each loss sees and prefers; no network is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from orelib import losses
from orelib.data.pairs import load_pairs
from orelib.data.scenes import render_pair
from orelib.metrics import colour_error, psnr, sharpness, ssim
from orelib.runs import Folders
from orelib.study.effects import is_there, scores
from orelib.study.table3 import PAPER
from orelib.utils.paths import shown

TERMS = ("luminance", "contrast", "structure")
GAINS = (("improved", "pix2pix"), ("improved+lambda_ssim=0", "pix2pix"), ("improved", "improved+lambda_ssim=0"))
ROWS = {
    "do_nothing": "the wet image",
    "linear_colour": "a straight line through the colours",
    "pix2pix": "Pix2Pix",
    "improved+lambda_ssim=0": "Improved without the SSIM loss",
    "improved": "Improved",
    "improved+lambda_adversarial=0": "Improved without its discriminator",
}
METRICS = {"psnr": "PSNR, dB", "ssim": "SSIM", "sharpness": "sharpness", "invented_edges": "invented edges"}
SCENE = 5_000_007  # a seed that no data set of the kit has
SIDE = 256  # px


def example_pair(folders: Folders) -> tuple[np.ndarray, np.ndarray]:
    """Returns one pair, wet and dry, uint8 of at most 256 px: a scene rendered for it, or the first test pair.

    Of larger photographs the middle is taken. Raises as :func:`~orelib.data.pairs.load_pairs`.
    """
    if folders.embedded:
        scene = render_pair(SCENE, (SIDE, SIDE), px_per_mm=5, wetness=0.6)
        return scene.wet, scene.dry
    wet, dry = load_pairs(folders).test[0].load()
    top, left = (max(0, (side - SIDE) // 2) for side in dry.shape[:2])
    return wet[top : top + SIDE, left : left + SIDE], dry[top : top + SIDE, left : left + SIDE]


def as_batch(image: np.ndarray) -> Tensor:
    """Returns an image, uint8 (H, W, 3), as the losses of a training take it: (1, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1


def loss_values(
    image: np.ndarray,
    dry: np.ndarray,
    window_size: int = losses.WINDOW_SIZE,
    perceptual: losses.PerceptualLoss | None = None,
) -> dict[str, float]:
    """Returns the losses of an image against the dry one, both uint8 (H, W, 3), as in a training of Improved.

    L1 and MSE of values in [-1, 1], the SSIM loss and a ``perceptual`` one of values in [0, 1].
    """
    x, y = as_batch(image), as_batch(dry)
    x01, y01 = (x + 1) / 2, (y + 1) / 2
    terms = {"L1": losses.l1_loss(x, y), "MSE": losses.mse_loss(x, y)}
    terms["SSIM loss"] = losses.SSIMLoss(1.0, window_size)(x01, y01)
    if perceptual is not None:
        terms["VGG loss"] = perceptual(x01, y01)
    return {name: value.item() for name, value in terms.items()}


def metric_values(image: np.ndarray, dry: np.ndarray) -> dict[str, float]:
    """Returns what tables report of an image, uint8 (H, W, 3): PSNR in dB, SSIM, sharpness and colour error."""
    return {
        "PSNR, dB": psnr(image, dry),
        "SSIM": ssim(image, dry),
        "sharpness": sharpness(image, dry),
        "colour error": colour_error(image, dry),
    }


def similarity_maps(image: np.ndarray, dry: np.ndarray, window_size: int = losses.WINDOW_SIZE) -> dict[str, np.ndarray]:
    """Returns the maps of luminance, contrast, structure and SSIM (eq. 6 to 9), means of three channels.

    Takes uint8 (H, W, 3); each map is (H, W), with NaN in the margin where no whole window fits.
    """
    x, y = ((as_batch(one) + 1) / 2 for one in (image, dry))
    terms = losses.ssim_terms(x, y, 1.0, losses.gaussian_window(size=window_size))
    margin = window_size // 2
    maps = dict(zip((*TERMS, "SSIM"), (*terms, terms[0] * terms[1] * terms[2]), strict=True))
    return {name: np.pad(values.mean(1)[0].numpy(), margin, constant_values=np.nan) for name, values in maps.items()}


def inside_and_outside(images: dict[str, np.ndarray], dry: np.ndarray, glare: np.ndarray) -> pd.DataFrame:
    """Returns the mean of each similarity map inside the glare, bool (H, W), and outside: a row per image and place."""
    rows = {}
    for name, image in images.items():
        maps = similarity_maps(image, dry)
        for place, mask in (("glare", glare), ("elsewhere", ~glare)):
            rows[name, place] = {term: np.nanmean(values[mask]) for term, values in maps.items()}
    return pd.DataFrame(rows).T.rename_axis(["image", "place"])


# ---- one answer to an uncertain question ---------------------------------------------------------------------------


def shifted_views(image: np.ndarray, radius: int = 3, largest: int = 72) -> Tensor:
    """Returns the middle of an image, uint8 (H, W, 3), as square grey views (1, K, side, side) in [0, 1].

    Each of the K is moved by other whole numbers of pixels, with an even sum, up to ``radius`` px in any direction; the
    first is not moved. K is odd. The side is at most ``largest`` px, or what is left of a small image.
    """
    size = min(largest, min(image.shape[:2]) - 2 * radius)
    grey = torch.from_numpy(image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255)
    reach = range(-radius, radius + 1)
    shifts = sorted(
        ((a, b) for a in reach for b in reach if (a + b) % 2 == 0 and a * a + b * b <= radius * radius),
        key=np.hypot.reduce,
    )
    top, left = ((side - size) // 2 for side in grey.shape)
    views = [grey[top + a : top + a + size, left + b : left + b + size] for a, b in shifts]
    return torch.stack(views)[None]


def striped_views(kind: str, radius: int = 3) -> Tensor:
    """Returns images (1, K, 11, 56) of an edge (``kind="edge"``) or a dark gap of 2 px, each at another place."""
    places = torch.arange(56)
    middles = range(28 - radius, 28 + radius + 1)
    lines = [places >= middle if kind == "edge" else (places - middle + 0.5).abs() > 1 for middle in middles]
    return 0.2 + 0.6 * torch.stack(lines).float()[None, :, None].expand(1, -1, 11, -1)


def best_guesses(possible: Tensor, steps: int = 60) -> dict[str, Tensor]:
    """Returns the image that has the least expected loss if each of some images may be the right one.

    ``possible`` is (1, K, H, W) in [0, 1], K odd, all equally likely. For MSE the best is their mean, for L1 their
    median, pixel by pixel; for the SSIM loss it is found by gradient descent from the mean. Each is (1, 1, H, W).
    """
    mean, median = possible.mean(1, keepdim=True), possible.median(1, keepdim=True).values
    guess = mean.clone().requires_grad_()
    adam = torch.optim.Adam([guess], lr=0.01)
    for _ in range(steps):
        adam.zero_grad()
        (1 - losses.ssim(guess.expand_as(possible), possible, 1.0).mean()).backward()
        adam.step()
    return {"MSE": mean, "L1": median, "SSIM": guess.detach().clamp(0, 1)}


def expected_scores(guesses: dict[str, Tensor], possible: Tensor) -> pd.DataFrame:
    """Returns the mean L1, MSE and SSIM of guesses over all images that may be right, and their spread: a row each.

    Spread is the standard deviation of grey values in [0, 1], here relative to the one of the possible images.
    """
    rows = {}
    for name, guess in guesses.items():
        each = guess.expand_as(possible)
        rows[name] = {
            "L1": losses.l1_loss(each, possible).item(),
            "MSE": losses.mse_loss(each, possible).item(),
            "SSIM": losses.ssim(each, possible, 1.0).mean().item(),
            "spread / true spread": (guess.std() / possible.std(dim=(2, 3)).mean()).item(),
        }
    return pd.DataFrame(rows).T


# ---- the discriminator ---------------------------------------------------------------------------------------------


def generator_gradients(probabilities: np.ndarray) -> pd.DataFrame:
    """Returns how hard each form of eq. 1 pulls at a generated image that D takes for real with some probability.

    The values are derivatives by D's logit, their signs left out: of ``log(1 - D)``, which eq. 1 holds, and of
    ``-log D``, which the code minimises.
    """
    logits = torch.logit(torch.as_tensor(probabilities, dtype=torch.float64)).requires_grad_()
    forms = {
        "log(1 - D)": -losses.discriminator_loss(logits, logits)[1],
        "-log D": losses.adversarial_loss(logits),
    }
    pulls = {name: torch.autograd.grad(loss, logits)[0].abs() * len(logits) for name, loss in forms.items()}
    return pd.DataFrame(pulls, index=pd.Index(probabilities, name="D"))


def discriminator_losses(probabilities: np.ndarray) -> list[float]:
    """Returns the negative of eq. 1 for a D that is right about every pair with each of these probabilities."""
    logits = torch.logit(torch.as_tensor(probabilities, dtype=torch.float64))
    return [sum(losses.discriminator_loss(logit, -logit)).item() for logit in logits]


# ---- the gain of Improved ------------------------------------------------------------------------------------------


def gains(*folders: Path) -> pd.DataFrame:
    """Returns what Improved gains over Pix2Pix, and where: a row for the paper, and rows for each folder of results.

    Gains in dB and in SSIM, and the share of the other's error that they take away: of its MSE, and of 1 - SSIM. What a
    folder has no scores of is left out.
    """
    rows = {"the paper: Improved over Pix2Pix": _gain(PAPER["improved"], PAPER["pix2pix"])}
    for folder in folders:
        for one, other in GAINS:
            if is_there(folder, one, other):
                title = f"{shown(folder)}: {ROWS[one]} over {ROWS[other]}"
                rows[title] = _gain(_means(folder, one), _means(folder, other))
    return pd.DataFrame(rows).T


def standings(folder: Path) -> pd.DataFrame:
    """Returns the mean scores of the published experiment that tell blur from wrong texture; empty where it is not."""
    if not is_there(folder, *ROWS):
        return pd.DataFrame(columns=list(METRICS))
    means = {title: {metric: _mean(folder, name, metric) for metric in METRICS} for name, title in ROWS.items()}
    return pd.DataFrame(means).T.rename(columns=METRICS)


def _mean(folder: Path, name: str, metric: str) -> float:
    return float(np.nanmean(scores(folder, name, metric)))


def _means(folder: Path, name: str) -> tuple[float, float]:
    return _mean(folder, name, "psnr"), _mean(folder, name, "ssim")


def _gain(improved: tuple[float, float], other: tuple[float, float]) -> dict[str, float]:
    decibel, similarity = improved[0] - other[0], improved[1] - other[1]
    return {
        "PSNR, dB": decibel,
        "SSIM": similarity,
        "MSE taken away, %": 100 * (1 - 10 ** (-decibel / 10)),
        "1 - SSIM taken away, %": 100 * similarity / (1 - other[1]),
    }
