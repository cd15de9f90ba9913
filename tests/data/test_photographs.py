"""Photographs: read by stated rules, and written as they were read."""

import errno
import shutil
import struct
from dataclasses import replace
from types import SimpleNamespace

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from orelib.data import photographs
from orelib.data.check import check_folder
from orelib.data.photographs import (
    Photograph,
    PhotographError,
    PhotographUnavailable,
    profile_name,
    read_image,
    read_photograph,
    write_photograph,
)
from orelib.restore.folders import restore_folder

MAKE, ORIENTATION, EXIF, EXPOSURE, GPS, LATITUDE = 0x010F, 0x0112, 0x8769, 0x829A, 0x8825, 2


def camera_exif(orientation=None):
    """What a camera writes: its make, an exposure time, where it stood and how it was held."""
    exif = Image.Exif()
    exif[MAKE] = "Belt Cameras"
    if orientation:
        exif[ORIENTATION] = orientation
    exif.get_ifd(EXIF)[EXPOSURE] = 0.004
    exif.get_ifd(GPS)[LATITUDE] = (47.0, 30.0, 0.0)
    return exif.tobytes()


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # made once, since it holds the time


def profile(colours="sRGB"):
    """An ICC profile for RGB, or for other colours by a signature of four letters."""
    icc_profile = bytearray(SRGB)
    if colours != "sRGB":
        icc_profile[16:20] = colours.encode()
    return bytes(icc_profile)


def values(noise, depth, *shape):
    return noise.integers(0, 2**depth, shape).astype(f"uint{depth}")


# ---- as 8-bit RGB, for training ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_colour_is_read_as_it_is(tmp_path, noise, suffix):
    pixels = noise.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"a{suffix}")
    assert np.array_equal(read_image(tmp_path / f"a{suffix}"), pixels)


def test_grey_becomes_three_channels(tmp_path, noise):
    pixels = noise.integers(0, 256, (20, 30)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), np.repeat(pixels[..., None], 3, axis=2))


def test_sixteen_bits_become_eight(tmp_path):
    ramp = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    Image.fromarray(ramp).save(tmp_path / "grey.png")
    tifffile.imwrite(tmp_path / "colour.tif", np.repeat(ramp[..., None], 3, axis=2), photometric="rgb")
    for name in ("grey.png", "colour.tif"):
        assert np.array_equal(read_image(tmp_path / name)[..., 0], np.arange(256).reshape(16, 16))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_of_colour_are_rounded_not_cut(tmp_path, suffix):
    pixels = np.full((16, 16, 3), 255 * 257 - 100, np.uint16)
    write_photograph(tmp_path / f"a{suffix}", Photograph(pixels))
    assert (read_image(tmp_path / f"a{suffix}") == 255).all()


def test_transparent_becomes_black(tmp_path):
    pixels = np.full((16, 16, 4), 200, dtype=np.uint8)
    pixels[:8, :, 3], pixels[8:, :, 3] = 255, 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert (image[:8] == 200).all()
    assert (image[8:] == 0).all()


def test_exif_orientation_is_applied(tmp_path):
    pixels = np.zeros((16, 32, 3), dtype=np.uint8)
    pixels[:, :16] = 255  # white on the left
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=camera_exif(6), quality=100)  # to be turned clockwise
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (32, 16, 3)
    assert image[:14].min() > 250 > 5 > image[18:].max()


def test_palette_and_cmyk_become_rgb(tmp_path):
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    red.convert("P").save(tmp_path / "a.png")
    red.convert("P").save(tmp_path / "palette.tif")
    red.convert("CMYK").save(tmp_path / "a.tif")
    for name in ("a.png", "palette.tif", "a.tif"):
        assert read_image(tmp_path / name)[0, 0].tolist() == [255, 0, 0]


# ---- refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".bmp", ".webp"])
def test_damaged_and_empty_files_are_named(tmp_path, noise, suffix):
    (tmp_path / f"empty{suffix}").touch()
    (tmp_path / f"broken{suffix}").write_bytes(b"not an image at all")
    write_photograph(tmp_path / f"cut{suffix}", Photograph(values(noise, 8, 64, 64, 3)))
    whole = (tmp_path / f"cut{suffix}").read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(whole[: len(whole) // 2])
    for name in ("empty", "broken", "cut"):
        with pytest.raises(PhotographError, match=f"{name}{suffix}"):
            read_photograph(tmp_path / f"{name}{suffix}")


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "jpeg"])
@pytest.mark.parametrize("missing", [20, 2000])
def test_a_tiff_that_was_cut_off_is_refused(tmp_path, noise, compression, missing):
    pixels = values(noise, 8, 64, 64, 3)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", compression=compression, rowsperstrip=16)
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:-missing])
    with pytest.raises(PhotographError, match=r"a\.tif"):
        read_photograph(tmp_path / "a.tif")


