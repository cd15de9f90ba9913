"""The command line: what it prints, where, and with which exit code it ends."""

import errno
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from orelib.cli import main
from orelib.data.alignment import LARGEST_SHIFT
from orelib.data.scenes import render_pair
from orelib.data.wetted import VARIANTS, WINDOW
from orelib.data.wetting import PX_PER_MM
from orelib.methods import Pix2Pix
from orelib.restore import restorer as module
from orelib.restore.engines import ENGINES, is_installed
from orelib.restore.familiar import Familiar
from orelib.restore.restorer import save_generator


@pytest.fixture
def model(tmp_path, experiment):
    weights = Pix2Pix.build_generator(experiment.replace(method="pix2pix")).state_dict()
    path = tmp_path / "model" / "generator.safetensors"
    save_generator(path, weights, experiment.replace(method="pix2pix"), "0123456789abcdef", 8, embedded=True)
    return path


@pytest.fixture
def wet(tmp_path, noise):
    folder = tmp_path / "wet"
    folder.mkdir()
    for k in range(3):
        Image.fromarray(noise.integers(0, 256, (20, 30, 3)).astype(np.uint8)).save(folder / f"belt_{k}.png")
    return folder


def run(*arguments):
    return main([str(argument) for argument in arguments])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def one_line(text):
    assert text.startswith("orelib: ")
    assert text.count("\n") == 1
    return text


# ---- usage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [[], ["restore"], ["size"], ["calibrate"], ["export"], ["check"], ["wet"]])
def test_help_shows_an_example_and_the_exit_codes(command, capsys):
    assert run(*command, "--help") == 0
    text = capsys.readouterr().out
    assert "example" in text
    assert f"\n  orelib {command[0] if command else 'restore'} " in text
    assert "exit codes:" in text


def test_help_names_the_largest_shift_that_is_used(capsys):
    run("check", "--help")
    assert f"(default: {LARGEST_SHIFT:g})" in " ".join(capsys.readouterr().out.split())


def test_help_names_the_engines_that_there_are(capsys):
    run("restore", "--help")
    assert f"--engine {{{','.join(ENGINES)}}}" in capsys.readouterr().out


def test_help_does_not_wait_for_torch():
    code = "import sys, orelib.cli as cli; cli.main(['restore', '--help']); print({'torch', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")


def test_restoring_does_not_wait_for_what_it_does_not_use():
    code = (
        "import sys, orelib.restore.folders, orelib.restore.restorer; "
        "print({'scipy', 'skimage', 'cv2', 'matplotlib', 'torchvision', 'onnx', 'openvino'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["fly"],
        ["restore", "wet"],
        ["check"],
        ["restore", "a", "b", "--fast"],
        ["restore", "a", "b", "--engine", "warp"],
        ["export"],
    ],
)
def test_wrong_usage_is_one_line(wrong, capsys):
    assert run(*wrong) == 2
    assert "--help" in one_line(capsys.readouterr().err)


# ---- restore -----------------------------------------------------------------------------------------------------


def test_a_folder_is_restored(wet, model, tmp_path, capsys):
    assert run("restore", wet, tmp_path / "dry", "--model", model) == 0
    said = capsys.readouterr()
    assert names(tmp_path / "dry") == names(wet)
    assert "Method pix2pix, step 8 of 8" in said.out
    assert said.out.splitlines()[-1].startswith("3 restored, 0 failed")
    assert said.err == ""


def test_folders_below_are_restored_when_that_is_asked_for(wet, model, tmp_path, capsys):
    shutil.copytree(wet, wet / "day 1")
    assert run("restore", wet, tmp_path / "flat", "--model", model) == 0
    assert "(--recursive restores them, too): day 1/" in capsys.readouterr().out
    assert run("restore", wet, wet / "dry", "--model", model, "--recursive") == 0
    said = capsys.readouterr().out
    assert "skipped" not in said
    assert said.splitlines()[-1].startswith("6 restored, 0 failed")
    assert names(wet / "dry" / "day 1") == ["belt_0.png", "belt_1.png", "belt_2.png"]
    assert run("restore", wet / "belt_0.png", tmp_path / "one.png", "--model", model, "--recursive") == 2
    assert "is one photograph" in one_line(capsys.readouterr().err)


