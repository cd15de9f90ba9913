"""PNG: decoded and written.

Pillow would silently read 16 bits per channel as 8, so imagecodecs decodes these. Both would refuse a PNG for its
metadata, such as a colour profile above 1 MiB or a long text, so such chunks are hidden from them.
"""

from __future__ import annotations

import io
import math
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo, putchunk

from orelib.data.formats.beside import METRES_AN_INCH, finer, from_metres, join_exif, split_exif
from orelib.data.formats.bitmaps import samples_of
from orelib.data.formats.stored import (
    Decoded,
    Photograph,
    PhotographError,
    bytes_a_pixel,
    demand_plausible,
    full_range,
    room_for,
)

PNG = b"\x89PNG\r\n\x1a\n"
_DEFLATE = 1032  # most bytes that a byte can hold: 2 bits repeat 258 bytes
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_LIBPNG = 1_000_000  # most px a side that libpng reads and writes
_PROFILE = 16_000_000  # most bytes of a colour profile, and of a chunk of metadata that is read

_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
_FRAMES = (b"acTL", b"fcTL", b"fdAT")  # of an animation
_KEPT = (b"iCCP", b"pHYs", b"gAMA", b"cHRM", b"eXIf")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_TURNING = (b"Raw profile type exif", b"XML:com.adobe.xmp")  # texts that may hold the orientation
_HARMLESS = (*_KEPT, *_TEXTS, b"sBIT", b"sRGB", b"tIME", b"bKGD", b"hIST", b"sPLT")  # their damage spares pixels


def read_png(path: Path) -> Decoded:
    """Decodes a PNG; raises PhotographError, or almost any error for a damaged file."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(34)
        inspected = _inspect(file)
        shown = io.BufferedReader(_Parts(file, inspected.parts))
        image = PngImageFile(shown)
        width, height = image.size
        wanted = (math.ceil(width * head[24] * _CHANNELS[head[25]] / 8) + 1) * height
        demand_plausible(width, height, wanted, size * _DEFLATE)
        deep = head[24] == 16
        with room_for(width, height, bytes_a_pixel(16 if deep else 8, image.has_transparency_data)):
            image.load()  # before EXIF is read, which may follow the pixels
            orientation, about = _about(image, inspected)
            if not deep:
                return Decoded(samples_of(image), orientation, about)
            del image
            shown.seek(0)
            samples = imagecodecs.png_decode(shown.read())
            samples = samples.reshape(*samples.shape[:2], -1)
            return Decoded(full_range(samples, 3 if samples.shape[2] > 2 else 1, inspected.bits), orientation, about)


def _about(image: PngImageFile, inspected: _Inspected) -> tuple[int, dict]:
    """Returns the orientation, and the metadata that is kept."""
    orientation, in_exif, exif = split_exif(image.getexif)
    stated = from_metres(image.info["dpi"]) if "dpi" in image.info else None
    remarks = list(inspected.remarks)
    if image.n_frames > 1:
        remarks.append(f"of its {image.n_frames} frames only the first is read")
    return orientation, {
        "exif": exif,
        "icc_profile": inspected.profile,
        "resolution": finer(stated, in_exif),
        "gamma": image.info.get("gamma") or None,
        "chromaticities": image.info.get("chromaticity"),
        "remarks": tuple(remarks),
    }


# ---- chunks ------------------------------------------------------------------------------------------------------


@dataclass
class _Inspected:
    """Findings on a PNG: ``parts`` to decode, (offset, length); ``bits`` is 16 where sBIT says that all 16 matter."""

    parts: list[tuple[int, int]] = field(default_factory=lambda: [(0, len(PNG))])
    bits: int | None = None
    profile: bytes | None = None
    remarks: list[str] = field(default_factory=list)


def _inspect(file: BinaryIO) -> _Inspected:
    """Walks the chunks of a PNG.

    Raises PhotographError when the checksum of a chunk of pixels is wrong, because Pillow does not check it.
    """
    found, begun, texts = _Inspected(), False, set()
    file.seek(len(PNG))
    while len(start := file.read(8)) == 8 and start[4:].isalpha():
        offset, length, name = file.tell() - 8, int.from_bytes(start[:4], "big"), start[4:]
        content, matches = _chunk(file, name, length)
        if not matches and name not in _HARMLESS and (name in _PIXELS or not begun):
            raise PhotographError("cannot be read as an image (its checksums do not match)")
        begun |= name == b"IDAT"
        text = name in _TEXTS and content.split(b"\0", 1)[0]
        if name == b"sBIT" and matches:
            found.bits = 16 if set(content) == {16} else None
        elif name == b"iCCP" and matches and (profile := _profile(content)):
            found.profile = profile
        elif name in _KEPT and not (matches and name != b"iCCP" and _is_sound(name, content)):
            found.remarks.append(f"its {name.decode()} is damaged and left out")
        elif text in _TURNING and text not in texts and matches and _is_sound(name, content):
            texts.add(text)
            found.parts.append((offset, length + 12))
        elif (
            name in (*_PIXELS, *_FRAMES, *_KEPT) or not name[0] & 32
        ):  # chunks that begin with a small letter may be left out
            found.parts.append((offset, length + 12))
        if name == b"IEND":
            break
    return found


def _chunk(file: BinaryIO, name: bytes, length: int) -> tuple[bytes, bool]:
    """Returns a chunk's content, empty if it is too long or not needed, and whether its checksum matches."""
    checksum, left, content = zlib.crc32(name), length, b""
    while left and (part := file.read(min(left, 2**20))):
        checksum, left = zlib.crc32(part, checksum), left - len(part)
        content += part if name in _HARMLESS and length <= _PROFILE else b""
    return content, checksum.to_bytes(4, "big") == file.read(4)


