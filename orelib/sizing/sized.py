"""Photographs of a user, sized: read, scaled, segmented and measured; each as it is, and beside it restored and dry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orelib.data.photographs import SUFFIXES, Photograph, in_8_bits, photographs_below, photographs_in, read_photograph
from orelib.restore.any_size import AnySizeRestorer
from orelib.sizing.measured import LEAST_PX, Measured, measure
from orelib.sizing.scale import FindScale, Scale, ScaleError, positive
from orelib.sizing.segmenter import Segmenter
from orelib.utils.names import composed
from orelib.utils.paths import shown

LOOKED_AT = 140  # particles of the smallest size that the segmenter finds, side by side along a large photograph
AS_IT_IS, RESTORED, DRY = "photograph", "restored", "dry"  # the sides of a photograph


def chosen_smallest(smallest_mm: float | str | None) -> float | None:
    """Returns the smallest size in mm that a user wants counted; None: all that each photograph shows.

    The number may be text. Raises ScaleError for what is no positive number.
    """
    return None if smallest_mm is None else positive(smallest_mm, "no smallest size in mm, such as 10")


@dataclass(frozen=True)
class Side:
    """A photograph as it is, restored, or its dry partner.

    ``image`` is uint8 (H, W, 3), ``labels`` int32 (H, W): particle numbers, 0 for no particle. ``remark`` says what the
    restorer finds odd about the photograph.
    """

    side: str
    image: np.ndarray
    labels: np.ndarray
    scale: Scale
    measured: Measured
    remark: str = ""


@dataclass(frozen=True)
class Sizer:
    """Sizes photographs of one scale, or one way to find it; with a ``restorer``, also what it makes of them.

    Particles from ``smallest_mm`` on count; None: from the smallest on that each photograph shows.
    """

    segmenter: Segmenter
    find_scale: FindScale
    restorer: AnySizeRestorer | None = None
    smallest_mm: float | None = None

    def sides(self, path: Path, dry: Path | None = None) -> Iterator[Side]:
        """Yields a photograph as it is; then, if there are, the restored one and the dry partner.

        The restored one has the scale of the photograph; the dry partner's is found anew.

        Raises ScaleError where a scale cannot be found, or where particles of ``smallest_mm`` are too small to be seen,
        and the errors of :func:`~orelib.data.photographs.read_photograph`; all name the file.
        """
        photograph, scale = self._scaled(path)
        image = in_8_bits(photograph)
        yield self._side(path, AS_IT_IS, image, scale)
        if self.restorer is not None:
            yield self._side(path, RESTORED, self.restorer.restore(image), scale, self.restorer.remark(image))
        if dry is not None:
            photograph, scale = self._scaled(dry)
            yield self._side(dry, DRY, in_8_bits(photograph), scale)

    def _scaled(self, path: Path) -> tuple[Photograph, Scale]:
        photograph = read_photograph(path)
        with _naming(path):
            return photograph, self.find_scale(photograph)

    def _side(self, path: Path, side: str, image: np.ndarray, scale: Scale, remark: str = "") -> Side:
        labels = self.segmenter.segment_any(image)
        with _naming(path):
            measured = measure(labels, scale, smallest_px(image), self.smallest_mm)
        return Side(side, image, labels, scale, measured, remark)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Within the block, a ScaleError begins with the name of the photograph."""
    try:
        yield
    except ScaleError as error:
        raise ScaleError(f"{shown(path)}: {error}") from error


def photographs_by_name(
    place: Path, recursive: bool, leave_out: Path | None = None
) -> tuple[dict[str, Path], list[str]]:
    """Returns the photographs of a folder by name, and the names of what else lies there.

    A photograph is named by its path below the folder, with slashes. ``place`` may be one photograph. The folder
    ``leave_out`` is not looked into.

    Raises FileNotFoundError when there is nothing at ``place``, ValueError when it holds no photographs, and OSError
    when a folder cannot be listed.
    """
    place = Path(place)
    if place.is_file():
        if place.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{shown(place)}: not an image this kit reads ({', '.join(SUFFIXES)})")
        return {place.name: place}, []
    if not place.is_dir():
        raise FileNotFoundError(f"{shown(place)} is missing: name a folder of photographs, or one photograph")
    photographs, others = photographs_below(place, leave_out) if recursive else photographs_in(place)
    if not photographs:
        cure = (
            "" if recursive else "; --recursive looks into its folders, too" * any(other.is_dir() for other in others)
        )
        raise ValueError(f"{shown(place)} holds no photographs ({', '.join(SUFFIXES)}){cure}")
    skipped = [f"{other.relative_to(place).as_posix()}{'/' * other.is_dir()}" for other in others]
    return {photograph.relative_to(place).as_posix(): photograph for photograph in photographs}, skipped


def partners(names: dict[str, Path], dry: Path, recursive: bool) -> dict[str, Path]:
    """Returns the dry partner of each photograph that has one: same folder and name, whatever its ending.

    Raises ValueError when ``dry`` holds none for any of them, or two for one, and as :func:`photographs_by_name`.
    """
    found: dict[str, Path] = {}
    for name, path in photographs_by_name(dry, recursive)[0].items():
        if (other := found.setdefault(_stem(name), path)) != path:
            raise ValueError(f"{shown(other)} and {shown(path)} have one name: keep one")
    matched = {name: found[_stem(name)] for name in names if _stem(name) in found}
    if not matched:
        raise ValueError(f"{shown(dry)} holds no partner: a dry photograph has the name of its wet one")
    return matched


def _stem(name: str) -> str:
    return composed(name[: len(name) - len(Path(name).suffix)])


def smallest_px(image: np.ndarray) -> float:
    """Returns how many px across a particle needs to be found: a photograph is looked at at a limited size."""
    return max(LEAST_PX, float(np.sqrt(image.shape[0] * image.shape[1])) / LOOKED_AT)
