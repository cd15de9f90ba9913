"""Table 3: the paper's PSNR and SSIM beside the values measured here, and the cost of each method.

``python -m orelib.study.table3 results/quick`` prints the table of a profile.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from orelib.baselines import BASELINES, SHIPPED
from orelib.config import PUBLISHED, entry_of
from orelib.metrics import LIMITS, column, mean_interval
from orelib.runs import Folders, Run, read_settings, runs_of
from orelib.utils.checksums import DamagedFileError
from orelib.utils.command import run_command
from orelib.utils.paths import shown
from orelib.utils.provenance import read_provenance
from orelib.utils.tables import read_table, with_interval

# Cost of a method, by column; the baselines, which need no training, have no entries.
COSTS = {
    "parameters": "Int64",
    "multiply_adds": "Int64",
    "seconds_per_image": "float64",
    "updates": "Int64",
    "training_seconds": "float64",
}
LEFT_OUT = "psnr_left_out"  # column: number of images with an infinite PSNR
PAPER = {"pix2pix": (23.671, 0.7013), "cyclegan": (22.997, 0.6651), "improved": (23.759, 0.7141)}
CLAIM = (
    "The paper says that PSNR and SSIM improve by 8.8 % and 1.28 % over Pix2Pix. Its own table gives differences of "
    "0.088 dB (0.37 %) and 0.0128 (1.83 %): differences misread as per cent."
)


def title_of(name: str) -> str:
    """The name of a baseline, method or variant in tables."""
    return BASELINES.get(name) or SHIPPED.get(name) or entry_of(name).title


def plain_title(name: str) -> str:
    """The name without the remark in brackets."""
    return title_of(name).split(" (")[0]


def build_table3(
    folders: Folders, seed: int = 0, protocol: str = "rgb", methods: Sequence[str] = PUBLISHED
) -> pd.DataFrame:
    """Builds Table 3 of one seed: a row for each baseline, each of ``methods``, and each other run that was scored.

    Other runs that are not scored yet, or were trained on other images, are left out; :func:`remarks` names them.

    Columns: ``method``; ``paper_psnr, paper_ssim`` as printed; ``psnr, psnr_low, psnr_high`` (dB) and ``ssim,
    ssim_low, ssim_high``, mean over the test images with its 95 % interval; ``psnr_left_out``, the number of images
    left out of the mean PSNR because they equal the dry image, so that their PSNR is infinite; the means of
    ``sharpness``, ``psnr_glare`` (dB) and ``glare_removed`` over the images that have them, see :mod:`orelib.metrics`;
    ``parameters`` of the generator and ``multiply_adds`` to restore 512 x 512 px; ``seconds_per_image`` (median, as
    trained: same machine and threads); ``updates`` of the generator and ``training_seconds``. Cells without a meaning
    are empty: one image has no interval.

    Raises
    ------
    FileNotFoundError
        When a run is missing; the error names it.
    ValueError
        When the runs were not trained on the same images, or scored by an earlier version of the kit.
    """
    runs = runs_of(folders, seed, "metrics.csv", methods)
    unscored = {name: lacking for name, run in runs.items() if (lacking := _lacking(run))}
    if missing := [shown(unscored[name]) for name in methods if name in unscored]:
        cure = "run notebooks/05_training.ipynb for each of these runs first"
        raise FileNotFoundError(f"not trained and scored yet: {', '.join(missing)}: {cure}")
    provenance = {name: read_provenance(run) for name, run in runs.items() if name not in unscored}
    checksum = provenance[methods[0]]["data_checksum"]
    other = [name for name, facts in provenance.items() if facts["data_checksum"] != checksum]
    if {*other} & {*methods}:
        raise ValueError(f"the runs in {shown(folders.results)} were trained on different images: train them again")
    runs = {name: run for name, run in runs.items() if name not in (*unscored, *other)}

    older = [shown(run.path) for run in runs.values() if "seams" not in read_table(run / "metrics.csv")]
    if older:
        cure = "delete their metrics.csv and baselines.csv and run notebooks/05_training.ipynb for each again"
        raise ValueError(f"scored by an earlier version of the kit: {', '.join(older)}: {cure}")

    baselines = read_table(runs[methods[0]] / "baselines.csv")
    rows = [_row(name, baselines[baselines["method"] == name], protocol) for name in BASELINES]
    _demand_all(runs, provenance)
    for variant, run in runs.items():
        facts = provenance[variant] | {"updates": read_settings(run)["steps"]}
        costs = {name: facts[name] for name in COSTS}
        rows.append(_row(variant, read_table(run / "metrics.csv"), protocol) | costs)
    table = pd.DataFrame(rows).astype(COSTS)
    table.attrs["left_out"] = {"not scored yet": [*unscored], "trained on other images": other}
    return table


def _lacking(run: Run) -> Path | None:
    """Returns the missing part of a run's scores and costs, or None; the run may still be training."""
    files = ("metrics.csv", "baselines.csv", "provenance.json")
    if missing := [run / name for name in files if not (run / name).exists()]:
        return missing[0]
    return None if {*read_provenance(run)} >= {*COSTS} - {"updates"} else run.path


