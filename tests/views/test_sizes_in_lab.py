"""Notebook 13 in a real JupyterLab: a person marks an object of known size, and all sizes follow."""

import numpy as np
import pytest
from browsing import lab_tab, put_notebook, run_all, wait_until_it_has_run, wait_until_it_runs
from PIL import Image

from orelib.data.scenes import render_pair
from orelib.utils.tables import read_table

NAME = "13_your_sizes"
SIDE = 256  # px of the photograph


@pytest.fixture(scope="module")
def photographs(lab_folder):
    folder = lab_folder / "camera"
    folder.mkdir()
    Image.fromarray(render_pair(9_000_300, (SIDE, SIDE), px_per_mm=4.0).dry).save(folder / "heap.png")
    return folder


def test_sizes_follow_the_object_that_is_marked(browser, lab, lab_folder, photographs):
    results = lab_folder / "results"
    put_notebook(
        NAME, lab_folder, profile="smoke", photographs_dir=str(photographs), results_dir=str(results), restore="no"
    )
    with lab_tab(browser, lab, f"{NAME}.ipynb") as tab:
        run_all(tab)
        tab.get_by_text("say how many lie between the two points").first.wait_for(timeout=120_000)
        assert not list(results.rglob("sizes.csv"))  # nothing is sized without a scale

        marker = tab.locator(".orelib-marker[data-ready]")
        picture = marker.locator(".orelib-stage img")
        picture.scroll_into_view_if_needed()
        box = picture.bounding_box()
        zoom = box["width"] / SIDE
        for across in (56, 216):  # 160 px are 20 mm
            tab.mouse.click(box["x"] + across * zoom, box["y"] + 200 * zoom)
        marker.locator("input[name=mm]").fill("20")
        marker.get_by_text("20 mm").wait_for()

        tab.locator(".cm-line", has_text="marked = px_per_mm is None").first.click()  # the cell below
        tab.get_by_role("menuitem", name="Run", exact=True).click()
        tab.get_by_text("Run Selected Cell and All Below", exact=True).click()
        wait_until_it_runs(tab)
        wait_until_it_has_run(tab)
    [table] = results.rglob("sizes.csv")
    assert "are 20 mm" in read_table(table)["scale"].iloc[0]
    [particles] = results.rglob("particles.csv")
    assert np.allclose(read_table(particles)["px_per_mm"], 8, rtol=0.02)
