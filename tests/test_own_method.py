"""A method that a reader defines in a cell of a notebook, and a changed run: trained, and shown beside the others."""

import json
import re

import pytest
from torch import nn

from orelib.config import METHODS, PUBLISHED, Experiment, entry_of
from orelib.evaluation import evaluate
from orelib.methods import CLASSES, Improved, Slim, register
from orelib.nafnet import ChannelNorm
from orelib.networks import UNet
from orelib.runs import Folders, find_runs, runs_of
from orelib.study.table3 import build_table3, readable, remarks
from orelib.training import read_log, train
from orelib.utils.allowed import SettingsError
from orelib.utils.provenance import write_provenance
from orelib.views.figures import loss_curves_figure, validation_figure
from orelib.views.gallery import Gallery
from orelib.views.report import write_report

CHANGED = "improved+lambda_ssim=0"


@pytest.fixture(autouse=True)
def _forget_methods():
    """Leaves the methods of the kit as they are."""
    yield
    for name in METHODS.keys() - {*PUBLISHED}:
        del METHODS[name], CLASSES[name]


def define_in_a_cell():
    @register("plain", title="Improved, channel norm", learning_rate=0.001)
    class Plain(Improved):
        """Improved without its residual modules, and with NAFNet's norm over the channels of each pixel."""

        @staticmethod
        def build_generator(experiment: Experiment) -> nn.Module:
            return UNet(experiment.base_width, experiment.unet_depth, norm=ChannelNorm)


@pytest.fixture(scope="module")
def trained(pairs, pair_folder, tmp_path_factory):
    """Runs of the published methods, of one of the reader's own, and of a changed one."""
    folders = Folders("smoke", str(pair_folder), str(tmp_path_factory.mktemp("results")))
    define_in_a_cell()
    for method in (*PUBLISHED, "plain"):
        evaluate(train(Experiment("smoke", method), pairs, folders.run(method, 0)), pairs)
    changed = Experiment("smoke", "improved", lambda_ssim=0)
    evaluate(train(changed, pairs, folders.results / f"{CHANGED}-seed0"), pairs)
    return folders


def test_it_stands_in_every_table_figure_slider_and_report(trained, pairs):
    define_in_a_cell()
    rows = readable(build_table3(trained)).set_index("method")
    assert {"Improved, channel norm", "Improved (the paper's), lambda_ssim=0"} <= set(rows.index)
    assert re.fullmatch(r"\d+\.\d\d \[.*\]", rows.loc["Improved, channel norm", "measured PSNR, dB"])

    runs = runs_of(trained, 0, "history.csv")
    assert list(runs) == [*PUBLISHED, CHANGED, "plain"]
    curves = loss_curves_figure({name: read_log(run, "history.csv") for name, run in runs.items()}, "generator", "G")
    assert {"Improved, channel norm", "Improved, lambda_ssim=0"} < {axis.get_title() for axis in curves.axes}
    validation = validation_figure({name: read_log(run, "validation.csv") for name, run in runs.items()})
    assert "Improved, channel norm" in [text.get_text() for text in validation.axes[1].get_legend().get_texts()]

    gallery = Gallery(trained, pairs)
    assert {"plain-seed0", f"{CHANGED}-seed0"} < set(gallery.of_seed(0))
    titles = [layer["title"] for layer in gallery.compare(["belt_6"], ["plain-seed0"]).photographs[0]["layers"]]
    assert "Improved, channel norm" in titles

    report = write_report(trained, pairs).read_text(encoding="utf-8")
    assert report.count("Improved, channel norm") > 5
    assert "Improved, lambda_ssim=0" in report


def test_a_process_that_does_not_know_it_shows_its_scores(trained, pairs, capsys):
    assert "plain" in set(build_table3(trained)["method"])
    assert entry_of("plain").colour not in {METHODS[name].colour for name in PUBLISHED}
    assert "plain-seed0" not in Gallery(trained, pairs).models
    assert "plain-seed0 is left out" in capsys.readouterr().out


def test_another_run_that_is_not_finished_or_saw_other_images_is_named(trained, pairs, tmp_path, pair_folder):
    folders = Folders("smoke", str(pair_folder), str(tmp_path))
    for method, lambda_l1 in (("slim", 100), ("slim", 50), ("slim", 40)):
        name = method + (f"+lambda_l1={lambda_l1}" if lambda_l1 != 100 else "")
        run = train(Experiment("smoke", method, lambda_l1=lambda_l1), pairs, folders.results / f"{name}-seed0")
        evaluate(run, pairs)
    write_provenance(folders.results / "slim+lambda_l1=50-seed0", data_checksum="of others")
    (folders.results / "slim+lambda_l1=40-seed0" / "baselines.csv").unlink()
    table = build_table3(folders, methods=["slim"])
    assert "slim+lambda_l1=50" not in set(table["method"])
    assert "Left out because trained on other images: Slim, lambda_l1=50." in remarks(table)
    assert "Left out because not scored yet: Slim, lambda_l1=40." in remarks(table)
    assert len(find_runs(folders.results, "metrics.csv", seed=0)) == 3


def test_it_is_trained_as_the_class_that_it_extends():
    register("narrow")(type("Narrow", (Slim,), {}))
    register("narrower", batch_size=2)(type("Narrower", (CLASSES["narrow"],), {}))
    slim, narrow, narrower = (Experiment("quick", name) for name in ("slim", "narrow", "narrower"))
    assert (narrow.learning_rate, narrow.batch_size, narrow.steps) == (slim.learning_rate, slim.batch_size, slim.steps)
    assert (narrower.learning_rate, narrower.batch_size) == (slim.learning_rate, 2)
    assert json.loads(narrow.to_json())["method"] == "narrow"


def test_a_cell_may_be_run_again():
    for width in (4, 8):
        register("again", title=f"width {width}", slim_width=width)(type("Again", (Slim,), {}))
    assert Experiment("quick", "again").slim_width == 8
    assert entry_of("again").title == "width 8"


@pytest.mark.parametrize("name", ["improved", "telea", "dry", "a+b", "a-seed1", "", "../x", "Übung", "my method"])
def test_a_name_that_no_run_can_bear_is_refused(name):
    with pytest.raises(SettingsError, match="name="):
        register(name)


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"width": 3}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(SettingsError, match=next(iter(settings))):
        register("broken", **settings)(type("Broken", (Improved,), {}))
    assert "broken" not in METHODS