def _demand_all(runs: dict[str, Run], provenance: dict[str, dict]) -> None:
    """Raises DamagedFileError when scores lack images or baselines, or repeat them: for files without a checksum."""
    for method, run in runs.items():
        images = provenance[method].get("test_pairs")
        for name, rows in (("metrics.csv", 1), ("baselines.csv", len(BASELINES))):
            table = read_table(run / name)
            found = len(table.drop_duplicates([column for column in ("method", "image") if column in table]))
            if images is not None and not found == len(table) == images * rows:
                cure = "run notebooks/05_training.ipynb for it again, which scores it again"
                raise DamagedFileError(f"{shown(run / name)} does not hold {images} images: {cure}")


def _row(method: str, scores: pd.DataFrame, protocol: str) -> dict:
    paper_psnr, paper_ssim = PAPER.get(method, (np.nan, np.nan))
    row = {"method": method, "paper_psnr": paper_psnr, "paper_ssim": paper_ssim}
    for metric in ("psnr", "ssim"):
        name = "psnr" if (metric, protocol) == ("psnr", "library") else column(metric, protocol)
        row[metric], row[f"{metric}_low"], row[f"{metric}_high"] = mean_interval(scores[name], limits=LIMITS[metric])
        if metric == "psnr":
            row[LEFT_OUT] = int(scores[name].isna().sum())  # PSNR is missing for no other reason
    for metric in ("sharpness", "psnr_glare", "glare_removed"):
        row[metric] = scores[metric].mean()  # over images that have a value: without glare there is no PSNR in glare
    return row


