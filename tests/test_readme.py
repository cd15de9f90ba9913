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
from orelib.study.bootstrap import CONTRADICTED, NOISE, NOT_RUN, REPRODUCED, UNTESTED
from orelib.study.claims import Results, weigh
from orelib.study.effects import ablation_effects, compared, missing, scores, share_gone, table3_of_seeds
from orelib.study.table3 import CLAIM, COSTS, differences, readable, readable_costs, to_markdown
from orelib.utils.tables import read_table

README = (ROOT / "README.md").read_text("utf-8")
REFERENCE = ROOT / "results" / "reference" / "quick"
STUDY = REFERENCE.parent / "cpu"
VERDICTS = (REPRODUCED, NOISE, CONTRADICTED, UNTESTED, NOT_RUN)


def test_the_answer_is_what_the_published_experiment_found():
    text = " ".join(README.split())

    def less(one, other, metric, digits):
        row = compared(STUDY, one, other, (metric,)).iloc[0]
        return f"{abs(row['mean']):.{digits}f}", f"[{row['low']:.{digits}f}, {row['high']:.{digits}f}]"

    psnr, ssim = (" ".join(less("improved", "pix2pix", *metric)) for metric in (("psnr", 2), ("ssim", 3)))
    assert f"Improved beats Pix2Pix by {psnr} dB and {ssim} in SSIM" in text
    better = compared(STUDY, "improved", "pix2pix")
    assert better.loc["colour error", "high"] < 0
    for metric in ("sharpness", "glare removed"):
        assert better.loc[metric, "low"] < 0 < better.loc[metric, "high"]
    assert compared(STUDY, "telea", "pix2pix", ("psnr",)).iloc[0]["high"] < 0
    assert compared(STUDY, "telea", "pix2pix", ("ssim",)).iloc[0]["low"] > 0
    psnr, ssim = (less("telea", "pix2pix", *metric)[0] for metric in (("psnr", 2), ("ssim", 3)))
    assert f"is {psnr} dB below Pix2Pix and {ssim} above it in SSIM" in text
    faster = "improved+learning_rate=0.002"
    nafnet, slim = ([less(name, other, "psnr", 2)[0] for other in ("improved", faster)] for name in ("nafnet", "slim"))
    assert f"NAFNet is {nafnet[0]} dB above Improved ({nafnet[1]} dB above Improved at 0.002)" in text
    assert f"Slim {slim[0]} dB ({slim[1]} dB) at a twentieth" in text
    psnr, ssim = (" ".join(less(faster, "improved", *metric)) for metric in (("psnr", 2), ("ssim", 3)))
    assert f"Improved gains another {psnr} dB and {ssim} in SSIM" in text
    assert f"is {' '.join(less('improved', 'pix2pix', 'psnr_glare', 2))} dB nearer to dry rock" in text
    assert compared(STUDY, "slim", "improved", ("glare_removed",)).iloc[0]["high"] < 0


def test_the_published_experiment_is_whole():
    assert missing(STUDY, "cpu") == []
    seconds = [json.loads(path.read_text())["training_seconds"] for path in STUDY.glob("*-seed*/provenance.json")]
    assert f"{len(seconds)} trainings take {sum(seconds) / 3600:.1f} hours of one core" in " ".join(README.split())


def test_table_3_over_all_seeds_is_the_committed_one():
    table = pd.read_csv(STUDY / "table3_of_seeds.csv", dtype=str)
    pd.testing.assert_frame_equal(table, table3_of_seeds(STUDY, "cpu"))
    columns = ["method", "paper PSNR, dB", "paper SSIM", "PSNR, dB", "SSIM", "PSNR in glare, dB", "glare removed",
               "colour error", "sharpness", "seeds"]  # fmt: skip
    assert to_markdown(table[columns]) in README


