"""Photographs of any folder become pairs that training reads: split by place, copied, and never taken unseen."""

import shutil

import numpy as np
import pytest
from PIL import Image

from orelib.data.check import check_folder
from orelib.data.filed import (
    copy_sides,
    demand_filed,
    file_pairs,
    filed_before,
    is_filed,
    results_of,
    signs_of,
    state_of,
)
from orelib.data.filing import plan_filing
from orelib.data.pair import PairError
from orelib.data.pairs import load_pairs
from orelib.data.scenes import render_pair
from orelib.data.splitting import hold_out_places
from orelib.runs import Folders


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(image)).save(path)


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """Twelve pairs beside each other: x_wet.png, x_dry.png."""
    folder = tmp_path_factory.mktemp("beside") / "mine"
    for seed in range(12):
        scene = render_pair(seed, (112, 128), px_per_mm=2.5)
        for side in ("wet", "dry"):
            save(folder / f"belt_{seed}_{side}.png", getattr(scene, side))
    return folder


@pytest.fixture
def folder(beside, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(beside, tmp_path / "mine")


def splits(filing):
    return {pair.partners.name: pair.split for pair in filing.pairs}


def test_pairs_are_split_in_order_of_their_numbers(beside):
    filing = plan_filing(beside)
    assert list(splits(filing).values()) == ["train"] * 9 + ["val"] + ["test"] * 2
    assert list(splits(filing)) == [f"belt_{k}" for k in range(12)]  # 2 before 10
    assert not filing.left_out
    assert not filing.proposals
    assert filing.summary() == "12 pairs of 12 places: 9 for training, 1 for validation, 2 for the test"
    table = filing.table()
    assert table.loc[0].tolist() == ["train", 0, "belt_0", "belt_0_wet.png", "belt_0_dry.png", ""]


def test_the_copy_is_what_training_reads_and_the_files_are_untouched(folder, tmp_path):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    filing = plan_filing(folder)
    out = file_pairs(filing, tmp_path / "out" / filing.name)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    pairs = load_pairs(Folders("smoke", str(out), str(tmp_path / "results")))
    assert [len(split) for split in (pairs.train, pairs.val, pairs.test)] == [9, 1, 2]
    assert (out / "test/wet/belt_11.png").read_bytes() == (folder / "belt_11_wet.png").read_bytes()
    assert check_folder(out).ok
    assert is_filed(out)
    assert not is_filed(folder)


def test_filing_twice_is_one_copy_and_a_change_makes_another(folder, tmp_path):
    first = file_pairs(plan_filing(folder), tmp_path / plan_filing(folder).name)
    assert file_pairs(plan_filing(folder), tmp_path / plan_filing(folder).name) == first
    assert filed_before(folder, tmp_path) == first
    (folder / "belt_0_wet.png").unlink()
    (folder / "belt_0_dry.png").unlink()
    assert filed_before(folder, tmp_path) is None
    assert plan_filing(folder).name != first.name
    assert state_of(folder) != state_of(tmp_path)


def test_what_shows_one_place_stays_in_one_split(folder):
    large = render_pair(40, (112, 190), px_per_mm=2.5)
    for number in range(4):  # frames that overlap their neighbours
        left = 20 * number
        for side in ("wet", "dry"):
            save(folder / f"belt_{8 + number}_{side}.png", getattr(large, side)[:, left : left + 128])
    shutil.copy(folder / "belt_0_dry.png", folder / "again_dry.png")  # the dry one of another wet photograph
    wetter = np.asarray(Image.open(folder / "belt_0_wet.png")) // 2
    save(folder / "again_wet.png", wetter)
    filing = plan_filing(folder)
    places = {pair.partners.name: pair.place for pair in filing.pairs}
    assert len({places[f"belt_{k}"] for k in (8, 9, 10, 11)}) == 1
    assert places["again"] == places["belt_0"]
    assert len(set(places.values())) == 9
    chosen = splits(filing)
    assert len({chosen[f"belt_{k}"] for k in (8, 9, 10, 11)}) == 1
    assert {"train", "val", "test"} == set(chosen.values())


def test_files_that_do_not_fit_are_named_and_refused_unless_somebody_agrees(folder, tmp_path):
    (folder / "belt_3_dry.png").unlink()
    save(folder / "belt_4_wet.png", np.asarray(Image.open(folder / "belt_4_wet.png"))[:60])
    (folder / "belt_5_wet.png").write_bytes(b"rubbish")
    (folder / "notes.txt").write_text("to do")
    filing = plan_filing(folder)
    assert len(filing.pairs) == 9
    left = dict(filing.left_out)
    assert left["belt_3_wet.png"].startswith("has no partner")
    assert "128 x 60 px, its dry partner 128 x 112 px" in left["belt_4_wet.png"]
    assert "cannot be read" in left["belt_5_wet.png"]
    assert filing.others == ("notes.txt",)
    with pytest.raises(PairError, match=r"(?s)3 problem.*nothing was filed.*belt_3_wet"):
        file_pairs(filing, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert len(list(file_pairs(filing, tmp_path / "out", agreed=True).glob("*/wet/*"))) == 9


def test_proposals_are_never_taken_unseen(folder, tmp_path):
    for number in range(12):
        (folder / f"belt_{number}_wet.png").rename(folder / f"IMG_{number}.png")
        (folder / f"belt_{number}_dry.png").rename(folder / f"IMG_{number + 100}.png")
    filing = plan_filing(folder)
    assert len(filing.proposals) == len(filing.pairs) == 12
    with pytest.raises(PairError, match="needs to be looked at"):
        file_pairs(filing, tmp_path / "out")
    with pytest.raises(PairError, match=r"IMG_0\.png and IMG_100\.png"):
        demand_filed(folder, tmp_path)
    file_pairs(filing, tmp_path / "out", agreed=True)


def test_too_few_places_are_said(tmp_path, beside):
    for number in range(2):
        for side in ("wet", "dry"):
            (tmp_path / "few").mkdir(exist_ok=True)
            shutil.copy(beside / f"belt_{number}_{side}.png", tmp_path / "few")
    filing = plan_filing(tmp_path / "few")
    assert "3 places or more" in filing.problem
    with pytest.raises(PairError, match="3 places or more"):
        file_pairs(filing, tmp_path / "out", agreed=True)
    with pytest.raises(PairError, match="holds no photographs"):
        demand_filed((tmp_path / "empty").mkdir() or tmp_path / "empty", tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder"):
        demand_filed(tmp_path / "nowhere", tmp_path)


def test_a_split_that_was_given_is_kept_and_val_comes_from_train(beside, tmp_path):
    for number in range(12):
        for side in ("wet", "dry"):
            split = "test" if number < 3 else "train"
            target = tmp_path / "mine" / split / side / f"{number}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(beside / f"belt_{number}_{side}.png", target)
    chosen = splits(plan_filing(tmp_path / "mine"))
    assert [name for name, split in chosen.items() if split == "test"] == ["0", "1", "2"]
    assert list(chosen.values()).count("val") == 1
    assert demand_filed(tmp_path / "mine", tmp_path) == tmp_path / "mine"  # used as it is


def test_pairs_of_one_name_get_names_of_their_own(beside, tmp_path):
    for number in range(4):
        for side in ("wet", "dry"):
            target = tmp_path / "mine" / f"day {number}" / side / "001.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(beside / f"belt_{number}_{side}.png", target)
    assert set(splits(plan_filing(tmp_path / "mine"))) == {f"day {number}_001" for number in range(4)}


def test_sides_alone_are_copied_for_a_calibration(beside, tmp_path):
    out = copy_sides(plan_filing(beside), tmp_path / "sides")
    assert {path.name for path in (out / "wet").iterdir()} == {path.name for path in (out / "dry").iterdir()}
    copy_sides(plan_filing(beside), tmp_path / "sides")
    assert len(list((out / "wet").iterdir())) == 12
    for number in range(2):
        (tmp_path / "dry" / str(number)).mkdir(parents=True)
        shutil.copy(beside / f"belt_{number}_dry.png", tmp_path / "dry" / str(number) / "pile.png")
    copy_sides(plan_filing(tmp_path / "dry"), tmp_path / "sides")
    assert sorted(path.name for path in out.rglob("*.png")) == ["0_pile.png", "1_pile.png"]


def test_results_follow_the_data(pair_folder, tmp_path, monkeypatch):
    for name in ("notebooks", "orelib"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert results_of("mine", pair_folder) == "mine"
    signs = signs_of(pair_folder)
    assert results_of(None, pair_folder, signs) == f"results/yours/{pair_folder.name}-{signs}"
    assert results_of(None, pair_folder) != results_of(None, pair_folder.parent)
    assert results_of(None, tmp_path / "data" / "yours" / "pairs-1-abc") == "results/yours/pairs-1-abc"
    copy = shutil.copytree(pair_folder, tmp_path / "copy")
    assert signs_of(copy) == signs
    (copy / "train" / "wet" / "belt_0.png").rename(copy / "train" / "wet" / "belt_9.png")
    (copy / "train" / "dry" / "belt_0.png").rename(copy / "train" / "dry" / "belt_9.png")
    assert signs_of(copy) != signs


# ---- the split ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("places", "counts"),
    [
        ([0, 1, 2], (1, 1, 1)),
        (list(range(12)), (9, 1, 2)),
        (list(range(100)), (72, 12, 16)),
        ([0, 1] + [2] * 10, (10, 1, 1)),  # the largest place is trained on, although it comes last
        ([0] * 4 + [1] * 4 + [2] * 4, (4, 4, 4)),
        ([0] * 9 + [1, 2, 2], (9, 1, 2)),
    ],
)
def test_places_are_held_out_whole(places, counts):
    chosen, problem = hold_out_places(places, {"test": 6, "val": 8})
    assert not problem
    assert tuple(chosen.count(split) for split in ("train", "val", "test")) == counts
    assert all(len({split for split, at in zip(chosen, places, strict=True) if at == place}) == 1 for place in places)


def test_too_few_places_cannot_be_split():
    chosen, problem = hold_out_places([0, 0, 1], {"test": 6, "val": 8})
    assert chosen == ["train"] * 3
    assert problem.startswith("3 pair(s) of 2 place(s)")
    assert not hold_out_places([0, 0, 1], {"val": 8})[1]
