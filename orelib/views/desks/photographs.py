"""The desk for wet photographs to restore, in notebook 09, and the restorer that is used where none is named."""

from __future__ import annotations

from pathlib import Path

from orelib.config import Experiment
from orelib.data.dataset import render_one
from orelib.data.filing import usable_below
from orelib.data.photographs import Photograph, write_photograph
from orelib.restore.any_size import CLASSICAL, AnySizeRestorer
from orelib.restore.own import remember_restorer, remembered_restorer
from orelib.restore.restorer import load_restorer, named_model
from orelib.utils.paths import kit_path, shown
from orelib.views.desks.desk import Desk, yours
from orelib.views.watched import is_watched

EXAMPLES = 4  # rendered scenes that are restored where nobody has given photographs


class PhotographsDesk(Desk):
    """Takes wet photographs to restore.

    ``folder`` holds those that were given or chosen; else the wet test images of ``pairs``, a data folder; else a few
    rendered scenes of a profile, as an example.
    """

    kind, below, flat = "photographs", "They are restored below.", True

    def __init__(self, given: Path | None, pairs: Path | None, profile: str):
        self._pairs, self._profile = pairs, profile
        super().__init__(given)

    @property
    def folder(self) -> Path:
        if self.chosen is not None:
            return self.chosen
        test = self._pairs and self._pairs / "test" / "wet"
        return test if test and test.is_dir() else self._example()

    @property
    def is_yours(self) -> bool:
        """True for a user's own photographs, rather than an example."""
        return self.folder != self._example_folder

    @property
    def _example_folder(self) -> Path:
        return yours() / f"example-{self._profile}"

    def _example(self) -> Path:
        """Renders a few test scenes, wet, where they are missing; returns their folder."""
        experiment = Experiment(self._profile)
        for number in range(min(EXAMPLES, experiment.test_pairs)):
            path = self._example_folder / f"scene_{number}.png"
            if not path.exists():
                write_photograph(path, Photograph(render_one(experiment, "test", number).wet))
        return self._example_folder

    def look(self) -> dict:
        """Counts the photographs; returns what to say."""
        if self.chosen is None:
            example = "until then, some rendered scenes stand in for them"
            return {"line": f"No photograph is chosen yet; {example}.", "state": "empty"}
        count = len(usable_below(self.chosen)[0]) if self.chosen.is_dir() else 1
        said = {"line": f"{count} photograph{'s' * (count != 1)}, in {shown(self.chosen)}.", "state": "ready"}
        return said if self.given is not None else said | {"again": "To restore them, run"}


def photographs_desk(photographs_dir: str | None, data_dir: str | None, profile: str) -> PhotographsDesk:
    """Returns the desk of notebook 09's first door; paths count from the root of the kit. Raises SettingsError."""
    given, pairs = (
        kit_path(name, value) if value else None
        for name, value in (("photographs_dir", photographs_dir), ("data_dir", data_dir))
    )
    return PhotographsDesk(given, pairs, profile)


def restorer_of(model: str | None, calibration: Path | None = None, to_calibrate: bool = False) -> AnySizeRestorer:
    """Loads the restorer that notebook 09's parameter ``model`` names.

    Where somebody watches, None is the one that was trained last in the browser, if there is one, and the classical way
    for photographs that it does not know; headless, None is the one that comes with the kit, and so is "kit" always.
    ``to_calibrate``: for a calibration, the kit's is the classical one. Raises as
    :func:`~orelib.restore.restorer.load_restorer` and :func:`~orelib.restore.restorer.named_model`.
    """
    own = remembered_restorer() if model is None and is_watched() else None
    if own is not None:
        return load_restorer(own, calibration=calibration, classical_share=0.0)
    named = named_model(model)
    return load_restorer(CLASSICAL if named is None and to_calibrate else named, calibration=calibration)


def keep_restorer(model: Path) -> str:
    """Makes a model file the restorer of the next photographs, if somebody watches; says how to use it."""
    if not is_watched():
        return f"To restore photographs with it, give model={shown(model)}."
    remember_restorer(model)
    return f"From now on, (a) restores with {shown(model)}: run the notebook again."