def test_the_precision_is_chosen_and_told(wet, model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("orelib.restore.engines.has_bfloat16", lambda: False)
    assert run("restore", wet, tmp_path / "plain", "--model", model, "--precision", "bfloat16") == 2
    assert "bfloat16: choose" in one_line(capsys.readouterr().err) or "float32 alone" in capsys.readouterr().err
    assert run("restore", wet, tmp_path / "dry", "--model", "classical", "--precision", "bfloat16") == 2
    assert "leave --precision out" in one_line(capsys.readouterr().err)
    if not is_installed("openvino"):
        return
    monkeypatch.setattr("orelib.restore.engines.has_bfloat16", lambda: True)
    for number, (options, engine) in enumerate({
        (): "openvino in bfloat16", ("--precision", "float32"): "openvino", ("--engine", "torch"): "torch"
    }.items()):  # fmt: skip
        assert run("restore", wet, tmp_path / str(number), "--model", model, *options) == 0
        assert f" Engine: {engine}.\n" in capsys.readouterr().out


def test_one_photograph_is_restored(wet, model, tmp_path):
    assert run("restore", wet / "belt_1.png", tmp_path / "dry.jpg", "--model", model) == 0
    with Image.open(tmp_path / "dry.jpg") as image:
        assert image.size == (30, 20)


def test_a_photograph_that_failed_is_told_by_name_and_exit_code(wet, model, tmp_path, capsys):
    (wet / "belt_1.png").write_bytes(b"rubbish")
    assert run("restore", wet, tmp_path / "dry", "--model", model) == 1
    said = capsys.readouterr().out
    assert "belt_1.png: cannot be read as an image" in said
    assert said.splitlines()[-1].startswith("2 restored, 1 failed")


def test_json_is_one_line_a_photograph_and_nothing_else(wet, model, tmp_path, capsys):
    (wet / "belt_1.png").write_bytes(b"rubbish")
    (wet / "notes.txt").write_text("to do")
    assert run("restore", wet, tmp_path / "dry", "--model", model, "--json") == 1
    said = capsys.readouterr()
    rows = [json.loads(line, parse_constant=pytest.fail) for line in said.out.splitlines()]
    assert [row["file"] for row in rows] == ["belt_0.png", "belt_1.png", "belt_2.png"]
    assert [row["status"] for row in rows] == ["restored", "failed", "restored"]
    assert all(list(row) == ["file", "status", "seconds", "width", "height", "remark", "error"] for row in rows)
    assert (rows[0]["width"], rows[0]["height"], rows[0]["error"]) == (30, 20, "")
    assert (rows[1]["width"], rows[1]["height"]) == (None, None)
    assert "notes.txt" in said.err


def test_without_a_model_the_default_restorer_is_used(wet, model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "DEFAULT_RESTORER", model)
    assert run("restore", wet, tmp_path / "dry") == 0
    assert "0123456789ab" in capsys.readouterr().out
    monkeypatch.setattr(module, "DEFAULT_RESTORER", tmp_path / "none.safetensors")
    assert run("restore", wet, tmp_path / "more") == 2
    assert "name a model file" in one_line(capsys.readouterr().err)


def test_without_a_model_a_calibration_is_for_the_classical_restorer(tmp_path, capsys):
    wet, dry, found = tmp_path / "wet", tmp_path / "dry", tmp_path / "belt.json"
    for folder in (wet, dry):
        folder.mkdir()
        Image.fromarray(getattr(render_pair(3, (96, 96)), folder.name)).save(folder / "belt.png")
    assert run("calibrate", found, "--wet", wet, "--dry", dry) == 0
    assert "Classical, trained on nothing" in capsys.readouterr().out
    assert run("restore", wet, tmp_path / "out", "--calibration", found) == 0
    assert "Classical, trained on nothing" in capsys.readouterr().out
    assert run("calibrate", found, "--wet", wet, "--dry", dry, "--replace", "--engine", "torch") == 2
    assert "leave --engine out" in one_line(capsys.readouterr().err)


def test_a_remark_counts_the_photographs_that_the_network_does_not_know(wet, model, tmp_path, experiment, capsys):
    assert run("restore", wet, tmp_path / "silent", "--model", model) == 0  # a file without statistics
    assert "unlike the training photographs" not in capsys.readouterr().out
    knowing = tmp_path / "knowing.safetensors"
    familiar = Familiar.of(render_pair(seed, (64, 64)).wet for seed in range(12))
    pix2pix = experiment.replace(method="pix2pix")
    weights = Pix2Pix.build_generator(pix2pix).state_dict()
    save_generator(knowing, weights, pix2pix, "0123456789abcdef", 8, familiar=familiar)
    assert run("restore", wet, tmp_path / "network", "--model", knowing) == 0
    remarks = [line for line in capsys.readouterr().out.splitlines() if line.startswith("remark: ")]
    unlike = [line for line in remarks if " of 3 photographs are unlike the training photographs, most in " in line]
    assert sum(int(line.split()[1]) for line in unlike) == 3
    others = [line for line in remarks if line not in unlike]
    assert [line.partition(" (")[0] for line in others] == ["remark: 2 of 3 photographs are without a sign of water"]
    assert run("restore", wet, tmp_path / "dry", "--model", knowing, "--classical", "0.5", "--json") == 0
    said = capsys.readouterr()
    assert "Mixed with the classical restoration, 50%." in said.err
    assert all("the classical way" in json.loads(line)["remark"] for line in said.out.splitlines())
    assert run("restore", wet, tmp_path / "classical", "--model", "classical") == 0
    for name in names(wet):
        assert (tmp_path / "dry" / name).read_bytes() == (tmp_path / "classical" / name).read_bytes()
        assert (tmp_path / "dry" / name).read_bytes() != (tmp_path / "network" / name).read_bytes()


@pytest.mark.parametrize("engine", [name for name in ENGINES if is_installed(name)])
def test_the_engine_is_chosen_and_told(wet, model, tmp_path, capsys, engine):
    assert run("restore", wet, tmp_path / "dry", "--model", model, "--engine", engine) == 0
    assert re.search(rf" Engine: {engine}( in bfloat16)?\.\n", capsys.readouterr().out)
    assert names(tmp_path / "dry") == names(wet)


@pytest.mark.skipif(not is_installed("openvino"), reason="orelib[openvino] is not installed")
def test_one_small_photograph_is_restored_by_torch_and_others_by_openvino(wet, model, tmp_path, capsys, monkeypatch):
    def engine(source, out):
        assert run("restore", source, tmp_path / out, "--model", model) == 0
        said = capsys.readouterr().out.split(" Engine: ")[1].split(".")[0]
        return said.removesuffix(" in bfloat16")  # where the processor has it

    assert engine(wet, "folder") == "openvino"
    assert engine(wet / "belt_0.png", "small") == "torch"
    monkeypatch.setattr("orelib.cli.common.SMALL", 100)
    assert engine(wet / "belt_0.png", "large") == "openvino"


def test_an_engine_that_is_not_installed_is_one_line(wet, model, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert run("restore", wet, tmp_path / "dry", "--model", model, "--engine", "openvino") == 2
    assert 'pip install "orelib[openvino]"' in one_line(capsys.readouterr().err)
    assert run("restore", wet, tmp_path / "dry", "--model", model) == 0
    assert " Engine: torch.\n" in capsys.readouterr().out


def test_what_cannot_be_done_at_all_is_one_line(wet, model, tmp_path, capsys):
    (tmp_path / "bad.safetensors").write_bytes(b"rubbish")
    (tmp_path / "empty").mkdir()
    for arguments, named in [
        ((tmp_path / "nowhere", tmp_path / "dry", "--model", model), "nowhere is missing"),
        ((tmp_path / "empty", tmp_path / "dry", "--model", model), "holds no photographs"),
        ((wet, wet, "--model", model), "never overwritten"),
        ((wet, tmp_path / "dry", "--model", tmp_path / "bad.safetensors"), "bad.safetensors"),
        ((wet, tmp_path / "dry", "--model", tmp_path / "none.safetensors"), "none.safetensors is missing"),
        ((wet, tmp_path / "dry", "--model", tmp_path), "is a folder"),
        ((tmp_path / "nowhere", tmp_path / "dry", "--model", model, "--watch"), "nowhere is missing"),
    ]:
        assert run("restore", *arguments) == 2
        assert named in one_line(capsys.readouterr().err)
    assert not (tmp_path / "dry").exists()


def test_interrupted_it_says_so_without_a_traceback(wet, model, tmp_path, capsys, monkeypatch):
    def interrupted(self, wet, progress=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.Restorer, "restore", interrupted)
    assert run("restore", wet, tmp_path / "dry", "--model", model) == 1
    assert "interrupted" in one_line(capsys.readouterr().err)
    assert names(tmp_path / "dry") == []


def test_a_watched_folder_until_ctrl_c(wet, model, tmp_path):
    """As a process of its own, which a real Ctrl-C ends."""
    dry = tmp_path / "dry"
    (wet / "belt_1.png").write_bytes(b"rubbish")
    command = [sys.executable, "-m", "orelib.cli", "restore", wet, dry, "--watch", "--model", model]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore Ctrl-C
    )  # fmt: skip
    try:
        lines = [process.stdout.readline() for _ in range(5)]  # model, folder, two restored and one failed
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode == 0
    assert err == ""
    lines += out.splitlines()
    assert [line.split(",")[0] for line in lines if line.startswith("restored")] == [
        "restored: belt_0.png", "restored: belt_2.png"
    ]  # fmt: skip
    assert sum(line.startswith("failed: ") and "belt_1.png" in line for line in lines) == 1
    assert lines[-1].startswith("2 restored, 1 failed")


def test_a_watched_folder_in_json(wet, model, tmp_path, capsys, monkeypatch):
    looks = iter([None, None])

    def sleep(seconds):
        if next(looks, "no more") == "no more":
            raise KeyboardInterrupt

    monkeypatch.setattr("orelib.restore.watch.time.sleep", sleep)
    assert run("restore", wet, tmp_path / "dry", "--model", model, "--watch", "--json") == 0
    said = capsys.readouterr()
    assert [json.loads(line)["file"] for line in said.out.splitlines()] == ["belt_0.png", "belt_1.png", "belt_2.png"]
    assert said.err.splitlines()[-1].startswith("3 restored, 0 failed")


HARMFUL = "\x1b[31mred\n\u202e.png"


def test_no_name_reaches_the_terminal_as_it_is(wet, model, tmp_path, capsys):
    (wet / "belt_1.png").rename(wet / HARMFUL)
    (wet / f"x{HARMFUL}").write_bytes(b"rubbish")
    (wet / "\x1b.txt").touch()
    out = tmp_path / "dry\x1b"
    assert run("restore", wet, out, "--model", model) == 1
    said = capsys.readouterr().out
    assert r"\x1b.txt" in said
    assert r"x\x1b[31mred\n\u202e.png: cannot be read" in said
    assert said.replace("\n", "").isprintable()
    assert HARMFUL in names(out)
    assert run("restore", wet, out, "--model", model, "--json") == 1
    said = capsys.readouterr()
    assert HARMFUL in [json.loads(line)["file"] for line in said.out.splitlines()]
    assert (said.out + said.err).replace("\n", "").isprintable()
    for arguments in (
        ("restore", "nowhere\x1b", out),
        ("fly\x1b",),
        ("restore", wet, out, "--model", "\x1b.safetensors"),
    ):
        assert run(*arguments) == 2
        assert one_line(capsys.readouterr().err)[:-1].isprintable()


def test_a_terminal_that_lacks_a_letter_is_no_reason_to_end(wet, model, tmp_path, monkeypatch):
    (wet / "belt_1.png").rename(wet / "岩\udcff.png")
    (wet / "石.txt").touch()
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert run("restore", wet, tmp_path / "dry", "--model", model) == 0
    terminal.flush()
    said = terminal.buffer.getvalue().decode()
    assert r"skipped, because they are no photographs: \u77f3.txt" in said
    assert "3 restored, 0 failed" in said


# ---- calibrate ---------------------------------------------------------------------------------------------------


def test_a_calibration_is_made_and_used(good_folder, wet, tmp_path, capsys):
    belt, pairs = tmp_path / "belt.json", good_folder / "train"
    assert run("calibrate", belt, "--pairs", pairs, "--model", "classical") == 0
    assert "times as bright as restored" in capsys.readouterr().out
    assert run("restore", wet, tmp_path / "dry", "--model", "classical", "--calibration", belt) == 0
    assert (
        "Output calibrated on 3 pairs (belt_0.png, belt_1.png, belt_2.png). Engine: opencv." in capsys.readouterr().out
    )
    arguments = ("--wet", pairs / "wet", "--dry", pairs / "dry" / "belt_0.png", "--model", "classical")
    assert run("calibrate", belt, *arguments) == 2
    assert "belt.json exists already" in one_line(capsys.readouterr().err)
    assert run("calibrate", belt, *arguments, "--replace") == 0
    assert json.loads(belt.read_text())["fitted_on"]["way"] == "photographs"


def test_the_assumption_is_said_and_can_be_changed(wet, model, tmp_path, capsys):
    for name in ("classical", model):
        assert run("restore", wet, tmp_path / "as_is", "--model", name) == 0
        assert "Assumed: wet rock sends back 0.45 of the dry rock's light" in capsys.readouterr().out.splitlines()[0]
        assert run("restore", wet, tmp_path / "darker", "--model", name, "--darker", 0.3) == 0
        assert "sends back 0.3 of the dry rock's light, instead of 0.45" in capsys.readouterr().out
        means = [np.asarray(Image.open(tmp_path / out / "belt_0.png")).mean() for out in ("as_is", "darker")]
        assert means[1] > means[0] + 5
        shutil.rmtree(tmp_path / "as_is")
        shutil.rmtree(tmp_path / "darker")


def test_what_cannot_be_corrected_is_one_line(wet, model, good_folder, tmp_path, capsys):
    belt = tmp_path / "belt.json"
    assert run("calibrate", belt, "--pairs", good_folder / "train", "--model", "classical") == 0
    capsys.readouterr()
    (tmp_path / "bad.json").write_text("{")
    restore = ("restore", wet, tmp_path / "dry", "--model")
    for arguments, named in [
        ((*restore, "classical", "--calibration", belt, "--darker", 0.3), "leave --darker out"),
        ((*restore, "classical", "--darker", 3), "from 0.1 to 1"),
        ((*restore, "classical", "--engine", "torch"), "leave --engine out"),
        ((*restore, "classical", "--calibration", tmp_path / "bad.json"), "bad.json is damaged"),
        ((*restore, "classical", "--calibration", tmp_path / "none.json"), "none.json is missing"),
        ((*restore, model, "--calibration", belt), "made for another restorer (Classical"),
        (("calibrate", tmp_path / "new.json"), "--pairs alone, or with both --wet and --dry"),
        (("calibrate", tmp_path / "new.json", "--wet", wet), "--pairs alone"),
        (("calibrate", tmp_path / "new", "--pairs", wet), "must end in .json"),
        (("calibrate", tmp_path / "new.json", "--pairs", good_folder), "such as my_ore/train"),
    ]:
        assert run(*arguments) == 2
        assert named in one_line(capsys.readouterr().err)
    assert not (tmp_path / "dry").exists()
    assert not (tmp_path / "new.json").exists()


# ---- wet ---------------------------------------------------------------------------------------------------------


def test_dry_photographs_become_pairs(tmp_path, capsys):
    (tmp_path / "dry").mkdir()
    for k in range(3):
        Image.fromarray(render_pair(k, (40, 48)).dry).save(tmp_path / "dry" / f"belt_{k}.png")
    assert run("wet", tmp_path / "dry", tmp_path / "pairs", "--variants", 3, "--scale", 2, "--seed", 1) == 0
    out = capsys.readouterr().out
    assert "train: 3 pairs of 1 photograph(s)\nval: 2 pairs" in out
    assert names(tmp_path / "pairs" / "train" / "wet") == ["belt_0_0.png", "belt_0_1.png", "belt_0_2.png"]
    assert run("check", tmp_path / "pairs") == 0
    capsys.readouterr()
    for arguments, named in [
        ((tmp_path / "dry", tmp_path / "pairs"), "is not empty: name a new folder"),
        ((tmp_path / "dry", tmp_path / "new", "--scale", 0), "px_per_mm=0.0"),
        ((tmp_path / "none", tmp_path / "new"), "is not a folder"),
    ]:
        assert run("wet", *arguments) == 2
        assert named in one_line(capsys.readouterr().err)


def test_help_names_the_defaults_of_wetting(capsys):
    run("wet", "--help")
    text = " ".join(capsys.readouterr().out.split())
    assert f"(default: {VARIANTS})" in text
    assert f"(default: {PX_PER_MM:g})" in text
    assert f"more than {WINDOW} px" in text


# ---- export ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not is_installed("onnx"), reason="orelib[onnx] is not installed")
def test_an_exported_model_is_a_model_again(wet, model, tmp_path, capsys):
    assert run("export", model) == 0
    out = model.with_suffix(".onnx")
    assert capsys.readouterr().out == f"written to {out}\n"
    assert run("restore", wet / "belt_0.png", tmp_path / "dry", "--model", out) == 0
    assert "Checksum of the training data: 0123456789ab" in capsys.readouterr().out
    assert run("export", model, tmp_path / "belt.onnx", "--format", "onnx") == 0
    assert (tmp_path / "belt.onnx").read_bytes() == out.read_bytes()


@pytest.mark.skipif(not is_installed("onnx"), reason="orelib[onnx] is not installed")
def test_what_cannot_be_exported_is_one_line(model, tmp_path, capsys):
    model.with_suffix(".onnx").touch()
    for arguments, named in [
        ((tmp_path / "none.safetensors",), "none.safetensors is missing"),
        ((model,), "generator.onnx exists already"),
        ((model, tmp_path / "belt.pt"), "must end in .onnx"),
    ]:
        assert run("export", *arguments) == 2
        assert named in one_line(capsys.readouterr().err)


# ---- check -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def good_folder(tmp_path_factory):
    """Pairs large enough for their shift to be measured."""
    folder = tmp_path_factory.mktemp("ore")
    for seed in range(4):
        split, scene = ("train" if seed < 3 else "test"), render_pair(seed, (96, 112), px_per_mm=2.5)
        for side in ("wet", "dry"):
            path = folder / split / side / f"belt_{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(getattr(scene, side)).save(path)
    return folder


@pytest.fixture
def bad_folder(good_folder, tmp_path):
    """One dry photograph is shifted by 6 px to the right, another one is missing."""
    folder = shutil.copytree(good_folder, tmp_path / "bad")
    (folder / "train" / "dry" / "belt_0.png").unlink()
    path = folder / "train" / "dry" / "belt_1.png"
    Image.fromarray(np.roll(np.asarray(Image.open(path)), 6, axis=1)).save(path)
    return folder


def test_check_of_a_good_folder(good_folder, capsys):
    assert run("check", good_folder) == 0
    said = capsys.readouterr().out
    assert "belt_3" in said
    assert said.splitlines()[-1] == "4 pairs, 0 problem(s)"


def test_check_names_every_problem(bad_folder, capsys):
    assert run("check", bad_folder) == 1
    said = capsys.readouterr().out
    assert "belt_0.png: has no dry partner" in said
    assert "6.0 px further left" in said
    assert run("check", bad_folder, "--largest-shift", "10") == 1
    assert "further left" not in capsys.readouterr().out


def test_check_prints_no_name_as_it_is(good_folder, tmp_path, capsys):
    folder = shutil.copytree(good_folder, tmp_path / "harm\x1bful")
    for side in ("wet", "dry"):
        (folder / "train" / side / "belt_0.png").rename(folder / "train" / side / HARMFUL)
    (folder / "test" / "wet" / f"x{HARMFUL}").write_bytes(b"rubbish")
    assert run("check", folder) == 1
    said = capsys.readouterr().out
    assert r"\x1b[31mred\n\u202e" in said
    assert said.replace("\n", "").isprintable()
    assert "\n.png" not in said


def test_check_in_json_is_one_document(bad_folder, good_folder, capsys):
    assert run("check", bad_folder, "--json") == 1
    document = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert list(document) == ["ok", "pairs", "problems"]
    assert document["ok"] is False
    assert {row["stem"] for row in document["pairs"]} == {"belt_1", "belt_2", "belt_3"}
    assert len(document["problems"]) == 2
    assert set(document["problems"][0]) == {"file", "problem"}
    assert run("check", good_folder, "--json") == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_check_aligns_what_is_shifted(bad_folder, tmp_path, capsys):
    assert run("check", bad_folder, "--align", tmp_path / "aligned") == 2  # a partner is missing
    assert "belt_0" in one_line(capsys.readouterr().err)
    (bad_folder / "train" / "wet" / "belt_0.png").unlink()
    assert run("check", bad_folder, "--align", tmp_path / "aligned", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert {row["stem"]: row["action"] for row in document["aligned"]}["belt_1"] == "aligned"
    assert run("check", tmp_path / "aligned") == 0


def test_check_of_all_folders_below(bad_folder, good_folder, tmp_path, capsys):
    plant = tmp_path / "plant"
    shutil.copytree(good_folder, plant / "line 1")
    shutil.copytree(bad_folder, plant / "old" / "line 2")
    (plant / "circle").symlink_to(plant)
    assert run("check", plant, "--recursive") == 1
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if line.startswith("==")] == [
        f"== {plant / 'line 1'}", f"== {plant / 'old' / 'line 2'}"
    ]  # fmt: skip
    assert said.splitlines()[-1] == "2 folder(s), 1 with problems"
    assert run("check", plant, "--recursive", "--json") == 1
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["ok"] for document in documents] == [True, False]
    assert documents[0]["folder"].endswith("line 1")
    assert run("check", plant / "line 1", "--recursive") == 0
    capsys.readouterr()
    (tmp_path / "empty").mkdir()
    assert run("check", tmp_path / "empty", "--recursive") == 2
    assert "holds no folder with train or test" in one_line(capsys.readouterr().err)
    assert run("check", plant, "--recursive", "--align", tmp_path / "out") == 2
    assert "leave --recursive out" in one_line(capsys.readouterr().err)


