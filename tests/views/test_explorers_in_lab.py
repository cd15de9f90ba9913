"""An explorer in a real JupyterLab: moved by mouse and keys, the kernel draws another picture."""

from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from browsing import lab_tab, put_notebook, run_all
from PIL import Image

ROOT = ".orelib-explorer"


@pytest.fixture(scope="module")
def notebook(lab_folder, pair_folder):
    parameters = {"profile": "smoke", "data_dir": str(pair_folder), "results_dir": str(lab_folder / "results")}
    return put_notebook("02_mosaic", lab_folder, **parameters)


class Explored:
    """The explorer on the screen."""

    def __init__(self, tab):
        self.tab, self.picture = tab, tab.locator(f"{ROOT} img")

    def pixels(self):
        """The picture as the reader sees it, once the kernel has answered everything."""
        self.tab.wait_for_function(
            """() => {
                const root = document.querySelector(".orelib-explorer");
                const image = root.querySelector("img");
                return root.dataset.asked === root.dataset.answered && image.complete && image.naturalWidth;
            }"""
        )
        return np.asarray(Image.open(BytesIO(self.picture.screenshot())).convert("RGB")).astype(int)

    def value(self, name):
        return float(self.tab.locator(f"{ROOT} input[name={name}]").input_value())


def test_02_mosaic_is_moved_by_mouse_and_keys(browser, lab, notebook):
    with lab_tab(browser, lab, notebook.name) as tab:
        run_all(tab)
        tab.wait_for_selector(f"{ROOT}[data-answered]", timeout=60_000)
        explored = Explored(tab)
        explored.picture.scroll_into_view_if_needed()
        seen = [explored.pixels()]

        box = explored.picture.bounding_box()
        sample = 3.6 / 10.4 + 3.3 / 10.4 * 0.65  # across: in the dashed square on the wet sample
        tab.mouse.click(box["x"] + sample * box["width"], box["y"] + 0.4 * box["height"])
        seen.append(explored.pixels())

        explored.picture.focus()
        for _ in range(3):
            tab.keyboard.press("ArrowDown")
        seen.append(explored.pixels())

        slider = tab.locator(f"{ROOT} input[name=windows]")
        slider.focus()
        tab.keyboard.press("ArrowRight")
        seen.append(explored.pixels())
        assert explored.value("windows") == 1

        bar = slider.bounding_box()
        tab.mouse.click(bar["x"] + 0.8 * bar["width"], bar["y"] + bar["height"] / 2)
        seen.append(explored.pixels())
        assert explored.value("windows") > 30

        changed = [np.any(abs(one - other) > 20, axis=2).mean() for one, other in pairwise(seen)]
        assert min(changed) > 0.03, changed
        assert tab.locator(".orelib-line").first.inner_text() == ""
