"""Whether all strips or tiles of a TIFF are there, and hold as many bytes as its header says.

Decoders fill what is missing with black, and cut off what is too much. A width that is damaged would then give a skewed
picture, and a height or a count that is damaged one that ends in black.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import imagecodecs
from PIL.JpegImagePlugin import JpegImageFile
from tifffile import COMPRESSION, FILLORDER, PHOTOMETRIC, PLANARCONFIG, TIFF, TiffPage

from orelib.stored import PhotographError, demand_plausible
from orelib.whole import jpeg_ends

_STRIPS, _TILES = (273, 279), (324, 325)  # tags of offsets and byte counts
_STREAM, _STREAM_LENGTH = 513, 514

# Bytes of pixels that a byte can hold at most; other compressions have no such limit.
_RATIOS = {
    COMPRESSION.NONE: 1, COMPRESSION.PACKBITS: 64, COMPRESSION.ADOBE_DEFLATE: 1032, COMPRESSION.DEFLATE: 1032,
    COMPRESSION.LZW: 2560, COMPRESSION.JPEG: 1536, COMPRESSION.ZSTD: 32_768,
}  # fmt: skip
_CUTTING = (COMPRESSION.LZW, COMPRESSION.LZMA)  # their decoders stop where the strip is full


def demand_whole(page: TiffPage, path: Path) -> None:
    """Raises PhotographError when strips or tiles are missing, or hold other than what the header says."""
    if page.compression == COMPRESSION.OJPEG and _STREAM in page.tags:
        _demand_stream(page, path)
    codes = _TILES if page.is_tiled else _STRIPS
    if codes[0] not in page.tags and page.compression == COMPRESSION.OJPEG:
        return
    listed = {page.tags[code].count for code in codes if code in page.tags}
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if listed != {math.prod(page.chunked)} or listed != {len(segments)} or not all(map(all, segments)):
        raise PhotographError("cannot be read as an image (parts of it are missing, or its size is damaged)")
    if max(offset + held for offset, held in segments) > path.stat().st_size:
        raise PhotographError("cannot be read as an image (its end is missing)")
    if page.photometric == PHOTOMETRIC.YCBCR and page.compression != COMPRESSION.JPEG:
        return  # how many bytes it takes depends on its subsampling
    wanted = [_rows(page, index) * _bytes_of_a_row(page) for index in range(len(segments))]
    if page.compression in _RATIOS:
        held = sum(held for _, held in segments) * _RATIOS[page.compression]
        demand_plausible(page.imagewidth, page.imagelength, sum(wanted), held)
    with open(path, "rb") as file:
        for bytes_wanted, (offset, held) in zip(wanted, segments, strict=True):
            found = held
            if page.compression != COMPRESSION.NONE:
                file.seek(offset)
                found = _bytes_in(page, file.read(held), bytes_wanted, wanted[0])
            # Some programs fill up to four bytes, or the last strip to the rows of the others.
            if not 0 <= found - bytes_wanted < 4 and found != wanted[0]:
                raise PhotographError("cannot be read as an image (its size is damaged, or parts of it are missing)")


def _demand_stream(page: TiffPage, path: Path) -> None:
    """Raises PhotographError when a JPEG of the first kind, which is one stream beside the strips, is cut off."""
    offset = page.tags.valueof(_STREAM)[0]
    held = page.tags.valueof(_STREAM_LENGTH, [path.stat().st_size - offset])[0]
    with open(path, "rb") as file:
        file.seek(offset)
        stream = file.read(held)
    # Of some programs it is the header alone, and the strips hold the scans.
    if len(stream) < held or (b"\xff\xda" in stream and not jpeg_ends(stream)):
        raise PhotographError("cannot be read as an image (its end is missing)")


def _rows(page: TiffPage, index: int) -> int:
    """Rows of a strip or tile."""
    if page.is_tiled:
        return page.tilelength
    strips = math.ceil(page.imagelength / page.rowsperstrip)
    return min(page.rowsperstrip, page.imagelength - index % strips * page.rowsperstrip)


def _bytes_of_a_row(page: TiffPage) -> int:
    width = page.tilewidth if page.is_tiled else page.imagewidth
    samples = page.samplesperpixel if page.planarconfig == PLANARCONFIG.CONTIG else 1
    return math.ceil(width * samples * page.bitspersample / 8)


def _bytes_in(page: TiffPage, encoded: bytes, wanted: int, full: int) -> int:
    """Bytes that a strip or tile holds; ``wanted`` where its decoder raises if they are others.

    ``full`` is what a strip holds that is not the last.
    """
    if page.compression == COMPRESSION.JPEG:
        if not jpeg_ends(encoded):  # cut off, which its decoder makes up for
            return 0
        width, height = JpegImageFile(io.BytesIO(encoded)).size
        return height * _bytes_of_a_row(page) if width == (page.tilewidth or page.imagewidth) else 0
    packed = page.bitspersample % 8 and page.compression in _RATIOS  # their decoder is given too much room
    if not packed and page.compression not in _CUTTING:
        return wanted
    if page.fillorder == FILLORDER.LSB2MSB:
        encoded = imagecodecs.bitorder_decode(encoded)
    return len(TIFF.DECOMPRESSORS[page.compression](encoded, out=full + 4))
