"""``results/reference/RESULTS.md``: every published number with its interval, computed from the files beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from orelib.study.bootstrap import CONTRADICTED, NOISE, NOT_RUN, REPRODUCED, UNTESTED
from orelib.study.effects import ablation_effects, table3_of_seeds
from orelib.study.rock_page import wet_rock
from orelib.study.sizing_page import particles
from orelib.study.table3 import CLAIM, COSTS, differences, readable, readable_costs, to_markdown
from orelib.study.wording import Compared, Finding, bullets, paragraph, row_finding
from orelib.utils.tables import read_table

PUBLISHED, FIRST_LOOK = "cpu", "quick"  # the profiles whose results are kept
FASTER = "improved+learning_rate=0.002"
VERDICTS = {REPRODUCED: "are reproduced", NOISE: "lie within noise", CONTRADICTED: "are contradicted",
            UNTESTED: "cannot be tested here", NOT_RUN: "are not run yet"}  # fmt: skip
SHOWN = ["method", "paper PSNR, dB", "paper SSIM", "PSNR, dB", "SSIM", "PSNR in glare, dB", "glare removed",
         "colour error", "sharpness", "seeds"]  # fmt: skip
HEAD = """# Results

<!-- Written by `make tables`, from the files beside it: change orelib/study/results_page.py instead. -->

Settings, provenance and scores of each image lie beside this page: [cpu](cpu) is the published experiment,
[quick](quick) the first look, [restorer](restorer) the restorer that comes with the kit. Speed has its own page,
[benchmarks.md](benchmarks.md), and [docs/limits.md](../../docs/limits.md) lists the limits of these numbers.

