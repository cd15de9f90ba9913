"""Photographs as files: read and written without loss, at 8 or 16 bits a channel.

Pillow does most of it. Deep files go past it, because it reads 16-bit colour as 8-bit without a word: PNG through
imagecodecs, TIFF through tifffile, which reads every common compression with the help of imagecodecs.

What is kept beside the pixels depends on the format: PNG, JPEG and WebP keep EXIF and ICC profile, TIFF its profile
alone, BMP neither. PNG, TIFF and WebP keep alpha, PNG and TIFF 16 bits.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import ExifTags, Image
from PIL.PngImagePlugin import putchunk
from tifffile import EXTRASAMPLE, PHOTOMETRIC

from orelib.config import shown
from orelib.files import appearing

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")

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
    return _on_black(_in_8_bits(_samples(read_photograph(path))))


def read_photograph(path: Path) -> Photograph:
    """Reads a photograph at the depth of its file.

    EXIF orientation is applied; grey is repeated to three channels; palettes and CMYK become RGB, and an ICC profile
    that is not for RGB is dropped. Of a file with several pages the first is read. A TIFF gives no EXIF beyond its
    orientation; that of other formats comes without its preview, and is left out where it cannot be decoded.

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
        # they are turned. Loaded before the EXIF, which PNG may hold behind the pixels; that turns a TIFF upright.
        image = Image.open(file)
        image.load()
        orientation, exif = (1, None) if is_tiff else _orientation_and_exif(image)
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
        samples = page.asarray()
        if page.axes == "SYX":
            samples = np.moveaxis(samples, 0, -1)
        if page.photometric == PHOTOMETRIC.MINISWHITE:
            samples = np.iinfo(samples.dtype).max - samples
        if page.photometric == PHOTOMETRIC.RGB and page.extrasamples[:1] == (EXTRASAMPLE.UNSPECIFIED,):
            samples = samples[..., :3]
        return samples, page.tags.valueof("Orientation", 1), None, page.iccprofile


def _orientation_and_exif(image: Image.Image) -> tuple[int, bytes | None]:
    """The orientation (1: upright), and the EXIF without it."""
    orientation = 1
    try:
        exif = image.getexif()
        orientation = exif.pop(ExifTags.Base.Orientation, 1)
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


def _samples(photograph: Photograph) -> np.ndarray:
    """Pixels and alpha in one: (H, W, 3), or (H, W, 4) where there is alpha."""
    return photograph.pixels if photograph.alpha is None else np.dstack([photograph.pixels, photograph.alpha])


def _in_8_bits(samples: np.ndarray) -> np.ndarray:
    return samples if samples.dtype == np.uint8 else ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _on_black(samples: np.ndarray) -> np.ndarray:
    """8-bit samples without their alpha: transparent parts become black."""
    if samples.shape[2] == 3:
        return samples
    return ((samples[..., :3] * samples[..., 3:].astype(np.uint32) + 127) // 255).astype(np.uint8)


# ---- writing -----------------------------------------------------------------------------------------------------


def write_photograph(path: Path, photograph: Photograph, only_new: bool = False) -> None:
    """Writes a photograph in the format that the suffix names, in one piece (:func:`~orelib.files.appearing`).

    PNG holds everything, TIFF everything but EXIF, which is left out. The others hold 8 bits, so 16 become 8. JPEG and
    BMP hold no alpha: transparent parts become black. BMP holds neither EXIF nor ICC profile: they are left out. JPEG
    and WebP lose a little: they are written at quality 95, JPEG with its colours at full resolution.

    Raises ValueError for a suffix that is not one of :data:`SUFFIXES`, and OSError or ValueError for what the format
    cannot hold, such as a JPEG of more than 65,500 px a side. With ``only_new``, FileExistsError when there is
    something at ``path``, which is left as it is.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{shown(path)}: not a format this kit writes ({', '.join(SUFFIXES)})")
    samples = np.ascontiguousarray(_samples(photograph))
    if suffix not in (".png", ".tif", ".tiff"):
        samples = _in_8_bits(samples)
    if suffix in (".jpg", ".jpeg", ".bmp"):
        samples = _on_black(samples)
    about = {"exif": photograph.exif, "icc_profile": photograph.icc_profile}
    with appearing(path, only_new) as temporary:
        if suffix in (".tif", ".tiff"):
            tifffile.imwrite(  # by metadata and software it would add notes of its own
                temporary, samples, photometric="rgb", extrasamples=["unassalpha"] * (samples.shape[2] - 3),
                compression="adobe_deflate", predictor=True, iccprofile=photograph.icc_profile,
                metadata=None, software=False,
            )  # fmt: skip
        elif samples.dtype == np.uint16:
            _write_deep_png(temporary, samples, **about)
        else:
            about = {name: value for name, value in about.items() if value is not None}
            # Pillow's writers pass over options of others. WebP's exact keeps the colours below transparent parts.
            Image.fromarray(samples).save(temporary, quality=95, subsampling=0, exact=True, **about)


def _write_deep_png(path: Path, samples: np.ndarray, exif: bytes | None, icc_profile: bytes | None) -> None:
    """A 16-bit PNG. imagecodecs writes no EXIF and no profile, so their chunks are put behind the header."""
    encoded = imagecodecs.png_encode(samples)
    header = 8 + 25  # signature and IHDR
    with open(path, "wb") as file:
        file.write(encoded[:header])
        if icc_profile is not None:
            putchunk(file, b"iCCP", b"ICC profile\0\0" + zlib.compress(icc_profile))
        if exif is not None:
            putchunk(file, b"eXIf", exif.removeprefix(b"Exif\0\0"))
        file.write(encoded[header:])