def test_a_deep_png_that_was_cut_off_is_refused(tmp_path, noise):
    write_photograph(tmp_path / "a.png", Photograph(values(noise, 16, 64, 64, 3)))
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-100])
    with pytest.raises(PhotographError, match=r"a\.png"):
        read_photograph(tmp_path / "a.png")


def test_floating_point_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 16), np.float32))
    with pytest.raises(PhotographError, match="8 or 16 bits"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("read", [read_image, read_photograph])
@pytest.mark.parametrize("largest", [1, 255, 1023, 4095, 16383])
@pytest.mark.parametrize("name", ["raw.png", "grey.png", "raw.tif", "negative.tif", "alpha.tif"])
def test_raw_camera_values_in_16_bits_are_refused(tmp_path, name, largest, read):
    """Values of 8 to 14 bits would come out black, or at most a quarter as bright; opaque alpha does not hide them."""
    raw = np.full((16, 16, 3), largest, np.uint16)
    if name == "raw.png":
        (tmp_path / name).write_bytes(imagecodecs.png_encode(raw))
    elif name == "grey.png":
        Image.fromarray(raw[..., 0].copy()).save(tmp_path / name)
    elif name == "negative.tif":
        tifffile.imwrite(tmp_path / name, raw[..., 0], photometric="miniswhite")
    elif name == "alpha.tif":
        opaque = np.dstack([raw, np.full((16, 16), 65535, np.uint16)])
        tifffile.imwrite(tmp_path / name, opaque, photometric="rgb", extrasamples=["unassalpha"])
    else:
        tifffile.imwrite(tmp_path / name, raw, photometric="rgb")
    with pytest.raises(PhotographError, match=rf"{name}: its 16-bit values end at {largest}, .* scale them"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_opaque_alpha_of_8_bits_in_16_does_not_make_a_picture_black(tmp_path, noise, name):
    pixels, alpha = values(noise, 16, 16, 16, 3), np.full((16, 16), 255, np.uint16)
    if name == "a.png":
        (tmp_path / name).write_bytes(imagecodecs.png_encode(np.dstack([pixels, alpha])))
    else:
        tifffile.imwrite(tmp_path / name, np.dstack([pixels, alpha]), photometric="rgb", extrasamples=["unassalpha"])
    with pytest.raises(PhotographError, match="values of its alpha end at 255"):
        read_photograph(tmp_path / name)
    write_photograph(tmp_path / name, Photograph(pixels, alpha))  # states its depth
    assert np.array_equal(read_photograph(tmp_path / name).alpha, alpha)


@pytest.mark.parametrize("value", [0, 1, 1000])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_dark_photograph_that_states_its_depth_is_dark(tmp_path, suffix, value):
    """As copies do that the kit writes; black is black at any depth."""
    pixels = np.full((16, 16, 3), value, np.uint16)
    write_photograph(tmp_path / f"a{suffix}", Photograph(pixels))
    assert np.array_equal(read_photograph(tmp_path / f"a{suffix}").pixels, pixels)


def test_black_in_16_bits_is_black_without_a_word(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 16), np.uint16))
    assert not read_photograph(tmp_path / "a.tif").pixels.any()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int8", 100),
        ("int16", 32767),
        ("int32", 70_000),
        ("uint32", 70_000),
        ("int64", -1),
        ("float16", 1),
        ("float64", 1),
    ],
)
def test_values_of_other_kinds_are_refused(tmp_path, kind, value):
    tifffile.imwrite(tmp_path / "a.tif", np.full((16, 16), value, kind))
    with pytest.raises(PhotographError, match=f"holds {kind} values; save it with 8 or 16 bits"):
        read_photograph(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", ["int32", "uint32", "int64", "uint64"])
def test_wider_integers_are_read_as_16_bits_where_they_are(tmp_path, kind):
    tifffile.imwrite(tmp_path / "a.tif", np.full((16, 16), 40_000, kind))
    assert (read_photograph(tmp_path / "a.tif").pixels == np.uint16(40_000)).all()
    tifffile.imwrite(tmp_path / "b.tif", np.full((16, 16), 255, kind))
    with pytest.raises(PhotographError, match="end at 255"):
        read_photograph(tmp_path / "b.tif")


def test_what_is_no_photograph_by_its_content_is_refused(tmp_path):
    """Whatever its name; some of the formats that Pillow knows start other programs."""
    for kind in ("GIF", "EPS", "PPM"):
        Image.new("RGB", (16, 16)).save(tmp_path / "a.png", kind)
        with pytest.raises(PhotographError, match="no PNG, JPEG, TIFF, BMP or WebP"):
            read_photograph(tmp_path / "a.png")


def test_deep_cmyk_is_refused_rather_than_taken_for_rgb(tmp_path, noise):
    tifffile.imwrite(tmp_path / "a.tif", values(noise, 16, 16, 16, 4), photometric="separated")
    with pytest.raises(PhotographError, match="save it as RGB"):
        read_photograph(tmp_path / "a.tif")


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_photograph(tmp_path / "none.png")


# ---- without loss --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
def test_depth_alpha_and_profile_come_back_from_png_and_tiff(tmp_path, noise, suffix, depth):
    """Large enough for a TIFF of several strips."""
    photograph = Photograph(values(noise, depth, 300, 301, 3), values(noise, depth, 300, 301), None, profile())
    write_photograph(tmp_path / f"a{suffix}", photograph)
    again = read_photograph(tmp_path / f"a{suffix}")
    for layer in ("pixels", "alpha"):
        assert getattr(again, layer).dtype == f"uint{depth}"
        assert np.array_equal(getattr(again, layer), getattr(photograph, layer))
    assert again.icc_profile == photograph.icc_profile


@pytest.mark.parametrize("depth", [8, 16])
def test_exif_comes_back_from_png(tmp_path, noise, depth):
    write_photograph(tmp_path / "a.png", Photograph(values(noise, depth, 20, 30, 3), exif=camera_exif()))
    again = read_photograph(tmp_path / "a.png")
    assert said(again.exif) == ("Belt Cameras", None, 0.004, (47, 30, 0))
    with Image.open(tmp_path / "a.png") as image:  # also as another program sees the file
        image.load()
        assert said(image.getexif().tobytes()) == said(again.exif)
    write_photograph(tmp_path / "b.png", again)
    assert said(read_photograph(tmp_path / "b.png").exif) == said(again.exif)


def said(exif):
    tags = Image.Exif()
    tags.load(exif)
    return tags.get(MAKE), tags.get(ORIENTATION), tags.get_ifd(EXIF).get(EXPOSURE), tags.get_ifd(GPS).get(LATITUDE)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "zstd"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_deep_tiff_is_read_whatever_its_layout(tmp_path, noise, compression, byteorder, planes):
    pixels = values(noise, 16, 20, 30, 3)
    stored = pixels if planes == "contig" else np.moveaxis(pixels, 2, 0)
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planes, compression=compression, byteorder=byteorder
    )
    again = read_photograph(tmp_path / "a.tif").pixels
    assert again.dtype == np.uint16
    assert np.array_equal(again, pixels)


