"""The slider's Python side: what it sends to the browser, and the page. tests/test_browser.py tries it in a browser."""

import base64
import json
import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from orelib import compare as module
from orelib.compare import Compare, compare
from orelib.metrics import psnr, ssim


@pytest.fixture
def images(noise):
    dry, wet, restored = (noise.integers(0, 256, (40, 60, 3)).astype(np.uint8) for _ in range(3))
    return {"wet": wet, "dry": dry, "improved": restored}


def pixels(photograph, layer):
    image = photograph["layers"][layer]["image"]
    return np.asarray(Image.open(BytesIO(base64.b64decode(image) if isinstance(image, str) else image)))


def data_of(page):
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL).group(1))


def test_images_travel_without_loss(images):
    (photograph,) = Compare(images["wet"], images["dry"], {"improved": images["improved"]}).photographs
    assert (photograph["width"], photograph["height"]) == (60, 40)
    for layer, image in images.items():
        assert np.array_equal(pixels(photograph, layer), image)


def test_scores_are_those_of_the_table(images):
    (photograph,) = compare({"a": images}).photographs
    for layer in ("wet", "improved"):
        expected = f"{psnr(images[layer], images['dry']):.2f} dB, {ssim(images[layer], images['dry']):.4f}"
        assert photograph["layers"][layer]["score"] == expected
    assert photograph["layers"]["dry"]["score"] == ""


def test_without_a_dry_image_there_are_no_scores(images):
    (photograph,) = Compare(images["wet"], restored={"mine": images["improved"]}).photographs
    assert {layer["score"] for layer in photograph["layers"].values()} == {""}


def test_equal_and_tiny_images_have_a_score_in_words():
    tiny = np.zeros((4, 5, 3), np.uint8)
    (photograph,) = Compare(tiny, tiny).photographs
    assert photograph["layers"]["wet"]["score"] == "∞ dB, -"


@pytest.mark.parametrize(
    "wrong", [np.zeros((40, 61, 3), np.uint8), np.zeros((40, 60), np.uint8), np.zeros((40, 60, 3))]
)
def test_an_image_that_does_not_fit_is_named(images, wrong):
    with pytest.raises(ValueError, match="improved image of a"):
        compare({"a": images | {"improved": wrong}})


def test_nothing_to_compare_is_an_error():
    with pytest.raises(ValueError, match="no images"):
        compare({})


def test_the_page_holds_everything_and_asks_for_nothing(images, tmp_path):
    shown = compare(
        {"a": images, "b </script>": images}, {"a": "first"}, {"worst": {"a": 2, "b </script>": 1}}, left="dry"
    )
    page = shown.to_html(tmp_path / "out" / "page.html", title="<mine>").read_text("utf-8")
    data = data_of(page)
    assert [photograph["name"] for photograph in data["photographs"]] == ["a", "b </script>"]
    assert data["photographs"][1]["sort"] == {"worst": 1.0}
    assert data["state"]["left"] == "dry"
    assert np.array_equal(pixels(data["photographs"][0], "improved"), images["improved"])
    assert "<title>&lt;mine&gt;</title>" in page
    assert not re.search(r"https?://|src=|<link|@import", page.replace(json.dumps(data), ""))


def test_two_comparisons_fit_on_one_page(images):
    one, other = (compare({"a": images}).section(name) for name in ("first", "second"))
    assert 'id="first"' in one
    assert 'id="first"' not in other


def test_where_nobody_listens_it_shows_itself_as_a_page(images):
    bundle = Compare(images["wet"], images["dry"])._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert "<iframe srcdoc=" in bundle["text/html"]


def test_a_notebooks_page_is_compressed_then_reduced_until_it_fits(images, monkeypatch):
    shown = compare({"a": images})
    exact = shown.frame()
    monkeypatch.setattr(module, "NOTEBOOK_BYTES", len(exact) // 3)
    compressed = shown.frame()
    assert "are compressed:" in compressed
    monkeypatch.setattr(module, "NOTEBOOK_BYTES", 2000)
    reduced = shown.frame()
    assert "reduced to 1/" in reduced
    assert len(reduced) < len(compressed) < len(exact)
    assert '"width": 60' in module.html.unescape(compressed)
    assert '"width": 60' not in module.html.unescape(reduced)


def test_state_is_checked(images):
    with pytest.raises(module.traitlets.TraitError):
        Compare(images["wet"], mode="sideways")
    with pytest.raises(module.traitlets.TraitError):
        Compare(images["wet"], position=1.5)
