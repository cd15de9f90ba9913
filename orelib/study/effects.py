"""Effects of each method and of each change, from the runs of the published experiment: differences with intervals.

All functions read a results folder, ``results/cpu`` or its published part ``results/reference/cpu``; they train
nothing. Differences are paired by seed and test image (:mod:`~.bootstrap`). The functions also work while an
experiment is still running: tables hold the finished runs, and :func:`missing` lists the others.
"""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import numpy as np
import pandas as pd

from orelib.baselines import BASELINES, OF_NO_RUN, SHIPPED
from orelib.config import PUBLISHED
from orelib.metrics import LIMITS
from orelib.runs import find_runs
from orelib.study.bootstrap import ANY, UNTRAINED, Estimate, contrast, difference, estimate, paired, wins
from orelib.study.kept import baselines, segmenter_of
from orelib.study.table3 import PAPER, plain_title, title_of
from orelib.study.variants import ABLATION_SEEDS, all_variants, table3_variants, variant_names
from orelib.utils.allowed import SettingsError
from orelib.utils.paths import shown
from orelib.utils.tables import read_table, with_interval

# The columns of metrics.csv that are compared, as tables call them.
METRICS = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "psnr_glare": "PSNR in glare, dB",
    "psnr_rock": "PSNR outside, dB",
    "glare_removed": "glare removed",
    "seams": "seams",
    "colour_error": "colour error",
    "sharpness": "sharpness",
    "invented_edges": "invented edges",
}
PLAIN, WHOLE = "pix2pix", "improved"


def scores(results: Path, name: str, metric: str, file: str = "metrics.csv") -> pd.DataFrame:
    """Reads a metric of a method or variant: a row per seed, a column per test image; one row for what no run restored.

    NaN where an image has no finite value.

    Raises FileNotFoundError when there is no such run; the error names the command that makes it.
    """
    if name in OF_NO_RUN:
        path = baselines(results) if file == "metrics.csv" else Path(results) / file
        _demand(path, results)
        table = read_table(path)
        return table[table["method"] == name].set_index("image")[[metric]].T.set_axis([UNTRAINED])
    runs = find_runs(results, file, variant=name)
    if not runs:
        _demand(Path(results) / f"{name}-seed0" / file, results)
    return pd.DataFrame({run.seed: read_table(run / file).set_index("image")[metric] for run in runs}).T


def _demand(path: Path, results: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"{shown(path)} is missing: run {_command(results)} first")


def _command(results: Path) -> str:
    """The command that makes the experiment whose results are in a folder."""
    results = Path(results)
    folder = shown(results.parent)
    elsewhere = "" if folder in ("results", "results/reference") else f" RESULTS_DIR={quote(folder)}"
    return f"make study PROFILE={results.name}{elsewhere}"


def missing(results: Path, profile: str) -> list[str]:
    """Lists the runs of a profile's experiment that are not trained, scored and sized yet.

    Raises FileNotFoundError when no run has begun; the error says where to get the experiment.
    """
    runs = [f"{variant.name}-seed{seed}" for variant in all_variants(profile) for seed in range(variant.seeds)]
    if not any((Path(results) / run).is_dir() for run in runs):
        raise FileNotFoundError(
            f"{shown(results)} holds no run of the experiment: the published runs come with a copy of the kit, in "
            f"results/reference; to make your own there, run {_command(results)}"
        )
    files = ("metrics.csv", "sizing.csv")
    return [run for run in runs if not all((Path(results) / run / file).exists() for file in files)]


def demand_study(results: Path, profile: str, ablation: bool = False) -> list[str]:
    """Checks that a profile's experiment can be shown, if not all of it; returns what is :func:`missing` of it.

    ``ablation`` asks for the variants of Improved, too, which only some profiles have.

    Raises FileNotFoundError, which names the command that makes the experiment, when no run has begun, or when files or
    methods are missing without which there is nothing to compare; and SettingsError for a profile without an ablation.
    """
    if ablation and profile not in ABLATION_SEEDS:
        raise SettingsError(
            f"profile={profile!r} has no ablation: choose one of {', '.join(ABLATION_SEEDS)}; the published one is "
            'profile "cpu" in results/reference, and make study PROFILE=cpu makes it anew'
        )
    unfinished = missing(results, profile)
    paths = [baselines(results), *(Path(results) / name for name in ("sizing.csv", "sizes.csv", "scenes.csv"))]
    paths += [Path(results) / f"{name}-seed0" / "metrics.csv" for name in (PLAIN, WHOLE) if not is_there(results, name)]
    if lacking := [path.relative_to(results).as_posix() for path in paths if not path.exists()]:
        raise FileNotFoundError(
            f"{shown(results)} lacks {', '.join(lacking)} of the experiment: run {_command(results)} first"
        )
    _demand_one_segmenter(results)
    return unfinished


