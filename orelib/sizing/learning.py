"""Training of the segmenter: its network on dry rendered scenes and beds, its belief on others of both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from orelib.data.dataset import FIRST_SEED
from orelib.data.scenes.beds import render_bed
from orelib.methods.supervised import one_cycle
from orelib.sizing.maps import build, loss, targets
from orelib.sizing.particles import LEAST_IOU, overlaps
from orelib.sizing.proposals import Belief, fit_belief
from orelib.sizing.segmenter import Segmenter, resized
from orelib.utils.names import is_left_behind
from orelib.utils.progress import Progress

CROP, BATCH, STEPS, RATE = 128, 8, 20000, 0.003
BEDS, FIRST_BED = 700, 30_000_000  # FIRST_BED: seeds that no rendered scene has
COARSEST = 3.0  # factor by which a crop is enlarged at most, since small photographs are, before they are looked at
FACTORS = (2.0, 1.0, 0.5)  # scales of the photographs from which the belief learns
LEAST = 0.15  # belief of a particle: lower finds more, and more that are none


def train_network(folder: Path, seed: int = 0, steps: int = STEPS, beds: int = BEDS) -> nn.Module:
    """Trains a network on the dry training scenes of a rendered data set and as many ``beds``, which are rendered here.

    It sees square crops, half of them of beds, turned and mirrored, with other colours each time.
    """
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    network = build().train().to(memory_format=torch.channels_last)
    adam = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
    schedule = LambdaLR(adam, lambda step: one_cycle(step, steps))
    kinds = [_prepared(read_labelled(folder, "train")), _prepared(read_beds("train", beds))]
    progress = Progress(steps, "training the segmenter")
    for images, maps in _batches(kinds, np.random.default_rng(seed), steps):
        value = loss(network(images.contiguous(memory_format=torch.channels_last)), maps)
        adam.zero_grad()
        value.backward()
        adam.step()
        schedule.step()
        progress.advance(note=f"loss {value.item():.3f}")
    progress.close()
    return network.eval()


def fit_segmenter(network: nn.Module, folder: Path, count: int = 40) -> Segmenter:
    """Returns a segmenter whose belief was fitted to ``count`` validation scenes of a data set, and to as many beds."""
    segmenter = Segmenter(network, Belief(()), LEAST)
    known, right = [], []
    for dry, labels in [*islice(read_labelled(folder, "val"), count), *read_beds("val", count)]:
        for regions, evidence in segmenter.propose(dry, FACTORS):
            known.append(evidence)
            right.append(_best_overlap(regions, resized(labels, regions.shape)) > LEAST_IOU)
    return Segmenter(network, fit_belief(np.concatenate(known), np.concatenate(right)), LEAST)


def _best_overlap(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The largest intersection over union of each found region with a true particle, (n,)."""
    best = np.zeros(int(found.max()))
    pairs = overlaps(found, true)
    np.maximum.at(best, pairs["found"].to_numpy() - 1, pairs["iou"].to_numpy())
    return best


def read_beds(split: str, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Renders beds of a split, ``train`` or ``val``: photographs and particle numbers, as :func:`read_labelled`."""
    for number in range(count):
        bed = render_bed(FIRST_BED + FIRST_SEED[split] + number)
        yield bed.dry, bed.labels


def _prepared(scenes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Photographs and their maps as uint8 (3, H, W), 255 for 1: they are many."""
    return [(dry, np.rint(255 * targets(labels)).astype(np.uint8)) for dry, labels in scenes]


def _batches(kinds, rng: np.random.Generator, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    side = min([CROP] + [min(dry.shape[:2]) for scenes in kinds for dry, _ in scenes])
    for _ in range(steps):
        scenes = [kinds[number % len(kinds)] for number in range(BATCH)]
        crops = [_crop(*of[rng.integers(len(of))], side, rng) for of in scenes]
        images, maps = (torch.from_numpy(np.stack(part)) for part in zip(*crops, strict=True))
        yield images, maps


def _crop(dry: np.ndarray, maps: np.ndarray, side: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    top, left = (rng.integers(0, length - side, endpoint=True) for length in dry.shape[:2])
    window = np.s_[..., top : top + side, left : left + side]
    turns, mirrored = rng.integers(4), rng.random() < 0.5
    image = _other_camera(dry[top : top + side, left : left + side], rng)
    turned = [np.rot90(part, turns, (1, 2)) for part in (image, maps[window].astype(np.float32) / 255)]
    return tuple(np.ascontiguousarray(part[..., ::-1] if mirrored else part) for part in turned)


def _other_camera(dry: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A dry photograph as another camera might have taken it of another rock, float32 (3, H, W) in [-1, 1].

    Changes gain and gamma of each channel, contrast, focus, noise and resolution: a segmenter trained without these
    changes failed when only the colours changed. One photograph in six is grey, and channels are mixed at random.
    """
    image = (dry.astype(np.float32) / 255) ** rng.uniform(0.7, 1.4, 3).astype(np.float32)
    mix = np.eye(3) + rng.normal(0, 0.15, (3, 3))
    if rng.random() < 1 / 6:
        mix = np.tile(rng.dirichlet([2, 2, 2])[:, None], 3)
    image = image @ (mix / mix.sum(axis=0)).astype(np.float32)
    mean = image.mean()
    image = (mean + (image - mean) * np.float32(rng.uniform(0.5, 1.6))) * rng.uniform(0.7, 1.4, 3).astype(np.float32)
    if rng.random() < 0.5:
        image = ndimage.gaussian_filter(image, (blur := rng.uniform(0, 1.5), blur, 0))
    image = _enlarged_from(image, rng.uniform(1, COARSEST) if rng.random() < 0.5 else 1.0, rng)
    return (image.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)


def _enlarged_from(image: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """An image (H, W, 3) in [0, 1] of fewer pixels by ``factor``, noisy, kept as a JPEG, and enlarged again; uint8."""
    size = image.shape[1], image.shape[0]
    small = _in_8_bits(255 * image)
    if factor > 1:
        small = small.resize([max(1, round(side / factor)) for side in size], Image.Resampling.BICUBIC)
    noise = rng.uniform(0, 0.05 * 255) * rng.standard_normal((*small.size[::-1], 3), dtype=np.float32)
    with BytesIO() as file:
        quality = int(rng.integers(40, 99))
        _in_8_bits(np.asarray(small) + noise).save(file, "JPEG", quality=quality)
        seen = Image.open(file).convert("RGB")
    return np.asarray(seen.resize(size, Image.Resampling.BICUBIC) if factor > 1 else seen)


def _in_8_bits(image: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(image.clip(0, 255)).astype(np.uint8))


def read_labelled(folder: Path, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Dry photographs uint8 (H, W, 3) and particle numbers int32 (H, W) of a split of a rendered data set."""
    paths = (Path(folder) / split / "dry").glob("*.png")
    for path in sorted(path for path in paths if not is_left_behind(path.name)):
        labels = np.asarray(Image.open(path.parent.parent / "labels" / path.name), dtype=np.int32)
        yield np.asarray(Image.open(path)), labels
