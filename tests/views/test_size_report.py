"""What ``orelib size`` writes: tables, pictures, and a page that needs no other file."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from PIL import Image
from skimage.draw import disk

from orelib.cli import main
from orelib.data.photographs import PhotographError
from orelib.data.scenes import render_pair
from orelib.sizing.scale import chosen_scale
from orelib.sizing.segmenter import load_segmenter
from orelib.sizing.sized import AS_IT_IS, DRY, Sizer
from orelib.utils.tables import read_table
from orelib.views.outlines import COLOURS, outlined
from orelib.views.size_page import beside_truth, sizes_table
from orelib.views.size_report import ALL, FILES, size_folder

PX_PER_MM = 2.5


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two wet photographs, one in a folder below, and the dry partner of one of them."""
    root = tmp_path_factory.mktemp("ore")
    for name, seed in (("wet/one.png", 9_000_300), ("wet/B/two.png", 9_000_301)):
        scene = render_pair(seed, (288, 320), px_per_mm=PX_PER_MM, wetness=0.4)
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.wet).save(path)
        if seed == 9_000_300:
            (root / "dry").mkdir()
            Image.fromarray(scene.dry).save(root / "dry" / "one.jpg", quality=95)
    return root


@pytest.fixture(scope="module")
def sizer():
    return Sizer(load_segmenter(), chosen_scale(PX_PER_MM))


@pytest.fixture(scope="module")
def done(photos, sizer, tmp_path_factory):
    """The results of both photographs, and their folder."""
    out = tmp_path_factory.mktemp("sized") / "out"
    rows = []
    report = size_folder(photos / "wet", out, sizer, photos / "dry", recursive=True, report=rows.append)
    return report, out, rows


def names_below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_holds_all_of_it_and_keeps_the_tree(done):
    _, out, _ = done
    assert {path.name for path in out.iterdir()} == FILES
    assert names_below(out / "outlines") == {"one.png", "one-dry.png", "B/two.png"}


def test_the_table_has_a_row_for_each_side_and_for_all(done):
    report, out, rows = done
    table = read_table(out / "sizes.csv")
    assert list(zip(table["file"], table["side"], strict=True)) == [
        ("one.png", AS_IT_IS), ("one.png", DRY), ("B/two.png", AS_IT_IS), (ALL, AS_IT_IS), (ALL, DRY)
    ]  # fmt: skip
    assert [row["file"] for row in rows] == ["one.png", "one.png", "B/two.png"]
    together = table[table["file"] == ALL].set_index("side")
    assert together["photographs"].tolist() == [2, 1]
    assert together.loc[AS_IT_IS, "count"] == table.loc[[0, 2], "count"].sum()
    given = table.dropna(subset=["p50"])
    assert len(given)
    assert ((given["p50_low"] <= given["p50"]) & (given["p50"] <= given["p50_high"])).all()
    assert report.rows()["file"].tolist() == table["file"].tolist()


def test_particles_and_curves_are_kept(done):
    _, out, _ = done
    particles, curves = read_table(out / "particles.csv"), read_table(out / "passing.csv")
    table = read_table(out / "sizes.csv").set_index(["file", "side"])
    particles["left_out"] = particles["left_out"].fillna("")
    counted = particles[particles["left_out"] == ""].groupby(["file", "side"]).size()
    assert (counted == table["count"].reindex(counted.index)).all()
    assert set(curves["file"]) == {"one.png", "B/two.png", ALL}
    assert curves["passing"].between(0, 1).all()


def test_the_page_needs_no_other_file_and_says_what_not_to_conclude(done):
    _, out, _ = done
    text = (out / "sizes.html").read_text("utf-8")
    assert not re.search(r"https?://|<link|src=\"(?!data:)", text)
    images = re.findall(r"<img [^>]*>", text)
    assert len(images) == 4  # the curve, and three sides
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in images)
    for words in ("What not to conclude", "as photographed", "stated: 2.5 px per mm", "@media print", "one.png, dry"):
        assert words in text
    assert "nan" not in re.sub(r"data:image[^\"]*|<style>.*?</style>", "", text, flags=re.DOTALL).lower().split()


