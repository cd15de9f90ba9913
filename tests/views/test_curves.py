"""Curves as SVG: few points of any number of values, drawn where they belong."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from orelib.views.curves import HEIGHT, POINTS, WIDTH, Curve, Line, curve_svg


@pytest.mark.parametrize("number", [1, 2, 149, 150, 151, 1000, 20_001])
def test_a_curve_keeps_few_points_and_the_right_means(noise, number):
    values = noise.normal(5, 1, number)
    curve = Curve()
    for value in values:
        curve.add(value)
    line = curve.line()
    assert min(number, POINTS // 2) <= len(line.values) <= POINTS
    assert line.low.min() == values.min()
    assert line.high.max() == values.max()
    for k in (0, len(line.values) - 1):
        part = values[k * curve.size : (k + 1) * curve.size]
        assert line.values[k] == pytest.approx(part.mean())
        assert line.steps[k] == pytest.approx(k * curve.size + (len(part) + 1) / 2)


def shapes(svg, tag):
    return [element.attrib for element in ElementTree.fromstring(svg).iter() if element.tag.endswith(tag)]


def test_it_is_a_picture_with_words():
    line = Line(np.array([1.0, 2.0, 3.0]), np.array([5.0, 7.0, 6.0]))
    svg = curve_svg("loss <G>: 6", 'loss "G"', line, 10, "#0072B2")
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == 'loss "G"'
    assert "loss <G>: 6" in [text.text for text in root]
    assert float(root.attrib["font-size"]) >= 8 * 96 / 72


def test_points_lie_inside_in_order_and_the_highest_has_a_ring():
    values = np.array([5.0, 9.0, 6.0, 7.0])
    svg = curve_svg("PSNR", "PSNR", Line(np.arange(1.0, 5.0) * 100, values), 400, "#009E73", marks=True)
    (line,) = shapes(svg, "polyline")
    points = [tuple(map(float, point.split(","))) for point in line["points"].split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert np.argsort([-y for _, y in points]).tolist() == np.argsort(values).tolist()
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in points)
    *dots, ring = shapes(svg, "circle")
    assert len(dots) == 4
    assert (float(ring["cx"]), float(ring["cy"])) == points[1]


def test_a_spike_does_not_flatten_the_rest(noise):
    curve = Curve()
    for value in [500.0, *noise.uniform(1, 2, 999)]:
        curve.add(value)
    (line,) = shapes(curve_svg("loss", "loss", curve.line(), 1000, "#000"), "polyline")
    heights = [float(point.split(",")[1]) for point in line["points"].split()]
    assert np.ptp(heights[5:]) > HEIGHT / 5


@pytest.mark.parametrize("values", [[0.0], [3.0, 3.0], [1e-7, 2e-7], [-5.0, 1e6]])
def test_any_values_are_drawn(values):
    svg = curve_svg("loss", "loss", Line(np.arange(len(values)) + 1.0, np.array(values)), 0, "#000")
    assert not re.search("nan|inf", svg)
