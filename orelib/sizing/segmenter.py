"""One segmenter of particles in wet, restored and dry photographs: a small network, a watershed, and a belief.

A network (:mod:`~orelib.sizing.maps`) sees where particles have their middles and borders. From its maps, at several
scales, come proposals of particles, and of these the most believed that do not overlap
(:mod:`~orelib.sizing.proposals`). It has learnt from dry rendered scenes alone (:mod:`~orelib.sizing.learning`), like
the segmenter of a plant before anybody washed the ore; the question is how well it works on wet or restored
photographs.

A watershed from gaps that a threshold finds was tried first; it found 44 % of the particles of dry scenes, too few to
distinguish restorations.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from skimage.segmentation import relabel_sequential
from torch import nn

from orelib.data.mosaic import to_network
from orelib.sizing.maps import build
from orelib.sizing.proposals import Belief, Proposals, choose, features, large_enough, partitions
from orelib.utils.names import one_line
from orelib.utils.weights import checksum, demand_file, unusable, write

WEIGHTS = Path(__file__).with_name("segmenter.safetensors")
SMALLEST_MM = 4.0  # smaller areas are no particles: the scenes' have 5 mm or more, but a part may be hidden
# Scales at which a photograph of known scale is looked at. Chosen on 40 scenes that no result is measured on: P80 was
# off by 4.4 % in restored scenes and 4.5 % in dry ones, P50 by 4.2 and 3.7 %. At 4 and 2 px per mm, it was 4.9, 4.8,
# 5.4 and 3.5 %.
WORKING_PX_PER_MM = (4.0, 2.8)
LARGEST_SIDE, SMALLEST_SIDE = 1400, 160  # px, root of the area, of a photograph of unknown scale while it is looked at
MOST_ENLARGED = 3.5  # factor by which a small photograph is enlarged at most while it is looked at
CURE = "put back a copy of it, or run make segmenter"


class Segmenter:
    """Finds particles that are believed to be some with a probability above ``least``."""

    def __init__(self, network: nn.Module, belief: Belief, least: float):
        self.network = network.eval().to(memory_format=torch.channels_last)
        self.belief, self.least = belief, least

    @torch.inference_mode()
    def maps(self, image: np.ndarray) -> np.ndarray:
        """The three maps of a uint8 photograph (H, W, 3), float32 (3, H, W), mean of it and its turned copy."""
        height, width = image.shape[:2]
        stride = self.network.stride
        padded = np.pad(image, ((0, -height % stride), (0, -width % stride), (0, 0)), mode="symmetric")
        both = np.stack([padded, padded[::-1, ::-1]])
        seen = [
            self.network(to_network(torch.from_numpy(one.copy())[None], torch.device("cpu"))).sigmoid()[0]
            for one in both
        ]
        return ((seen[0] + seen[1].flip(1, 2)) / 2)[:, :height, :width].numpy()

    def segment(self, image: np.ndarray, px_per_mm: float) -> np.ndarray:
        """Returns particle numbers int32 (H, W), 0 for no particle, of a uint8 photograph (H, W, 3) of that scale.

        Areas smaller than a disc of 4 mm are no particles.
        """
        found = self._look(image, [min(working / px_per_mm, MOST_ENLARGED) for working in WORKING_PX_PER_MM])
        return large_enough(found, np.pi / 4 * (SMALLEST_MM * px_per_mm) ** 2)

    def segment_any(self, image: np.ndarray) -> np.ndarray:
        """Returns particle numbers int32 (H, W), 0 for no particle, of a uint8 photograph (H, W, 3) of unknown scale.

        It is looked at in scales that halve, from 3.5 times its size at most. Of particles smaller than about 10 px
        there, or larger than half the photograph, few are found. Memory is bounded: no larger picture than
        1400 x 1400 px is made, so on larger photographs particles smaller than a 140th of its side are missed. Areas
        below 16 px of the photograph are no particles.
        """
        side = float(np.sqrt(image.shape[0] * image.shape[1]))
        largest = min(MOST_ENLARGED * side, LARGEST_SIDE)
        halvings = max(0, int(np.log2(largest / SMALLEST_SIDE)))
        return large_enough(self._look(image, [largest / side / 2**halving for halving in range(halvings + 1)]))

    def propose(self, image: np.ndarray, factors: list[float]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns regions int32 (h, w) and their features (n, 8) at each level of a photograph at each scale."""
        height, width = image.shape[:2]
        photograph = Image.fromarray(image)
        proposed = []
        for factor in factors:
            size = max(1, round(width * factor)), max(1, round(height * factor))
            scaled = photograph if size == photograph.size else photograph.resize(size, Image.Resampling.BICUBIC)
            maps = self.maps(np.asarray(scaled))
            proposed += [(regions, features(regions, maps)) for regions in partitions(maps)]
        return proposed

    def _look(self, image: np.ndarray, factors: list[float]) -> np.ndarray:
        proposed = self.propose(image, factors)
        shape = max((regions.shape for regions, _ in proposed), key=np.prod)
        chosen = choose(
            [Proposals(resized(regions, shape), self.belief(known)) for regions, known in proposed], self.least
        )
        return relabel_sequential(resized(chosen, image.shape[:2]))[0].astype(np.int32)


def resized(labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Particle numbers at another resolution, each pixel from the nearest."""
    row, column = (
        ((np.arange(new) + 0.5) * old / new).astype(np.intp) for new, old in zip(shape, labels.shape, strict=True)
    )
    return labels[row[:, None], column]


def load_segmenter(path: Path = WEIGHTS) -> Segmenter:
    """Reads the segmenter that comes with the kit, or another file of :func:`save_segmenter`.

    Raises FileNotFoundError when there is no such file, and ModelFileError when it is damaged or no segmenter.
    """
    demand_file(path, CURE)
    network = build()
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a file, not a dict)
            about = json.loads(file.metadata()["orelib"])
        if about.pop("sha256", None) != checksum(about, weights):
            raise ValueError("its checksum does not fit")
        network.load_state_dict(weights)
        return Segmenter(network, Belief(tuple(about["belief"])), float(about["least"]))
    except (SafetensorError, OSError, RuntimeError, ValueError, TypeError, KeyError) as error:
        raise unusable(path, f"holds no segmenter ({one_line(error)})") from error


def segmenter_checksum(path: Path = WEIGHTS) -> str:
    """The checksum that a segmenter's file carries; results of sizing keep it. Raises as :func:`load_segmenter`."""
    demand_file(path, CURE)
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads(file.metadata()["orelib"])["sha256"]
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise unusable(path, f"holds no segmenter ({one_line(error)})") from error


def save_segmenter(segmenter: Segmenter, path: Path, **about) -> None:
    """Writes a segmenter, with weights at half precision and the facts ``about`` it."""
    state = segmenter.network.state_dict()
    halved = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    write(path, halved, {"belief": list(segmenter.belief.weights), "least": segmenter.least} | about)
