"""Explorers in a real JupyterLab: moved by mouse and keys, the kernel draws another picture."""

from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from browsing import lab_tab, put_notebook, run_all
from PIL import Image

from orelib.config import METHODS, Experiment, parse_changes
from orelib.runs import Folders
from orelib.training import train
from orelib.views.networks.patchgan import AREA

ROOT = ".orelib-explorer"
CHANGES = "steps=40 validate_every=10"


@pytest.fixture(scope="module")
def parameters(lab_folder, pair_folder):
    return {"profile": "smoke", "data_dir": str(pair_folder), "results_dir": str(lab_folder / "results")}


@pytest.fixture(scope="module")
def trained(parameters, pairs):
    """Runs whose pictures over their steps are there to be moved through: all methods, and a longer one."""
    data_dir, results_dir = parameters["data_dir"], parameters["results_dir"]
    for method in METHODS:
        train(Experiment("smoke", method), pairs, Folders("smoke", data_dir, results_dir).run(method, 0))
    longer = Folders("smoke", data_dir, results_dir, CHANGES).run("slim", 0)
    train(Experiment("smoke", "slim", **parse_changes(CHANGES)), pairs, longer)


class Explored:
    """An explorer on the screen."""

    def __init__(self, tab, number=0):
        self.tab, self.root = tab, tab.locator(ROOT).nth(number)
        self.picture = self.root.locator("img")
        self.picture.scroll_into_view_if_needed()

    def pixels(self):
        """The picture as the reader sees it, once the kernel has answered everything."""
        self.tab.wait_for_function(
            """(root) => {
                const image = root.querySelector("img");
                return root.dataset.asked === root.dataset.answered && image.complete && image.naturalWidth;
            }""",
            arg=self.root.element_handle(),
        )
        return np.asarray(Image.open(BytesIO(self.picture.screenshot())).convert("RGB")).astype(int)

    def value(self, name):
        return float(self.root.locator(f"input[name={name}]").input_value())

    def click(self, of, across, down=0.5):
        """Clicks at a share of an element's width and height."""
        of.scroll_into_view_if_needed()
        box = of.bounding_box()
        self.tab.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])

    def moves(self):
        """Moves each control, and yields its name after each move."""
        for slider in self.root.locator("input[type=range]").all():
            name = slider.get_attribute("name")
            self.click(slider, 0.05 if name == "step" else 0.4)  # short runs have kept early steps alone
            yield f"{name} by mouse"
            for _ in range(3):
                slider.press("ArrowRight")
            yield f"{name} by keys"
        for choice in self.root.locator("select").all():
            chosen = choice.input_value()
            choice.press("ArrowDown")
            if choice.input_value() == chosen:  # it was the last one
                choice.press("ArrowUp")
            yield f"{choice.get_attribute('name')} by keys"
        if self.root.locator(".orelib-hint").count():
            left, top, right, bottom = AREA  # of the only explorer here in which one clicks
            self.click(self.picture, left + 0.8 * (right - left), top + 0.2 * (bottom - top))
            yield "a place by mouse"
            for _ in range(4):
                self.picture.press("ArrowDown")
            yield "a place by keys"


def share_changed(one, other):
    return np.any(abs(one - other) > 12, axis=2).mean()


@pytest.mark.parametrize(
    ("name", "count"), [("03_networks", 3), ("04_losses", 1), ("05_training", 1), ("06_loss_curves", 1)]
)
def test_every_control_of_a_notebook_moves_its_picture(browser, lab, lab_folder, parameters, trained, name, count):
    more = {"method": "slim", "changes": CHANGES} if name == "05_training" else {}
    given = {
        key: value for key, value in parameters.items() if key != "data_dir" or name in ("04_losses", "05_training")
    }
    notebook = put_notebook(name, lab_folder, **given, **more)
    with lab_tab(browser, lab, notebook.name) as tab:
        run_all(tab)
        tab.locator(f"{ROOT}[data-answered]").nth(count - 1).wait_for(timeout=60_000)
        tab.get_by_text("| Idle").wait_for(timeout=60_000)
        assert tab.locator(ROOT).count() == count
        for number in range(count):
            explored = Explored(tab, number)
            before = explored.pixels()
            for moved in explored.moves():
                now = explored.pixels()
                assert before.shape != now.shape or share_changed(before, now) > 0.0005, (number, moved)
                before = now
            assert explored.root.locator(".orelib-line").inner_text() == ""


@pytest.fixture(scope="module")
def notebook(lab_folder, parameters):
    return put_notebook("02_mosaic", lab_folder, **parameters)


def test_02_mosaic_is_moved_by_mouse_and_keys(browser, lab, notebook):
    with lab_tab(browser, lab, notebook.name) as tab:
        run_all(tab)
        tab.wait_for_selector(f"{ROOT}[data-answered]", timeout=60_000)
        explored = Explored(tab)
        seen = [explored.pixels()]

        sample = 3.6 / 10.4 + 3.3 / 10.4 * 0.65  # across: in the dashed square on the wet sample
        explored.click(explored.picture, sample, 0.4)
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

        explored.click(slider, 0.8)
        seen.append(explored.pixels())
        assert explored.value("windows") > 30

        changed = [share_changed(one, other) for one, other in pairwise(seen)]
        assert min(changed) > 0.03, changed
        assert tab.locator(".orelib-line").first.inner_text() == ""
