"""PNG, JPEG, BMP and WebP: headers are doubted before memory is taken, and checksums are looked at."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from orelib.cli.common import _is_small
from orelib.data.formats import stored
from orelib.data.photographs import Photograph, PhotographError, read_photograph, write_photograph

SUFFIXES = [".png", ".jpg", ".bmp", ".webp", ".tif"]


def png(width, height, depth=8, colour=2):
    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def webp(name, content):
    body = b"WEBP" + name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg(tmp_path, progressive):
    Image.new("RGB", (40, 30)).save(tmp_path / "small.jpg", progressive=progressive)
    content = bytearray((tmp_path / "small.jpg").read_bytes())
    at = content.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    struct.pack_into(">HH", content, at + 5, 65_000, 65_000)
    return content


def bmp(tmp_path, compression):
    Image.new("RGB", (40, 30)).save(tmp_path / "small.bmp")
    content = bytearray((tmp_path / "small.bmp").read_bytes())
    struct.pack_into("<ii", content, 18, 50_000, 50_000)
    struct.pack_into("<HI", content, 28, 8 if compression else 24, compression)
    return content


GIANTS = {
    "8.png": lambda folder: png(2**31 - 1, 2**31 - 1),
    "16.png": lambda folder: png(60_000, 60_000, 16),
    "1.png": lambda folder: png(60_000, 60_000, 1, 0),
    "plain.jpg": lambda folder: jpeg(folder, False),
    "progressive.jpg": lambda folder: jpeg(folder, True),
    "plain.bmp": lambda folder: bmp(folder, 0),
    "runs.bmp": lambda folder: bmp(folder, 1),
    "lossless.webp": lambda folder: webp(b"VP8L", b"\x2f" + struct.pack("<I", 16382 | 16382 << 14) + bytes(9)),
    "lossy.webp": lambda folder: webp(b"VP8 ", b"\x10\0\0\x9d\1\x2a" + struct.pack("<HH", 16383, 16383) + bytes(6)),
    "extended.webp": lambda folder: webp(b"VP8X", bytes(4) + b"\xff" * 6),
}


@pytest.mark.parametrize("name", GIANTS)
def test_a_header_that_claims_too_much_costs_no_memory(tmp_path, name, monkeypatch):
    """A WebP of 34 bytes may claim 268 megapixels."""
    monkeypatch.setattr(stored, "available_memory", lambda: 10**20)  # so that this is not what refuses it
    (tmp_path / name).write_bytes(GIANTS[name](tmp_path))
    with pytest.raises(PhotographError, match=rf"{name}: its header claims \d+ x \d+ px, more than the file can hold"):
        read_photograph(tmp_path / name)


def test_a_bmp_of_os2_is_read(tmp_path, noise):
    pixels = noise.integers(0, 256, (20, 32, 3)).astype(np.uint8)
    header = struct.pack("<IHHI", 26 + pixels.size, 0, 0, 26) + struct.pack("<IHHHH", 12, 32, 20, 1, 24)
    (tmp_path / "a.bmp").write_bytes(b"BM" + header + pixels[::-1, :, ::-1].tobytes())
    assert np.array_equal(read_photograph(tmp_path / "a.bmp").pixels, pixels)
    struct.pack_into("<HH", content := bytearray((tmp_path / "a.bmp").read_bytes()), 18, 60_000, 60_000)
    (tmp_path / "a.bmp").write_bytes(content)
    with pytest.raises(PhotographError, match="more than the file can hold"):
        read_photograph(tmp_path / "a.bmp")


def test_a_webp_without_pixels_is_refused(tmp_path):
    for content in (webp(b"EXIF", b"x"), webp(b"VP8L", b""), webp(b"VP8 ", bytes(40))[:34]):
        (tmp_path / "a.webp").write_bytes(content)
        with pytest.raises(PhotographError, match=r"a\.webp"):
            read_photograph(tmp_path / "a.webp")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pillows_limit_is_neither_met_nor_changed(tmp_path, noise, suffix, monkeypatch):
    """It is one for the whole process, which may be a notebook that does other things, too."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    pixels = noise.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    write_photograph(tmp_path / f"a{suffix}", Photograph(pixels))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_photograph(tmp_path / f"a{suffix}").pixels.shape == pixels.shape
        if suffix != ".webp":
            Image.fromarray(pixels).convert("P" if suffix != ".jpg" else "CMYK").save(tmp_path / f"b{suffix}")
            assert read_photograph(tmp_path / f"b{suffix}").pixels.shape == pixels.shape
    assert Image.MAX_IMAGE_PIXELS == 500


