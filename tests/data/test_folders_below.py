"""Photographs in a tree of folders: each is found once, and nothing else is lost on the way."""

import os

import numpy as np
import pytest
from PIL import Image

from orelib.data import photographs
from orelib.data.photographs import photographs_below, photographs_in, stated_pixels


@pytest.fixture
def tree(tmp_path):
    """Photographs on three levels, among hidden folders, left-behind folders, links and a pipe."""
    root = tmp_path / "belt"
    for place in ("b.png", "a.jpg", "day 1/b.png", "day 1/night/é.tif", "day 2.png/x.bmp", ".trash/old.png",
                  "@eaDir/thumb.jpg", "notes/notes.txt", "out/a.jpg"):  # fmt: skip
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).touch()
    (root / "empty").mkdir()
    (root / "day 1" / "circle").symlink_to(root)
    (root / "gone.png").symlink_to(root / "nowhere.png")
    os.mkfifo(root / "day 1" / "pipe.png")
    return root


def relative(paths, root):
    return [path.relative_to(root).as_posix() for path in paths]


def test_every_photograph_below_is_found_once_and_folder_by_folder(tree):
    found, others = photographs_below(tree)
    assert relative(found, tree) == [
        "a.jpg", "b.png", "gone.png", "day 1/b.png", "day 1/night/é.tif", "day 2.png/x.bmp", "out/a.jpg"
    ]  # fmt: skip
    assert relative(others, tree) == ["day 1/circle", "day 1/pipe.png", "notes/notes.txt"]


@pytest.mark.parametrize("spelling", ["out", "day 1/../out", "link"])
def test_a_folder_is_left_out_however_it_is_written(tree, spelling):
    (tree / "link").symlink_to(tree / "out")
    found, others = photographs_below(tree, leave_out=tree / spelling)
    assert "out/a.jpg" not in relative(found, tree)
    assert "out" not in relative(others, tree)
    assert photographs_below(tree, leave_out=tree / "missing")[0] == photographs_below(tree)[0]


def test_without_subfolders_it_is_the_same_as_of_one_folder(tree):
    night = tree / "day 1" / "night"
    assert photographs_below(night) == photographs_in(night)


def test_a_folder_that_is_missing_is_an_error_and_one_that_goes_meanwhile_is_none(tree, monkeypatch):
    with pytest.raises(FileNotFoundError):
        photographs_below(tree / "nowhere")
    whole = photographs.photographs_in

    def going(folder):
        if folder.name == "night":
            raise FileNotFoundError(folder)
        return whole(folder)

    monkeypatch.setattr(photographs, "photographs_in", going)
    assert "day 1/b.png" in relative(photographs_below(tree)[0], tree)


def test_a_folder_that_may_not_be_read_is_no_silent_gap(tree, monkeypatch):
    def refused(folder):
        raise PermissionError(folder)

    monkeypatch.setattr(photographs, "photographs_in", refused)
    with pytest.raises(PermissionError):
        photographs_below(tree)


@pytest.mark.filterwarnings("error")
def test_a_header_states_the_pixels(tmp_path):
    for name in ("a.jpg", "b.png", "c.tif", "d.webp", "e.bmp"):
        Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / name)
        assert stated_pixels(tmp_path / name) == 1200
    (tmp_path / "rubbish.png").write_bytes(b"rubbish")
    giant = Image.new("1", (20_000, 20_000))
    giant.save(tmp_path / "giant.png")
    for name in ("rubbish.png", "nowhere.png", "giant.png"):
        assert stated_pixels(tmp_path / name) is None