def test_check_of_a_missing_folder_is_one_line(tmp_path, capsys):
    assert run("check", tmp_path / "nowhere") == 2
    assert "nowhere" in one_line(capsys.readouterr().err)


# ---- model files that are no good --------------------------------------------------------------------------------


@pytest.fixture
def bad_models(model, tmp_path):
    """Model files by what is wrong with them."""
    whole, folder = model.read_bytes(), tmp_path / "bad"
    folder.mkdir()
    contents = {"empty": b"", "cut": whole[:5000], "flipped": whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:],
                "text": b"a model", "giant_header": b"\xff" * 7 + b"\x00{}"}  # fmt: skip
    for name, content in contents.items():
        for suffix in ("safetensors", "onnx"):
            (folder / f"{name}.{suffix}").write_bytes(content)
    os.mkfifo(folder / "pipe.safetensors")
    os.mkfifo(folder / "pipe.onnx")
    (folder / "folder.safetensors").mkdir()
    (folder / "loop.safetensors").symlink_to("loop.safetensors")
    return [*sorted(folder.iterdir()), folder / "missing.safetensors"]


def test_a_bad_model_is_one_line_that_names_it(bad_models, wet, tmp_path, capsys):
    for path in bad_models:
        for command in (["restore", wet, tmp_path / "out", "--model", path], ["export", path, tmp_path / "out.onnx"]):
            assert run(*command) == 2
            captured = capsys.readouterr()
            assert path.name in one_line(captured.err)
            assert captured.out == ""
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.onnx").exists()


