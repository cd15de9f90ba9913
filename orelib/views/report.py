"""All results of one profile and seed on one self-contained page: ``report.html`` in its results folder.

    python -m orelib.views.report quick --seed 0

Tables and figures are the same as in the notebooks, made by the same functions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from orelib.config import entry_of
from orelib.data.pairs import Pairs, load_pairs
from orelib.runs import Folders, Run, read_settings, runs_of
from orelib.study.table3 import CLAIM, build_table3, differences, readable, readable_costs, remarks
from orelib.training import read_log
from orelib.utils.command import run_command
from orelib.utils.files import write_text
from orelib.utils.paths import shown
from orelib.utils.provenance import read_provenance
from orelib.views import figures
from orelib.views.compare import page
from orelib.views.gallery import Gallery
from orelib.views.pages import PAGE_STYLE, as_figure, as_table, as_text

SLIDER_IMAGES = 5  # test images: the worst, the best and some between; a few MB of lossless images


def write_report(folders: Folders, pairs: Pairs, seed: int = 0) -> Path:
    """Writes ``report.html`` of everything that was trained with one seed; returns its path.

    Raises FileNotFoundError when a method is not trained and scored yet.
    """
    table = build_table3(folders, seed)
    runs = runs_of(folders, seed, "metrics.csv")
    histories = {name: read_log(run, "history.csv") for name, run in runs.items()}
    validations = {name: read_log(run, "validation.csv") for name, run in runs.items()}
    gallery = Gallery(folders, pairs)
    models = gallery.of_seed(seed)
    data = "rendered scenes" if folders.embedded else f"photographs in {shown(folders.data)}"
    counts = f"{len(pairs.train)} training, {len(pairs.val)} validation and {len(pairs.test)} test pairs"
    parts = [
        "<h1>Dry images of wet ore, reproduced</h1>",
        as_text(
            f"Profile {folders.profile}, seed {seed}; {data}: {counts}. Means over the test images [95 % interval]."
        ),
        "<h2>Table 3: the paper's values beside the measured ones</h2>",
        as_text("The paper's numbers come from other photographs, so compare differences between methods, not levels."),
        as_table(readable(table)),
        as_text(remarks(table)),
        as_figure(figures.table3_figure(table), "Table 3 as a figure: measured means with 95 % intervals"),
        as_text(CLAIM),
        "<h3>Method against method, image by image</h3>",
        as_table(differences(folders.results, seed).reset_index()),
        "<h3>Costs</h3>",
        as_table(readable_costs(table)),
        "<h2>Slider</h2>",
        as_text(
            "Test images from the worst to the best. Drag the divider, or move it with the arrow keys. Zoom with ctrl "
            "and the wheel, + and -, or a double click; drag an enlarged image to move it."
        ),
        gallery.compare(_spread(gallery), models).section("slider"),
        "<h2>Fig. 8: water removal by different methods</h2>",
        as_figure(
            figures.comparison_figure([gallery.example(image, models) for image in gallery.sorted()[:2]]),
            "Wet, dry and restored, with enlarged windows on the glare",
        ),
        "<h2>Training</h2>",
        as_figure(figures.loss_curves_figure(histories, "generator", "G loss"), "Fig. 6: generator loss"),
        as_figure(figures.loss_curves_figure(histories, "discriminator", "D loss"), "Fig. 7: discriminator loss"),
        as_figure(
            figures.validation_figure(validations), "Validation images; the ring marks the generator that was kept"
        ),
        "<h2>Configuration</h2>",
        as_text("Every setting of every method; orelib/config.py explains them."),
        as_table(_settings(runs)),
        "<h2>Provenance</h2>",
        as_table(_provenance(runs)),
    ]
    path = folders.results / "report.html"
    write_text(path, page("\n".join(parts), f"orelib: {folders.profile}, seed {seed}", PAGE_STYLE))
    return path


def _spread(gallery: Gallery) -> list[str]:
    """Test images from the worst to the best, evenly."""
    images = gallery.sorted(next(iter(gallery.orders), "name"))
    count = min(SLIDER_IMAGES, len(images))
    return [images[k * (len(images) - 1) // max(1, count - 1)] for k in range(count)]


def _settings(runs: dict[str, Run]) -> pd.DataFrame:
    table = pd.DataFrame({entry_of(name).short: read_settings(run) for name, run in runs.items()}).map(str)
    return table.rename_axis("setting").reset_index()


def _provenance(runs: dict[str, Run]) -> pd.DataFrame:
    rows = {}
    for name, run in runs.items():
        facts = read_provenance(run)
        last = facts["sessions"][-1]
        changed = " with uncommitted changes" if last["git_uncommitted_changes"] else ""
        rows[entry_of(name).short] = {
            "data checksum": facts["data_checksum"][:12],
            "code": f"{last['orelib']}, commit {(last['git_commit'] or 'unknown')[:12]}{changed}",
            "started": last["started"],
            "sessions": len(facts["sessions"]),
            "training, s": facts["training_seconds"],
            "kept step": facts["kept_step"],
            "device": facts["device"],
            "networks compute in": last.get("precision", "-"),
            "processor": last["processor"],
            "system": f"{last['system']}, Python {last['python']}",
            **last["packages"],
        }
    return pd.DataFrame(rows).map(str).rename_axis("of the run").reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes report.html: the results of a profile and seed on one page.")
    parser.add_argument("profile")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results-dir", default="results")
    parser.add_argument("--data-dir", default="")
    chosen = parser.parse_args()
    folders = Folders(chosen.profile, chosen.data_dir or None, chosen.results_dir)
    print(shown(write_report(folders, load_pairs(folders), chosen.seed)))


if __name__ == "__main__":
    run_command(main)
