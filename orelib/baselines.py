"""Baselines, which train no network and which a method must beat: colour maps, and classical filling of the glare.

Classical methods treat reflections as damage, find them by a rule, and fill them from their surroundings. The paper
says that this leaves visible differences (its introduction). A filled photograph is still as dark as wet rock, so it
gets the linear colour map afterwards; a classical method without one could not be compared with anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import cv2
import numpy as np
import pandas as pd
from skimage.restoration import inpaint_biharmonic

from orelib.data.highlights import above_surroundings, highlights
from orelib.data.pair import Pair
from orelib.metrics import glare_of, score

Restore = Callable[[np.ndarray], np.ndarray]
BASELINES = {  # their names in tables
    "do_nothing": "do nothing",
    "mean_colour": "mean dry colour",
    "linear_colour": "linear colour map",
    "biharmonic": "biharmonic filling, colour map",
    "telea": "Telea's filling, colour map",
}
# The restorers that come with the kit, as the user of ``orelib restore`` gets them.
SHIPPED = {"classical": "the classical restorer", "default_restorer": "the kit's restorer"}
OF_NO_RUN = (*BASELINES, *SHIPPED, "dry")  # whose scores and sizes stand in the results folder itself
TELEA_RADIUS = 5  # px around a pixel from which Telea's method fills it
EXCESSES = (20, 30, 40, 60, 80, 100)  # grey levels, of which the training pairs choose one


def fit_baselines(train: Iterable[Pair]) -> dict[str, Restore]:
    """Fits the baselines on the training pairs; each maps a wet uint8 image to a restored one.

    ``do_nothing`` returns the wet image; ``mean_colour`` the mean colour of the dry training images everywhere;
    ``linear_colour`` applies ``a wet + b`` to each channel, a and b by least squares over all training pixels.

    ``biharmonic`` and ``telea`` fill the :func:`~orelib.data.highlights.highlights`, by biharmonic functions
    (scikit-image) and by fast marching (Telea 2004, OpenCV; radius 5 px), and then apply ``linear_colour``. The
    threshold of the highlights is the one that agrees best with :func:`~orelib.metrics.glare_of` on the training pairs,
    by intersection over union.
    """
    train = list(train)
    wet_mean, dry_mean, slope = _fit_line(train)
    excess = _fit_excess(train)

    def linear_colour(wet: np.ndarray) -> np.ndarray:
        return _to_uint8((wet - wet_mean) * slope + dry_mean)

    def mean_colour(wet: np.ndarray) -> np.ndarray:
        return np.broadcast_to(_to_uint8(dry_mean), wet.shape).copy()

    def biharmonic(wet: np.ndarray) -> np.ndarray:
        mask = highlights(wet, excess)
        filled = (
            inpaint_biharmonic(wet / 255, mask, split_into_regions=True, channel_axis=2) if mask.any() else wet / 255
        )
        return linear_colour(filled * 255)

    def telea(wet: np.ndarray) -> np.ndarray:
        hidden = highlights(wet, excess).astype(np.uint8)
        return linear_colour(cv2.inpaint(wet, hidden, TELEA_RADIUS, cv2.INPAINT_TELEA))

    return dict(zip(BASELINES, (np.copy, mean_colour, linear_colour, biharmonic, telea), strict=True))


def _fit_line(train: list[Pair]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean wet colour, mean dry colour, and slope between them, per channel, by least squares."""
    count = 0
    sums = np.zeros((4, 3))  # of wet, dry, wet^2 and wet dry, per channel
    for pair in train:
        wet, dry = (image.reshape(-1, 3).astype(np.float64) for image in pair.load())
        sums += [wet.sum(0), dry.sum(0), (wet * wet).sum(0), (wet * dry).sum(0)]
        count += len(wet)
    wet_mean, dry_mean, wet_square, product = sums / count
    variance = wet_square - wet_mean**2
    return wet_mean, dry_mean, np.divide(product - wet_mean * dry_mean, variance, out=np.zeros(3), where=variance > 0)


def _fit_excess(train: list[Pair]) -> float:
    shared, either = np.zeros(len(EXCESSES)), np.zeros(len(EXCESSES))
    for pair in train:
        wet, dry = pair.load()
        above, glare = above_surroundings(wet), glare_of(wet, dry)
        for number, excess in enumerate(EXCESSES):
            shared[number] += (glare & (above > excess)).sum()
            either[number] += (glare | (above > excess)).sum()
    return EXCESSES[int(np.argmax(shared / np.maximum(either, 1)))]


def _to_uint8(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def score_baselines(train: Iterable[Pair], test: Iterable[Pair]) -> pd.DataFrame:
    """Returns a row per baseline and test image: ``method, image`` and the columns of :func:`~orelib.metrics.score`."""
    baselines = fit_baselines(train)
    rows = []
    for pair in test:
        wet, dry = pair.load()
        rows += [
            {"method": name, "image": pair.stem} | score(wet, restore(wet), dry) for name, restore in baselines.items()
        ]
    return pd.DataFrame(rows).sort_values("method", kind="stable", key=lambda names: names.map(list(baselines).index))
