"""What the first notebook shows: what is made already, what each notebook needs, the answer, and one scene restored.

Nothing is made or changed here, and nothing needs to be there: on a fresh copy of the kit, all of it says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from orelib.config import PUBLISHED, Experiment, entry_of
from orelib.data.dataset import demand_same_settings, render_one
from orelib.data.pair import PairError
from orelib.data.pairs import SPLITS, find_pairs, hold_out
from orelib.restore.restorer import DEFAULT_RESTORER, load_restorer
from orelib.runs import Folders, find_runs, read_settings
from orelib.study.contents import NOTEBOOKS, NOTHING, SCENES, STUDY, TRAININGS, linked
from orelib.study.document import REFERENCE, answer
from orelib.study.effects import missing
from orelib.study.results_page import PUBLISHED as STUDIED
from orelib.study.results_page import training_seconds
from orelib.study.variants import all_variants
from orelib.training import is_finished, read_log
from orelib.utils.checksums import DamagedFileError
from orelib.utils.files import is_in_use
from orelib.utils.paths import kit_root, shown
from orelib.utils.provenance import read_provenance
from orelib.views.compare import Compare, compare

RENDERING = 1.3e-6  # seconds a pixel and core, as measured for scenes of 256 x 256 px
EXAMPLE = 7  # the test scene that is restored: two kinds of rock, and glare that is easy to see
CURES = {
    SCENES: f"first {linked('01_dataset')}",
    TRAININGS: f"first {linked('05_training')} for each method, or `make reproduce`",
    STUDY: "only in a copy of the kit, which has it in `results/reference`",
}


def what_is_there(folders: Folders, seed: int = 0) -> pd.DataFrame:
    """Lists what a profile needs, all cells as Markdown: ``what``, ``state``, ``made by``, and the time it ``takes``.

    The times are those of the published runs, on one core; a dash where none was published. Other runs in the results
    folder, such as a method with a changed loss weight, have rows of their own.
    """
    experiment = Experiment(folders.profile, seed=seed)
    scenes = experiment.train_pairs + experiment.val_pairs + experiment.test_pairs
    rendering = scenes * np.prod(experiment.scene_size) * RENDERING
    made_by, takes = (linked("01_dataset"), _time(rendering)) if folders.embedded else ("you", "-")
    rows = [("the data set", scenes_state(folders), made_by, takes)]
    for variant in _variants(folders, seed):
        state = run_state(folders.results / f"{variant}-seed{seed}")
        rows.append(
            (f"{entry_of(variant).short}, trained", state, linked("05_training"), _time(_seconds(folders, variant)))
        )
    report = folders.results / "report.html"
    rows += [
        ("the report", shown(report) if report.exists() else "missing", "`make reproduce`", "seconds"),
        ("the kit's restorer", "there" if DEFAULT_RESTORER.exists() else "missing", "comes with the kit", "-"),
        (STUDY, study_state(), "comes with a copy of the kit", _time(sum(training_seconds(_study())) or None)),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["what", "state", "made by", "takes"])


def what_each_needs(folders: Folders, seed: int = 0) -> pd.DataFrame:
    """Lists the notebooks, all cells as Markdown: what each shows and needs, whether it runs now, and its time."""
    trained = all(run_state(folders.run(method, seed)) == "finished" for method in PUBLISHED)
    ready = {NOTHING: True, SCENES: scenes_state(folders).startswith("whole"), TRAININGS: trained,
             STUDY: study_state() != "missing"}  # fmt: skip
    rows = [
        (linked(each.name), each.shows, each.needs, "yes" if ready[each.needs] else CURES[each.needs], each.takes)
        for each in NOTEBOOKS
    ]
    return pd.DataFrame(rows, columns=["notebook", "shows", "needs", "runs now", "takes"])


def scenes_state(folders: Folders) -> str:
    """Says how much of a profile's data set, or of a user's folder of pairs, is there; "whole: ..." if all of it."""
    if not folders.embedded:
        return _pairs_state(folders.data)
    experiment = Experiment(folders.profile)
    try:
        demand_same_settings(folders.data, experiment)
    except FileExistsError:
        return f"of other settings: delete {shown(folders.data)} to render it again"
    except DamagedFileError:
        return "damaged"
    counts = {"training": experiment.train_pairs, "validation": experiment.val_pairs, "test": experiment.test_pairs}
    if (folders.data / "manifest.json").exists():
        return "whole: " + ", ".join(f"{count:,} {split}" for split, count in counts.items()) + " pairs"
    rendered = sum(len(list(folders.data.glob(f"{split}/truth/*.json"))) for split in SPLITS)
    return f"begun: {rendered:,} of {sum(counts.values()):,} pairs" if rendered else "missing"


def _pairs_state(folder: Path) -> str:
    problems: list[str] = []
    try:
        pairs = hold_out(folder, find_pairs(folder, problems), problems)
    except FileNotFoundError:
        return f"missing: {shown(folder)} is not a folder"
    if problems:
        return f"{len(problems)} problem(s): {linked('09_your_photos')} lists them"
    counts = {split: sum(pair.split == split for pair in pairs) for split in SPLITS}
    return f"whole: {counts['train']:,} training, {counts['val']:,} validation, {counts['test']:,} test pairs"


def run_state(run: Path) -> str:
    """Says how far the training in a run folder is: missing, stopped at a step, finished; or that files are damaged.

    A step is the last one that was saved: the same training goes on from there.
    """
    try:
        if is_finished(run):
            return "finished" if (run / "metrics.csv").exists() else "trained, but not scored"
        if not (run / "config.json").exists():
            return "missing"
        steps = read_settings(run)["steps"]
        is_saved = all((run / name).exists() for name in ("checkpoint.pt", "history.csv"))
        step = read_log(run, "history.csv")["step"].iloc[-1] if is_saved else 0
        if is_in_use(run):
            return f"training now, saved at step {step:,} of {steps:,}"
        return f"stopped at step {step:,} of {steps:,}"
    except DamagedFileError:
        return f"damaged: {linked('05_training')} says how to repair it"


def study_state() -> str:
    """Says how many trainings of the published experiment are there."""
    runs = sum(variant.seeds for variant in all_variants(STUDIED))
    try:
        lacking = len(missing(_study(), STUDIED))
    except FileNotFoundError:
        return "missing"
    return f"whole: {runs} trainings" if not lacking else f"in part: {runs - lacking} of {runs} trainings"


def the_answer() -> str:
    """The main findings as the README gives them, as Markdown for a notebook; a sentence where they are not there."""
    if not (_study() / "claims.csv").exists():
        return (
            "The published results are not here: a whole copy of the kit has them in `results/reference`, "
            "and its README gives the answer."
        )
    return answer(kit_root() / REFERENCE, notebooks="")


def first_look(folders: Folders) -> Compare:
    """A test scene, or the first pair of a user's test folder, wet, restored by the kit's restorer, and dry.

    The scene is rendered for this, and not read. Raises PairError for a folder without test pairs, FileNotFoundError
    where there is no such folder, and PhotographError for a photograph that cannot be read.
    """
    if folders.embedded:
        experiment = Experiment(folders.profile)
        scene = render_one(experiment, "test", min(EXAMPLE, experiment.test_pairs - 1))
        name, wet, dry = f"a test scene, wetness {scene.wetness:.2f}", scene.wet, scene.dry
    else:
        pairs = [pair for pair in find_pairs(folders.data, []) if pair.split == "test"]
        if not pairs:
            raise PairError(f"{shown(folders.data / 'test')} holds no pair: 09_your_photos says what is wrong")
        name, (wet, dry) = pairs[0].stem, pairs[0].load()
    restored = load_restorer().restore(wet)
    return compare({name: {"wet": wet, "dry": dry, "restored": restored}}, mode="three")


def _study() -> Path:
    return kit_root() / REFERENCE / STUDIED


def _variants(folders: Folders, seed: int) -> Iterator[str]:
    """The published methods, then other runs that were begun."""
    yield from PUBLISHED
    yield from (run.variant for run in find_runs(folders.results, "config.json", seed) if run.variant not in PUBLISHED)


def _seconds(folders: Folders, variant: str) -> float | None:
    """Seconds that the published training of a variant took under this profile; None where none was published."""
    with suppress(FileNotFoundError, DamagedFileError, KeyError):
        return read_provenance(kit_root() / REFERENCE / folders.profile / f"{variant}-seed0")["training_seconds"]
    return None


def _time(seconds: float | None) -> str:
    """Writes a time for people: no more than two digits are known of it."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
