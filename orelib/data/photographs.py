"""Photographs as files: read and written without loss, at 8 or 16 bits a channel.

The modules of :mod:`orelib.data.formats` decode and write the formats, and check files first.

The metadata that is kept depends on the format. ICC profile: all but BMP. EXIF: PNG, JPEG and WebP. Resolution: all, in
WebP as part of its EXIF. Gamma, where no profile says more: PNG. Chromaticities, likewise: PNG and TIFF. Alpha: PNG,
TIFF and WebP. 16 bits: PNG and TIFF. The rest is left out: text, XMP, previews, a pixel aspect ratio without unit.
"""

from __future__ import annotations

import errno
import os
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from orelib.data.formats.bitmaps import read_bitmap, write_lossy
from orelib.data.formats.png import PNG, read_png, write_png
from orelib.data.formats.stored import Decoded, Photograph, PhotographError, PhotographUnavailable, bands
from orelib.data.formats.tiff import SIGNATURES, read_tiff, write_tiff
from orelib.utils.files import appearing
from orelib.utils.memory import memory_ran_out
from orelib.utils.names import is_left_behind
from orelib.utils.paths import are_same, shown

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


def photographs_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """Returns the photographs in a folder, by suffix and in order of their names, and all else that a user put there.

    Broken links count as photographs, so that reading them raises an error. Raises OSError when the folder cannot be
    listed.
    """
    photographs, others = [], []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            path, is_photograph = Path(folder, entry.name), os.path.splitext(entry.name)[1].lower() in SUFFIXES
            if is_photograph and not entry.is_file(follow_symlinks=False):
                is_photograph = os.path.isfile(path) or not os.path.exists(path)  # but not a pipe
            if not is_left_behind(entry.name):
                (photographs if is_photograph else others).append(path)
    return photographs, others


def photographs_below(folder: Path, leave_out: Path | None = None) -> tuple[list[Path], list[Path]]:
    """Returns the photographs in a folder and in all folders below it, and all else that a user put there.

    As :func:`photographs_in`, folder by folder: a folder's own photographs come before those of its subfolders. Links
    to folders are not followed, because they may lead in a circle: they are among the rest. The folder ``leave_out``
    is not looked into, and is not among the rest; it may be missing.

    Raises OSError when one of the folders cannot be listed.
    """
    photographs, others, waiting = [], [], [Path(folder)]
    while waiting:
        place = waiting.pop()
        try:
            found, rest = photographs_in(place)
        except FileNotFoundError:
            if place == Path(folder):
                raise
            continue  # it was removed since the folder above it was listed
        photographs += found
        folders = []
        for path in rest:
            (folders if os.path.isdir(path) and not os.path.islink(path) else others).append(path)
        waiting += [path for path in reversed(folders) if not (leave_out and are_same(path, leave_out))]
    return photographs, others


