"""The notebooks: run headless under the smoke profile, and committed as they ran."""

import html
import json
import pkgutil
import re
import shutil
import subprocess
import sys
from itertools import pairwise

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
from conftest import REAL, ROOT
from PIL import Image

from orelib.config import METHODS, Experiment
from orelib.data.pairs import load_pairs
from orelib.data.scenes import render_pair
from orelib.runs import Folders
from orelib.study.table3 import COSTS, readable, readable_costs, remarks
from orelib.utils.tables import read_table
from orelib.views.compare import Compare
from orelib.views.report import write_report

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PARAMETERS = {"profile", "method", "methods", "seed", "data_dir", "results_dir", "images", "photographs_dir", "model",
              "calibration", "start_from", "changes", "largest_shift", "align", "scene", "dry_dir", "px_per_mm",
              "balls_mm", "smallest_mm", "restore"}  # fmt: skip
TRAININGS = [("05_training", {"method": method}) for method in METHODS]
ORDER = [
    ("00_start", {}),
    ("01_dataset", {}),
    ("02_mosaic", {}),
    ("03_networks", {}),
    ("04_losses", {}),
    *TRAININGS,
    ("06_loss_curves", {}),
    ("07_table3", {}),
    ("08_compare", {}),
    ("09_your_photos", {}),
    ("13_your_sizes", {}),
]
SHOWN = ("text/plain", "text/markdown")
STUDIES = ("11_ablation", "10_particle_sizing", "12_claims")  # read the published experiment, and train nothing


def source(name):
    return ROOT / "notebooks" / f"{name}.ipynb"


def parameters_of(path):
    return set(papermill.inspect_notebook(str(path)))


def execute(name, out, **parameters):
    known = {key: value for key, value in parameters.items() if key in parameters_of(source(name))}
    return papermill.execute_notebook(
        str(source(name)), str(out), known, engine_name="orelib", progress_bar=False, cwd=str(ROOT / "notebooks")
    )


@pytest.fixture(scope="session")
def few_pairs(tmp_path_factory, pair_folder):
    """The smallest folder of pairs that can be trained on, one of them held out; the test pair is called NA."""
    folder = tmp_path_factory.mktemp("few")
    for split, stem, number in (("train", "007", 0), ("train", "7", 1), ("test", "NA", 6)):
        for side in ("wet", "dry"):
            (folder / split / side).mkdir(parents=True, exist_ok=True)
            source = pair_folder / ("train" if number < 6 else "test") / side / f"belt_{number}.png"
            shutil.copy(source, folder / split / side / f"{stem}.png")
    return folder


@pytest.fixture(scope="session")
def executed(tmp_path_factory, few_pairs):
    """All notebooks in order on a folder of pairs, under the smoke profile; started from ``notebooks/``."""
    results = tmp_path_factory.mktemp("results")
    for number, (name, further) in enumerate(ORDER):
        out = results / f"{number}-{name}.ipynb"
        execute(name, out, profile="smoke", data_dir=str(few_pairs), results_dir=str(results), images=2, **further)
    return results


def test_every_notebook_runs_headless(executed):
    assert len(list(executed.glob("*.ipynb"))) == len(ORDER)


def test_no_output_of_one_test_image_shows_a_number_that_is_none(executed):
    for path in executed.glob("*.ipynb"):
        outputs = [output for cell in nbformat.read(path, 4).cells for output in cell.get("outputs", [])]
        texts = [output.get("text", "") for output in outputs]
        texts += [data for output in outputs for kind, data in output.get("data", {}).items() if kind in SHOWN]
        assert not re.search(r"\b(nan|inf)\b", " ".join(texts), re.IGNORECASE), path.name


def test_no_text_in_a_table_is_cut_short(executed):
    pages = [path.read_text("utf-8") for path in [*NOTEBOOKS, *executed.glob("*.ipynb")]]
    assert not [cell for page in pages for cell in re.findall(r"<td>[^<]*\.\.\.</td>", page)]


def test_they_leave_what_others_read(executed):
    results = executed / "smoke"
    table = pd.read_csv(results / "table3.csv")
    assert table["psnr"].notna().all()
    for name in ("figure5_pairs", "mosaic", "figure6_generator_loss", "figure7_discriminator_loss", "table3",
                 "figure8_comparison"):  # fmt: skip
        assert (results / "figures" / f"{name}.png").stat().st_size > 5000
    for method in METHODS:
        names = {path.name for path in (results / f"{method}-seed0").iterdir()}
        assert names == {"config.json", "provenance.json", "history.csv", "validation.csv", "snapshots.json",
                         "generator.safetensors", "metrics.csv", "baselines.csv"}  # fmt: skip


