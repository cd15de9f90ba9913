"""What a PatchGAN's logits judge: the patch that each one sees, and a small discriminator to try it on.

Runs keep no discriminator. :func:`train_discriminator` trains a narrow one in seconds, which is enough to tell sharp
rock from blurred rock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from orelib.data.mosaic import to_network
from orelib.data.scenes import Scene
from orelib.losses import discriminator_loss
from orelib.networks import PatchGAN
from orelib.views.networks.anatomy import shapes

Images = tuple[np.ndarray, np.ndarray]  # what D gets: the wet image, and the one to judge; uint8 (H, W, 3) each
MARK = "#D55E00"


@dataclass(frozen=True)
class Field:
    """The pixels that one value of a feature map depends on, along rows and columns alike.

    Value number k depends on ``size`` px from ``start + k * step`` on; pixels outside the image are padding.
    """

    size: int = 1
    step: int = 1
    start: int = 0

    def after(self, layer: nn.Conv2d) -> Field:
        """Returns the field of the values that a convolution computes from these."""
        (kernel, *_), (stride, *_), (padding, *_) = layer.kernel_size, layer.stride, layer.padding
        return Field(self.size + (kernel - 1) * self.step, self.step * stride, self.start - padding * self.step)

    def window(self, k: int) -> tuple[int, int]:
        """Returns the first pixel that value number ``k`` depends on, and the one behind the last."""
        return self.start + k * self.step, self.start + k * self.step + self.size

    def nearest(self, pixel: float, count: int) -> int:
        """Returns the number of the value, of ``count``, in whose middle a pixel is."""
        return min(count - 1, max(0, round((pixel - self.start - (self.size - 1) / 2) / self.step)))


def receptive_field(discriminator: PatchGAN) -> Field:
    """Returns the field of one logit, from kernel sizes, strides and paddings.

    The instance norms are left out: they also let mean and spread of each whole channel in.
    """
    field = Field()
    for layer in discriminator.modules():
        if isinstance(layer, nn.Conv2d):
            field = field.after(layer)
    return field


def fields_table(discriminator: PatchGAN, size: int = 512) -> pd.DataFrame:
    """Returns a row per convolution of a PatchGAN: kernel, stride, its output, and how many px one value sees."""
    seen, field, rows = shapes(discriminator, size), Field(), []
    for name, layer in discriminator.named_modules():
        if isinstance(layer, nn.Conv2d):
            field = field.after(layer)
            channels, height, width = seen[name][1]
            rows.append((layer.kernel_size[0], layer.stride[0], channels, f"{height} x {width}", field.size))
    columns = ["kernel", "stride", "channels", "grid", "one value sees, px"]
    return pd.DataFrame(rows, columns=columns, index=pd.RangeIndex(1, len(rows) + 1, name="convolution"))


# ---- images to judge, and a small discriminator --------------------------------------------------------------------


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blurs an image, uint8 (H, W, 3), by a Gaussian of ``sigma`` px."""
    return gaussian_filter(image, (sigma, sigma, 0))


def blurred_inside(image: np.ndarray, sigma: float, radius: float = 0.3) -> np.ndarray:
    """Blurs a disc in the middle of an image, uint8 (H, W, 3); ``radius`` is a share of its height."""
    height, width = image.shape[:2]
    rows, columns = np.ogrid[:height, :width]
    inside = np.hypot(rows - height / 2, columns - width / 2) < radius * height
    return np.where(inside[..., None], blurred(image, sigma), image)


