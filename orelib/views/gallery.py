"""The test images of a data set, restored by every trained generator: sorted and compared."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pandas as pd

from orelib.config import METHODS
from orelib.data.dataset import read_scenes
from orelib.data.pairs import Pairs
from orelib.restore.restorer import DEFAULT_RESTORER, load_restorer
from orelib.runs import Folders, find_runs
from orelib.utils.paths import shown
from orelib.utils.tables import read_table
from orelib.views.compare import Compare, compare, described
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

    def browse(self, images: int = 4, seed: int = 0) -> widgets.Widget:
        """The slider with controls that choose among all test images and models.

        Where nobody can choose, as under papermill, it is the slider alone, over the ``images`` worst test images and
        the models of one seed.
        """
        by = next(iter(self.orders), "name")
        if not is_watched():
            return self.compare(self.sorted(by)[:images], self.of_seed(seed))
        return Browser(self, by, self.of_seed(seed))


class Browser(widgets.VBox):
    """Controls above the slider; they need the kernel, because they restore an image when it is chosen."""

    def __init__(self, gallery: Gallery, by: str, models: list[str]):
        self.gallery = gallery
        self.by = widgets.Dropdown(options=["name", *gallery.orders], value=by, description="sorted by")
        self.image = widgets.Dropdown(options=gallery.sorted(by), description="test image")
        self.models = widgets.SelectMultiple(
            options=list(gallery.models), value=models, description="restored by", rows=min(8, len(gallery.models) + 1)
        )
        self.slider = gallery.compare([self.image.value], models)
        self.by.observe(self._sort, names="value")
        self.image.observe(self._show, names="value")
        self.models.observe(self._show, names="value")
        super().__init__([widgets.HBox([self.by, self.image, self.models]), self.slider])

    def _sort(self, _) -> None:
        self.image.options = self.gallery.sorted(self.by.value)  # chooses the first, and so shows it

    def _show(self, _) -> None:
        if self.image.value is not None:
            example = self.gallery.example(self.image.value, list(self.models.value))
            self.slider.photographs = described({self.image.value: example}, self.gallery.notes)

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs), {}
        if isinstance(data, tuple):
            data, metadata = data
        return data | {"text/html": self.slider.frame()}, metadata
