"""The part of ``RESULTS.md`` about real wet rock: trainings, single restorers, and what can be had with what."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from orelib.runs import read_experiment
from orelib.study.effects import on_photographs
from orelib.study.table3 import to_markdown
from orelib.study.wording import Finding, bullets, paragraph, row_finding
from orelib.utils.tables import read_table

STUDY = "cpu"  # the profile of the published experiment
RENDERED, REAL, BOTH = "rendered scenes", "photographs", "rendered scenes, then photographs"
TRANSFERS = {  # file with a restorer's scores on photographs: its name in tables
    "quick/transfer-pix2pix-width64.csv": "Pix2Pix of width 64, `quick`",
    "quick/transfer-improved.csv": "Improved, `quick`",
    "quick/transfer-nafnet.csv": "NAFNet, `quick`",
    "quick/transfer-slim.csv": "Slim, `quick`",
    "restorer/transfer.csv": "the kit's network alone",
}


def gained_on_rock(reference: Path, method: str, trained_on: str, metric: str) -> Finding:
    """Gain of a method, on photographs of drill core, over a linear colour map that was fitted on that core."""
    table = read_table(reference / STUDY / "real_pairs.csv").set_index(["method", "trained on"])
    what = f"{method} trained on {trained_on}, over the colour map"
    return row_finding(what, table.loc[(method, trained_on)], metric, f"{metric}_gain")


def wet_rock(reference: Path) -> str:
    table = on_photographs(reference / STUDY).reset_index().replace("\N{NO-BREAK SPACE}", " ", regex=True)
    means = read_table(reference / STUDY / "real_pairs.csv").set_index(["method", "trained on"])
    improved, tuned = (gained_on_rock(reference, "improved", on, "psnr") for on in (RENDERED, BOTH))
    level = gained_on_rock(reference, "improved", BOTH, "ssim")
    nafnet = {metric: gained_on_rock(reference, "nafnet", REAL, metric) for metric in ("psnr", "ssim")}
    changes = [
        f"{title} {means.loc[(name, BOTH), 'psnr'] - means.loc[(name, REAL), 'psnr']:+.1f} dB"
        for name, title in (("pix2pix", "Pix2Pix"), ("improved", "Improved"), ("nafnet", "NAFNet"))
    ]
    seeds, photographs = means.loc[("improved", REAL), ["seeds", "photographs"]].astype(int)
    intro = f"""
        The only wet and dry photographs of rock that we have show drill core of one kind of rock: {photographs} tiles
        to test on, which no training saw. Two of them show glare, too few to judge how it is removed. Each method was
        trained {seeds} times; *gained* is the difference to a linear colour map that was fitted on the core."""
    points = bullets(
        f"""Trained on rendered scenes alone, Improved is {improved.below()} dB below the colour map. Trained on the
        core after the scenes, it is {tuned.above()} dB above the map, and level with it in SSIM ({level.level()}).""",
        f"""NAFNet, trained on the core alone, is level with the map in PSNR ({nafnet["psnr"].level()} dB) and
        {nafnet["ssim"].above()} above it in SSIM.""",
        f"""Training on the rendered scenes first, instead of from scratch, changes PSNR by: {", ".join(changes)}.
        Of these, only the gain of Pix2Pix is more than noise.""",
    )
    core = {name: _transfer(reference, file) for file, name in TRANSFERS.items()}
    longer, usual = (
        read_table(reference / run / "metrics.csv")["psnr"] for run in ("restorer/nafnet-seed0", "quick/nafnet-seed0")
    )
    gained = (longer.head(len(usual)) - usual).mean()  # both have the same first test scenes
    lost = core["NAFNet, `quick`"].loc["restorer", "psnr"] - core["the kit's network alone"].loc["restorer", "psnr"]
    second = """
        Scores of single restorers that were trained on rendered scenes alone: on the same tiles, and on photographs of
        ore that is already dry, which a restorer should not change (*dry, before and after*: at 30 dB, a change would
        be hard to see)."""
    kit, first = (read_experiment(reference / run) for run in ("restorer/nafnet-seed0", "quick/nafnet-seed0"))
    times, scenes = kit.steps / first.steps, kit.train_pairs / first.train_pairs
    long = f"""**Longer training does not carry over:** the network of the kit's restorer is the NAFNet of `quick`,
        trained {times:.0f} times as long on {scenes:.0f} times as many scenes. It gains {gained:.1f} dB on the same
        test scenes and loses {lost:.1f} dB on the core."""
    return "\n\n".join([
        "## Real wet rock", paragraph(intro), to_markdown(table), points,
        "### With what you have", what_you_have(reference),
        "### Restorers that saw no photograph", paragraph(second), to_markdown(_transfers(core)), bullets(long),
    ])  # fmt: skip


def what_you_have(reference: Path) -> str:
    """Scores on the core by what a user has of its rock: nothing, a dry photograph, a pair, dry photographs, pairs."""
    table = read_table(reference / "restorer" / "real_rock.csv")
    intro = f"""
        The same {table["images"].iloc[0]} tiles, restored by a user who has nothing of this rock, or something of other
        pieces of the core. *SSIM (sk)* is scikit-image's; two tiles show glare. Brackets hold 95 % intervals over the
        tiles. Of one dry photograph or one pair, each had its turn: the median over the turns, and behind the stroke
        the worst by PSNR. Trainings are means over three seeds."""
    return f"{paragraph(intro)}\n\n{to_markdown(_scores_of_rock(table))}"


def _scores_of_rock(table: pd.DataFrame) -> pd.DataFrame:
    metrics = {"psnr": ("PSNR, dB", 1), "ssim": ("SSIM", 3), "ssim_library": ("SSIM (sk)", 3),
               "psnr_glare": ("PSNR in glare, dB", 1)}  # fmt: skip

    def shown(row: pd.Series, metric: str, digits: int) -> str:
        mean = f"{row[metric]:.{digits}f}"
        if pd.notna(row[f"{metric}_worst"]):
            return f"{mean} / {row[f'{metric}_worst']:.{digits}f}"
        if metric == "psnr_glare":  # of two tiles: an interval would say nothing
            return mean
        return f"{mean} [{row[f'{metric}_low']:.{digits}f}, {row[f'{metric}_high']:.{digits}f}]"

    rows = []
    for _, row in table.iterrows():
        values = {title: shown(row, metric, digits) for metric, (title, digits) in metrics.items()}
        rows.append({"you have": row["has"], "restorer": row["restorer"]} | values)
        rows[-1]["sharpness"] = f"{row['sharpness']:.2f}"
    return pd.DataFrame(rows)


def _transfer(reference: Path, file: str) -> pd.DataFrame:
    """Reads what ``benchmarks/transfer.py`` wrote of a restorer; calls its own two rows ``restorer`` and ``dry``."""
    table = read_table(reference / file)
    *_, restorer, dry = table["restorer"]
    return table.replace({"restorer": {restorer: "restorer", dry: "dry"}}).set_index("restorer")


def _transfers(core: dict[str, pd.DataFrame]) -> pd.DataFrame:
    first = core["Slim, `quick`"]
    rows = [("do nothing", first.loc["do nothing"], "-")]
    rows.append(("linear colour map of rendered scenes", first.loc["linear_colour (fitted as the restorer)"], "-"))
    rows.append(("linear colour map of other core", first.loc["linear_colour (fitted here)"], "-"))
    rows += [(name, table.loc["restorer"], f"{table.loc['dry', 'psnr']:.1f} dB") for name, table in core.items()]
    return pd.DataFrame(
        {
            "restorer": name, "PSNR, dB": f"{row['psnr']:.1f}", "SSIM": f"{row['ssim']:.2f}",
            "glare removed": f"{row['glare_removed']:.2f}", "sharpness": f"{row['sharpness']:.2f}",
            "dry, before and after": unharmed,
        }
        for name, row, unharmed in rows
    )  # fmt: skip
