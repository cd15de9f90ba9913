"""The benchmark scripts run, at tiny sizes; what they measure is not judged here."""

import subprocess
import sys

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
    run_folder = train(experiment, pairs, tmp_path / "improved-seed0")
    dry = pair_folder / "test" / "dry"
    table, harm = run("transfer.py", run_folder, pair_folder, "--trained-on", pair_folder, "--dry", dry).split("\n\n")
    assert harm.startswith("2 dry photographs")
    rows = [line.rsplit(maxsplit=6) for line in table.splitlines()[2:]]
    columns = ["restorer", "psnr", "ssim", "sharpness", "psnr_glare", "glare", "bias"]
    scores = pd.DataFrame(rows, columns=columns).set_index("restorer")
    assert {"do nothing", "improved-seed0", "linear_colour (fitted as the restorer)"} < set(scores.index)
    assert scores.loc["do nothing", "glare"] in ("0.000", "NaN", "-0.000")
    same = scores.loc[["linear_colour (fitted here)", "linear_colour (fitted as the restorer)"]]
    assert len(same.drop_duplicates()) == 1