def stated_pixels(path: Path) -> int | None:
    """Returns how many pixels a photograph has by its header, which takes a fraction of a millisecond to read.

    None: unknown, because the file is missing, damaged, of a kind that Pillow does not read, or suspiciously large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return image.width * image.height
    except Exception:  # of almost any class; reading the photograph tells what is wrong with it
        return None


def file_state(path: Path) -> tuple[int, int] | None:
    """Returns size and modification time in ns, which change while a file is written; None when it is gone."""
    try:
        facts = path.stat()
    except OSError as error:  # a broken link, or a share that is not connected
        return (-1, error.errno) if os.path.lexists(path) else None
    return facts.st_size, facts.st_mtime_ns


# ---- reading -----------------------------------------------------------------------------------------------------


def read_image(path: Path) -> np.ndarray:
    """Reads a photograph as uint8 (H, W, 3) RGB, the form for training and comparing.

    Combines :func:`read_photograph` and :func:`in_8_bits`, with the same errors.
    """
    return in_8_bits(read_photograph(path))


def in_8_bits(photograph: Photograph) -> np.ndarray:
    """Converts a photograph to uint8 (H, W, 3) RGB: 16 bits become 8 (65535: 255), transparent parts become black."""
    return _on_black(_to_8_bits(_samples(photograph)))


def profile_name(photograph: Photograph) -> str:
    """Returns a name of the photograph's colour profile: "none", or its description and a checksum.

    The checksum leaves out date and identifier, so that a profile that is made twice has one name.
    """
    profile = photograph.icc_profile
    if profile is None:
        return "none"
    checksum = zlib.crc32(profile[:24] + profile[36:84] + profile[100:])
    try:
        name = ImageCms.getProfileDescription(BytesIO(profile)).strip()
    except ImageCms.PyCMSError:
        name = "damaged"
    return f"{''.join(filter(str.isprintable, name))} ({checksum:08x})"


def read_photograph(path: Path) -> Photograph:
    """Reads a photograph at the depth of its file.

    EXIF orientation is applied; grey is repeated to three channels; palettes and CMYK become RGB; depths of 9 to 15
    bits that a TIFF states become 16; an ICC profile that is not for RGB is dropped, and so is alpha that is 0
    everywhere. Of a TIFF with several pages, the first that is not a preview is read, and a remark says so. A TIFF
    gives no EXIF beyond orientation and resolution; EXIF of other formats comes without its preview, and is left out
    where it cannot be decoded.

    JPEG, WebP, BMP and uncompressed TIFF have no checksums. A copy that ends early is refused. So is a JPEG
    whose end was replaced by zeros or other bytes, and a WebP whose end was replaced by zeros (a lossless one gets a
    remark). In other formats a replaced end is not noticed; nor are changed bytes amid the pixels, or a changed size in
    the header of a JPEG.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    PhotographUnavailable
        When memory, permissions or disk prevent reading it now: see :func:`~orelib.data.formats.stored.demand_memory`.
    PhotographError
        For a file that is empty, unreadable or incomplete, that holds floating-point or signed values, or whose 16-bit
        values use at most 14 bits without stating it: see :func:`~orelib.data.formats.stored.full_range`.
    """
    path = Path(path)
    if path.stat().st_size == 0:
        raise PhotographError(f"{shown(path)}: the file is empty")
    try:
        samples, orientation, about = _decode(path)
    except PhotographError as error:
        raise type(error)(f"{shown(path)}: {error}") from error
    except Exception as error:  # decoders raise errors of almost any class for damaged files
        kind = PhotographUnavailable if _is_passing(error) else PhotographError
        raise kind(f"{shown(path)}: cannot be read as an image ({_reason(error)})") from error
    if about.get("resolution") and orientation in (5, 6, 7, 8):
        about["resolution"] = about["resolution"][::-1]
    samples = _upright(samples, orientation)
    colour, alpha = (samples[..., :-1], samples[..., -1]) if samples.shape[2] in (2, 4) else (samples, None)
    if alpha is not None:
        alpha = np.ascontiguousarray(alpha) if alpha.any() else None  # many programs write an unused channel of zeros
    pixels = np.ascontiguousarray(np.repeat(colour, 3, axis=2) if colour.shape[2] == 1 else colour)
    if (about.get("icc_profile") or b"")[16:20] != b"RGB ":
        about["icc_profile"] = None
    return Photograph(pixels, alpha, **about)


def _decode(path: Path) -> Decoded:
    with open(path, "rb") as file:
        head = file.read(len(PNG))
    if head == PNG:
        return read_png(path)
    return read_tiff(path) if head[:4] in SIGNATURES else read_bitmap(path)


def _is_passing(error: Exception) -> bool:
    """Returns whether an error is not about the file's content. EINVAL is: damaged offsets make a seek invalid."""
    is_of_system = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)
    return memory_ran_out(error) or is_of_system


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].split(" <")[0].split(": '")[0] if str(error) else type(error).__name__


def _upright(samples: np.ndarray, orientation: int) -> np.ndarray:
    """Turns and mirrors an image (H, W, channels) by EXIF's orientation 1-8; other values leave it as it is."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def _samples(photograph: Photograph) -> np.ndarray:
    """Joins pixels and alpha: (H, W, 3), or (H, W, 4) where there is alpha."""
    return photograph.pixels if photograph.alpha is None else np.dstack([photograph.pixels, photograph.alpha])


def _to_8_bits(samples: np.ndarray) -> np.ndarray:
    if samples.dtype == np.uint8:
        return samples
    rounded = np.empty(samples.shape, np.uint8)
    for deep, rows in zip(bands(samples), bands(rounded), strict=True):
        rows[...] = (deep.astype(np.uint32) + 128) // 257
    return rounded


def _on_black(samples: np.ndarray) -> np.ndarray:
    """Removes alpha from 8-bit samples: transparent parts become black."""
    if samples.shape[2] == 3:
        return samples
    for rows in bands(samples):
        rows[..., :3] = (rows[..., :3] * rows[..., 3:].astype(np.uint32) + 127) // 255
    return np.ascontiguousarray(samples[..., :3])


# ---- writing -----------------------------------------------------------------------------------------------------


def write_photograph(path: Path, photograph: Photograph, only_new: bool = False) -> tuple[str, ...]:
    """Writes a photograph in the format that the suffix names, in one piece (:func:`~orelib.utils.files.appearing`).

    PNG holds everything, TIFF everything but EXIF and gamma. The others hold 8 bits, so 16 bits become 8. JPEG and BMP
    hold no alpha: transparent parts become black. BMP holds neither EXIF nor ICC profile. What a format cannot hold
    is left out. JPEG and WebP lose a little: they are written at quality 95, JPEG with its colours at full resolution.

    Returns remarks: sentences about data that the format usually holds, but cannot hold for this photograph.

    Raises ValueError for a suffix that is not one of :data:`SUFFIXES`, and OSError or ValueError for a
    photograph that the format cannot hold, such as a JPEG of more than 65,500 px a side. With ``only_new``, raises
    FileExistsError when ``path`` exists, and leaves it as it is.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{shown(path)}: not a format this kit writes ({', '.join(SUFFIXES)})")
    samples = np.ascontiguousarray(_samples(photograph))
    if suffix not in (".png", ".tif", ".tiff"):
        samples = _to_8_bits(samples)
    if suffix in (".jpg", ".jpeg", ".bmp"):
        samples = _on_black(samples)
    write = {".png": write_png, ".tif": write_tiff, ".tiff": write_tiff}.get(suffix, write_lossy)
    with appearing(path, only_new) as temporary:
        return write(temporary, samples, photograph) or ()
