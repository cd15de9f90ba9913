"""TIFF: decoded, with every common compression and 8 to 16 bits, and written.

tifffile does it, with the help of imagecodecs. Pillow converts palettes, CMYK, YCbCr and samples below 8 bits, which
tifffile does not convert. Both fill missing parts with black, so :mod:`~orelib.data.formats.tiff_layout` checks that
no part is missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import numpy as np
import tifffile
from PIL import Image, ImagePalette
from PIL.TiffImagePlugin import TiffImageFile
from tifffile import COMPRESSION, DATATYPE, EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPage

from orelib.data.formats.beside import Resolution, as_ratio, from_unit
from orelib.data.formats.bitmaps import samples_of
from orelib.data.formats.stored import Decoded, Photograph, PhotographError, bands, bytes_a_pixel, full_range, room_for
from orelib.data.formats.tiff_layout import demand_parts, demand_whole

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_GREY = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK)
_RATIOS = (DATATYPE.RATIONAL, DATATYPE.SRATIONAL)
_ALPHA = (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA)
_LIMIT = Lock()
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_NEW_KIND, _OLD_KIND, _MAX_VALUE, _WHITE, _PRIMARIES, _COLOUR_MAP = 254, 255, 281, 318, 319, 320  # tags


def read_tiff(path: Path) -> Decoded:
    """Decodes the page of a TIFF that is the picture.

    Raises PhotographError for a file that is incomplete or of a kind not read here, and almost any error for a damaged
    file.
    """
    with TiffFile(path) as tiff:
        page, number, remarks = _picture(tiff)
        if page.imagedepth > 1:
            raise PhotographError("holds a volume; one flat grey or colour image is needed")
        if not isinstance(page.bitspersample, int):
            raise PhotographError("its channels have different depths; save it with 8 or 16 bits a channel")
        colours, alpha = _channels(page, number is None, remarks)
        demand_parts(page, path)
        needed = bytes_a_pixel(16 if page.bitspersample > 8 else 8, alpha is not None)
        copies = 1 if page.is_contiguous or len(page.dataoffsets) > 1 else 3  # encoded, decoded, and in place
        needed = max(needed, copies * page.samplesperpixel * -(-page.bitspersample // 8))
        with room_for(page.imagewidth, page.imagelength, needed):
            demand_whole(page, path)
            orientation = page.tags.valueof("Orientation", 1)
            about = {
                "icc_profile": page.iccprofile,
                "resolution": _resolution(page),
                "chromaticities": _chromaticities(page),
                "remarks": tuple(remarks),
            }
            if colours:
                return Decoded(_samples(page, colours, alpha), orientation, about)
            if number is None:
                raise PhotographError("its picture is of a kind not read here; save it as RGB")
            if about["resolution"] and orientation in (5, 6, 7, 8):  # Pillow turns the pixels itself
                about["resolution"] = about["resolution"][::-1]
            return Decoded(_converted(path, number), 1, about)


def _picture(tiff: TiffFile) -> tuple[TiffPage, int | None, list[str]]:
    """Returns the page that is the picture, its number (None: it lies below another page), and remarks.

    The picture is the first page that is not marked as a preview or mask. Many previews are not marked, so if that page
    looks like a preview of larger pages, the picture is the largest of them.
    """
    entries: list[tuple[TiffPage, int | None]] = [(page, number) for number, page in enumerate(tiff.pages)]
    entries += [(below, None) for page, _ in entries for below in page.pages or ()]
    full = [entry for entry in entries if not _kind(entry[0]) & (_REDUCED | _MASK)] or entries
    likely = [full[0], *(entry for entry in full[1:] if _is_preview(full[0][0], entry[0]))]
    page, number = max(likely, key=lambda entry: entry[0].imagewidth)
    count = sum(number is not None for _, number in full)
    if tiff.is_imagej:
        count = max(count, (tiff.imagej_metadata or {}).get("images", 1))
    if count < 2:
        return page, number, []
    which = f"page {number + 1}" if number is not None else "the largest"
    return page, number, [f"of its {count} pages or channels only {which} is read"]


def _kind(page: TiffPage) -> int:
    """Returns NewSubfileType, or the older SubfileType converted to it; 0 where that is not an integer."""
    kind = page.tags.valueof(_NEW_KIND)
    if kind is None:
        kind = _REDUCED if page.tags.valueof(_OLD_KIND) == 2 else 0
    return kind if isinstance(kind, int) else 0


def _is_preview(page: TiffPage, picture: TiffPage) -> bool:
    """Returns whether a page looks like a smaller copy: same proportions, to two px, and both grey or both colour."""
    grey = [each.photometric in (*_GREY, PHOTOMETRIC.MASK) for each in (page, picture)]
    height = picture.imagelength * page.imagewidth / picture.imagewidth
    return page.imagewidth < picture.imagewidth and abs(height - page.imagelength) <= 2 and grey[0] == grey[1]


def _channels(page: TiffPage, below: bool, remarks: list[str]) -> tuple[int, int | None]:
    """Returns the number of colour channels (0: Pillow has to convert the page), and the index of alpha or None.

    Pillow does not reach a page ``below`` another, but tifffile converts JPEG to RGB itself.
    """
    colour = page.photometric == PHOTOMETRIC.RGB or (below and _is_jpeg_in_other_colours(page))
    plain = colour or page.photometric in _GREY
    if not plain or page.bitspersample < 8:
        if page.bitspersample > 8:
            raise PhotographError("its deep colours are of a kind not read here; save it as RGB")
        packed = page.photometric == PHOTOMETRIC.YCBCR and page.compression == COMPRESSION.NONE
        if packed and page.tags.valueof("YCbCrSubSampling", (1, 1)) != (1, 1):  # Pillow ignores the tag
            raise PhotographError("holds uncompressed colours at less than full resolution; save it as RGB")
        return 0, None
    colours = 3 if colour else 1
    extra = page.samplesperpixel - colours
    if extra < 0:
        raise PhotographError("it lacks channels: it is damaged")
    named = [at for at, kind in enumerate(page.extrasamples[:extra], colours) if kind in _ALPHA]
    if named:
        alpha = named[0]
    elif colours == 3 and extra == 1 and not page.extrasamples:
        alpha = 3  # other programs take it for alpha, too
    else:
        alpha = None
    if colours == 1 and extra == 2 and alpha is None and page.photometric == PHOTOMETRIC.MINISBLACK:
        remarks.append("it calls its three channels grey; they are read as red, green and blue")
        return 3, None
    if colours == 1 and extra > 2:
        raise PhotographError(f"has {1 + extra} channels, which it calls grey; save it as RGB")
    if left := extra - (alpha is not None):
        remarks.append(f"{left} channel(s) that are neither colour nor alpha are left out")
    return colours, alpha


def _is_jpeg_in_other_colours(page: TiffPage) -> bool:
    return page.photometric == PHOTOMETRIC.YCBCR and page.compression == COMPRESSION.JPEG


def _samples(page: TiffPage, colours: int, alpha: int | None) -> np.ndarray:
    """Colour and alpha of a page in full range, (H, W, C)."""
    samples = page.asarray(buffersize=2**24)
    if samples.ndim == 2:
        samples = samples[..., None]
    elif page.axes == "SYX":
        samples = np.moveaxis(samples, 0, -1)
    if samples.ndim != 3:
        raise PhotographError("its size is damaged")
    if alpha is not None and alpha != colours:
        samples[..., colours] = samples[..., alpha]
    samples = full_range(samples[..., : colours + (alpha is not None)], colours, _depth(page, samples[..., :colours]))
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        samples[..., 0] = np.iinfo(samples.dtype).max - samples[..., 0]
    if alpha is not None and page.extrasamples[alpha - colours :][:1] == (EXTRASAMPLE.ASSOCALPHA,):
        _divide_by_alpha(samples)
    return samples


def _divide_by_alpha(samples: np.ndarray) -> None:
    """Divides colours by alpha, the last channel, in place; where alpha is 0 they stay as they are."""
    largest = np.iinfo(samples.dtype).max
    for rows in bands(samples):
        colour, alpha = np.split(rows.astype(np.uint32), [-1], axis=2)
        rows[..., :-1] = np.where(alpha, colour * largest // alpha.clip(1), colour).clip(max=largest)


def _depth(page: TiffPage, colours: np.ndarray) -> int | None:
    """Returns the bits of a sample as the file states them; None where 16 bits are only the size of storage.

    MaxSampleValue states them when it is the largest value of 8 to 16 bits, and no sample exceeds it.
    """
    if page.bitspersample < 16:
        return page.bitspersample
    largest = page.tags.valueof(_MAX_VALUE)
    largest = largest[0] if isinstance(largest, tuple) else largest
    depth = largest.bit_length() if isinstance(largest, int) else 0
    return depth if depth >= 8 and largest == 2**depth - 1 and colours.max() <= largest else None


def _converted(path: Path, number: int) -> np.ndarray:
    """Converts a page in other colours with Pillow; returns it upright."""
    with open(path, "rb") as file:  # opening it by name would make Pillow swap its sides before turning it
        image = TiffImageFile(file)
        image.seek(number)
        colours = image.tag_v2.get(_COLOUR_MAP, ())
        if 0 < max(colours, default=0) < 256:  # 8 bits, as old programs wrote it; Pillow would read it as black
            image.palette = ImagePalette.raw("RGB;L", bytes(colours))
        with _pillow_of_any_size():
            image.load()
        return samples_of(image)


@contextmanager
def _pillow_of_any_size() -> Iterator[None]:
    """Lifts Pillow's limit on pixels, which holds for the whole process; memory was checked before."""
    with _LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


