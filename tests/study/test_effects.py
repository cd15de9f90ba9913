"""Differences of the published experiment, from made scores whose differences are known."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest

from orelib.baselines import SHIPPED
from orelib.config import METHODS
from orelib.study import effects
from orelib.study.bootstrap import NOT_RUN
from orelib.study.claims import Results, weigh
from orelib.study.sizes import masses_by_class, percentiles_of_all
from orelib.study.variants import all_variants, variant_names
from orelib.utils.allowed import SettingsError
from orelib.utils.provenance import write_provenance
from orelib.views import study_figures


def level(key):
    """The made score of a variant, see ``made_study``."""
    return 2 + [variant.key for variant in all_variants("smoke")].index(key)


def test_scores_have_a_row_a_seed(made_study):
    table = effects.scores(made_study, "improved", "psnr")
    assert table.index.tolist() == [0, 1]
    assert table.columns.tolist() == [f"{k:04d}" for k in range(6)]
    assert effects.scores(made_study, "telea", "psnr").shape == (1, 6)


def test_baselines_are_found_before_they_are_kept(made_study, tmp_path):
    results = shutil.copytree(made_study, tmp_path / "smoke")
    (results / "baselines.csv").rename(results / "cyclegan-seed1" / "baselines.csv")
    changed = results / "improved+misalignment_px=1-seed0" / "baselines.csv"
    changed.write_text("of other scenes")
    pd.testing.assert_frame_equal(effects.scores(results, "telea", "psnr"), effects.scores(made_study, "telea", "psnr"))


def test_a_variant_is_not_taken_for_its_method(made_study):
    name = variant_names("smoke")["residual"]
    assert name.startswith("improved+")
    assert effects.scores(made_study, name, "psnr").to_numpy().mean() == pytest.approx(level("residual"), abs=0.01)
    assert effects.scores(made_study, "improved", "psnr").to_numpy().mean() == pytest.approx(
        level("improved"), abs=0.01
    )


NAMED = {"0000": "NA", "0001": "007", "0002": "7", "0003": "nan", "0004": "1e3", "0005": "True"}


def test_images_keep_their_names(made_study, tmp_path):
    results = shutil.copytree(made_study, tmp_path / "smoke")
    for path in results.rglob("*.csv"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table.replace({"image": NAMED, "stem": NAMED}).to_csv(path, index=False)
    for name in ("improved", "telea"):
        found, before = (effects.scores(folder, name, "psnr") for folder in (results, made_study))
        pd.testing.assert_frame_equal(found.rename_axis(columns=None), before.rename(columns=NAMED), check_names=False)
    assert effects.by_wetness(results, "improved", "psnr") == effects.by_wetness(made_study, "improved", "psnr")
    masses = masses_by_class(results, "improved")[0]
    assert set(masses.index) == set(NAMED.values())
    pd.testing.assert_frame_equal(percentiles_of_all(results), percentiles_of_all(made_study))


def test_equal_images_are_left_out(made_study, tmp_path):
    results = shutil.copytree(made_study, tmp_path / "smoke")
    path = results / "improved-seed0" / "metrics.csv"
    table = pd.read_csv(path, dtype={"image": str})
    table.loc[2, ["psnr", "sharpness"]] = np.inf  # as an earlier version of the kit wrote it
    table.to_csv(path, index=False)
    assert effects.scores(results, "improved", "psnr").isna().to_numpy().sum() == 1
    assert np.isfinite(effects.ablation_effects(results, "smoke")[["mean", "low", "high"]]).all(axis=None)
    texts = [
        *effects.table3_of_seeds(results, "smoke").to_numpy().ravel(),
        *weigh(Results(results, "smoke"))["evidence"],
    ]
    assert not [text for text in texts if re.search(r"\b(inf|nan)\b", text)]


def test_a_missing_run_says_what_to_run(made_study):
    with pytest.raises(FileNotFoundError, match="make study PROFILE=smoke"):
        effects.scores(made_study, "nobody", "psnr")


def test_each_effect_is_the_difference_that_its_name_says(made_study):
    table = effects.ablation_effects(made_study, "smoke").query("metric == 'psnr'").set_index("effect")
    expected = {
        "residual modules": level("residual") - level("pix2pix"),
        "SSIM loss": level("residual_ssim") - level("residual"),
        "all of Improved": level("improved") - level("pix2pix"),
        "Mosaic": level("improved") - level("no_mosaic"),
        "learning rate 0.002": level("rate_0.002") - level("improved"),
        "misaligned by 3 px": level("shifted_3") - level("improved"),
    }
    for effect, value in expected.items():
        assert table.loc[effect, "mean"] == pytest.approx(value, abs=0.03)
        assert table.loc[effect, "low"] <= table.loc[effect, "mean"] <= table.loc[effect, "high"]
    assert (table["seeds"] == 2).all()
    assert len(study_figures.effects_figure(table.reset_index()).axes) == 1


def test_table3_has_all_methods_with_the_papers_values(made_study):
    table = effects.table3_of_seeds(made_study, "smoke").set_index("method")
    assert table.loc["Pix2Pix", "paper PSNR, dB"] == "23.671"
    assert table.loc["CycleGAN, in the time of Improved", "paper SSIM"] == "-"
    assert table.loc["Improved (the paper's)", "SSIM"].startswith(f"{level('improved'):.2f}"[:3])
    assert table.loc["do nothing", "seeds"] == "-"
    assert table.loc["mean dry colour", "invented edges"] == "-"


def test_wetness_compares_the_ends(made_study, tmp_path):
    results = shutil.copytree(made_study, tmp_path / "smoke")
    for seed in (0, 1):
        path = results / f"improved-seed{seed}" / "metrics.csv"
        table = pd.read_csv(path, dtype={"image": str})
        table["psnr"] = [1.0, 1.2, 5, 5, 3.0, 3.2]
        table.to_csv(path, index=False)
    found = effects.by_wetness(results, "improved", "psnr")
    assert found["drier"].mean == pytest.approx(1.1)
    assert found["wetter"].mean == pytest.approx(3.1)
    assert found["wetter - drier"].mean == pytest.approx(2)
    assert found["wetter - drier"].low > 1.5


def test_wetness_beside_what_is_not_trained_counts_every_seed(made_study):
    found = effects.by_wetness(made_study, "improved", "psnr", "linear_colour")
    assert {estimate.seeds for estimate in found.values()} == {2}
    assert found["wetter"].mean == pytest.approx(level("improved") - 1, abs=0.02)


def test_half_of_the_error_is_gone(made_study):
    gone = effects.share_gone(made_study, "improved")
    assert gone["p80"].mean == pytest.approx(0.5, abs=0.02)
    assert gone["count"].low > 0.45
    assert effects.share_gone(made_study, "dry")["p50"].mean == pytest.approx(1, abs=0.02)


def test_sizing_errors_by_wetness(made_study):
    table = effects.sizing_by_wetness(made_study, "improved")
    assert list(table.index) == ["least wet", "between", "wettest"]
    assert table["wetness"].tolist() == ["0.10 to 0.28", "0.46 to 0.64", "0.82 to 1.00"]
    wet, restored = (table[f"P80 error, mm, {image}"].str.split().str[0].astype(float) for image in ("wet", "restored"))
    assert wet.tolist() == pytest.approx([8, 8, 8], abs=0.1)
    assert restored.tolist() == pytest.approx([4, 4, 4], abs=0.1)


def test_sized_ways_go_from_wet_to_dry(made_study):
    ways = effects.sized_ways(made_study)
    assert (ways[0], ways[-1]) == ("do_nothing", "dry")
    assert {*SHIPPED, *METHODS, "telea"} <= {*ways}


def test_figures_show_every_method(made_study):
    labels = [text.get_text() for text in study_figures.answer_figure(made_study).axes[0].get_yticklabels()]
    assert {"wet", "Improved", "NAFNet", "dry"} <= set(labels)
    assert len(study_figures.passing_figure(made_study).axes) == 3 + len(SHIPPED) + len(METHODS)
    percentiles = percentiles_of_all(made_study)
    assert np.allclose(percentiles.loc["truth"], percentiles.loc["Improved"])


def test_without_any_run_the_place_of_the_experiment_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"smoke holds no run .*copy of the kit.*make study PROFILE=smoke"):
        effects.missing(tmp_path / "smoke", "smoke")


def test_sizes_of_different_segmenters_are_refused_in_one_table(made_study, tmp_path):
    results = shutil.copytree(made_study, tmp_path / "smoke")
    assert effects.demand_study(results, "smoke") == []
    write_provenance(results / "improved-seed0", segmenter="another")
    with pytest.raises(ValueError, match=r"different segmenters \(improved-seed0 .*make study"):
        effects.demand_study(results, "smoke")


def test_an_experiment_that_still_runs_can_be_looked_at(made_study, tmp_path):
    results = shutil.copytree(made_study, tmp_path / "smoke")
    assert effects.missing(results, "smoke") == []
    residual = variant_names("smoke")["residual"]
    for name in ("cyclegan", residual):
        for seed in (0, 1):
            shutil.rmtree(results / f"{name}-seed{seed}")
    (results / "slim-seed1" / "sizing.csv").unlink()
    lacking = {f"{name}-seed{seed}" for name in ("cyclegan", residual) for seed in (0, 1)} | {"slim-seed1"}
    assert set(effects.missing(results, "smoke")) == lacking
    assert "CycleGAN" not in set(effects.table3_of_seeds(results, "smoke")["method"])
    assert {"residual modules", "SSIM loss"}.isdisjoint(effects.ablation_effects(results, "smoke")["effect"])
    assert "Mosaic" in set(effects.ablation_effects(results, "smoke")["effect"])
    assert effects.compared(results, residual, "pix2pix").empty
    assert "CycleGAN" not in percentiles_of_all(results).index
    table = weigh(Results(results, "smoke"))
    lacking = table[table["claim"].str.contains("Residual modules")].iloc[0]
    assert lacking["verdict"] == NOT_RUN
    assert "make study PROFILE=smoke" in lacking["evidence"]


def test_photographs_are_told_beside_the_linear_colour_map(tmp_path):
    assert effects.on_photographs(tmp_path).empty
    values = {"method": ["slim", "linear_colour"], "trained on": ["rendered scenes", "photographs"]}
    for metric in ("psnr", "ssim", "psnr_glare"):
        values |= {metric: [20.25, 18.0], f"{metric}_gain": [2.25, 0]}
        values |= {f"{metric}_gain_low": [1.5, 0], f"{metric}_gain_high": [3.0, 0]}
    pd.DataFrame(values | {"glare_removed": [0.5, -0.1]}).to_csv(tmp_path / "real_pairs.csv")
    table = effects.on_photographs(tmp_path)
    row = table.loc[("Slim U-Net", "rendered scenes")]
    assert (row["PSNR, dB"], row["PSNR gained"]) == ("20.25", "+2.25\u00a0[+1.50,\u00a0+3.00]")
    assert row["glare removed"] == "0.50"


def test_an_experiment_to_be_shown_is_demanded_in_one_sentence(made_study, tmp_path):
    results = shutil.copytree(made_study, tmp_path / "smoke")
    assert effects.demand_study(results, "smoke", ablation=True) == []
    shutil.rmtree(results / "slim-seed1")
    assert effects.demand_study(results, "smoke") == ["slim-seed1"]
    for seed in (0, 1):
        (results / f"pix2pix-seed{seed}" / "metrics.csv").unlink()
    (results / "scenes.csv").unlink()
    lacks = (
        r"smoke lacks scenes\.csv, pix2pix-seed0/metrics\.csv of the experiment: run make study PROFILE=smoke RESULTS"
    )
    with pytest.raises(FileNotFoundError, match=lacks):
        effects.demand_study(results, "smoke")
    with pytest.raises(FileNotFoundError, match="holds no run of the experiment"):
        effects.demand_study(tmp_path / "empty", "cpu", ablation=True)


@pytest.mark.parametrize("profile", ["quick", "paper", "restorer"])
def test_a_profile_without_an_ablation_is_told_from_the_start(profile, tmp_path):
    with pytest.raises(SettingsError, match=rf"profile='{profile}' has no ablation: choose one of smoke, cpu;"):
        effects.demand_study(tmp_path / profile, profile, ablation=True)
