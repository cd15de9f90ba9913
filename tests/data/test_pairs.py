"""Folders of pairs: what is matched, and one error for everything that is wrong."""

import os
import shutil
from pathlib import Path, PurePath

import numpy as np
import pytest
from PIL import Image

from orelib.config import Experiment
from orelib.data.dataset import render_dataset
from orelib.data.pair import PairError
from orelib.data.pairs import find_pairs, load_pairs, pixel_counts
from orelib.data.photographs import read_image
from orelib.runs import Folders
from orelib.utils.checksums import DamagedFileError


@pytest.fixture
def folder(pair_folder, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(pair_folder, tmp_path / "mine")


def load(folder):
    return load_pairs(Folders("smoke", data_dir=str(folder)))


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
                  "belt_3.png: is 30 x 30 px, its dry partner 48 x 40 px", "test/wet/belt_6.png: the same image as",
                  "notes.txt: not an image"):  # fmt: skip
        assert named in message


def test_the_same_image_in_train_and_held_out_val_is_a_leak(folder):
    shutil.copy(folder / "train" / "dry" / "belt_0.png", folder / "train" / "dry" / "belt_5.png")
    with pytest.raises(PairError, match=r"belt_5.png: the same image as .*belt_0.png \(train\).* make a folder val"):
        load(folder)


def test_one_training_pair_is_too_few(folder):
    for file in (folder / "train").glob("*/belt_[1-5].png"):
        file.unlink()
    with pytest.raises(PairError, match="two pairs are needed"):
        load(folder)


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


def test_a_file_where_a_folder_belongs_is_listed_once(folder):
    for place in (folder / "train", folder / "test" / "dry"):
        shutil.rmtree(place)
        place.touch()
    with pytest.raises(PairError, match=r"(?s)^2 problem.*train: is a file where a fold.*test.dry: is a file where"):
        load(folder)


def test_a_pipe_is_no_photograph(folder):
    os.mkfifo(folder / "train" / "wet" / "pipe.png")
    shutil.copy(folder / "train" / "dry" / "belt_0.png", folder / "train" / "dry" / "pipe.png")
    with pytest.raises(PairError, match=r"(?s)wet/pipe.png: not an image.*dry/pipe.png: has no wet partner"):
        load(folder)


def test_a_folder_that_cannot_be_read_is_listed(folder, monkeypatch):
    whole = os.scandir

    def away(path):
        if Path(path).name == "dry":
            raise OSError(5, "Input/output error")
        return whole(path)

    monkeypatch.setattr(os, "scandir", away)
    problems = []
    assert find_pairs(folder, problems) == []
    assert len(problems) == 2
    assert all("dry: the folder cannot be read (Input/output error)" in problem for problem in problems)


def test_what_file_managers_leave_behind_is_passed_over(folder, pairs):
    for name in (".DS_Store", "Thumbs.db", "ehthumbs.db", "Icon\r", "._belt_0.png", "belt_0.png:Zone.Identifier"):
        (folder / "train" / "wet" / name).write_bytes(b"x")
    for name in ("@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found"):
        shutil.copytree(folder / "test", folder / "train" / "dry" / name)
        shutil.copytree(folder / "test", folder / name)
    assert load(folder).checksum == pairs.checksum


def test_accents_written_either_way_are_one_stem(folder, pairs):
    spellings = {"wet": "belt_\u00e9.png", "dry": "belt_e\u0301.png"}
    for side, name in spellings.items():
        (folder / "train" / side / "belt_0.png").rename(folder / "train" / side / name)
    loaded = load(folder)
    assert loaded.manifest["stem"].tolist() == [*(f"belt_{k}" for k in range(1, 6)), "belt_\u00e9", "belt_6", "belt_7"]
    (folder / "train" / "wet" / spellings["wet"]).rename(folder / "train" / "wet" / spellings["dry"])
    assert load(folder).checksum == loaded.checksum  # as after a copy by way of a Mac


def test_a_name_that_no_table_can_hold_is_listed(folder):
    for name in ("bytes\udcff.png", "carriage\rreturn.png"):
        shutil.copy(folder / "train" / "wet" / "belt_0.png", folder / "train" / "wet" / name)
    with pytest.raises(PairError) as error:
        load(folder)
    assert str(error.value).startswith("2 problem(s)")
    assert r"bytes\udcff.png: its name is no text" in str(error.value)
    assert r"carriage\rreturn.png: its name is no text" in str(error.value)


def test_finding_pairs_takes_as_many_steps_as_there_are_files(tmp_path, monkeypatch):
    compared = []
    equal = Path.__eq__
    monkeypatch.setattr(PurePath, "__eq__", lambda self, other: compared.append(1) or equal(self, other))
    for split in ("train", "test"):
        for side in ("wet", "dry"):
            (tmp_path / split / side).mkdir(parents=True)
            for number in range(150):
                (tmp_path / split / side / f"{number}.png").touch()
    problems = []
    assert len(find_pairs(tmp_path, problems)) == 300
    assert not problems
    assert len(compared) < 20 * 600


def test_two_files_of_one_stem_are_refused(folder):
    path = folder / "train" / "wet" / "belt_0.png"
    shutil.copy(path, path.with_suffix(".bmp"))
    with pytest.raises(PairError, match=r"more than one file is named belt_0"):
        load(folder)


def test_missing_data_says_what_to_do(tmp_path, monkeypatch):
    for name in ("notebooks", "orelib"):
        (tmp_path / name).mkdir()  # an empty kit
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="01_dataset"):
        load_pairs(Folders("quick"))
    with pytest.raises(FileNotFoundError, match="name a folder that holds train/"):
        load_pairs(Folders("quick", data_dir="nowhere"))


def test_real_core_photographs_pass(real_core):
    pairs = load_pairs(Folders("quick", data_dir=str(real_core)))
    assert (len(pairs.train), len(pairs.val), len(pairs.test)) == (21, 3, 9)


def test_pairs_say_whether_they_are_the_kits_own(pairs, tmp_path, monkeypatch):
    assert not pairs.embedded
    for name in ("notebooks", "orelib"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    render_dataset(tmp_path / "data" / "smoke", Experiment("smoke"), workers=1)
    assert load_pairs(Folders("smoke")).embedded
    (tmp_path / "data" / "smoke" / "train" / "wet" / "0002.png").unlink()
    (tmp_path / "data" / "smoke" / "train" / "dry" / "0002.png").unlink()
    with pytest.raises(DamagedFileError, match=r"(?s)01_dataset.*wet.0002\.png.*dry.0002\.png"):
        load_pairs(Folders("smoke"))