def test_the_command_asks_for_a_size_without_meeting_that_limit(tmp_path, monkeypatch):
    """It chooses the engine by it: what is huge is not small, and no warning is given."""
    write_photograph(tmp_path / "a.png", Photograph(np.zeros((40, 50, 3), np.uint8)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for limit, small in ((5000, True), (1500, False), (500, False)):
            monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
            assert _is_small(tmp_path / "a.png") is small


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_photograph_for_which_memory_does_not_suffice_says_how_large_it_is(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(stored, "SMALL", 0)
    monkeypatch.setattr(stored, "available_memory", lambda: 10_000)
    write_photograph(tmp_path / f"a{suffix}", Photograph(np.zeros((40, 50, 3), np.uint8)))
    with pytest.raises(stored.PhotographUnavailable, match=rf"a{suffix}: 50 x 40 px take 0\.0 GB of memory"):
        read_photograph(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("name", ["a.png", "deep.png", "a.jpg", "a.bmp", "a.webp", "a.tif", "palette.tif"])
def test_large_photographs_are_decoded_one_at_a_time(tmp_path, name, monkeypatch):
    """Threads would find the same memory free otherwise. Small ones wait for none."""
    log = []

    class Turn:
        def __enter__(self):
            log.append("begins")

        def __exit__(self, *error):
            log.append("ends")

    def available():
        log.append("asks")
        return 10**9

    monkeypatch.setattr(stored, "_TURN", Turn())
    monkeypatch.setattr(stored, "SMALL", 0)
    monkeypatch.setattr(stored, "available_memory", available)
    pixels = np.full((40, 50, 3), 40_000, np.uint16)
    if name == "palette.tif":
        Image.new("P", (50, 40)).save(tmp_path / name)
    else:
        write_photograph(tmp_path / name, Photograph(pixels if name == "deep.png" else pixels.astype(np.uint8)))
    for large, expected in ((2000, ["asks"]), (1999, ["begins", "asks", "ends"])):
        log.clear()
        monkeypatch.setattr(stored, "_LARGE", large)
        assert read_photograph(tmp_path / name).pixels.shape == (40, 50, 3)
        assert log == expected


@pytest.mark.parametrize("depth", [8, 16])
def test_flipped_bits_in_a_png_are_seen(tmp_path, noise, depth):
    """By the checksums of its chunks: never other pixels."""
    pixels = noise.integers(0, 2**depth, (9, 11, 3)).astype(f"uint{depth}")
    write_photograph(tmp_path / "a.png", Photograph(pixels))
    whole = (tmp_path / "a.png").read_bytes()
    refused = 0
    for at in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << at % 8
        (tmp_path / "b.png").write_bytes(flipped)
        try:
            assert np.array_equal(read_photograph(tmp_path / "b.png").pixels, pixels)
        except PhotographError:
            refused += 1
    assert refused > 0.9 * len(whole) / 7


def test_a_wide_photograph_is_converted_in_parts(tmp_path, noise):
    """Wider and higher than a part is."""
    for size in ((3, 1_100_000), (1_100_000, 3)):
        grey = np.broadcast_to(
            np.arange(max(size), dtype=np.uint32).astype(np.uint8), size[::-1] if size[0] > 3 else size
        )
        grey = np.ascontiguousarray(grey.T if size[0] > 3 else grey)
        Image.fromarray(grey).convert("P").save(tmp_path / "a.bmp")
        assert np.array_equal(read_photograph(tmp_path / "a.bmp").pixels[..., 1], grey)
