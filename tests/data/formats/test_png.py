"""PNG: what stands beside the pixels is read where it can be, and never costs the photograph."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from orelib.data.photographs import Photograph, PhotographError, read_photograph, write_photograph

PROFILE = bytes(16) + b"RGB " + bytes(112)


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def write_chunks(path, pixels, before=(), behind=()):
    """A PNG of pixels (H, W, 3) of 8 or 16 bits, with further chunks before and behind them."""
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], pixels.itemsize * 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(pixels.dtype.newbyteorder(">")).tobytes() for row in pixels)
    parts = [chunk(b"IHDR", header), *before, chunk(b"IDAT", zlib.compress(rows)), *behind, chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.fixture(params=[8, 16])
def picture(request, noise):
    return noise.integers(0, 2**request.param, (9, 11, 3)).astype(f"uint{request.param}")


@pytest.mark.parametrize("kind", [".jpg", ".webp", ".tif", ".png"])
def test_a_large_profile_comes_back_from_png(tmp_path, noise, picture, kind):
    """Also from the copy of another format; noise, which deflate leaves as large as it is."""
    profile = PROFILE + noise.bytes(1_500_000)
    write_photograph(tmp_path / f"a{kind}", Photograph(picture, icc_profile=profile))
    write_photograph(tmp_path / "b.png", read_photograph(tmp_path / f"a{kind}"))
    photograph = read_photograph(tmp_path / "b.png")
    assert photograph.icc_profile == profile
    assert not photograph.remarks


def test_a_profile_without_end_is_left_out_with_a_remark(tmp_path, picture):
    endless = zlib.compress(bytes(17_000_000))
    path = write_chunks(tmp_path / "a.png", picture, [chunk(b"iCCP", b"endless\0\0" + endless)])
    photograph = read_photograph(path)
    assert np.array_equal(photograph.pixels, picture)
    assert photograph.icc_profile is None
    assert photograph.remarks == ("its iCCP is damaged and left out",)


TEXTS = {
    "long": chunk(b"tEXt", b"Comment\0" + b"x" * 2_000_000),
    "long when decompressed": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2_000_000))),
    "long XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"x" * 2_000_000)),
    "of an unknown kind": chunk(b"zTXt", b"Comment\0\7" + b"rubbish"),
    "cut": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1000))[:9]),
    "without a name": chunk(b"iTXt", b""),
    "many": b"".join(chunk(b"zTXt", b"%d\0\0" % n + zlib.compress(bytes(900_000), 1)) for n in range(75)),
    "intent": chunk(b"sRGB", b""),
    "time": chunk(b"tIME", b"\0"),
    "background": chunk(b"bKGD", b"\0"),
    "of another program": chunk(b"vpAg", b"\0" * 9),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("place", ["before", "behind"])
def test_what_is_not_kept_is_not_looked_at(tmp_path, noise, name, place):
    picture = noise.integers(0, 256, (9, 11, 3)).astype(np.uint8)
    path = write_chunks(tmp_path / "a.png", picture, **{place: [TEXTS[name]]})
    photograph = read_photograph(path)
    assert np.array_equal(photograph.pixels, picture)
    assert not photograph.remarks


BESIDE = {
    b"pHYs": (b"\0", b"\0\0\x0b\x13"),
    b"gAMA": (b"", b"\0\0"),
    b"cHRM": (b"\0" * 5, b""),
    b"iCCP": (b"", b"x", b"x\0", b"x\0\7rubbish", b"x\0\0rubbish", b"x\0\0" + zlib.compress(PROFILE)[:-9]),
}


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("place", ["before", "behind"])
def test_what_is_damaged_beside_the_pixels_is_left_out_with_a_remark(tmp_path, picture, name, place):
    for content in BESIDE[name]:
        path = write_chunks(tmp_path / "a.png", picture, **{place: [chunk(name, content)]})
        photograph = read_photograph(path)
        assert np.array_equal(photograph.pixels, picture)
        assert photograph.remarks == (f"its {name.decode()} is damaged and left out",)
        assert (photograph.resolution, photograph.gamma, photograph.icc_profile) == (None, None, None)
    flipped = bytearray(chunk(b"pHYs", struct.pack(">IIB", 3937, 3937, 1)))
    flipped[9] ^= 1
    photograph = read_photograph(write_chunks(tmp_path / "a.png", picture, [bytes(flipped)]))
    assert photograph.remarks == ("its pHYs is damaged and left out",)
    assert photograph.resolution is None


def test_the_orientation_in_old_exif_and_xmp_is_applied(tmp_path, noise):
    picture = noise.integers(0, 256, (9, 11, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[274] = 6
    raw = b"\nexif\n%8d\n" % len(exif.tobytes()) + exif.tobytes().hex().encode() + b"\n"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d xmlns:tiff="t" tiff:Orientation="6"/></x:xmpmeta>'
    for text in (
        chunk(b"eXIf", exif.tobytes()[6:]),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
        chunk(b"tEXt", b"Raw profile type exif\0" + raw),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
    ):
        for place in ("before", "behind"):
            path = write_chunks(tmp_path / "a.png", picture, **{place: [text]})
            assert np.array_equal(read_photograph(path).pixels, np.rot90(picture, -1))


def test_a_png_that_was_cut_between_its_chunks_is_refused(tmp_path, picture):
    header, rows = struct.pack(">IIBBBBB", 11, 9, picture.itemsize * 8, 2, 0, 0, 0), bytes(9 * 34 * picture.itemsize)
    packed = zlib.compress(rows, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed[: len(packed) // 2])
    for end in (b"", chunk(b"IEND", b""), chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", packed[len(packed) // 2 :])[:-30]):
        (tmp_path / "a.png").write_bytes(start + end)
        with pytest.raises(PhotographError, match=r"a\.png"):
            read_photograph(tmp_path / "a.png")
