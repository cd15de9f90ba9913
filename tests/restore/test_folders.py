"""Photographs of every kind come out as they went in, and neither a bad file nor a kill costs another one."""

import errno
import itertools
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import unicodedata

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from conftest import ROOT
from PIL import Image

from orelib.data import photographs
from orelib.data.photographs import Photograph, PhotographError, read_photograph, write_photograph
from orelib.methods import Pix2Pix
from orelib.restore import copies
from orelib.restore.folders import demand_all, restore_folder, restored_examples
from orelib.restore.restorer import Restorer
from orelib.restore.watch import Backlog, watch_folder

COLUMNS = ["file", "status", "seconds", "width", "height", "remark", "error"]


@pytest.fixture
def identity():
    """What it restores stays as it is, so that all that is lost is lost on the way."""
    same = torch.nn.Conv2d(3, 3, 1)
    torch.nn.init.dirac_(same.weight)
    torch.nn.init.zeros_(same.bias)
    restorer = Restorer(same, stride=16)
    restorer.at_once = 3
    return restorer


class Plain:
    """A restorer that does nothing."""

    at_once = 1
    remark = staticmethod(lambda pixels: "")

    def restore(self, pixels):
        return pixels


@pytest.fixture
def tiny(experiment):
    generator = Pix2Pix.build_generator(experiment)
    return Restorer(generator, generator.stride)


def values(noise, depth, *shape):
    return noise.integers(0, 2**depth, shape).astype(f"uint{depth}")


def rotated_exif():
    exif = Image.Exif()
    exif[0x0110], exif[0x0112] = "Belt Camera 3", 6  # model; to be turned clockwise
    return exif


def smooth(height, width):
    """What JPEG keeps almost as it is."""
    ramp = np.linspace(30, 220, height * width).reshape(height, width).astype(np.uint8)
    return np.stack([ramp, 255 - ramp, ramp[::-1]], axis=2)


KINDS = {
    "grey.png": lambda path, noise: Image.fromarray(values(noise, 8, 40, 50)).save(path),
    "grey16.png": lambda path, noise: Image.fromarray(values(noise, 16, 40, 50)).save(path),
    "colour.png": lambda path, noise: Image.fromarray(values(noise, 8, 40, 50, 3)).save(path),
    "colour16.png": lambda path, noise: write_photograph(path, Photograph(values(noise, 16, 40, 50, 3))),
    "colour16.tif": lambda path, noise: tifffile.imwrite(path, values(noise, 16, 40, 50, 3), photometric="rgb"),
    "lzw16.tiff": lambda path, noise: tifffile.imwrite(
        path, values(noise, 16, 40, 50, 3), photometric="rgb", compression="lzw"
    ),
    "rgba.png": lambda path, noise: Image.fromarray(values(noise, 8, 40, 50, 4)).save(path),
    "rgba16.tif": lambda path, noise: write_photograph(
        path, Photograph(values(noise, 16, 40, 50, 3), values(noise, 16, 40, 50))
    ),
    "rotated.jpg": lambda path, noise: Image.fromarray(smooth(50, 40)).save(path, exif=rotated_exif(), quality=95),
    "cmyk.jpg": lambda path, noise: Image.fromarray(smooth(40, 50)).convert("CMYK").save(path, quality=95),
    "palette.png": lambda path, noise: Image.fromarray(values(noise, 8, 40, 50, 3)).quantize(200).save(path),
    "colour.bmp": lambda path, noise: Image.fromarray(values(noise, 8, 40, 50, 3)).save(path),
    "colour.webp": lambda path, noise: Image.fromarray(smooth(40, 50)).save(path, quality=95),
    "one_pixel_high.png": lambda path, noise: Image.fromarray(values(noise, 8, 1, 50, 3)).save(path),
    "one_pixel.PNG": lambda path, noise: Image.fromarray(values(noise, 8, 1, 1, 3)).save(path),
}
SIZES = {"rotated.jpg": (50, 40), "one_pixel_high.png": (50, 1), "one_pixel.PNG": (1, 1)}


@pytest.fixture
def wet(tmp_path, noise):
    """A photograph of every kind, 50 x 40 px as they are looked at, and one that is cut off."""
    folder = tmp_path / "wet"
    folder.mkdir()
    for name, write in KINDS.items():
        write(folder / name, noise)
    whole = (folder / "colour.png").read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    return folder


def plain_photographs(folder, count, noise, size=(20, 30)):
    folder.mkdir(exist_ok=True)
    for k in range(count):
        Image.fromarray(values(noise, 8, *size, 3)).save(folder / f"belt_{k}.png")
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# ---- a folder ----------------------------------------------------------------------------------------------------


def test_what_is_not_changed_comes_out_as_it_went_in(wet, tmp_path, identity):
    rows = restore_folder(identity, wet, tmp_path / "dry").set_index("file")
    assert names(tmp_path / "dry") == sorted(KINDS)
    for name in KINDS:
        before, after = read_photograph(wet / name), read_photograph(tmp_path / "dry" / name)
        assert rows.loc[name, "status"] == "restored"
        assert after.pixels.dtype == before.pixels.dtype
        assert after.pixels.shape[1::-1] == SIZES.get(name, (50, 40)) == tuple(rows.loc[name, ["width", "height"]])
        difference = np.abs(after.pixels.astype(int) - before.pixels)
        assert difference.mean() < 2 if name.endswith(("jpg", "webp")) else difference.max() == 0
        assert (after.alpha is None) == (before.alpha is None)
        assert after.alpha is None or np.array_equal(after.alpha, before.alpha)
    for name in ("grey16.png", "colour16.png", "colour16.tif", "lzw16.tiff", "rgba16.tif"):
        assert read_photograph(tmp_path / "dry" / name).pixels.dtype == np.uint16
    for name in ("rgba.png", "rgba16.tif"):
        assert read_photograph(tmp_path / "dry" / name).alpha is not None
    with Image.open(tmp_path / "dry" / "rotated.jpg") as image:
        assert image.getexif()[0x0110] == "Belt Camera 3"
        assert 0x0112 not in image.getexif()
    with Image.open(tmp_path / "dry" / "cmyk.jpg") as image:
        assert image.mode == "RGB"