def test_what_each_part_does_was_found():
    text, effects = " ".join(README.split()), ablation_effects(STUDY, "cpu").set_index(["effect", "metric"])

    def change(effect, metric):
        row, digits = effects.loc[effect, metric], 2 if metric == "psnr" else 3
        return f"{abs(row['mean']):.{digits}f}", f"[{row['low']:.{digits}f}, {row['high']:.{digits}f}]"

    psnr, ssim = (" ".join(change("SSIM loss", metric)) for metric in ("psnr", "ssim"))
    assert f"the SSIM loss adds {psnr} dB and {ssim} to a U-Net with residual modules" in text
    assert f"which alone add {' '.join(change('residual modules', 'psnr'))} dB" in text
    assert effects.loc["residual modules", "ssim"]["low"] < 0 < effects.loc["residual modules", "ssim"]["high"]
    assert f"Mosaic loses {change('Mosaic', 'psnr')[0]} dB" in text
    without = compared(STUDY, "improved+lambda_adversarial=0", "improved")
    row = without.loc["PSNR, dB"]
    gained = f"{row['mean']:.2f} [{row['low']:.2f}, {row['high']:.2f}] dB and {without.loc['SSIM', 'mean']:.3f} in SSIM"
    assert f"without the adversarial loss, Improved gains {gained}" in text
    assert without.loc[["colour error", "invented edges"], "high"].max() < 0
    for metric in ("sharpness", "glare removed"):
        assert without.loc[metric, "low"] < 0 < without.loc[metric, "high"]


def test_a_field_was_changed_and_the_change_written_down():
    found = compared(STUDY, "improved+ssim_window=7", "improved", ("psnr", "ssim"))
    psnr, ssim = (
        f"{row['mean']:.{digits}f} [{row['low']:.{digits}f}, {row['high']:.{digits}f}]"
        for (_, row), digits in zip(found.iterrows(), (2, 3), strict=True)
    )
    assert f"three seeds under `cpu`: {psnr} dB and {ssim} in SSIM" in " ".join(README.split())


def test_what_is_said_of_wet_rock_was_measured():
    text = " ".join(README.split())
    table = pd.read_csv(STUDY / "real_pairs.csv").set_index(["method", "trained on"])
    rendered, real, both = "rendered scenes", "photographs", "rendered scenes, then photographs"

    def gain(method, trained_on, metric, digits):
        row = table.loc[(method, trained_on), [f"{metric}_gain", f"{metric}_gain_low", f"{metric}_gain_high"]]
        return "{:.{digits}f} [{:.{digits}f}, {:.{digits}f}]".format(*row, digits=digits)

    assert f"falls {-table.loc[('improved', rendered), 'psnr_gain']:.1f} dB below a linear colour map" in text
    assert f"it is {gain('improved', both, 'psnr', 2)} dB above it, and in SSIM level with it" in text
    assert f"from the colour map by {gain('improved', both, 'ssim', 3)} in SSIM; NAFNet" in text
    assert f"on these tiles alone, is {gain('nafnet', real, 'ssim', 3)} above it" in text
    nafnet, usual = table.loc[("nafnet", real)], table.loc[("linear_colour", real)]
    assert f"reach {nafnet['psnr']:.1f} dB and {nafnet['ssim']:.2f} (the colour map {usual['psnr']:.1f} dB and" in text
    pix2pix, improved, nafnet = (
        table.loc[(name, both), "psnr"] - table.loc[(name, real), "psnr"] for name in ("pix2pix", "improved", "nafnet")
    )
    assert f"gains Pix2Pix {pix2pix:.1f} dB and Improved {improved:.1f} dB, and loses NAFNet {-nafnet:.1f} dB" in text


