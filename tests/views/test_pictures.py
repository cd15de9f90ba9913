"""Every figure has its alternative text and letters that can be read, and a notebook shows both."""

import ast
import base64
import re
from io import BytesIO

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from matplotlib.text import Text
from nbconvert import HTMLExporter
from PIL import Image

from orelib.data.check import check_folder
from orelib.data.scenes import SizeDistribution, render_pair
from orelib.sizing.distribution import distribution
from orelib.sizing.measured import Measured
from orelib.sizing.sized import AS_IT_IS, DRY
from orelib.study import effects
from orelib.utils.execute import execute_in_place
from orelib.views import checked, figures, size_figures, study_figures
from orelib.views.pictures import encoded, figure_of, listed, picture_of

SMALLEST = 8  # pt


@pytest.fixture(scope="module")
def drawn(made_study, pair_folder):
    """A figure of every function, by its name, from what is small and made up."""
    scene = render_pair(0, (48, 64), wetness=0.6)
    counts = np.bincount(scene.wet.ravel(), minlength=256)
    steps = np.arange(1, 101)
    history = pd.DataFrame({"step": steps, "epoch": 1, "generator": 1 / steps, "l1": 2 / steps, "discriminator": 1.1})
    scores = pd.DataFrame({"step": [100, 200], "psnr": [20.0, 22.0], "ssim": [0.5, 0.6]})
    table = pd.DataFrame([{"method": "improved", "psnr": 20.0, "psnr_low": 19.0, "psnr_high": 21.0, "ssim": 0.5,
                           "ssim_low": 0.4, "ssim_high": 0.6, "paper_psnr": 23.759, "paper_ssim": 0.7141}])  # fmt: skip
    sizes = np.linspace(4, 20, 60)
    particles = {"size_mm": sizes, "area_mm2": sizes**2, "mass": sizes**3, "weight": 1.0, "left_out": ""}
    sized = distribution([Measured(pd.DataFrame(particles), 3.0, 3.0, 0.0)], draws=20)
    return {
        "pairs_figure": figures.pairs_figure([("0$7", scene.wet, scene.dry), ("long", scene.wet[:4], scene.dry[:4])]),
        "layers_figure": figures.layers_figure(scene, px_per_mm=2.5),
        "sizes_figure": figures.sizes_figure(SizeDistribution(), np.array([6.0, 8.0, 20.0])),
        "brightness_figure": figures.brightness_figure(counts, counts[::-1]),
        "mosaic_figure": figures.mosaic_figure([(scene.wet, scene.dry)] * 2),
        "loss_curves_figure": figures.loss_curves_figure({"improved": history}, "generator", "G loss"),
        "loss_terms_figure": figures.loss_terms_figure(history, "improved"),
        "validation_figure": figures.validation_figure({"improved": scores}),
        "comparison_figure": figures.comparison_figure([{"wet": scene.wet, "dry": scene.dry, "improved": scene.dry}]),
        "table3_figure": figures.table3_figure(table),
        "contact_sheet_figure": figures.contact_sheet_figure([(f"{k}.png", scene.wet, scene.dry) for k in range(9)]),
        "check_figure": checked.check_figure(check_folder(pair_folder)),
        "answer_figure": study_figures.answer_figure(made_study),
        "effects_figure": study_figures.effects_figure(effects.ablation_effects(made_study, "smoke")),
        "passing_figure": study_figures.passing_figure(made_study),
        "passing_curves_figure": size_figures.passing_curves_figure(
            {AS_IT_IS: sized, DRY: sized}, {AS_IT_IS: [sized] * 2}
        ),
        "segmentation_figure": study_figures.segmentation_figure([("wet", scene.wet, scene.labels)]),
    }


def test_every_figure_says_what_it_shows(drawn):
    for name, figure in drawn.items():
        label = figure.get_label()
        assert 30 < len(label) < 700, f"{name}: {label}"
        assert label.endswith("."), f"{name}: {label}"
        assert not re.search(r"\b(nan|inf)\b|\n|  ", label), f"{name}: {label}"


