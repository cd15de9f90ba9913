"""Small pictures of a validation image: their part, their file, and damage to it."""

import json

import numpy as np
import pytest

from orelib.restore.snapshots import SIDE, Picture, Snapshots, middle, read_snapshots, write_snapshots
from orelib.utils.checksums import DamagedFileError, write_json


@pytest.mark.parametrize("size", [(40, 50), (SIDE, SIDE), (300, 100), (401, 999)])
def test_the_middle_is_cut_at_its_own_scale(noise, size):
    image = noise.integers(0, 256, (*size, 3)).astype(np.uint8)
    cut = middle(image)
    assert cut.shape[:2] == tuple(min(side, SIDE) for side in size)
    top, left = ((whole - part) // 2 for whole, part in zip(size, cut.shape[:2], strict=True))
    assert np.array_equal(cut, image[top : top + SIDE, left : left + SIDE])


def test_a_picture_is_close_to_its_image_and_small():
    ramp = np.linspace(0, 255, 256).astype(np.uint8)[None, :, None].repeat(256, 0).repeat(3, 2)
    picture = Picture.of(ramp, ramp)
    assert picture.psnr == 100
    assert abs(picture.pixels.astype(int) - middle(ramp)).mean() < 3
    assert len(picture.file) < 5000


def test_what_was_written_is_read(tmp_path, snapshots):
    write_snapshots(tmp_path, snapshots)
    assert read_snapshots(tmp_path) == snapshots


def test_the_newest_picture_until_a_step_is_found(snapshots):
    assert [snapshots.at(step) for step in (0, 3, 4, 7, 8, 100)] == [0, 0, 4, 4, 8, 8]
    del snapshots.restored[0]
    assert snapshots.at(2) == 4


def test_it_says_what_part_it_shows(snapshots):
    assert snapshots.part == "validation image 007"
    large = Snapshots("a", (100, 900), snapshots.wet, snapshots.dry)
    assert large.part == "middle 192 x 100 px of validation image a"


def test_damage_is_named_with_its_cure(tmp_path, snapshots):
    write_snapshots(tmp_path, snapshots)
    path = tmp_path / "snapshots.json"
    text = path.read_text()
    path.write_text(text.replace('"psnr": 100.0', '"psnr": 99.0'))
    with pytest.raises(DamagedFileError, match=r"snapshots\.json is damaged .* put back a copy"):
        read_snapshots(tmp_path)
    for wrong in ({}, {"size": 3}, json.loads(text) | {"wet": {"nothing": 1}}):
        wrong.pop("checksum", None)
        write_json(path, wrong)
        with pytest.raises(DamagedFileError, match=r"snapshots\.json is damaged .* put back a copy"):
            read_snapshots(tmp_path)