@pytest.mark.parametrize("name", STUDIES)
def test_what_reads_the_published_experiment_runs_on_one(name, made_study, tmp_path):
    out = tmp_path / "out.ipynb"
    notebook = execute(name, out, profile="smoke", results_dir=str(made_study.parent))
    assert not [o for cell in notebook.cells for o in cell.get("outputs", []) if o.output_type == "error"]
    assert list((made_study / "figures").glob("*.png"))


def test_a_change_of_one_field_is_a_run_of_its_own(tmp_path, pair_folder):
    parameters = {"profile": "smoke", "data_dir": str(pair_folder), "results_dir": str(tmp_path)}
    execute("05_training", tmp_path / "out.ipynb", changes="ssim_window=7 lambda_mse=0", **parameters)
    run = tmp_path / "smoke" / "improved+lambda_mse=0+ssim_window=7-seed0"
    assert json.loads((run / "config.json").read_text())["ssim_window"] == 7
    assert (run / "metrics.csv").exists()


def test_09_restores_every_photograph_and_scores_what_it_trained(executed):
    results = executed / "smoke"
    assert {path.name for path in (results / "restored").iterdir()} == {"NA.png"}
    assert set(pd.read_csv(results / "restored.csv")["status"]) == {"restored"}
    assert read_table(results / "check.csv")["stem"].tolist() == ["007", "7", "NA"]
    assert "nafnet" in set(pd.read_csv(results / "table3.csv")["method"])
    assert (results / "restored.html").exists()


def test_09_fails_in_the_end_over_a_bad_photograph_and_restores_the_others(tmp_path, pair_folder):
    photographs = tmp_path / "mine"
    shutil.copytree(pair_folder / "test" / "wet", photographs)
    (photographs / "broken.png").write_bytes(b"rubbish")
    parameters = {"profile": "smoke", "data_dir": str(pair_folder), "results_dir": str(tmp_path), "methods": ""}
    with pytest.raises(papermill.PapermillExecutionError, match=r"1 of 3 photographs were not.*\s.*broken\.png"):
        execute("09_your_photos", tmp_path / "out.ipynb", photographs_dir=str(photographs), **parameters)
    assert len(list((tmp_path / "smoke" / "restored").iterdir())) == 2
    cells = [cell for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells if cell.cell_type == "code"]
    assert cells[-1].source.startswith("demand_all")


def test_09_refuses_pairs_with_problems_or_aligns_them(tmp_path):
    for split, count in (("train", 3), ("test", 1)):
        for seed in range(count):
            scene = render_pair(seed + 10 * (split == "test"), (160, 160), px_per_mm=2.5, wetness=0.5)
            for side, image in (("wet", scene.wet[:, 6:]), ("dry", scene.dry[:, :-6])):
                path = tmp_path / "mine" / split / side / f"{seed}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path)
    parameters = {"profile": "smoke", "data_dir": str(tmp_path / "mine"), "results_dir": str(tmp_path), "images": 1}
    with pytest.raises(papermill.PapermillExecutionError, match=r"4 problem\(s\).*(?s:.*)align"):
        execute("09_your_photos", tmp_path / "out.ipynb", align="no", **parameters)
    execute("09_your_photos", tmp_path / "out.ipynb", **parameters)
    aligned = np.asarray(Image.open(tmp_path / "smoke" / "aligned" / "test" / "wet" / "0.png"))
    assert aligned.shape == (160, 148, 3)
    assert (tmp_path / "smoke" / "nafnet-seed0" / "metrics.csv").exists()


def test_09_with_nothing_given_restores_an_example_and_trains_nothing(tmp_path):
    for folder in ("notebooks", "orelib"):
        (tmp_path / folder).mkdir()  # an empty kit
    notebook = papermill.execute_notebook(
        str(source("09_your_photos")), str(tmp_path / "out.ipynb"), {"profile": "smoke"}, engine_name="orelib",
        progress_bar=False, cwd=str(tmp_path / "notebooks"),
    )  # fmt: skip
    results = tmp_path / "results" / "yours" / "example-smoke" / "smoke"
    assert len(list((results / "restored").iterdir())) == 3
    assert not list(tmp_path.rglob("config.json"))
    assert not list(tmp_path.rglob("*.zip"))
    pages = [
        output.get("data", {}).get("text/html", "") for cell in notebook.cells for output in cell.get("outputs", [])
    ]
    assert any("3 of 3 photographs restored" in "".join(page) for page in pages)


