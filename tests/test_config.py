"""Settings, profiles and folders."""

import json
import math
import os
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from papermill.cli import _resolve_type  # what -p makes of a text

from orelib.config import METHODS, PROFILES, SCENE_FIELDS, Experiment, parse_changes
from orelib.runs import Folders
from orelib.utils import paths
from orelib.utils.allowed import FIELDS, SettingsError, parameter
from orelib.utils.paths import kit_path, kit_root, shown


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("method", METHODS)
def test_every_profile_survives_its_json(profile, method):
    experiment = Experiment(profile, method, seed=3)
    assert Experiment.from_json(experiment.to_json()) == experiment


def test_the_paper_profile_is_the_paper():
    paper = Experiment("paper")
    assert (paper.scene_size, paper.train_pairs, paper.test_pairs) == ((1900, 2048), 500, 200)
    assert (paper.mosaic_size, paper.batch_size, paper.learning_rate) == (512, 1, 0.002)
    assert paper.lambda_perceptual > 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"profile": "fast"}, "quick"),
        ({"profile": "quick", "method": "unet"}, "cyclegan"),
        ({"profile": "quick", "lambda_l2": 1}, "lambda_l2"),
        ({"profile": "quick", "steps": 0}, "steps"),
        ({"profile": "quick", "zoom": 0.5}, "zoom"),
        ({"profile": "quick", "checkpoint_every": 0}, "checkpoint_every"),
        ({"profile": "quick", "device": "mps"}, "cuda"),
        ({"profile": "quick", "precision": "float16"}, "auto, float32, bfloat16"),
        ({"profile": "quick", "ssim_window": 8}, "odd"),
        ({"profile": "quick", "mosaic_size": 100}, "multiple of 128"),
        ({"profile": "quick", "method": "nafnet", "mosaic_size": 100}, "multiple of 32"),
    ],
)
def test_impossible_settings_name_the_cure(arguments, named):
    with pytest.raises(SettingsError, match=named):
        Experiment(**arguments)


WHOLE = [name for name, allowed in FIELDS.items() if allowed.says.startswith("a whole number")]
NUMBERS = [name for name, allowed in FIELDS.items() if allowed.says.startswith("a number")]


def test_every_field_has_its_range():
    assert {"profile", "method", *FIELDS} == {field.name for field in fields(Experiment)}
    others = ["scene_size", "mosaic", "vgg_weights", "start_from", "device", "precision", "perceptual_network"]
    assert len(WHOLE) + len(NUMBERS) + len(others) == len(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_what_no_field_can_be_is_refused(name):
    """With the field and its range, whichever way it is set."""
    never = [True, False, "7", "much", math.nan, math.inf, -math.inf, 10**5000, -1, -0.5, 1j, [1], {}, object(), b"1"]
    if name == "mosaic":
        never = [value for value in never if not isinstance(value, bool)] + [0, 1, None]
    if name in ("vgg_weights", "start_from"):
        never = [value for value in never if not isinstance(value, str)] + ["", " ", "a\0b", 20240512, 7.0]
    plain = Experiment("smoke")
    for value in never:
        for build in (plain.replace, lambda **changes: Experiment("smoke", **changes)):
            if name == "seed" and value == "7" and build is not plain.replace:
                continue  # as papermill's -r hands it over
            with pytest.raises(SettingsError) as error:
                build(**{name: value})
            assert str(error.value).startswith(f"{name}=")
            assert FIELDS[name].says in str(error.value)
            assert len(str(error.value)) < 400


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_number_is_neither_broken_nor_beyond_its_range(name):
    smallest, largest = (int(word.replace(",", "")) for word in FIELDS[name].says.split() if word[0].isdigit())
    for value in (smallest - 1, largest + 1, smallest + 0.5, float(smallest + 1), None):
        with pytest.raises(SettingsError, match=f"{name}=.* must be a whole number from {smallest:,} to {largest:,}"):
            Experiment("smoke", **{name: value})


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [("learning_rate", [0, 0.0, 10.5], [1e-9, 10]), ("beta1", [1, 1.0, 1 + 1e-12], [0, 0.999]),
     ("lambda_l1", [1e6 + 1], [0, 1e6]), ("zoom", [0.99, 501], [1]), ("px_per_mm", [0.1, 101], [0.2, 100]),
     ("size_mm", [0], [14]), ("size_modulus", [0], [1])],
)  # fmt: skip
def test_ends_of_a_range(name, wrong, right):
    for value in wrong:
        with pytest.raises(SettingsError, match=f"{name}=.* must be a number"):
            Experiment("smoke", **{name: value})
    for value in right:
        assert getattr(Experiment("smoke", **{name: value}), name) == value


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"scene_size": (64, 80, 3)}, "scene_size"), ({"scene_size": (64.0, 80)}, "scene_size"),
        ({"scene_size": (31, 80)}, "32"), ({"scene_size": 64}, "scene_size"), ({"scene_size": "64"}, "scene_size"),
        ({"scene_size": (64, 1 << 40)}, "16,384"), ({"zoom": 101.0}, "101 px per mm: at most 100"),
        ({"misalignment_px": 16.0}, "below 16, a quarter"), ({"unet_depth": 6}, "multiple of 64"),
        ({"ssim_window": 33}, "mosaic_size=32"), ({"base_width": 100_000}, "1,024"), ({"threads": 10**6}, "1,024"),
        ({"loader_workers": 1000}, "128"), ({"mosaic_size": 2**30}, "8,192"),
    ],
)  # fmt: skip
def test_sizes_and_counts_that_would_fill_a_machine(changes, named):
    with pytest.raises(SettingsError, match=named):
        Experiment("smoke", **changes)