# ---- beside the pixels -------------------------------------------------------------------------------------------


def _resolution(page: TiffPage) -> Resolution | None:
    sides = [_numbers(page, name) for name in ("XResolution", "YResolution")]
    unit = page.tags.valueof("ResolutionUnit", 2)
    if [len(side) for side in sides] != [1, 1] or not isinstance(unit, int):
        return None
    return from_unit(sides[0][0], sides[1][0], unit)


def _chromaticities(page: TiffPage) -> tuple[float, ...] | None:
    """White, red, green and blue, x and y each, or None."""
    values = (*_numbers(page, _WHITE), *_numbers(page, _PRIMARIES))
    return values if len(values) == 8 else None


def _numbers(page: TiffPage, name: str | int) -> tuple[float, ...]:
    """Reads the values of a tag that should hold ratios and may hold other numbers; () where it holds anything else."""
    tag = page.tags.get(name)
    if tag is None or not isinstance(tag.value, tuple | int | float):
        return ()
    values = tag.value if isinstance(tag.value, tuple) else (tag.value,)
    if tag.dtype in _RATIOS:
        values = [over / under if under else math.nan for over, under in zip(values[::2], values[1::2], strict=True)]
    return tuple(map(float, values)) if all(map(math.isfinite, values)) else ()


# ---- writing -----------------------------------------------------------------------------------------------------


def write_tiff(path: Path, samples: np.ndarray, photograph: Photograph) -> None:
    """Writes samples (H, W, 3 or 4) of 8 or 16 bits, with ICC profile, resolution and chromaticities."""
    tags = []
    if samples.dtype == np.uint16:  # or a dark one would be taken for unscaled values
        tags.append((_MAX_VALUE, "H", samples.shape[2], [65535] * samples.shape[2], True))
    if photograph.chromaticities:
        ratios = [part for value in photograph.chromaticities for part in (round(value * 100_000), 100_000)]
        tags += [(_WHITE, "2I", 2, ratios[:4], True), (_PRIMARIES, "2I", 6, ratios[4:], True)]
    resolution = photograph.resolution and tuple(map(as_ratio, photograph.resolution))
    tifffile.imwrite(  # metadata and software are off, or it would add its own notes
        path, samples, photometric="rgb", extrasamples=["unassalpha"] * (samples.shape[2] - 3),
        compression="adobe_deflate", predictor=True, iccprofile=photograph.icc_profile, resolution=resolution,
        resolutionunit="inch" if resolution else None, extratags=tags, metadata=None, software=False,
    )  # fmt: skip