@pytest.mark.parametrize("depth", [8, 16])
def test_a_tiff_whose_white_is_zero_is_no_negative(tmp_path, noise, depth):
    pixels = values(noise, depth, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    assert np.array_equal(read_photograph(tmp_path / "a.tif").pixels[..., 0], 2**depth - 1 - pixels)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_formats_keep_what_matters(tmp_path, suffix):
    """Sharp edges between colours too: without chroma subsampling in JPEG. WebP has no other way."""
    smooth = np.linspace(40, 200, 64, dtype=np.uint8)[:, None] + np.zeros((64, 64), np.uint8)
    pixels = np.stack([smooth, smooth.T, smooth[::-1]], axis=2)
    if suffix != ".webp":
        pixels[:, 31:, 0] = 255 - pixels[:, 31:, 0]
    write_photograph(tmp_path / f"a{suffix}", Photograph(pixels, None, camera_exif(), profile()))
    again = read_photograph(tmp_path / f"a{suffix}")
    assert np.abs(again.pixels.astype(int) - pixels).mean() < 1.5
    assert said(again.exif) == ("Belt Cameras", None, 0.004, (47, 30, 0))
    assert again.icc_profile == profile()


def test_webp_keeps_alpha_jpeg_and_bmp_show_it_as_black(tmp_path):
    pixels, alpha = np.full((16, 16, 3), 200, np.uint8), np.full((16, 16), 255, np.uint8)
    alpha[8:] = 0
    for suffix in (".webp", ".jpg", ".bmp"):
        write_photograph(tmp_path / f"a{suffix}", Photograph(pixels, alpha))
    assert np.array_equal(read_photograph(tmp_path / "a.webp").alpha, alpha)
    for name in ("a.jpg", "a.bmp"):
        again = read_photograph(tmp_path / name)
        assert again.alpha is None
        assert again.pixels[:7].min() > 190 > 10 > again.pixels[9:].max()


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".webp"])
def test_formats_of_8_bits_get_8_bits(tmp_path, suffix):
    write_photograph(tmp_path / f"a{suffix}", Photograph(np.full((16, 16, 3), 100 * 257, np.uint16)))
    again = read_photograph(tmp_path / f"a{suffix}").pixels
    assert again.dtype == np.uint8
    assert np.abs(again.astype(int) - 100).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "deep.png", "a.tif", "deep.tif", "palette.tif"])