def test_09_files_pairs_that_lie_beside_each_other_and_results_follow_them(tmp_path, pair_folder):
    for folder in ("kit/notebooks", "kit/orelib", "mine"):
        (tmp_path / folder).mkdir(parents=True)
    for path in pair_folder.glob("*/*/*.png"):
        shutil.copy(path, tmp_path / "mine" / f"{path.stem}_{path.parent.name}.png")
    parameters = {"profile": "smoke", "data_dir": str(tmp_path / "mine"), "methods": "slim", "images": 1}
    papermill.execute_notebook(
        str(source("09_your_photos")), str(tmp_path / "out.ipynb"), parameters, engine_name="orelib",
        progress_bar=False, cwd=str(tmp_path / "kit" / "notebooks"),
    )  # fmt: skip
    [run] = (tmp_path / "kit" / "results" / "yours").glob("mine-*/smoke/slim-seed0")
    assert (run / "metrics.csv").exists()
    assert len(list((tmp_path / "kit" / "data" / "yours").glob("mine-*/*/wet/*.png"))) == 8
    assert not (tmp_path / "kit" / "data" / "yours" / "restorer.json").exists()


def test_the_report_holds_it_all_on_one_page(executed, few_pairs):
    folders = Folders("smoke", data_dir=str(few_pairs), results_dir=str(executed))
    text = write_report(folders, load_pairs(folders)).read_text("utf-8")
    table = read_table(executed / "smoke" / "table3.csv").astype(COSTS)
    for cell in (*readable(table).to_numpy().ravel(), *readable_costs(table).to_numpy().ravel()):
        assert html.escape(cell, quote=False) in text
    assert html.escape(remarks(table)) in text
    assert text.count('<img src="data:image/webp;base64,') == 5  # Table 3, Fig. 6, 7 and 8, validation
    assert 'alt="Measured PSNR and SSIM with 95 % intervals' in text
    slider = json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL).group(1))
    assert [photograph["name"] for photograph in slider["photographs"]] == ["NA"]
    assert set(METHODS) <= {layer["name"] for layer in slider["photographs"][0]["layers"]}
    provenance = json.loads((executed / "smoke" / "improved-seed0" / "provenance.json").read_text())
    assert provenance["data_checksum"][:12] in text
    assert "lambda_ssim" in text
    assert not re.search(r"https?://", re.sub(r'"image": "[^"]*"', "", text))


def test_the_report_stays_small_whatever_the_photographs(executed, few_pairs, monkeypatch):
    folders = Folders("smoke", data_dir=str(few_pairs), results_dir=str(executed))
    path = write_report(folders, load_pairs(folders))
    size = path.stat().st_size
    monkeypatch.setattr(Compare.section, "__defaults__", (10_000,))
    assert write_report(folders, load_pairs(folders)).stat().st_size < size - 25_000
    assert "To keep this page small, the images are compressed" in path.read_text("utf-8")


def test_photographs_are_measured_anew_where_they_are(tmp_path, pair_folder):
    if not REAL.is_dir():
        pytest.skip(f"no real photographs at {REAL}")
    folders = {"data_dir": str(pair_folder), "results_dir": str(tmp_path), "photographs_dir": str(REAL)}
    notebook = execute("01_dataset", tmp_path / "out.ipynb", profile="smoke", **folders)
    beside = [output for output in notebook.cells[-2].outputs if "<img " in output.get("data", {}).get("text/html", "")]
    assert len(beside) == 1
    assert (tmp_path / "smoke" / "realism.csv").exists()


@pytest.mark.parametrize(("name", "named"), [("05_training", "01_dataset"), ("07_table3", "05_training")])
def test_alone_a_notebook_says_what_to_run_first(tmp_path, name, named, monkeypatch):
    for folder in ("notebooks", "orelib"):
        (tmp_path / folder).mkdir()  # an empty kit
    parameters = {"profile": "smoke", "results_dir": str(tmp_path / "results")}
    with pytest.raises(papermill.PapermillExecutionError, match=named):
        papermill.execute_notebook(
            str(source(name)), str(tmp_path / "out.ipynb"), parameters, engine_name="orelib", progress_bar=False,
            cwd=str(tmp_path),
        )  # fmt: skip


