"""Files without checksums: what is missing from a JPEG, WebP or BMP is seen, and odd but correct files are read."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from orelib.data.formats.whole import jpeg_ends
from orelib.data.photographs import PhotographError, read_photograph


@pytest.fixture
def picture(noise):
    """64 x 80 px, 8 bits."""
    return noise.integers(0, 256, (64, 80, 3)).astype(np.uint8)


def encoded(pixels, kind="JPEG", **options):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **options)
    return content.getvalue()


# ---- JPEG --------------------------------------------------------------------------------------------------------

WAYS = {
    "plain": {"quality": 95, "subsampling": 0},
    "progressive": {"quality": 95, "subsampling": 0, "progressive": True},
    "restarts": {"quality": 98, "restart_marker_rows": 1},
    "grey": {"quality": 100},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_a_jpeg_that_was_not_copied_to_its_end_is_refused(tmp_path, noise, picture, way, share):
    """The space for the rest was reserved, and holds zeros or what was deleted before."""
    whole = encoded(picture[..., 0] if way == "grey" else picture, **WAYS[way])
    there = round(len(whole) * share)
    missing = len(whole) - there
    for rest in (bytes(missing), bytes(5 * missing), noise.bytes(missing), b"\xff" * missing, b"\xff\0" * missing):
        (tmp_path / "a.jpg").write_bytes(whole[:there] + rest)
        with pytest.raises(PhotographError, match=r"a\.jpg: cannot be read as an image"):
            read_photograph(tmp_path / "a.jpg")


def segment(code, content):
    return bytes([0xFF, code]) + struct.pack(">H", len(content) + 2) + content


@pytest.mark.parametrize("way", WAYS)
def test_odd_but_correct_jpegs_are_read(tmp_path, picture, way):
    pixels = picture[..., 0] if way == "grey" else picture
    whole = encoded(pixels, **WAYS[way])
    frames = [Image.fromarray(pixels), Image.fromarray(pixels[::-1].copy())]
    several = io.BytesIO()
    frames[0].save(several, "MPO", save_all=True, append_images=frames[1:], **WAYS[way])
    odd = {
        "bytes behind": whole + bytes(1000),
        "text behind": whole + b"\xff\xff\xd8 any text",
        "another behind": whole + whole[: len(whole) // 2],
        "several": several.getvalue(),
        "a preview": whole[:2] + segment(0xE1, b"Exif\0\0" + whole) + whole[2:],
        "markers in a comment": whole[:2] + segment(0xFE, b"\xff\xd9\xff\xd8\xff") + whole[2:],
        "filled": whole[:2] + b"\xff\xff\xff" + whole[2:-2] + b"\xff\xff" + whole[-2:],
    }
    (tmp_path / "whole.jpg").write_bytes(whole)
    expected = read_photograph(tmp_path / "whole.jpg").pixels
    for name, content in odd.items():
        (tmp_path / f"{name}.jpg").write_bytes(content)
        assert np.array_equal(read_photograph(tmp_path / f"{name}.jpg").pixels, expected), name


def test_a_jpeg_ends_behind_its_scans(picture):
    whole = encoded(picture)
    header = whole[: whole.index(b"\xff\xda")]
    assert jpeg_ends(whole)
    assert not any(map(jpeg_ends, (b"", whole[:1], whole[:-2], whole[:-1], header, header + b"\xff\xd9", whole[:30])))


# ---- JPEG inside a TIFF ------------------------------------------------------------------------------------------


def old_jpeg(content, length, *, strips):
    """A TIFF of 80 x 64 px of the first kind of JPEG: as one stream, with or without strips that point into it."""
    tags = [(256, 4, 80), (257, 4, 64), (258, 3, 8), (259, 3, 6), (262, 3, 6), (277, 3, 3), (512, 3, 1)]
    tags += [(513, 4, 0), (514, 4, length)]
    tags += [(273, 4, 0), (278, 4, 64), (279, 4, length)] if strips else []
    tags.sort()
    start = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(
        struct.pack("<HHII", code, kind, 1, start if code in (273, 513) else value) for code, kind, value in tags
    )
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + content


@pytest.mark.parametrize("strips", [True, False])
def test_a_jpeg_of_the_first_kind_in_a_tiff(tmp_path, picture, strips):
    smooth = np.repeat(np.arange(64, dtype=np.uint8)[:, None] * 3, 80, axis=1)[..., None].repeat(3, axis=2)
    whole = encoded(smooth, quality=95)
    (tmp_path / "a.tif").write_bytes(old_jpeg(whole, len(whole), strips=strips))
    assert np.abs(read_photograph(tmp_path / "a.tif").pixels.astype(int) - smooth).max() < 9
    whole = encoded(picture, quality=95)
    half = len(whole) // 2
    for content, length in (
        (whole[:half], half),
        (whole[:half], len(whole)),
        (whole[:half] + bytes(half), len(whole)),
        (whole, half),
    ):
        (tmp_path / "a.tif").write_bytes(old_jpeg(content, length, strips=strips))
        with pytest.raises(PhotographError, match=r"a\.tif: cannot be read as an image \(its end is missing\)"):
            read_photograph(tmp_path / "a.tif")


@pytest.mark.parametrize("end", [bytes(2), b"\xff\xd9"])
def test_a_strip_of_jpeg_that_goes_over_into_another_is_refused(tmp_path, picture, end):
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb", compression="jpeg", compressionargs={"level": 98})
    read_photograph(tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        offset, held = tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]
    content = bytearray((tmp_path / "a.tif").read_bytes())
    strip, half = bytes(content[offset : offset + held]), held // 2
    content[offset : offset + held] = strip[:half] + strip[: held - half - 2] + end
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(PhotographError, match="cannot be read as an image"):
        read_photograph(tmp_path / "a.tif")


# ---- WebP --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_webp_that_ends_in_zeros_is_refused(tmp_path, noise, share):
    whole = encoded(noise.integers(0, 256, (160, 160, 3)).astype(np.uint8), "WEBP", quality=95)
    there = round(len(whole) * share)
    for content in (whole[:there] + bytes(len(whole) - there), whole[:there] + bytes(len(whole) - there + 999)):
        (tmp_path / "a.webp").write_bytes(content)
        with pytest.raises(PhotographError, match=r"a\.webp: cannot be read as an image \(its end is missing\)"):
            read_photograph(tmp_path / "a.webp")


def test_a_lossless_webp_that_ends_in_zeros_is_remarked(tmp_path, noise):
    """An even picture may end so, in the fastest way to encode it; no other does."""
    picture = noise.integers(0, 256, (160, 160, 3)).astype(np.uint8)
    whole = encoded(picture, "WEBP", lossless=True)
    (tmp_path / "a.webp").write_bytes(whole[:-2000] + bytes(2000))
    assert "ends in zeros" in read_photograph(tmp_path / "a.webp").remarks[0]
    (tmp_path / "a.webp").write_bytes(whole)
    assert not read_photograph(tmp_path / "a.webp").remarks
    picture[20:] = 0
    for method in (0, 4):
        (tmp_path / "a.webp").write_bytes(encoded(picture, "WEBP", lossless=True, method=method))
        assert np.array_equal(read_photograph(tmp_path / "a.webp").pixels, picture)


@pytest.mark.parametrize("top", [0, 100])
def test_even_webps_are_read(tmp_path, noise, top):
    """The larger they are, the more zeros they end in."""
    picture = np.zeros((1600, 2400, 3), np.uint8)
    picture[:top] = noise.integers(0, 256, (top, 2400, 3))
    (tmp_path / "a.webp").write_bytes(encoded(picture, "WEBP", quality=80, method=2))
    assert read_photograph(tmp_path / "a.webp").pixels.shape == picture.shape


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("behind", [b"\0", b"junkjunkjunk", b"junkjunk\xff\xff\xff\xff", bytes(5000)])
def test_bytes_behind_a_webp_are_passed_over(tmp_path, picture, lossless, behind):
    whole = encoded(picture, "WEBP", lossless=lossless)
    (tmp_path / "a.webp").write_bytes(whole)
    expected = read_photograph(tmp_path / "a.webp").pixels
    (tmp_path / "a.webp").write_bytes(whole + behind)
    photograph = read_photograph(tmp_path / "a.webp")
    assert np.array_equal(photograph.pixels, expected)
    assert not photograph.remarks


# ---- BMP ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA"])
@pytest.mark.parametrize(("at", "lengths"), [(18, (40, 70)), (22, (32, 63, -40))])
def test_a_bmp_of_a_size_that_is_too_small_is_refused(tmp_path, picture, mode, at, lengths):
    whole = encoded(np.asarray(Image.fromarray(picture).convert(mode)), "BMP")
    for length in lengths:
        damaged = bytearray(whole)
        struct.pack_into("<i", damaged, at, length)
        for stated in (len(whole), 0):
            struct.pack_into("<I", damaged, 2, stated)
            (tmp_path / "a.bmp").write_bytes(damaged)
            if mode == "1" and length in (70, 63):  # by less than a row, as rows are filled to 4 bytes
                continue
            with pytest.raises(PhotographError, match=r"a\.bmp: its header claims .* less than the file holds"):
                read_photograph(tmp_path / "a.bmp")


def test_bmps_with_more_than_pixels_are_read(tmp_path, picture):
    whole = encoded(picture, "BMP")
    pixels = whole[54:]
    profile = bytes(3000)
    head = struct.pack("<IiiHHIIiiII", 124, 80, 64, 1, 24, 0, len(pixels), 0, 0, 0, 0).ljust(112, b"\0")
    head = head[:56] + b"DEBM" + head[60:] + struct.pack("<III", 124 + len(pixels), len(profile), 0)
    total = 14 + 124 + len(pixels) + len(profile)
    fifth = b"BM" + struct.pack("<IHHI", total, 0, 0, 138) + head + pixels + profile
    odd = {
        "as it is": whole,
        "no size stated": whole[:2] + bytes(4) + whole[6:],
        "two bytes more": whole[:2] + struct.pack("<I", len(whole) + 2) + whole[6:] + bytes(2),
        "bytes behind": whole + bytes(1000),
        "less than a row behind": whole[:2] + bytes(4) + whole[6:] + bytes(200),
        "from the top": whole[:22] + struct.pack("<i", -64) + whole[26:54] + picture[:, :, ::-1].tobytes(),
        "a profile behind": fifth,
    }
    for name, content in odd.items():
        (tmp_path / "a.bmp").write_bytes(content)
        assert np.array_equal(read_photograph(tmp_path / "a.bmp").pixels, picture), name