@pytest.mark.parametrize("wrong", [None, 3, True, ["quick"], "Quick", "quick "])
def test_a_profile_or_method_that_there_is_not(wrong):
    for arguments in ({"profile": wrong}, {"profile": "quick", "method": wrong}):
        with pytest.raises(SettingsError, match="is unknown: choose one of"):
            Experiment(**arguments)
        with pytest.raises(SettingsError, match="is unknown: choose one of"):
            Experiment(**arguments)


def test_an_unknown_field_is_named():
    for change in (Experiment().replace, lambda **changes: Experiment("quick", **changes)):
        with pytest.raises(SettingsError, match=r"no such field: .*lambda_l2.*lambda_ssim"):
            change(lambda_l2=1)


def test_numbers_of_every_library_become_plain_ones():
    """So config.json can hold them, and says the same however they were given."""
    given = Experiment(
        "smoke", seed=np.int64(3), steps=np.uint8(9), zoom=np.float32(2), lambda_l1=7, beta1=Fraction(1, 2),
        scene_size=[np.int32(64), 80], start_from=Path("some/where"),
    )  # fmt: skip
    assert {type(getattr(given, name)) for name in ("seed", "steps")} == {int}
    assert {type(getattr(given, name)) for name in ("zoom", "lambda_l1", "beta1")} == {float}
    assert given.scene_size == (64, 80)
    assert given.start_from == os.path.join("some", "where")
    assert Experiment.from_json(given.to_json()) == given


def test_every_seed_that_is_admitted_serves_torch_and_numpy():
    for seed in (0, 2**63, 2**64 - 1):
        assert Experiment("smoke", seed=seed).seed == seed
        torch.manual_seed(seed)
        np.random.default_rng([seed, 1])
        assert Folders("smoke").run("slim", seed).name == f"slim-seed{seed}"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1]", "null", "7", "[" * 100_000, '{"profile": "quick"}', '{"profile": "quick", "method": "slim"}'],
    ids=range(8),
)
def test_a_text_that_is_no_configuration(text):
    with pytest.raises(SettingsError, match="the settings"):
        Experiment.from_json(text)


def test_a_damaged_configuration_is_never_another_experiment():
    """Cut anywhere it is refused; so is a value of another kind."""
    text = Experiment("smoke", "slim").to_json()
    for end in range(0, len(text) - 2, 7):
        with pytest.raises(SettingsError):
            Experiment.from_json(text[:end])
    for wrong in ("NaN", "Infinity", "-1", '"4"', "true", "[]", "1e999", "1" * 5000):
        with pytest.raises(SettingsError):
            Experiment.from_json(text.replace('"slim_width": 4', f'"slim_width": {wrong}'))


def test_published_numbers_are_computed_in_float32():
    precisions = {profile: Experiment(profile).precision for profile in PROFILES}
    assert precisions.pop("quick") == "auto"
    assert set(precisions.values()) == {"float32"}


def test_an_older_configuration_has_its_profiles_value_for_newer_fields():
    experiment = Experiment("quick", "pix2pix", seed=3)
    older = json.loads(experiment.to_json())
    del older["nafnet_width"], older["start_from"]
    assert Experiment.from_json(json.dumps(older)) == experiment


