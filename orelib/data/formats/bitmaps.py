"""JPEG, BMP and WebP: decoded and written.

Pillow does most of it. It takes 23 bytes per pixel for WebP, so imagecodecs decodes WebP.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile

from orelib.data.formats.beside import Resolution, finer, from_metres, join_exif, read_exif, split_exif, usable
from orelib.data.formats.stored import Decoded, Photograph, PhotographError, bytes_a_pixel, demand_plausible, room_for
from orelib.data.formats.whole import bmp_holds_more, ends_in_zeros, jpeg_ends

JPEG, BMP, RIFF = b"\xff\xd8\xff", b"BM", b"RIFF"
# The classes rather than Image.open, which refuses images above a number of pixels that is set per process.
_CLASSES = {JPEG: JpegImageFile, BMP: BmpImageFile}

# Most bytes of pixels that a byte of the file can hold. In JPEG a block takes at least 1 bit, or 1.125 bits with colour
# at a sixteenth of the samples. In WebP a copy of 4096 pixels takes 3 bits; only an image of one colour takes none. BMP
# repeats 255 pixels with 2 bytes.
_JPEG, _WEBP, _RUNS = 1536, 4 * 32_768, 3 * 128
_SEGMENT = 65_533  # most bytes of EXIF that a JPEG holds
_WEBP_MEMORY, _PROGRESSIVE = 24, 11  # bytes per pixel to write a WebP, and to read a progressive JPEG


def read_bitmap(path: Path) -> Decoded:
    """Decodes a JPEG, BMP or WebP.

    Raises PhotographError for other formats, and almost any error for a damaged file.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(138)
        file.seek(0)
        if head[:4] == RIFF and head[8:12] == b"WEBP":
            return _read_webp(file, size)
        for signature, kind in _CLASSES.items():
            if head.startswith(signature):
                image = kind(file)
                break
        else:
            raise PhotographError(
                "cannot be read as an image (whatever its name, it is no PNG, JPEG, TIFF, BMP or WebP)"
            )
        demand_plausible(*image.size, *_wanted_and_held(image, head, size))
        if image.format == "BMP" and not _is_packed(head) and bmp_holds_more(head, size, *image.size):
            claimed = "{} x {} px".format(*image.size)
            raise PhotographError(f"its header claims {claimed}, less than the file holds: it is damaged")
        needed = bytes_a_pixel(8, image.has_transparency_data)
        with room_for(*image.size, max(needed, _PROGRESSIVE) if "progressive" in image.info else needed):
            if image.format == "JPEG":
                _demand_whole_jpeg(file)
            image.load()
            return Decoded(samples_of(image), *_about(image))


def _demand_whole_jpeg(file: BinaryIO) -> None:
    place = file.tell()
    file.seek(0)
    if not jpeg_ends(file.read()):
        raise PhotographError("cannot be read as an image (its end is missing)")
    file.seek(place)


