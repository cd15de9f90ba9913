"""Weights and multiply-adds by size of the feature maps: nothing is lost, nothing is counted twice."""

import pytest

from orelib.config import METHODS, PUBLISHED
from orelib.networks import count_multiply_adds, count_parameters
from orelib.views.networks.anatomy import paper_networks
from orelib.views.networks.costs import costs, costs_figure, costs_table


@pytest.fixture(scope="module")
def networks():
    return paper_networks()


@pytest.mark.parametrize("title", [METHODS[method].short for method in PUBLISHED])
def test_sums_are_those_of_table_3(networks, title):
    network, table = networks[title], costs(networks[title], 512)
    assert table["parameters"].sum() == count_parameters(network)
    assert table["multiply_adds"].sum() == count_multiply_adds(network, network.stride, 512)


def test_sides_are_powers_of_two_and_the_border_of_a_patchgan_makes_no_new_ones(networks):
    assert list(costs(networks["PatchGAN"], 512).index) == [256, 128, 64]
    assert list(costs(networks["Pix2Pix"], 512).index) == [256, 128, 64, 32, 16, 8, 4, 2]


def test_most_weights_of_a_unet_are_in_small_maps_and_most_work_in_large_ones(networks):
    table = costs(networks["Pix2Pix"], 512)
    assert table["parameters"][table.index <= 16].sum() > 0.5 * table["parameters"].sum()
    assert table["multiply_adds"][table.index >= 64].sum() > 0.5 * table["multiply_adds"].sum()


def test_table_and_figure_have_a_row_per_network(networks):
    some = {title: costs(networks[title]) for title in ("Pix2Pix", "Slim")}
    assert list(costs_table(some).index) == list(some)
    assert costs_table(some).loc["Pix2Pix", "weights, million"] == pytest.approx(54.4, abs=0.1)
    figure = costs_figure(some)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == list(some)
    for axis in figure.axes:
        ends = {round(bar.get_x() + bar.get_width(), 6) for bar in axis.patches}
        assert max(ends) == 1
    assert "54.4 million weights" in figure.get_label()
