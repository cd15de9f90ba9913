"""The desks without a browser: what its messages do, and that headless, parameters alone decide."""

import json
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from orelib.data.pair import PairError
from orelib.data.scenes import render_pair
from orelib.restore.classical import ClassicalRestorer
from orelib.restore.own import remember_restorer, remembered_restorer
from orelib.utils.checksums import DamagedFileError
from orelib.utils.saving import PAGE_CLASS
from orelib.views import unsaved as unsaved_module
from orelib.views import watched
from orelib.views.compare import compare
from orelib.views.desks import (
    calibration,
    calibration_desk,
    desk,
    handed_over,
    handing_over,
    keep_restorer,
    pairs,
    pairs_desk,
    photographs,
    photographs_desk,
    remarked,
    restorer_of,
)
from orelib.views.unsaved import Shown, unsaved


@pytest.fixture
def kit(tmp_path, monkeypatch):
    """An empty kit to work in."""
    for name in ("notebooks", "orelib"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


@pytest.fixture
def watching(monkeypatch):
    """Somebody watches, although no browser is connected."""
    for module in (desk, pairs, photographs, handing_over, unsaved_module):
        monkeypatch.setattr(module, "is_watched", lambda: True)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """PNG files of four places by name, as a browser sends them."""
    folder, found = tmp_path_factory.mktemp("scenes"), {}
    for seed in range(4):
        scene = render_pair(seed, (112, 128), px_per_mm=2.5, wetness=0.6)
        for side in ("wet", "dry"):
            Image.fromarray(getattr(scene, side)).save(folder / "one.png")
            found[f"{seed}_{side}.png"] = (folder / "one.png").read_bytes()
    return found


def press(made, button):
    made._hear(made, {button: True}, [])
    return made.said


def choose(made, files):
    """Chooses files as the browser does, each in two pieces."""
    press(made, "begin")
    for number, (name, content) in enumerate(files.items()):
        half = len(content) // 2
        for piece, last in ((content[:half], False), (content[half:], True)):
            made._hear(made, {"file": number, "name": name, "last": last}, [memoryview(piece)])
    return press(made, "end")


def text_of(made):
    return json.dumps(made._repr_mimebundle_(), default=str)


# ---- photographs -------------------------------------------------------------------------------------------------


def test_chosen_photographs_are_restored_instead_of_the_example(kit, watching, scenes):
    made = photographs_desk(None, None, "smoke")
    assert press(made, "ready")["state"] == "empty"
    assert sorted(path.name for path in made.folder.iterdir()) == ["scene_0.png", "scene_1.png", "scene_2.png"]
    assert not made.is_yours
    said = choose(made, scenes)
    assert said["line"] == "8 photographs, in data/yours/photographs-1."
    assert said["again"]
    assert made.folder == kit / "data/yours/photographs-1"
    assert made.is_yours
    assert (made.folder / "0_wet.png").read_bytes() == scenes["0_wet.png"]
    again = photographs_desk(None, None, "smoke")  # the cell is run again
    assert again.folder == made.folder
    assert press(again, "ready")["next"] == "They are restored below."
    assert "again" not in again.said


def test_more_are_added_and_begun_anew_nothing_is_deleted(kit, watching, scenes):
    made = photographs_desk(None, None, "smoke")
    choose(made, {"a.png": scenes["0_wet.png"]})
    assert choose(made, {"b.png": scenes["1_wet.png"], "notes.txt": b"1"})["line"].startswith("2 photographs")
    assert "notes.txt" in made.said["remarks"][0]
    assert press(made, "anew")["state"] == "empty"
    press(made, "anew")  # of an empty desk there is no next
    choose(made, {"a.png": scenes["2_wet.png"]})
    assert made.folder.name == "photographs-2"
    assert len(list((kit / "data/yours/photographs-1").iterdir())) == 2


def test_headless_nothing_that_was_chosen_counts(kit, scenes, monkeypatch, pair_folder):
    with monkeypatch.context() as patch:
        patch.setattr(desk, "is_watched", lambda: True)
        choose(photographs_desk(None, None, "smoke"), scenes)
        remember_restorer(kit / "orelib")
    made = photographs_desk(None, None, "smoke")
    assert made.folder.name == "example-smoke"
    assert photographs_desk(None, str(pair_folder), "smoke").folder == pair_folder / "test" / "wet"
    given = photographs_desk(str(pair_folder / "train" / "wet"), str(pair_folder), "smoke")
    assert given.folder == pair_folder / "train" / "wet"
    assert given.is_yours
    assert not given.is_open
    assert pairs_desk(None).folder is None
    assert calibration_desk(None).calibrate(None, made) is None


def test_what_goes_wrong_is_said_in_the_browser(kit, watching, scenes, monkeypatch):
    made = photographs_desk(None, None, "smoke")
    monkeypatch.setattr(desk.Inbox, "add", lambda *_: (_ for _ in ()).throw(OSError("no room left")))
    made._hear(made, {"begin": True}, [])
    made._hear(made, {"file": 0, "name": "a.png", "last": True}, [b"1"])
    assert made.said["problem"]
    assert "no room left" in made.said["line"]


# ---- pairs -------------------------------------------------------------------------------------------------------


def test_pairs_are_shown_and_filed_when_somebody_agrees(kit, watching, scenes):
    made = pairs_desk(None)
    assert press(made, "ready")["state"] == "empty"
    said = choose(made, scenes)
    assert said["action"] == "Use these 4 pairs"
    assert said["line"] == "4 pairs of 4 places: 2 for training, 1 for validation, 1 for the test."
    assert [row["split"] for row in made.rows] == ["train", "train", "val", "test"]
    assert all(row["wet"].startswith(b"RIFF") for row in made.rows)
    assert made.folder is None
    said = press(made, "use")
    assert said["state"] == "ready"
    assert said["again"]
    assert {path.name for path in made.folder.glob("*/wet/*")} == {f"{k}.png" for k in range(4)}
    assert pairs_desk(None).folder == made.folder  # the cell is run again
    assert "action" in choose(made, {"more_wet.png": scenes["0_wet.png"][:-1] + b"0"})
    assert made.folder is None  # until somebody agrees again


def test_proposals_and_what_is_left_out_stand_on_the_button(kit, watching, scenes):
    names = [f"IMG_{k}.png" for k in range(len(scenes))]
    said = choose(pairs_desk(None), dict(zip(names, scenes.values(), strict=True)) | {"broken_wet.png": b"rubbish"})
    assert said["action"] == "Use these 4 pairs, 4 of them proposed, without what is named above (1)"
    assert said["remarks"][0].startswith("1/broken_wet.png: has no partner")
    assert "Dashed" in said["remarks"][-1]


def test_too_few_pairs_have_no_button(kit, watching, scenes):
    said = choose(pairs_desk(None), {name: scenes[name] for name in ("0_wet.png", "0_dry.png")})
    assert "action" not in said
    assert "3 places or more" in said["next"]


def test_given_pairs_are_filed_if_names_say_all_and_refused_headless_if_not(kit, scenes, tmp_path_factory, pair_folder):
    assert pairs_desk(str(pair_folder)).folder == pair_folder
    mine = tmp_path_factory.mktemp("given") / "mine"
    mine.mkdir()
    for name, content in scenes.items():
        (mine / name).write_bytes(content)
    made = pairs_desk(str(mine))
    assert made.folder.parent == kit / "data/yours"
    assert made.folder.name.startswith("mine-")
    shutil.copy(mine / "0_wet.png", mine / "lonely_wet.png")
    with pytest.raises(PairError, match=r"lonely_wet\.png: has no partner"):
        pairs_desk(str(mine))


def test_given_pairs_that_leave_a_question_are_asked_for_where_somebody_watches(kit, watching, scenes, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name, content in scenes.items():
        (mine / name).write_bytes(content)
    assert pairs_desk(str(mine)).folder is not None
    shutil.copy(mine / "0_wet.png", mine / "lonely_wet.png")
    made = pairs_desk(str(mine))
    assert made.folder is None
    press(made, "use")
    assert len(list(made.folder.glob("*/wet/*"))) == 4


# ---- calibration -------------------------------------------------------------------------------------------------


def test_one_pair_calibrates_what_restores(kit, watching, scenes, capsys):
    wet, made = photographs_desk(None, None, "smoke"), calibration_desk(None)
    said = choose(made, {"x_wet.png": scenes["0_wet.png"], "x_dry.png": scenes["0_dry.png"]})
    assert said["action"] == "Calibrate on 1 pair"
    assert made.calibrate(None, wet) is None  # nobody has agreed yet
    press(made, "use")
    file = made.calibrate(None, wet)
    assert "times as bright" in capsys.readouterr().out
    restorer = restorer_of(None, file)
    assert isinstance(restorer, ClassicalRestorer)
    assert "1 pair" in restorer.describe()


def test_dry_photographs_are_compared_with_the_chosen_wet_ones(kit, watching, scenes, capsys):
    wet, made = photographs_desk(None, None, "smoke"), calibration_desk(None)
    assert choose(made, {"stockpile.png": scenes["3_dry.png"]})["action"] == "Calibrate on 1 photograph of dry ore"
    press(made, "use")
    assert made.calibrate("classical", wet) is None
    assert "wait for wet ones" in capsys.readouterr().out
    choose(wet, {"a.png": scenes["0_wet.png"]})
    assert json.loads(made.calibrate("classical", wet).read_text())["fitted_on"]["dry"] == ["1_stockpile.png"]


def test_a_calibration_that_is_given_is_used(kit):
    made = calibration_desk("belt.json")
    assert made.calibrate(None, None) == kit / "belt.json"


# ---- the restorer ------------------------------------------------------------------------------------------------


def test_the_restorer_that_was_trained_last_is_used_in_the_browser_alone(kit, watching, monkeypatch):
    assert remembered_restorer() is None
    own = shutil.copytree(photographs.load_restorer.__globals__["DEFAULT_RESTORER"].parent, kit / "results" / "run")
    assert "From now on" in keep_restorer(own / "generator.safetensors")
    assert remembered_restorer() == own / "generator.safetensors"
    assert "results/run/generator.safetensors" in (kit / "data/yours/restorer.json").read_text()
    loaded = []
    monkeypatch.setattr(photographs, "load_restorer", lambda *given, **how: loaded.append((given, how)))
    restorer_of(None)
    restorer_of("kit")
    restorer_of("classical")
    monkeypatch.setattr(photographs, "is_watched", lambda: False)
    restorer_of(None)
    assert keep_restorer(own / "x").startswith("To restore photographs with it")
    assert loaded[0] == ((own / "generator.safetensors",), {"calibration": None, "classical_share": 0.0})
    assert [given for given, _ in loaded[1:]] == [(None,), ("classical",), (None,)]
    shutil.rmtree(own)
    assert remembered_restorer() is None


@pytest.mark.parametrize("name", ["restorer.json", "filed.json", "calibration-1-agreed.json"])
def test_a_damaged_note_is_named_with_its_cure(kit, watching, scenes, name):
    keep_restorer(kit / "generator.safetensors")
    for made, files in ((pairs_desk(None), scenes), (calibration_desk(None), {"a.png": scenes["0_dry.png"]})):
        choose(made, files)
        press(made, "use")
    [note] = (kit / "data" / "yours").rglob(name)
    note.write_text(note.read_text()[:-9])
    with pytest.raises(DamagedFileError, match=rf"{name} is damaged.*delete"):
        _ = (
            remembered_restorer(),
            pairs_desk(None).folder,
            calibration_desk(None).calibrate(None, photographs_desk(None, None, "smoke")),
        )


# ---- what is handed over, and what is not saved ------------------------------------------------------------------


@pytest.fixture
def restored(kit):
    out = kit / "results" / "restored"
    out.mkdir(parents=True)
    (out / "a&b.png").write_bytes(b"1")
    rows = [("a&b.png", "restored", "unlike", ""), ("c.png", "restored", "", ""), ("d.png", "failed", "", "broken")]
    (out / "c.png").write_bytes(b"2")
    return pd.DataFrame(rows, columns=["file", "status", "remark", "error"]), out


def test_restored_photographs_are_handed_over_as_a_zip(restored, watching):
    text = handed_over(*restored).data
    assert "2 of 3 photographs restored" in text
    assert "<code>results/restored</code>" in text
    assert '<a href="../results/restored.zip" download="restored.zip">' in text
    with zipfile.ZipFile(restored[1].with_suffix(".zip")) as archive:
        assert archive.namelist() == ["a&b.png", "c.png"]
    assert remarked(restored[0])["file"].tolist() == ["a&b.png", "d.png"]


def test_headless_there_is_no_zip(restored):
    assert "<a" not in handed_over(*restored).data
    assert not restored[1].with_suffix(".zip").exists()


def test_outside_of_the_kit_a_zip_is_only_named(restored, watching, monkeypatch, tmp_path_factory):
    monkeypatch.setattr(handing_over, "kit_root", lambda: tmp_path_factory.mktemp("other"))
    text = handed_over(*restored).data
    assert "<a" not in text
    assert "restored.zip" in text


def test_a_saved_notebook_holds_nothing_of_a_users_photographs(kit, watching, scenes, monkeypatch, noise):
    monkeypatch.setattr(watched, "is_watched", lambda: False)  # until now, or a connection would be opened
    wet = noise.integers(0, 256, (30, 60, 3)).astype(np.uint8)
    made = photographs_desk(None, None, "smoke")
    choose(made, {"secret.png": scenes["0_wet.png"]})
    slider, table = compare({"secret": {"wet": wet, "restored": wet}}), pd.DataFrame({"file": ["secret.png"]})
    shown = [made, made.show(slider), made.show(table)]
    assert made.show(None) is None
    assert isinstance(shown[2], Shown)
    monkeypatch.setattr(watched, "is_watched", lambda: True)
    monkeypatch.setattr(watched.anywidget.AnyWidget, "_repr_mimebundle_", lambda self, **_: ({}, {}))
    for each in shown:
        text = text_of(each)
        assert "secret" not in text
        assert "RIFF" not in text
        assert "base64" not in text
        assert PAGE_CLASS in text


def test_headless_and_for_an_example_all_is_shown_as_it_is(kit):
    table = pd.DataFrame({"file": ["a.png"]})
    assert unsaved(table) is table
    assert photographs_desk(None, None, "smoke").show(table) is table


def test_names_of_files_cannot_become_elements_of_the_page(watching):
    assert "<script>" not in unsaved(pd.DataFrame({"file": ["<script>alert(1)</script>"]})).html


def test_the_calibration_desk_says_what_is_used(kit):
    assert "belt.json" in calibration.CalibrationDesk(kit / "belt.json").said["line"]