def test_a_model_without_a_name_is_named(wet, capsys):
    assert run("export", ".") == 2
    assert "is a folder" in one_line(capsys.readouterr().err)


@pytest.mark.skipif(not is_installed("onnx"), reason="orelib[onnx] is not installed")
def test_an_export_to_a_full_disk_is_one_line_and_leaves_nothing(model, monkeypatch, capsys):
    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert run("export", model) == 2
    assert "generator.onnx cannot be written (No space left" in one_line(capsys.readouterr().err)
    assert names(model.parent) == ["generator.safetensors"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 3 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=range(3),
)
def test_memory_that_runs_out_is_one_line(model, monkeypatch, capsys, error):
    def too_much(*_):
        raise error

    monkeypatch.setattr(module, "export_onnx", too_much)
    assert run("export", model) == 2
    assert "memory" in one_line(capsys.readouterr().err)


def test_an_error_that_nobody_thought_of_is_shown_whole(model, monkeypatch):
    def wrong(*_):
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(module, "export_onnx", wrong)
    with pytest.raises(RuntimeError, match="a fault of the program"):
        run("export", model)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_log_that_cannot_be_written_ends_no_work(wet, model, tmp_path):
    command = [sys.executable, "-m", "orelib.cli", "restore", str(wet), str(tmp_path / "dry"), "--model", str(model)]
    with open("/dev/full", "w") as full:
        done = subprocess.run([*command, "--json"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=600)
    assert done.returncode == 1
    assert {path.name for path in (tmp_path / "dry").iterdir()} == {path.name for path in wet.iterdir()}
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_there_need_be_no_stdout(wet, model, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    main(["restore", str(wet), str(tmp_path / "dry"), "--model", str(model)])
    assert len(list((tmp_path / "dry").iterdir())) == len(list(wet.iterdir()))


@pytest.mark.parametrize("shift", ["nan", "-1", "inf"])
def test_a_shift_that_is_none_is_one_line(good_folder, capsys, shift):
    assert main(["check", str(good_folder), f"--largest-shift={shift}"]) == 2
    assert "largest_shift" in capsys.readouterr().err
