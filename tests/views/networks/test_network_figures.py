"""Fig. 1 to 4: every number in them is the module's own, and no text is too small."""

import re

import numpy as np
import pytest
import torch

from orelib.networks import PatchGAN, ResidualBlock, UNet
from orelib.views.networks import figures
from orelib.views.networks.anatomy import shapes


def words(figure):
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def test_fig_2_has_the_channels_and_sides_of_the_paper():
    with torch.device("meta"):
        said = words(figures.unet_figure(UNet(64, 8), 512))
    assert [text for text in said if text.endswith(" px")] == [f"{512 >> k} px" for k in range(9)]
    assert [text for text in said if re.fullmatch(r"\d+", text)] == ["64", "128", "256", *["512"] * 5]
    joined = ["64 + 64", "128 + 128", "256 + 256", *["512 + 512"] * 4]
    assert [text for text in said if re.fullmatch(r"\d+ \+ \d+", text)] == joined
    assert "R" not in said


@pytest.mark.parametrize(("width", "depth", "size"), [(24, 7, 128), (5, 3, 40)])
def test_another_network_is_another_figure(width, depth, size):
    network = UNet(width, depth)
    said = words(figures.unet_figure(network, size))
    seen = shapes(network, size)
    name = "inner"
    for _ in range(depth - 1):  # every level's input and output, from the module's own hooks
        (channels, side, _), (joined, _, _) = seen[name]
        assert f"{side} px" in said
        assert f"{channels} + {joined - channels}" in said
        name += ".inner"


def test_fig_3_marks_every_residual_module():
    network = UNet(8, 5, residual=True)
    figure = figures.unet_figure(network, 64)
    modules = sum(isinstance(module, ResidualBlock) for module in network.modules())
    assert words(figure).count("R") - 1 == modules == 6  # and once in the legend
    assert f"residual module (eq. 4), {modules} in all" in words(figure)
    assert f"{modules} residual modules are marked" in figure.get_label()


def test_the_residual_module_is_drawn_with_its_layers_in_order():
    said = words(figures.residual_module_figure(ResidualBlock(12), 32))
    order = ["$W_1$\nconvolution 3 x 3", "instance norm\n(not in eq. 4)", "$\\sigma$\nReLU", "$W_2$\nconvolution 3 x 3"]
    places = [said.index(text) for text in order]
    assert places == sorted(places)
    assert said.count("12 channels\n32 x 32 px") == 2


def test_fig_4_shows_the_grid_and_the_patch_of_a_logit():
    image = np.zeros((512, 512, 3), np.uint8)
    with torch.device("meta"):
        figure = figures.patchgan_figure(image, image, PatchGAN(6, 64))
    said = words(figure)
    assert "62 x 62 logits, 1 channel" in said
    assert [text for text in said if re.fullmatch(r"\d+", text)] == [
        *("6", "1"), *("64", "4"), *("128", "10"), *("256", "22"), *("512", "46"),
    ]  # fmt: skip
    assert any("70 x 70 px" in text for text in said)


def test_fig_1_names_shapes_and_losses():
    image = np.zeros((16, 16, 3), np.uint8)
    images = dict.fromkeys(("wet", "restored", "dry"), image)
    said = words(figures.pix2pix_figure(images, UNet(4, 5), PatchGAN(6, 4), 128, {"l1": 7.0}))
    assert "3 x 128 x 128" in said
    assert said.count("14 x 14 logits") == 2
    assert any(text.startswith("7 x L1 (eq. 2)") for text in said)


def test_all_text_can_be_read_and_each_figure_says_what_it_shows():
    image = np.zeros((64, 64, 3), np.uint8)
    network, judge = UNet(4, 5, residual=True), PatchGAN(6, 4)
    drawn = [
        figures.pix2pix_figure(dict.fromkeys(("wet", "restored", "dry"), image), network, judge, 64, {"l1": 100}),
        figures.unet_figure(network, 64),
        figures.residual_module_figure(ResidualBlock(4), 16),
        figures.patchgan_figure(image, image, judge, cell=(2, 3)),
    ]
    for figure in drawn:
        assert min(text.get_fontsize() for axis in figure.axes for text in axis.texts) >= 8
        assert len(figure.get_label()) > 80
