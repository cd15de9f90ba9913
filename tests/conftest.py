"""What several tests share: tiny folders of pairs, and the folder of real photographs where it is present."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from orelib.config import Experiment, Folders
from orelib.pairs import load_pairs
from orelib.scenes import render_pair

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "real"


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny networks are fastest on one thread, also when tests run side by side."""
    torch.set_num_threads(1)


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


@pytest.fixture
def experiment() -> Experiment:
    """A training of a second or less."""
    return Experiment.from_profile("smoke", "improved")


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
