"""Three maps of a photograph from which particles are found, and the network that sees them.

Each map holds values from 0 to 1:

0. share: distance of a pixel from the border of its particle, over the particle's largest distance; 0 outside,
1. inside: 1 in a particle, 0 in fines and belt,
2. border: 1 within 1 px of a particle's border, 0 elsewhere.

The network gives them as probabilities (the share as itself), so that a doubtful border has a middle value.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch.nn.functional as F
from skimage.segmentation import find_boundaries
from torch import Tensor, nn

from orelib.networks import UNet

WIDTH, DEPTH = 15, 5


def targets(labels: np.ndarray) -> np.ndarray:
    """The true maps, float32 (3, H, W), from particle numbers (H, W), 0 for no particle."""
    border = find_boundaries(labels, mode="thick")
    return np.stack([shares(labels, find_boundaries(labels, mode="inner")), labels > 0, border]).astype(np.float32)


def shares(labels: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """The share map (H, W) of particle numbers whose inner ``outline`` is a mask."""
    within = ((labels > 0) & ~outline).astype(np.uint8)
    distance = cv2.distanceTransform(within, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    largest = np.zeros(int(labels.max()) + 1, np.float32)  # of one dtype with the distances: ten times as fast
    np.maximum.at(largest, labels.ravel(), distance.ravel())
    return (distance / np.maximum(largest, 1)[labels]).astype(np.float32)


def build() -> UNet:
    """The network, Slim's, without its last tanh: (N, 3, H, W) in [-1, 1] -> logits of the maps, (N, 3, H, W).

    H and W must be multiples of its ``stride``.
    """
    network = UNet(WIDTH, DEPTH, norm=nn.BatchNorm2d)
    network.last = network.last[:2]
    return network


def loss(logits: Tensor, maps: Tensor) -> Tensor:
    """Cross-entropy of inside and border, and twice the mean error of the share, all (N, 3, H, W)."""
    doubt = F.binary_cross_entropy_with_logits(logits[:, 1:], maps[:, 1:])
    return doubt + 2 * F.l1_loss(logits[:, 0].sigmoid(), maps[:, 0])
