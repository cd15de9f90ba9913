"""The slider in a real browser: as a page from disk without a network, and in JupyterLab."""

import base64
import os
import re
import statistics
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from browsing import PLACES, lab_tab, put_notebook, run_all
from conftest import ROOT
from PIL import Image

from orelib.config import METHODS, Experiment
from orelib.methods import CLASSES
from orelib.metrics import psnr, ssim
from orelib.restore.restorer import save_generator
from orelib.runs import Folders
from orelib.views.compare import Compare, compare

STAGE = ".orelib-stage"


@pytest.fixture
def page(browser):
    """A tab without a network; an error in the page, or a request for anything but the page, fails the test."""
    context = browser.new_context(viewport={"width": 1100, "height": 1000}, offline=True)
    page = context.new_page()
    errors, requests = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    yield page
    context.close()
    assert not errors
    assert [url[:80] for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture
def images(noise):
    """Four images of 30 x 60 px, so wide that they fill the stage, whose every pixel tells where it is from."""
    return {
        layer: noise.integers(0, 256, (30, 60, 3)).astype(np.uint8) for layer in ("wet", "dry", "improved", "nafnet")
    }


def opened(page, comparison, path):
    page.goto(comparison.to_html(path).as_uri())
    page.wait_for_selector("[data-shown]")
    return page


class Stage:
    """The photograph on the screen: which image pixels stand where, read from the canvas itself."""

    def __init__(self, page):
        self.page = page
        self.box = page.locator(STAGE).bounding_box()

    def colours(self, y=0.5):
        """The canvas's colours along a line across the stage, (width, 3); ``y`` is a share of its height."""
        row = self.page.evaluate(
            """([stage, y]) => {
                const canvas = document.querySelector(stage + " canvas");
                const at = Math.floor(y * canvas.height);
                return Array.from(canvas.getContext("2d").getImageData(0, at, canvas.width, 1).data);
            }""",
            [STAGE, y],
        )
        return np.array(row, np.uint8).reshape(-1, 4)[:, :3]

    def divider(self):
        box = self.page.locator(".orelib-divider").bounding_box()
        return box["x"] + box["width"] / 2 - self.box["x"]

    def drag(self, start, end, steps=8):
        """Presses at one share of the stage, (across, down), and lets go at another."""
        mouse, box = self.page.mouse, self.box
        (x0, y0), (x1, y1) = ((box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end))
        mouse.move(x0, y0)
        mouse.down()
        mouse.move(x1, y1, steps=steps)
        mouse.up()
        settle(self.page)


def settle(page):
    """Waits until what was asked for is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_selector(".orelib-compare[data-state=drawn]")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def scores(page):
    page.wait_for_selector(".orelib-scores[data-state=done]")
    return page.locator(".orelib-scores").inner_text()


def expected_row(image, width, y=0.5):
    """What a line across the stage shows when the whole image fills it, a pixel a square."""
    columns = ((np.arange(width) + 0.5) * image.shape[1] / width).astype(int)
    return image[int(y * image.shape[0])][columns]


def share_equal(one, other):
    return np.all(one == other, axis=1).mean()


# ---- the page from disk, without a network -------------------------------------------------------------------------


def test_the_divider_parts_two_images_and_follows_the_mouse(page, images, tmp_path):
    stage = Stage(opened(page, compare({"a": images}), tmp_path / "page.html"))
    width = int(stage.box["width"])
    wet, improved = (expected_row(images[layer], width, 0.51) for layer in ("wet", "improved"))
    for to in (0.25, 0.8):
        stage.drag((stage.divider() / width, 0.5), (to, 0.4))
        assert stage.divider() == pytest.approx(to * width, abs=1.5)
        row, at = stage.colours(0.51), round(stage.divider())
        assert share_equal(row[: at - 2], wet[: at - 2]) > 0.97
        assert share_equal(row[at + 2 :], improved[at + 2 :]) > 0.97
        assert share_equal(row[at + 2 :], wet[at + 2 :]) < 0.1


def test_arrow_keys_move_the_divider_and_say_so(page, images, tmp_path):
    stage = Stage(opened(page, compare({"a": images}), tmp_path / "page.html"))
    divider, width = page.locator(".orelib-divider"), int(stage.box["width"])
    divider.focus()
    for key, value in (("ArrowRight", 51), ("ArrowLeft", 50), ("Shift+ArrowLeft", 40), ("End", 100), ("Home", 0)):
        page.keyboard.press(key)
        assert divider.get_attribute("aria-valuenow") == str(value)
    assert share_equal(stage.colours(0.51), expected_row(images["improved"], width, 0.51)) > 0.97
    page.keyboard.press("End")
    assert share_equal(stage.colours(0.51), expected_row(images["wet"], width, 0.51)) > 0.97
    assert divider.get_attribute("aria-valuetext") == "wet 100 %, Improved 0 %"


def test_a_finger_moves_the_divider_or_scrolls_and_two_enlarge(browser, images, tmp_path):
    context = browser.new_context(viewport={"width": 400, "height": 300}, has_touch=True, offline=True)
    page = opened(context.new_page(), compare({"a": images}), tmp_path / "page.html")
    stage, touch = Stage(page), context.new_cdp_session(page)

    def fingers(*steps):
        """Puts fingers at the first places (shares of the stage), moves them to the further ones, lifts them."""
        for kind, places in zip(["touchStart"] + ["touchMove"] * (len(steps) - 1), steps, strict=True):
            box = page.locator(STAGE).bounding_box()
            points = [
                {"x": box["x"] + x * box["width"], "y": box["y"] + y * 60, "id": k} for k, (x, y) in enumerate(places)
            ]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        settle(page)

    width = stage.box["width"]
    fingers([(0.7, 0.5)])
    assert stage.divider() == pytest.approx(0.7 * width, abs=1.5)
    fingers([(0.7, 0.5)], [(0.5, 0.5)], [(0.4, 0.5)], [(0.2, 0.5)])
    assert stage.divider() == pytest.approx(0.2 * width, abs=1.5)
    fingers([(0.8, 1.5)], [(0.8, 1.0)], [(0.8, 0.0)], [(0.8, -1.0)])
    assert page.evaluate("window.scrollY") > 20
    assert stage.divider() == pytest.approx(0.2 * width, abs=1.5)
    before = page.locator(".orelib-percent").inner_text()
    fingers([(0.4, 0.5), (0.6, 0.5)], [(0.3, 0.5), (0.7, 0.5)], [(0.2, 0.5), (0.8, 0.5)])
    assert float(page.locator(".orelib-percent").inner_text()[:-2]) > 2 * float(before[:-2])
    assert page.locator(".orelib-divider").get_attribute("aria-valuenow") == "20"
    context.close()


@pytest.mark.parametrize("density", [1, 2])
def test_handle_and_cut_agree_at_any_pixel_density_also_after_a_change(browser, images, tmp_path, density):
    context = browser.new_context(viewport={"width": 1100, "height": 900}, device_scale_factor=density, offline=True)
    page = opened(context.new_page(), compare({"a": images}), tmp_path / "page.html")
    screen = {"width": 1100, "height": 900, "deviceScaleFactor": 3 - density, "mobile": False}
    context.new_cdp_session(page).send("Emulation.setDeviceMetricsOverride", screen)
    settle(page)
    page.locator(".orelib-divider").focus()
    page.keyboard.press("Shift+ArrowRight")
    settle(page)
    stage = Stage(page)
    row = stage.colours(0.51)
    width = len(row)
    assert width == pytest.approx(stage.box["width"] * (3 - density), abs=1)
    cut = round(stage.divider() * (3 - density))
    assert share_equal(row[: cut - 4], expected_row(images["wet"], width, 0.51)[: cut - 4]) > 0.97
    assert share_equal(row[cut + 4 :], expected_row(images["improved"], width, 0.51)[cut + 4 :]) > 0.97
    context.close()


def test_photographs_of_any_shape_can_be_chosen(page, noise, tmp_path):
    shapes = {"wide": (20, 900), "tall": (900, 20), "dot": (1, 1), "line": (1, 3000)}
    photographs = {
        name: {"wet": noise.integers(1, 256, (*shape, 3)).astype(np.uint8)} for name, shape in shapes.items()
    }
    for name in photographs:
        photographs[name]["mine"] = 255 - photographs[name]["wet"]
    opened(page, compare(photographs), tmp_path / "page.html")
    for name in shapes:
        page.select_option("select[name=photograph]", name)
        page.wait_for_selector(f"[data-shown='{name}|wet|mine']")
        settle(page)
        assert page.locator(STAGE).bounding_box()["height"] >= 160
        assert canvas_of(page).any()


def test_wheel_with_ctrl_double_click_and_one_to_one_zoom(page, noise, tmp_path):
    image = noise.integers(0, 256, (1200, 2200, 3)).astype(np.uint8)
    opened(page, Compare(image, restored={"mine": image}), tmp_path / "page.html")
    box = page.locator(STAGE).bounding_box()
    percent = lambda: float(page.locator(".orelib-percent").inner_text()[:-2])  # noqa: E731
    fit = percent()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.wheel(0, -200)
    settle(page)
    assert percent() == fit  # the page scrolls
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    settle(page)
    assert percent() == pytest.approx(fit * np.e, rel=0.05)
    page.get_by_role("button", name="one image pixel a screen pixel").click()
    settle(page)
    assert percent() == 100
    page.mouse.dblclick(box["x"] + 300, box["y"] + 200)
    settle(page)
    assert percent() == 200
    page.get_by_role("button", name="show the whole photograph").click()
    settle(page)
    assert percent() == fit


def test_drop_downs_choose_photograph_and_images(page, images, tmp_path):
    other = {layer: 255 - image for layer, image in images.items()}
    shown = compare({"a": images, "b": other}, {"b": "wetness 0.9"}, {"worst first": {"a": 2, "b": 1}}, position=0.0)
    stage = Stage(opened(page, shown, tmp_path / "page.html"))
    width = int(stage.box["width"])
    assert page.locator("select[name=photograph] option").all_inner_texts() == ["b", "a"]
    assert "wetness 0.9" in page.inner_text(".orelib-compare")
    assert share_equal(stage.colours(0.51), expected_row(other["improved"], width, 0.51)) > 0.97
    page.select_option("select[name=photograph]", "a")
    page.select_option("select[name=right]", "nafnet")
    page.wait_for_selector("[data-shown='a|wet|nafnet']")
    assert share_equal(stage.colours(0.51), expected_row(images["nafnet"], width, 0.51)) > 0.97
    page.select_option("select[name=order]", "name")
    assert page.locator("select[name=photograph] option").all_inner_texts() == ["a", "b"]


def test_three_side_by_side_zoom_and_move_together(page, images, tmp_path):
    stage = Stage(opened(page, compare({"a": images}, mode="three"), tmp_path / "page.html"))
    page.wait_for_selector("[data-shown='a|wet|improved|dry']")
    assert not page.locator(".orelib-divider").is_visible()
    for _ in range(3):
        page.click("button[aria-label='zoom in']")
    stage.drag((0.16, 0.5), (0.1, 0.4))
    row = stage.colours(0.51)
    panel = len(row) // 3
    # Each panel shows the same columns of the same row of its image: found in the first, expected in the others.
    middle = row[panel // 2 - 20 : panel // 2 + 20 : 13]
    rows, columns = zip(*(np.argwhere(np.all(images["wet"] == colour, axis=2))[0] for colour in middle), strict=True)
    assert len(set(rows)) == 1
    for k, layer in enumerate(("wet", "improved", "dry")):
        start = round(k * (stage.box["width"] + 6) / 3)
        seen = row[start + panel // 2 - 20 : start + panel // 2 + 20 : 13]
        assert np.array_equal(seen, images[layer][rows, columns])


def test_zoom_scores_the_visible_part(page, images, tmp_path):
    shown = opened(page, compare({"a": images}), tmp_path / "page.html")
    whole = scores(page)
    assert f"{psnr(images['improved'], images['dry']):.2f} dB" in whole
    page.locator(STAGE).focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    settle(page)
    text = scores(shown)
    width, height = map(int, re.search(r"visible (\d+) x (\d+) px", text).groups())
    assert width < 60
    top, left = (30 - height) // 2, (60 - width) // 2
    part = np.s_[top : top + height, left : left + width]
    for layer in ("wet", "improved"):
        decibels = psnr(images[layer][part], images["dry"][part])
        likeness = ssim(images[layer][part], images["dry"][part])
        assert f"{decibels:.2f} dB, {likeness:.4f}" in text
    page.keyboard.press("0")
    settle(page)
    assert "visible" not in scores(page)


def test_error_map_and_glare_outline_are_laid_over(page, tmp_path):
    dry = np.full((30, 60, 3), 100, np.uint8)
    wet = np.full_like(dry, 60)
    wet[8:22, 20:40] = 250  # a patch of glare
    restored = dry.copy()
    restored[:, 30:] += 64
    stage = Stage(opened(page, Compare(wet, dry, {"improved": restored}, position=0.0), tmp_path / "page.html"))
    width = int(stage.box["width"])
    page.check("input[name=error]")
    settle(page)
    row = stage.colours(0.9)
    assert row[width // 4].max() <= 4  # no error is black
    assert row[3 * width // 4].tolist() == [252, 255, 164]  # 64 grey levels and more, pale yellow
    page.uncheck("input[name=error]")
    page.check("input[name=glare]")
    settle(page)
    outlined = np.flatnonzero((stage.colours(0.5) == [0, 255, 255]).all(axis=1)) * 60 / width
    # The rim of the patch, its first and last column, and nothing else.
    assert np.abs(outlined[:, None] - [20.5, 39.5]).min(axis=1).max() < 0.6
    assert len(outlined) == pytest.approx(2 * width / 60, abs=3)


def test_without_a_dry_image_overlays_are_off(page, images, tmp_path):
    opened(page, Compare(images["wet"], restored={"mine": images["dry"]}), tmp_path / "page.html")
    assert page.locator("input[name=error]").is_disabled()
    assert page.locator("input[name=glare]").is_disabled()
    assert scores(page) == ""


def test_everything_has_a_name_for_a_screen_reader(page, images, tmp_path):
    opened(page, compare({"a": images, "b": images}, orders={"worst": {"a": 1, "b": 2}}), tmp_path / "page.html")
    page.select_option("select[name=mode]", "three")
    settle(page)
    for name in ("photograph", "sorted by", "show", "left", "right", "third"):
        assert page.get_by_role("combobox", name=name).count() == 1
    for name in ("zoom in", "zoom out", "show the whole photograph", "one image pixel a screen pixel"):
        assert page.get_by_role("button", name=name).count() == 1
    for name in ("glare outline", "error map"):
        assert page.get_by_role("checkbox", name=name).count() == 1
    assert page.get_by_role("img", name="a: wet beside Improved beside dry").count() == 1
    page.select_option("select[name=mode]", "divider")
    settle(page)
    assert page.get_by_role("slider", name="divider").count() == 1
    controls = page.locator("select, input, button, [role=slider]").count()
    assert controls == 6 + 4 + 2 + 1


def test_the_divider_follows_the_mouse_over_a_large_photograph(page, tmp_path, record_property):
    """Also prints the main-thread time of a frame (script, style, layout, paint); on a busy machine it says little."""
    ramp = np.linspace(0, 255, 2048).astype(np.uint8)[None, :, None].repeat(1900, 0).repeat(3, 2)
    stage = Stage(opened(page, Compare(ramp, restored={"improved": ramp[:, ::-1]}), tmp_path / "page.html"))
    page.evaluate(
        """() => {
            window.frames_ms = [];
            const channel = new MessageChannel();
            let began = 0;
            channel.port1.onmessage = () => window.frames_ms.push(performance.now() - began);
            const frame = () => {
                began = performance.now();
                channel.port2.postMessage(0);
                requestAnimationFrame(frame);
            };
            requestAnimationFrame(frame);
        }"""
    )
    for to in (0.2, 0.8, 0.3, 0.7):
        stage.drag((stage.divider() / stage.box["width"], 0.5), (to, 0.5), steps=25)
        assert stage.divider() == pytest.approx(to * stage.box["width"], abs=1.5)
    frames = page.evaluate("window.frames_ms")
    record_property("median_frame_ms", round(statistics.median(frames), 2))
    record_property("p95_frame_ms", round(float(np.percentile(frames, 95)), 2))
    print(f"median frame {statistics.median(frames):.2f} ms, 95th percentile {np.percentile(frames, 95):.2f} ms")
    assert frames


# ---- in JupyterLab --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def notebook(lab_folder, pair_folder, pairs):
    """08_compare as committed, with parameters that point to tiny pairs and to untrained generators of every method."""
    folders = Folders("smoke", data_dir=str(pair_folder), results_dir=str(lab_folder / "results"))
    for method in METHODS:
        experiment = Experiment("smoke", method)
        weights = CLASSES[method].build_generator(experiment).state_dict()
        save_generator(folders.run(method, 0) / "generator.safetensors", weights, experiment, pairs.checksum, 1)
    parameters = {"profile": "smoke", "data_dir": folders.data_dir, "results_dir": folders.results_dir, "images": 2}
    return put_notebook("08_compare", lab_folder, **parameters)


def canvas_of(tab):
    """Pixels of the stage in the browser, (height, width, 3)."""
    address = tab.evaluate("() => document.querySelector('.orelib-stage canvas').toDataURL('image/png')")
    return np.asarray(Image.open(BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB"))


def test_08_compare_slides_in_jupyterlab(browser, lab, notebook, pairs):
    with lab_tab(browser, lab, notebook.name) as tab:
        run_all(tab)
        tab.wait_for_selector(".orelib-compare[data-shown]", timeout=120_000)
        stage = tab.locator(STAGE)
        stage.scroll_into_view_if_needed()
        settle(tab)

        def seen():
            image, box = canvas_of(tab), stage.bounding_box()
            divider = tab.locator(".orelib-divider").bounding_box()
            return image, round(divider["x"] + divider["width"] / 2 - box["x"])

        wet = {pair.stem: pair.load()[0] for pair in pairs.test}
        first, _ = seen()
        mouse, box = tab.mouse, stage.bounding_box()
        handle = tab.locator(".orelib-divider").bounding_box()
        mouse.move(handle["x"] + 16, handle["y"] + 40)
        mouse.down()
        mouse.move(box["x"] + 0.75 * box["width"], handle["y"] + 40, steps=6)
        mouse.up()
        settle(tab)
        dragged, at = seen()
        moved = np.any(first != dragged, axis=2).any(axis=0)  # columns that show the other image now
        middle = first.shape[1] // 2
        assert moved[middle + 5 : at - 5].mean() > 0.9
        assert not moved[: middle - 5].any()
        assert not moved[at + 5 :].any()

        tab.locator(".orelib-divider").focus()
        tab.keyboard.press("Shift+ArrowLeft")
        settle(tab)
        assert seen()[1] < at - 20

        tab.keyboard.press("End")  # the left image alone: the wet one, of the image that was chosen
        settle(tab)
        name = tab.locator(".orelib-compare").get_attribute("data-shown").split("|")[0]
        assert abs(mean_of_stage(canvas_of(tab)) - wet[name].mean((0, 1))).max() < 4

        other = next(stem for stem in wet if stem != name)
        tab.get_by_label("test image").select_option(other)  # the kernel restores it
        tab.wait_for_selector(f".orelib-compare[data-shown^='{other}|']", timeout=30_000)
        settle(tab)
        assert abs(mean_of_stage(canvas_of(tab)) - wet[other].mean((0, 1))).max() < 4

        tab.locator("select[name=left]").select_option("dry")
        tab.wait_for_selector(f".orelib-compare[data-shown^='{other}|dry|']")
        before = canvas_of(tab)
        tab.get_by_role("button", name="zoom in").click()
        settle(tab)
        assert np.any(canvas_of(tab) != before, axis=2).mean() > 0.3
        assert scores(tab).count("visible") == 1


def mean_of_stage(image):
    """Mean colour of what is not the empty margin beside the photograph."""
    filled = image[image.any(axis=2)]
    return filled.mean(axis=0)


def test_08_compare_executed_headless_and_exported_still_slides(page, notebook, tmp_path):
    executed, exported = tmp_path / "executed.ipynb", tmp_path / "exported.html"
    run = [sys.executable, "-m", "papermill", str(notebook), str(executed), "--cwd", str(ROOT / "notebooks")]
    subprocess.run(run, check=True, capture_output=True, timeout=600)
    export = [sys.executable, "-m", "nbconvert", "--to", "html", str(executed), "--output", str(exported)]
    subprocess.run(export, check=True, capture_output=True, timeout=600, env=os.environ | PLACES)
    page.goto(exported.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator(".orelib-compare[data-shown]").wait_for(timeout=20_000)
    divider = frame.locator(".orelib-divider")
    before = divider.bounding_box()["x"]
    divider.focus()
    page.keyboard.press("Shift+ArrowRight")
    frame.locator("[aria-valuenow='60']").wait_for(timeout=5_000)
    assert divider.bounding_box()["x"] > before + 20
