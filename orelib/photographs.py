"""Photographs as files: read and written without loss, at 8 or 16 bits a channel.

Pillow does most of it. Deep files go past it, because it reads 16-bit colour as 8-bit without a word: PNG through
imagecodecs, TIFF through tifffile, which reads every common compression with the help of imagecodecs.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from tifffile import EXTRASAMPLE, PHOTOMETRIC

from orelib.config import shown
from orelib.files import appearing

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
NOT_PHOTOGRAPHS = {"thumbs.db", "desktop.ini"}  # what file managers leave behind; hidden files are passed over too

# Numbers of EXIF and TIFF tags.
_STRIP_OFFSETS, _ORIENTATION, _EXIF, _GPS, _INTEROPERABILITY = 0x0111, 0x0112, 0x8769, 0x8825, 0xA005
# Make, model, resolution with its unit, software, time, artist and copyright: of a TIFF's tags those that speak of the
# photograph. Its description is not among them, because programs keep the layout of the pixels there.
_SPEAKING = (0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x8298, _EXIF, _GPS)

_Decoded = tuple[np.ndarray, int, bytes | None, bytes | None]  # samples, orientation, EXIF, ICC profile


class PhotographError(ValueError):
    """A file that cannot be used as a photograph; the message names it and says why."""


@dataclass(frozen=True)
class Photograph:
    """Pixels as they are looked at, and what the file says of them.

    ``pixels`` is RGB, uint8 or uint16 (H, W, 3). ``alpha`` is None or (H, W) of the same dtype, 0 being transparent.
    ``exif`` is None or begins with ``b"Exif\\0\\0"`` and holds no orientation; ``icc_profile`` is None or one for RGB.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    exif: bytes | None = None
    icc_profile: bytes | None = None


# ---- reading -----------------------------------------------------------------------------------------------------


def read_image(path: Path) -> np.ndarray:
    """Reads a photograph as uint8 (H, W, 3) RGB, in which networks are trained and images compared.

    As :func:`read_photograph`, with the same errors; then 16 bits become 8, 65535 becoming 255, and transparent parts
    become black.
    """
    return _on_black(_in_8_bits(read_photograph(path))).pixels


def read_photograph(path: Path) -> Photograph:
    """Reads a photograph at the depth of its file.

    EXIF orientation is applied; grey is repeated to three channels; palettes and CMYK become RGB, and an ICC profile
    that is not for RGB is dropped. Of a file with several pages the first is read. EXIF that cannot be decoded is left
    out, as is the preview that it may hold.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    PhotographError
        For a file that is empty, unreadable, holds floating-point values, or uses under 12 of its 16 bits.
    """
    path = Path(path)
    if path.stat().st_size == 0:
        raise PhotographError(f"{shown(path)}: the file is empty")
    try:
        samples, orientation, exif, icc_profile = _decode(path)
    except PhotographError:
        raise
    except Exception as error:  # over damaged files decoders raise errors of almost any class
        raise PhotographError(f"{shown(path)}: cannot be read as an image ({_reason(error)})") from error
    samples = _upright(_checked(samples, path), orientation)
    colour, alpha = (samples[..., :-1], samples[..., -1]) if samples.shape[2] in (2, 4) else (samples, None)
    pixels = np.ascontiguousarray(np.repeat(colour, 3, axis=2) if colour.shape[2] == 1 else colour)
    if icc_profile is not None and icc_profile[16:20] != b"RGB ":
        icc_profile = None
    return Photograph(pixels, alpha, exif, icc_profile)


def _decode(path: Path) -> _Decoded:
    """The samples as they are stored, (H, W) or (H, W, channels), and what belongs to them."""
    with open(path, "rb") as file:
        head = file.read(26)
        is_tiff = head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))
        if is_tiff and (decoded := _decode_tiff(path)):
            return decoded
        file.seek(0)
        # Opened as a file, because Pillow maps a TIFF that it opens by name into memory, with sides swapped before
        # they are turned. Loaded before the EXIF, which PNG may hold behind the pixels; TIFF is turned upright by it.
        image = Image.open(file)
        image.load()
        orientation, exif = _split(lambda: _speaking(image.getexif()) if is_tiff else image.getexif())
        icc_profile = image.info.get("icc_profile")
        if image.format == "PNG" and head[24] == 16:
            samples = imagecodecs.png_decode(path.read_bytes())
        elif image.has_transparency_data:
            samples = np.asarray(image.convert("RGBA"))
        elif image.mode in ("L", "RGB", "F") or image.mode.startswith("I"):
            samples = np.asarray(image)
        else:
            samples = np.asarray(image.convert("RGB"))
    return samples, orientation, exif, icc_profile


