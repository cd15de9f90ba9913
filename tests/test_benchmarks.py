"""The benchmark scripts run, at tiny sizes; what they measure is not judged here."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT
from PIL import Image

from orelib.baselines import BASELINES
from orelib.config import Experiment
from orelib.data.pairs import load_pairs
from orelib.data.scenes import render_pair
from orelib.methods import CLASSES
from orelib.methods.base import network_dtype
from orelib.restore.engines import is_installed
from orelib.restore.restorer import DEFAULT_RESTORER
from orelib.runs import Folders
from orelib.training import train


def run(script: str, *arguments) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_rendering_is_measured():
    seconds, gibibytes = map(float, run("rendering.py", 32, 40, 1.0, 2).split())
    assert seconds > 0
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


def test_the_segmenter_is_measured_on_outlined_photographs(tmp_path):
    scene = render_pair(3, (128, 128), px_per_mm=3.0)
    for name, image in (("images", scene.dry), ("masks", scene.labels.astype(np.uint16))):
        (tmp_path / "belt" / name).mkdir(parents=True)
        Image.fromarray(image).save(tmp_path / "belt" / name / "one.png")
    run("segmenter.py", tmp_path / "belt", "--csv", tmp_path / "out.csv", "--enlarged", 1, 2)
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["enlarged"].tolist() == [1, 2]
    assert (table["outlined"] > 3).all()
    assert (table["matched"] > 0.2).all()


def test_rendered_scenes_and_photographs_are_compared_as_training(tmp_path, pairs, pair_folder, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import real_pairs

    for folder in ("notebooks", "orelib"):
        (tmp_path / folder).mkdir()  # an empty kit, for results/real
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(real_pairs, "METHODS", ("slim",))
    monkeypatch.setattr(sys, "argv", ["real_pairs.py", str(pair_folder), "--rendered", str(tmp_path / "cpu"),
                                      "--seeds", "2", "--steps", "2", "--csv", str(tmp_path / "out.csv")])  # fmt: skip
    for seed in range(2):
        train(Experiment("smoke", "slim", seed), pairs, tmp_path / "cpu" / f"slim-seed{seed}")
    real_pairs.main()
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["method"].tolist() == ["slim"] * 3 + list(BASELINES)
    assert table["psnr"].notna().all()
    assert table["seeds"].head(3).tolist() == [2] * 3
    usual = table.set_index("method").loc["linear_colour"]
    assert usual[["psnr_gain", "ssim_gain", "ssim_gain_low"]].tolist() == [0, 0, 0]
    np.testing.assert_allclose(table["psnr_gain"], table["psnr"] - usual["psnr"], atol=1e-5)  # as rounded in the file


@pytest.fixture
def common(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import common

    return common


def test_a_row_says_how_many_times_better(common):
    faster = common.Row(1, "a step", "a peer", ours=2.0, theirs=3.0, at_least=1.2, aim=1.6)
    assert (faster.ratio, faster.verdict) == (1.5, "at least")
    more = common.Row(5, "samples", "a peer", 90.0, 30.0, 1, 3, unit="samples/s", better="more")
    assert (more.ratio, more.verdict) == (3.0, "aim")
    assert common.Row(9, "all of it", "itself", 3.0, 3.0, 1.3, 2).verdict == "short"
    assert common.Row(10, "start", "", 0.3, None, 0.5, 0.2).verdict == "at least"


def test_ways_take_turns(common):
    turns = []
    seconds = common.in_turn({"one": lambda: turns.append(1), "other": lambda: turns.append(2)}, rounds=2)
    assert turns == [1, 2] * 3
    assert set(seconds) == {"one", "other"}


@pytest.mark.parametrize("way", ["orelib", "default"])
@pytest.mark.parametrize("method", ["pix2pix", "cyclegan"])
def test_a_step_is_measured(way, method):
    assert float(run("steps.py", way, method, 4, 32)) > 0


def test_growth_is_measured():
    seconds, mebibytes = map(float, run("growth.py", "restore", 128).split())
    assert seconds > 0
    assert mebibytes >= 0


@pytest.mark.skipif(not is_installed("openvino"), reason="orelib[openvino] is not installed")
def test_a_belt_is_measured(common, tmp_path, noise):
    for number in range(3):
        Image.fromarray(noise.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(tmp_path / f"{number}.jpg")
    import belt

    printed = run("belt.py", "float32", DEFAULT_RESTORER, tmp_path).splitlines()[-1]
    *milliseconds, classical = map(float, printed.split())
    assert min(milliseconds) > 0
    assert classical == 3  # noise is unlike the scenes
    row = belt.row("Slim", "now", [*milliseconds, classical], 2 * milliseconds[belt.TOGETHER])
    assert row["times"] == "2.00"
    assert list(belt.restorers(tmp_path)) == ["the kit's", "Slim", "classical"]


@pytest.mark.parametrize("way", ["plain", "torch"])
def test_restoring_is_measured(way):
    seconds, mebibytes = map(float, run("restoring.py", way, DEFAULT_RESTORER, 64, 96).split())
    assert seconds > 0
    assert mebibytes >= 0


def test_rows_of_a_large_photograph_compare_time_and_memory(common, monkeypatch):
    import restoring

    monkeypatch.setattr(restoring, "processes_in_turn", lambda script, ways: dict.fromkeys(ways, (2.0, 100.0)))
    rows = restoring.large_rows(DEFAULT_RESTORER)
    assert [(row.ours, row.theirs) for row in rows] == [(2.0, 2.0), (100.0, 100.0)] * 4
    assert "1.00 times as long with 1.0 times less memory" in rows[0].finding


def test_processes_take_turns(common, monkeypatch):
    turns = []
    monkeypatch.setattr(common, "run_script", lambda script, way: turns.append(way) or [len(turns), 7.0])
    numbers = common.processes_in_turn("any.py", {"one": ("a",), "other": ("b",)})
    assert turns == ["a", "b"] * 3
    assert numbers == {"one": (1, 7.0), "other": (2, 7.0)}


@pytest.fixture
def bench(common, monkeypatch, tmp_path):
    """``run.py``, keeping what it measures elsewhere; each benchmark gives a row that says when it ran."""
    import run

    monkeypatch.setattr(run, "KEPT", tmp_path / "benchmarks.json")
    monkeypatch.setattr(run, "PAGE", tmp_path / "benchmarks.md")
    ran = []

    def measured(name: str) -> list[dict]:
        ran.append(name)
        if name == "growth":
            return [{"pixels": "64 x 64", "seconds": str(len(ran))}]
        row = common.Row(1, f"{name} {len(ran)}", "a peer", 2.0, 3.0, 1.2, 1.6, finding=f"found in {name}")
        return [common.as_dict(row)]

    monkeypatch.setattr(run, "measured", measured)
    return run


def test_what_was_measured_is_kept_benchmark_by_benchmark(bench):
    bench.main(["steps", "growth"])
    bench.main(["mosaic", "steps"])
    page = bench.PAGE.read_text()
    assert "| 1 | steps 4 | 2 s | 3 s | a peer | 1.50 | 1.2 / 1.6 | at least |" in page
    assert "mosaic 3" in page
    assert "| 64 x 64 | 2 |" in page
    assert "steps 1" not in page
    assert "- **Row 1.** found in steps" in page


def test_another_machines_measurements_are_replaced(bench, monkeypatch):
    bench.main(["steps"])
    monkeypatch.setattr(bench.os, "cpu_count", lambda: 1000)
    bench.main(["mosaic"])
    assert "steps" not in bench.PAGE.read_text()
    assert "1000 cores" in bench.PAGE.read_text()


def test_memory_is_that_of_the_process_itself():
    """Not that of the one which started it, which holds PyTorch here."""
    code = "from common import peak_mebibytes; print(peak_mebibytes())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "benchmarks", check=True, capture_output=True, text=True
    )
    assert 1 < float(done.stdout) < 150


def test_what_a_measured_program_prints_is_not_its_result(common, tmp_path, monkeypatch):
    import run

    (tmp_path / "benchmarks").mkdir()
    shutil.copy(ROOT / "benchmarks" / "common.py", tmp_path / "benchmarks")
    (tmp_path / "benchmarks" / "noisy.py").write_text(
        "import subprocess\nimport sys\n\nfrom common import Row\n\n\ndef measure():\n"
        "    subprocess.run([sys.executable, '-c', 'print(1)'], check=True)\n"
        "    return [Row(1, 'a step', 'a peer', 2.0, 3.0, 1, 2)]\n"
    )
    monkeypatch.setattr(run, "ROOT", tmp_path)
    assert [row["ratio"] for row in run.measured("noisy")] == [1.5]


def test_real_rock_is_measured_by_what_a_user_has(tmp_path, pair_folder, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import real_rock

    for folder in ("notebooks", "orelib"):
        (tmp_path / folder).mkdir()  # an empty kit, for results/real_rock
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["real_rock.py", str(pair_folder), "--rendered", str(pair_folder), "--seeds", "2",
                                      "--profile", "smoke", "--csv", str(tmp_path / "out.csv")])  # fmt: skip
    real_rock.main()
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["has"].unique().tolist() == ["nothing", "one pair", "one dry photograph", "dry photographs", "pairs"]
    assert table["psnr"].notna().all()
    assert (table["images"] == 2).all()
    turns = table[table["has"] == "one pair"]
    assert (turns["turns"] == 6).all()
    assert (turns["psnr_worst"] <= turns["psnr"]).all()
    groups = list(real_rock.left_out(load_pairs(Folders("", str(pair_folder))).train))
    assert [len(fold.restored) for fold in groups] == [5], "all names begin with belt_"


def test_gpu_measurements_make_a_page(common, tmp_path, monkeypatch):
    """All of them on the processor, tiny; nobody has run them on a GPU."""
    import gpu

    for folder in ("notebooks", "orelib"):
        (tmp_path / folder).mkdir()  # an empty kit, for its data and results
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gpu, "has_vgg19", lambda: False)
    cpu = torch.device("cpu")
    steps = gpu.step_rows(cpu, "smoke", side=32, calls=1)
    assert [row["method"] for row in steps] == ["Pix2Pix", "CycleGAN", "Improved", "NAFNet", "Slim"]
    restoring = gpu.restoring_rows(cpu, "smoke", sizes=((40, 48),), calls=1)
    assert [row["restorer"] for row in restoring] == ["the kit's network", "Improved of width 4"]
    trained = gpu.training_rows(cpu, "smoke", "steps=2 validate_every=2 train_pairs=4 val_pairs=1 test_pairs=1")
    assert list((tmp_path / "results" / "gpu" / "smoke").glob("improved+*lambda_perceptual=0*-seed0/metrics.csv"))
    facts = dict(card="A card, 24 GiB", driver="1", torch="2", commit="abc")
    text = gpu.page(facts, steps, restoring, *trained)
    assert "**Without the perceptual loss**" in text
    assert text.count("\n| ---") == 3
    assert "{" not in text
    assert all(float(cell) > 0 for cell in re.findall(r"([\d.]+) ms \|", text))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_step_is_measured_in_the_precision_that_is_named(common, dtype):
    import gpu

    with gpu.computing_in(dtype):
        method = CLASSES["slim"](Experiment("smoke", "slim"), torch.device("cpu"))
    seen = []
    layer = next(module for module in method.generator.modules() if isinstance(module, torch.nn.Conv2d))
    layer.register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
    method.step(*torch.rand(2, 1, 3, 32, 32))
    assert seen == [dtype]
    assert network_dtype(torch.device("cpu"), "float32") == torch.float32


def test_without_a_gpu_nothing_is_measured(monkeypatch, common, tmp_path):
    import gpu

    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    monkeypatch.setattr(gpu, "PAGE", tmp_path / "gpu.md")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert str(ended.value.code).startswith("Nothing was measured")  # which Python prints, and exits with 1
    assert not gpu.PAGE.exists()
