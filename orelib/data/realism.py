"""Statistics by which rendered scenes are held against photographs.

Single images are described by the slope of their power spectrum and the kurtosis of their gradients, which are alike
in photographs of natural scenes whatever they show (Ruderman 1994; Huang and Mumford 1999); wet/dry pairs by what water
does to brightness, and by the scores of the wet photograph left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from orelib import metrics
from orelib.data.pair import Pair
from orelib.data.pairs import load_pairs
from orelib.data.photographs import photographs_in, read_image
from orelib.runs import Folders

# Photographs published by others, which this kit may not pass on: name, what they show, and where they come from.
SOURCES = {
    "core_wetdry": "24 pairs of drill core, wet and dry (GitHub: dbadner/CorePhotosMachineLearning)",
    "ore_belt": "90 photographs of dry ore on a belt (GitHub: guillermoecn/Mask_RCNN_TF2.4)",
    "gravel": "4 photographs of dry river gravel (GitHub: dmair1989/imagegrains)",
}
# Their means, as measure_photographs() gives them.
PHOTOGRAPHS = {
    ("core_wetdry", "brightness_ratio"): 0.7019,
    ("core_wetdry", "clipped_share"): 0.0005,
    ("core_wetdry", "psnr"): 14.6233,
    ("core_wetdry", "ssim"): 0.7106,
    ("ore_belt", "spectrum_slope"): -2.1582,
    ("ore_belt", "gradient_kurtosis"): 6.3713,
    ("gravel", "spectrum_slope"): -2.3677,
    ("gravel", "gradient_kurtosis"): 8.2590,
}
CLIPPED = 250  # grey from which a pixel counts as clipped; not 255, because JPEG rings around clipped areas


def grey(image: np.ndarray) -> np.ndarray:
    """Luma of ITU-R BT.601 of an uint8 (H, W, 3) image: float64 (H, W), 0-255."""
    return image @ np.array([0.299, 0.587, 0.114])


def brightness_ratio(wet: np.ndarray, dry: np.ndarray) -> float:
    """Mean grey of the wet image over that of the dry one; below 1, since water darkens rock. NaN for a black one."""
    return _ratio(grey(wet).mean(), grey(dry).mean())


def _ratio(one: float, other: float) -> float:
    return float(one / other) if other else float("nan")


def clipped_share(image: np.ndarray) -> float:
    """Share of pixels, 0-1, that are white: grey of at least 250."""
    return float((grey(image) >= CLIPPED).mean())


def spectrum_slope(image: np.ndarray) -> float:
    """Slope of log power over log spatial frequency, about -2 for photographs of natural scenes.

    Fitted between 1/64 and 1/4 cycles per pixel to the log power averaged over rings; a Hann window keeps the borders
    out. Finer detail is left to lens, sharpening and noise.
    """
    light = grey(image)
    light = light - light.mean()
    height, width = light.shape
    light *= np.hanning(height)[:, None] * np.hanning(width)
    power = np.abs(np.fft.rfft2(light)) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    rings = np.geomspace(1 / 64, 1 / 4, 17)
    ring = np.digitize(frequency, rings)
    frequency[0, 0] = 1  # the mean; in no ring
    # Means of logarithms: the mean power of a ring would lean toward its inner side, where there is most.
    points = [
        (np.log(frequency[ring == number]).mean(), np.log(power[ring == number] + 1e-9).mean())
        for number in range(1, len(rings))
        if (ring == number).any()
    ]
    return float(np.polyfit(*np.transpose(points), 1)[0])


def gradient_kurtosis(image: np.ndarray) -> float:
    """Fourth standardised moment of the differences between neighbouring pixels: 3 if Gaussian, more with edges.

    NaN for an image of one grey.
    """
    light = grey(image)
    steps = np.concatenate([np.diff(light, axis=0).ravel(), np.diff(light, axis=1).ravel()])
    return _ratio(np.mean(steps**4), np.mean(steps**2) ** 2)


def describe_pairs(pairs: Iterable[Pair]) -> pd.DataFrame:
    """One row a pair: what water did to the photograph, and the scores of doing nothing about it.

    The PSNR of a pair of equal images is NaN, see :mod:`orelib.metrics`.
    """
    return pd.DataFrame(
        {
            "brightness_ratio": brightness_ratio(wet, dry),
            "clipped_share": clipped_share(wet),
            "psnr": metrics.finite(metrics.psnr(wet, dry)),
            "ssim": metrics.ssim(wet, dry),
        }
        for wet, dry in (pair.load() for pair in pairs)
    )


def describe_images(images: Iterable[np.ndarray]) -> pd.DataFrame:
    """One row an image: spectrum slope and gradient kurtosis."""
    return pd.DataFrame(
        {"spectrum_slope": spectrum_slope(image), "gradient_kurtosis": gradient_kurtosis(image)} for image in images
    )


def measure_photographs(folder: Path) -> dict[tuple[str, str], float]:
    """The means behind ``PHOTOGRAPHS``, measured anew.

    ``folder`` holds ``core_wetdry`` (a data folder, see :mod:`orelib.data.pairs`; its test pairs are left alone),
    ``ore_belt/images`` and ``gravel/images``. Raises FileNotFoundError or PairError where they are missing.
    """
    folder = Path(folder)
    core = load_pairs(Folders("", str(folder / "core_wetdry")))
    means = {"core_wetdry": describe_pairs((*core.train, *core.val)).mean()}
    for name in ("ore_belt", "gravel"):
        means[name] = describe_images(map(read_image, photographs_in(folder / name / "images")[0])).mean()
    return {(name, statistic): float(means[name][statistic]) for name, statistic in PHOTOGRAPHS}


def compare(means: pd.Series, photographs: dict[tuple[str, str], float] = PHOTOGRAPHS) -> pd.DataFrame:
    """A data set against photographs, a row a statistic and collection.

    ``means`` are those of :func:`describe_pairs` and :func:`describe_images` together. The columns are ``photographs``,
    ``here`` and ``difference``, in per cent of the photographs' value.
    """
    rows = [
        (statistic, name, value, means[statistic], 100 * (means[statistic] / value - 1))
        for (name, statistic), value in photographs.items()
    ]
    table = pd.DataFrame(rows, columns=["statistic", "collection", "photographs", "here", "difference"])
    return table.set_index(["statistic", "collection"])