def test_a_network_restores_every_kind(wet, tmp_path, tiny):
    rows = restore_folder(tiny, wet, tmp_path / "dry").set_index("file")
    assert rows["status"].value_counts().to_dict() == {"restored": len(KINDS), "failed": 1}
    for name in KINDS:
        before, after = read_photograph(wet / name).pixels, read_photograph(tmp_path / "dry" / name).pixels
        assert (after.shape, after.dtype) == (before.shape, before.dtype)
        assert not np.array_equal(after, before)


def test_every_file_has_a_row_and_a_bad_one_stops_nothing(tmp_path, identity, noise):
    wet = plain_photographs(tmp_path / "wet", 3, noise)
    (wet / "belt_1.png").write_bytes((wet / "belt_1.png").read_bytes()[:300])
    (wet / "empty.jpg").touch()
    reported = []
    rows = restore_folder(identity, wet, tmp_path / "dry", reported.append)
    assert list(rows.columns) == COLUMNS
    assert rows["file"].tolist() == ["belt_0.png", "belt_1.png", "belt_2.png", "empty.jpg"]
    assert rows["status"].tolist() == ["restored", "failed", "restored", "failed"]
    assert rows["width"].isna().tolist() == rows["height"].isna().tolist() == [False, True, False, True]
    assert (rows["seconds"] >= 0).all()
    assert (rows["error"] == "").tolist() == [True, False, True, False]
    assert "belt_1.png: cannot be read" in rows["error"][1]
    assert "empty.jpg: the file is empty" in rows["error"][3]
    pd.testing.assert_frame_equal(pd.DataFrame(reported), rows, check_dtype=False)
    assert names(tmp_path / "dry") == ["belt_0.png", "belt_2.png"]


def test_an_error_of_any_kind_stops_nothing(tmp_path, identity, noise, monkeypatch):
    wet = plain_photographs(tmp_path / "wet", 2, noise)
    monkeypatch.setattr(identity, "restore", lambda pixels: (_ for _ in ()).throw(MemoryError("too large")))
    rows = restore_folder(identity, wet, tmp_path / "dry")
    assert rows["status"].tolist() == ["failed"] * 2
    assert rows["error"][0].endswith("belt_0.png: MemoryError: too large")


def test_what_is_no_photograph_is_named(tmp_path, identity, noise, capsys):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    (wet / "notes.txt").write_text("to do")
    (wet / "archive").mkdir()
    (wet / ".hidden.png").write_bytes(b"x")
    for name in ("Thumbs.db", "@eaDir", "Icon\r", "._belt_0.png", "#recycle"):
        (wet / name).write_bytes(b"x")
    rows = restore_folder(identity, wet, tmp_path / "dry")
    assert rows["file"].tolist() == ["belt_0.png"]
    said = capsys.readouterr().out
    assert "skipped, because they are no photographs: notes.txt\n" in said
    assert "skipped, because they are folders (--recursive restores them, too): archive/\n" in said


def test_nothing_that_exists_is_overwritten(tmp_path, identity, noise):
    """As when the folder of dry photographs, with their equal names, is given for the copies."""
    wet, dry = (plain_photographs(tmp_path / side, 2, noise) for side in ("wet", "dry"))
    (dry / "belt_1.png").rename(dry / "BELT_1.png")  # one file with belt_1.png where case does not count
    before = {path.name: path.read_bytes() for path in dry.iterdir()}
    Image.new("RGB", (30, 20)).save(wet / "belt_2.png")
    rows = restore_folder(identity, wet, dry)
    assert rows["status"].tolist() == ["failed", "failed", "restored"]
    assert "BELT_1.png exists already: choose another folder" in rows["error"][1]
    assert {name: (dry / name).read_bytes() for name in before} == before


def test_copies_are_written_anew_when_that_is_asked_for(tmp_path, identity, noise):
    wet, out = tmp_path / "wet", tmp_path / "out"
    wet.mkdir()
    for value in (10, 20):
        Image.fromarray(np.full((20, 30, 3), value, np.uint8)).save(wet / "a.png")
        rows = restore_folder(identity, wet, out, replace_copies=True)
        assert list(rows["status"]) == ["restored"]
        assert (read_photograph(out / "a.png").pixels == value).all()


def test_what_was_restored_is_shown_and_what_was_not_is_demanded(tmp_path, identity, noise):
    wet, out = tmp_path / "wet", tmp_path / "out"
    wet.mkdir()
    for name in ("a.png", "c.png", "d.png"):
        Image.fromarray(values(noise, 8, 20, 30, 3)).save(wet / name)
    (wet / "b.png").write_bytes(b"rubbish")
    rows = restore_folder(identity, wet, out)
    examples = restored_examples(rows, wet, out, count=2)
    assert [name for name, *_ in examples] == ["a.png", "c.png"]
    assert all(np.array_equal(before, after) for _, before, after in examples)
    with pytest.raises(PhotographError, match=r"1 of 4 photographs were not restored:\n.*b\.png"):
        demand_all(rows)
    demand_all(rows[rows["file"] != "b.png"])


