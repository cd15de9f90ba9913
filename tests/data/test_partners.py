"""Partners are found by all usual names, and proposed by content; what is not sure is not claimed."""

import numpy as np
import pytest
from PIL import Image

from orelib.data.partners import find_partners, read_name
from orelib.data.scenes import render_pair


@pytest.fixture(scope="module")
def scenes():
    return [render_pair(seed, (112, 128), px_per_mm=2.5, wetness=0.6) for seed in range(4)]


def save(root, names_and_images):
    for name, image in names_and_images.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / name)
    return sorted(root / name for name in names_and_images)


def found(root, paths):
    """(name, wet, dry, split, proposal) of each pair, the lone photographs, and problems."""
    partners, alone, problems = find_partners(root, paths)
    rows = sorted(
        (each.name, each.wet.relative_to(root).as_posix(), each.dry.relative_to(root).as_posix(), each.split)
        for each in partners
    )
    return rows, sorted(path.relative_to(root).as_posix() for path in alone), problems


def named(root, *names):
    """Photographs whose content nobody looks at, because their names tell all."""
    return found(root, [root / name for name in names])


@pytest.mark.parametrize(
    ("wet", "dry", "name"),
    [
        ("belt_017_wet.jpg", "belt_017_dry.jpg", "belt_017"),
        ("wet_017.jpg", "dry_017.png", "017"),
        ("017-WET.JPG", "017-Dry.jpg", "017"),
        ("beltWet17.jpg", "beltDry17.jpg", "belt17"),
        ("wet/belt.jpg", "dry/belt.tif", "belt"),
        ("Wet/Belt.jpg", "DRY/belt.jpg", "Belt"),
        ("plant/wet_2024/belt.jpg", "plant/dry_2024/belt.jpg", "belt"),
        ("nass/7.jpg", "trocken/7.jpg", "7"),
        ("site/wet.jpg", "site/dry.jpg", "site"),
        ("1/belt_wet.jpg", "2/belt_dry.jpg", "belt"),
        ("17_w.jpg", "17_d.jpg", "17"),
        ("wet/belt_wet.jpg", "dry/belt_dry.jpg", "belt"),
    ],
)
def test_names_tell_partners_in_many_ways(tmp_path, wet, dry, name):
    assert named(tmp_path, wet, dry) == ([(name, wet, dry, "")], [], [])


def test_folders_of_splits_are_kept_apart(tmp_path):
    names = [f"{split}/{side}/001.jpg" for split in ("train", "test") for side in ("wet", "dry")]
    rows, alone, problems = named(tmp_path, *names)
    assert {row[3] for row in rows} == {"train", "test"}
    assert not alone
    assert not problems
    rows, alone, _ = named(tmp_path, "train/wet/001.jpg", "test/dry/001.jpg")
    assert not rows
    assert len(alone) == 2


@pytest.mark.parametrize("name", ["wetland_1.jpg", "drying_2.jpg", "laundry.jpg", "wet_and_dry.jpg"])
def test_a_word_within_a_word_or_both_words_say_nothing(tmp_path, name):
    assert read_name(tmp_path / name, tmp_path).side == ""


def test_two_photographs_for_one_side_are_named_and_nothing_is_guessed(tmp_path):
    rows, alone, [problem] = named(tmp_path, "x_wet.jpg", "x_wet.png", "x_dry.jpg")
    assert not rows
    assert not alone
    assert problem.startswith("x_wet.jpg, x_wet.png, x_dry.jpg: more than one")


def test_a_photograph_without_partner_is_left_over(tmp_path, scenes):
    paths = save(tmp_path, {"a_wet.png": scenes[0].wet, "a_dry.png": scenes[0].dry, "b_wet.png": scenes[1].wet})
    rows, alone, problems = found(tmp_path, paths)
    assert [row[0] for row in rows] == ["a"]
    assert alone == ["b_wet.png"]
    assert not problems


def test_one_name_in_two_folders_the_darker_folder_is_wet_and_that_is_a_proposal(tmp_path, scenes):
    images = {f"second/{k}.png": scene.wet for k, scene in enumerate(scenes)}
    images |= {f"first/{k}.png": scene.dry for k, scene in enumerate(scenes)}
    partners, alone, _ = find_partners(tmp_path, save(tmp_path, images))
    assert not alone
    assert all(each.wet.parent.name == "second" and each.wet.name == each.dry.name for each in partners)
    assert all("brightness" in each.proposal for each in partners)


def test_names_that_tell_nothing_are_paired_by_content_and_that_is_a_proposal(tmp_path, scenes):
    images, order = {}, np.random.default_rng(1).permutation(8)
    for k, scene in enumerate(scenes):
        images[f"IMG_{order[2 * k]}.png"], images[f"IMG_{order[2 * k + 1]}.png"] = scene.wet, scene.dry
    partners, alone, _ = find_partners(tmp_path, save(tmp_path, images))
    assert not alone
    told = {(each.wet.stem, each.dry.stem) for each in partners}
    assert told == {(f"IMG_{order[2 * k]}", f"IMG_{order[2 * k + 1]}") for k in range(4)}
    assert all("by what they show" in each.proposal for each in partners)


def test_sides_that_names_tell_are_believed_and_two_wet_ones_are_no_pair(tmp_path, scenes):
    bright = np.clip(scenes[0].wet.astype(int) * 2, 0, 255).astype(np.uint8)
    paths = save(tmp_path, {"wet/7.png": bright, "dry/a.png": scenes[0].dry, "wet/copy.png": np.roll(bright, 1, 0)})
    partners, alone, _ = find_partners(tmp_path, paths)
    assert [each.dry.name for each in partners] == ["a.png"]
    assert len(alone) == 1


def test_other_places_and_other_sizes_are_no_partners(tmp_path, scenes):
    paths = save(tmp_path, {"a.png": scenes[0].wet, "b.png": scenes[1].dry, "c.png": scenes[0].dry[:100]})
    partners, alone, _ = find_partners(tmp_path, paths)
    assert not partners
    assert len(alone) == 3


def test_a_broken_file_is_left_over(tmp_path, scenes):
    paths = save(tmp_path, {"a.png": scenes[0].wet, "b.png": scenes[0].dry})
    (tmp_path / "c.png").write_bytes(b"rubbish")
    partners, alone, _ = find_partners(tmp_path, [*paths, tmp_path / "c.png"])
    assert len(partners) == 1
    assert alone == [tmp_path / "c.png"]


def test_real_pairs_are_found_by_content(tmp_path, real_core):
    folder = real_core / "test"
    images = {
        f"{'xy'[side == 'dry']}{path.stem}.png": np.asarray(Image.open(path).convert("RGB"))
        for side in ("wet", "dry")
        for path in sorted((folder / side).iterdir())
    }
    partners, _, _ = find_partners(tmp_path, save(tmp_path, images))
    right = [each for each in partners if each.wet.stem[1:] == each.dry.stem[1:]]
    assert len(right) == len(partners) >= 8  # of 9
    assert all(each.wet.name.startswith("x") for each in right)