def test_what_is_said_of_particles_was_found():
    text = " ".join(README.split())
    names = ("do_nothing", "telea", "pix2pix", "improved", "dry", "nafnet")
    wet, telea, pix2pix, improved, dry, nafnet = (
        f"{100 * scores(STUDY, name, 'matched', 'sizing.csv').to_numpy().mean():.0f} %" for name in names
    )
    assert f"finds {wet} of the particles in wet images, {telea} after the classical filling, {pix2pix} after" in text
    assert f"Pix2Pix, {improved} in what Improved makes of them, and {dry} in dry ones" in text
    assert f"NAFNet's images show {nafnet} of the particles" in text
    gone, of_dry = (
        [
            f"{100 * share.mean:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}]"
            for share in (share_gone(STUDY, name)[error] for error in ("p80", "p50", "count"))
        ]
        for name in ("improved", "dry")
    )
    assert f"of P80, Improved takes {gone[0]} away, of P50 {gone[1]}, of count {gone[2]}; dry images take" in text
    assert f"dry images take {of_dry[0]}, {of_dry[1]} and {of_dry[2]}" in text
    scenes = len(pd.read_csv(STUDY / "sizing.csv").query("method == 'dry'"))
    assert f"{scenes} scenes are too few" in text
    photographs = pd.read_csv(STUDY / "segmenter_photographs.csv").query("enlarged == 2").set_index("folder")
    belt, gravel = (f"{100 * photographs.loc[name, 'matched']:.0f} %" for name in ("ore_belt", "gravel"))
    assert f"finds {belt} of the particles that were outlined" in text
    assert f"enlarged twice, and {gravel} in four of river gravel" in text


def test_the_claims_are_counted():
    claims = pd.read_csv(STUDY / "claims.csv")
    pd.testing.assert_frame_equal(claims, weigh(Results(STUDY, "cpu")))
    counts = claims["verdict"].value_counts()
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if verdict in counts)
    assert f"**Of {len(claims)} claims of the paper**, {said}: each" in " ".join(README.split())


def test_table_3_is_the_committed_one():
    table = read_table(REFERENCE / "table3.csv").astype(COSTS)
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
    assert run.PAGE.read_text("utf-8") == run.page(kept["machine"], kept["rows"])
    slim_finding = next(row["finding"] for row in kept["rows"]["restoring"] if row["number"] == 7)
    found = re.findall(r"(\d+\.\d+) dB and (?:SSIM )?(0\.\d+)", slim_finding)
    scenes = [float(number) for pair in found for number in pair]
    core = []
    for name, restorer in (("slim", "slim-seed0"), ("pix2pix-width64", "pix2pix-seed0")):
        table = pd.read_csv(REFERENCE / f"transfer-{name}.csv").set_index("restorer")
        core += [table.loc[restorer, "psnr"], table.loc[restorer, "ssim"]]
    for means in (scenes, core):
        assert "{:.1f} dB and {:.2f} against {:.1f} dB and {:.2f}".format(*means) in " ".join(README.split())
    memory = [row["ratio"] for row in kept["rows"]["restoring"] if row["unit"] == "MiB"]  # NAFNet twice, then the U-Net
    assert all(ratio >= 4 for ratio in (*memory[:2], memory[3]))


def test_the_claims_arithmetic_is_told():
    assert CLAIM.split("Its own")[1] in " ".join(README.split())


def test_links_lead_to_files():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_profiles_are_as_described():
    for name in PROFILES:
        e = Experiment(name, "improved")
        row = next(line for line in README.splitlines() if line.startswith(f"| `{name}`"))
        assert f"{e.train_pairs:,} + {e.val_pairs} + {e.test_pairs} scenes" in row
        assert f"{e.scene_size[0]} x {e.scene_size[1]} px" in row
        assert f"{e.steps:,} steps" in row
    others = [f"{name} {Experiment('quick', name.lower()).steps}" for name in ("CycleGAN", "NAFNet", "Slim")]
    assert f"({', '.join(others)})" in README


@pytest.mark.parametrize(
    "command", ["make reproduce", "make study", "make tables", "make lab", "make test", "make reference", "make help"]
)
def test_make_targets_exist(command):
    assert command in README
    assert re.search(rf"^{command.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_cost_of_the_paper_profile_is_calculated(monkeypatch):
    """FLOPs of one step by counting, without computing: on PyTorch's meta device."""
    monkeypatch.setattr(Improved, "adam", lambda self, *arguments: None)
    monkeypatch.setattr(Improved, "update", lambda self, optimizer, loss: loss.backward())
    experiment = Experiment("paper", "improved", lambda_perceptual=0.0)
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
