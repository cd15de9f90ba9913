"""Whether a file is whole that has no checksums: a copy may have been interrupted after space was reserved for it.

Decoders take the zeros or the rubbish at its end for pixels.
"""

from __future__ import annotations

import re

# In JPEG a byte 255 begins a marker. Coded pixels hold only 255 0 and restarts (208-215), and 255 may fill.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA


def jpeg_ends(encoded: bytes) -> bool:
    """Whether the markers of a JPEG lead from its header over a scan to its end; what stands behind does not count."""
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
