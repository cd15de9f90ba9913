"""What several tests share: tiny folders of pairs, and the folder of real photographs where it is present."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from browsing import browser, lab, lab_folder  # noqa: F401, fixtures
from PIL import Image

from orelib.baselines import BASELINES, OF_NO_RUN
from orelib.config import Experiment
from orelib.data.dataset import render_dataset
from orelib.data.pairs import load_pairs
from orelib.data.scenes import render_pair
from orelib.metrics import score
from orelib.restore.snapshots import Picture, Snapshots
from orelib.runs import Folders
from orelib.sizing.scenes import render_sizing
from orelib.study.variants import all_variants

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "real"


@pytest.fixture(autouse=True)
def _torch_alike():
    """One thread, on which tiny networks are fastest, and weights and images that no test before decides."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory) -> Path:
    """A data folder as a user would make it: 6 training and 2 test pairs of 40 x 48 px, no ``val``."""
    folder = tmp_path_factory.mktemp("pairs")
    for seed in range(8):
        split, scene = ("train" if seed < 6 else "test"), render_pair(seed, (40, 48), px_per_mm=0.8)
        for side in ("wet", "dry"):
            path = folder / split / side / f"belt_{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(getattr(scene, side)).save(path)
    return folder


@pytest.fixture(scope="session")
def pairs(pair_folder):
    return load_pairs(Folders("smoke", data_dir=str(pair_folder)))


@pytest.fixture(scope="module")
def kit_folder(tmp_path_factory) -> Iterator[Path]:
    """A kit with the scenes of the smoke profile, those for sizing too; the tests of a module work in it."""
    root = tmp_path_factory.mktemp("kit")
    for name in ("notebooks", "orelib"):
        (root / name).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        render_dataset(Folders("smoke").data, Experiment("smoke"), workers=1)
        render_sizing(Folders("smoke"))
        yield root


@pytest.fixture
def experiment() -> Experiment:
    """A training of a second or less."""
    return Experiment("smoke", "improved")


@pytest.fixture
def snapshots() -> Snapshots:
    """The pictures of a run of 8 steps, as it leaves them."""
    scene = render_pair(0, (40, 48), px_per_mm=0.8)
    wet, dry = scene.wet, scene.dry
    restored = {
        step: Picture.of((((8 - step) * wet.astype(int) + step * dry) // 8).astype(np.uint8), dry) for step in (0, 4, 8)
    }
    return Snapshots("007", (40, 48), Picture.of(wet, dry), Picture.of(dry, dry), restored)


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def real_core() -> Path:
    """Real wet/dry core photographs; they may not be published, so a copy of the kit has none."""
    folder = REAL / "core_wetdry"
    if not folder.is_dir():
        pytest.skip("the real core photographs are not on this machine")
    return folder


@pytest.fixture(scope="session")
def made_study(tmp_path_factory) -> Path:
    """Results as the published experiment leaves them, under the smoke profile, but with made scores: 6 images.

    Every method and variant is 1 better than the one before in all metrics, with noise of 0.01.
    """
    results, rng = tmp_path_factory.mktemp("study") / "smoke", np.random.default_rng(0)
    images = [f"{k:04d}" for k in range(6)]
    columns = list(score(*np.zeros((3, 32, 32, 3), np.uint8)))
    sizing = ("count", "true_count", "matched", "iou", "p50", "true_p50", "p80", "true_p80")

    def table(names, level: float) -> pd.DataFrame:
        return pd.DataFrame({name: level + 0.01 * rng.standard_normal(len(images)) for name in names}).assign(
            image=images
        )

    def sized(error: float) -> pd.DataFrame:
        true = dict.fromkeys(("true_count", "true_p50", "true_p80"), 20.0)
        return table(sizing, 20 + error).assign(**true, wetness=np.linspace(0.1, 1, len(images)))

    masses = pd.DataFrame([(image, size, 10.0) for image in images for size in (6.5, 9.5, 14.5)])
    masses = masses.set_axis(["image", "size_mm", "mass"], axis=1)
    results.mkdir()
    names = [name for name in OF_NO_RUN if name != "mean_colour"]
    baselines = pd.concat([table(columns, 1.0).assign(method=name) for name in BASELINES])
    baselines.loc[baselines["method"] == "mean_colour", "invented_edges"] = np.nan
    baselines.to_csv(results / "baselines.csv")
    pd.concat([sized(0.0 if name == "dry" else 8.0).assign(method=name) for name in names]).to_csv(
        results / "sizing.csv"
    )
    pd.concat([masses.assign(method=name) for name in (*names, "truth")]).to_csv(results / "sizes.csv")
    wetness = pd.DataFrame({"stem": images, "wetness": np.linspace(0.1, 1, 6)})
    wetness.to_csv(results / "scenes.csv", index=False)
    for number, variant in enumerate(all_variants("smoke")):
        for seed in range(variant.seeds):
            run = results / f"{variant.name}-seed{seed}"
            run.mkdir()
            (run / "provenance.json").write_text(json.dumps({"training_seconds": 3.0}))
            table(columns, 2.0 + number).to_csv(run / "metrics.csv", index=False)
            sized(4.0).to_csv(run / "sizing.csv", index=False)
            masses.to_csv(run / "sizes.csv", index=False)
            pd.DataFrame({"step": [4, 8], "psnr": [20, 20.01], "ssim": [0.5, 0.5]}).to_csv(run / "validation.csv")
            hard = np.random.default_rng(seed).random(80)  # the samples of a seed, which all methods see
            history = {"step": range(1, 81), "generator": 5 + hard, "discriminator": 1.1}
            pd.DataFrame(history).to_csv(run / "history.csv", index=False)
    return results
