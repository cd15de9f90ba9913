"""The restorer that comes with the kit: it loads, it restores, and its model card says what was measured."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from orelib.config import PROFILES, Experiment
from orelib.data.scenes import render_pair
from orelib.metrics import mean_interval, psnr, ssim
from orelib.restore.restorer import DEFAULT_RESTORER, load_restorer
from orelib.utils.weights import ModelFileError

REFERENCE = ROOT / "results" / "reference" / "restorer"
CARD = " ".join((DEFAULT_RESTORER.parent / "README.md").read_text("utf-8").split())


@pytest.fixture(scope="module")
def restorer():
    return load_restorer()


def test_it_was_trained_as_the_command_trains(restorer):
    about = restorer.about
    config = Experiment.from_json((REFERENCE / "nafnet-seed0" / "config.json").read_text())
    assert about["experiment"] == json.loads(config.to_json())
    assert (
        about["data_checksum"]
        == json.loads((REFERENCE / "nafnet-seed0" / "provenance.json").read_text())["data_checksum"]
    )
    assert {name: about["experiment"][name] for name in ("train_pairs", "steps")} == {
        name: PROFILES["restorer"][name] for name in ("train_pairs", "steps")
    }
    assert "rendered scenes of 2.5 to 12.5 px per mm" in restorer.describe()


def test_it_dries_a_scene_that_it_has_not_seen(restorer):
    scene = render_pair(3_000_000, (160, 160), px_per_mm=4, wetness=0.8)
    restored = restorer.restore(scene.wet)
    assert psnr(restored, scene.dry) > psnr(scene.wet, scene.dry) + 6
    assert ssim(restored, scene.dry) > ssim(scene.wet, scene.dry) + 0.1


def test_the_cards_scores_on_scenes_are_those_measured():
    run = REFERENCE / "nafnet-seed0"
    baselines = pd.read_csv(run / "baselines.csv")
    rows = {
        "do nothing": baselines[baselines["method"] == "do_nothing"],
        "linear colour map": baselines[baselines["method"] == "linear_colour"],
        "its network": pd.read_csv(run / "metrics.csv"),
    }
    for name, scores in rows.items():
        decibels = "{:.2f} [{:.2f}, {:.2f}]".format(*mean_interval(scores["psnr"]))
        likeness = "{:.3f} [{:.3f}, {:.3f}]".format(*mean_interval(scores["ssim"]))
        glare = f"{scores['psnr_glare'].mean():.2f} | {scores['glare_removed'].mean():.2f}"
        assert f"| {name} | {decibels} | {likeness} | {glare} |" in CARD


def test_the_cards_scores_on_photographs_are_those_measured():
    scores = pd.read_csv(REFERENCE / "transfer.csv").set_index("restorer")
    for name, row in (
        ("do nothing", "do nothing"),
        ("its network", "default restorer"),
        ("linear colour map, fitted on the rendered scenes", "linear_colour (fitted as the restorer)"),
        ("linear colour map, fitted on other core", "linear_colour (fitted here)"),
    ):
        decibels, likeness, glare = scores.loc[row, ["psnr", "ssim", "glare_removed"]]
        assert re.search(
            rf"\| {re.escape(name)} \| {decibels:.2f} \| {likeness:.3f} \| {np.round(glare, 2) + 0.0:.2f} \|", CARD
        )
    dry = scores.loc["default restorer, dry photographs in and out"]
    assert (
        f"Of {dry['photographs']:.0f} photographs of dry ore on a belt it changed every one: {dry['psnr']:.2f} dB"
        in CARD
    )
    assert f"lowest {dry['least_psnr']:.2f} dB" in CARD
    assert dry["at_30_dB"] == 0


def test_what_it_does_not_know_is_restored_the_classical_way(restorer, noise):
    scene = render_pair(3_000_001, (160, 160), px_per_mm=4, wetness=0.8)
    assert restorer.remark(scene.wet) == ""
    assert np.array_equal(restorer.restore(scene.wet), restorer.network.restore(scene.wet))
    strange = np.repeat(np.repeat(scene.wet[::8, ::8], 8, axis=0), 8, axis=1)
    assert "unlike the training photographs" in restorer.remark(strange)
    assert "the classical way" in restorer.remark(strange)
    assert np.array_equal(restorer.restore(strange), load_restorer("classical").restore(strange))


def test_what_it_knows_in_part_is_mixed_and_said(restorer):
    scene = render_pair(3_000_001, (160, 160), px_per_mm=4, wetness=0.8)
    for exposure in np.linspace(0.9, 0.2, 29):
        wet = (scene.wet * exposure).astype(np.uint8)
        if 0.2 < (share := restorer.network.familiar.share(wet)) < 0.8:
            break
    assert restorer.remark(wet).endswith(f"restored the classical way, {1 - share:.0%}")
    parts = [part.restore(wet).astype(float) for part in (restorer.network, load_restorer("classical"))]
    assert np.abs(restorer.restore(wet) - np.average(parts, axis=0, weights=[share, 1 - share])).mean() < 1


def test_half_and_half(restorer):
    scene = render_pair(3_000_001, (96, 96), px_per_mm=4, wetness=0.8)
    half = load_restorer(DEFAULT_RESTORER, classical_share=0.5)
    parts = [part.restore(scene.wet).astype(float) for part in (restorer.network, load_restorer("classical"))]
    assert np.abs(half.restore(scene.wet) - np.mean(parts, axis=0)).max() <= 1
    assert "50%" in half.describe()
    assert half.fingerprint != restorer.fingerprint
    with pytest.raises(ValueError, match="nothing to be mixed with"):
        load_restorer("classical", classical_share=0.5)
    with pytest.raises(ValueError, match="classical_share=2 must be"):
        load_restorer(DEFAULT_RESTORER, classical_share=2)


def test_a_single_flipped_bit_is_noticed(tmp_path):
    whole = DEFAULT_RESTORER.read_bytes()
    damaged = tmp_path / "generator.safetensors"
    damaged.write_bytes(whole[:-1000] + bytes([whole[-1000] ^ 16]) + whole[-999:])
    with pytest.raises(ModelFileError, match="checksum"):
        load_restorer(damaged)
