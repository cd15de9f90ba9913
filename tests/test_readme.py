"""The README: its numbers come from files, its files exist, its commands are those that work."""

import json
import re

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


def test_training_times_are_those_of_the_reference_runs():
    seconds = [json.loads(path.read_text())["training_seconds"] for path in REFERENCE.glob("*-seed0/provenance.json")]
    assert len(seconds) == len(METHODS)
    assert f"{round(sum(seconds) / 60)} of them training" in " ".join(README.split())


def test_the_claims_arithmetic_is_told():
    assert CLAIM.split("Its own")[1] in " ".join(README.split())


def test_links_lead_to_files():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_profiles_are_as_described():
    for name in PROFILES:
        e = Experiment.from_profile(name, "improved")
        row = next(line for line in README.splitlines() if line.startswith(f"| `{name}`"))
        assert f"{e.train_pairs} + {e.val_pairs} + {e.test_pairs} scenes" in row
        assert f"{e.scene_size[0]} x {e.scene_size[1]} px" in row
        assert f"{e.steps:,} steps" in row
    others = [f"{name} {Experiment.from_profile('quick', name.lower()).steps}" for name in ("CycleGAN", "NAFNet")]
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
