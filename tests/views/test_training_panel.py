"""The panel of a training: what it shows while it watches, and the page that it leaves."""

import base64
import re
import time

import pytest

from orelib.checkpoint import TrainingStopped
from orelib.training import train
from orelib.views import training_panel as module
from orelib.views.training_panel import TrainingPanel, said_time, training_panel


@pytest.fixture
def clock(monkeypatch):
    """The time that the panel sees, in seconds."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def images(page):
    return re.findall(r'<img src="data:([^;]+);base64,([^"]+)" alt="([^"]+)"', page)


def test_where_nobody_watches_there_is_none():
    assert training_panel() is None


def test_after_a_training_its_page_holds_curves_and_pictures_and_needs_nothing(tmp_path, experiment, pairs, capsys):
    panel = TrainingPanel()
    train(experiment, pairs, tmp_path / "improved-seed0", panel)
    page = panel.page()
    assert panel.said["state"] == "finished"
    assert "improved seed 0" in page
    assert re.search(r"step 8 of 8\. .*is finished: the generator of step \d is kept", page)
    kinds = [kind for kind, _, _ in images(page)]
    assert kinds == ["image/svg+xml"] * 4 + ["image/webp"] * 3
    assert all(alt for _, _, alt in images(page))
    curves = [base64.b64decode(data).decode() for kind, data, _ in images(page) if kind == "image/svg+xml"]
    assert [re.search(r'font-weight="600">(.*?):', svg)[1] for svg in curves] == list(module.NAMES.values())
    assert not re.search(r"<script|https?://(?!www\.w3\.org/2000/svg)", page)
    assert 'class="orelib-page"' in page[:100]
    assert "improved seed 0: " not in capsys.readouterr().out  # no lines beside the panel


def test_a_method_without_a_discriminator_has_no_curve_for_it(tmp_path, experiment, pairs):
    panel = TrainingPanel()
    train(experiment.replace(method="slim"), pairs, tmp_path / "slim-seed0", panel)
    assert "discriminator" not in panel.page()
    assert len(panel.curves) == 3


def test_stopped_it_says_where_it_stands_and_a_new_one_begins_there(tmp_path, experiment, pairs):
    panel = TrainingPanel()
    panel._hear(panel, {"stop": True}, [])  # as the button does
    with pytest.raises(TrainingStopped) as stopped:
        train(experiment, pairs, tmp_path / "run", panel)
    assert panel.said["state"] == "stopped"
    assert panel.said["says"] == str(stopped.value)
    assert "step 1 of 8" in panel.page()
    other = TrainingPanel()
    train(experiment, pairs, tmp_path / "run", other)
    assert len(other._losses["G"].buckets) == 8
    assert [step for step, _ in other._scores["PSNR"]] == [4, 8]


def test_it_shows_itself_twice_a_second_and_in_the_end(clock, monkeypatch, snapshots):
    panel, shown = TrainingPanel(), []
    monkeypatch.setattr(panel, "_show", lambda: (shown.append(clock[0]), setattr(panel, "_shown_at", clock[0])))
    panel.begin("slim seed 0", 0, 1000, {}, snapshots)
    for step in range(1, 1001):
        clock[0] += 0.02
        panel.advance(step, {"G": 1.0}, 20 - step / 50)
    assert 38 <= len(shown) <= 43
    assert shown[-1] == clock[0]


def test_an_update_takes_less_than_a_fiftieth_of_the_time_between_two(noise, snapshots):
    panel, seconds = TrainingPanel(), []
    losses = {name: noise.normal(60, 9, 5000) for name in ("G", "D")}
    panel.begin("improved seed 0", 5000, 10_000, losses, snapshots)
    for step in range(100, 5001, 100):
        panel.score(step, {"PSNR": 20 + step / 1000, "SSIM": 0.7}, snapshots)
    for step in range(5001, 5021):
        began = time.process_time()
        panel._shown_at = 0.0
        panel.advance(step, {"G": 60.0, "D": 1.3}, 100.0)
        seconds.append(time.process_time() - began)
    assert min(seconds) < module.EVERY / 50


def test_the_line_says_how_far_and_how_long(clock, snapshots):
    panel = TrainingPanel()
    panel.begin("slim seed 0", 0, 2000, {}, snapshots)
    clock[0] += 1
    panel.advance(500, {"G": 61.234}, 200)
    assert panel.said["line"] == "step 500 of 2,000, about 3 min left"
    assert "61.2" in panel.curves[0]
    panel.stop.set()
    clock[0] += 1
    panel.advance(501, {"G": 61.0}, 200)
    assert panel.said["state"] == "stopping"


def test_a_finished_run_that_is_only_read_leaves_the_panel_out(tmp_path, experiment, pairs):
    run = train(experiment, pairs, tmp_path / "run")
    panel = TrainingPanel()
    train(experiment, pairs, run, panel)
    assert panel.said == {}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "a few seconds"),
        (12, "about 10 s"),
        (88, "about 90 s"),
        (170, "about 3 min"),
        (3 * 3600 + 1500, "about 3 h 20 min"),
    ],
)
def test_times_are_said_as_roughly_as_they_are_known(seconds, said):
    assert said_time(seconds) == said
