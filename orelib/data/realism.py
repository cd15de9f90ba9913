"""Statistics that compare rendered scenes with photographs.

Single images are described by the slope of their power spectrum and the kurtosis of their gradients, which are similar
in all photographs of natural scenes (Ruderman 1994; Huang and Mumford 1999). Wet/dry pairs are described by the effect
of water on brightness, and by the scores of the unrestored wet photograph.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from orelib import metrics
from orelib.data.pair import Pair
from orelib.data.pairs import load_pairs
from orelib.data.photographs import photographs_in, read_image
from orelib.data.scenes import render_pair, water
from orelib.runs import Folders

# Third-party photographs, which this kit may not redistribute: name, content and source.
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
# What water does to a surface, in linear light: ratio of wet to dry, and slope of log wet on log dry in R, G and B.
# Soils: medians of 100 spectra (GitHub: AlexandreWadoux/soilspec). Core: medians of the tiles of core_wetdry, by
# law_of(). Ratios also at 5 and 95 %.
MEASURED_LAWS = {
    "100 soils, spectra": ((0.37, 0.53, 0.69), (0.73, 0.57, 0.41)),
    "drill core, as photographed": ((0.36, 0.43, 0.51), (1.40, 1.37, 1.48)),
}
CLIPPED = 250  # grey from which a pixel counts as clipped; not 255, because JPEG rings around clipped areas


def grey(image: np.ndarray) -> np.ndarray:
    """Luma (ITU-R BT.601) of a uint8 (H, W, 3) image: float64 (H, W), 0-255."""
    return image @ np.array([0.299, 0.587, 0.114])


def brightness_ratio(wet: np.ndarray, dry: np.ndarray) -> float:
    """Mean grey of the wet image over that of the dry one; below 1, because water darkens rock. NaN if dry is black."""
    return _ratio(grey(wet).mean(), grey(dry).mean())


def _ratio(one: float, other: float) -> float:
    return float(one / other) if other else float("nan")


def clipped_share(image: np.ndarray) -> float:
    """Share of pixels, 0-1, that are white: grey of at least 250."""
    return float((grey(image) >= CLIPPED).mean())


def spectrum_slope(image: np.ndarray) -> float:
    """Slope of log power over log spatial frequency, about -2 for photographs of natural scenes.

    Fitted between 1/64 and 1/4 cycles per pixel to the log power averaged over rings; a Hann window removes the
    borders. Finer detail depends on lens, sharpening and noise, so it is left out.
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
    # Means of logarithms: the mean power of a ring would depend most on its inner side, where power is highest.
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


def wetting_laws(scenes: int = 24) -> pd.DataFrame:
    """Table of laws of wetting: what was measured (:data:`MEASURED_LAWS`), and what rendered scenes show.

    ``scenes`` are rendered of each kind, of one law as in Table 3 and wide; and 400 laws are drawn as wide scenes draw
    them. Columns: ``ratio`` (median, 5-95 %), and the ``slope`` of log wet on log dry by channel, likewise.
    """
    rows = {name: (ratios, [f"{slope:.2f}" for slope in slopes]) for name, (ratios, slopes) in MEASURED_LAWS.items()}
    laws = [water.draw_law(np.random.default_rng(seed)) for seed in range(400)]
    found = {
        "scenes of one law, as photographed": [law_of(*_photographed(seed, wide=False)) for seed in range(scenes)],
        "wide scenes, as photographed": [law_of(*_photographed(seed, wide=True)) for seed in range(scenes)],
        "wide scenes, laws of their rock": [(law.ratio.mean(), *law.slope) for law in laws],
    }
    for name, values in found.items():
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], axis=0)
        slopes = [f"{middle[k]:.2f} ({low[k]:.2f}-{high[k]:.2f})" for k in (1, 2, 3)]
        rows[name] = (low[0], middle[0], high[0]), slopes
    table = [
        {"surface": name, "ratio": f"{middle:.2f} ({low:.2f}-{high:.2f})"}
        | {f"slope, {channel}": slope for channel, slope in zip("RGB", slopes, strict=True)}
        for name, ((low, middle, high), slopes) in rows.items()
    ]
    return pd.DataFrame(table).set_index("surface")


def _photographed(seed: int, wide: bool) -> tuple[np.ndarray, np.ndarray]:
    scene = render_pair(seed, (96, 96), wide=wide)
    return scene.wet, scene.dry


def law_of(wet: np.ndarray, dry: np.ndarray) -> tuple[float, float, float, float]:
    """Returns the law of wetting that a pair of photographs shows: ratio, and slope in R, G and B.

    In linear light (gamma 2.2), outside :func:`~orelib.metrics.glare_of` and 5 px around it. The slope is that of log
    wet on log dry, by least squares. Takes uint8 (H, W, 3).
    """
    rock = ~ndimage.binary_dilation(metrics.glare_of(wet, dry), iterations=5)
    wet, dry = (np.maximum(image[rock] / 255, 0.02) ** 2.2 for image in (wet, dry))
    slopes = [np.polyfit(np.log(dry[:, k]), np.log(wet[:, k]), 1)[0] for k in range(3)]
    return _ratio(wet.mean(), dry.mean()), *map(float, slopes)


def describe_pairs(pairs: Iterable[Pair]) -> pd.DataFrame:
    """Table with one row per pair: the effect of water on the photograph, and the scores of the unrestored wet image.

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
    """Table with one row per image: spectrum slope and gradient kurtosis."""
    return pd.DataFrame(
        {"spectrum_slope": spectrum_slope(image), "gradient_kurtosis": gradient_kurtosis(image)} for image in images
    )


def measure_photographs(folder: Path) -> dict[tuple[str, str], float]:
    """Measures the means in ``PHOTOGRAPHS`` again.

    ``folder`` holds ``core_wetdry`` (a data folder, see :mod:`orelib.data.pairs`; its test pairs are not measured),
    ``ore_belt/images`` and ``gravel/images``. Raises FileNotFoundError or PairError where they are missing.
    """
    folder = Path(folder)
    core = load_pairs(Folders("", str(folder / "core_wetdry")))
    means = {"core_wetdry": describe_pairs((*core.train, *core.val)).mean()}
    for name in ("ore_belt", "gravel"):
        means[name] = describe_images(map(read_image, photographs_in(folder / name / "images")[0])).mean()
    return {(name, statistic): float(means[name][statistic]) for name, statistic in PHOTOGRAPHS}


def compare(means: pd.Series, photographs: dict[tuple[str, str], float] = PHOTOGRAPHS) -> pd.DataFrame:
    """Compares a data set with photographs: one row per statistic and collection.

    ``means`` holds the means of :func:`describe_pairs` and :func:`describe_images`. The columns are ``photographs``,
    ``here`` and ``difference``, in per cent of the photographs' value.
    """
    rows = [
        (statistic, name, value, means[statistic], 100 * (means[statistic] / value - 1))
        for (name, statistic), value in photographs.items()
    ]
    table = pd.DataFrame(rows, columns=["statistic", "collection", "photographs", "here", "difference"])
    return table.set_index(["statistic", "collection"])
