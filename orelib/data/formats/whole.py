"""Tests for files without checksums: a copy may have been interrupted after space was reserved for it.

Decoders take the zeros or other bytes at its end for pixels.
"""

from __future__ import annotations

import re

# In JPEG a byte 255 begins a marker. Coded pixels hold 255 only before 0 or a restart (208-215); 255 may be padding.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA


def jpeg_ends(encoded: bytes) -> bool:
    """Returns whether the markers of a JPEG lead from its header over a scan to its end; later bytes do not count."""
    at, scans = 2, 0
    while marker := _MARKER.search(encoded, at):
        code, at = marker[1][0], marker.end()
        if code == _END:
            return scans > 0
        if code == _START:
            return False
        scans += code == _SCAN
        at += int.from_bytes(encoded[at : at + 2], "big")
    return False


def ends_in_zeros(encoded: bytes, width: int, height: int) -> bool:
    """Returns whether a WebP ends in more zeros than a uniform picture of that size does, about 1 in 10,000 px."""
    return not encoded[-max(512, width * height // 4000) :].strip(b"\0")


def bmp_holds_more(head: bytes, size: int, width: int, height: int) -> bool:
    """Returns whether an uncompressed BMP holds at least one row of pixels that its header does not claim.

    ``head`` is the first 138 of its ``size`` bytes. Bytes behind the size that the header states, or behind the
    beginning of a colour profile, are not pixels.
    """
    stated, start, header = (int.from_bytes(head[at : at + 4], "little") for at in (2, 10, 14))
    bits = int.from_bytes(head[24:26] if header == 12 else head[28:30], "little")
    row = (width * bits + 31) // 32 * 4
    pixels_end = start + row * height
    profile = 14 + int.from_bytes(head[126:130], "little") if header >= 124 and any(head[130:134]) else 0
    explained = [end for end in (stated, profile) if pixels_end <= end < size]
    return min([size, *explained]) - pixels_end >= row
