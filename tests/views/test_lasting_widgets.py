"""Widgets in JupyterLab without their kernel: it was restarted, or has ended, or the notebook is not trusted."""

import nbformat
import numpy as np
import pytest
from browsing import lab_tab, run_all

from orelib.views.compare import compare


def written(path, *cells):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


WIDGETS = (
    """import numpy as np
from orelib.views.compare import Compare
from orelib.views.explorer import Explorer, Slider
from orelib.views.gallery import Browser
dry = np.random.default_rng(0).integers(0, 256, (20, 160, 3)).astype(np.uint8)
Compare(dry // 2, dry, {"mine": 255 - dry})""",
    """class Made:
    orders, models, notes = {"worst": None}, dict.fromkeys(("mine", "other")), {}
    def sorted(self, by): return ["a", "b"] if by == "name" else ["b", "a"]
    def example(self, image, models): return {"wet": dry // 2, "dry": dry} | {name: 255 - dry for name in models}
Browser(Made(), "name", ["mine"])""",
    """def draw(level): return np.full((20, 60, 3), level, np.uint8)
Explorer(draw, {"level": Slider(0, 255, 1, 100)}, alt="grey {level}")""",
)


@pytest.fixture
def widgets(lab_folder):
    """A notebook with every widget, over tiny images."""
    return written(lab_folder / "widgets.ipynb", *map(nbformat.v4.new_code_cell, WIDGETS))


def save(tab):
    dirty = tab.locator(".jp-mod-dirty").first
    dirty.wait_for()
    for _ in range(10):  # on a busy machine, what arrives while it saves makes it dirty again
        tab.keyboard.press("Control+s")
        tab.wait_for_timeout(1_000)
        assert tab.locator(".jp-Dialog").count() == 0  # JupyterLab asks nothing
        if dirty.count() == 0:
            return
    raise AssertionError("JupyterLab did not save the notebook")


def await_widgets(tab):
    tab.locator(".orelib-explorer[data-answered]").wait_for(timeout=60_000)
    assert tab.locator(".orelib-compare[data-shown]").count() == 2


def test_after_a_restart_sliders_slide_and_choices_say_that_nobody_answers(browser, lab, widgets):
    gone = "The kernel was restarted or has ended: run this cell again to go on."
    with lab_tab(browser, lab, widgets.name) as tab:
        run_all(tab)
        await_widgets(tab)
        image = tab.get_by_label("test image")
        image.select_option("b")
        tab.locator(".orelib-browser [data-shown^='b|']").wait_for()
        tab.locator("select[name=by]").select_option("worst")
        tab.locator("select[name=by]").select_option("name")
        tab.locator(".orelib-browser [data-shown^='a|']").wait_for()
        tab.get_by_label("restored by").select_option(["other", "mine"])
        tab.locator(".orelib-browser select[name=right] option[value=other]").wait_for(state="attached")
        assert tab.get_by_text(gone).count() == 0

        tab.get_by_role("menuitem", name="Kernel", exact=True).click()
        tab.get_by_text("Restart Kernel…", exact=True).click()
        tab.locator(".jp-Dialog .jp-mod-accept").click()
        tab.locator(".orelib-browser").get_by_text(gone).wait_for()
        tab.locator(".orelib-explorer").get_by_text(gone).wait_for()
        assert tab.locator(".jupyter-widgets-disconnected").count() == 0  # JupyterLab's broken chain
        image.select_option("b")
        tab.locator(".orelib-browser").get_by_text(gone).wait_for()
        tab.locator(".orelib-browser [data-shown^='a|']").wait_for()
        divider = tab.locator(".orelib-divider").first
        divider.focus()
        tab.keyboard.press("Shift+ArrowRight")
        assert divider.get_attribute("aria-valuenow") == "60"


def test_a_saved_notebook_opened_again_slides_without_its_kernel(browser, lab, widgets):
    with lab_tab(browser, lab, widgets.name) as tab:
        run_all(tab)
        await_widgets(tab)
        save(tab)
        tab.keyboard.press("b")  # another cell
        save(tab)  # JupyterLab asks no question: the file is what it takes it for
        tab.evaluate(
            """async () => {
                const headers = { "X-XSRFToken": document.cookie.match(/_xsrf=([^;]*)/)[1] };
                for (const { id } of await (await fetch("/api/sessions")).json()) {
                    await fetch(`/api/sessions/${id}`, { method: "DELETE", headers });
                }
            }"""
        )
        cells = nbformat.read(widgets, 4).cells
        assert len(cells) == 4
        outputs = [output for cell in cells for output in cell.outputs]
        assert [set(output.data) for output in outputs] == [{"text/html", "text/plain"}] * 3
        tab.goto(f"{lab}/lab/tree/{widgets.name}?reset")
        frame = tab.frame_locator("iframe").first
        frame.locator(".orelib-compare[data-shown]").wait_for(timeout=30_000)
        frame.locator(".orelib-divider").focus()
        tab.keyboard.press("Shift+ArrowRight")
        frame.locator("[aria-valuenow='60']").wait_for()
        assert tab.locator("iframe").first.bounding_box()["height"] < 400  # as high as its page
        assert tab.get_by_alt_text("grey 100").is_visible()
        assert not tab.locator(".orelib-page iframe ~ figure").first.is_visible()
        assert tab.get_by_text("model not found").count() == 0


def test_a_notebook_that_is_not_trusted_shows_a_picture_where_the_slider_belongs(browser, lab, lab_folder, noise):
    wet, dry, restored = noise.integers(0, 256, (3, 30, 60, 3)).astype(np.uint8)
    bundle = compare({"a": {"wet": wet, "dry": dry, "improved": restored}})._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data=bundle)
    path = written(lab_folder / "untrusted.ipynb", nbformat.v4.new_code_cell("", outputs=[output]))
    with lab_tab(browser, lab, path.name) as tab:
        picture = tab.get_by_alt_text("a: wet, Improved and dry, side by side.")
        picture.wait_for(timeout=30_000)
        assert picture.is_visible()
        assert picture.evaluate("(image) => image.naturalWidth") == 3 * 60 + 2 * 6
        assert tab.get_by_text("trust this notebook").is_visible()
        assert tab.locator(".jp-Notebook iframe").count() == 0
        tab.get_by_text("| Idle").wait_for(timeout=60_000)  # else JupyterLab is slow to stop
