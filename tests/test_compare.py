"""The sliders: what the picture shows when a control moves."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from orelib.compare import compare, restored_examples, wipe
from orelib.config import METHODS, Folders
from orelib.methods import METHOD_CLASSES
from orelib.restore import save_generator


@pytest.fixture
def examples():
    shades = {"wet": 10, "dry": 200, "improved": 100}
    return {
        name: {layer: np.full((40, 60, 3), shade + extra, np.uint8) for layer, shade in shades.items()}
        for name, extra in (("a", 0), ("b", 5))
    }


def picture(widget):
    return np.asarray(Image.open(BytesIO(widget.children[-1].value)))


def test_wipe_joins_two_images_at_the_divider(examples):
    wet, dry = examples["a"]["wet"], examples["a"]["dry"]
    image = wipe(wet, dry, 0.25)
    assert (image[:, :15] == 10).all()
    assert (image[:, 15] == 255).all()
    assert (image[:, 16:] == 200).all()
    assert np.array_equal(wipe(wet, dry, 1.0), wet)
    assert np.array_equal(wipe(wet, dry, 0.0), dry)


def test_controls_change_the_picture(examples):
    widget = compare(examples)
    (name, left, right), divider = widget.children[0].children, widget.children[1]
    assert (picture(widget)[0, 0, 0], picture(widget)[0, -1, 0]) == (10, 100)
    right.value = "dry"
    assert picture(widget)[0, -1, 0] == 200
    divider.value = 1.0
    assert (picture(widget) == 10).all()
    name.value, left.value = "b", "dry"
    assert (picture(widget) == 205).all()


@pytest.mark.parametrize(("size", "shown"), [((40, 60), (480, 720)), ((1900, 2048), (480, 517))])
def test_pictures_fit_the_screen(size, shown):
    image = np.zeros((*size, 3), np.uint8)
    assert picture(compare({"a": {"wet": image, "dry": image}})).shape[:2] == shown


def test_nothing_to_compare_is_an_error():
    with pytest.raises(ValueError, match="no images"):
        compare({})


def test_examples_hold_every_method(tmp_path, pairs, experiment):
    folders = Folders("smoke", results_dir=str(tmp_path))
    for method in METHODS:
        trained = experiment.replace(method=method)
        generator = METHOD_CLASSES[method].build_generator(trained)
        path = folders.run(method, 0) / "generator.safetensors"
        save_generator(path, generator.state_dict(), trained, pairs.checksum, 1)
    examples = restored_examples(pairs, folders, count=1)
    assert list(examples) == ["belt_6"]
    assert list(examples["belt_6"]) == ["wet", "dry", "improved", "pix2pix", "cyclegan", "nafnet"]
    assert {image.shape for image in examples["belt_6"].values()} == {(40, 48, 3)}