def test_changes_that_are_no_text_are_refused():
    for wrong in (None, 5, True, ["steps=5"]):
        for ask in (parse_changes, lambda changes: Folders("quick", changes=changes)):
            with pytest.raises(SettingsError, match=r"changes=.* must be text"):
                ask(wrong)


def test_relative_paths_count_from_the_kit_in_every_folder_of_it(tmp_path, monkeypatch):
    for folder in ("notebooks", "orelib"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert kit_root() == tmp_path
    assert Folders("quick").data == tmp_path / "data" / "quick"
    assert Folders("quick", data_dir="../mine").data == tmp_path / "../mine"
    assert Folders("quick").run("improved", 2) == tmp_path / "results" / "quick" / "improved-seed2"
    assert shown(tmp_path / "results") == "results"


def test_outside_a_kit_paths_count_from_the_kit_that_is_installed_in_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "kit" / "orelib" / "utils" / "paths.py"))
    assert kit_root() == tmp_path  # the package alone is no kit
    (tmp_path / "kit" / "notebooks").mkdir(parents=True)
    assert kit_root() == tmp_path  # nor is a folder of packages, one of which is called notebooks
    (tmp_path / "kit" / "pyproject.toml").touch()
    assert kit_root() == tmp_path / "kit"
    assert Folders("quick").results == tmp_path / "kit" / "results" / "quick"
    for name in ("notebooks", "orelib"):
        (tmp_path / "other" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "other")
    assert kit_root() == tmp_path / "other"
    # A path of the kit as it can be found from where the reader is.
    assert shown(tmp_path / "kit" / "results") == str(tmp_path / "kit" / "results")


# ---- text stays text ---------------------------------------------------------------------------------------------

NAMES = ["2024_05_12", "007", "1e3", "True", "None", "0", "-1", "1.5", "inf", "it's", "a b", "{x}", "[y]", "=x", "null"]


