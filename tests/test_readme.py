"""The README: its numbers come from files, its files exist, its commands are those that work."""

import json
import re

import pandas as pd
import pytest
import torch
from conftest import ROOT
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.vgg import cfgs, make_layers

from orelib.config import METHODS, PROFILES, Experiment
from orelib.losses import PerceptualLoss
from orelib.methods import Improved
from orelib.table3 import CLAIM, differences, read_table3, readable, readable_costs, to_markdown

README = (ROOT / "README.md").read_text()
REFERENCE = ROOT / "results" / "reference" / "quick"


def test_table_3_is_the_committed_one():
    table = read_table3(REFERENCE / "table3.csv")
    assert to_markdown(readable(table)) in README
    assert to_markdown(readable_costs(table)) in README


def test_the_findings_are_in_the_scores():
    text = " ".join(README.split())
    for (_, _, metric), row in differences(REFERENCE).iterrows():
        mean, low, high = (f"{row[name]:.{2 if metric == 'PSNR, dB' else 3}f}" for name in ("measured", "low", "high"))
        assert f"{mean} [{low}, {high}]" in text


def test_what_is_said_of_photographs_was_measured():
    text = " ".join(README.split())
    core = {
        name: pd.read_csv(REFERENCE / f"transfer-{name}.csv").set_index("restorer") for name in ("nafnet", "improved")
    }
    nafnet, improved = (core[name].loc[f"{name}-seed0"] for name in core)
    assert (
        f"Improved reaches {improved['psnr']:.1f} dB, takes away {improved['glare_removed']:.0%}".replace("%", " %")
        in text
    )
    assert f"lowers SSIM from {core['improved'].loc['do nothing', 'ssim']:.2f} to {improved['ssim']:.2f}" in text
    assert f"reaches {nafnet['psnr']:.1f} dB and {nafnet['ssim']:.2f}, and brightens the glare" in text
    assert nafnet["glare_removed"] < 0
    for name, table in core.items():
        assert f"{table.loc[f'{name}-seed0, dry photographs in and out', 'psnr']:.0f} dB of what they were" in text
    trained_long = (
        pd.read_csv(REFERENCE.parent / "restorer" / "transfer.csv").set_index("restorer").loc["default restorer"]
    )
    scores, longer = (
        pd.read_csv(REFERENCE.parent / profile / "nafnet-seed0" / "metrics.csv")["psnr"]
        for profile in ("quick", "restorer")
    )
    gained, lost = (longer.head(len(scores)) - scores).mean(), nafnet["psnr"] - trained_long["psnr"]
    assert f"gains {gained:.1f} dB on the same test scenes and loses {lost:.1f} dB on the core" in text


def test_training_times_are_those_of_the_reference_runs():
    seconds = [json.loads(path.read_text())["training_seconds"] for path in REFERENCE.glob("*-seed0/provenance.json")]
    assert len(seconds) == len(METHODS)
    assert f"take {round(sum(seconds) / 60)} minutes of one core" in " ".join(README.split())


def test_speed_is_what_was_measured(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import run

    kept = json.loads(run.KEPT.read_text())
    assert run.summary(kept["rows"]) in README
    assert run.PAGE.read_text() == run.page(kept["machine"], kept["rows"])
    slim_finding = next(row["finding"] for row in kept["rows"]["restoring"] if row["number"] == 7)
    found = re.findall(r"(\d+\.\d+) dB and (?:SSIM )?(0\.\d+)", slim_finding)
    scenes = [float(number) for pair in found for number in pair]
    core = []
    for name, restorer in (("slim", "slim-seed0"), ("pix2pix-width64", "pix2pix-seed0")):
        table = pd.read_csv(REFERENCE / f"transfer-{name}.csv").set_index("restorer")
        core += [table.loc[restorer, "psnr"], table.loc[restorer, "ssim"]]
    for scores in (scenes, core):
        assert "{:.1f} dB and {:.2f} against {:.1f} dB and {:.2f}".format(*scores) in " ".join(README.split())
    memory = [row["ratio"] for row in kept["rows"]["restoring"] if row["unit"] == "MiB"]  # NAFNet twice, then the U-Net
    assert all(ratio >= 4 for ratio in (*memory[:2], memory[3]))


def test_the_claims_arithmetic_is_told():
    assert CLAIM.split("Its own")[1] in " ".join(README.split())


def test_links_lead_to_files():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_profiles_are_as_described():
    for name in PROFILES:
        e = Experiment.from_profile(name, "improved")
        row = next(line for line in README.splitlines() if line.startswith(f"| `{name}`"))
        assert f"{e.train_pairs:,} + {e.val_pairs} + {e.test_pairs} scenes" in row
        assert f"{e.scene_size[0]} x {e.scene_size[1]} px" in row
        assert f"{e.steps:,} steps" in row
    others = [
        f"{name} {Experiment.from_profile('quick', name.lower()).steps}" for name in ("CycleGAN", "NAFNet", "Slim")
    ]
    assert f"({', '.join(others)})" in README


@pytest.mark.parametrize("command", ["make reproduce", "make lab", "make test", "make reference", "make help"])
def test_make_targets_exist(command):
    assert command in README
    assert re.search(rf"^{command.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_cost_of_the_paper_profile_is_calculated(monkeypatch):
    """FLOPs of one step by counting, without computing: on PyTorch's meta device."""
    monkeypatch.setattr(Improved, "adam", lambda self, *arguments: None)
    monkeypatch.setattr(Improved, "update", lambda self, optimizer, loss: loss.backward())
    experiment = Experiment.from_profile("paper", "improved", lambda_perceptual=0.0)
    with torch.device("meta"):
        method = Improved(experiment, torch.device("meta"))
        image = torch.empty(1, 3, experiment.mosaic_size, experiment.mosaic_size)
        vgg = make_layers(cfgs["E"])[: PerceptualLoss.TAPS[-1] + 1]
    with FlopCounterMode(display=False) as step:
        method.step(image, image)
    with FlopCounterMode(display=False) as features:
        vgg(torch.cat([image, image]))
    # VGG19's weights are fixed: its backward pass costs about as much as its forward pass.
    teraflop = (step.get_total_flops() + 2 * features.get_total_flops()) / 1e12
    hours = experiment.steps * teraflop / 20 / 3600
    assert f"costs {teraflop:.1f} TFLOP" in " ".join(README.split())
    assert f"about {hours:.0f} hours" in " ".join(README.split())