def _demand_one_segmenter(results: Path) -> None:
    """Raises ValueError when runs were sized by another segmenter than the images that are not restored."""
    by = segmenter_of(results)
    if others := [run.name for run in find_runs(results, "sizing.csv") if segmenter_of(run) != by]:
        raise ValueError(
            f"the sizes in {shown(results)} were found by different segmenters ({', '.join(others)} by another one): "
            f"delete the sizing.csv in it and in these runs, and run {_command(results)}"
        )


def is_there(results: Path, *names: str) -> bool:
    """True if at least one training of each named method and variant is finished; baselines always count as such."""
    return {*names} <= {*BASELINES, *(run.variant for run in find_runs(results, "metrics.csv"))}


def table3_of_seeds(results: Path, profile: str) -> pd.DataFrame:
    """Table 3 over all seeds: a row per baseline and method, the paper's values, and the mean of each metric as text.

    Intervals cover other trainings and other scenes.
    """
    rows = []
    names = [(name, title_of(name)) for name in BASELINES]
    names += [(variant.name, variant.title) for variant in table3_variants(profile)]
    for name, title in names:
        if not is_there(results, name):
            continue
        paper = PAPER.get(name, ("-", "-"))
        row = {"method": title, "paper PSNR, dB": str(paper[0]), "paper SSIM": str(paper[1])}
        for metric, heading in METRICS.items():
            values = scores(results, name, metric)
            if values.isna().all(axis=None):
                row[heading] = "-"  # one colour has no edges that could be invented
                continue
            found = estimate(values, limits=LIMITS[metric])
            spec = ".3f" if metric in ("ssim", "invented_edges") else ".2f"
            row[heading] = found.text(spec) if metric in ("psnr", "ssim") else f"{found.mean:{spec}}"
        rows.append(row | {"seeds": str(found.seeds if name not in BASELINES else "-")})
    return pd.DataFrame(rows)


def compared(results: Path, one: str, other: str, metrics: tuple[str, ...] = tuple(METRICS)) -> pd.DataFrame:
    """Returns ``one - other`` in every metric: mean, low, high, detectable, and wins, its probability to be > 0."""
    rows = {}
    for metric in metrics if is_there(results, one, other) else ():
        first, second = scores(results, one, metric), scores(results, other, metric)
        rows[METRICS[metric]] = _row(difference(first, second)) | {"wins": wins(first, second).mean}
    return pd.DataFrame(rows, index=["mean", "low", "high", "detectable", "wins"]).T


def _row(found: Estimate) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high, "detectable": found.detectable}


def ablation_effects(results: Path, profile: str, metrics: tuple[str, ...] = ("psnr", "ssim")) -> pd.DataFrame:
    """Effects of each part of Improved, and of each other setting.

    A row per effect and metric: effect, metric, mean, low, high, detectable, seeds. Parts are added to a plain U-Net
    one after the other; settings are changed in Improved, one at a time.
    """
    names = variant_names(profile)
    residual, with_ssim, with_mse = (names[key] for key in ("residual", "residual_ssim", "residual_mse"))
    effects = {
        "residual modules": (residual, PLAIN),
        "SSIM loss": (with_ssim, residual),
        "MSE loss": (with_mse, residual),
        "MSE loss beside SSIM": (WHOLE, with_ssim),
        "all of Improved": (WHOLE, PLAIN),
        "adversarial loss": (WHOLE, names["no_adversarial"]),
        "Mosaic": (WHOLE, names["no_mosaic"]),
        "batch 4 instead of 1": (names["batch_4"], WHOLE),
        "learning rate 0.002": (names["rate_0.002"], WHOLE),
        "SSIM window 7, not 11": (names["window_7"], WHOLE),
        "perceptual loss (VGG16)": (names["vgg16"], WHOLE),
        "misaligned by 1 px": (names["shifted_1"], WHOLE),
        "misaligned by 3 px": (names["shifted_3"], WHOLE),
    }
    rows = []
    for effect, (one, other) in effects.items():
        for metric in metrics if is_there(results, one, other) else ():
            found = difference(scores(results, one, metric), scores(results, other, metric))
            rows.append({"effect": effect, "metric": metric} | _row(found) | {"seeds": found.seeds})
    return pd.DataFrame(rows)