# ---- as committed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestCommitted:
    def test_was_run_top_to_bottom_without_errors(self, path):
        cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
        assert not [out for cell in cells for out in cell.outputs if out.output_type == "error"]
        assert any(cell.outputs for cell in cells)

    def test_has_one_cell_of_literal_parameters_of_the_quick_profile(self, path):
        cells = [c for c in nbformat.read(path, 4).cells if "parameters" in c.metadata.get("tags", [])]
        assert len(cells) == 1
        assert all(re.fullmatch(r'\w+ = ("[^"]*"|\d+|None)( +#.*)?', line) for line in cells[0].source.splitlines())
        published = "cpu" if path.stem in ("11_ablation", "12_claims") else "quick"
        assert f'profile = "{published}"' in cells[0].source
        assert parameters_of(path) <= PARAMETERS

    def test_cells_are_short_and_explained(self, path):
        cells = nbformat.read(path, 4).cells
        code = [cell.source.splitlines() for cell in cells if cell.cell_type == "code"]
        assert max(map(len, code)) <= 25
        assert sum(cell.cell_type == "markdown" for cell in cells) >= 0.4 * len(cells)

    def test_names_no_place_of_one_machine_and_stays_small(self, path):
        text = path.read_text("utf-8")
        assert not re.search(r"(?<![\w.:/])/(home|root|tmp|work|Users|mnt)/", text)
        assert path.stat().st_size < 2_000_000
        assert "papermill" not in json.loads(text)["metadata"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_between_notebooks_lead_somewhere(path):
    text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
    assert set(re.findall(r"\]\((\w+\.ipynb)\)", text)) <= {other.name for other in NOTEBOOKS}


@pytest.mark.parametrize(("path", "following"), [*pairwise(NOTEBOOKS[NOTEBOOKS.index(source("07_table3")) :])])
def test_a_notebook_links_to_the_next_one(path, following):
    last = nbformat.read(path, 4).cells[-1].source
    assert f"[{following.stem}]({following.name})" in last.partition("**Next:**")[2]


def equations():
    """The markdown cells with a numbered formula, by number."""
    cells = [cell.source for path in NOTEBOOKS for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"]
    formulas = [(cell, formula) for cell in cells for formula in re.findall(r"\$\$(.+?)\$\$", cell, re.DOTALL)]
    return [(int(number), cell) for cell, formula in formulas for number in re.findall(r"\\tag\{(\d+)\}", formula)]


def test_every_equation_of_the_paper_stands_in_one_notebook():
    assert sorted(number for number, _ in equations()) == list(range(1, 13))


def test_beside_an_equation_stands_the_name_of_its_code():
    for number, cell in equations():
        names = re.findall(r"`(orelib(?:\.\w+)+)`", cell)
        assert names, f"eq. {number}"
        for name in names:
            assert pkgutil.resolve_name(name), name  # raises for what is not there


def test_05_shows_every_setting():
    notebook = nbformat.read(source("05_training"), 4)
    table = next(cell for cell in notebook.cells if cell.source.startswith("pd.Series(vars(experiment)"))
    shown = {line.split()[0] for line in table.outputs[0].data["text/plain"].splitlines()}
    assert shown >= set(vars(Experiment("quick")))


def test_papermill_works_as_the_documents_type_it(tmp_path, pair_folder):
    """From the root, with the kit's engine; nothing is said of unencrypted ports."""
    command = [
        sys.executable,
        "-m",
        "papermill",
        "--engine",
        "orelib",
        "notebooks/02_mosaic.ipynb",
        str(tmp_path / "out.ipynb"),
    ]
    for name, value in (("profile", "smoke"), ("data_dir", pair_folder), ("results_dir", tmp_path)):
        command += ["-p", name, str(value)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=600)
    assert (tmp_path / "smoke" / "figures" / "mosaic.png").exists()
    assert "encryption" not in done.stderr
    assert not re.search(r"^papermill (?!--engine orelib )", (ROOT / "docs" / "running.md").read_text(), re.MULTILINE)
