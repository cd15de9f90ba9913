"""The line that marks an object of known size: what it says, and how it is moved in a browser."""

import base64
import html
import json

import numpy as np
import pytest

from orelib.sizing.scale import ScaleError
from orelib.views.scale_marker import ScaleMarker

SHAPE = (300, 600)


@pytest.fixture
def marker():
    return ScaleMarker(np.full((*SHAPE, 3), 120, np.uint8))


def test_the_scale_is_that_of_the_line(marker):
    with pytest.raises(ScaleError, match="no number of mm"):
        _ = marker.scale
    marker.mm, marker.points = 25, [[100, 50], [200, 50]]
    assert marker.scale.px_per_mm == pytest.approx(4)
    assert "100 px are 25 mm" in marker.summary()


def test_a_large_photograph_is_reduced_but_not_its_scale():
    marker = ScaleMarker(np.zeros((100, 5000, 3), np.uint8), mm=10, points=[[0, 50], [4000, 50]])
    assert marker.scale.px_per_mm == pytest.approx(400)
    assert marker.size == [5000, 100]
    assert len(marker.page()) < 50_000


def test_without_a_kernel_the_photograph_and_the_line_stay(marker):
    marker.mm = 50
    page = marker.page()
    assert "200 px are 50 mm" in page
    assert 'alt="A photograph with a line between two points' in page
    assert "http" not in page
    assert set(marker._repr_mimebundle_()) == {"text/html", "text/plain"}


# The part in the browser alone, with a model that only keeps values.
HARNESS = """<!doctype html><style>{css}</style><div id="root" style="width:600px"></div>
<script type="module">
const values = {values};
values.picture = Uint8Array.from(atob({picture}), (sign) => sign.charCodeAt(0));
const handlers = {{}};
const model = {{
  get: (name) => values[name],
  set: (name, value) => {{ values[name] = value; (handlers["change:" + name] || []).forEach((call) => call()); }},
  save_changes: () => {{}},
  on: (name, call) => (handlers[name] ??= []).push(call),
  off: () => {{}},
}};
window.values = values;
const widget = await import("data:text/javascript;base64,{script}");
widget.default.render({{ model, el: document.getElementById("root") }});
</script>"""


@pytest.fixture
def tab(browser, marker):
    tab = browser.new_page(viewport={"width": 800, "height": 600})
    values = {name: getattr(marker, name) for name in ("size", "points", "mm", "alt")}
    picture = json.dumps(base64.b64encode(marker.picture).decode())
    script = base64.b64encode(str(marker._esm).encode()).decode()
    tab.set_content(
        HARNESS.format(css=html.unescape(marker._css), values=json.dumps(values), picture=picture, script=script)
    )
    tab.wait_for_selector(".orelib-marker[data-ready]")
    yield tab
    tab.close()


def points(tab):
    return tab.evaluate("() => window.values.points")


def test_the_ends_are_clicked_dragged_and_moved_by_keys(tab):
    box = tab.locator(".orelib-stage img").bounding_box()
    at = lambda x, y: (box["x"] + x, box["y"] + y)  # noqa: E731 (600 px of the photograph are 600 px here)
    tab.mouse.click(*at(100, 80))
    tab.mouse.click(*at(400, 80))
    assert np.allclose(points(tab), [[100, 80], [400, 80]], atol=1)

    tab.mouse.move(*at(400, 80))
    tab.mouse.down()
    tab.mouse.move(*at(500, 120), steps=5)
    assert tab.locator(".orelib-lens").is_visible()
    tab.mouse.up()
    assert np.allclose(points(tab), [[100, 80], [500, 120]], atol=1)
    assert not tab.locator(".orelib-lens").is_visible()

    tab.locator("circle").first.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Shift+ArrowDown")
    assert np.allclose(points(tab)[0], [101, 90], atol=1)

    tab.locator("input[name=mm]").fill("100")
    assert tab.evaluate("() => window.values.mm") == 100
    assert "100 mm" in tab.locator("output").inner_text()
    assert "px per mm" in tab.locator("output").inner_text()


def test_ends_stay_in_the_photograph(tab):
    box = tab.locator(".orelib-stage img").bounding_box()
    tab.mouse.move(box["x"] + 50, box["y"] + 50)
    tab.mouse.down()
    tab.mouse.move(box["x"] - 40, box["y"] + 900)
    tab.mouse.up()
    assert points(tab)[0] == [0, SHAPE[0]]
