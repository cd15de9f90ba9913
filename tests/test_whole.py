"""Files without checksums: what is missing from a JPEG, WebP or BMP is seen, and odd but correct files are read."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from orelib.photographs import PhotographError, read_photograph
from orelib.whole import jpeg_ends


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
