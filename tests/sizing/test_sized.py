"""Photographs of a user: which there are, their dry partners, and the sides that are sized."""

import numpy as np
import pytest
from PIL import Image

from orelib.data.scenes import render_pair
from orelib.sizing.distribution import distribution
from orelib.sizing.scale import ScaleError, ball_scale, chosen_scale
from orelib.sizing.segmenter import load_segmenter
from orelib.sizing.sized import AS_IT_IS, DRY, RESTORED, Sizer, partners, photographs_by_name


class Brighter:
    """A restorer that only brightens."""

    def restore(self, wet):
        return np.minimum(wet.astype(int) + 40, 255).astype(np.uint8)

    def remark(self, wet):
        return "odd"


@pytest.fixture(scope="module")
def segmenter():
    return load_segmenter()


@pytest.fixture
def tree(tmp_path):
    """Photographs a.png, B/c.jpg and B/d.png, and a text."""
    for name in ("a.png", "B/c.jpg", "B/d.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40)).save(tmp_path / "photos" / name)
    (tmp_path / "photos" / "B" / "notes.txt").write_text("x")
    return tmp_path / "photos"


def test_photographs_are_named_by_their_place(tree):
    names, skipped = photographs_by_name(tree, recursive=True)
    assert list(names) == ["a.png", "B/c.jpg", "B/d.png"]
    assert skipped == ["B/notes.txt"]
    names, skipped = photographs_by_name(tree, recursive=False)
    assert list(names) == ["a.png"]
    assert skipped == ["B/"]
    assert list(photographs_by_name(tree / "a.png", recursive=False)[0]) == ["a.png"]


def test_what_holds_no_photographs_is_refused(tree, tmp_path):
    (tmp_path / "empty" / "below").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"holds no photographs.*--recursive"):
        photographs_by_name(tmp_path / "empty", recursive=False)
    with pytest.raises(FileNotFoundError, match="is missing"):
        photographs_by_name(tmp_path / "nowhere", recursive=False)
    with pytest.raises(ValueError, match="not an image"):
        photographs_by_name(tree / "B" / "notes.txt", recursive=False)


def test_a_dry_partner_has_the_same_place_and_name(tree, tmp_path):
    for name in ("B/c.png", "other.png"):
        (tmp_path / "dry" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40)).save(tmp_path / "dry" / name)
    names, _ = photographs_by_name(tree, recursive=True)
    assert partners(names, tmp_path / "dry", recursive=True) == {"B/c.jpg": tmp_path / "dry" / "B" / "c.png"}
    with pytest.raises(ValueError, match="holds no partner"):
        partners(names, tmp_path / "dry", recursive=False)


def test_a_photograph_is_sized_as_it_is_restored_and_dry(tmp_path, segmenter):
    scene = render_pair(9_000_100, (160, 160), px_per_mm=4.0)
    for side in ("wet", "dry"):
        Image.fromarray(getattr(scene, side)).save(tmp_path / f"{side}.png")
    sizer = Sizer(segmenter, chosen_scale(4.0), Brighter())
    sides = list(sizer.sides(tmp_path / "wet.png", tmp_path / "dry.png"))
    assert [side.side for side in sides] == [AS_IT_IS, RESTORED, DRY]
    assert [side.remark for side in sides] == ["", "odd", ""]
    for side in sides:
        assert side.labels.shape == side.image.shape[:2]
        assert side.labels.dtype == np.int32
        assert side.measured.table["size_mm"].gt(0).all()
    assert np.array_equal(sides[2].image, scene.dry)


def test_a_photograph_without_a_scale_is_named(tmp_path, segmenter):
    Image.new("RGB", (100, 100), (90, 90, 90)).save(tmp_path / "grey.png")
    with pytest.raises(ScaleError, match=r"grey\.png: no ball"):
        list(Sizer(segmenter, ball_scale(10)).sides(tmp_path / "grey.png"))


def test_half_size_copies_have_the_same_sizes(tmp_path, segmenter):
    """P50 and P80 of rendered scenes agree with those of copies of half the size."""
    found = {1: [], 2: []}
    for seed in range(3):
        scene = render_pair(9_000_200 + seed, (512, 512), px_per_mm=5.0)
        for factor, measured in found.items():
            image = Image.fromarray(scene.dry).reduce(factor)
            image.save(tmp_path / "copy.png")
            (side,) = Sizer(segmenter, chosen_scale(5.0 / factor)).sides(tmp_path / "copy.png")
            measured.append(side.measured)
    whole, half = (distribution(measured, draws=20).percentiles for measured in found.values())
    for name in ("p50", "p80"):
        assert half[name].size_mm == pytest.approx(whole[name].size_mm, rel=0.1)
