"""TIFF: the page that is the picture, its channels and depth; nothing that is missing is made up."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from orelib.data.formats import stored, tiff_layout
from orelib.data.photographs import Photograph, PhotographError, read_photograph, write_photograph


@pytest.fixture
def picture(noise):
    """24 x 36 px, 8 bits."""
    return noise.integers(0, 256, (24, 36, 3)).astype(np.uint8)


def read(path, stored, **options):
    tifffile.imwrite(path, stored, **{"photometric": "rgb", "metadata": None} | options)
    return read_photograph(path)


# ---- depth -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", range(9, 16))
@pytest.mark.parametrize("stated", ["BitsPerSample", "MaxSampleValue"])
def test_bits_that_are_stated_are_scaled(tmp_path, noise, depth, stated):
    values = noise.integers(0, 2**depth, (24, 36, 3)).astype(np.uint16)
    values[0, 0] = 2**depth - 1
    if stated == "BitsPerSample":
        options = {"bitspersample": depth}
    else:
        options = {"extratags": [(281, "H", 3, [2**depth - 1] * 3, True)]}
    pixels = read(tmp_path / "a.tif", values, **options).pixels
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels, np.rint(values / (2**depth - 1) * 65535))


def test_a_largest_value_that_is_a_statistic_states_no_depth(tmp_path):
    values = np.full((24, 36, 3), 1000, np.uint16)
    for largest in (1000, 1023):  # the second is one of 10 bits, but brighter samples show that it is wrong
        values[0, 0] = 50_000 if largest == 1023 else 1000
        tag = (281, "H", 3, [largest] * 3, True)
        if largest == 1023:
            assert np.array_equal(read(tmp_path / "a.tif", values, extratags=[tag]).pixels, values)
        else:
            with pytest.raises(PhotographError, match="end at 1000"):
                read(tmp_path / "a.tif", values, extratags=[tag])


# ---- channels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("white", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("kind", ["unspecified", "unassalpha"])
def test_grey_with_a_further_channel(tmp_path, noise, white, kind, dtype, planes):
    """An unspecified one is no alpha; zero as white turns the grey, not the alpha."""
    largest = np.iinfo(dtype).max
    stored = noise.integers(0, largest, (2, 24, 36), endpoint=True).astype(dtype)
    in_file = stored if planes == "separate" else np.moveaxis(stored, 0, 2)
    photograph = read(tmp_path / "a.tif", in_file, photometric=white, planarconfig=planes, extrasamples=[kind])
    grey = stored[0] if white == "minisblack" else largest - stored[0]
    assert np.array_equal(photograph.pixels, np.repeat(grey[..., None], 3, axis=2))
    if kind == "unassalpha":
        assert np.array_equal(photograph.alpha, stored[1])
        assert not photograph.remarks
    else:
        assert photograph.alpha is None
        assert "neither colour nor alpha" in photograph.remarks[0]


@pytest.mark.parametrize(
    ("kinds", "alpha"),
    [(["unspecified"], None), (["unspecified"] * 3, None), (["unspecified", "unassalpha"], 4), (["unassalpha", 0], 3)],
)
def test_colour_with_further_channels(tmp_path, noise, kinds, alpha):
    stored = noise.integers(0, 256, (24, 36, 3 + len(kinds))).astype(np.uint8)
    photograph = read(tmp_path / "a.tif", stored, extrasamples=kinds)
    assert np.array_equal(photograph.pixels, stored[..., :3])
    assert (photograph.alpha is None) if alpha is None else np.array_equal(photograph.alpha, stored[..., alpha])
    assert len(photograph.remarks) == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_that_were_multiplied_by_alpha_are_divided(tmp_path, picture, dtype):
    largest = np.iinfo(dtype).max
    colour = picture.astype(dtype) * (largest // 255)
    alpha = np.full(colour.shape[:2], largest // 2, dtype)
    alpha[:4] = largest
    stored = np.dstack([(colour * (alpha / largest)[..., None]).round().astype(dtype), alpha])
    photograph = read(tmp_path / "a.tif", stored, extrasamples=["assocalpha"])
    assert np.array_equal(photograph.alpha, alpha)
    assert np.abs(photograph.pixels.astype(int) - colour).max() <= 2
    stored[..., 3] = 0
    photograph = read(tmp_path / "b.tif", stored, extrasamples=["assocalpha"])
    assert photograph.alpha is None
    assert np.array_equal(photograph.pixels, stored[..., :3])


def test_channels_that_are_called_grey(tmp_path, picture):
    """Three are taken for colour, with a word; more are not guessed."""
    photograph = read(tmp_path / "a.tif", picture, photometric="minisblack", planarconfig="contig")
    assert np.array_equal(photograph.pixels, picture)
    assert "three channels grey" in photograph.remarks[0]
    with pytest.raises(PhotographError, match="has 4 channels"):
        read(
            tmp_path / "b.tif", np.dstack([picture, picture[..., :1]]), photometric="minisblack", planarconfig="contig"
        )


# ---- pages -------------------------------------------------------------------------------------------------------


def write_pages(path, *pages):
    """Each page is (samples, options of tifffile)."""
    with tifffile.TiffWriter(path) as tiff:
        for samples, options in pages:
            tiff.write(samples, **{"photometric": "rgb", "metadata": None} | options)


PREVIEW, BELOW = {"subfiletype": 1}, {"subifds": 1}
OLD_PREVIEW = {"extratags": [(255, "H", 1, 2, True)]}


@pytest.mark.parametrize(
    ("first", "second", "remarks"),
    [
        (PREVIEW, {}, 0),
        (OLD_PREVIEW, {}, 0),
        ({}, {}, 1),
        (PREVIEW | BELOW, {}, 0),
        (BELOW, {}, 0),
        (PREVIEW, PREVIEW, 1),
    ],
)
def test_the_picture_is_read_and_not_its_preview(tmp_path, picture, first, second, remarks):
    """Before it, behind it, above or below it, marked or not."""
    small = picture[::4, ::4].copy()
    write_pages(tmp_path / "a.tif", (small, first), (picture, second))
    if "subifds" not in first:
        write_pages(tmp_path / "b.tif", (picture, second), (small, first))
    else:
        write_pages(tmp_path / "b.tif", (picture, BELOW), (small, {}))
    for name in ("a.tif", "b.tif"):
        photograph = read_photograph(tmp_path / name)
        assert np.array_equal(photograph.pixels, picture)
        assert len(photograph.remarks) == remarks


def test_a_picture_in_other_colours_is_found_behind_its_preview(tmp_path):
    red, small = (np.tile(np.uint8([0, 255, 255, 0]), (*size, 1)) for size in ((24, 36), (6, 9)))
    write_pages(
        tmp_path / "a.tif", (small, PREVIEW | {"photometric": "separated"}), (red, {"photometric": "separated"})
    )
    pixels = read_photograph(tmp_path / "a.tif").pixels
    assert pixels.shape == (24, 36, 3)
    assert pixels[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("program", ["pages", "ome", "imagej"])
def test_pages_that_are_left_out_are_remarked(tmp_path, picture, program):
    channels = np.moveaxis(picture, 2, 0).copy()
    options = {"pages": {}, "ome": {"ome": True, "metadata": {"axes": "CYX"}}, "imagej": {"imagej": True}}[program]
    tifffile.imwrite(tmp_path / "a.tif", channels, photometric="minisblack", **options)
    photograph = read_photograph(tmp_path / "a.tif")
    assert np.array_equal(photograph.pixels, np.repeat(channels[0][..., None], 3, axis=2))
    assert photograph.remarks == ("of its 3 pages or channels only page 1 is read",)


# ---- nothing is made up ------------------------------------------------------------------------------------------


LAYOUTS = {"one": {"rowsperstrip": 24}, "strips": {"rowsperstrip": 10}, "tiles": {"tile": (16, 16)}}
COMPRESSIONS = [None, "packbits", "lzw", "zlib", "zstd", "lzma", "jpeg"]


def damage(path, name, value):
    """Overwrites the value of a tag that holds one number."""
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages[0].tags[name]
    kind = {3: "<H", 4: "<I"}[int(tag.dtype)]
    struct.pack_into(kind, content, tag.valueoffset, value)
    path.write_bytes(content)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("side", "length"), [("ImageWidth", 36), ("ImageLength", 24)])
def test_a_damaged_size_is_refused(tmp_path, picture, compression, layout, side, length):
    """One more or less may lie in the margin of a tile, where nothing tells."""
    path = tmp_path / "a.tif"
    for value in {1, length // 2, length - 1, length + 1, 2 * length, 60_000} - (
        {length - 1, length + 1} if layout == "tiles" else set()
    ):
        tifffile.imwrite(path, picture, photometric="rgb", compression=compression, metadata=None, **LAYOUTS[layout])
        read_photograph(path)
        damage(path, side, value)
        with pytest.raises(PhotographError, match=r"a\.tif: (cannot be read|its header claims)"):
            read_photograph(path)


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_a_damaged_size_of_packed_bits_is_refused(tmp_path, noise, compression):
    """Of 12 bits; tifffile writes them without compression alone."""
    values = noise.integers(0, 4096, (24, 36)).astype(np.uint16)
    path = tmp_path / "a.tif"
    for width in (36, 34, 38):
        tifffile.imwrite(path, values, bitspersample=12, metadata=None, rowsperstrip=24)
        if compression:
            recompress(path)
        damage(path, "ImageWidth", width)
        if width == 36:
            assert np.array_equal(read_photograph(path).pixels[..., 0], np.rint(values / 4095 * 65535))
        else:
            with pytest.raises(PhotographError, match=r"cannot be read|its header claims"):
                read_photograph(path)


def recompress(path):
    """Puts the only strip of a TIFF to its end, with LZW."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        offset, count = page.dataoffsets[0], page.databytecounts[0]
    content = path.read_bytes()
    encoded = imagecodecs.lzw_encode(content[offset : offset + count])
    path.write_bytes(content + encoded)
    for name, value in (("Compression", 5), ("StripOffsets", len(content)), ("StripByteCounts", len(encoded))):
        damage(path, name, value)


