"""The classical restorer: any size and depth, highlights filled, one fixed law, and no PyTorch."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from orelib.data.scenes import render_pair
from orelib.metrics import psnr, psnr_glare
from orelib.restore import classical as module
from orelib.restore.classical import EXPONENT, FACTOR, ClassicalRestorer
from orelib.restore.restorer import load_restorer, named_model


def test_it_is_loaded_by_its_name_and_says_what_it_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    restorer = load_restorer("classical")
    assert isinstance(restorer, ClassicalRestorer)
    assert "trained on nothing" in restorer.describe()
    assert restorer.about == {}
    assert (named_model("classical"), named_model(None), named_model("")) == ("classical", None, None)
    assert named_model("mine.safetensors").is_absolute()


def test_rock_without_highlights_follows_the_law():
    wet = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 40, axis=1).repeat(3, axis=2)
    law = np.maximum(np.round(FACTOR * 255 * (wet / 255.0) ** EXPONENT), wet)
    assert np.abs(ClassicalRestorer().restore(wet).astype(int) - law).max() <= 1


@pytest.mark.parametrize("size", [(60, 50), (7, 9), (1, 1), (1, 50)])
@pytest.mark.parametrize("depth", [8, 16])
def test_any_size_and_depth(noise, size, depth):
    wet = noise.integers(0, 2**depth, (*size, 3)).astype(f"uint{depth}")
    restored = ClassicalRestorer().restore(wet)
    assert (restored.shape, restored.dtype) == (wet.shape, wet.dtype)
    assert ClassicalRestorer().restore(wet[..., 0]).shape == wet.shape


def test_sixteen_bits_stay_sixteen():
    scene = render_pair(5, (80, 90), px_per_mm=2.5, wetness=0.9)
    shallow = ClassicalRestorer().restore(scene.wet)
    deep = ClassicalRestorer().restore(scene.wet.astype(np.uint16) * 257)
    assert len(np.unique(deep)) > 256
    assert np.abs(deep / 257 - shallow).mean() < 1


def test_a_scene_becomes_drier_and_its_glare_most_of_all():
    scene = render_pair(7, (160, 160), px_per_mm=4, wetness=0.8)
    restored = ClassicalRestorer().restore(scene.wet)
    assert psnr(restored, scene.dry) > psnr(scene.wet, scene.dry) + 3
    assert psnr_glare(scene.wet, restored, scene.dry) > psnr_glare(scene.wet, scene.wet, scene.dry) + 5


def test_tiles_leave_hardly_a_trace(monkeypatch):
    wet = render_pair(3, (200, 220), px_per_mm=2.5, wetness=0.8).wet
    whole = ClassicalRestorer().restore(wet)
    monkeypatch.setattr(module, "TILE", 128)
    calls = []
    tiled = ClassicalRestorer().restore(wet, lambda done, total: calls.append(total))
    assert set(calls) == {4}
    assert np.abs(tiled.astype(int) - whole).mean() < 0.2


def test_it_starts_without_torch_scipy_and_scikit_image(tmp_path):
    Image.new("RGB", (40, 30), (90, 80, 70)).save(tmp_path / "wet.png")
    code = (
        "import sys; from orelib.cli import main; "
        f"main(['restore', {str(tmp_path / 'wet.png')!r}, {str(tmp_path / 'dry')!r}, '--model', 'classical']); "
        "print({'torch', 'scipy', 'skimage', 'matplotlib'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")
    assert "1 restored" in done.stdout


def test_on_real_wet_core_it_beats_28_db(real_core):
    scores = []
    for path in sorted((real_core / "train" / "wet").glob("*.png")):
        wet, dry = (
            np.asarray(Image.open(real_core / "train" / side / path.name).convert("RGB")) for side in ("wet", "dry")
        )
        scores.append(psnr(ClassicalRestorer().restore(wet), dry))
    assert np.mean(scores) > 28


def test_nothing_becomes_darker():
    wet = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 40, axis=1).repeat(3, axis=2)
    assert (ClassicalRestorer().restore(wet) >= wet).all()


def test_a_long_highlight_is_the_same_in_every_tile():
    wet = np.full((256, 2400, 3), 60, np.uint8)
    wet[120:130, 100:2300] = 100  # faint, and bright at one end
    wet[122:128, 100:160] = 255
    restored = ClassicalRestorer().restore(wet)[125, :, 0].astype(int)
    assert np.ptp(restored[300:2200]) <= 1
