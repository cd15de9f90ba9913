"""Reading photographs by stated rules, and one error for everything that is wrong."""

import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image

from orelib.config import Folders
from orelib.pairs import PairError, load_pairs, pixel_counts, read_image


@pytest.fixture
def folder(pair_folder, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(pair_folder, tmp_path / "mine")


def load(folder):
    return load_pairs(Folders("smoke", data_dir=str(folder)))


# ---- reading -----------------------------------------------------------------------------------------------------


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
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise for display
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=100)
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (32, 16, 3)
    assert image[:14].min() > 250 > 5 > image[18:].max()


def test_palette_and_cmyk_become_rgb(tmp_path):
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    red.convert("P").save(tmp_path / "a.png")
    red.convert("CMYK").save(tmp_path / "a.tif")
    for name in ("a.png", "a.tif"):
        assert read_image(tmp_path / name)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_damaged_and_empty_files_are_named(tmp_path, suffix):
    (tmp_path / f"empty{suffix}").touch()
    (tmp_path / f"broken{suffix}").write_bytes(b"not an image at all")
    Image.new("RGB", (64, 64), "red").save(tmp_path / f"cut{suffix}")
    whole = (tmp_path / f"cut{suffix}").read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(whole[: len(whole) // 2])
    for name in ("empty", "broken", "cut"):
        with pytest.raises(PairError, match=f"{name}{suffix}"):
            read_image(tmp_path / f"{name}{suffix}")


def test_floating_point_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 16), np.float32))
    with pytest.raises(PairError, match="8 or 16 bits"):
        read_image(tmp_path / "a.tif")


# ---- matching ----------------------------------------------------------------------------------------------------


def test_pairs_are_matched_by_stem(pairs):
    assert [pair.stem for pair in pairs.test] == ["belt_6", "belt_7"]
    assert all(pair.wet.stem == pair.dry.stem for pair in (*pairs.train, *pairs.val, *pairs.test))
    assert len(pairs.manifest) == 8


def test_without_val_the_end_of_train_is_held_out(pairs):
    assert [pair.stem for pair in pairs.train] == [f"belt_{k}" for k in range(5)]
    assert [(pair.stem, pair.split) for pair in pairs.val] == [("belt_5", "val")]
    assert pairs.manifest["split"].tolist() == ["train"] * 5 + ["val"] + ["test"] * 2


def test_other_file_types_may_be_partners(folder):
    path = folder / "train" / "wet" / "belt_0.png"
    Image.open(path).save(path.with_suffix(".TIFF"))
    path.unlink()
    assert load(folder).train[0].wet.name == "belt_0.TIFF"


def test_the_checksum_names_the_pixels_not_the_files(folder, pairs):
    path = folder / "test" / "wet" / "belt_6.png"
    Image.open(path).save(path.with_suffix(".tif"))
    path.unlink()
    assert load(folder).checksum == pairs.checksum
    Image.fromarray(255 - read_image(path.with_suffix(".tif"))).save(path.with_suffix(".tif"))
    assert load(folder).checksum != pairs.checksum


def test_one_error_lists_everything_that_is_wrong(folder):
    (folder / "train" / "dry" / "belt_0.png").unlink()
    (folder / "train" / "wet" / "belt_1.png").write_bytes(b"")
    (folder / "train" / "dry" / "belt_2.png").write_bytes(b"rubbish")
    Image.open(folder / "train" / "wet" / "belt_3.png").resize((30, 30)).save(folder / "train" / "wet" / "belt_3.png")
    shutil.copy(folder / "train" / "wet" / "belt_4.png", folder / "test" / "wet" / "belt_6.png")
    (folder / "test" / "dry" / "notes.txt").write_text("to do")
    with pytest.raises(PairError) as error:
        load(folder)
    message = str(error.value)
    assert message.startswith("6 problem(s)")
    for named in ("belt_0.png: has no dry partner", "belt_1.png: the file is empty", "belt_2.png: cannot be read",
                  "belt_3.png: is 30 x 30 px, its dry partner 48 x 40 px", "test/wet/belt_6.png (test)",
                  "notes.txt: not an image"):  # fmt: skip
        assert named in message


def test_the_same_image_in_train_and_held_out_val_is_a_leak(folder):
    shutil.copy(folder / "train" / "dry" / "belt_0.png", folder / "train" / "dry" / "belt_5.png")
    with pytest.raises(PairError, match=r"two splits.*belt_0.png \(train\).*belt_5.png \(val\)"):
        load(folder)


def test_one_training_pair_is_too_few(folder):
    for file in (folder / "train").glob("*/belt_[1-5].png"):
        file.unlink()
    with pytest.raises(PairError, match="two pairs are needed"):
        load(folder)


def test_raw_camera_values_in_16_bits_are_refused(tmp_path):
    Image.fromarray(np.full((16, 16), 1023, np.uint16)).save(tmp_path / "raw.png")
    with pytest.raises(PairError, match="end at 1023"):
        read_image(tmp_path / "raw.png")


def test_pixel_counts_count_every_value(pairs):
    wet, dry = pixel_counts(pairs.test)
    assert wet.sum() == dry.sum() == 2 * 40 * 48 * 3
    values = np.concatenate([pair.load()[1].ravel() for pair in pairs.test])
    assert np.isclose((dry * np.arange(256)).sum() / dry.sum(), values.mean())


def test_empty_and_missing_folders_are_named(folder):
    for file in (folder / "train" / "dry").iterdir():
        file.unlink()
    shutil.rmtree(folder / "test" / "wet")
    with pytest.raises(PairError) as error:
        load(folder)
    assert "dry: the folder holds no images" in str(error.value)
    assert "wet: the folder is missing" in str(error.value)


def test_what_file_managers_leave_behind_is_passed_over(folder, pairs):
    (folder / "train" / "wet" / ".DS_Store").write_bytes(b"x")
    (folder / "train" / "wet" / "Thumbs.db").write_bytes(b"x")
    assert load(folder).checksum == pairs.checksum


def test_two_files_of_one_stem_are_refused(folder):
    path = folder / "train" / "wet" / "belt_0.png"
    shutil.copy(path, path.with_suffix(".bmp"))
    with pytest.raises(PairError, match=r"more than one file is named belt_0"):
        load(folder)


def test_missing_data_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="01_dataset"):
        load_pairs(Folders("quick"))
    with pytest.raises(FileNotFoundError, match="data_dir must name a folder"):
        load_pairs(Folders("quick", data_dir="nowhere"))


def test_real_core_photographs_pass(real_core):
    pairs = load_pairs(Folders("quick", data_dir=str(real_core)))
    assert (len(pairs.train), len(pairs.val), len(pairs.test)) == (21, 3, 9)
