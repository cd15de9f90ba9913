"""The slider's Python side: what it sends to the browser, and the page. tests/test_browser.py tries it in a browser."""

import base64
import json
import re
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from orelib.metrics import psnr, ssim
from orelib.views import compare as module
from orelib.views.compare import Compare, compare


@pytest.fixture
def images(noise):
    dry, wet, restored = (noise.integers(0, 256, (40, 60, 3)).astype(np.uint8) for _ in range(3))
    return {"wet": wet, "dry": dry, "improved": restored}


def layer_of(photograph, name):
    return next(layer for layer in photograph["layers"] if layer["name"] == name)


def pixels(photograph, layer):
    image = layer_of(photograph, layer)["image"]
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
        assert layer_of(photograph, layer)["score"] == expected
    assert layer_of(photograph, "dry")["score"] == ""


@pytest.mark.parametrize("shape", [(3, 7000), (7000, 2), (1, 20_000)])
def test_an_image_too_long_for_webp_is_reduced_with_a_note(noise, monkeypatch, shape):
    monkeypatch.setattr(module, "LARGEST_SIDE", 3000)
    wet, dry = noise.integers(0, 256, (2, *shape, 3)).astype(np.uint8)
    factor = -(-max(shape) // 3000)
    photographs = compare({"a": {"wet": wet, "dry": dry}, "b": {"wet": wet[:2, :2]}}, {"a": "damp"}).photographs
    reduced, small = photographs
    assert reduced["note"].startswith(f"damp; reduced to 1/{factor} of {shape[1]} x {shape[0]} px")
    assert (reduced["height"], reduced["width"]) == tuple(max(1, side // factor) for side in shape)
    assert pixels(reduced, "wet").shape == (reduced["height"], reduced["width"], 3)
    assert layer_of(reduced, "wet")["score"] == f"{psnr(wet, dry):.2f} dB, -"  # of the whole image
    assert abs(float(pixels(reduced, "dry").mean()) - dry.mean()) < 1
    assert small["note"] == ""
    assert np.array_equal(pixels(small, "wet"), wet[:2, :2])


def test_webp_takes_the_longest_image_that_is_not_reduced():
    longest = np.zeros((1, module.LARGEST_SIDE, 3), np.uint8)
    for image, note in ((longest, ""), (np.zeros((1, module.LARGEST_SIDE + 1, 3), np.uint8), "reduced to 1/2")):
        (photograph,) = Compare(image).photographs
        assert photograph["note"].startswith(note)
        assert bool(photograph["note"]) == bool(note)


def test_without_a_dry_image_there_are_no_scores(images):
    (photograph,) = Compare(images["wet"], restored={"mine": images["improved"]}).photographs
    assert {layer["score"] for layer in photograph["layers"]} == {""}


def test_equal_and_tiny_images_have_a_score_in_words():
    tiny = np.zeros((4, 5, 3), np.uint8)
    (photograph,) = Compare(tiny, tiny).photographs
    assert layer_of(photograph, "wet")["score"] == "∞ dB, -"


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((40, 61, 3), np.uint8), np.zeros((40, 60), np.uint8), np.zeros((40, 60, 3)),
        np.zeros((0, 60, 3), np.uint8), Image.new("RGB", (60, 40)), [[1]],
    ],
)  # fmt: skip
def test_an_image_that_does_not_fit_is_named(images, wrong):
    with pytest.raises(ValueError, match="improved image of a"):
        compare({"a": images | {"improved": wrong}})


def test_what_cannot_be_compared_is_an_error(images):
    with pytest.raises(ValueError, match="no images"):
        compare({})
    with pytest.raises(ValueError, match="a: the wet image is missing"):
        compare({"a": {"dry": images["dry"]}})
    with pytest.raises(ValueError, match="wet image is missing"):
        Compare(dry=images["dry"])
    with pytest.raises(ValueError, match="cannot be named wet"):
        Compare(images["wet"], restored={"wet": images["wet"]})


def test_names_are_those_of_what_is_shown(images):
    widget = compare({"b": images, "a": images})
    assert (widget.photograph, widget.left, widget.right, widget.third) == ("b", "wet", "improved", "dry")
    with pytest.raises(ValueError, match="left='improvd' is not there: choose one of wet, dry, improved"):
        compare({"a": images}, left="improvd")
    with pytest.raises(ValueError, match="photograph='c'"):
        compare({"a": images}, photograph="c")
    others = {"wet": images["wet"], "dry": images["dry"], "nafnet": images["improved"]}
    widget.left = "dry"
    widget.photographs = compare({"c": others}).photographs
    assert (widget.photograph, widget.left, widget.right) == ("c", "dry", "nafnet")


def test_layers_keep_their_order_whatever_their_names(images):
    (photograph,) = Compare(images["wet"], restored={"1000": images["dry"], "200": images["dry"]}).photographs
    assert [layer["name"] for layer in photograph["layers"]] == ["wet", "1000", "200"]


def test_values_that_are_no_numbers_come_last(images):
    orders = {"worst": {"a": float("nan"), "b": float("inf"), "c": 3.0}}
    widget = compare(dict.fromkeys("abc", images), orders=orders)
    assert widget.photograph == "c"
    assert [photograph["sort"]["worst"] for photograph in widget.photographs] == [None, None, 3.0]
    assert data_of(widget.section("x"))["photographs"][0]["sort"] == {"worst": None}


def test_the_page_holds_everything_and_asks_for_nothing(images, tmp_path):
    nasty = "b <!--<script></script>"
    shown = compare({"a": images, nasty: images}, {"a": "first"}, {"worst": {"a": 2, nasty: 1}}, left="dry")
    page = shown.to_html(tmp_path / "out" / "page.html", title="<mine>").read_text("utf-8")
    data = data_of(page)
    assert [photograph["name"] for photograph in data["photographs"]] == ["a", nasty]
    assert data["photographs"][1]["sort"] == {"worst": 1.0}
    assert data["state"]["left"] == "dry"
    assert np.array_equal(pixels(data["photographs"][0], "improved"), images["improved"])
    assert "<title>&lt;mine&gt;</title>" in page
    assert not re.search(r"https?://|src=|<link|@import", re.sub(r'"image": "[^"]*"', "", page))


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
    exact = shown.page()
    images_bytes = sum(len(layer["image"]) for layer in shown.photographs[0]["layers"])
    monkeypatch.setattr(module, "NOTEBOOK_BYTES", images_bytes - 1)
    compressed = shown.page()
    assert "are compressed:" in compressed
    monkeypatch.setattr(module, "NOTEBOOK_BYTES", 2000)
    reduced = shown.page()
    assert "reduced to 1/" in reduced
    assert len(reduced) < len(compressed) < len(exact)
    assert '"width": 60' in module.html.unescape(compressed)
    assert '"width": 60' not in module.html.unescape(reduced)


def test_state_is_checked(images):
    with pytest.raises(module.traitlets.TraitError):
        Compare(images["wet"], mode="sideways")
    with pytest.raises(module.traitlets.TraitError):
        Compare(images["wet"], position=1.5)


def test_the_slider_loads_neither_the_renderer_nor_an_engine():
    code = "import sys, orelib.views.compare; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    needless = ("orelib.data", "orelib.restore", "orelib.study", "openvino", "onnx", "onnxruntime", "torch._dynamo",
                "torchvision", "matplotlib")  # fmt: skip
    assert "orelib.metrics" in loaded.stdout.split()
    assert not [name for name in loaded.stdout.split() for root in needless if f"{name}.".startswith(f"{root}.")]