def test_it_says_numbers_and_names_that_the_figure_knows(drawn):
    assert "0$7 and long" in drawn["pairs_figure"].get_label()
    assert "Improved 22.00 dB / 0.600 at step 200" in drawn["validation_figure"].get_label()
    assert "generator from 0.75 to 0.01" in drawn["loss_terms_figure"].get_label()
    assert "half of the 3 particles seen are smaller than 8.0 mm" in drawn["sizes_figure"].get_label()
    assert "20.00 dB / 0.500" in drawn["table3_figure"].get_label()
    assert "misaligned by 3 px +1" in drawn["effects_figure"].get_label()


def test_every_letter_can_be_read(drawn):
    for name, figure in drawn.items():
        figure.draw_without_rendering()
        texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
        small = {text.get_text(): text.get_fontsize() for text in texts if text.get_fontsize() < SMALLEST}
        assert texts or name == "mosaic_figure"
        assert not small, name


def returns_a_figure(node):
    return isinstance(node, ast.FunctionDef) and node.returns is not None and ast.unparse(node.returns) == "Figure"


@pytest.mark.parametrize("path", sorted((ROOT / "orelib" / "views").glob("*.py")), ids=lambda path: path.stem)
def test_no_function_returns_a_figure_without_words(path, drawn):
    functions = [node for node in ast.parse(path.read_text("utf-8")).body if returns_a_figure(node)]
    for function in (node for node in functions if not node.name.startswith("_")):
        said = "set_label" in ast.unparse(function)
        assert said, f"{path.name}: {function.name} must call figure.set_label with what is seen"
        if path.stem in ("figures", "checked", "study_figures"):
            assert function.name in drawn, f"{function.name} has no example above"


def test_lines_keep_every_pixel_and_photographs_are_compressed(drawn):
    lines, photographs = (figure_of(drawn[name]) for name in ("validation_figure", "comparison_figure"))
    exact, buffer = image_of(lines), BytesIO()
    drawn["validation_figure"].savefig(buffer, format="png", dpi=100, bbox_inches="tight")
    assert np.array_equal(exact, np.asarray(Image.open(buffer).convert("RGB")))
    assert f'alt="{drawn["comparison_figure"].get_label()}"' in photographs


def image_of(text):
    data = re.search(r'src="data:image/webp;base64,([^"]*)"', text)[1]
    return np.asarray(Image.open(BytesIO(base64.b64decode(data))).convert("RGB"))


def test_words_are_escaped():
    text = picture_of(encoded(np.zeros((4, 5, 3), np.uint8)), 'a "b" <c>', "d < e")
    assert 'alt="a &quot;b&quot; &lt;c&gt;"' in text
    assert "<figcaption>d &lt; e</figcaption>" in text
    assert image_of(text).shape == (4, 5, 3)


def test_names_are_joined_as_in_a_sentence():
    assert [listed("a" * k) for k in range(4)] == ["", "a", "a and a", "a, a and a"]
    assert listed("abcdefg", most=4) == "a, b, c and 4 more"


CELLS = (
    "import matplotlib.pyplot as plt\nimport orelib.views",
    "figure, _ = plt.subplots(figsize=(2, 1))\nplt.close(figure)\nfigure.set_label('two words')\nfigure",
    "display(figure)",
    "plt.plot([1, 2]);",
    "%config InlineBackend.figure_formats = ['svg']\nother, _ = plt.subplots()\nplt.close()\ndisplay(figure, other)",
    "display(figure, display_id='here')",
)


def test_a_notebook_shows_the_words_and_leaves_other_figures_as_they_are(tmp_path):
    path = tmp_path / "one.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, CELLS)), metadata=kernel), path)
    execute_in_place(path)
    notebook = nbformat.read(path, 4)
    outputs = [cell.outputs for cell in notebook.cells]
    labelled = [outputs[1][0], outputs[2][0], outputs[4][0], outputs[5][0]]
    assert [set(output.data) for output in labelled] == [{"text/html", "text/plain"}] * 4
    assert all('alt="two words"' in output.data["text/html"] for output in labelled)
    assert [output.output_type for output in labelled] == ["execute_result"] + ["display_data"] * 3
    assert labelled[0].data["text/plain"] == "<Figure: two words>"
    page, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=notebook.cells[:3]))
    assert "No description has been provided for this image" not in page
    assert set(outputs[3][0].data) == {"image/png", "text/plain"}
    assert set(outputs[4][1].data) == {"image/svg+xml", "text/plain"}
