"""The notebooks: what each shows, what it needs, and how long it takes.

The README's table and the first notebook are written from this list.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NOTHING, SCENES, TRAININGS, STUDY = "nothing", "the data set", "five trainings", "the published experiment"


@dataclass(frozen=True)
class Notebook:
    """A notebook of the kit; ``takes`` is its time under ``quick`` on two cores."""

    name: str
    shows: str
    needs: str = NOTHING
    takes: str = "seconds"


NOTEBOOKS = (
    Notebook("00_start", "where to begin, what runs already, the answer"),
    Notebook("01_dataset", "wet/dry pairs (Fig. 5), how a scene is made, statistics beside those of photographs"),
    Notebook("02_mosaic", "training samples, each joined from four pairs", SCENES),
    Notebook("03_networks", "the networks (Fig. 1 to 4, eq. 4), and what one logit of the discriminator judges"),
    Notebook("04_losses", "every loss and metric as a formula, in code, and on an image that you spoil"),
    Notebook("05_training", "one method: settings, training, losses, scores", SCENES, "1 to 7 minutes a method"),
    Notebook("06_loss_curves", "the loss curves of all methods (Fig. 6 and 7)", TRAININGS),
    Notebook("07_table3", "Table 3, the paper beside what was measured", TRAININGS),
    Notebook("08_compare", "Fig. 8, and a slider over wet, dry and restored images"),
    Notebook(
        "09_your_photos",
        "your photographs restored; a restorer trained on your own pairs",
        takes="seconds, and minutes to train",
    ),
    Notebook("10_particle_sizing", "particles found and sized in wet, restored and dry images", STUDY),
    Notebook("11_ablation", "what each part of the method contributes", STUDY),
    Notebook("12_claims", "the paper's claims one by one, with evidence and verdict", STUDY),
    Notebook("13_your_sizes", "particle sizes in your photographs", takes="a minute"),
)


def linked(name: str, folder: str = "") -> str:
    """Returns a Markdown link to a notebook; ``folder``, which ends in a slash, leads to it."""
    return f"[{name}]({folder}{name}.ipynb)"


def readme_table(_reference: Path) -> str:
    """The notebooks as the README lists them; they depend on no result."""
    rows = [f"| {linked(each.name, 'notebooks/')} | {each.shows} |" for each in NOTEBOOKS]
    return "\n".join(("| notebook | shows |", "|---|---|", *rows))
