"""A validation image over the steps: the slider, the drop-down, and a sentence where there are no pictures."""

import pytest
from IPython.display import Markdown

from orelib.restore.snapshots import write_snapshots
from orelib.views.explorer import Explorer
from orelib.views.over_steps import over_steps, snapshot_figure


@pytest.fixture
def runs(tmp_path, snapshots):
    """Two runs, one of which has fewer steps."""
    write_snapshots(tmp_path / "slim-seed0", snapshots)
    del snapshots.restored[8]
    write_snapshots(tmp_path / "cyclegan-seed0", snapshots)
    return {"slim": tmp_path / "slim-seed0", "cyclegan": tmp_path / "cyclegan-seed0"}


def test_one_run_has_a_slider_over_exactly_its_steps(runs):
    explorer = over_steps({"slim": runs["slim"]})
    assert isinstance(explorer, Explorer)
    slider = explorer.controls["step"]
    assert (slider["low"], slider["high"], slider["step"], slider["value"]) == (0, 8, 4, 8)
    before = explorer.picture
    explorer.show(step=4)
    assert explorer.problem == ""
    assert explorer.picture != before
    assert "step 4" in explorer.alt
    assert explorer.page().count("<img") == 3


def test_several_runs_are_chosen_and_a_shorter_one_stays_at_its_last_picture(runs):
    explorer = over_steps(runs)
    assert explorer.controls["method"]["options"] == ["Slim", "CycleGAN"]
    explorer.show(method="CycleGAN", step=4)
    last = explorer.picture
    explorer.show(step=8)
    assert explorer.problem == ""
    assert explorer.picture == last
    assert explorer.page().count("<img") == 2


def test_a_run_without_pictures_is_a_sentence(runs, tmp_path, capsys):
    assert isinstance(over_steps(runs | {"nafnet": tmp_path / "nafnet-seed0"}), Explorer)
    assert "nafnet-seed0/snapshots.json is missing" in capsys.readouterr().out
    nothing = over_steps({"nafnet": tmp_path / "nafnet-seed0"})
    assert isinstance(nothing, Markdown)
    assert "snapshots.json is missing" in nothing.data


def test_a_damaged_file_is_a_sentence(runs):
    (runs["slim"] / "snapshots.json").write_text("{")
    assert "snapshots.json is damaged" in over_steps({"slim": runs["slim"]}).data


def test_the_figure_has_words_and_no_small_letters(snapshots):
    figure = snapshot_figure(snapshots, 5, "improved")
    assert "step 4" in figure.get_label()
    assert f"{snapshots.restored[4].psnr:.2f} dB" in figure.get_label()
    figure.canvas.draw()
    texts = [text for text in figure.findobj(lambda artist: hasattr(artist, "get_fontsize")) if text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 8
