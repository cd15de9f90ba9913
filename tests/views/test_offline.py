"""Exported notebooks: formulas as MathML, and nothing from the network."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from types import SimpleNamespace

import nbformat
import pytest
from browsing import JUPYTER, PLACES
from bs4 import BeautifulSoup
from conftest import ROOT
from nbconvert import HTMLExporter
from traitlets.config import Config

from orelib.views import offline

LOADS = "script[src], link[rel=stylesheet], iframe[src], img[src^=http]"


@pytest.fixture
def exported(monkeypatch):
    """Exports cells with the kit's settings; returns the page, parsed."""
    for name, value in PLACES.items():
        monkeypatch.setenv(name, value)

    def export(*cells, metadata=None, **settings):
        config = Config(json.loads(offline.SETTINGS.read_text("utf-8")))
        config.HTMLExporter.update(settings)
        notebook = nbformat.v4.new_notebook(cells=list(cells), metadata=metadata or {})
        page, _ = HTMLExporter(config=config).from_notebook_node(notebook)
        return BeautifulSoup(page, "html.parser")

    return export


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


def test_a_page_loads_nothing_and_formulas_are_mathml(exported):
    page = exported(markdown("Let $a<b$ be\n\n$$ x_i = \\frac{1}{2} \\tag{7} $$\n\nand `$c$` code."))
    assert not page.select(LOADS)
    assert "import(" not in str(page)
    inline, block = page.select("math")
    assert (inline["display"], block["display"]) == ("inline", "block")
    assert inline.get_text() == "a<b"
    assert [mark.name for mark in block.select("msub, mfrac")] == ["msub", "mfrac"]
    assert page.select_one(".orelib-formula").get_text().endswith("(7)")
    assert "tag" not in block.get_text()
    assert page.select_one(".jp-MarkdownCell code").get_text() == "$c$"


def test_an_equation_of_two_lines_is_aligned(exported):
    page = exported(markdown(r"$$\begin{aligned} F &= W_2\,\sigma(W_1 X) \\ Y &= F + X \end{aligned} \tag{4}$$"))
    assert len(page.select("math mtr")) == 2
    assert "&" not in page.select_one("math").get_text()
    assert {cell["style"] for cell in page.select("mtd")} == {"text-align:right", "text-align:left"}
    environment = exported(markdown("\\begin{align*}a &= b\\end{align*}"))
    assert environment.select("math mtr")


@pytest.mark.parametrize("latex", [r"\nonsense{x}", r"a & b", "{"])
def test_a_formula_that_cannot_be_converted_is_shown_as_it_was_written(latex):
    shown = offline.mathml(latex)
    assert shown.startswith("<code>")
    assert BeautifulSoup(shown, "html.parser").get_text() == latex


def test_every_formula_of_the_kit_can_be_converted():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown")
        text = re.sub(r"`[^`]*`", "", text)
        formulas = re.findall(r"\$\$(.+?)\$\$", text, re.DOTALL) + re.findall(r"(?<!\$)\$([^$\n]+)\$(?!\$)", text)
        assert not [formula for formula in formulas if "<code>" in offline.displayed(formula)], path.name


def test_latex_outputs_and_pictures_of_widgets_are_shown(exported):
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "1", "version_major": 2, "version_minor": 0}}
    state = {"application/vnd.jupyter.widget-state+json": {"state": {"1": {}}, "version_major": 2, "version_minor": 0}}
    outputs = [
        nbformat.v4.new_output("display_data", data={"text/latex": "$\\sigma$", "text/plain": "sigma"}),
        nbformat.v4.new_output("display_data", data=view | {"text/html": "<b>a picture</b>"}),
    ]
    page = exported(nbformat.v4.new_code_cell("", outputs=outputs), metadata={"widgets": state})
    assert page.select_one(".jp-RenderedLatex math").get_text() == "\u03c3"
    assert page.find("b").get_text() == "a picture"
    assert not page.select(LOADS)


def test_settings_of_the_exporter_and_other_templates_hold(exported):
    assert exported(markdown("# Title")).select("a.anchor-link")
    assert not exported(markdown("# Title"), exclude_anchor_links=True).select("a.anchor-link")
    own = exported(markdown("$a$"), template_name="lab")
    assert own.select("script[src]")
    assert not own.select("math")


def test_a_server_gets_the_same_settings_and_keeps_its_users():
    server = SimpleNamespace(config=Config({"HTMLExporter": {"template_name": "classic"}}))
    offline._load_jupyter_server_extension(server)
    assert server.config.HTMLExporter.template_name == "classic"
    assert server.config.HTMLExporter.preprocessors == ["orelib.views.offline.OfflinePage"]
    assert server.config.SlidesExporter.template_name == "reveal"
    (point,) = offline._jupyter_server_extension_points()
    named = json.loads((JUPYTER / "jupyter_server_config.d" / "orelib.json").read_text())
    assert named["ServerApp"]["jpserver_extensions"][point["module"]]


def test_save_and_export_needs_no_network(lab, lab_folder):
    nbformat.write(nbformat.v4.new_notebook(cells=[markdown("$a$")]), lab_folder / "mine.ipynb")
    address = f"{lab}/nbconvert/html/mine.ipynb?_xsrf=abcd"
    request = urllib.request.Request(address, headers={"Cookie": "_xsrf=abcd"})  # as JupyterLab asks
    with urllib.request.urlopen(request, timeout=60) as answer:
        page = BeautifulSoup(answer.read().decode(), "html.parser")
    assert page.select_one("math").get_text() == "a"
    assert not page.select(LOADS)


# ---- in a browser without a network --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The notebooks with equations, exported as the command line does it."""
    out = tmp_path_factory.mktemp("pages")
    found = [path for path in sorted((ROOT / "notebooks").glob("*.ipynb")) if r"\\tag{" in path.read_text("utf-8")]
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", str(out), *map(str, found)]
    subprocess.run(command, check=True, capture_output=True, timeout=300, env=os.environ | PLACES)
    return sorted(out.glob("*.html"))


def test_all_equations_show_in_a_browser_without_a_network(browser, pages):
    context = browser.new_context(viewport={"width": 1100, "height": 1000}, offline=True)
    numbers, requests = [], []
    for path in pages:
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        for formula in page.locator(".orelib-formula:has(math)").all():
            if number := re.fullmatch(r"\((\d+)\)", formula.inner_text().split()[-1]):
                numbers.append(int(number.group(1)))
            box = formula.locator("math").bounding_box()
            assert box["width"] > 60
            assert 15 < box["height"] < 150
        text = page.locator("main").inner_text()
        assert "$$" not in text
        assert "\\frac" not in text
    context.close()
    assert sorted(numbers) == list(range(1, 13))
    assert not [url for url in requests if not url.startswith(("file:", "data:", "blob:"))]