def _profile(content: bytes) -> bytes | None:
    """Unpacks the colour profile of a chunk iCCP; None where it is damaged or too long."""
    packed = content.partition(b"\0")[2]
    unpack = zlib.decompressobj()
    try:
        profile = unpack.decompress(packed[1:], _PROFILE)
    except zlib.error:
        return None
    return profile if packed[:1] == b"\0" and unpack.eof else None


def _is_sound(name: bytes, content: bytes) -> bool:
    """Returns whether Pillow accepts a PNG of one pixel with this chunk."""
    encoded = io.BytesIO()
    encoded.write(PNG)
    for each in ((b"IHDR", b"\0\0\0\1\0\0\0\1\x08\0\0\0\0"), (name, content), (b"IDAT", zlib.compress(bytes(2)))):
        putchunk(encoded, *each)
    encoded.seek(0)
    try:
        PngImageFile(encoded)
    except Exception:  # Pillow raises several classes
        return False
    return True


class _Parts(io.RawIOBase):
    """A file that consists of parts of another file, each (offset, length)."""

    def __init__(self, file: BinaryIO, parts: list[tuple[int, int]]) -> None:
        self._file, self._parts, self._at = file, parts, 0
        self._starts = [0, *accumulate(length for _, length in parts)]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        return self._at

    def readinto(self, buffer: memoryview) -> int:
        index = bisect_right(self._starts, self._at) - 1
        if index >= len(self._parts):
            return 0
        within = self._at - self._starts[index]
        offset, length = self._parts[index]
        self._file.seek(offset + within)
        count = self._file.readinto(memoryview(buffer)[: length - within])
        self._at += count
        return count


# ---- writing -----------------------------------------------------------------------------------------------------


def write_png(path: Path, samples: np.ndarray, photograph: Photograph) -> None:
    """Writes samples (H, W, 3 or 4) of 8 or 16 bits as PNG, with all metadata of the photograph."""
    exif = photograph.exif and join_exif(photograph.exif, photograph.resolution)
    chunks = list(_colour_chunks(photograph))
    if samples.dtype == np.uint16:
        chunks.append((b"sBIT", bytes([16] * samples.shape[2])))  # or a dark one would be taken for unscaled values
        _write_deep_png(path, samples, chunks, photograph, exif)
        return
    info = PngInfo()
    for name, content in chunks:
        info.add(name, content)
    beside = {"icc_profile": photograph.icc_profile, "exif": exif, "dpi": photograph.resolution}
    Image.fromarray(samples).save(path, pnginfo=info, **{name: value for name, value in beside.items() if value})


def _colour_chunks(photograph: Photograph) -> Iterator[tuple[bytes, bytes]]:
    for name, values in ((b"cHRM", photograph.chromaticities), (b"gAMA", photograph.gamma and (photograph.gamma,))):
        if values:
            yield name, b"".join(round(value * 100_000).to_bytes(4, "big") for value in values)


def _write_deep_png(path: Path, samples: np.ndarray, chunks: list, photograph: Photograph, exif: bytes | None) -> None:
    """Writes a 16-bit PNG. imagecodecs writes only pixels, so all other chunks are put behind the header."""
    if max(samples.shape) > _LIBPNG:
        raise ValueError(f"a 16-bit PNG has at most {_LIBPNG:,} px a side; save it as TIFF")
    if photograph.icc_profile is not None:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(photograph.icc_profile)))
    if photograph.resolution:
        sides = (round(value / METRES_AN_INCH).to_bytes(4, "big") for value in photograph.resolution)
        chunks.append((b"pHYs", b"".join(sides) + b"\1"))
    if exif is not None:
        chunks.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    # Into memory that is large enough from the start, because imagecodecs enlarges it by copying.
    room = samples.nbytes + samples.nbytes // 128 + len(samples) + 2**16
    encoded = memoryview(imagecodecs.png_encode(samples, out=np.empty(room, np.uint8)))
    header = 8 + 25  # signature and IHDR
    with open(path, "wb") as file:
        file.write(encoded[:header])
        for name, content in chunks:
            putchunk(file, name, content)
        file.write(encoded[header:])