def test_orientation_is_applied_once_and_no_longer_said(tmp_path, noise, name, orientation):
    pixels = values(noise, 16 if "deep" in name else 8, 20, 30, 3)
    if name == "palette.tif":
        Image.fromarray(pixels[..., 0]).convert("P").save(tmp_path / name, exif=camera_exif(orientation))
    elif name.endswith(".tif"):
        tag = ("Orientation", "H", 1, orientation, True)
        tifffile.imwrite(tmp_path / name, pixels, photometric="rgb", extratags=[tag])
    else:
        write_photograph(tmp_path / name, Photograph(pixels, exif=camera_exif(orientation)))
    turns = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270",
             7: "TRANSVERSE", 8: "ROTATE_90"}  # fmt: skip
    upright = Image.fromarray(pixels[..., 0])
    if orientation > 1:
        upright = upright.transpose(Image.Transpose[turns[orientation]])
    photograph = read_photograph(tmp_path / name)
    assert np.array_equal(photograph.pixels[..., 0], np.asarray(upright))
    if name.endswith(".png"):
        assert said(photograph.exif) == ("Belt Cameras", None, 0.004, (47, 30, 0))
    write_photograph(tmp_path / f"again_{name}", photograph)
    assert np.array_equal(read_photograph(tmp_path / f"again_{name}").pixels, photograph.pixels)


def test_transparency_of_one_colour_is_alpha(tmp_path):
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = 90
    Image.fromarray(pixels).save(tmp_path / "a.png", transparency=(90, 90, 90))
    Image.fromarray(pixels).quantize(2).save(tmp_path / "palette.png", transparency=0)
    assert (read_photograph(tmp_path / "a.png").alpha == np.where(pixels[..., 0] == 90, 0, 255)).all()
    assert set(np.unique(read_photograph(tmp_path / "palette.png").alpha)) == {0, 255}


def bitmap(pixels, header, alpha_mask):
    """A BMP of 32 bits a pixel with a header of 40 (V1) to 124 bytes (V5); an alpha_mask of 0 names no alpha."""
    height, width = pixels.shape[:2]
    stored = pixels[::-1, :, [2, 1, 0, 3]].tobytes()
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, alpha_mask)
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, 32, 3, len(stored), 10_000, 5_000, 0, 0)
    info = info + masks[:12] if header == 40 else (info + masks).ljust(header, b"\0")
    return b"BM" + struct.pack("<IHHI", 14 + len(info) + len(stored), 0, 0, 14 + len(info)) + info + stored