def differences(results: Path, seed: int = 0) -> pd.DataFrame:
    """Returns the gain of Improved (residual modules and losses) over Pix2Pix, and of NAFNet over Improved.

    Both methods of a difference restored the same test images, so it is paired; an image that one of them restored to
    exactly the dry image is left out. A row per difference and metric: the paper's value, the measured mean and its
    95 % interval, NaN for one image. ``results`` holds the runs of one profile.
    """

    def scores(method: str) -> pd.DataFrame:
        return read_table(Path(results) / f"{method}-seed{seed}" / "metrics.csv").set_index("image")

    rows = []
    for one, other in (("improved", "pix2pix"), ("nafnet", "improved")):
        difference = scores(one) - scores(other)
        for number, (metric, title) in enumerate((("psnr", "PSNR, dB"), ("ssim", "SSIM"))):
            least, most = LIMITS[metric]
            mean, low, high = mean_interval(difference[metric], limits=(least - most, most - least))
            paper = PAPER[one][number] - PAPER[other][number] if one in PAPER else np.nan
            rows.append((title_of(one), title_of(other), title, paper, mean, low, high))
    columns = ["method", "minus", "metric", "paper", "measured", "low", "high"]
    return pd.DataFrame(rows, columns=columns).set_index(columns[:3]).round(4)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Scores as people read them: titles, intervals in brackets, a dash where there is nothing."""

    def value(number: float, digits: int) -> str:
        return "-" if pd.isna(number) else f"{number:.{digits}f}"

    def measured(metric: str, digits: int) -> list[str]:
        cells = table[[metric, f"{metric}_low", f"{metric}_high"]].itertuples(index=False)
        return [with_interval(*cell, f".{digits}f") for cell in cells]

    return pd.DataFrame(
        {
            "method": table["method"].map(title_of),
            "paper PSNR, dB": [value(x, 3) for x in table["paper_psnr"]],
            "paper SSIM": [value(x, 4) for x in table["paper_ssim"]],
            "measured PSNR, dB": measured("psnr", 2),
            "measured SSIM": measured("ssim", 4),
            "sharpness": [value(x, 2) for x in table["sharpness"]],
            "PSNR in glare, dB": [value(x, 2) for x in table["psnr_glare"]],
        }
    )


def remarks(table: pd.DataFrame) -> str:
    """Remarks to print below the table: images and runs that are left out, and missing intervals; may be empty."""
    sentences = []
    rows = table[table[LEFT_OUT] > 0]
    if len(rows):
        counts = ", ".join(
            f"{title_of(name)} {count}" for name, count in zip(rows["method"], rows[LEFT_OUT], strict=True)
        )
        sentences.append(
            "Images that were restored to exactly the dry image have an infinite PSNR and are left out of its mean and "
            f"interval. Their number: {counts}."
        )
    if table["ssim_low"].isna().any() or (table["psnr_low"].isna() & table["psnr"].notna()).any():
        sentences.append("One image has no interval: [-].")
    for why, names in table.attrs.get("left_out", {}).items():
        if names:
            sentences.append(f"Left out because {why}: {', '.join(entry_of(name).short for name in names)}.")
    return " ".join(sentences)


def readable_costs(table: pd.DataFrame) -> pd.DataFrame:
    """Costs of each method, as people read them."""
    methods = table[table["parameters"].notna()]
    return pd.DataFrame(
        {
            "method": methods["method"].map(title_of),
            "parameters": [f"{x:,}" for x in methods["parameters"]],
            "10^9 multiply-adds, 512 x 512 px": [f"{x / 1e9:.1f}" for x in methods["multiply_adds"]],
            "s / test image": [f"{x:.3f}" for x in methods["seconds_per_image"]],
            "updates": [f"{x:,}" for x in methods["updates"]],
            "training, s": [f"{x:.0f}" for x in methods["training_seconds"]],
        }
    )


def to_markdown(table: pd.DataFrame, below: str = "") -> str:
    """Formats texts as a Markdown table, aligned so that it also reads well as plain text, with a text ``below`` it."""
    rows = [list(table.columns), *table.to_numpy().tolist()]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    rows.insert(1, ["-" * width for width in widths])
    lines = (" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    text = "\n".join(f"| {line} |" for line in lines)
    return f"{text}\n\n{below}" if below else text


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints Table 3: the paper's values beside the measured ones.")
    parser.add_argument("results", type=Path, help="results of a profile, for instance results/quick")
    parser.add_argument("--seed", default=0)
    chosen = parser.parse_args()
    results = chosen.results.expanduser()
    table = build_table3(Folders(results.name, results_dir=str(results.parent)), chosen.seed)
    print(f"\nTable 3, {results.name} profile: mean over the test images [95 % interval]\n")
    print(to_markdown(readable(table), remarks(table)))
    print(f"\n{CLAIM}")
    print(f"\nCosts of the methods\n\n{to_markdown(readable_costs(table))}")
    print(f"\nLook at: {shown(results / 'figures')} (figures) and {shown(results / 'notebooks')} (executed notebooks)")


if __name__ == "__main__":
    run_command(main)
