"""Tells whether two photographs show the same place, whatever the exposure and wherever the camera stood.

Photographs are compared as thumbnails, by the direction of their edges (:mod:`orelib.data.alignment`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image
from scipy import fft

from orelib.data.alignment import correlation, edges, peak, spectrum

THUMBNAIL = 64  # px a side; large enough to tell places apart, small enough to compare many
# Margin of the correlation (alignment.peak) from which two thumbnails show the same place. Unrelated scenes and tiles
# of core stay below 0.1, other ore beside the same machinery below 0.21; recompressed, reduced and brightened copies
# reach 0.3 and more, as do most places photographed again with the camera moved by a tenth of the image.
SAME_PLACE = 0.25
# Each image is compared with this many others, the most similar by their marks. Of 560 images changed as above, or
# moved by up to a fifth, each was, among 599, the most similar to the image it was made from.
MOST_ALIKE = 8
ALIKE_WHEN_GROUPED = 32  # the same, where a place that is missed would be in two splits
LOWEST = 10  # cycles per thumbnail, up to which amplitudes are compared


def thumbnail(grey: np.ndarray) -> np.ndarray:
    """Reduces an image (H, W) to a small square, so that copies of any size can be compared."""
    return np.asarray(Image.fromarray(grey).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))


def spectra_of(thumbnails: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the spectra of the edges of thumbnails, complex64 (N, H, W), without the part common to all."""
    found = np.empty((len(thumbnails), THUMBNAIL, THUMBNAIL), np.complex64)
    for number, image in enumerate(thumbnails):
        found[number] = edges(image)
    if len(found) > 2:  # a fixed camera sees some things in every image, such as the rim of the belt
        found -= found.mean(axis=0)
    for number, gradient in enumerate(found):
        found[number] = spectrum(gradient)
    return found


def marks_of(spectra: np.ndarray) -> np.ndarray:
    """Returns features that tell places apart wherever the camera stands: float32 (N, D); products are likenesses.

    A shift changes the phases of a spectrum, but not the amplitudes; those at low frequencies survive compression,
    reduction and noise.
    """
    if not len(spectra):
        return np.zeros((0, 0), np.float32)
    frequency = fft.fftfreq(THUMBNAIL, 1 / THUMBNAIL)
    amplitudes = np.abs(spectra[:, np.hypot(frequency[:, None], frequency) <= LOWEST])
    marks = (amplitudes - amplitudes.mean(axis=0)) / (amplitudes.std(axis=0) + 1e-9)
    return marks / (np.linalg.norm(marks, axis=1, keepdims=True) + 1e-9)


def margins_of(spectra: np.ndarray, other: np.ndarray, least: float = SAME_PLACE) -> np.ndarray:
    """Returns the margins of the correlation of spectra (N, H, W) with another (H, W); 0 where they are below least."""
    surfaces = correlation(spectra, other)
    margins = np.zeros(len(spectra))
    for number in np.flatnonzero(surfaces.max(axis=(1, 2)) >= least):  # a margin is at most the correlation
        margins[number] = peak(surfaces[number])[1]
    return margins


def same_places(thumbnails: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Yields the numbers of each two thumbnails that show the same place, among the most alike."""
    spectra = spectra_of(thumbnails)
    marks = marks_of(spectra)
    for number in range(len(spectra)):
        likeness = marks @ marks[number]
        likeness[number] = -np.inf
        likely = np.argsort(likeness)[-ALIKE_WHEN_GROUPED:]
        likely = likely[np.isfinite(likeness[likely])]
        for other in likely[margins_of(spectra[likely], spectra[number]) >= SAME_PLACE]:
            yield number, int(other)
