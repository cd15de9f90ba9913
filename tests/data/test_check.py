"""The check lists what training would trip over or suffer from, and nothing else."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from orelib.data import check
from orelib.data.check import check_folder
from orelib.data.pair import PairError
from orelib.data.pairs import load_pairs
from orelib.data.photographs import read_image
from orelib.data.scenes import render_pair
from orelib.runs import Folders
from orelib.views.checked import check_figure


def save(folder, split, stem, wet, dry):
    for side, image in (("wet", wet), ("dry", dry)):
        path = folder / split / side / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(image)).save(path)


@pytest.fixture(scope="session")
def good_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    for seed in range(8):
        scene = render_pair(seed, (112, 128), px_per_mm=2.5)
        save(folder, "train" if seed < 6 else "test", f"belt_{seed}", scene.wet, scene.dry)
    return folder


@pytest.fixture
def folder(good_folder, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(good_folder, tmp_path / "mine")


def edit(path, change):
    Image.fromarray(np.ascontiguousarray(change(read_image(path)))).save(path)


def problems(folder):
    """Name of the file, or of what is left of its path, and problem."""
    table = check_folder(folder).problems
    return [(file.split("/mine/")[-1], problem) for file, problem in table.itertuples(index=False)]


def remarks(folder):
    pairs = check_folder(folder).pairs
    return pairs[pairs["remark"] != ""].set_index("stem")["remark"].to_dict()


# ---- what is good ------------------------------------------------------------------------------------------------


def test_a_good_folder_has_neither_problems_nor_remarks(good_folder):
    check = check_folder(good_folder)
    assert check.ok
    assert check.problems.empty
    assert (check.pairs[["problem", "remark"]] == "").all(axis=None)
    assert check.pairs["split"].tolist() == ["train"] * 5 + ["val"] + ["test"] * 2
    assert set(zip(check.pairs["width"], check.pairs["height"], strict=True)) == {(128, 112)}
    assert check.pairs["shift"].max() < 0.5
    assert check.pairs["exposure"].between(0.5, 0.95).all()


def test_checking_changes_nothing_and_prints_nothing(folder, capfd):
    before = {path: path.read_bytes() for path in folder.rglob("*.png")}
    check_folder(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert capfd.readouterr() == ("", "")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder"):
        check_folder(tmp_path / "nowhere")


# ---- files -------------------------------------------------------------------------------------------------------


def test_everything_that_training_refuses_is_a_problem(folder):
    (folder / "train" / "dry" / "belt_0.png").unlink()
    (folder / "train" / "wet" / "belt_1.png").write_bytes(b"")
    (folder / "train" / "dry" / "belt_1.png").write_bytes(b"rubbish")
    edit(folder / "train" / "wet" / "belt_3.png", lambda wet: wet[:60])
    edit(folder / "train" / "wet" / "belt_4.png", lambda wet: wet[:10])
    (folder / "test" / "dry" / "notes.txt").write_text("to do")
    shutil.copy(folder / "train" / "dry" / "belt_2.png", folder / "test" / "dry" / "belt_6.png")
    found = problems(folder)
    with pytest.raises(PairError) as error:
        load_pairs(Folders("smoke", data_dir=str(folder)))
    refused = [line.removeprefix("  - ") for line in str(error.value).splitlines()[1:]]
    told = check_folder(folder).problems.itertuples(index=False)
    assert sorted(refused) == sorted(f"{file}: {problem}" for file, problem in told)  # in the same words
    listing = "\n".join(f"{file}: {problem}" for file, problem in found)
    for named in ("wet/belt_0.png: has no dry partner", "wet/belt_1.png: the file is empty",
                  "dry/belt_1.png: cannot be read", "wet/belt_3.png: is 128 x 60 px, its dry partner 128 x 112 px",
                  "wet/belt_4.png: 128 x 10 px", "notes.txt: not an image",
                  "belt_6.png: the same image as"):  # fmt: skip
        assert named in listing
    assert "belt_1" not in check_folder(folder).pairs["stem"].tolist()


def test_what_cannot_be_read_now_is_a_problem_and_the_rest_goes_on(folder):
    wet = folder / "train" / "wet"
    for name, target in (("loop.png", "loop.png"), ("nowhere.png", "gone.png")):
        (wet / name).symlink_to(target)
        shutil.copy(folder / "train" / "dry" / "belt_0.png", folder / "train" / "dry" / name)
    shutil.copy(wet / "belt_0.png", wet / "bytes\udcff.png")
    (wet / "folder\x1b.png").mkdir()
    found = dict(problems(folder))
    assert "cannot be read (No such file or directory)" in found["train/wet/nowhere.png"]
    assert "cannot be read (Too many levels of symbolic links)" in found["train/wet/loop.png"]
    assert "rename it" in found["train/wet/bytes\\udcff.png"]
    assert "not an image" in found["train/wet/folder\\x1b.png"]
    assert len(check_folder(folder).pairs) == 8
    with pytest.raises(PairError, match=r"nowhere\.png: cannot be read"):
        load_pairs(Folders("smoke", data_dir=str(folder)))


def test_training_may_demand_a_folder_without_problems(good_folder, folder):
    check_folder(good_folder).demand()
    (folder / "train" / "dry" / "belt_0.png").unlink()
    (folder / "test" / "wet" / "belt_6.png").write_bytes(b"")
    with pytest.raises(PairError, match=r"(?s)^2 problem.*belt_0.png: has no dry.*belt_6.png: the file is empty"):
        check_folder(folder).demand()


def test_folders_without_pairs_are_listed_not_raised(tmp_path):
    (tmp_path / "mine" / "train" / "wet").mkdir(parents=True)
    check = check_folder(tmp_path / "mine")
    assert not check.ok
    assert check.pairs.empty
    texts = "; ".join(check.problems["problem"])
    assert "the folder holds no images" in texts
    assert "the folder is missing" in texts
    assert check_figure(check).axes


def test_black_images_are_no_error(folder):
    edit(folder / "train" / "dry" / "belt_0.png", np.zeros_like)
    edit(folder / "train" / "wet" / "belt_1.png", np.zeros_like)
    edit(folder / "train" / "dry" / "belt_1.png", np.zeros_like)
    assert {"belt_0", "belt_1"} <= set(remarks(folder))


# ---- wet against dry ---------------------------------------------------------------------------------------------


def test_a_shift_is_a_problem_beyond_the_limit(folder):
    scene = render_pair(9, (112, 128), px_per_mm=2.5)
    save(folder, "train", "moved", scene.wet[4:, :-3], scene.dry[:-4, 3:])
    [(file, problem)] = problems(folder)
    assert file == "train/wet/moved.png"
    assert re.match(r"lies [34]\.\d px higher and [23]\.\d px further right than its dry partner", problem)
    assert problem.endswith("more than 1 px off: align the folder")
    assert check_folder(folder, largest_shift=6).ok


@pytest.mark.parametrize(("turn", "words"), [(lambda dry: dry[::-1], "mirrored top to bottom"),
                                             (np.rot90, "turned by 90 degrees anticlockwise")])  # fmt: skip
def test_orientation_is_a_problem_with_its_name(folder, turn, words):
    edit(folder / "test" / "dry" / "belt_7.png", turn)
    assert problems(folder) == [("test/wet/belt_7.png", f"the dry image is {words}: turn it back")]


def test_another_place_is_a_remark_and_has_no_shift(folder):
    save(folder, "test", "other", render_pair(10, (112, 128)).wet, render_pair(11, (112, 128)).dry)
    check = check_folder(folder)
    assert check.ok
    row = check.pairs.set_index("stem").loc["other"]
    assert row["remark"].startswith("shift not measurable")
    assert np.isnan([row["shift"], row["shift_down"], row["shift_right"]]).all()


@pytest.mark.parametrize("side", [16, 20, 24])
def test_correct_tiny_pairs_are_not_measurable_and_no_problem(tmp_path, side):
    for seed in range(24):
        scene = render_pair(seed, (32, 32), px_per_mm=1.5)
        save(
            tmp_path / "mine",
            "test" if seed % 4 else "train",
            f"{seed}",
            scene.wet[:side, :side],
            scene.dry[:side, :side],
        )
    found = check_folder(tmp_path / "mine")
    assert found.ok
    assert found.pairs["remark"].str.contains("not measurable in an image under 28 px a side").all()
    assert found.pairs["shift"].isna().all()


def test_a_turned_camera_is_a_remark(folder):
    scene = render_pair(12, (256, 256), px_per_mm=4)
    save(folder, "train", "turned", ndimage.rotate(scene.wet, 1, reshape=False, order=1, mode="nearest"), scene.dry)
    assert remarks(folder)["turned"].startswith("its parts are shifted by up to 3.")


def test_exposure_unlike_the_others_is_a_remark(folder):
    edit(folder / "train" / "wet" / "belt_2.png", lambda wet: wet // 2)
    check = check_folder(folder)
    assert check.ok
    assert set(remarks(folder)) == {"belt_2"}
    assert "times as bright as dry" in remarks(folder)["belt_2"]


def test_exchanged_folders_are_a_problem(folder):
    for split, name in (("test", "aside"), ("train", "aside")):
        (folder / split / "wet").rename(folder / name)
        (folder / split / "dry").rename(folder / split / "wet")
        (folder / name).rename(folder / split / "dry")
    assert [file for file, _ in problems(folder)] == ["train", "test"]
    assert all("swap the folders wet and dry" in problem for _, problem in problems(folder))


# ---- the same image, the same place ------------------------------------------------------------------------------


def test_a_wet_image_that_is_its_dry_one_is_a_problem(folder):
    shutil.copy(folder / "train" / "wet" / "belt_1.png", folder / "train" / "dry" / "belt_1.png")
    [(file, problem)] = problems(folder)
    assert file == "train/dry/belt_1.png"
    assert "train/wet/belt_1.png (train): one of them is in the wrong folder" in problem


def test_an_image_twice_in_one_split_is_a_remark(folder):
    shutil.copy(folder / "test" / "dry" / "belt_6.png", folder / "test" / "dry" / "belt_7.png")
    assert "test/dry/belt_6.png (test)" in remarks(folder)["belt_7"]
    assert not problems(folder)


def test_pixels_count_not_files(folder):
    for side in ("wet", "dry"):
        Image.open(folder / "train" / side / "belt_0.png").save(folder / "test" / side / "copy.bmp")
    assert [file for file, _ in problems(folder)] == ["test/wet/copy.bmp", "test/dry/copy.bmp"]
    assert all("the same image as" in problem and "belt_0.png (train)" in problem for _, problem in problems(folder))


@pytest.mark.parametrize("change", ["recompressed", "reduced", "brightened", "moved"])
def test_a_changed_copy_in_another_split_is_a_problem(folder, change):
    for side in ("wet", "dry"):
        image = Image.open(folder / "train" / side / "belt_0.png")
        copy = folder / "test" / side / "copy.png"
        if change == "recompressed":
            image.save(copy.with_suffix(".jpg"), quality=60)
        elif change == "reduced":
            image.reduce(2).save(copy)
        elif change == "brightened":
            image.point(lambda value: min(255, value * 1.15)).save(copy)
        else:  # the camera shows another 128 x 112 px of the same place
            wide = getattr(render_pair(20, (120, 136), px_per_mm=2.5), side)
            Image.fromarray(wide[:112, :128]).save(folder / "train" / side / "belt_0.png")
            Image.fromarray(wide[8:, 8:]).save(copy)
    found = problems(folder)
    assert [file.split(".")[0] for file, _ in found] == ["test/wet/copy", "test/dry/copy"]
    for side, (_, problem) in zip(("wet", "dry"), found, strict=True):
        assert "shows the same place as" in problem
        assert f"train/{side}/belt_0.png (train): keep both in one split" in problem


@pytest.fixture
def many(tmp_path):
    """48 pairs of 64 px, 36 of them in train, none alike."""
    for seed in range(3):
        scene = render_pair(40 + seed, (256, 256), px_per_mm=4)
        for number in range(16):
            row, column = divmod(number, 4)
            cut = np.s_[64 * row :, 64 * column :]
            wet, dry = (getattr(scene, side)[cut][:64, :64] for side in ("wet", "dry"))
            save(tmp_path / "mine", "test" if number > 11 else "train", f"{seed}_{number}", wet, dry)
    return tmp_path / "mine"


def test_a_changed_copy_is_found_among_many(many):
    assert not problems(many)
    scene = render_pair(40, (256, 256), px_per_mm=4)
    for side in ("wet", "dry"):
        test = many / "test" / side
        Image.open(many / "train" / side / "1_5.png").save(test / "recompressed.jpg", quality=60)
        Image.open(many / "train" / side / "2_7.png").reduce(2).save(test / "reduced.png")
        Image.open(many / "train" / side / "0_3.png").point(lambda value: min(255, value * 1.2)).save(
            test / "bright.png"
        )
        Image.fromarray(getattr(scene, side)[70:134, 58:122]).save(test / "moved.png")
    found = {(file, problem.split("/")[-1].split(".")[0]) for file, problem in problems(many)}
    copies = {"recompressed.jpg": "1_5", "reduced.png": "2_7", "bright.png": "0_3", "moved.png": "0_5"}
    assert found == {(f"test/{side}/{copy}", one) for copy, one in copies.items() for side in ("wet", "dry")}


def test_each_image_is_compared_with_a_few_others_however_many_there_are(many, monkeypatch):
    compared = []
    monkeypatch.setattr(check, "margins_of", lambda ones, other: compared.append(len(ones)) or np.zeros(len(ones)))
    check_folder(many)
    tests, validations = 12, 4
    assert len(compared) == 2 * (2 * tests + validations)  # sides; test with train and val, val with train
    assert max(compared) == check.MOST_ALIKE < 30


def test_machinery_that_a_fixed_camera_always_sees_is_no_place(folder):
    machine = render_pair(30, (112, 128), px_per_mm=2.5)
    for side in ("wet", "dry"):
        for path in sorted(folder.glob(f"*/{side}/*.png")):
            edit(path, lambda image, side=side: np.hstack([image[:, :64], getattr(machine, side)[:, 64:]]))
    assert not problems(folder)


def test_places_of_the_held_out_pairs_are_compared_too(folder):
    Image.open(folder / "train" / "dry" / "belt_0.png").save(folder / "train" / "dry" / "belt_5.jpg", quality=80)
    (folder / "train" / "dry" / "belt_5.png").unlink()
    [(file, problem)] = problems(folder)
    assert file == "train/dry/belt_5.jpg"
    assert "make a folder val" in problem


def test_real_core_has_no_problems(real_core):
    check = check_folder(real_core)
    assert check.ok
    assert len(check.pairs) == 33
    assert check.pairs["shift"].max() < 1.5


# ---- the figure --------------------------------------------------------------------------------------------------


def test_the_figure_shows_every_pair_and_rings_problems(folder):
    edit(folder / "test" / "dry" / "belt_7.png", lambda dry: dry[::-1])
    edit(folder / "train" / "wet" / "belt_0.png", lambda wet: np.roll(wet, 5, axis=0))
    figure = check_figure(check_folder(folder))
    shifts, exposures = figure.axes
    assert "7 of 8 measurable" in shifts.get_title()
    assert shifts.get_ylim()[0] > 5 > 0 > shifts.get_ylim()[1]  # down is downward
    dots = [collection for collection in exposures.collections if collection.get_facecolors().size]
    rings = [collection for collection in exposures.collections if not collection.get_facecolors().size]
    assert sum(len(collection.get_offsets()) for collection in dots) == 8
    assert sum(len(collection.get_offsets()) for collection in rings) == 2
    assert "2 problems" in figure.get_suptitle()
