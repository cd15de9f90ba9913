"""The benchmark scripts run, at tiny sizes; what they measure is not judged here."""

import subprocess
import sys

import numpy as np
import pandas as pd
from conftest import ROOT

from orelib.training import train


def run(script: str, *arguments) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_rendering_is_measured():
    seconds, gibibytes = map(float, run("rendering.py", 32, 40, 1.0, 2).split())
    assert 0 < seconds < 5
    assert 0 < gibibytes < 5


def test_transfer_is_measured_beside_the_baselines(tmp_path, experiment, pairs, pair_folder):
    model = train(experiment, pairs, tmp_path / "improved-seed0") / "generator.safetensors"
    folders = ["--trained-on", pair_folder, "--dry", pair_folder / "test" / "dry", "--csv", tmp_path / "out.csv"]
    printed = run("transfer.py", pair_folder, "--model", model, *folders)
    assert "2 dry photographs, before against after" in printed
    scores = pd.read_csv(tmp_path / "out.csv").set_index("restorer")
    assert {"do nothing", "improved-seed0", "improved-seed0, dry photographs in and out"} < set(scores.index)
    assert np.nan_to_num(scores.loc["do nothing", "glare_removed"]) == 0
    same = scores.loc[["linear_colour (fitted here)", "linear_colour (fitted as the restorer)"]]
    assert len(same.drop_duplicates()) == 1