def by_wetness(results: Path, name: str, metric: str, other: str | None = None) -> dict[str, Estimate]:
    """Estimates a metric, or its difference to ``other``, in the least wet and the wettest third of the test scenes.

    ``wetter - drier`` is the change from the least wet third to the wettest.
    """
    scenes = read_table(Path(results) / "scenes.csv").set_index("stem")["wetness"].sort_values()
    third = len(scenes) // 3
    table, limits = scores(results, name, metric), LIMITS[metric]
    if other is not None:
        table, limits = paired(table, scores(results, other, metric)), ANY
    drier, wetter = table[scenes.index[:third]], table[scenes.index[-third:]]
    ends = {"drier": estimate(drier, limits=limits), "wetter": estimate(wetter, limits=limits)}
    return ends | {"wetter - drier": contrast(wetter, drier)}


def sized_ways(results: Path) -> list[str]:
    """Names all whose particle sizes a results folder holds: wet images, restored ones by each way, and dry ones."""
    there = {*read_table(Path(results) / "sizing.csv")["method"]}
    there |= {run.variant for run in find_runs(results, "sizing.csv")}
    return [name for name in (*BASELINES, *SHIPPED, *PUBLISHED, "dry") if name in there]


SIZING_ERRORS = {"count": "count error, %", "p50": "P50 error, mm", "p80": "P80 error, mm"}


def sizing_errors(results: Path, name: str) -> dict[str, pd.DataFrame]:
    """Absolute errors of a restoration's particle sizes, seeds x scenes, by the names of :data:`SIZING_ERRORS`."""
    values = {
        column: scores(results, name, column, "sizing.csv")
        for column in ("count", "true_count", "p50", "true_p50", "p80", "true_p80")
    }
    errors = {name: (values[name] - values[f"true_{name}"]).abs() for name in SIZING_ERRORS}
    return errors | {"count": 100 * errors["count"] / values["true_count"]}


def share_gone(results: Path, name: str) -> dict[str, Estimate]:
    """Share of the wet photographs' sizing error that a restoration removes: 1 all of it, 0 none, below 0 it adds some.

    ``1 - mean error restored / mean error wet``, as the mean of ``(wet - restored) / mean error wet``.
    """
    wet, restored = sizing_errors(results, "do_nothing"), sizing_errors(results, name)
    shares = {}
    for error in SIZING_ERRORS:
        baseline = wet[error].loc[UNTRAINED]
        shares[error] = estimate((baseline - restored[error]) / baseline.mean(), limits=(-np.inf, 1))
    return shares


def sizing_by_wetness(results: Path, name: str) -> pd.DataFrame:
    """Errors of particle sizes in wet and restored images, by thirds of the scenes' wetness.

    A row per third, from the least wet scenes to the wettest; a column per error and image, with 95 % intervals over
    other scenes and trainings, as text. Raises KeyError for results whose sizing scenes have no wetness.
    """
    table = read_table(Path(results) / "sizing.csv").query("method == 'do_nothing'")
    order = table.set_index("image")["wetness"].sort_values()
    rows = {}
    thirds = np.array_split(np.arange(len(order)), 3)
    for title, places in zip(("least wet", "between", "wettest"), thirds, strict=True):
        part = order.iloc[places]
        row = {"wetness": f"{part.min():.2f} to {part.max():.2f}"}
        for error, heading in SIZING_ERRORS.items():
            for image, way in (("wet", "do_nothing"), ("restored", name)):
                errors = sizing_errors(results, way)[error][part.index]
                row[f"{heading}, {image}"] = estimate(errors, limits=(0, np.inf)).text()
        rows[title] = row
    return pd.DataFrame(rows).T


def on_photographs(results: Path) -> pd.DataFrame:
    """Results of ``benchmarks/real_pairs.py`` on wet/dry photographs, as text for a table; empty if it was not run.

    ``gained`` is the difference to the linear colour map, with its 95 % interval over other trainings and photographs.
    """
    path = Path(results) / "real_pairs.csv"
    if not path.exists():
        return pd.DataFrame()
    table = read_table(path)
    methods = table["method"].map(plain_title)
    readable = pd.DataFrame({"method": methods, "trained on": table["trained on"]})
    for metric, digits in (("psnr", 2), ("ssim", 3)):
        gains = table[[f"{metric}_gain", f"{metric}_gain_low", f"{metric}_gain_high"]].itertuples(index=False)
        readable[METRICS[metric]] = table[metric].map(f"{{:.{digits}f}}".format)
        readable[f"{metric.upper()} gained"] = [
            with_interval(*gain, f"+.{digits}f").replace(" ", "\u00a0")  # stays on one line
            for gain in gains
        ]
    readable[METRICS["psnr_glare"]] = table["psnr_glare"].map("{:.2f}".format)
    readable["glare removed"] = table["glare_removed"].map("{:.2f}".format)
    return readable.set_index(["method", "trained on"])
