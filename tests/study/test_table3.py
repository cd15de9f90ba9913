"""Table 3: columns, rows, intervals, and what it refuses."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from orelib.baselines import BASELINES
from orelib.config import METHODS, PUBLISHED, Experiment
from orelib.runs import Folders
from orelib.study.table3 import (
    CLAIM,
    PAPER,
    build_table3,
    differences,
    main,
    readable,
    readable_costs,
    remarks,
    to_markdown,
)
from orelib.utils.command import run_command

COLUMNS = ["method", "paper_psnr", "paper_ssim", "psnr", "psnr_low", "psnr_high", "psnr_left_out"]
COLUMNS += ["ssim", "ssim_low", "ssim_high", "sharpness", "psnr_glare", "glare_removed"]
COLUMNS += ["parameters", "multiply_adds", "seconds_per_image", "updates", "training_seconds"]


@pytest.fixture
def folders(tmp_path):
    """Run folders with made scores: 4 test images, each method 1 dB above the one before."""
    folders = Folders("smoke", results_dir=str(tmp_path))
    names = ["psnr", "ssim", "psnr_luma", "ssim_luma", "ssim_library", "sharpness", "psnr_glare", "glare_removed"]
    names += ["seams"]
    for number, method in enumerate(METHODS):
        run = folders.run(method, 0)
        run.mkdir(parents=True)
        (run / "config.json").write_text(Experiment("smoke", method).to_json())
        facts = {"data_checksum": "abc", "seconds_per_image": 0.01, "parameters": 1000 * (number + 1)}
        facts |= {"multiply_adds": 2 * 10**9, "training_seconds": 12.3}
        (run / "provenance.json").write_text(json.dumps(facts))
        images = [f"{k:03d}" for k in range(4)]
        scores = {"image": images} | {name: np.arange(4) / 10 + 20 + number for name in names}
        pd.DataFrame(scores).to_csv(run / "metrics.csv", index=False)
        baselines = [
            {"method": name, "image": image} | dict.fromkeys(names, 10.0) for name in BASELINES for image in images
        ]
        pd.DataFrame(baselines).to_csv(run / "baselines.csv", index=False)
    return folders


def test_columns_and_rows_are_those_others_read(folders):
    table = build_table3(folders)
    assert list(table.columns) == COLUMNS
    assert table["method"].tolist() == [*BASELINES, *METHODS]
    assert table["updates"].isna().tolist() == [True] * len(BASELINES) + [False] * len(METHODS)
    assert set(table["updates"].dropna()) == {8}
    assert table.set_index("method").loc["improved", "parameters"] == 3000


def test_values_are_means_over_images(folders):
    row = build_table3(folders).set_index("method").loc["pix2pix"]
    assert np.isclose(row["psnr"], 20.15)
    assert row["psnr_low"] < 20.15 < row["psnr_high"]
    assert np.isclose(row["psnr_high"] - row["psnr"], row["psnr"] - row["psnr_low"])


@pytest.mark.parametrize("protocol", ["luma", "library"])
def test_other_protocols_read_their_own_columns(folders, protocol):
    path = folders.run("improved", 0) / "metrics.csv"
    scores = pd.read_csv(path)
    scores[f"ssim_{protocol}"] = 0.25
    scores.to_csv(path, index=False)
    assert build_table3(folders, protocol=protocol).set_index("method").loc["improved", "ssim"] == 0.25


def test_the_papers_numbers_and_its_misreading():
    assert PAPER == {"pix2pix": (23.671, 0.7013), "cyclegan": (22.997, 0.6651), "improved": (23.759, 0.7141)}
    gain_psnr, gain_ssim = (PAPER["improved"][k] - PAPER["pix2pix"][k] for k in (0, 1))
    for number in (
        f"{gain_psnr:.3f} dB ({gain_psnr / PAPER['pix2pix'][0]:.2%}".replace("%", " %"),
        f"{gain_ssim:.4f} ({gain_ssim / PAPER['pix2pix'][1]:.2%}".replace("%", " %"),
    ):
        assert number in CLAIM


def test_differences_are_paired(folders):
    table = differences(folders.results)
    between = [
        PUBLISHED.index("improved") - PUBLISHED.index("pix2pix"),
        PUBLISHED.index("nafnet") - PUBLISHED.index("improved"),
    ]
    assert np.allclose(table["measured"], np.repeat(between, 2))
    assert np.allclose(table["low"], table["high"])  # every image differs by the same
    assert table["paper"].round(4).tolist()[:2] == [0.088, 0.0128]
    assert table["paper"][2:].isna().all()


def rewrite(run, **columns):
    """Other scores of a run."""
    path = run / "metrics.csv"
    pd.read_csv(path, dtype={"image": str}).assign(**columns).to_csv(path, index=False)


def test_an_image_equal_to_its_dry_partner_is_left_out_and_counted(folders):
    assert not build_table3(folders)["psnr_left_out"].any()
    assert remarks(build_table3(folders)) == ""
    rewrite(folders.run("slim", 0), psnr=[20.0, np.inf, 22.0, 24.0])  # as an earlier version of the kit wrote it
    rewrite(folders.run("nafnet", 0), psnr=[np.nan, np.nan, 22.0, 24.0])
    table = build_table3(folders)
    rows = table.set_index("method")
    assert rows.loc["slim", ["psnr", "psnr_left_out"]].tolist() == [22, 1]
    assert rows.loc["nafnet", ["psnr", "psnr_left_out"]].tolist() == [23, 2]
    assert rows["psnr_left_out"].sum() == 3
    assert "NAFNet (not in the paper) 2, Slim U-Net (not in the paper) 1." in remarks(table)
    assert np.isfinite(differences(folders.results)[["measured", "low", "high"]]).all(axis=None)


def test_no_interval_of_ssim_ends_above_1(folders):
    for method in METHODS:
        rewrite(folders.run(method, 0), ssim=[0.1, 0.2, 0.9, 1.0])
    rewrite(folders.run("improved", 0), ssim=[-0.9, -1.0, 0.5, -1.0])
    rows = build_table3(folders).set_index("method").loc[list(METHODS)]
    assert rows["ssim_high"].max() == 1
    assert rows["ssim_low"].min() == -1
    assert (rows["ssim_low"] <= rows["ssim"]).all()
    assert (rows["ssim"] <= rows["ssim_high"]).all()


@pytest.mark.parametrize("psnr", [17.25, np.inf])
def test_one_image_has_no_interval(folders, psnr):
    for method in METHODS:
        for name in ("metrics.csv", "baselines.csv"):
            path = folders.run(method, 0) / name
            table = pd.read_csv(path)
            table[table["image"] == 0].assign(image="NA", psnr=psnr, ssim=0.5).to_csv(path, index=False)
    table = build_table3(folders)
    assert set(readable(table)["measured PSNR, dB"]) == {"17.25 [-]" if np.isfinite(psnr) else "-"}
    assert set(readable(table)["measured SSIM"]) == {"0.5000 [-]"}
    assert "One image has no interval: [-]." in remarks(table)
    assert "Slim U-Net (not in the paper) 1." in remarks(table) or np.isfinite(psnr)
    found = differences(folders.results)
    assert found[["low", "high"]].isna().all(axis=None)
    assert found["measured"].isna().tolist() == [not np.isfinite(psnr), False] * 2
    for text in (table.to_csv(), to_markdown(readable(table)), found.to_csv()):
        assert not {"inf", "nan"} & set(re.split(r"[\W_]+", text))


@pytest.mark.parametrize("names", [["NA", "null", "nan", "a"], ["007", "7", "07", "1e3"], ["True", "1", " 1", "1 "]])
def test_images_keep_their_names(folders, names):
    expected = differences(folders.results)
    for number, method in enumerate(METHODS):  # each in an order of its own
        rewrite(folders.run(method, 0), image=names)
        path = folders.run(method, 0) / "metrics.csv"
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table.sample(frac=1, random_state=number).to_csv(path, index=False)
    pd.testing.assert_frame_equal(differences(folders.results), expected)


def test_missing_runs_are_named(folders):
    (folders.run("cyclegan", 0) / "metrics.csv").unlink()
    with pytest.raises(FileNotFoundError, match="cyclegan-seed0"):
        build_table3(folders)


def test_runs_on_different_images_are_not_compared(folders):
    path = folders.run("cyclegan", 0) / "provenance.json"
    path.write_text(path.read_text().replace("abc", "xyz"))
    with pytest.raises(ValueError, match="different images"):
        build_table3(folders)


def test_scores_of_an_earlier_version_are_not_mixed_in(folders, tmp_path):
    path = folders.run("cyclegan", 0) / "metrics.csv"
    pd.read_csv(path).drop(columns="seams").to_csv(path, index=False)
    with pytest.raises(ValueError, match="cyclegan-seed0: delete"):
        build_table3(folders)


def test_the_printed_table(folders, monkeypatch, capsys):
    table = build_table3(folders)
    table.to_csv(folders.results / "table3.csv", index=False)
    monkeypatch.setattr("sys.argv", ["table3", str(folders.results)])
    main()
    printed = capsys.readouterr().out
    assert f"{to_markdown(readable(table))}\n\n{CLAIM}" in printed
    assert to_markdown(readable_costs(table)) in printed
    assert "NAFNet (not in the paper)" in printed
    assert "23.759" in printed
    assert CLAIM in printed


def test_what_is_left_out_stands_below_the_printed_table(folders, monkeypatch, capsys):
    rewrite(folders.run("slim", 0), psnr=[20.0, np.inf, 22.0, 24.0])
    table = build_table3(folders)
    table.to_csv(folders.results / "table3.csv", index=False)
    monkeypatch.setattr("sys.argv", ["table3", str(folders.results)])
    main()
    assert f"{to_markdown(readable(table))}\n\n{remarks(table)}\n\n{CLAIM}" in capsys.readouterr().out


def printed_error(results, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["table3", str(results)])
    with pytest.raises(SystemExit, match="2"):
        run_command(main)
    return capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "image,psnr\na,1\nb,2,3\n"])
def test_damaged_scores_are_one_error(folders, monkeypatch, capsys, content):
    (folders.run("slim", 0) / "metrics.csv").write_text(content)
    assert "metrics.csv is damaged" in printed_error(folders.results, monkeypatch, capsys)


def test_printing_before_anything_is_trained_says_what_to_run(tmp_path, monkeypatch, capsys):
    assert "05_training" in printed_error(tmp_path / "smoke", monkeypatch, capsys)


@pytest.mark.parametrize("name", ["metrics.csv", "baselines.csv"])
def test_scores_that_are_missing_are_named(folders, name):
    (folders.run("slim", 0) / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"slim-seed0.{name}.*05_training"):
        build_table3(folders)


def test_a_run_whose_scoring_was_interrupted_is_named(folders):
    path = folders.run("slim", 0) / "provenance.json"
    path.write_text(path.read_text().replace('"parameters"', '"others"'))
    with pytest.raises(FileNotFoundError, match=r"slim-seed0.*05_training"):
        build_table3(folders)
