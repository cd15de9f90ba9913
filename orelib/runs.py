"""Where a profile reads its pairs and writes its results, and the folder of a run, the unit of truth."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orelib.config import PROFILES, SCENE_FIELDS, Experiment, parse_changes
from orelib.utils.allowed import SettingsError, brief, parameter
from orelib.utils.checksums import DamagedFileError
from orelib.utils.paths import kit_path, shown
from orelib.utils.provenance import demand_whole


@dataclass(frozen=True)
class Folders:
    """Where one profile reads its pairs and writes its results.

    ``data_dir=None`` means the embedded data set of the profile, ``data/<profile>``. Relative paths count from
    :func:`kit_root`. ``changes`` are those of :func:`parse_changes`; they are part of a run's name, and those of
    :data:`SCENE_FIELDS` of the data set's. ``profile=""`` is for whoever needs no profile.

    Raises SettingsError for what is no text, for ``results_dir`` that is or lies in a file, and for photographs and
    results in each other's folder, where ``make clean`` would take both.
    """

    profile: str
    data_dir: str | None = None
    results_dir: str = "results"
    changes: str = ""

    def __post_init__(self):
        if not isinstance(self.profile, str) or self.profile not in ("", *PROFILES):
            raise SettingsError(f"profile={brief(self.profile)} is unknown: choose one of {', '.join(PROFILES)}")
        parse_changes(self.changes)
        data, results = Path(os.path.realpath(self.data)), Path(os.path.realpath(self.results))
        nearest = next(place for place in (self.results, *self.results.parents) if os.path.lexists(place))
        if not nearest.is_dir():
            raise SettingsError(f"results_dir={brief(self.results_dir)}: {shown(nearest)} is no folder")
        aligned = results / "aligned"  # pairs that 07_your_photos cut to fit
        if self.profile and (results.is_relative_to(data) or (data.is_relative_to(results) and data != aligned)):
            raise SettingsError(
                f"results_dir={brief(self.results_dir)}: results would go to {shown(self.results)}, and photographs "
                f"are in {shown(self.data)}: choose a folder that neither holds the other nor lies in it"
            )

    @property
    def embedded(self) -> bool:
        """Whether the pairs are the embedded scenes rather than the user's own photographs."""
        return self.data_dir is None

    @property
    def data(self) -> Path:
        scenes = f"data/{self.profile}{self._suffix(SCENE_FIELDS)}"
        return kit_path("data_dir", scenes if self.embedded else self.data_dir)

    @property
    def results(self) -> Path:
        return kit_path("results_dir", self.results_dir) / self.profile

    def run(self, method: str, seed: int) -> Path:
        """The run folder of one training, for instance ``improved+lambda_ssim=0-seed1``.

        ``seed`` may be a text, as for :meth:`Experiment.from_profile`.
        """
        return self.results / f"{method}{self._suffix()}-seed{parameter('seed', seed)}"

    def _suffix(self, among: tuple[str, ...] | None = None) -> str:
        """The changes as a part of a name, always in the same order."""
        words = sorted(self.changes.split())
        return "".join(f"+{word}" for word in words if among is None or word.partition("=")[0] in among)


def find_runs(results: Path, file: str) -> Iterator[tuple[str, int, Path]]:
    """Variant, seed and path of a file of every run in the results folder of a profile, in the order of their names.

    A copy that somebody keeps beside a run, ``improved-seed0-old``, is no run.
    """
    for path in sorted(Path(results).glob(f"*-seed*/{file}")):
        if run := re.fullmatch(r"(.+)-seed(\d+)", path.parent.name):
            yield run[1], int(run[2]), path


def read_experiment(run: Path) -> Experiment:
    """The settings of a run, from its ``config.json``.

    Raises FileNotFoundError when there is none, and DamagedFileError when it was cut or changed.
    """
    path = demand_whole(Path(run) / "config.json")
    cure = "run notebooks/03_training.ipynb for it again, which mends it"
    if not path.exists():
        raise FileNotFoundError(f"{shown(path)} is missing: {cure}")
    try:
        return Experiment.from_json(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedFileError(f"{shown(path)} is damaged ({error}): {cure}") from error
