"""Decoded photographs on disk: the same pixels, decoded once, and damage is found."""

import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from orelib.data import decoded
from orelib.data.decoded import decode_pairs
from orelib.data.pair import PairError
from orelib.data.pairs import load_pairs
from orelib.data.photographs import read_image
from orelib.runs import Folders


@pytest.fixture
def folder(tmp_path):
    """Photographs of several sizes and kinds; the last training pair becomes the validation split."""
    noise = np.random.default_rng(0)
    shapes = {"a": (20, 30, 3), "b": (33, 17, 3), "c": (24, 24), "d": (40, 50, 3), "e": (16, 16, 3)}
    for stem, shape in shapes.items():
        for side in ("wet", "dry"):
            path = tmp_path / "data" / ("test" if stem == "d" else "train") / side / f"{stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8)).save(path)
    return tmp_path / "data"


def load(folder):
    return load_pairs(Folders("smoke", data_dir=str(folder)))


@pytest.fixture
def count(monkeypatch):
    """The photographs that were decoded, one after another."""
    seen = []
    monkeypatch.setattr(decoded, "read_image", lambda path: seen.append(path) or read_image(path))
    return seen


def test_decoded_pairs_hold_the_same_pixels(folder, tmp_path):
    pairs = load(folder)
    train = decode_pairs(pairs, tmp_path)
    assert [(pair.split, pair.stem) for pair in train] == [("train", stem) for stem in "abc"]
    for pair, original in zip(train, pairs.train, strict=True):
        for image, expected in zip(pair.load(), original.load(), strict=True):
            assert image.dtype == np.uint8
            assert np.array_equal(image, expected)
            assert not image.flags.writeable


def test_photographs_are_decoded_once(folder, tmp_path, count, capsys):
    decode_pairs(load(folder), tmp_path)
    assert len(count) == 6
    assert "decoding photographs" in capsys.readouterr().out
    decode_pairs(load(folder), tmp_path)
    assert len(count) == 6
    assert not capsys.readouterr().out


def test_only_new_photographs_are_decoded_when_a_data_set_grows(folder, tmp_path, count):
    decode_pairs(load(folder), tmp_path)
    for side in ("wet", "dry"):
        image = read_image(folder / "train" / side / "a.png")
        Image.fromarray(255 - image).save(folder / "train" / side / "aa.png")
    del count[:]
    assert len(decode_pairs(load(folder), tmp_path)) == 4
    assert {path.stem for path in count} == {"aa"}


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage", [flip_a_bit, lambda path: path.write_bytes(path.read_bytes()[:-1]), lambda path: path.write_bytes(b"")]
)
def test_a_damaged_file_is_found_and_decoded_again(folder, tmp_path, count, capsys, damage):
    pairs = load(folder)
    train = decode_pairs(pairs, tmp_path)
    del count[:]
    damage(train[1].dry)
    decode_pairs(pairs, tmp_path)
    assert count == [pairs.train[1].dry]
    assert f"{train[1].dry} is damaged" in capsys.readouterr().out
    assert np.array_equal(train[1].load()[1], pairs.train[1].load()[1])


def test_a_beginning_that_a_killed_process_left_is_no_file(folder, tmp_path, count):
    pairs = load(folder)
    path = decode_pairs(pairs, tmp_path)[0].wet
    path.rename(path.with_name(f".{path.stem}.123.rgb"))
    del count[:]
    decode_pairs(pairs, tmp_path)
    assert count == [pairs.train[0].wet]


def test_several_may_decode_at_once(folder, tmp_path):
    pairs = load(folder)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(decode_pairs, [pairs] * 4, [tmp_path] * 4))
    assert len(set(together)) == 1
    for pair, original in zip(together[0], pairs.train, strict=True):
        assert np.array_equal(pair.load(), original.load())
    assert len(list((tmp_path / "pixels").iterdir())) == 6


def test_what_another_process_has_decoded_by_now_is_left(folder, tmp_path, count, monkeypatch):
    pairs = load(folder)
    demand_room = decoded.demand_room

    def meanwhile(*arguments):
        monkeypatch.setattr(decoded, "demand_room", demand_room)
        decode_pairs(pairs, tmp_path)

    monkeypatch.setattr(decoded, "demand_room", meanwhile)
    decode_pairs(pairs, tmp_path)
    assert len(count) == 6


def test_too_little_room_is_said_before_anything_is_written(folder, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or SimpleNamespace(free=1_000_000_000))
    pairs = load(folder)
    pairs = replace(pairs, manifest=pairs.manifest.assign(width=20_000, height=20_000))
    with pytest.raises(OSError, match=r"pixels needs 7\.2 GB .* has 1\.0 GB free: make room there, or .* results_dir"):
        decode_pairs(pairs, tmp_path / "results" / "paper")
    assert asked == [tmp_path]
    assert not (tmp_path / "results").exists()


def test_a_photograph_that_has_changed_is_refused(folder, tmp_path):
    pairs = load(folder)
    Image.fromarray(np.zeros((20, 30, 3), dtype=np.uint8)).save(pairs.train[0].wet)
    with pytest.raises(PairError, match=r"a\.png has changed since it was checked"):
        decode_pairs(pairs, tmp_path)


def test_pairs_are_handed_to_processes_without_their_pixels(tmp_path, pairs):
    train = decode_pairs(pairs, tmp_path)
    assert len(pickle.dumps(train)) < 300 * len(train) + 300
    assert pickle.loads(pickle.dumps(train)) == train
