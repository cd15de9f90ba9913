"""What residual modules add, what a cut takes away, and how gradients travel."""

import numpy as np
import pytest
import torch

from orelib.config import Experiment
from orelib.data.scenes import render_pair
from orelib.methods import Improved
from orelib.metrics import psnr
from orelib.networks import ResidualBlock, UNet
from orelib.restore.restorer import save_generator
from orelib.runs import Folders
from orelib.views.networks import residual


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return UNet(4, 4, residual=True).eval()


@pytest.fixture(scope="module")
def scene():
    return render_pair(0, (32, 32), px_per_mm=1)


def test_x_and_f_of_every_module_are_those_of_eq_4(network, scene):
    found = residual.inside(network, scene.wet)
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    assert len(found) == len(blocks) == 4
    assert list(found) == [
        "at 8 px, on the way down", "at 4 px, on the way down", "at 8 px, on the way up", "at 16 px, on the way up",
    ]  # fmt: skip
    with torch.no_grad():
        for block, (x, f) in zip(blocks, found.values(), strict=True):
            assert np.allclose(block.residual(torch.from_numpy(x)[None])[0], f, atol=1e-5)
    assert not any(module._forward_hooks for module in network.modules())


def test_the_figure_shows_y_as_the_sum_of_x_and_f(noise):
    x, f = noise.normal(size=(2, 5, 8, 8))
    f[3] *= 10  # the channel with the largest change stands first
    figure = residual.inside_figure(x, f, "here", channels=2)
    maps = [axis.images[0].get_array() for axis in figure.axes]
    assert np.array_equal(maps[0], x[3])
    assert np.allclose(maps[4], maps[0] + maps[2])
    assert figure.axes[0].get_title() == "channel 3"


@pytest.mark.parametrize("side", [4, 64, 96, 128])
def test_each_value_of_a_map_covers_whole_pixels(noise, side):
    x, f = noise.normal(size=(2, 4, side, side))
    figure = residual.inside_figure(x, f, "here")
    figure.draw_without_rendering()
    for axis in figure.axes:
        shown, box = axis.images[0].get_array(), axis.get_window_extent()
        assert box.width / shown.shape[1] == pytest.approx(192 // min(side, 96))
        assert box.height / shown.shape[0] == pytest.approx(192 // min(side, 96))
        assert [box.x0, box.y0] == pytest.approx([round(box.x0), round(box.y0)])
    largest = np.argmax(np.square(f).mean(axis=(1, 2)))
    cut = slice(max(0, side // 2 - 48), side // 2 + 48)
    assert np.array_equal(figure.axes[0].images[0].get_array(), x[largest][cut, cut])


@pytest.mark.parametrize("kind", ["skip", "F", "X"])
def test_a_cut_lets_zeros_through_and_ends_with_the_block(network, scene, kind):
    whole = residual.restored_by(network, scene.wet)
    cuts = [c for c in residual.connections(network, 32) if c.kind == kind]
    assert len(cuts) == (3 if kind == "skip" else 4)
    for connection in cuts:
        seen = {}
        handle = None
        with residual.cut(network, connection):
            module = network.get_submodule(connection.module)
            handle = module.register_forward_hook(lambda _, inputs, y, seen=seen: seen.update(x=inputs[0], y=y))
            residual.restored_by(network, scene.wet)
        handle.remove()
        x, y = seen["x"], seen["y"]
        if kind == "skip":
            assert not y[:, : x.shape[1]].any()
            assert y[:, x.shape[1] :].any()
        else:
            with torch.no_grad():
                assert torch.allclose(y, x if kind == "F" else module.residual(x), atol=1e-5)
    assert np.array_equal(residual.restored_by(network, scene.wet), whole)


def test_cutting_nothing_changes_nothing(network, scene):
    figure = residual.cut_figure(network, scene.wet, scene.dry, None)
    wet, whole, without, dry = (axis.images[0].get_array() for axis in figure.axes)
    assert np.array_equal(whole, without)
    assert np.array_equal(wet, scene.wet)
    assert np.array_equal(dry, scene.dry)
    assert figure.get_suptitle() == "cut: nothing"


def test_the_table_measures_modules_by_themselves(noise):
    x, f = noise.normal(size=(2, 4, 16, 16))
    table = residual.correction_table({"alike": (x, 2 * x), "opposite": (x, -3 * x), "other": (x, f)})
    assert list(table["F(X) / X"]) == [2, 3, pytest.approx(1, abs=0.1)]
    assert list(table["cosine of Y and X"]) == [1, -1, pytest.approx(0.71, abs=0.1)]


def test_cuts_are_scored_one_at_a_time(network, scene):
    scores = residual.cut_scores(network, scene.wet, scene.dry)
    assert len(scores) == 3 + 2 * 4
    table = residual.cuts_table(scores)
    assert list(table.index) == ["16 px", "8 px", "4 px"]
    assert list(table) == ["skip connection", "F, down", "F, up", "X, down", "X, up"]
    some = next(connection for connection in scores if (connection.kind, connection.way) == ("X", "up"))
    with residual.cut(network, some):
        expected = psnr(residual.restored_by(network, scene.wet), scene.dry)
    assert scores[some] == expected
    assert table.loc[f"{some.side} px", "X, up"] == round(expected, 1)


def test_without_the_identity_path_the_gradient_of_eq_4_disappears():
    flow = residual.gradient_flow(modules=8, channels=16, side=8)
    assert (flow.iloc[0] == 1).all()
    last = flow.iloc[-1]
    assert last["eq. 4 as printed, without X"] < 1e-4
    assert 0.5 < last["eq. 4 as printed, with X"] < 2
    assert len(residual.gradient_figure(flow).axes[0].lines) == 4


def test_the_trained_generator_is_taken_where_there_is_one(tmp_path):
    folders = Folders("smoke", results_dir=str(tmp_path))
    new, is_trained = residual.improved_generator(folders, 0)
    assert not is_trained
    assert not new.training
    again, _ = residual.improved_generator(folders, 0)
    assert all(torch.equal(a, b) for a, b in zip(new.parameters(), again.parameters(), strict=True))
    experiment = Experiment("smoke", "improved")
    weights = {name: value + 1 for name, value in Improved.build_generator(experiment).state_dict().items()}
    run = folders.run("improved", 0)
    run.mkdir(parents=True)
    save_generator(run / "generator.safetensors", weights, experiment, "0" * 64, step=8)
    trained, is_trained = residual.improved_generator(folders, 0)
    assert is_trained
    assert all(torch.equal(value, weights[name]) for name, value in trained.state_dict().items())
