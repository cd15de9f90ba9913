"""Makefile and Snakefile: names stay text, and no training is lost to a command that is given again."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from snakemake.cli import parse_config

from orelib.config import Experiment
from orelib.data.pairs import folder_state, load_pairs
from orelib.evaluation import evaluate
from orelib.runs import Folders
from orelib.training import train
from orelib.utils.provenance import write_provenance

NAMES = (
    "2024_05_12", "007", "1e3", "True", "null", "it's {mine} [a] (b)", "two  spaces ", '"quoted"', "a: b #c", "-x",
    "a$HOME", "🪨",
)  # fmt: skip


def quoted(**folders):
    return ["--config", "profile=smoke", *(f"{name}={json.dumps([str(folder)])}" for name, folder in folders.items())]


def snakemake(*arguments, check=True):
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "--quiet", "progress", "host", "reason"]
    return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=check, timeout=300)


@pytest.mark.parametrize(("data", "results"), list(zip(NAMES[::2], NAMES[1::2], strict=True)))
def test_make_hands_names_on_as_they_are(tmp_path, data, results):
    dump = tmp_path / "dump.py"
    dump.write_text(
        f"import json, sys; open({str(tmp_path / 'seen')!r}, 'w').write(json.dumps(sys.argv[1:])); sys.exit(1)"
    )
    command = ["make", "--old-file", "env", f"SNAKEMAKE={shlex.join([sys.executable, str(dump)])}", "PROFILE=smoke"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(
        [*command, f"DATA_DIR={data}", f"RESULTS_DIR={results}", "reproduce"],
        cwd=ROOT, env=environment, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    arguments = json.loads((tmp_path / "seen").read_text())
    config = parse_config(arguments[arguments.index("--config") + 1 :])
    assert (config["data_dir"], config["results_dir"]) == ([data], [results])


def test_snakemake_hands_names_on_as_they_are(tmp_path):
    name = "it's {mine} [a] (b)"
    shown = snakemake(
        "--dry-run", "--printshellcmds", *quoted(data_dir=tmp_path / "a" / name, results_dir=tmp_path / "b" / name)
    )
    commands = [line.partition(": ")[2] for line in shown.stdout.splitlines() if line.startswith("Shell command: ")]
    commands = [command for command in commands if command not in ("None", ":")]  # of rules that only collect
    assert len(commands) == 11
    for command in commands:
        words = shlex.split(command.replace(";", " "))
        assert any(str(tmp_path / "b" / name) in word for word in words), command


def test_a_number_for_a_folder_is_refused_with_its_reason():
    refused = snakemake("--dry-run", "--config", "profile=smoke", "results_dir=007", check=False)
    assert refused.returncode
    assert "results_dir was read as the number 7" in refused.stdout + refused.stderr


def test_what_file_managers_leave_behind_is_no_change(pair_folder, tmp_path):
    folder = shutil.copytree(pair_folder, tmp_path / "mine")
    before = folder_state(folder)
    (folder / "train" / "wet" / ".DS_Store").write_bytes(b"left by a file manager")
    assert folder_state(folder) == before
    (folder / "train" / "wet" / "belt_0.png").touch()
    assert folder_state(folder) != before


def test_a_training_on_images_that_changed_is_refused_and_kept(pair_folder, tmp_path):
    data = shutil.copytree(pair_folder, tmp_path / "2024_05_12")
    folders = Folders("smoke", str(data), str(tmp_path / "results"))
    pairs = load_pairs(folders)
    run = folders.run("improved", 0)
    evaluate(train(Experiment("smoke"), pairs, run), pairs)
    (run / "finished").touch()
    (folders.results / "manifest.csv").write_text("of the photographs as they were")
    edited = data / "train" / "wet" / "belt_0.png"
    Image.fromarray(255 - np.asarray(Image.open(edited))).save(edited)
    before = {path: path.read_bytes() for path in folders.results.rglob("*.*") if path.is_file()}
    refused = snakemake(*quoted(data_dir=data, results_dir=tmp_path / "results"), check=False)
    assert refused.returncode
    assert "improved-seed0" in refused.stdout + refused.stderr
    assert "choose another results_dir" in refused.stdout + refused.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert "Traceback" not in refused.stderr


def test_what_a_stamp_stands_for_is_looked_at(pair_folder, tmp_path):
    """A training whose files were deleted or damaged is asked for again, whatever Snakemake remembers."""
    results = tmp_path / "results" / "smoke"
    for method, name in (("slim", ""), ("nafnet", "baselines.csv"), ("improved", "metrics.csv")):
        run = results / f"{method}-seed0"
        run.mkdir(parents=True)
        for file in ("finished", "generator.safetensors", "metrics.csv", "baselines.csv"):
            (run / file).write_text("whole")
        write_provenance(run, "metrics.csv")
        if name == "baselines.csv":
            (run / name).unlink()
        elif name:
            (run / name).write_text("damaged")
    snakemake("--dry-run", *quoted(data_dir=pair_folder, results_dir=tmp_path / "results"))
    assert [path.parent.name for path in results.glob("*/finished")] == ["slim-seed0"]


def test_a_notebook_that_fails_is_one_line(tmp_path):
    command = [
        sys.executable,
        "-m",
        "orelib.utils.execute",
        "notebooks/06_loss_curves.ipynb",
        str(tmp_path / "out.ipynb"),
    ]
    parameters = ["-r", "profile", "smoke", "-r", "results_dir", str(tmp_path / "none")]
    failed = subprocess.run([*command, *parameters], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert failed.returncode
    assert "orelib: FileNotFoundError: " in failed.stderr
    assert "05_training" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_results_among_the_photographs_are_refused_before_anything_is_made(tmp_path):
    (tmp_path / "mine").mkdir()
    refused = snakemake(*quoted(data_dir=tmp_path / "mine", results_dir=tmp_path / "mine" / "{results}"), check=False)
    assert refused.returncode
    assert "neither holds the other nor lies in it" in refused.stdout + refused.stderr
    assert not list((tmp_path / "mine").iterdir())


def planned(*options):
    """What each job of a plan asks for, by rule: a list of lines, as Snakemake prints them."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "64", "--config", "profile=smoke", *options]
    plan = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300).stdout
    jobs = {}
    for part in plan.split("\nrule ")[1:]:
        lines = [line.strip() for line in part.splitlines()]
        jobs.setdefault(lines[0].rstrip(":"), []).append(lines[1:])
    return jobs


