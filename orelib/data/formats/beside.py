"""Metadata beside the pixels: EXIF and resolution, as every format keeps them."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from PIL import ExifTags, Image

Resolution = tuple[float, float]  # px per inch, across and down

METRES_AN_INCH = 0.0254
_UNITS = {2: 1.0, 3: 2.54}  # ResolutionUnit of EXIF and TIFF: inch, centimetre; others are not lengths
_TAGS = (ExifTags.Base.XResolution, ExifTags.Base.YResolution, ExifTags.Base.ResolutionUnit)


def usable(across: float, down: float) -> Resolution | None:
    """Returns the resolution in px per inch, or None where it is 0, infinite, or outside 0.01 to 1,000,000."""
    return (float(across), float(down)) if all(0.01 <= value <= 1e6 for value in (across, down)) else None


def from_unit(across: float, down: float, unit: int) -> Resolution | None:
    """Converts px per ``unit`` of EXIF or TIFF to px per inch; None where the unit is not a length."""
    return usable(across * _UNITS[unit], down * _UNITS[unit]) if unit in _UNITS else None


def from_metres(dpi: tuple[float, float]) -> Resolution | None:
    """Restores the resolution of a format that states whole px per metre, because Pillow converts it inexactly."""
    return usable(*(round(value / METRES_AN_INCH) * METRES_AN_INCH for value in dpi))


def as_ratio(value: float) -> tuple[int, int]:
    """Px per inch as numerator and denominator; exact for whole px per inch, centimetre and metre."""
    return Fraction(value).limit_denominator(10_000).as_integer_ratio()


def read_exif(exif: bytes) -> Image.Exif:
    """Reads the tags of EXIF; raises almost any error when it is broken."""
    tags = Image.Exif()
    tags.load(exif)
    return tags


def split_exif(load: Callable[[], Image.Exif]) -> tuple[int, Resolution | None, bytes | None]:
    """Splits the EXIF that ``load`` gives into orientation (1: upright), resolution and rest (None where empty)."""
    orientation, resolution = 1, None
    try:
        exif = load()
        orientation = exif.pop(ExifTags.Base.Orientation, 1)
        across, down, unit = (exif.get(tag) for tag in _TAGS)
        if across is not None and down is not None:
            resolution = from_unit(float(across), float(down), 2 if unit is None else unit)
        if resolution:
            for tag in _TAGS:
                exif.pop(tag, None)
        return orientation, resolution, exif.tobytes() if len(exif) else None
    except Exception:  # broken EXIF is common, raises almost any error, and must not stop reading
        return orientation, resolution, None


def join_exif(exif: bytes | None, resolution: Resolution | None) -> bytes | None:
    """Returns EXIF with the resolution added; None when there is neither."""
    if resolution is None:
        return exif
    tags = read_exif(exif or b"")
    across, down = (Fraction(*as_ratio(value)) for value in resolution)
    for tag, value in zip(_TAGS, (across, down, 2), strict=True):
        tags[tag] = value
    return tags.tobytes()


def finer(stated: Resolution | None, exif: Resolution | None) -> Resolution | None:
    """Returns the resolution that a format states in whole px per inch, or EXIF's more exact one where both agree."""
    if stated is None or (exif and all(math.isclose(*pair, abs_tol=0.5) for pair in zip(stated, exif, strict=True))):
        return exif
    return stated