def _decode_tiff(path: Path) -> _Decoded | None:
    """A grey or RGB TIFF; None for one in other colours, which Pillow knows to convert where they are 8 bits deep."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        plain = page.photometric in (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB)
        if not plain or page.bitspersample < 8 or EXTRASAMPLE.ASSOCALPHA in page.extrasamples:
            if page.bitspersample > 8:
                raise PhotographError(f"{shown(path)}: its deep colours are of a kind not read here; save it as RGB")
            return None
        ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if max(ends) > path.stat().st_size:  # some decoders make up what is missing
            raise PhotographError(f"{shown(path)}: cannot be read as an image (its end is missing)")
        samples, icc_profile = page.asarray(), page.iccprofile
        if page.axes == "SYX":
            samples = np.moveaxis(samples, 0, -1)
        if page.photometric == PHOTOMETRIC.MINISWHITE:
            samples = np.iinfo(samples.dtype).max - samples
        if page.photometric == PHOTOMETRIC.RGB and page.extrasamples[:1] == (EXTRASAMPLE.UNSPECIFIED,):
            samples = samples[..., :3]

    def read_exif() -> Image.Exif:
        exif = Image.Exif()
        with open(path, "rb") as file:
            exif.load_from_fp(file)
            return _speaking(exif)

    return samples, *_split(read_exif), icc_profile


def _speaking(tags: Image.Exif) -> Image.Exif:
    """Of a TIFF's tags the orientation and those that speak of the photograph."""
    exif = Image.Exif()
    for tag in (_ORIENTATION, *_SPEAKING):
        if tag in tags:
            exif[tag] = tags[tag]
            if tag in (_EXIF, _GPS):
                exif[tag] = {name: value for name, value in tags.get_ifd(tag).items() if name != _INTEROPERABILITY}
    return exif


def _split(read_exif: Callable[[], Image.Exif]) -> tuple[int, bytes | None]:
    """The orientation (1: upright), and the EXIF without it."""
    orientation = 1
    try:
        exif = read_exif()
        orientation = exif.pop(_ORIENTATION, 1)
        return orientation, exif.tobytes() if len(exif) else None
    except Exception:  # broken EXIF is common, raises almost anything, and must not cost the photograph
        return orientation, None


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].split(" <")[0].split(": '")[0] if str(error) else type(error).__name__


def _checked(samples: np.ndarray, path: Path) -> np.ndarray:
    """The samples as uint8 or uint16 (H, W, 1-4); PhotographError when they are none."""
    if samples.dtype.kind not in "ui" or samples.size == 0 or samples.min() < 0 or samples.max() > 65535:
        raise PhotographError(f"{shown(path)}: holds {samples.dtype} values; save it with 8 or 16 bits a channel")
    if samples.ndim == 2:
        samples = samples[..., None]
    if samples.ndim != 3 or samples.shape[2] > 4:
        raise PhotographError(f"{shown(path)}: has shape {samples.shape}; one flat grey or colour image is needed")
    if samples.dtype == np.uint8:
        return samples
    if 255 < samples.max() < 4096:  # a camera's raw 10 or 12 bits would come out almost black
        raise PhotographError(f"{shown(path)}: its 16-bit values end at {samples.max()}; scale them to the full range")
    return samples.astype(np.uint16)