@pytest.mark.parametrize("header", [40, 56, 108, 124])
@pytest.mark.parametrize("alpha_mask", [0, 0xFF000000])
def test_a_bmp_whose_fourth_channel_is_0_is_opaque(tmp_path, noise, header, alpha_mask):
    pixels = values(noise, 8, 20, 30, 4)
    pixels[..., 3] = 0
    (tmp_path / "a.bmp").write_bytes(bitmap(pixels, header, alpha_mask))
    photograph = read_photograph(tmp_path / "a.bmp")
    assert photograph.alpha is None
    assert np.array_equal(photograph.pixels, pixels[..., :3])
    assert photograph.resolution == pytest.approx((254, 127))


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_alpha_that_is_0_everywhere_is_none(tmp_path, noise, suffix, depth):
    pixels, alpha = values(noise, depth, 20, 30, 3), np.zeros((20, 30), f"uint{depth}")
    if suffix == ".webp":
        stored = np.dstack([pixels, alpha]).astype(np.uint8)
        Image.fromarray(stored).save(tmp_path / "a.webp", lossless=True, exact=True)
        pixels = stored[..., :3]
    else:
        write_photograph(tmp_path / f"a{suffix}", Photograph(pixels, alpha))
    photograph = read_photograph(tmp_path / f"a{suffix}")
    assert photograph.alpha is None
    assert np.array_equal(photograph.pixels, pixels)
    alpha[3, 4] = 1
    write_photograph(tmp_path / f"b{suffix}", Photograph(pixels, alpha.astype(pixels.dtype)))
    assert np.array_equal(read_photograph(tmp_path / f"b{suffix}").alpha, alpha)


def test_frames_that_are_left_out_are_remarked(tmp_path, noise):
    frames = [Image.fromarray(values(noise, 8, 16, 16, 3)) for _ in range(2)]
    for suffix in (".png", ".webp"):
        path = tmp_path / f"a{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
        photograph = read_photograph(path)
        assert np.array_equal(photograph.pixels, np.asarray(frames[0]))
        assert len(photograph.remarks) == 1
        assert "only the first" in photograph.remarks[0]


