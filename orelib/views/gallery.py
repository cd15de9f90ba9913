"""The test images of a data set, restored by every trained generator: sorted and compared."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import traitlets

from orelib.config import METHODS
from orelib.data.dataset import read_scenes
from orelib.data.pairs import Pairs
from orelib.restore.restorer import DEFAULT_RESTORER, load_restorer
from orelib.runs import Folders, find_runs
from orelib.utils.paths import shown
from orelib.utils.tables import read_table
from orelib.views.compare import SLIDER, STYLE, Compare, compare, described, script
from orelib.views.watched import is_watched

MODEL, DEFAULT = "generator.safetensors", "default restorer"


def trained_runs(folders: Folders) -> dict[str, Path]:
    """Finds the model files in a results folder, by ``<method>-seed<k>``: the paper's method first, as in Fig. 8.

    Prints the runs that are left out because their method was registered only in another process.
    """
    runs = find_runs(folders.results, MODEL)
    for run in runs:
        if run.method not in METHODS:
            print(f"{shown(run.path)} is left out: its method is not known here, see orelib.methods.register")
    known = [run for run in runs if run.method in METHODS]
    return {run.name: run / MODEL for run in sorted(known, key=lambda run: run.method != "improved")}


class Gallery:
    """Test images and restorers to choose from.

    ``models`` holds the model files by name: the trained ones in the results folder, and the kit's default restorer
    (None, as :func:`~orelib.restore.restorer.load_restorer` takes it).
    ``scores`` has a row per test image: ``wetness`` (embedded scenes) and ``psnr_<run>`` of every run that was scored,
    NaN where the restored image equals the dry one.
    """

    def __init__(self, folders: Folders, pairs: Pairs):
        self.pairs = {pair.stem: pair for pair in pairs.test}
        self.models = trained_runs(folders)
        if DEFAULT_RESTORER.exists():
            self.models[DEFAULT] = None  # not its file: that would be its network alone
        if not self.models:
            raise FileNotFoundError("nothing is trained yet: run notebooks/05_training.ipynb first")
        self.scores = pd.DataFrame(index=pd.Index(self.pairs, name="image"))
        if folders.embedded:
            scenes = read_scenes(folders.data).query("split == 'test'").set_index("stem")
            self.scores["wetness"] = scenes["wetness"]
        for name, model in self.models.items():
            if model and (metrics := model.parent / "metrics.csv").exists():
                self.scores[f"psnr_{name}"] = read_table(metrics).set_index("image")["psnr"]
        self._restorer = lru_cache(lambda name: load_restorer(self.models[name]))
        self.restored = lru_cache(maxsize=32)(self._restored)  # images of 12 MB under the paper profile

    def of_seed(self, seed: int) -> list[str]:
        """Names of the models trained with one seed; the default restorer where there is none."""
        return [name for name in self.models if name.endswith(f"-seed{seed}")] or [DEFAULT]

    @property
    def orders(self) -> dict[str, pd.Series]:
        """Values to sort the images by, ascending: the worst PSNR first, or the wettest first."""
        orders = {
            f"PSNR of {column.removeprefix('psnr_')}, worst first": values
            for column, values in self.scores.items()
            if column != "wetness"
        }
        if "wetness" in self.scores:
            orders["wetness, wettest first"] = -self.scores["wetness"]
        return orders

    def sorted(self, by: str = "name") -> list[str]:
        """Names of the test images in one of :attr:`orders`, or by name."""
        return list(self.pairs) if by == "name" else list(self.orders[by].sort_values(kind="stable").index)

    def _restored(self, image: str, model: str) -> np.ndarray:
        return self._restorer(model).restore(self.pairs[image].load()[0])

    def example(self, image: str, models: list[str]) -> dict[str, np.ndarray]:
        """``{"wet": ..., "dry": ..., model: ...}`` of one test image; a method with one model is keyed by its name."""
        wet, dry = self.pairs[image].load()
        methods = [name.rpartition("-seed")[0] for name in models]
        layers = {"wet": wet, "dry": dry}
        for name, method in zip(models, methods, strict=True):
            layers[method if methods.count(method) == 1 and method else name] = self.restored(image, name)
        return layers

    def compare(self, images: list[str], models: list[str]) -> Compare:
        """The slider over some test images."""
        return compare({image: self.example(image, models) for image in images}, self.notes, self.orders)

    @property
    def notes(self) -> dict[str, str]:
        """Texts to show beside the images' names."""
        if "wetness" not in self.scores:
            return {}
        return {image: f"wetness {wetness:.2f}" for image, wetness in self.scores["wetness"].items()}

    def browse(self, images: int = 4, seed: int = 0) -> Compare:
        """The slider with controls that choose among all test images and models.

        Where nobody can choose, as under papermill, it is the slider alone, over the ``images`` worst test images and
        the models of one seed.
        """
        by = next(iter(self.orders), "name")
        if not is_watched():
            return self.compare(self.sorted(by)[:images], self.of_seed(seed))
        return Browser(self, by, self.of_seed(seed))


class Browser(Compare):
    """The slider below drop-downs that choose among all test images and models: the kernel restores what is chosen.

    In the browser, a choice that the kernel does not answer says so. ``by``, ``image`` and ``models`` are traits: read
    them, observe them, and set them with :meth:`show`.
    """

    _esm = script("controls/kernel", *SLIDER, "controls/browser")
    _css = STYLE + (files("orelib.views") / "controls" / "explorer.css").read_text("utf-8")

    orders = traitlets.Dict().tag(sync=True)  # names of the test images, by what they are sorted by
    restorers = traitlets.List().tag(sync=True)  # names of all models
    by = traitlets.Unicode("").tag(sync=True)  # what the test images are sorted by
    image = traitlets.Unicode("").tag(sync=True)
    models = traitlets.List().tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)  # why an image could not be restored
    asked = traitlets.Int(0).tag(sync=True)  # counts questions of the browser, and
    answered = traitlets.Int(0).tag(sync=True)  # the last of them that was answered

    def __init__(self, gallery: Gallery, by: str, models: list[str]):
        self._gallery = gallery
        orders = {order: gallery.sorted(order) for order in ("name", *gallery.orders)}
        super().__init__(
            photographs=self._restored(orders[by][0], models), orders=orders, restorers=list(gallery.models),
            by=by, image=orders[by][0], models=models,
        )  # fmt: skip

    def _restored(self, image: str, models: list[str]) -> list[dict]:
        return described({image: self._gallery.example(image, models)}, self._gallery.notes)

    @traitlets.observe("asked")
    def _answer(self, _) -> None:
        """Shows what the browser asked for; an error is shown there, or nobody would see it."""
        try:
            photographs, problem = self._restored(self.image, self.models), ""
        except Exception as error:  # of any kind: a file may be gone or damaged
            photographs, problem = self.photographs, f"{type(error).__name__}: {error}"
        with self.hold_sync():
            self.photographs, self.problem = photographs, problem
            self.answered = self.asked

    def show(self, **chosen) -> None:
        """Chooses ``by``, ``image`` or ``models``, as the browser does."""
        with self.hold_sync():
            for name, value in chosen.items():
                setattr(self, name, value)
            self.asked += 1