def samples_of(image: Image.Image) -> np.ndarray:
    """Returns a Pillow image as uint8 (H, W, 1, 3 or 4), converted part by part, because Pillow makes copies."""
    if image.mode[0] in "IF":
        raise PhotographError(f"holds values of mode {image.mode}; save it with 8 or 16 bits a channel")
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode == "L" else "RGB"
    width, height = image.size
    samples = np.empty((height, width, len(mode)), np.uint8)
    rows = max(1, 2**18 // width)  # few enough to stay near the processor
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        band = band if band.mode == mode else band.convert(mode)
        samples[top : top + rows] = np.asarray(band).reshape(-1, width, len(mode))
    return samples


def _wanted_and_held(image: Image.Image, head: bytes, size: int) -> tuple[int, int]:
    """Returns the bytes of the uncompressed pixels, and the most bytes that a file of this size can hold."""
    width, height = image.size
    if image.format == "BMP":
        old = head[14] == 12  # the header of OS/2 is shorter
        bits = int.from_bytes(head[24:26] if old else head[28:30], "little")
        return (width * height * 3, size * _RUNS) if _is_packed(head) else (width * height * bits // 8, size)
    return width * height * 3, size * _JPEG


def _is_packed(head: bytes) -> bool:
    """Returns whether a BMP is run-length encoded; the header of OS/2 does not know compression."""
    return head[14] != 12 and head[30] in (1, 2)


def _about(image: Image.Image) -> tuple[int, dict]:
    """Returns the orientation, and the metadata that is kept."""
    orientation, in_exif, exif = split_exif(image.getexif)
    resolution = finer(_stated_resolution(image), in_exif)
    return orientation, {"exif": exif, "icc_profile": image.info.get("icc_profile"), "resolution": resolution}


def _stated_resolution(image: Image.Image) -> Resolution | None:
    """Reads the resolution from a format's own fields; Pillow may invent the "dpi" of a JPEG."""
    if image.format == "JPEG":
        unit = {1: 1.0, 2: 2.54}.get(image.info.get("jfif_unit"), 0.0)
        return usable(*(value * unit for value in image.info.get("jfif_density", (0, 0))))
    return from_metres(image.info["dpi"]) if "dpi" in image.info else None


# ---- WebP --------------------------------------------------------------------------------------------------------


def _read_webp(file: BinaryIO, size: int) -> Decoded:
    chunks = {name: (content, end) for name, content, end in reversed(list(_riff_chunks(file, size)))}  # first ones win
    contents = {name: content for name, (content, _) in chunks.items()}
    extended = contents.get(b"VP8X", b"")
    if extended:
        width, height = (int.from_bytes(extended[at : at + 3], "little") + 1 for at in (4, 7))
    elif lossless := contents.get(b"VP8L"):
        bits = int.from_bytes(lossless[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (int.from_bytes(contents.get(b"VP8 ", b"")[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    demand_plausible(width, height, width * height * 4, size * _WEBP)
    remarks = []
    with room_for(width, height, _WEBP_MEMORY):
        file.seek(0)
        encoded = file.read()
        for name in (b"VP8 ", b"VP8L"):
            if name in chunks and ends_in_zeros(encoded[: chunks[name][1]], width, height):
                if name == b"VP8 ":
                    raise PhotographError("cannot be read as an image (its end is missing)")
                remarks.append("it ends in zeros: check that the copy is complete, unless its lower part is uniform")
        samples = imagecodecs.webp_decode(encoded)
    orientation, resolution, exif = split_exif(lambda: read_exif(contents.get(b"EXIF", b"")))
    if extended[:1] and extended[0] & 2:
        remarks.append("of its animation only the first frame is read")
    about = {"exif": exif, "icc_profile": contents.get(b"ICCP"), "resolution": resolution, "remarks": tuple(remarks)}
    return Decoded(samples, orientation, about)


def _riff_chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, bytes, int]]:
    """Yields name, content and end of each chunk of a WebP; of pixels only the first bytes."""
    file.seek(4)
    stated = int.from_bytes(file.read(4), "little")
    at, size = 12, min(size, 8 + stated + stated % 2)  # bytes behind this end are not part of it
    while at + 8 <= size:
        file.seek(at)
        name, length = file.read(4), int.from_bytes(file.read(4), "little")
        end = at + 8 + length
        if end > size:
            raise PhotographError("cannot be read as an image (its end is missing)")
        yield name, file.read(16 if name in (b"VP8 ", b"VP8L", b"ALPH", b"ANMF") else length), end
        at = end + length % 2


# ---- writing -----------------------------------------------------------------------------------------------------


def write_lossy(path: Path, samples: np.ndarray, photograph: Photograph) -> tuple[str, ...]:
    """Writes 8-bit samples as JPEG, WebP or BMP, with the metadata that the format holds; returns remarks.

    JPEG states whole px per inch, so EXIF states the resolution, too; WebP has no other place for it.
    """
    suffix, exif, remarks = path.suffix.lower(), join_exif(photograph.exif, photograph.resolution), ()
    if suffix in (".jpg", ".jpeg") and len(exif or b"") > _SEGMENT:
        exif = photograph.exif
        if len(exif or b"") > _SEGMENT:
            exif, remarks = None, ("its EXIF is left out, because it is too long for a JPEG",)
    beside = {name: value for name, value in (("icc_profile", photograph.icc_profile), ("exif", exif)) if value}
    dpi = photograph.resolution or (0, 0)  # Pillow would state 96 dpi in a BMP
    if suffix != ".bmp" and not 0.5 <= min(dpi) <= max(dpi) <= 65535:
        dpi = (0, 0)  # what JPEG cannot state, EXIF does
    # Into memory first, because Pillow does not notice a disk that fills up within the last block of a file. Its
    # writers ignore options of other formats. WebP's exact keeps the colours of transparent parts.
    encoded, format = BytesIO(), Image.registered_extensions()[suffix]
    Image.fromarray(samples).save(encoded, format, quality=95, subsampling=0, exact=True, dpi=dpi, **beside)
    path.write_bytes(encoded.getbuffer())
    return remarks