def test_every_job_says_what_it_needs_of_a_node(tmp_path):
    """A scheduler would give an unbounded job a whole node, or leave it waiting for ever."""
    folder = f'results_dir=["{tmp_path}"]'
    jobs = planned(folder, "--forceall", "--", "all", "study")
    assert {"train", "size_particles", "changed_scenes", "size_without_runs", "table3"} <= set(jobs)
    for rule in ("train", "size_particles", "changed_scenes", "size_without_runs"):
        for job in jobs[rule]:
            asked = next(line for line in job if line.startswith("resources: "))
            assert "runtime=" in asked, rule
    cores = [int(line.removeprefix("threads: ")) for some in jobs.values() for job in some for line in job
             if line.startswith("threads: ")]  # fmt: skip
    assert cores
    assert max(cores) <= 4


def test_a_training_asks_for_a_gpu_if_it_uses_one(tmp_path):
    runs = [f"{tmp_path}/smoke/slim{changes}-seed0/sizing.csv" for changes in ("", "+device=cpu")]
    folder = f'results_dir=["{tmp_path}"]'
    for gpu, expected in ((1, {"slim": "gpu=1", "slim+device=cpu": "gpu=0"}), (0, dict.fromkeys(["slim"], "gpu=0"))):
        jobs = planned(folder, f"gpu={gpu}", "--", *runs)
        for rule in ("train", "size_particles"):
            said = {}
            for job in jobs[rule]:
                variant = re.search("variant=([^,]+)", next(line for line in job if line.startswith("wildcards: ")))[1]
                said[variant] = re.search(r"gpu=\d", next(line for line in job if line.startswith("resources: ")))[0]
            assert expected.items() <= said.items(), (rule, said)


def test_what_a_training_has_left_is_declared_and_never_deleted_by_the_workflow(tmp_path):
    """Snakemake deletes the outputs of a rule that is run again, or that fails."""
    run = tmp_path / "smoke" / "slim-seed0"
    kept = [f"{run}/{name}" for name in ("generator.safetensors", "history.csv", "provenance.json")]
    jobs = planned(f'results_dir=["{tmp_path}"]', "--", *kept)
    (outputs,) = [line for line in jobs["train"][0] if line.startswith("output: ")]
    assert outputs == f"output: {run}/finished"
