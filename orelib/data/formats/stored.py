"""Results of decoders, and demands on a file before memory is taken for its pixels.

Errors raised here and in the decoders do not name the file: :func:`orelib.data.photographs.read_photograph` adds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import psutil

from orelib.data.formats.beside import Resolution

UNSCALED = 2**14  # 16-bit values that all lie below it are refused: they look like 8 to 14 bits of a camera
SMALL = 10_000_000  # bytes that every process can take without a check of free memory
_LARGE, _TURN = 50_000_000, Lock()  # px above which photographs are decoded one at a time
# Limits of a container: version 2 of control groups, then version 1.
_MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class PhotographError(ValueError):
    """A file that cannot be used as a photograph; the message names it and says why."""


class PhotographUnavailable(PhotographError):
    """A photograph that memory, permissions or its disk prevent from being read now; it may be good."""


@dataclass(frozen=True)
class Photograph:
    """Pixels as they are displayed, and the metadata of their file.

    ``pixels`` is RGB, uint8 or uint16 (H, W, 3). ``alpha`` is None or (H, W) of the same dtype, 0 being transparent.
    ``exif`` is None or begins with ``b"Exif\\0\\0"`` and holds neither orientation nor resolution; ``icc_profile`` is
    None or a profile for RGB. ``resolution`` is px per inch across and down, as the file states it; ``gamma`` and
    ``chromaticities`` (x and y of white, red, green and blue) are defined as in PNG. ``remarks`` are sentences about
    contents of the file that were not read, such as further pages.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    exif: bytes | None = None
    icc_profile: bytes | None = None
    resolution: Resolution | None = None
    gamma: float | None = None
    chromaticities: tuple[float, ...] | None = None
    remarks: tuple[str, ...] = ()


class Decoded(NamedTuple):
    """A photograph as its file stores it.

    ``samples`` is uint8 or uint16 (H, W, C) in full range; the last of 2 or 4 channels is alpha. ``orientation`` is
    EXIF's, 1 to 8 (1: upright). ``about`` holds fields of :class:`Photograph` by name.
    """

    samples: np.ndarray
    orientation: int
    about: dict


def demand_plausible(width: int, height: int, wanted: int, held: int) -> None:
    """Raises PhotographError when the pixels need more bytes (``wanted``) than the file can hold (``held``)."""
    if min(width, height) < 1:
        raise PhotographError(f"its header claims {width} x {height} px: it is damaged")
    if wanted > held:
        raise PhotographError(f"its header claims {width} x {height} px, more than the file can hold: it is damaged")


def demand_memory(width: int, height: int, bytes_a_pixel: int) -> None:
    """Raises PhotographUnavailable when a photograph is too large to be read and restored in the free memory."""
    wanted = width * height * bytes_a_pixel
    if wanted > SMALL and wanted > (free := available_memory()):
        raise PhotographUnavailable(
            f"{width} x {height} px take {wanted / 1e9:.1f} GB of memory, and {max(free, 0) / 1e9:.1f} GB are free; "
            "cut it into parts, or take a machine with more memory"
        )


@contextmanager
def room_for(width: int, height: int, bytes_a_pixel: int) -> Iterator[None]:
    """Demands memory, as :func:`demand_memory` does, for a photograph that is decoded in this context.

    Large ones take turns, because threads that ask at once would each find the same memory free.
    """
    with _TURN if width * height > _LARGE else nullcontext():
        demand_memory(width, height, bytes_a_pixel)
        yield


def bytes_a_pixel(depth: int, alpha: bool) -> int:
    """Bytes per pixel that reading, restoring and writing take, without the bytes that do not depend on size.

    ``depth`` is 8 or 16 bits per channel. Measured as peak memory of a process, on 30,000 x 2,000 px in every format;
    WebP takes more.
    """
    return (12 if alpha else 7) * depth // 8


def available_memory() -> int:
    """Bytes of memory that this process may still take, on its machine and in its container."""
    used = psutil.Process().memory_info().rss
    return min([psutil.virtual_memory().available, *(limit - used for limit in _container_limits())])


def _container_limits() -> Iterator[int]:
    for path in map(Path, _MEMORY_LIMITS):
        try:
            yield int(path.read_text())
        except (OSError, ValueError):  # no such container, or "max"
            continue


def full_range(samples: np.ndarray, colours: int, depth: int | None = None) -> np.ndarray:
    """Brings samples (H, W, C) to the full range of uint8 or uint16; may change them in place.

    Parameters
    ----------
    samples : as stored; the first ``colours`` channels are colour. Integers of more than 16 bits that are 0 to 65535
        count as 16 bits.
    depth : bits of a sample as the file states them, 8 to 16; None: it does not. Then 16-bit colours that all lie in
        the lowest quarter of the range are refused, because a dark photograph cannot be told from one of 8 to 14 bits;
        so is alpha of 8 bits. Black is black at any depth.

    Raises
    ------
    PhotographError
        For refused values, and for values that are not unsigned integers of 8 or 16 bits.
    """
    if samples.dtype.kind in "iu" and samples.dtype.itemsize > 2 and 0 <= samples.min() <= samples.max() <= 65535:
        samples = samples.astype(np.uint16)
    if samples.dtype not in (np.uint8, np.uint16):
        raise PhotographError(f"holds {samples.dtype} values; save it with 8 or 16 bits a channel")
    if samples.dtype == np.uint8 or depth == 16:
        return samples
    if depth is None:
        largest = [int(samples[..., channel].max()) for channel in range(samples.shape[2])]
        for which, end, limit in (
            ("its 16-bit values", max(largest[:colours]), UNSCALED),
            ("the 16-bit values of its alpha", max(largest[colours:], default=0), 256),
        ):
            if 0 < end < limit:
                raise PhotographError(
                    f"{which} end at {end}, and it does not state how many bits they have; scale them to the full "
                    "range, 0 to 65535, or state 16 bits: sBIT in a PNG, MaxSampleValue 65535 in a TIFF"
                )
        return samples
    largest = 2**depth - 1
    for rows in bands(samples):
        rows[...] = ((rows.astype(np.uint32) * 65535 + largest // 2) // largest).clip(max=65535)
    return samples


def bands(samples: np.ndarray) -> Iterator[np.ndarray]:
    """Yields views of some rows each, a few megabytes, so that computing in a wider dtype needs little memory."""
    rows = max(1, 2**20 // samples[:1].size)
    for top in range(0, len(samples), rows):
        yield samples[top : top + rows]