*PSNR* and *SSIM* compare restored with dry images; more is better. *PSNR in glare* counts only pixels where the wet
image is clearly brighter than the dry one. *Glare removed* is 1 if no glare is left, 0 if nothing changed, below 0 if
there is more glare. *Colour error* is CIEDE2000. *Sharpness* is the mean gradient, divided by the mean gradient of the
dry images: below 1, something is blurred. Brackets hold 95 % intervals over other trainings and other test images."""


def results_page(reference: Path) -> str:
    """Returns the page as Markdown; ``reference`` is ``results/reference``.

    Raises OutdatedSentenceError when the results contradict a sentence, FileNotFoundError for runs that are missing.
    """
    study = reference / PUBLISHED
    parts = (
        _published(study, reference / FIRST_LOOK),
        _parts(study),
        particles(reference / FIRST_LOOK, study),
        wet_rock(reference),
        _first_look(reference),
    )
    return "\n\n".join([HEAD, *parts, _claims(study)]) + "\n"


def _published(study: Path, quick: Path) -> str:
    table, c = table3_of_seeds(study, PUBLISHED), Compared(study)
    adds = read_table(quick / "table3.csv").set_index("method")["multiply_adds"]  # both profiles have the same networks
    intro = f"""
        Profile `cpu`, the published experiment: rendered scenes of 256 x 256 px, {table["seeds"].iloc[-1]} trainings of
        each method with the same number of updates on the same pairs (samples per update: NAFNet two, Slim four, the
        others one). Of each training, the generator with the highest PSNR on validation images is kept. Values are
        means over trainings and test scenes. The paper's numbers come from other photographs, so compare differences,
        not levels. {_made_by(study)}"""
    improved, classical, rate, others = (
        f"""**Improved against Pix2Pix:** {c.above("improved", "pix2pix", "psnr")} dB and
        {c.above("improved", "pix2pix", "ssim")} in SSIM above it on the same scenes; the paper gives 0.088 dB and
        0.0128. Its colours are truer: the colour error is {c.below("improved", "pix2pix", "colour_error")} lower. It is
        not measurably sharper ({c.level("improved", "pix2pix", "sharpness")}) and does not remove measurably more
        glare ({c.level("improved", "pix2pix", "glare_removed")}), but inside the glare it is
        {c.above("improved", "pix2pix", "psnr_glare")} dB closer to dry rock.""",
        f"""**In SSIM, Pix2Pix is easy to beat:** Telea's filling of the glare (2004) followed by a linear colour map,
        without any trained network, is {c.below("telea", "pix2pix", "psnr")} dB below it but
        {c.above("telea", "pix2pix", "ssim")} above it in SSIM.""",
        f"""**Learning rate:** Improved and Pix2Pix are trained with Pix2Pix's usual 0.0002. With the paper's 0.002,
        Improved gains another {c.above(FASTER, "improved", "psnr")} dB and {c.above(FASTER, "improved", "ssim")} in
        SSIM (three trainings).""",
        f"""**Networks without a discriminator:** NAFNet (2022) is {c.above("nafnet", "improved", "psnr")} dB above
        Improved, and {c.above("nafnet", FASTER, "psnr")} dB above Improved at 0.002. Slim, a small U-Net with
        1/{adds["improved"] / adds["slim"]:.0f} of the multiply-adds, is {c.above("slim", "improved", "psnr")} dB and
        {c.above("slim", FASTER, "psnr")} dB above them, although it leaves more glare (by
        {c.below("slim", "improved", "glare_removed")}). Both differ from Improved in more than the discriminator.""",
    )
    seconds = training_seconds(study)
    took = f"""All {len(seconds)} trainings, including the ablation, take {sum(seconds) / 3600:.1f} hours on one core
        (`make reproduce PROFILE=cpu`). The time of each: [11_ablation](../../notebooks/11_ablation.ipynb)."""
    return "\n\n".join([
        "## Table 3, paper beside measured", paragraph(intro), to_markdown(table[SHOWN]),
        bullets(improved, classical, rate, others), paragraph(took),
        "![PSNR, SSIM, particles found and P80 error of all methods](cpu/figures/answer.png)", paragraph(CLAIM),
    ])  # fmt: skip


def _parts(study: Path) -> str:
    effects, c, without = ablation_effects(study, PUBLISHED), Compared(study), "improved+lambda_adversarial=0"
    found = {
        (row["effect"], row["metric"]): row_finding(row["effect"], row, row["metric"]) for _, row in effects.iterrows()
    }
    cells = effects.assign(text=[finding.text() for finding in found.values()])
    table = cells.pivot_table("text", ["effect", "seeds"], "metric", sort=False, aggfunc="first").reset_index()
    table = table.astype(str).rename(columns={"effect": "change", "psnr": "PSNR, dB", "ssim": "SSIM"})
    intro = """
        *Residual modules*: added to the plain U-Net of Pix2Pix. *SSIM loss* and *MSE loss*: each added to residual
        modules; *MSE loss beside SSIM*: added to both. *Adversarial loss* and *Mosaic*: Improved with it minus Improved
        without it. The others: changed Improved minus Improved as it is. Figures and all metrics:
        [11_ablation](../../notebooks/11_ablation.ipynb)."""
    ssim_loss, discriminator, window = (
        f"""**The SSIM loss** adds {found["SSIM loss", "psnr"].above()} dB and {found["SSIM loss", "ssim"].above()} in
        SSIM to a U-Net with residual modules. These alone add {found["residual modules", "psnr"].above()} dB, hardly
        more than noise, and nothing measurable in SSIM ({found["residual modules", "ssim"].level()}). Mosaic loses
        {found["Mosaic", "psnr"].below()} dB here.""",
        f"""**The discriminator:** without the adversarial loss, Improved gains {c.above(without, "improved", "psnr")}
        dB and {c.above(without, "improved", "ssim")} in SSIM, its colour error falls by
        {c.below(without, "improved", "colour_error")} and the share of invented edges by
        {c.below(without, "improved", "invented_edges")}; sharpness ({c.level(without, "improved", "sharpness")}) and
        the glare removed ({c.level(without, "improved", "glare_removed")}) change within noise.""",
        f"""**A window of 7 px in the SSIM loss** instead of 11 was tried as an example of changing one setting:
        {found["SSIM window 7, not 11", "psnr"].level()} dB and {found["SSIM window 7, not 11", "ssim"].text()} in SSIM,
        which changes no verdict.""",
    )
    points = bullets(ssim_loss, discriminator, window)
    return "\n\n".join(["## Effect of each part of the method", paragraph(intro), to_markdown(table), points])


def _first_look(reference: Path) -> str:
    quick = reference / FIRST_LOOK
    table = read_table(quick / "table3.csv").astype(COSTS)
    found = {
        (one.split(" (")[0], metric): Finding(f"{one} - {other} under quick", *row[["measured", "low", "high"]], digits)
        for ((one, other, metric), row), digits in zip(differences(quick).iterrows(), (2, 3, 2, 3), strict=True)
    }
    improved, nafnet = (
        f"{found[name, 'PSNR, dB'].above()} dB and {found[name, 'SSIM'].above()} in SSIM"
        for name in ("Improved", "NAFNet")
    )
    intro = """
        Results of `make reproduce`: rendered scenes of 256 x 256 px, a short training, one seed. Means over the test
        images; the intervals cover other test images, but not other trainings."""
    points = bullets(
        f"""Improved is {improved} above Pix2Pix on the same images, and NAFNet (Chen et al. 2022) another {nafnet}
        above Improved, in no more time: it has no discriminator and predicts the change of the image instead of the
        image.""",
        """Slim is the U-Net of Pix2Pix with a third of its width here, and an eighth of its usual width; it is trained
        like NAFNet.""",
        f"""All trainings together took {sum(training_seconds(quick)) / 60:.0f} minutes on one core.""",
    )
    return "\n\n".join([
        "## A first look", paragraph(intro), to_markdown(readable(table)), points, to_markdown(readable_costs(table)),
        "![Wet, dry and restored scenes with enlarged windows on the glare](quick/figures/figure8_comparison.png)",
    ])  # fmt: skip


def _claims(study: Path) -> str:
    claims = read_table(study / "claims.csv")
    intro = f"""{counted_claims(claims)}. The evidence for each is in
        [12_claims](../../notebooks/12_claims.ipynb), the rule in `orelib/study/claims.py`."""
    shown = claims[["number", "where", "claim", "verdict"]].astype(str)
    return "\n\n".join(["## The paper's claims", paragraph(intro), to_markdown(shown)])


def counted_claims(claims: pd.DataFrame) -> str:
    """Counts the claims, and the claims of each verdict, in a sentence."""
    counts = claims["verdict"].value_counts()
    said = ", ".join(f"{counts[verdict]} {VERDICTS[verdict]}" for verdict in VERDICTS if verdict in counts)
    return f"Of {len(claims)} claims of the paper, {said}"


def _made_by(study: Path) -> str:
    """The code that trained the published experiment, from the provenance of its runs."""
    facts = [json.loads(path.read_text("utf-8")) for path in study.glob("*-seed*/provenance.json")]
    sessions = sorted((session for run in facts for session in run["sessions"]), key=lambda each: each["started"])
    first, last = (f"{each['git_commit'][:7]} ({each['started'][:10]})" for each in (sessions[0], sessions[-1]))
    return f"The trainings were made by the code of commits {first} to {last}; later code may round differently."


def training_seconds(results: Path) -> list[float]:
    """The seconds that each training of a profile took, on one core."""
    return [
        json.loads(path.read_text("utf-8"))["training_seconds"]
        for path in sorted(results.glob("*-seed*/provenance.json"))
    ]
