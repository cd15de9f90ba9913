"""One segmenter of ore particles: a small U-Net that is trained on dry rendered scenes, and a watershed.

A watershed from gaps that a threshold finds was tried first; it found 44 % of the particles of dry scenes, too few to
distinguish restorations. So a network learns, from scenes whose particles are known, where each particle's middle and
border are, and the watershed starts from its output. The network has seen only dry photographs, like the segmenter of
a plant before anybody washed the ore; the question is how well it works on wet or restored photographs.

The network is Slim's (:class:`~orelib.networks.UNet`); its three outputs are maps in [-1, 1]:

0. distance of a pixel from the border of its particle, as a share of the particle's largest distance; -1 outside,
1. 1 in a particle, -1 in fines and belt,
2. 1 within 1 px of a particle's border, -1 elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError, safe_open
from scipy import ndimage
from skimage.segmentation import find_boundaries, relabel_sequential, watershed
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from orelib.data.mosaic import to_network
from orelib.methods.supervised import one_cycle
from orelib.networks import UNet
from orelib.utils.names import is_left_behind, one_line
from orelib.utils.progress import Progress
from orelib.utils.weights import checksum, demand_file, unusable, write

WEIGHTS = Path(__file__).with_name("segmenter.safetensors")
WIDTH, DEPTH = 12, 5
SMALLEST_MM = 4.0  # smaller areas are no particles: the scenes' have 5 mm or more, but a part may be hidden
CROP, BATCH, STEPS, RATE = 128, 8, 6000, 0.003  # of the training


def targets(labels: np.ndarray) -> np.ndarray:
    """The three maps of a scene, float32 (3, H, W) in [-1, 1], from particle numbers (H, W), 0 for no particle."""
    border = find_boundaries(labels, mode="thick")
    inside = labels > 0
    distance = ndimage.distance_transform_edt(inside & ~find_boundaries(labels, mode="inner"))
    largest = np.append(0, ndimage.maximum(distance, labels, np.arange(1, labels.max() + 1)))
    share = distance / np.maximum(largest[labels], 1)
    return np.stack([share, inside, border]).astype(np.float32) * 2 - 1


class Segmenter:
    """Finds particles. ``level``: a particle's middle lies above this share of its largest inner distance."""

    def __init__(self, network: nn.Module, level: float):
        self.network, self.level = network.eval(), level

    @torch.inference_mode()
    def maps(self, image: np.ndarray) -> np.ndarray:
        """The three maps of a uint8 photograph (H, W, 3), float32 (3, H, W)."""
        height, width = image.shape[:2]
        stride = self.network.stride
        padded = np.pad(image, ((0, -height % stride), (0, -width % stride), (0, 0)), mode="symmetric")
        wet = to_network(torch.from_numpy(padded)[None], torch.device("cpu"))
        return self.network(wet)[0, :, :height, :width].numpy()

    def segment(self, image: np.ndarray, px_per_mm: float) -> np.ndarray:
        """Returns particle numbers int32 (H, W), 0 for no particle, of a uint8 photograph (H, W, 3) of that scale."""
        share, inside, border = self.maps(image)
        particle = inside > 0
        middles, _ = ndimage.label(particle & ((share + 1) / 2 - np.maximum(border, 0) > self.level))
        found = watershed(-share, middles, mask=particle)
        areas = np.bincount(found.ravel())
        small = areas < np.pi / 4 * (SMALLEST_MM * px_per_mm) ** 2
        return relabel_sequential(np.where(small[found], 0, found))[0].astype(np.int32)


def load_segmenter(path: Path = WEIGHTS) -> Segmenter:
    """Reads the segmenter that comes with the kit, or another file of :func:`save_segmenter`.

    Raises FileNotFoundError when there is no such file, and ModelFileError when it is damaged or no segmenter.
    """
    demand_file(path, "put back a copy of it, or run make segmenter")
    network = build()
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a file, not a dict)
            about = json.loads(file.metadata()["orelib"])
        if about.pop("sha256", None) != checksum(about, weights):
            raise ValueError("its checksum does not fit")
        network.load_state_dict(weights)
        return Segmenter(network, float(about["level"]))
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise unusable(path, f"holds no segmenter ({one_line(error)})") from error


def save_segmenter(segmenter: Segmenter, path: Path, **about) -> None:
    """Writes a segmenter, with weights at half precision and the facts ``about`` it."""
    state = segmenter.network.state_dict()
    halved = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    write(path, halved, {"level": segmenter.level} | about)


def build() -> UNet:
    return UNet(WIDTH, DEPTH, norm=nn.BatchNorm2d)


def train_segmenter(folder: Path, seed: int = 0, steps: int = STEPS) -> nn.Module:
    """Trains a network on the dry training scenes of a rendered data set, with the L1 loss of its maps.

    It sees square crops, turned and mirrored, with another exposure each time.
    """
    torch.manual_seed(seed)
    network = build().train()
    adam = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    schedule = LambdaLR(adam, lambda step: one_cycle(step, steps))
    progress = Progress(steps, "training the segmenter")
    for images, maps in _batches(folder, np.random.default_rng(seed), steps):
        loss = F.l1_loss(network(images), maps)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
        progress.advance(note=f"loss {loss.item():.3f}")
    progress.close()
    return network.eval()


def _batches(folder: Path, rng: np.random.Generator, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    scenes = [(dry, targets(labels)) for dry, labels in read_labelled(folder, "train")]
    for _ in range(steps):
        crops = [_crop(*scenes[index], rng) for index in rng.integers(0, len(scenes), BATCH)]
        images, maps = (torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True))
        yield images, maps


def _crop(dry: np.ndarray, maps: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    side = min(CROP, *dry.shape[:2])
    top, left = (rng.integers(0, length - side, endpoint=True) for length in dry.shape[:2])
    window = np.s_[..., top : top + side, left : left + side]
    turns, mirrored = rng.integers(4), rng.random() < 0.5
    image = _other_exposure(dry[top : top + side, left : left + side], rng)
    turned = [np.rot90(part, turns, (1, 2)) for part in (image, maps[window])]
    return tuple(np.ascontiguousarray(part[..., ::-1] if mirrored else part) for part in turned)


def _other_exposure(dry: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A dry photograph as another camera might have taken it, float32 (3, H, W) in [-1, 1].

    Changes gain and gamma of each channel, contrast, focus and noise: a segmenter trained without these changes failed
    when only the colours changed.
    """
    image = (dry.astype(np.float32) / 255) ** rng.uniform(0.7, 1.4, 3).astype(np.float32)
    mean = image.mean()
    image = (mean + (image - mean) * rng.uniform(0.5, 1.4)) * rng.uniform(0.75, 1.3, 3)
    if rng.random() < 0.5:
        image = ndimage.gaussian_filter(image, (blur := rng.uniform(0, 1.2), blur, 0))
    image = image + rng.normal(0, rng.uniform(0, 0.03), image.shape)
    return (image.clip(0, 1) * 2 - 1).astype(np.float32).transpose(2, 0, 1)


def read_labelled(folder: Path, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Dry photographs uint8 (H, W, 3) and particle numbers int32 (H, W) of a split of a rendered data set."""
    paths = (Path(folder) / split / "dry").glob("*.png")
    for path in sorted(path for path in paths if not is_left_behind(path.name)):
        labels = np.asarray(Image.open(path.parent.parent / "labels" / path.name), dtype=np.int32)
        yield np.asarray(Image.open(path)), labels