def test_parts_that_are_missing_are_refused(tmp_path, picture):
    """Empty tiles are common in maps, and black in a photograph."""
    path = tmp_path / "a.tif"
    for tag in ("TileOffsets", "TileByteCounts"):
        tifffile.imwrite(path, picture, photometric="rgb", tile=(16, 16), metadata=None, compression="zlib")
        damage(path, tag, 0)  # of the first tile
        with pytest.raises(PhotographError, match="parts of it are missing"):
            read_photograph(path)


def test_a_jpeg_inside_that_was_cut_is_refused(tmp_path, picture):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, picture, photometric="rgb", compression="jpeg", metadata=None)
    with tifffile.TiffFile(path) as tiff:
        count = tiff.pages[0].databytecounts[0]
    damage(path, "StripByteCounts", count // 2)
    with pytest.raises(PhotographError, match="cannot be read"):
        read_photograph(path)


def test_more_pixels_than_there_is_room_for_are_refused_at_once(tmp_path):
    """11 kB that claim gigabytes; without a look at the size, each row is made up."""
    for layout in LAYOUTS.values():
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((24, 70_000), np.uint8), compression="zlib", **layout)
        damage(tmp_path / "a.tif", "ImageWidth", 2**31 - 1)
        with pytest.raises(PhotographError, match=r"missing|more than the file can hold"):
            read_photograph(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", ["lzw", "webp", "jpeg2000"])
def test_memory_is_asked_for_before_anything_is_decoded(tmp_path, picture, compression, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb", compression=compression)
    monkeypatch.setattr(stored, "SMALL", 0)
    monkeypatch.setattr(stored, "available_memory", lambda: 1000)
    monkeypatch.setattr(tiff_layout, "_bytes_in", lambda *given: pytest.fail("decoded"))
    with pytest.raises(stored.PhotographUnavailable, match="of memory"):
        read_photograph(tmp_path / "a.tif")


def test_a_volume_is_refused(tmp_path, noise):
    stored = noise.integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    with pytest.raises(PhotographError, match="volume"):
        read(tmp_path / "a.tif", stored, volumetric=True, tile=(2, 16, 16))


def test_what_is_written_is_whole(tmp_path, noise):
    """Whatever the size, the strips that tifffile chooses pass."""
    for size in ((1, 1), (1, 5000), (5000, 1), (257, 1021)):
        for dtype in (np.uint8, np.uint16):
            pixels = noise.integers(0, np.iinfo(dtype).max, (*size, 3), endpoint=True).astype(dtype)
            write_photograph(tmp_path / "a.tif", Photograph(pixels))
            assert np.array_equal(read_photograph(tmp_path / "a.tif").pixels, pixels)


# ---- by tags -----------------------------------------------------------------------------------------------------


def write_tags(path, content, tags):
    """A TIFF of one strip, 36 x 24 px; tags are {code: (type, values)}, of which None leaves one out."""
    held = {256: (4, [36]), 257: (4, [24]), 258: (3, [8]), 259: (3, [1]), 262: (3, [2]), 273: (4, [0]), 277: (3, [3]),
            278: (4, [24]), 279: (4, [len(content)])} | tags  # fmt: skip
    held = sorted((code, *tag) for code, tag in held.items() if tag)
    letters, beside, at = {2: "B", 3: "H", 4: "I", 5: "I", 12: "d"}, b"", 8 + 2 + 12 * len(held) + 4
    start = at + sum(struct.calcsize(letters[kind]) * len(values) for _, kind, values in held)
    entries = b""
    for code, kind, values in held:
        values = [start] if code == 273 else values
        packed = struct.pack(f"<{len(values)}{letters[kind]}", *values)
        count = len(values) // (2 if kind == 5 else 1)
        entries += struct.pack("<HHI", code, kind, count)
        entries += packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack("<I", at + len(beside))
        beside += packed if len(packed) > 4 else b""
    beside = beside.ljust(start - at, b"\0")
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(held)) + entries + bytes(4) + beside + content)
    return path


