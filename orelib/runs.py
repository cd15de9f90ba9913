"""The folders for the pairs and results of a profile, and the folder of a run, the unit of truth."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orelib.config import METHODS, PROFILES, PUBLISHED, SCENE_FIELDS, Experiment, UnknownMethodError, parse_changes
from orelib.utils.allowed import SettingsError, brief, parameter
from orelib.utils.checksums import DamagedFileError
from orelib.utils.paths import kit_path, shown
from orelib.utils.provenance import demand_whole


@dataclass(frozen=True)
class Folders:
    """The folders from which one profile reads its pairs and to which it writes its results.

    ``data_dir=None`` means the embedded data set of the profile, ``data/<profile>``. Relative paths count from
    :func:`kit_root`. ``changes`` is a text for :func:`parse_changes`; it is part of a run's name, and the changes of
    :data:`SCENE_FIELDS` are part of the data set's. ``profile=""`` is for callers that need no profile.

    Raises SettingsError for a value that is no text, for a ``results_dir`` that is a file or lies in one, and for
    photographs and results in each other's folder, where ``make clean`` would delete both.
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
        aligned = results / "aligned"  # pairs that 09_your_photos cut to fit
        if self.profile and (results.is_relative_to(data) or (data.is_relative_to(results) and data != aligned)):
            raise SettingsError(
                f"results_dir={brief(self.results_dir)}: results would go to {shown(self.results)}, and photographs "
                f"are in {shown(self.data)}: choose a folder that neither holds the other nor lies in it"
            )

    @property
    def embedded(self) -> bool:
        """True for the embedded scenes, False for the user's own photographs."""
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

        ``seed`` may be a text, as for :class:`~orelib.config.Experiment`.
        """
        return self.results / f"{method}{self._suffix()}-seed{parameter('seed', seed)}"

    def _suffix(self, among: tuple[str, ...] | None = None) -> str:
        """The changes as a part of a name, always in the same order."""
        words = sorted(self.changes.split())
        return "".join(f"+{word}" for word in words if among is None or word.partition("=")[0] in among)


@dataclass(frozen=True)
class Run:
    """The folder of one training, called ``<method>[+<field>=<value>...]-seed<k>``.

    ``run / "metrics.csv"`` is the path of a file in it. Raises ValueError for a folder with another name.
    """

    path: Path

    def __post_init__(self):
        if not _NAME.fullmatch(self.path.name):
            raise ValueError(f"{shown(self.path)} is not named <method>-seed<number>, as the folder of a training is")

    def __truediv__(self, file: str) -> Path:
        return self.path / file

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """For instance ``improved+lambda_ssim=0-seed1``."""
        return self.path.name

    @property
    def variant(self) -> str:
        """Method and changes, for instance ``improved+lambda_ssim=0``."""
        return _NAME.fullmatch(self.name)[1]

    @property
    def method(self) -> str:
        return self.variant.partition("+")[0]

    @property
    def seed(self) -> int:
        return int(_NAME.fullmatch(self.name)[2])


_NAME = re.compile(r"(.+)-seed(\d+)")


def find_runs(results: Path, file: str, seed: int | None = None, variant: str | None = None) -> list[Run]:
    """Returns the runs in the results folder of a profile that hold ``file``, of one seed or variant if given.

    They are sorted by method, in the order of :data:`~orelib.config.METHODS`, then by variant and seed. A copy that
    somebody keeps beside a run, such as ``improved-seed0-old``, does not count.
    """
    folders = [path.parent for path in Path(results).glob(f"*-seed*/{file}")]
    runs = [Run(folder) for folder in folders if _NAME.fullmatch(folder.name)]
    order = {method: place for place, method in enumerate(METHODS)}
    return sorted(
        (run for run in runs if seed in (None, run.seed) and variant in (None, run.variant)),
        key=lambda run: (order.get(run.method, len(order)), run.variant, run.seed),
    )


def runs_of(folders: Folders, seed: int, file: str, methods: Iterable[str] = PUBLISHED) -> dict[str, Run]:
    """Returns the runs of one seed that hold ``file``, by variant: first ``methods``, then all others.

    Raises FileNotFoundError, which names them, when some of ``methods`` are missing.
    """
    runs = {method: Run(folders.run(method, seed)) for method in methods}
    if missing := [shown(run / file) for run in runs.values() if not (run / file).exists()]:
        cure = "run notebooks/05_training.ipynb for each of these runs first"
        raise FileNotFoundError(f"not trained and scored yet: {', '.join(missing)}: {cure}")
    return runs | {run.variant: run for run in find_runs(folders.results, file, seed) if run.variant not in runs}


def read_experiment(run: Path | Run) -> Experiment:
    """Reads the settings of a run from its ``config.json``.

    Raises FileNotFoundError when there is none, DamagedFileError when it was cut or changed, and UnknownMethodError for
    a method that was registered only in another process.
    """
    with _reading(run) as text:
        return Experiment.from_json(text)


def read_settings(run: Path | Run) -> dict:
    """Reads the settings of a run of any method, by field. Raises the errors of :func:`read_experiment`."""
    with _reading(run) as text:
        settings = json.loads(text)
        int(settings["steps"])  # raises for what no version of the kit writes
        return settings


@contextmanager
def _reading(run: Path | Run) -> Iterator[str]:
    path = demand_whole(Path(run) / "config.json")
    cure = "run notebooks/05_training.ipynb for it again, which repairs it"
    if not path.exists():
        raise FileNotFoundError(f"{shown(path)} is missing: {cure}")
    try:
        yield path.read_text(encoding="utf-8")
    except UnknownMethodError as error:
        raise UnknownMethodError(f"{shown(path)}: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedFileError(f"{shown(path)} is damaged ({error}): {cure}") from error