def test_nothing_that_exists_is_overwritten_unasked(done, photos, sizer, tmp_path):
    _, out, _ = done
    with pytest.raises(FileExistsError, match="is not empty"):
        size_folder(photos / "wet", out, sizer)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "diary.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty"):
        size_folder(photos / "wet", mine, sizer, replace_earlier=True)
    assert (mine / "diary.txt").read_text() == "mine"
    for place in (photos / "wet", photos):
        with pytest.raises(ValueError, match="holds the photographs"):
            size_folder(photos / "wet", place, sizer, replace_earlier=True)


def test_results_among_the_photographs_are_not_sized_again(photos, sizer, tmp_path):
    (tmp_path / "one.png").write_bytes((photos / "wet" / "one.png").read_bytes())
    for _ in range(2):
        report = size_folder(tmp_path, tmp_path / "sizes", sizer, recursive=True, replace_earlier=True)
        assert [entry.file for entry in report.entries] == ["one.png"]


def test_an_earlier_folder_is_replaced_if_asked(photos, sizer, tmp_path):
    for _ in range(2):
        size_folder(photos / "wet" / "one.png", tmp_path / "out", sizer, replace_earlier=True)
    assert names_below(tmp_path / "out" / "outlines") == {"one.png"}


def test_a_photograph_that_fails_does_not_stop_the_others(photos, sizer, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.png").write_bytes(b"rubbish")
    (tmp_path / "in" / "one.png").write_bytes((photos / "wet" / "one.png").read_bytes())
    report = size_folder(tmp_path / "in", tmp_path / "out", sizer)
    assert list(report.failed) == ["broken.png"]
    table = read_table(tmp_path / "out" / "sizes.csv").set_index("file")
    assert table.loc["broken.png", "error"].startswith("cannot be read")
    assert "broken.png: cannot be read" in (tmp_path / "out" / "sizes.html").read_text("utf-8")
    with pytest.raises(PhotographError, match=r"1 photographs were not sized:\n.*broken"):
        report.demand_all()


def test_where_none_can_be_sized_nothing_is_written(sizer, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.png").write_bytes(b"rubbish")
    with pytest.raises(PhotographError, match="none of 1 photograph"):
        size_folder(tmp_path / "in", tmp_path / "out", sizer)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_an_interruption_keeps_what_is_done(photos, tmp_path, sizer):
    asked = []

    def find_scale(photograph):
        asked.append(photograph)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return sizer.find_scale(photograph)

    interrupted = Sizer(sizer.segmenter, find_scale)
    report = size_folder(photos / "wet", tmp_path / "out", interrupted, recursive=True)
    assert report.interrupted == 1
    assert [entry.file for entry in report.entries] == ["one.png"]
    assert (tmp_path / "out" / "sizes.html").exists()


def test_names_that_differ_in_their_ending_have_pictures_of_their_own(photos, sizer, tmp_path):
    (tmp_path / "in").mkdir()
    image = Image.open(photos / "wet" / "one.png")
    for name in ("one.png", "one.bmp"):
        image.save(tmp_path / "in" / name)
    size_folder(tmp_path / "in", tmp_path / "out", sizer)
    assert names_below(tmp_path / "out" / "outlines") == {"one.png", "one.png.png"}


def test_photographs_without_a_particle_say_so(sizer, tmp_path):
    Image.new("RGB", (128, 128), (90, 90, 90)).save(tmp_path / "flat.png")
    report = size_folder(tmp_path / "flat.png", tmp_path / "out", sizer)
    assert report.together[AS_IT_IS].count < 30
    assert "No size can be given" in (tmp_path / "out" / "sizes.html").read_text("utf-8")
    assert read_table(tmp_path / "out" / "sizes.csv")["p50"].isna().all()
    assert read_table(tmp_path / "out" / "passing.csv").columns[0] == "file"


def test_outlines_lie_on_the_borders_and_say_what_counts(photos, sizer):
    (side,) = sizer.sides(photos / "wet" / "one.png")
    drawn = outlined(side)
    assert drawn.shape == side.image.shape
    changed = (drawn != side.image).any(axis=2)
    assert 0.02 < changed.mean() < 0.5
    assert {tuple(pixel) for pixel in drawn[changed]} <= {*COLOURS.values(), (255, 0, 255)}
    assert max(outlined(side, 100).shape) == 100


def test_what_was_found_stands_beside_the_truth(done):
    report, _, _ = done
    found = report.together[AS_IT_IS]
    table = beside_truth({AS_IT_IS: found}, found)
    assert table["counted"].tolist() == [found.count] * 2
    assert set(table.iloc[1].astype(str)) <= {"+0", "-0", "-", str(found.count)}
    assert beside_truth({AS_IT_IS: found}, None).empty
    assert sizes_table(report.entries, report.together)["photograph"].iloc[-1] == "all together"


# ---- the command -------------------------------------------------------------------------------------------------


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_the_command_sizes_a_folder(photos, tmp_path, capsys):
    assert (
        run("size", photos / "wet", tmp_path / "out", "--px-per-mm", PX_PER_MM, "--recursive", "--dry", photos / "dry")
        == 0
    )
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith("2 sized, 0 failed; see ")
    assert any(line.startswith("photograph: ") for line in said)
    assert run("size", photos / "wet", tmp_path / "out", "--px-per-mm", PX_PER_MM) == 2
    assert "is not empty" in capsys.readouterr().err
    assert run("size", photos / "wet", tmp_path / "out", "--px-per-mm", PX_PER_MM, "--replace") == 0


def test_json_is_one_line_a_photograph_and_side(photos, tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "broken.png").write_bytes(b"rubbish")
    (folder / "one.png").write_bytes((photos / "wet" / "one.png").read_bytes())
    arguments = ("--px-per-mm", "4", "--json", "--restore", "--model", "classical")
    assert run("size", folder, tmp_path / "out", *arguments) == 1
    rows = [json.loads(line, parse_constant=pytest.fail) for line in capsys.readouterr().out.splitlines()]
    assert [(row["file"], row["side"], row["status"]) for row in rows] == [
        ("broken.png", "photograph", "failed"), ("one.png", "photograph", "sized"), ("one.png", "restored", "sized")
    ]  # fmt: skip
    assert len({tuple(row) for row in rows}) == 1


def test_a_scale_comes_from_balls_or_from_the_file(photos, tmp_path, capsys):
    image = np.array(Image.open(photos / "wet" / "one.png"))
    for row, column in ((60, 60), (160, 200)):
        image[disk((row, column), 12, shape=image.shape[:2])] = (235, 20, 30)
    Image.fromarray(image).save(tmp_path / "balls.png", dpi=(101.6, 101.6))
    assert run("size", tmp_path / "balls.png", tmp_path / "a", "--balls", 6) == 0
    assert run("size", tmp_path / "balls.png", tmp_path / "b", "--px-per-mm", "file") == 0
    a, b = (read_table(tmp_path / name / "sizes.csv").iloc[0] for name in "ab")
    assert "2 balls of 6 mm found" in a["scale"]
    assert "101.6 px per inch" in b["scale"]
    capsys.readouterr()
    assert run("size", photos / "wet", tmp_path / "c", "--balls", 6) == 2
    assert "no ball was found" in capsys.readouterr().err
    for wrong in (
        ["--px-per-mm", "much"],
        [],
        ["--px-per-mm", "4", "--balls", "6"],
        ["--px-per-mm", "4", "--smallest", "fine"],
    ):
        assert run("size", photos / "wet", tmp_path / "c", *wrong) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "c").exists()


def test_particles_count_from_the_smallest_size_on(photos, tmp_path, capsys):
    given = ("size", photos / "wet" / "one.png")
    assert run(*given, tmp_path / "a", "--px-per-mm", PX_PER_MM, "--smallest", 8) == 0
    particles = read_table(tmp_path / "a" / "particles.csv")
    assert particles.loc[particles["left_out"].isna(), "size_mm"].min() >= 8
    assert read_table(tmp_path / "a" / "sizes.csv")["smallest_mm"].iloc[0] == 8
    capsys.readouterr()
    assert run(*given, tmp_path / "b", "--px-per-mm", PX_PER_MM, "--smallest", 0.1) == 2
    assert "one.png: it shows particles from" in capsys.readouterr().err


def test_the_documents_name_the_files_that_are_written():
    text = (ROOT / "docs" / "sizing.md").read_text("utf-8")
    assert all(name in text for name in FILES)


def test_tables_of_names_that_look_like_numbers_keep_them(photos, sizer, tmp_path):
    (tmp_path / "007.png").write_bytes((photos / "wet" / "one.png").read_bytes())
    size_folder(tmp_path / "007.png", tmp_path / "out", sizer)
    assert read_table(tmp_path / "out" / "particles.csv")["file"].iloc[0] == "007.png"
    assert pd.read_csv(tmp_path / "out" / "sizes.csv")["file"].tolist() == ["007.png", ALL]