def quarters_swapped(image: np.ndarray) -> np.ndarray:
    """Exchanges the quarters of an image across its middle."""
    return np.roll(image, (image.shape[0] // 2, image.shape[1] // 2), axis=(0, 1))


def lessons(scenes: Sequence[Scene], sigma: float = 3) -> tuple[list[Images], list[Images]]:
    """Returns real pairs to learn from, x with y, and fake ones, x with y blurred."""
    return [(scene.wet, scene.dry) for scene in scenes], [(scene.wet, blurred(scene.dry, sigma)) for scene in scenes]


def exam(scene: Scene, restored: np.ndarray, sigma: float = 3) -> dict[str, Images]:
    """Returns pairs to judge, by name; in the last, the quarters of wet and dry are exchanged alike."""
    wet, dry = scene.wet, scene.dry
    return {
        "dry": (wet, dry),
        "dry, blurred": (wet, blurred(dry, sigma)),
        "dry, blurred in a disc": (wet, blurred_inside(dry, sigma)),
        "restored": (wet, restored),
        "wet": (wet, wet),
        "dry, quarters exchanged": (quarters_swapped(wet), quarters_swapped(dry)),
    }


def small_discriminator(width: int = 8, seed: int = 0) -> PatchGAN:
    """Builds a narrow PatchGAN without instance norms, whose logits then depend on their patches and on nothing else.

    Its weights are larger than elsewhere in the kit (He et al. 2015), because no norm brings features to one scale.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PatchGAN(6, width)
        network.layers = nn.Sequential(*(layer for layer in network.layers if not isinstance(layer, nn.InstanceNorm2d)))
        for layer in network.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.2, nonlinearity="leaky_relu")
    return network


def train_discriminator(
    network: PatchGAN, real: Sequence[Images], fake: Sequence[Images], seed: int = 0, steps: int = 300, crop: int = 72
) -> PatchGAN:
    """Trains a discriminator by eq. 1 to tell ``real`` pairs from ``fake`` ones; no generator is trained against it.

    Each step sees a window of ``crop`` px of two real and of two fake pairs. Images have at least ``crop`` px a side.
    The same arguments give the same network on one machine.
    """
    rng = np.random.default_rng(seed)
    adam = torch.optim.Adam(network.parameters(), lr=0.002, betas=(0.5, 0.999))
    for _ in range(steps):
        batch = [_window(pairs[rng.integers(len(pairs))], crop, rng) for pairs in (real, real, fake, fake)]
        logits = network(torch.cat(batch))
        loss = sum(discriminator_loss(logits[:2], logits[2:])) / 2
        adam.zero_grad()
        loss.backward()
        adam.step()
    return network.eval()


def _window(images: Images, crop: int, rng: np.random.Generator) -> Tensor:
    """Cuts the same window out of both images, as the discriminator takes them: (1, 6, crop, crop) in [-1, 1]."""
    height, width = images[0].shape[:2]
    top, left = rng.integers(height - crop, endpoint=True), rng.integers(width - crop, endpoint=True)
    return _joined(tuple(image[top : top + crop, left : left + crop] for image in images))


def _joined(images: Images) -> Tensor:
    cpu = torch.device("cpu")
    return torch.cat([to_network(torch.from_numpy(image.copy())[None], cpu) for image in images], dim=1)


@torch.no_grad()
def logits_of(discriminator: PatchGAN, images: Images) -> np.ndarray:
    """Returns the grid of logits, float32 (h, w), for a wet image and one to judge."""
    return discriminator(_joined(images))[0, 0].numpy()


def judgements_table(logits: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Returns a row per judged image: mean logit, mean probability, and the share of patches taken for real."""
    rows = {
        name: {
            "mean logit": grid.mean(),
            "mean probability": torch.from_numpy(grid).sigmoid().mean().item(),
            "patches taken for real": f"{(grid > 0).mean():.0%}",
        }
        for name, grid in logits.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").round(2)


# ---- the picture of an explorer ------------------------------------------------------------------------------------

WIDTH, HEIGHT = 9.4, 4.35  # inches
PHOTOGRAPH = (0.01, 0.06, 3.75 / WIDTH, 3.75 / HEIGHT)  # left, bottom, width, height as shares of the figure
AREA = (PHOTOGRAPH[0], 1 - PHOTOGRAPH[1] - PHOTOGRAPH[3], PHOTOGRAPH[0] + PHOTOGRAPH[2], 1 - PHOTOGRAPH[1])


def colour_limit(logits: Mapping[str, np.ndarray]) -> float:
    """Returns the logit at which colours end: nine tenths of all logits are closer to 0."""
    return float(np.quantile(np.abs(np.concatenate([grid.ravel() for grid in logits.values()])), 0.9))


def judgement_figure(
    images: Images,
    logits: np.ndarray,
    place: tuple[float, float],
    field: Field,
    limit: float,
    name: str = "image to judge",
) -> Figure:
    """Shows one logit at work: the photograph with its patch, the grid with its cell, and the patch enlarged.

    ``images`` are square. ``place`` is (across, down), each from 0 to 1; the logit whose patch has it in its middle is
    the one that is shown. ``limit`` is the logit at which the colours end; ``name`` is that of the image.
    """
    size, (rows, columns) = len(images[1]), logits.shape
    row, column = field.nearest(place[1] * size, rows), field.nearest(place[0] * size, columns)
    (top, bottom), (left, right) = field.window(row), field.window(column)
    logit = float(logits[row, column])
    figure = plt.figure(figsize=(WIDTH, HEIGHT))
    plt.close(figure)
    photograph = _axis(figure, PHOTOGRAPH, f"{name}, {size} x {size} px")
    photograph.imshow(images[1], extent=(0, size, size, 0))
    photograph.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, ec=MARK, lw=2.2))
    grid = _axis(figure, (0.435, PHOTOGRAPH[1], 3.0 / WIDTH, 3.0 / HEIGHT), f"{rows} x {columns} logits")
    colours = grid.imshow(logits, cmap="PRGn", vmin=-limit, vmax=limit)
    grid.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec=MARK, lw=2.2))
    bar = figure.colorbar(
        colours, cax=figure.add_axes((0.435, 0.83, 3.0 / WIDTH, 0.028)), orientation="horizontal", extend="both"
    )
    bar.ax.tick_params(labelsize=8, pad=1)
    bar.ax.set_title("fake  <  0  <  real (dry)", fontsize=9)
    for number, (image, title) in enumerate(zip(images, ("x: wet", "the image"), strict=True)):
        axis = _axis(figure, (0.79, 0.06 + 0.435 * (1 - number), 1.7 / WIDTH, 1.7 / HEIGHT), "")
        axis.imshow(_cut_out(image, (top, bottom), (left, right)), interpolation="nearest")
        axis.set_ylabel(title, fontsize=9)
        axis.spines[:].set(color=MARK, linewidth=2)
    chance = 1 / (1 + np.exp(-logit))
    said = f"row {row + 1}, column {column + 1}: logit {logit:+.1f}, probability {chance:.0%}"
    figure.text(
        0.79 + 0.85 / WIDTH, 0.965, f"{field.size} x {field.size} px, enlarged", fontsize=9, ha="center", va="top"
    )
    photograph.set_title(said, fontsize=9, color=MARK, weight="bold")
    figure.set_label(
        f"Photograph ({name}) with a marked square of {field.size} px, the grid of logits, the square enlarged; {said}."
    )
    return figure


def _axis(figure: Figure, place: tuple[float, ...], label: str) -> plt.Axes:
    axis = figure.add_axes(place)
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel(label, fontsize=9, labelpad=3)
    return axis


def _cut_out(image: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
    """Cuts a window out of an image; outside of it there is grey, the padding's value 0 of [-1, 1]."""
    (top, bottom), (left, right) = rows, columns
    height, width = image.shape[:2]
    padded = np.full((bottom - top, right - left, 3), 128, np.uint8)
    inner = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    padded[inner[0].start - top : inner[0].stop - top, inner[1].start - left : inner[1].stop - left] = image[inner]
    return padded
