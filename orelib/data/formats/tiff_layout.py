"""Tests that all strips or tiles of a TIFF are there, and hold as many bytes as its header says.

Decoders fill missing parts with black, and cut off surplus bytes. So a damaged width would give a skewed picture, and a
damaged height or count would give a picture that ends in black.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import imagecodecs
from PIL.JpegImagePlugin import JpegImageFile
from tifffile import COMPRESSION, FILLORDER, PHOTOMETRIC, PLANARCONFIG, TIFF, TiffPage

from orelib.data.formats.stored import PhotographError, demand_plausible
from orelib.data.formats.whole import jpeg_ends

_STRIPS, _TILES = (273, 279), (324, 325)  # tags of offsets and byte counts
_STREAM, _STREAM_LENGTH = 513, 514

# Bytes of pixels that a byte can hold at most; other compressions have no such limit.
_RATIOS = {
    COMPRESSION.NONE: 1, COMPRESSION.PACKBITS: 64, COMPRESSION.ADOBE_DEFLATE: 1032, COMPRESSION.DEFLATE: 1032,
    COMPRESSION.LZW: 2560, COMPRESSION.JPEG: 1536, COMPRESSION.ZSTD: 32_768,
}  # fmt: skip
_BYTEWISE = (
    COMPRESSION.PACKBITS, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE, COMPRESSION.LZW, COMPRESSION.ZSTD,
    COMPRESSION.LZMA,
)  # fmt: skip
_CUTTING = (COMPRESSION.LZW, COMPRESSION.LZMA)  # their decoders stop where the strip is full
_SIZED = (  # each strip or tile is an image that states its own size; the page takes the part that fits
    COMPRESSION.WEBP, COMPRESSION.PNG, COMPRESSION.LERC, COMPRESSION.JPEG_2000_LOSSY, COMPRESSION.JPEG2000,
    COMPRESSION.APERIO_JP2000_YCBC, COMPRESSION.APERIO_JP2000_RGB, COMPRESSION.JPEGXR, COMPRESSION.JPEGXR_NDPI,
    COMPRESSION.JPEGXL, COMPRESSION.JPEGXL_DNG,
)  # fmt: skip


def demand_parts(page: TiffPage, path: Path) -> None:
    """Raises PhotographError when strips or tiles are missing, or cannot hold the pixels; decodes nothing."""
    if page.compression == COMPRESSION.OJPEG and _STREAM in page.tags:
        _demand_stream(page, path)
        if _STRIPS[0] not in page.tags:
            return
    segments, codes = _segments(page), _TILES if page.is_tiled else _STRIPS
    listed = {page.tags[code].count for code in codes if code in page.tags}
    if listed != {math.prod(page.chunked)} or listed != {len(segments)} or not all(map(all, segments)):
        raise PhotographError("cannot be read as an image (parts of it are missing, or its size is damaged)")
    if max(offset + held for offset, held in segments) > path.stat().st_size:
        raise PhotographError("cannot be read as an image (its end is missing)")
    if page.compression in _RATIOS:
        held = sum(held for _, held in segments) * _RATIOS[page.compression]
        demand_plausible(page.imagewidth, page.imagelength, sum(_wanted(page)), held)


def demand_whole(page: TiffPage, path: Path) -> None:
    """Raises PhotographError when strips or tiles hold more or fewer bytes than the header says.

    Decodes parts whose decoder would not notice it, one after another, so memory has to be demanded before.
    """
    if page.compression == COMPRESSION.OJPEG:
        return
    wanted = _wanted(page)
    with open(path, "rb") as file:
        for index, (offset, held) in enumerate(_segments(page)):
            found = held
            if page.compression != COMPRESSION.NONE:
                file.seek(offset)
                found = _bytes_in(page, index, file.read(held), wanted)
            # Some programs pad to four bytes, or pad the last strip to the rows of the others.
            if not 0 <= found - wanted[index] < 4 and found != wanted[0]:
                raise PhotographError("cannot be read as an image (its size is damaged, or parts of it are missing)")


def _segments(page: TiffPage) -> list[tuple[int, int]]:
    """Offset and length in the file of each strip or tile."""
    return list(zip(page.dataoffsets, page.databytecounts, strict=False))


def _wanted(page: TiffPage) -> list[int]:
    """Bytes that each strip or tile holds when it is decoded."""
    return [_bytes_of(page, _rows(page, index)) for index in range(math.prod(page.chunked))]


def _demand_stream(page: TiffPage, path: Path) -> None:
    """Raises PhotographError when an old-style JPEG, which is one stream beside the strips, is cut off."""
    offset = page.tags.valueof(_STREAM)[0]
    held = page.tags.valueof(_STREAM_LENGTH, [path.stat().st_size - offset])[0]
    with open(path, "rb") as file:
        file.seek(offset)
        stream = file.read(held)
    # Some programs put only the header into the stream, and the scans into the strips.
    if len(stream) < held or (b"\xff\xda" in stream and not jpeg_ends(stream)):
        raise PhotographError("cannot be read as an image (its end is missing)")


def _rows(page: TiffPage, index: int) -> int:
    """Rows of a strip or tile."""
    if page.is_tiled:
        return page.tilelength
    strips = math.ceil(page.imagelength / page.rowsperstrip)
    return min(page.rowsperstrip, page.imagelength - index % strips * page.rowsperstrip)


def _bytes_of(page: TiffPage, rows: int) -> int:
    """Bytes that this number of rows of a strip or tile holds."""
    width = page.tilewidth if page.is_tiled else page.imagewidth
    if _is_subsampled(page):
        across, down = page.tags.valueof("YCbCrSubSampling", (2, 2))
        return math.ceil(width / across) * math.ceil(rows / down) * (across * down + 2) * page.bitspersample // 8
    samples = page.samplesperpixel if page.planarconfig == PLANARCONFIG.CONTIG else 1
    return math.ceil(width * samples * page.bitspersample / 8) * rows


def _is_subsampled(page: TiffPage) -> bool:
    """Returns whether luma and chroma are in blocks with less chroma; uncompressed pages that are read have none."""
    contiguous = page.planarconfig == PLANARCONFIG.CONTIG
    return page.photometric == PHOTOMETRIC.YCBCR and contiguous and page.compression in _BYTEWISE


def _bytes_in(page: TiffPage, index: int, encoded: bytes, wanted: list[int]) -> int:
    """Returns the bytes that a strip or tile holds, or the wanted bytes where its decoder raises if they differ."""
    if page.compression == COMPRESSION.JPEG:
        if not jpeg_ends(encoded):  # cut off, which its decoder hides
            return 0
        width, height = JpegImageFile(io.BytesIO(encoded)).size
        return _bytes_of(page, height) if width == (page.tilewidth or page.imagewidth) else 0
    if page.compression in _SIZED:
        return wanted[index] if _fits(page, index, TIFF.DECOMPRESSORS[page.compression](encoded).shape) else 0
    packed = page.bitspersample % 8 and page.compression in _BYTEWISE  # their decoder is given too much room
    if not packed and page.compression not in _CUTTING and not _is_subsampled(page):  # Pillow ignores an error
        return wanted[index]
    if page.fillorder == FILLORDER.LSB2MSB:
        encoded = imagecodecs.bitorder_decode(encoded)
    return len(TIFF.DECOMPRESSORS[page.compression](encoded, out=wanted[0] + 4))


def _fits(page: TiffPage, index: int, found: tuple[int, ...]) -> bool:
    """Returns whether a strip or tile has the size of its place; the last ones may be full or end with the picture."""
    several = page.samplesperpixel > 1 and page.planarconfig == PLANARCONFIG.CONTIG
    if (math.prod(found[2:]) > 1) != several:  # their number may differ, because WebP leaves opaque alpha out
        return False
    if not page.is_tiled:
        return found[1] == page.imagewidth and found[0] in (_rows(page, index), page.rowsperstrip)
    across, down = math.ceil(page.imagewidth / page.tilewidth), math.ceil(page.imagelength / page.tilelength)
    row, column = divmod(index % (across * down), across)
    left = page.imagelength - row * page.tilelength, page.imagewidth - column * page.tilewidth
    full = page.tilelength, page.tilewidth
    return all(length in (most, min(most, rest)) for length, most, rest in zip(found[:2], full, left, strict=True))
