"""What a file says beside its pixels is kept from format to format."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from orelib.data.formats.beside import as_ratio
from orelib.data.photographs import Photograph, read_photograph, write_photograph

ACROSS, DOWN, UNIT, MAKE, ORIENTATION = 282, 283, 296, 271, 274
CHROMATICITIES = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)  # Adobe RGB
SUFFIXES = (".png", ".tif", ".jpg", ".bmp", ".webp")


def pixels(depth=8):
    return np.full((16, 24, 3), 100 if depth == 8 else 30_000, f"uint{depth}")


def exif(**tags):
    held = Image.Exif()
    held.update({globals()[name]: value for name, value in tags.items()})
    return held.tobytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("px_per_mm", [(10, 10), (3.2, 1.6), (0.8, 0.8), (100, 100)])
def test_resolution_goes_through_every_format(tmp_path, suffix, depth, px_per_mm):
    resolution = tuple(25.4 * value for value in px_per_mm)
    write_photograph(tmp_path / f"a{suffix}", Photograph(pixels(depth), resolution=resolution))
    photograph = read_photograph(tmp_path / f"a{suffix}")
    assert photograph.resolution == pytest.approx(resolution, rel=1e-6)
    assert photograph.exif is None  # where EXIF states it, it is no tag of the camera
    for other in SUFFIXES:
        write_photograph(tmp_path / f"b{other}", photograph)
        assert read_photograph(tmp_path / f"b{other}").resolution == pytest.approx(resolution, rel=1e-6)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_resolution_that_is_not_known_is_not_made_up(tmp_path, suffix):
    write_photograph(tmp_path / f"a{suffix}", Photograph(pixels()))
    assert read_photograph(tmp_path / f"a{suffix}").resolution is None


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_other_programs_see_the_resolution(tmp_path, suffix):
    for depth in (8, 16):
        write_photograph(
            tmp_path / f"a{suffix}", Photograph(pixels(depth), exif=exif(MAKE="Cam"), resolution=(300, 150))
        )
        with Image.open(tmp_path / f"a{suffix}") as image:
            image.load()
            assert image.info["dpi"] == pytest.approx((300, 150), abs=0.02)  # PNG: whole px per metre
            if suffix != ".tif":
                assert (image.getexif()[ACROSS], image.getexif()[DOWN]) == (300, 150)
                assert image.getexif()[MAKE] == "Cam"


def test_exif_gives_the_resolution_where_the_format_gives_none(tmp_path):
    """What the format itself states counts: scale is often set there, and the camera's 72 left in EXIF."""
    camera = exif(MAKE="Cam", ACROSS=72.0, DOWN=72.0, UNIT=2)
    Image.fromarray(pixels()).save(tmp_path / "a.jpg", exif=camera)
    Image.fromarray(pixels()).save(tmp_path / "b.jpg", exif=camera, dpi=(254, 254))
    Image.fromarray(pixels()).save(tmp_path / "c.jpg", exif=exif(ACROSS=100.0, DOWN=50.0, UNIT=3))
    Image.fromarray(pixels()).save(tmp_path / "d.webp", exif=camera)
    found = [read_photograph(tmp_path / name).resolution for name in ("a.jpg", "b.jpg", "c.jpg", "d.webp")]
    assert found == [(72, 72), (254, 254), (254, 127), (72, 72)]
    write_photograph(tmp_path / "e.jpg", read_photograph(tmp_path / "b.jpg"))
    with Image.open(tmp_path / "e.jpg") as image:
        assert image.getexif()[ACROSS] == 254
        assert image.getexif()[MAKE] == "Cam"


def test_a_ratio_without_a_unit_is_no_resolution(tmp_path):
    tags = exif(MAKE="Cam", ACROSS=2.0, DOWN=1.0, UNIT=1)
    Image.fromarray(pixels()).save(tmp_path / "a.jpg", exif=tags)
    photograph = read_photograph(tmp_path / "a.jpg")
    assert photograph.resolution is None
    held = Image.Exif()
    held.load(photograph.exif)
    assert (held[ACROSS], held[UNIT]) == (2, 1)  # left where it was
    tifffile.imwrite(tmp_path / "b.tif", pixels(), photometric="rgb", resolution=(2, 1), resolutionunit="none")
    assert read_photograph(tmp_path / "b.tif").resolution is None


@pytest.mark.parametrize("kind", ["jpeg", "tiff", "palette"])
def test_resolution_is_turned_with_the_pixels(tmp_path, kind):
    if kind == "jpeg":
        tags = exif(ORIENTATION=6, ACROSS=100.0, DOWN=50.0, UNIT=2)
        Image.fromarray(pixels()).save(tmp_path / "a", "JPEG", exif=tags)
    elif kind == "tiff":
        tag = ("Orientation", "H", 1, 6, True)
        tifffile.imwrite(
            tmp_path / "a", pixels(), photometric="rgb", resolution=(100, 50), resolutionunit="inch", extratags=[tag]
        )
    else:
        image = Image.fromarray(pixels()).convert("P")
        image.save(tmp_path / "a", "TIFF", exif=exif(ORIENTATION=6), dpi=(100, 50))
    photograph = read_photograph(tmp_path / "a")
    assert photograph.pixels.shape == (24, 16, 3)
    assert photograph.resolution == (50, 100)


@pytest.mark.parametrize("depth", [8, 16])
def test_gamma_and_chromaticities_are_kept(tmp_path, depth):
    photograph = Photograph(pixels(depth), gamma=1 / 2.2, chromaticities=CHROMATICITIES)
    write_photograph(tmp_path / "a.png", photograph)
    write_photograph(tmp_path / "a.tif", photograph)
    again = read_photograph(tmp_path / "a.png")
    assert again.gamma == pytest.approx(1 / 2.2, abs=1e-5)
    assert again.chromaticities == pytest.approx(CHROMATICITIES)
    assert read_photograph(tmp_path / "a.tif").chromaticities == pytest.approx(CHROMATICITIES)
    with Image.open(tmp_path / "a.png") as image:
        assert image.info["gamma"] == pytest.approx(0.45455)
        assert image.info["chromaticity"] == pytest.approx(CHROMATICITIES)


def test_ratios_are_exact_for_whole_pixels_an_inch_a_centimetre_and_a_metre():
    for px_per_inch, ratio in ((300, (300, 1)), (2.54 * 33, (4191, 50)), (0.0254 * 11_811, (1_499_997, 5000))):
        assert as_ratio(px_per_inch) == ratio


def test_resolutions_that_cannot_be_are_dropped(tmp_path):
    for across in (0, 1e-9, 4e9):
        tifffile.imwrite(
            tmp_path / "a.tif", pixels(), photometric="rgb", resolution=(across or (0, 1), 1), resolutionunit="inch"
        )
        assert read_photograph(tmp_path / "a.tif").resolution is None