def test_errors_of_the_moment_are_told_from_those_of_the_content(tmp_path, monkeypatch):
    write_photograph(tmp_path / "a.png", Photograph(np.zeros((16, 16, 3), np.uint8)))
    for error in (PermissionError(errno.EACCES, "denied"), OSError(errno.EIO, "I/O error"), MemoryError()):
        monkeypatch.setattr(photographs, "read_png", lambda path, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(PhotographUnavailable, match=r"a\.png: cannot be read"):
            read_photograph(tmp_path / "a.png")
    for error in (RuntimeError("WebPDecode returned VP8_STATUS_OUT_OF_MEMORY"), RuntimeError("out of memory")):
        monkeypatch.setattr(photographs, "read_png", lambda path, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(PhotographUnavailable, match=r"a\.png: cannot be read"):
            read_photograph(tmp_path / "a.png")
    for error in (OSError("image file is truncated"), OSError(errno.EINVAL, "invalid seek"), KeyError("IHDR")):
        monkeypatch.setattr(photographs, "read_png", lambda path, error=error: (_ for _ in ()).throw(error))
        with pytest.raises(PhotographError) as caught:
            read_photograph(tmp_path / "a.png")
        assert not isinstance(caught.value, PhotographUnavailable)


def test_a_profile_has_a_name_whenever_it_was_made():
    made = profile()
    later = made[:24] + bytes(12) + made[36:84] + bytes(16) + made[100:]  # date and identifier
    other = made[:-1] + bytes([made[-1] ^ 1])
    nothing = np.zeros((1, 1, 3), np.uint8)
    names = [profile_name(Photograph(nothing, icc_profile=icc)) for icc in (made, later, other, None, b"x" * 200)]
    assert names[0] == names[1] != names[2]
    assert "sRGB" in names[0]
    assert names[3] == "none"
    assert names[4].startswith("damaged")


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_profile_of_other_colours_is_not_written_beside_rgb(tmp_path, mode):
    """A viewer would apply it to the wrong numbers."""
    signature = {"L": "GRAY", "CMYK": "CMYK"}[mode]
    Image.new(mode, (16, 16)).save(tmp_path / "a.jpg", icc_profile=profile(signature))
    photograph = read_photograph(tmp_path / "a.jpg")
    assert photograph.icc_profile is None
    write_photograph(tmp_path / "b.jpg", photograph)
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.mode == "RGB"
        assert "icc_profile" not in image.info


def test_broken_exif_does_not_cost_the_photograph(tmp_path):
    pixels = np.full((16, 16, 3), 100, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=b"Exif\0\0rubbish, not a directory")
    photograph = read_photograph(tmp_path / "a.png")
    assert np.array_equal(photograph.pixels, pixels)
    assert photograph.exif is None


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_no_exif_is_read_from_a_tiff(tmp_path, mode):
    Image.new(mode, (20, 30)).save(tmp_path / "a.tif", exif=camera_exif(), icc_profile=profile())
    photograph = read_photograph(tmp_path / "a.tif")
    assert photograph.exif is None
    assert photograph.icc_profile == profile()


def test_a_tiff_says_nothing_but_its_layout_and_profile(tmp_path, noise):
    """Neither EXIF nor tifffile's notes, which a program may take for the photographer's."""
    write_photograph(tmp_path / "a.tif", Photograph(values(noise, 8, 20, 30, 3), None, camera_exif(), profile()))
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        tags = tiff.pages.first.tags
        assert not {"Make", "ExifTag", "GPSTag", "Orientation", "ImageDescription", "Software"} & {t.name for t in tags}
        assert tags["InterColorProfile"].value == profile()


def test_other_suffixes_are_refused_and_nothing_is_left(tmp_path):
    photograph = Photograph(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(ValueError, match=r"a\.gif: not a format"):
        write_photograph(tmp_path / "a.gif", photograph)
    with pytest.raises((OSError, ValueError)):
        write_photograph(tmp_path / "wide.jpg", Photograph(np.zeros((1, 70_000, 3), np.uint8)))
    assert not list(tmp_path.iterdir())


# ---- what the user is told ---------------------------------------------------------------------------------------


def test_remarks_are_said_when_a_photograph_is_restored(tmp_path, noise, capsys):
    tifffile.imwrite(tmp_path / "a.tif", values(noise, 8, 2, 20, 30, 3), photometric="rgb")
    same = SimpleNamespace(restore=lambda pixels: pixels, remark=lambda pixels: "", at_once=1)
    rows = restore_folder(same, tmp_path / "a.tif", tmp_path / "out")
    assert rows["status"].tolist() == ["restored"]
    assert "a.tif: of its 2 pages or channels only page 1 is read\n" in capsys.readouterr().out


def test_a_pair_with_two_profiles_or_pages_that_are_left_out_is_remarked(pair_folder, tmp_path):
    folder = shutil.copytree(pair_folder, tmp_path / "pairs")
    wet, dry = (folder / "train" / side / "belt_0" for side in ("wet", "dry"))
    shown = {side: read_photograph(path.with_suffix(".png")) for side, path in (("wet", wet), ("dry", dry))}
    write_photograph(wet.with_suffix(".png"), replace(shown["wet"], icc_profile=profile()))
    dry.with_suffix(".png").unlink()
    tifffile.imwrite(dry.with_suffix(".tif"), np.stack([shown["dry"].pixels] * 2), photometric="rgb")
    pairs = check_folder(folder).pairs.set_index(["split", "stem"])
    said = pairs.loc[("train", "belt_0"), "remark"]
    assert "dry: of its 2 pages" in said
    assert "the colour profile of wet is sRGB" in said
    assert "that of dry none" in said
    assert not pairs.drop(("train", "belt_0"))["remark"].str.contains("profile|pages").any()


# ---- what does not fit beside the pixels -------------------------------------------------------------------------


@pytest.mark.parametrize("length", [65_000, 65_400, 65_440, 65_460, 65_480, 65_490, 65_499])
def test_exif_that_fills_its_place_in_a_jpeg_does_not_cost_the_copy(tmp_path, length):
    """The resolution, which is joined to it, may be too much; JPEG states that itself, in whole px per inch."""
    exif = Image.Exif()
    exif[MAKE] = "x" * length
    Image.new("RGB", (16, 16)).save(tmp_path / "a.jpg", exif=exif.tobytes(), dpi=(300, 300))
    photograph = read_photograph(tmp_path / "a.jpg")
    assert write_photograph(tmp_path / "b.jpg", photograph) == ()
    again = read_photograph(tmp_path / "b.jpg")
    assert said(again.exif)[0] == "x" * length
    assert again.resolution == (300, 300)


@pytest.mark.parametrize("resolution", [None, (300.0, 300.0)])
def test_exif_that_a_jpeg_cannot_hold_is_left_out_with_a_remark(tmp_path, resolution):
    exif = Image.Exif()
    exif[MAKE] = "x" * 70_000
    photograph = Photograph(np.zeros((16, 16, 3), np.uint8), exif=exif.tobytes(), resolution=resolution)
    for suffix in (".png", ".webp", ".tif", ".bmp"):
        assert write_photograph(tmp_path / f"a{suffix}", photograph) == ()
    for name in ("a.jpg", "a.jpeg"):
        assert write_photograph(tmp_path / name, photograph) == (
            "its EXIF is left out, because it is too long for a JPEG",
        )
        again = read_photograph(tmp_path / name)
        assert again.exif is None
        assert again.resolution == resolution