def test_two_photographs_never_become_one_file(tmp_path, identity, noise):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    shutil.copy(wet / "belt_0.png", wet / "Belt_0.png")
    if len(names(wet)) == 1:
        pytest.skip("this disk does not tell upper from lower case")
    rows = restore_folder(identity, wet, tmp_path / "dry")
    assert rows["status"].tolist() == ["restored", "failed"]
    assert names(tmp_path / "dry") == ["Belt_0.png"]


def test_what_others_put_there_meanwhile_is_not_overwritten(tmp_path, noise):
    wet, out = plain_photographs(tmp_path / "wet", 2, noise), tmp_path / "dry"

    class Slow(Plain):
        def restore(self, pixels):
            (out / "belt_1.png").write_text("theirs")
            return pixels

    rows = restore_folder(Slow(), wet, out)
    assert rows["status"].tolist() == ["restored", "failed"]
    assert "belt_1.png exists already" in rows["error"][1]
    (out / "belt_0.png").unlink()
    rows = restore_folder(Slow(), wet / "belt_1.png", out / "belt_2.png")  # one that appears while it is restored
    assert rows["status"].tolist() == ["restored"]
    assert (out / "belt_1.png").read_text() == "theirs"


def test_two_runs_at_once_write_each_copy_once(tmp_path, noise):
    """Both restore the first photograph at the same time."""
    wet, out = plain_photographs(tmp_path / "wet", 6, noise), tmp_path / "dry"
    together, tables = threading.Barrier(2, timeout=60), []

    class Meeting(Plain):
        def __init__(self):
            self.met = False

        def restore(self, pixels):
            if not self.met:
                self.met = True
                together.wait()
            return pixels

    runs = [threading.Thread(target=lambda: tables.append(restore_folder(Meeting(), wet, out))) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    rows = pd.concat(tables)
    assert sorted(rows.loc[rows["status"] == "restored", "file"]) == names(wet) == names(out)
    assert rows.loc[rows["status"] == "failed", "error"].str.contains("exists already").all()
    assert len(rows) == 12


def test_two_watchers_share_a_folder(tmp_path, identity, noise, looked):
    identity.at_once = 1
    wet, dry = plain_photographs(tmp_path / "wet", 3, noise), tmp_path / "dry"
    looked += [nothing] * 8
    other = []

    class Slower(Plain):
        """Each photograph is restored by another watcher while this one restores it."""

        def restore(self, pixels):
            if len(other) < 2:
                other.append(next(faster))
            return pixels

    faster = watch_folder(identity, wet, dry)
    rows = take(watch_folder(Slower(), wet, dry), 1)
    assert [row["file"] for row in rows + other] == ["belt_2.png", "belt_0.png", "belt_1.png"]
    assert {row["status"] for row in rows + other} == {"restored"}


LOOPS = {"loop.png": "loop.png", "nowhere.tif": "gone.tif"}


@pytest.fixture
def odd(tmp_path, noise):
    """A folder with a good photograph among names and links that end a careless program."""
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    for name, target in LOOPS.items():
        (wet / name).symlink_to(target)
    for name in ("bytes\udcff.png", "two\nlines.png", "\x1b[31mred.png"):
        shutil.copy(wet / "belt_0.png", wet / name)
    os.mkfifo(wet / "pipe.png")
    (wet / "folder\x1b.png").mkdir()
    return wet


def test_no_entry_ends_the_work(odd, tmp_path, identity, capsys):
    rows = restore_folder(identity, odd, tmp_path / "dry").set_index("file")
    restored = {"belt_0.png", "bytes\udcff.png", "two\nlines.png", "\x1b[31mred.png"}
    assert set(rows.index[rows["status"] == "restored"]) == restored == set(names(tmp_path / "dry"))
    assert set(rows.index[rows["status"] == "failed"]) == set(LOOPS)
    for name in LOOPS:
        assert f"{name}: " in rows["error"][name]
    said = capsys.readouterr().out
    assert "skipped, because they are no photographs: pipe.png\n" in said
    assert "restores them, too): folder\\x1b.png/\n" in said
    assert (said + "".join(rows["error"])).replace("\n", "").isprintable()


def test_no_entry_ends_the_watch(odd, tmp_path, identity, looked):
    looked += [nothing] * 6
    rows = take(watch_folder(identity, odd, tmp_path / "dry"), 6)
    assert sorted(row["status"] for row in rows) == ["failed"] * 2 + ["restored"] * 4
    (tmp_path / "wet" / "nowhere.tif").unlink()
    looked += [lambda: shutil.copy(odd / "belt_0.png", odd / "gone.tif"), nothing, nothing]
    shutil.copy(odd / "belt_0.png", odd / "late.png")
    assert "late.png" in {row["file"] for row in take(watch_folder(identity, odd, tmp_path / "dry"), 2)}


@pytest.mark.parametrize("name", ["é" * 125 + ".png", "e\u0301" * 83 + ".jpg", "x" * 250 + ".tiff", "x" * 251 + ".bmp"])
def test_names_of_any_length_are_restored(tmp_path, noise, identity, name):
    assert 250 <= len(os.fsencode(name)) <= 255
    wet = tmp_path / "wet"
    wet.mkdir()
    write_photograph(wet / name, Photograph(values(noise, 8, 20, 30, 3)))
    assert restore_folder(identity, wet, tmp_path / "dry")["error"].tolist() == [""]
    assert names(tmp_path / "dry") == [name]


def test_accents_written_another_way_are_the_same_name(tmp_path, noise, identity, looked, capsys):
    wet, dry = plain_photographs(tmp_path / "wet", 1, noise), tmp_path / "dry"
    nfc, nfd = (unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD"))
    (wet / "belt_0.png").rename(wet / nfc)
    shutil.copytree(wet, dry)
    (dry / nfc).rename(dry / nfd)  # a copy that was brought from a Mac
    if names(dry) != [nfd]:
        pytest.skip("this disk writes accents its own way")
    assert "exists already" in restore_folder(identity, wet, dry)["error"][0]
    shutil.copy(wet / nfc, wet / "late.png")
    looked += [nothing] * 2
    assert [row["file"] for row in take(watch_folder(identity, wet, dry), 1)] == ["late.png"]
    shutil.copy(wet / nfc, wet / nfd)  # now there are two photographs of one name: only one has a copy
    looked += [nothing] * 3
    (row,) = take(watch_folder(identity, wet, dry), 1)
    assert (row["file"], row["status"]) == (nfc, "failed")
    assert "exists already" in row["error"]


def test_wrong_places_are_refused(tmp_path, identity, noise):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(wet)
    with pytest.raises(FileNotFoundError, match="nowhere is missing"):
        restore_folder(identity, tmp_path / "nowhere", tmp_path / "dry")
    with pytest.raises(ValueError, match="empty holds no photographs"):
        restore_folder(identity, tmp_path / "empty", tmp_path / "dry")
    for out in (wet, wet / ".." / "wet", tmp_path / "link"):
        with pytest.raises(ValueError, match="never overwritten"):
            restore_folder(identity, wet, out)
    with pytest.raises(ValueError, match="is a file"):
        restore_folder(identity, wet, wet / "belt_0.png")
    assert not (tmp_path / "dry").exists()


def test_one_photograph_goes_into_a_file_or_a_folder(tmp_path, identity, noise):
    source = plain_photographs(tmp_path / "wet", 1, noise) / "belt_0.png"
    for out in (tmp_path / "new", tmp_path / "new.jpg", tmp_path / "deep" / "er.tif"):
        assert restore_folder(identity, source, out)["status"].tolist() == ["restored"]
    assert names(tmp_path / "new") == ["belt_0.png"]
    assert np.array_equal(
        read_photograph(tmp_path / "deep" / "er.tif").pixels, read_photograph(tmp_path / "wet" / "belt_0.png").pixels
    )
    with Image.open(tmp_path / "new.jpg") as image:
        assert image.format == "JPEG"
    for out in (source, source.parent):
        with pytest.raises(ValueError, match="is the original, which is never overwritten"):
            restore_folder(identity, source, out)
    (tmp_path / "notes.txt").write_text("to do")
    with pytest.raises(ValueError, match=r"notes\.txt: not an image"):
        restore_folder(identity, tmp_path / "notes.txt", tmp_path / "new")


# ---- several at a time -------------------------------------------------------------------------------------------


class Together(Plain):
    """Restores two photographs at the same time, or waits for the second one for ever."""

    at_once = 2

    def __init__(self):
        self.together = threading.Barrier(2, timeout=60)

    def restore(self, pixels):
        self.together.wait()
        return pixels


def test_several_photographs_are_restored_at_a_time_and_reported_in_order(tmp_path, noise):
    wet = plain_photographs(tmp_path / "wet", 6, noise)
    rows = restore_folder(Together(), wet, tmp_path / "dry")
    assert rows["file"].tolist() == names(wet) == names(tmp_path / "dry")
    assert (rows["status"] == "restored").all()


def test_a_large_photograph_and_one_of_unknown_size_are_restored_alone(tmp_path, noise, monkeypatch):
    wet = plain_photographs(tmp_path / "wet", 4, noise)
    Image.fromarray(values(noise, 8, 50, 60, 3)).save(wet / "belt_1.png")
    tifffile.imwrite(wet / "belt_2.tif", values(noise, 16, 20, 30, 3), photometric="rgb")
    sizes = {"belt_1.png": 3000, "belt_2.tif": None}  # for a kind of file that Pillow does not read
    monkeypatch.setattr(copies, "stated_pixels", lambda path: sizes.get(path.name, 600))
    monkeypatch.setattr(copies, "LARGE", 2000)
    now, most = set(), {}

    class Watching(Plain):
        at_once = 3

        def restore(self, pixels):
            now.add(id(pixels))
            time.sleep(0.02)
            most[pixels.shape, str(pixels.dtype)] = max(most.get((pixels.shape, str(pixels.dtype)), 0), len(now))
            now.remove(id(pixels))
            return pixels

    assert (restore_folder(Watching(), wet, tmp_path / "dry")["status"] == "restored").all()
    assert most.pop(((50, 60, 3), "uint8")) == 1
    assert most.pop(((20, 30, 3), "uint16")) == 1
    assert len(most) == 1


@pytest.mark.parametrize("at_once", [1, 3])
def test_interrupted_every_copy_was_reported_and_no_file_is_half(tmp_path, noise, at_once):
    wet, reported = plain_photographs(tmp_path / "wet", 9, noise), []
    restorer, fourth = Moody(), values(noise, 8, 20, 30, 3)
    restorer.at_once = at_once
    Image.fromarray(fourth).save(wet / "belt_3.png")

    def interrupted(pixels):
        if np.array_equal(pixels, fourth):
            raise KeyboardInterrupt
        return pixels

    restorer.restore = interrupted
    with pytest.raises(KeyboardInterrupt):
        restore_folder(restorer, wet, tmp_path / "dry", reported.append)
    done = [row["file"] for row in reported]
    assert done[:3] == ["belt_0.png", "belt_1.png", "belt_2.png"]
    assert {row["status"] for row in reported} == {"restored"}
    assert not list((tmp_path / "dry").glob(".*"))
    assert set(done) <= set(names(tmp_path / "dry")) <= {*done, "belt_4.png", "belt_5.png", "belt_6.png"}
    rows = restore_folder(Plain(), wet, tmp_path / "dry", replace_copies=True)
    assert (rows["status"] == "restored").all()


def test_a_report_that_fails_is_the_last_one(tmp_path, noise):
    """Such as a closed window: nothing is restored any more without a report."""
    wet = plain_photographs(tmp_path / "wet", 40, noise)
    restorer = Moody()
    restorer.at_once = 2

    def report(row):
        raise RuntimeError("no longer")

    with pytest.raises(RuntimeError, match="no longer"):
        restore_folder(restorer, wet, tmp_path / "dry", report)
    assert restorer.calls <= 5


# ---- folders below folders ---------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path, noise):
    """Photographs in a folder and in two below it, some under the same names."""
    wet = plain_photographs(tmp_path / "wet", 2, noise)
    for place in ("day 1", "day 1/night", "empty"):
        (wet / place).mkdir()
    plain_photographs(wet / "day 1", 1, noise)
    plain_photographs(wet / "day 1" / "night", 1, noise)
    (wet / "day 1" / "circle").symlink_to(wet)
    (wet / "day 1" / "notes.txt").write_text("to do")
    return wet


ALL = ["belt_0.png", "belt_1.png", "day 1/belt_0.png", "day 1/night/belt_0.png"]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("inside", [False, True])
def test_the_tree_of_folders_is_kept(tmp_path, identity, tree, capsys, inside):
    out = tree / "day 1" / "out" if inside else tmp_path / "out"
    for _ in range(2):  # again, now that the folder of the copies is there
        rows = restore_folder(identity, tree, out, replace_copies=True, recursive=True)
        assert rows["file"].tolist() == ALL
        assert (rows["status"] == "restored").all()
        assert files(out) == ALL
        assert not (out / "empty").exists()
    for name in ALL:
        assert np.array_equal(read_photograph(tree / name).pixels, read_photograph(out / name).pixels)
    said = capsys.readouterr().out
    assert "skipped, because they are no photographs: day 1/notes.txt\n" in said
    assert "skipped, because they are links to folders: day 1/circle/\n" in said
    examples = restored_examples(rows, tree, out, count=4)
    assert [name for name, *_ in examples] == ALL


def test_below_folders_nothing_that_exists_is_overwritten_and_no_two_become_one(tmp_path, identity, tree):
    out = tmp_path / "out"
    (out / "Day 1").mkdir(parents=True)  # one folder with "day 1" where case does not count
    (out / "Day 1" / "BELT_0.png").write_text("theirs")
    rows = restore_folder(identity, tree, out, recursive=True).set_index("file")
    assert rows.index[rows["status"] == "failed"].tolist() == ["day 1/belt_0.png"]
    assert "BELT_0.png exists already" in rows.loc["day 1/belt_0.png", "error"]
    assert (out / "Day 1" / "BELT_0.png").read_text() == "theirs"


def test_folders_that_differ_in_case_alone_do_not_share_a_name(tmp_path, identity, tree):
    if (tree / "DAY 1").exists():
        pytest.skip("this disk does not tell upper from lower case")
    shutil.copytree(tree / "day 1" / "night", tree / "DAY 1")
    rows = restore_folder(identity, tree, tmp_path / "out", recursive=True, replace_copies=True).set_index("file")
    assert rows.index[rows["status"] == "failed"].tolist() == ["day 1/belt_0.png"]
    assert "so rename one" in rows.loc["day 1/belt_0.png", "error"]


def test_copies_never_fall_among_originals(tmp_path, identity, tree):
    with pytest.raises(ValueError, match="copies could fall among them"):
        restore_folder(identity, tree / "day 1" / "night", tree, recursive=True, replace_copies=True)
    with pytest.raises(ValueError, match="copies could fall among them"):
        watch_folder(identity, tree / "day 1", tree, recursive=True)


def test_the_folder_of_the_copies_is_not_named_among_what_is_skipped(tmp_path, identity, noise, capsys):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    for _ in range(2):
        restore_folder(identity, wet, wet / "out", replace_copies=True)
    assert "skipped" not in capsys.readouterr().out


def test_a_tree_is_watched(tmp_path, identity, tree, looked, noise):
    out = tmp_path / "out"

    def arrive():
        plain_photographs(tree / "day 2", 1, noise)

    looked += [nothing, arrive, nothing, nothing]
    rows = take(watch_folder(identity, tree, out, recursive=True), 5)
    assert [row["file"] for row in rows] == [*ALL, "day 2/belt_0.png"]
    assert files(out) == sorted([*ALL, "day 2/belt_0.png"])
    (out / "day 1" / ".belt_0.42.png").write_bytes(b"half")
    (out / "day 1" / "belt_0.png").unlink()
    looked += [nothing, nothing]
    assert [row["file"] for row in take(watch_folder(identity, tree, out, recursive=True), 1)] == ["day 1/belt_0.png"]
    assert files(out) == sorted([*ALL, "day 2/belt_0.png"])


# ---- a watched folder --------------------------------------------------------------------------------------------


def take(watched, count):
    return list(itertools.islice(watched, count))


@pytest.fixture
def looked(monkeypatch):
    """Nobody waits; ``looked`` holds what is done between two looks at the folder, one call after the other."""
    between = []

    def sleep(seconds):
        assert between, "nothing more to come: the folder would be watched for ever"
        between.pop(0)()

    monkeypatch.setattr("orelib.restore.watch.time.sleep", sleep)
    return between


def nothing():
    pass


def test_what_is_there_and_what_arrives_is_restored_once(tmp_path, identity, noise, looked):
    wet = plain_photographs(tmp_path / "wet", 2, noise)
    looked += [nothing, lambda: Image.new("RGB", (30, 20)).save(wet / "late.png"), nothing, nothing, nothing]
    watched = watch_folder(identity, wet, tmp_path / "dry")
    assert [row["file"] for row in take(watched, 3)] == ["belt_0.png", "belt_1.png", "late.png"]
    with pytest.raises(AssertionError, match="nothing more"):
        next(watched)
    assert names(tmp_path / "dry") == ["belt_0.png", "belt_1.png", "late.png"]


def test_a_copy_that_exists_is_done(tmp_path, identity, noise, looked):
    wet = plain_photographs(tmp_path / "wet", 2, noise)
    restore_folder(identity, wet / "belt_0.png", tmp_path / "dry")
    looked += [nothing, nothing]
    assert [row["file"] for row in take(watch_folder(identity, wet, tmp_path / "dry"), 1)] == ["belt_1.png"]


def test_a_file_that_is_still_written_is_waited_for(tmp_path, identity, noise, looked):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    whole = (wet / "belt_0.png").read_bytes()
    arriving = wet / "arriving.png"
    (wet / "belt_0.png").unlink()
    parts = [whole[: len(whole) * k // 4] for k in range(1, 5)]
    looked += [lambda part=part: arriving.write_bytes(part) for part in parts] + [nothing]
    (row,) = take(watch_folder(identity, wet, tmp_path / "dry"), 1)
    assert (row["file"], row["status"]) == ("arriving.png", "restored")


def test_an_unreadable_file_is_reported_once_until_it_changes(tmp_path, identity, noise, looked):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    whole = (wet / "belt_0.png").read_bytes()
    (wet / "belt_0.png").write_bytes(whole[:200])
    looked += [nothing] * 4 + [lambda: (wet / "belt_0.png").write_bytes(whole), nothing]
    rows = take(watch_folder(identity, wet, tmp_path / "dry"), 2)
    assert [row["status"] for row in rows] == ["failed", "restored"]
    assert len(looked) == 0  # it was not tried in between


@pytest.mark.parametrize("vanishing", ["wet", "dry"])
def test_a_folder_that_is_away_for_a_while_is_waited_for(tmp_path, identity, noise, looked, capsys, vanishing):
    wet = plain_photographs(tmp_path / "wet", 2, noise)
    away = tmp_path / "away"
    looked += [lambda: (tmp_path / vanishing).rename(away), nothing, nothing]
    looked += [lambda: away.rename(tmp_path / vanishing), nothing, nothing]
    rows = take(watch_folder(identity, wet, tmp_path / "dry"), 2)
    assert [row["status"] for row in rows] == ["restored"] * 2
    said = f"{vanishing} cannot be listed (No such file or directory); waiting for it\n"
    assert capsys.readouterr().out.count(said) == 1


def test_a_share_that_is_away_when_a_copy_is_written_is_not_made_anew(tmp_path, noise, looked):
    wet, dry, away = plain_photographs(tmp_path / "wet", 1, noise), tmp_path / "dry", tmp_path / "away"

    leaving = [dry]

    class Slow(Plain):
        def restore(self, pixels):
            if leaving:
                leaving.pop().rename(away)
            return pixels

    looked += [nothing, nothing, lambda: away.rename(dry), nothing, nothing]
    watched = watch_folder(Slow(), wet, dry)
    row = next(watched)
    assert row["status"] == "failed"
    assert "dry is gone" in row["error"]
    assert not dry.exists()
    assert next(watched)["status"] == "restored"


class Moody(Plain):
    """A restorer that fails as often as it is told, each time for a reason of the moment."""

    def __init__(self, *errors):
        self.errors, self.calls = list(errors), 0

    def restore(self, pixels):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return pixels


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "error",
    [FULL, OSError(errno.EIO, "I/O"), OSError(errno.ESTALE, "stale"), OSError(errno.EACCES, "rights"), MemoryError(),
     RuntimeError("CUDA out of memory")],
    ids=lambda error: type(error).__name__ + str(error)[:10],
)  # fmt: skip
def test_what_fails_for_a_reason_of_the_moment_is_tried_again(tmp_path, noise, looked, error):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    looked += [nothing] * 6
    rows = take(watch_folder(Moody(error, error), wet, tmp_path / "dry"), 2)
    assert [row["status"] for row in rows] == ["failed", "restored"]  # it failed twice, and that was said once


def test_what_fails_again_and_again_is_tried_ever_less_often(tmp_path, noise, looked):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    looked += [nothing] * 1000
    restorer = Moody(*[FULL] * 12)
    rows = take(watch_folder(restorer, wet, tmp_path / "dry"), 2)
    assert [row["status"] for row in rows] == ["failed", "restored"]
    waited = 1000 - len(looked)
    assert restorer.calls == 13
    assert sum(2**k + 1 for k in range(7)) + 5 * 65 == waited - 1  # 1, 2, 4 ... 64 looks, then 64 each


@pytest.mark.parametrize("why", ["unreadable", "unwritable"])
def test_a_file_that_is_locked_is_tried_again(tmp_path, identity, noise, looked, monkeypatch, why):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    name = {"unreadable": "read_photograph", "unwritable": "write_photograph"}[why]
    whole = getattr(copies, name)
    errors = [PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "x.12.png"))] * 2

    def locked(*arguments, **options):
        if errors:
            raise errors.pop()
        return whole(*arguments, **options)

    monkeypatch.setattr(copies, name, locked)
    looked += [nothing] * 6
    rows = take(watch_folder(identity, wet, tmp_path / "dry"), 2)
    assert [row["status"] for row in rows] == ["failed", "restored"]
    assert rows[0]["error"].endswith("belt_0.png: Permission denied")


@pytest.mark.parametrize("cause", [OSError(errno.EIO, "Input/output error"), MemoryError()], ids=["EIO", "memory"])
def test_an_error_of_the_disk_that_a_decoder_meets_is_none_of_the_photograph(
    tmp_path, identity, noise, looked, monkeypatch, cause
):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    whole, causes = photographs._decode, [cause]

    def failing(path):
        if causes:
            raise causes.pop()
        return whole(path)

    monkeypatch.setattr(photographs, "_decode", failing)
    looked += [nothing] * 4
    rows = take(watch_folder(identity, wet, tmp_path / "dry"), 2)
    assert [row["status"] for row in rows] == ["failed", "restored"]


def test_wrong_places_are_refused_before_watching(tmp_path, identity, noise):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    with pytest.raises(FileNotFoundError, match="nowhere is missing"):
        watch_folder(identity, tmp_path / "nowhere", tmp_path / "dry")
    with pytest.raises(ValueError, match="never overwritten"):
        watch_folder(identity, wet, wet)
    with pytest.raises(ValueError, match="only a folder can be watched"):
        watch_folder(identity, wet / "belt_0.png", tmp_path / "dry")


def test_what_is_no_photograph_is_named_once(tmp_path, identity, noise, looked, capsys):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    (wet / "notes.txt").write_text("to do")
    looked += [nothing, nothing]
    take(watch_folder(identity, wet, tmp_path / "dry"), 1)
    assert capsys.readouterr().out.count("notes.txt") == 1


def test_only_leftovers_of_our_own_are_removed(tmp_path, identity, noise, looked):
    wet = plain_photographs(tmp_path / "wet", 2, noise)
    dry = tmp_path / "dry"
    dry.mkdir()
    others = [".notes.12.txt", ".holiday.2024.png", ".belt_0.png", "belt_0.12.png"]
    for name in (".belt_0.4242.png", ".belt_1.7.png", *others):
        (dry / name).write_bytes(b"half")
    looked += [nothing]
    take(watch_folder(identity, wet, dry), 2)
    assert names(dry) == sorted([*others, "belt_0.png", "belt_1.png"])


WATCHER = """
import os, sys, time
from pathlib import Path
from orelib.restore.watch import watch_folder

class Unchanged:
    at_once = int(sys.argv[4])
    remark = staticmethod(lambda pixels: "")

    def restore(self, wet):
        return wet

whole = os.fsync
def stop(file):  # between the writing of a copy and its appearance, when so many have appeared
    if len(list(Path(sys.argv[2]).glob("belt_*.png"))) == int(sys.argv[3]):
        time.sleep(3600)
    whole(file)
os.fsync = stop
for row in watch_folder(Unchanged(), sys.argv[1], sys.argv[2], interval=0.05):
    print(row["file"], row["status"], flush=True)
"""


def start_watcher(wet, dry, stop_after, at_once):
    command = [sys.executable, "-c", WATCHER, str(wet), str(dry), str(stop_after), str(at_once)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_killed_while_several_are_restored_every_copy_is_whole_and_made_once(tmp_path, noise):
    wet, dry = plain_photographs(tmp_path / "wet", 30, noise, size=(200, 300)), tmp_path / "dry"
    made = {}
    for lines in (1, 5, 30):
        process = start_watcher(wet, dry, stop_after=-1, at_once=3)
        for _ in range(min(lines, 30 - len(made))):
            assert process.stdout.readline().endswith(" restored\n")
        process.kill()
        process.communicate()
        copies = {path.name: path.stat().st_mtime_ns for path in dry.glob("belt_*.png")}
        assert {name: copies[name] for name in made} == made
        for name in copies:
            assert np.array_equal(read_photograph(dry / name).pixels, read_photograph(wet / name).pixels)
        made = copies
    assert sorted(made) == names(wet)


def test_killed_and_started_again_each_photograph_is_restored_once(tmp_path, noise):
    """SIGKILL while the third copy is written but has not appeared; then a watcher that is left to finish."""
    wet, dry = plain_photographs(tmp_path / "wet", 5, noise), tmp_path / "dry"

    def start(stop_after):
        return start_watcher(wet, dry, stop_after, at_once=1)

    def wait_for(condition, process):
        while not condition():
            assert process.poll() is None
            time.sleep(0.01)

    def finished():
        return {path.name: path.stat().st_mtime_ns for path in dry.glob("belt_*.png")} if dry.exists() else {}

    process = start(stop_after=2)
    try:
        wait_for(lambda: list(dry.glob(".belt_2.*.png")), process)
    finally:
        process.kill()
        process.wait()
    done = finished()
    assert sorted(done) == ["belt_0.png", "belt_1.png"]
    assert len(list(dry.glob(".*"))) == 1  # the leftover of the third

    process = start(stop_after=-1)
    try:
        printed = [process.stdout.readline() for _ in range(3)]
        time.sleep(0.3)  # some more looks at the folder
    finally:
        process.kill()
        printed.append(process.communicate()[0])
    assert printed == [*(f"belt_{k}.png restored\n" for k in (2, 3, 4)), ""]
    assert {name: finished()[name] for name in done} == done
    assert names(dry) == names(wet)
    for path in dry.iterdir():
        assert np.array_equal(read_photograph(path).pixels, read_photograph(wet / path.name).pixels)


@pytest.mark.parametrize("watched", [False, True])
def test_a_photograph_that_changes_while_it_is_restored_gets_no_copy_of_what_it_was(
    tmp_path, noise, looked, monkeypatch, watched
):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    (path,) = wet.iterdir()
    final = noise.integers(0, 256, (24, 40, 3), dtype=np.uint8)
    states = []

    class Slow(Plain):
        def restore(self, pixels):
            if not states:  # meanwhile, a camera goes on writing
                states.append(path.stat().st_mtime_ns)
                Image.fromarray(final).save(path)
                os.utime(path, ns=(states[0] + 1, states[0] + 1))
            return pixels

    if watched:
        looked += [nothing] * 4
        rows = take(watch_folder(Slow(), wet, tmp_path / "dry"), 2)
        assert [row["status"] for row in rows] == ["failed", "restored"]
        assert (photographs.read_image(tmp_path / "dry" / path.name) == final).all()
    else:
        table = restore_folder(Slow(), wet, tmp_path / "dry")
        assert "changed while it was restored" in table["error"].item()
        assert not list((tmp_path / "dry").iterdir())


def test_two_photographs_of_one_name_are_told_to_be_renamed(tmp_path, identity, noise):
    wet = plain_photographs(tmp_path / "wet", 1, noise)
    (path,) = wet.iterdir()
    shutil.copy(path, path.with_name(path.name.upper()))
    if len(list(wet.iterdir())) == 1:
        pytest.skip("this file system knows no upper and lower case")
    table = restore_folder(identity, wet, tmp_path / "dry", replace_copies=True)
    assert table.loc[table["status"] == "failed", "error"].item().endswith("so rename one")


def test_what_a_copy_cannot_hold_is_told(tmp_path, identity, noise, capsys):
    source = tmp_path / "wet" / "belt.png"
    source.parent.mkdir()
    exif = Image.Exif()
    exif[0x010E] = "x" * 70_000
    Image.fromarray(noise.integers(0, 256, (24, 40, 3), dtype=np.uint8)).save(source, exif=exif)
    restore_folder(identity, source, tmp_path / "dry.jpg")
    assert "belt.png: its EXIF is left out" in capsys.readouterr().out


# ---- a backlog ---------------------------------------------------------------------------------------------------


def told(arrivals):
    """What a backlog tells when it is looked at these times, in seconds, with so many photographs waiting."""
    clock = iter([second for second, _ in arrivals])
    backlog = Backlog(lambda: next(clock))
    return [backlog.look(map(str, range(first, last))) for _, (first, last) in arrivals]


def test_who_keeps_up_is_told_nothing():
    assert not any(told([(second, (3 * second, 3 * second + 3)) for second in range(100)]))
    assert not any(told([(9 * second, (0, 0)) for second in range(20)]))


def test_a_backlog_is_told_when_it_begins_doubles_or_lasts_and_when_it_is_gone():
    lasting = [(5 * look, (0, 7)) for look in range(20)]
    says = told([*lasting, (100, (0, 20)), (105, (3, 9)), (106, (30, 31)), (107, (30, 31))])
    assert says[:2] == ["", ""]
    assert says[2] == "behind: 7 photographs wait, the first for 0:10"
    assert [second for (second, _), text in zip(lasting, says, strict=False) if text] == [10, 70]
    assert says[20:] == [
        "behind: 20 photographs wait, the first for 1:40", "", "caught up: no photograph has waited for 10 s", ""
    ]  # fmt: skip


def test_a_watcher_that_is_too_slow_says_so_and_looks_again_meanwhile(tmp_path, noise, looked, monkeypatch, capsys):
    """Each photograph takes 4 s, and two more arrive meanwhile."""
    wet, seconds = plain_photographs(tmp_path / "wet", 1, noise), [0.0]
    monkeypatch.setattr("orelib.restore.watch.time.monotonic", lambda: seconds[0])

    class Slow(Plain):
        def restore(self, pixels):
            seconds[0] += 4
            for _ in range(2):
                shutil.copy(wet / "belt_0.png", wet / f"belt_{len(names(wet))}.png")
            return pixels

    looked += [nothing] * 8
    rows = take(watch_folder(Slow(), wet, tmp_path / "dry"), 12)
    assert len({row["file"] for row in rows}) == 12
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("behind: ")]
    assert said
    assert re.fullmatch(r"behind: \d+ photographs wait, the first for 0:\d\d", said[0])