@pytest.mark.parametrize("compression", [1, 8])
def test_a_colour_map_of_8_bits_is_no_black_one(tmp_path, noise, compression):
    """A fault of old programs, whose maps end at 255 instead of 65535."""
    indices = noise.integers(0, 256, (24, 36)).astype(np.uint8)
    content = indices.tobytes() if compression == 1 else zlib.compress(indices.tobytes())
    tags = {258: (3, [8]), 259: (3, [compression]), 262: (3, [3]), 277: (3, [1])}
    for scale in (1, 257):
        colours = np.array([np.arange(256), np.arange(256)[::-1], np.full(256, 9)]) * scale
        path = write_tags(tmp_path / "a.tif", content, tags | {320: (3, colours.ravel().tolist())})
        assert np.array_equal(read_photograph(path).pixels, (colours.T[indices] // scale).astype(np.uint8))
    path = write_tags(tmp_path / "a.tif", content, tags | {320: (3, [0] * 768)})
    assert not read_photograph(path).pixels.any()


SUBSAMPLED = {"444": (1, 1), "422": (2, 1), "420": (2, 2)}
ENCODERS = {1: bytes, 5: imagecodecs.lzw_encode, 8: zlib.compress, 32773: imagecodecs.packbits_encode}


@pytest.mark.parametrize("compression", ENCODERS)
@pytest.mark.parametrize("subsampling", SUBSAMPLED)
def test_luma_and_chroma_without_jpeg(tmp_path, noise, subsampling, compression):
    """Of several subsamplings; what is missing is refused, and so is a size that is damaged."""
    across, down = SUBSAMPLED[subsampling]
    blocks = noise.integers(0, 256, (24 // down, 36 // across, across * down + 2)).astype(np.uint8)
    blocks[..., -2:] = 128  # no colour, so that luma is grey
    grey = blocks[..., :-2].reshape(24 // down, 36 // across, down, across).swapaxes(1, 2).reshape(24, 36)
    tags = {262: (3, [6]), 259: (3, [compression]), 530: (3, [across, down])}
    encode = ENCODERS[compression]
    path = tmp_path / "a.tif"
    if compression == 1 and subsampling != "444":
        with pytest.raises(PhotographError, match="save it as RGB"):
            read_photograph(write_tags(path, blocks.tobytes(), tags))
        return
    found = read_photograph(write_tags(path, encode(blocks.tobytes()), tags)).pixels
    assert np.abs(found.astype(int) - grey[..., None]).max() <= 1
    with pytest.raises(PhotographError, match=r"a\.tif: (cannot be read as|its header claims)"):
        read_photograph(write_tags(path, encode(blocks[: len(blocks) // 2].tobytes()), tags))
    for code, lengths in ((256, (18, 34, 72)), (257, (12, 20, 48))):
        for length in lengths:
            damaged = tags | {code: (4, [length])} | ({278: (4, [length])} if code == 257 else {})
            with pytest.raises(PhotographError, match=r"a\.tif: (cannot be read as|its header claims)"):
                read_photograph(write_tags(path, encode(blocks.tobytes()), damaged))
    if compression == 8:
        content = bytearray(encode(blocks.tobytes()))
        content[len(content) // 2] ^= 255
        with pytest.raises(PhotographError, match=r"a\.tif: cannot be read as an image"):
            read_photograph(write_tags(path, bytes(content), tags))


def test_tags_of_another_type_do_not_cost_the_photograph(tmp_path, picture):
    """Numbers are taken as such, and what is no number says nothing."""
    inch = {296: (3, [2])}
    for kind, value, expected in (
        (4, [300], (300, 300)),
        (12, [299.5], (299.5, 299.5)),
        (3, [300], (300, 300)),
        (5, [600, 2], (300, 300)),
        (5, [300, 0], None),
        (5, [300, 1, 300, 1], None),
        (2, list(b"300\0"), None),
        (12, [float("nan")], None),
        (12, [float("inf")], None),
    ):
        path = write_tags(tmp_path / "a.tif", picture.tobytes(), inch | {282: (kind, value), 283: (kind, value)})
        assert read_photograph(path).resolution == expected
    plain = [0.3127, 0.329], [0.64, 0.33, 0.3, 0.6, 0.15, 0.06]
    path = write_tags(tmp_path / "a.tif", picture.tobytes(), {318: (12, plain[0]), 319: (12, plain[1])})
    assert read_photograph(path).chromaticities == pytest.approx((*plain[0], *plain[1]))
    odd = [
        {318: (5, [1, 1]), 319: (5, [1, 1])}, {318: (4, [1]), 319: (2, list(b"x\0"))}, {254: (2, [49, 0])},
        {254: (12, [0.0])}, {255: (2, [50, 0])}, {281: (2, list(b"65535\0"))}, {296: (2, list(b"2\0"))},
        {274: (2, [54, 0])},
    ]  # fmt: skip
    for tags in odd:
        photograph = read_photograph(write_tags(tmp_path / "a.tif", picture.tobytes(), tags))
        assert np.array_equal(photograph.pixels, picture)
        assert photograph.chromaticities is None


# ---- codecs that state a size of their own -----------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["webp", "jpeg2000", "jpegxl", "jpegxr", "lerc", "png"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_damaged_size_is_refused_where_the_codec_knows_it(tmp_path, compression, layout):
    picture = np.dstack([np.arange(24 * 36).reshape(24, 36) // 4] * 3).astype(np.uint8)
    path = tmp_path / "a.tif"
    for side, length in (("ImageWidth", 36), ("ImageLength", 24)):
        for value in (length, length // 2, length + 13, 2 * length):
            tifffile.imwrite(
                path, picture, photometric="rgb", compression=compression, metadata=None, **LAYOUTS[layout]
            )
            damage(path, side, value)
            if value == length:
                assert read_photograph(path).pixels.shape == (24, 36, 3)
            else:
                with pytest.raises(PhotographError, match=r"a\.tif: (cannot be read|its header claims)"):
                    read_photograph(path)


@pytest.mark.parametrize("compression", ["webp", "jpeg2000", "png"])
@pytest.mark.parametrize("value", [2, 4, 255])
def test_samples_that_are_called_planes_are_refused_where_the_codec_knows_them(tmp_path, picture, compression, value):
    path = tmp_path / "a.tif"
    for rows in (8, 24):  # three strips may pass for three planes of one
        tifffile.imwrite(path, picture, photometric="rgb", compression=compression, metadata=None, rowsperstrip=rows)
        damage(path, "PlanarConfiguration", value)
        damage(path, "RowsPerStrip", 24)
        with pytest.raises(PhotographError, match=r"a\.tif: cannot be read"):
            read_photograph(path)


@pytest.mark.parametrize("alpha", [255, 7])
def test_opaque_alpha_that_webp_leaves_out_is_alpha(tmp_path, picture, alpha):
    stored = np.dstack([picture, np.full((24, 36), 255, np.uint8)])
    stored[3, 4, 3] = alpha
    options = {"compression": "webp", "compressionargs": {"lossless": True}, "extrasamples": ["unassalpha"]}
    assert np.array_equal(read(tmp_path / "a.tif", stored, **options).alpha, stored[..., 3])


def test_tiles_may_end_where_the_picture_does(tmp_path, picture):
    """Some programs cut the PNGs or JPEGs of the last tiles to the picture."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, picture, photometric="rgb", compression="png", tile=(16, 32), metadata=None)
    with tifffile.TiffFile(path) as tiff:
        offset, held = tiff.pages[0].dataoffsets[3], tiff.pages[0].databytecounts[3]
    last = imagecodecs.png_encode(picture[16:, 32:])
    assert len(last) <= held
    content = bytearray(path.read_bytes())
    content[offset : offset + len(last)] = last
    path.write_bytes(content)
    assert np.array_equal(read_photograph(path).pixels, picture)


# ---- which page --------------------------------------------------------------------------------------------------


def test_the_first_page_is_read_unless_it_looks_like_a_preview(tmp_path, picture):
    grey, large = np.zeros((60, 90), np.uint8), picture.repeat(2, axis=0).repeat(2, axis=1)
    cases = {
        "larger mask behind": ((picture, {}), (grey, {"photometric": "minisblack"}), 0),
        "mask of the same proportions": ((picture, {}), (large[..., 0], {"photometric": "minisblack"}), 0),
        "another picture, larger": ((picture, {}), (large[:, :50], {}), 0),
        "preview": ((picture, {}), (large, {}), 1),
        "preview a pixel off": ((picture[:23], {}), (large, {}), 1),
        "preview of grey": ((picture[..., 0], {"photometric": "minisblack"}), (grey, {"photometric": "minisblack"}), 1),
    }
    for name, (first, second, expected) in cases.items():
        write_pages(tmp_path / "a.tif", first, second)
        photograph = read_photograph(tmp_path / "a.tif")
        assert photograph.pixels.shape[:2] == (first, second)[expected][0].shape[:2], name
        assert photograph.remarks == (f"of its 2 pages or channels only page {expected + 1} is read",)


def test_jpeg_in_other_colours_is_read_from_below_a_preview(tmp_path):
    smooth = np.tile(np.uint8([200, 100, 50]), (24, 36, 1)) + np.arange(24, dtype=np.uint8)[:, None, None]
    stored = np.asarray(Image.fromarray(smooth).convert("YCbCr"))
    options = {"photometric": "ycbcr", "compression": "jpeg", "compressionargs": {"level": 98}}
    write_pages(tmp_path / "a.tif", (smooth[::4, ::4].copy(), PREVIEW | BELOW), (stored, options))
    assert np.abs(read_photograph(tmp_path / "a.tif").pixels.astype(int) - smooth).max() <= 3
    write_pages(tmp_path / "b.tif", (stored, options))
    assert np.array_equal(read_photograph(tmp_path / "a.tif").pixels, read_photograph(tmp_path / "b.tif").pixels)
