"""The documents that quote numbers: ``python -m orelib.study.document`` writes them from ``results/reference``.

``RESULTS.md`` is written as a whole (:mod:`~.results_page`), in other documents only a block between two comments::

    <!-- begin answer: written by make tables -->
    ...
    <!-- end answer -->
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from orelib.config import PROFILES, Experiment
from orelib.study.contents import linked, readme_table
from orelib.study.results_page import (
    FIRST_LOOK,
    PUBLISHED,
    counted_claims,
    results_page,
)
from orelib.study.rock_page import BOTH, RENDERED, gained_on_rock, what_you_have
from orelib.study.scaling import GPU_TFLOPS, scaling, step_teraflop
from orelib.study.sizing_page import found_particles
from orelib.study.table3 import PAPER, to_markdown
from orelib.study.wording import Compared, bullets, paragraph, short
from orelib.utils.command import run_command
from orelib.utils.files import write_text
from orelib.utils.paths import kit_root, shown
from orelib.utils.tables import read_table

REFERENCE = Path("results", "reference")
PURPOSES = {
    "smoke": "tests, seconds",
    "quick": "a first look, minutes without a GPU",
    "cpu": "the published experiment, several seeds, hours without a GPU",
    "restorer": "the restorer that comes with the kit",
    "paper": "the paper as printed, needs a GPU",
}


def documents(root: Path) -> dict[Path, str]:
    """Returns every generated document of the kit in ``root``, with the text that it should have.

    Raises OutdatedSentenceError when the results contradict a sentence, ValueError for a document without its block.
    """
    texts = {root / REFERENCE / "RESULTS.md": results_page(root / REFERENCE)}
    for name, (document, block) in BLOCKS.items():
        path = root / document
        text = texts.get(path) or path.read_text("utf-8")  # a document may have several blocks
        texts[path] = with_block(text, name, block(root / REFERENCE))
    return texts


def with_block(text: str, name: str, block: str) -> str:
    """Replaces the text between the two comments of a block. Raises ValueError when they are missing."""
    begin, end = f"<!-- begin {name}: written by make tables -->", f"<!-- end {name} -->"
    pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"one block is needed that begins with the line {begin} and ends with the line {end}")
    return pattern.sub(lambda _: f"{begin}\n{block}\n{end}", text)


def answer(reference: Path, notebooks: str = "notebooks/") -> str:
    """The main findings in five lines for the README; their intervals are in ``RESULTS.md``.

    ``notebooks`` leads from the reader's document to the notebooks.
    """
    study = reference / PUBLISHED
    c, without = Compared(study), "improved+lambda_adversarial=0"
    psnr, ssim = (short(c.above("improved", "pix2pix", metric)) for metric in ("psnr", "ssim"))
    alone, nafnet = (short(c.above(name, "improved", "psnr")) for name in (without, "nafnet"))
    unseen, tuned = (replace(gained_on_rock(reference, "improved", on, "psnr"), digits=1) for on in (RENDERED, BOTH))
    rock = read_table(reference / "restorer" / "real_rock.csv").set_index(["has", "restorer"])["psnr"]
    kit, alone_there = (rock["nothing", f"the kit's {part}"] for part in ("restorer", "network alone"))
    wet, improved, dry = (found_particles(reference / FIRST_LOOK, name) for name in ("do_nothing", "improved", "dry"))
    return bullets(
        f"""**It works on rendered scenes:** the paper's method (*Improved*) is {psnr} dB above Pix2Pix in PSNR and
        {ssim} in SSIM, more than the paper itself claims ({PAPER["improved"][0] - PAPER["pix2pix"][0]:.3f} dB and
        {PAPER["improved"][1] - PAPER["pix2pix"][1]:.4f}).""",
        f"""**It does not need to be a GAN:** without its discriminator, Improved gains {alone} dB; NAFNet, a network of
        2022 without a discriminator, is {nafnet} dB above Improved.""",
        f"""**It helps to find particles:** a program that outlines them finds {wet} of them in wet images,
        {improved} in restored ones, {dry} in dry ones.""",
        f"""**It does not carry over to real rock that it has not seen:** on wet drill core, Improved is
        {short(unseen.below())} dB below a straight line through the colours, fitted on other pieces of that core. Once
        Improved is trained on these pieces as well, it is {short(tuned.above())} dB above the line. The restorer that
        comes with the kit uses its network only for what it knows: {kit:.1f} dB there, {alone_there:.1f} dB with the
        network alone.""",
        f"""**{counted_claims(read_table(study / "claims.csv"))}:** see {linked("12_claims", notebooks)}.""",
    )


def profiles(reference: Path) -> str:
    """The profiles as a table, and the computing cost of the profile ``paper``."""
    rows = []
    for name in PROFILES:
        e = Experiment(name, "improved")
        others = {title: Experiment(name, title.lower()).steps for title in ("CycleGAN", "NAFNet", "Slim")}
        differing = ", ".join(f"{title} {steps:,}" for title, steps in others.items() if steps != e.steps)
        height, width = e.scene_size
        as_printed = f", learning rate {e.learning_rate:g}, VGG19 loss" if e.lambda_perceptual else ""
        rows.append(
            {
                "profile": f"`{name}`", "for": PURPOSES[name],
                "scenes": f"{e.train_pairs:,} + {e.val_pairs} + {e.test_pairs} of {height} x {width} px",
                "training": f"{e.steps:,} steps{f' ({differing})' if differing else ''} of {e.mosaic_size} px"
                f"{as_printed}",
            }
        )  # fmt: skip
    teraflop, steps = step_teraflop("improved"), Experiment("paper", "improved").steps
    seconds = steps * teraflop / GPU_TFLOPS
    cost = f"""The `paper` profile has not been run. By calculation, one step of the improved method costs
        {teraflop:.1f} TFLOP; at {GPU_TFLOPS} TFLOP/s, a third of what an RTX 3090 is rated for in mixed precision, its
        {steps:,} steps take about {seconds / 3600:.0f} hours, {steps / seconds:.0f} samples a second."""
    return f"{to_markdown(pd.DataFrame(rows))}\n\n{paragraph(cost)}"


BLOCKS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "answer": ("README.md", answer),
    "notebooks": ("README.md", readme_table),
    "profiles": ("docs/running.md", profiles),
    "scaling": ("docs/scaling.md", scaling),
    "rock": ("orelib/restore/default_restorer/README.md", what_you_have),
}


def main() -> None:
    for path, text in documents(kit_root()).items():
        if not path.exists() or path.read_text("utf-8") != text:
            write_text(path, text)
            print(f"{shown(path)}: written")


if __name__ == "__main__":
    run_command(main)