def _upright(samples: np.ndarray, orientation: int) -> np.ndarray:
    """The image (H, W, channels) as it is looked at, turned and mirrored as EXIF's 1-8 say; others leave it."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def _in_8_bits(photograph: Photograph) -> Photograph:
    if photograph.pixels.dtype == np.uint8:
        return photograph
    pixels, alpha = (
        None if values is None else ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
        for values in (photograph.pixels, photograph.alpha)
    )
    return replace(photograph, pixels=pixels, alpha=alpha)


def _on_black(photograph: Photograph) -> Photograph:
    """An 8-bit photograph without its alpha: transparent parts become black."""
    if photograph.alpha is None:
        return photograph
    blended = (photograph.pixels * photograph.alpha[..., None].astype(np.uint32) + 127) // 255
    return replace(photograph, pixels=blended.astype(np.uint8), alpha=None)


# ---- writing -----------------------------------------------------------------------------------------------------

_OPTIONS = {  # of Pillow's writers
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".webp": {"quality": 95, "exact": True},  # exact: also the colours below transparent parts
}


def write_photograph(path: Path, photograph: Photograph) -> None:
    """Writes a photograph in the format that the suffix names, in one piece (:func:`~orelib.files.appearing`).

    PNG and TIFF hold everything. The others hold 8 bits, so 16 become 8. JPEG and BMP hold no alpha: transparent parts
    become black. BMP holds neither EXIF nor ICC profile: they are left out. JPEG and WebP lose a little: they are
    written at quality 95, JPEG with its colours at full resolution.

    Raises ValueError for a suffix that is not one of :data:`SUFFIXES`, and OSError or ValueError for what the format
    cannot hold, such as a JPEG of more than 65,500 px a side.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{shown(path)}: not a format this kit writes ({', '.join(SUFFIXES)})")
    if suffix not in (".png", ".tif", ".tiff"):
        photograph = _in_8_bits(photograph)
        if suffix != ".webp":
            photograph = _on_black(photograph)
    layers = [photograph.pixels] if photograph.alpha is None else [photograph.pixels, photograph.alpha]
    samples = np.ascontiguousarray(np.dstack(layers))
    about = {"exif": photograph.exif, "icc_profile": photograph.icc_profile}
    with appearing(path) as temporary:
        if suffix in (".tif", ".tiff"):
            _write_tiff(temporary, samples, **about)
        elif samples.dtype == np.uint16:
            temporary.write_bytes(_deep_png(samples, **about))
        else:
            about = {name: value for name, value in about.items() if value is not None}
            Image.fromarray(samples).save(temporary, **_OPTIONS.get(suffix, {}), **about)


def _deep_png(samples: np.ndarray, exif: bytes | None, icc_profile: bytes | None) -> bytes:
    """A 16-bit PNG. imagecodecs writes no EXIF and no profile, so their chunks are put behind the header."""
    encoded = imagecodecs.png_encode(samples)
    chunks = b""
    if icc_profile is not None:
        chunks += _png_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc_profile))
    if exif is not None:
        chunks += _png_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    header = 8 + 25  # signature and IHDR
    return encoded[:header] + chunks + encoded[header:]


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _write_tiff(path: Path, samples: np.ndarray, exif: bytes | None, icc_profile: bytes | None) -> None:
    """A TIFF of either depth, because Pillow writes no compressed one with EXIF.

    Nor does tifffile write EXIF, so in the end a directory that holds its tags and the EXIF takes the place of its own.
    """
    tifffile.imwrite(
        path, samples, byteorder="<", photometric="rgb", compression="adobe_deflate", predictor=True, metadata=None,
        software=False, extrasamples=["unassalpha"] * (samples.shape[2] - 3), iccprofile=icc_profile,
    )  # fmt: skip
    if exif is None:
        return
    speaking, tags = Image.Exif(), Image.Exif()
    speaking.load(exif)
    tags.endian = "<"
    with open(path, "r+b") as file:
        directory = ImageFileDirectory_v2(file.read(8))
        file.seek(directory.next)
        directory.load(file)
        tags.update(directory)
        tags.update(_speaking(speaking))
        end = file.seek(0, 2)
        start = end + end % 2  # a directory begins at an even byte
        file.write(b"\0" * (start - end) + tags.tobytes(start).removeprefix(b"Exif\0\0")[8:])
        file.seek(4)
        file.write(struct.pack("<I", start))
    with tifffile.TiffFile(path, mode="r+b") as tiff:  # Pillow moved them, as if the pixels followed the directory
        tiff.pages.first.tags["StripOffsets"].overwrite(directory[_STRIP_OFFSETS])