@pytest.fixture
def kit(tmp_path, monkeypatch):
    """An empty kit, which is the current folder."""
    for folder in ("notebooks", "orelib"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_keeps_its_name_or_is_refused_with_the_way_that_keeps_it(name, kit):
    """-r hands over the text; -p may make something else of it, which cannot be undone."""
    folders = Folders("quick", data_dir=name, results_dir=name + "_")
    assert (folders.data, folders.results, folders.embedded) == (kit / name, kit / f"{name}_" / "quick", False)
    assert kit_path("model", name) == kit / name
    guessed = _resolve_type(name)
    if isinstance(guessed, str):
        assert guessed == name
        return
    for parameters in (
        ({"results_dir": guessed},) if guessed is None else ({"data_dir": guessed}, {"results_dir": guessed})
    ):
        with pytest.raises(SettingsError, match=r"_dir=.* names no file or folder"):
            Folders("quick", **parameters)
    if guessed is not None:
        with pytest.raises(SettingsError, match=f"start_from={guessed!r} .*-r"):
            Experiment("quick", start_from=guessed)
        with pytest.raises(SettingsError, match="papermill keeps names text with -r photographs_dir"):
            kit_path("photographs_dir", guessed)


@pytest.mark.parametrize("wrong", ["", "  ", "a\0b", b"mine", ["mine"], {}, math.nan, object()])
def test_what_names_no_folder(wrong, kit):
    for name in ("data_dir", "results_dir"):
        with pytest.raises(SettingsError, match=f"{name}=.* names no file or folder"):
            Folders("quick", **{name: wrong})
    assert {path.name for path in kit.iterdir()} == {"notebooks", "orelib"}


def test_a_home_that_there_is_not_is_named(kit):
    with pytest.raises(SettingsError, match="data_dir='~nobody-of-that-name/x': there is no such user"):
        Folders("quick", data_dir="~nobody-of-that-name/x")
    assert Folders("quick", data_dir=Path("~")).data == Path.home()


def test_results_go_into_a_folder(kit):
    (kit / "taken").touch()
    (kit / "taken_later").mkdir()
    (kit / "taken_later" / "quick").touch()
    (kit / "dangling").symlink_to(kit / "nowhere")
    for name in ("taken", "taken/deeper", "taken_later", "dangling"):
        with pytest.raises(SettingsError, match=f"results_dir='{name}': .* is no folder"):
            Folders("quick", results_dir=name)


@pytest.mark.parametrize(
    ("data_dir", "results_dir"),
    [("mine", "mine"), ("mine", "mine/results"), ("mine", "./other/../mine"), (".", "results"), ("mine", "link"),
     ("quick", "."), (None, "data"), (None, "data/quick/x"), ("results/quick", "results"),
     ("results/quick/x", "results")],
)  # fmt: skip
def test_photographs_and_results_lie_apart(data_dir, results_dir, kit):
    (kit / "mine").mkdir()
    (kit / "link").symlink_to(kit / "mine")
    with pytest.raises(SettingsError, match=r"^results_dir=.*photographs are in"):
        Folders("quick", data_dir, results_dir)
    assert not (kit / "results").exists()


def test_photographs_and_results_may_be_neighbours(kit):
    for data_dir, results_dir in (
        ("mine", "my"),
        ("my/photos", "my"),
        ("a/b", "a/c"),
        ("results/quick/aligned", "results"),
    ):
        assert Folders("quick", data_dir, results_dir).data == kit / data_dir


@pytest.mark.parametrize("wrong", ["fast", None, 3, "../quick"])
def test_folders_of_a_profile_that_there_is_not(wrong, kit):
    with pytest.raises(SettingsError, match="choose one of smoke, quick"):
        Folders(wrong)


SEEDS = ["0", "007", "3", "1_0", "18446744073709551615", "+2", "-0"]
NO_SEEDS = ["-1", "1.5", "1.0", "1e3", "18446744073709551616", "True", "None", "nan", "inf", "two", "", "0x10"]


@pytest.mark.parametrize("text", SEEDS)
def test_a_seed_as_text_and_as_number_is_the_same_run(text, kit):
    number = _resolve_type(text)
    one, other = (Experiment("quick", "slim", seed) for seed in (text, number))
    assert one == other
    assert one.seed == parameter("seed", text) == number
    assert Folders("quick").run("slim", text) == Folders("quick").run("slim", number)


@pytest.mark.parametrize("text", NO_SEEDS)
def test_what_is_no_seed_is_refused_either_way(text, kit):
    for seed in (text, _resolve_type(text)):
        for ask in (
            lambda seed: Experiment("quick", "slim", seed),
            lambda seed: Folders("quick").run("slim", seed),
        ):
            with pytest.raises(
                SettingsError, match=r"seed=.* must be a whole number from 0 to 18,446,744,073,709,551,615"
            ):
                ask(seed)


def test_parameters_of_notebooks_as_text_and_as_numbers():
    for name, text, value in (("images", "3", 3), ("scene", "007", 7), ("largest_shift", "1.5", 1.5)):
        assert parameter(name, text) == parameter(name, _resolve_type(text)) == value
    assert (parameter("align", "yes"), parameter("methods", "")) == ("yes", "")
    wrong = {"images": (0, "many", 2.5), "scene": (10**6,), "largest_shift": ("-1", math.nan), "align": (True, "maybe"),
             "methods": (None, 3)}  # fmt: skip
    for name, value in ((name, value) for name, values in wrong.items() for value in values):
        with pytest.raises(SettingsError, match=f"{name}=.* must be"):
            parameter(name, value)


def test_changes_become_values_of_their_fields_kind():
    changes = parse_changes("lambda_ssim=0 batch_size=4 mosaic=False device=cpu scene_size=(64,80)")
    assert changes == {"lambda_ssim": 0.0, "batch_size": 4, "mosaic": False, "device": "cpu", "scene_size": (64, 80)}
    assert type(changes["lambda_ssim"]) is float
    assert parse_changes("") == {}


@pytest.mark.parametrize(
    "text",
    ["lambda_ssim", "lambda_l2=1", "batch_size=1.5", "mosaic=1", "seed=3", "steps=many", "steps=0", "lambda_l1=-1",
     "lambda_l1=nan", "device=mps", "steps=5#/../x", "steps=1/../x", "lambda_l1=1e+2", "start_from=x", "method=slim",
     f"scene_size={'(' * 300}", "steps=1 steps=2"],
)  # fmt: skip
def test_other_changes_are_refused(text):
    with pytest.raises(SettingsError, match=text.partition("=")[0]):
        parse_changes(text)


def test_changes_are_part_of_a_runs_name_and_those_of_scenes_of_the_data_sets(kit):
    one, other = (Folders("cpu", changes=text) for text in ("steps=9 misalignment_px=1", "misalignment_px=1 steps=9"))
    assert one.run("improved", 2).name == "improved+misalignment_px=1+steps=9-seed2"
    assert one.run("improved", 2) == other.run("improved", 2)
    assert one.data == kit / "data" / "cpu+misalignment_px=1"
    assert Folders("cpu", changes="steps=9").data == kit / "data" / "cpu"
    assert set(SCENE_FIELDS) <= set(vars(Experiment()))
