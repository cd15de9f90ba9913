"""Every file that the kit writes and reads, damaged in every way: the same result again, or one error that names it."""

import random
import re
import shutil
from pathlib import Path

import pytest

from orelib import evaluation
from orelib.checkpoint import TrainingStopped
from orelib.config import Experiment
from orelib.data.dataset import read_particles, read_scenes, render_dataset
from orelib.data.pairs import load_pairs
from orelib.evaluation import evaluate
from orelib.restore.restorer import load_restorer
from orelib.restore.snapshots import read_snapshots
from orelib.runs import Folders
from orelib.sizing import scores as scores_of_sizes
from orelib.sizing.scenes import render_sizing
from orelib.sizing.scores import evaluate_sizing, size_without_runs
from orelib.study.effects import scores
from orelib.study.table3 import build_table3
from orelib.training import read_log, train
from orelib.utils.provenance import demand_whole
from orelib.utils.tables import read_table, write_csv
from orelib.utils.watching import Lines

FOLDERS = Folders("smoke")
METHODS = ("slim", "improved")
STOPPED = "improved+steps=6-seed0"  # at step 5
LOGS = ("history.csv", "validation.csv")


def result() -> dict:
    """What readers get to see, by the steps of the notebooks, each of which does what is missing and no more."""
    experiment = Experiment("smoke")
    render_dataset(FOLDERS.data, experiment, workers=1)
    render_sizing(FOLDERS)
    pairs = load_pairs(FOLDERS)
    for method in METHODS:
        evaluate(train(Experiment("smoke", method), pairs, FOLDERS.run(method, 0)), pairs)
    run, stopped = FOLDERS.run("improved", 0), FOLDERS.results / STOPPED
    train(experiment.replace(steps=6), pairs, stopped)
    evaluate_sizing(run, FOLDERS.data / "sizing")
    tables = {f"{path.name} {name}": read_log(path, name) for path in (run, stopped) for name in LOGS} | {
        "table 3": build_table3(FOLDERS, methods=METHODS).drop(columns=["seconds_per_image", "training_seconds"]),
        "scenes": read_scenes(FOLDERS.data),
        "particles": read_particles(FOLDERS.data),
        "sizes found": scores(FOLDERS.results, "improved", "p80", "sizing.csv"),
        "sizes found in wet images": scores(FOLDERS.results, "do_nothing", "p80", "sizing.csv"),
    }
    pictures = {f"pictures of {path.name}": str(read_snapshots(path)) for path in (run, stopped)}
    wet, _ = pairs.test[0].load()
    restorers = (load_restorer(path / "generator.safetensors") for path in (run, stopped))
    return (
        {name: table.to_csv() for name, table in tables.items()}
        | pictures
        | {f"restored {number}": restorer.restore(wet).tobytes() for number, restorer in enumerate(restorers)}
    )


class StopAtStep5(Lines):
    """Asks a training to stop."""

    def advance(self, step, values, seconds_left):
        if step == 5:
            self.stop.set()


@pytest.fixture(scope="module")
def kit(kit_folder):
    """A kit after a smoke run, with a training that was stopped on its way, and the result that it leads to."""
    size_without_runs(FOLDERS)
    pairs = load_pairs(FOLDERS)
    with pytest.raises(TrainingStopped):
        train(Experiment("smoke", steps=6), pairs, FOLDERS.results / STOPPED, StopAtStep5())
    before = shutil.copytree(FOLDERS.results / STOPPED, kit_folder / "stopped")
    wanted = result()
    shutil.rmtree(FOLDERS.results / STOPPED)
    before.rename(FOLDERS.results / STOPPED)
    return kit_folder, wanted


DATA, RUN, CUT = "data/smoke", "results/smoke/improved-seed0", f"results/smoke/{STOPPED}"
FILES = [
    *(f"{DATA}/{name}" for name in ("settings.json", "manifest.json", "sizing/manifest.json", "sizing/settings.json")),
    *(f"{DATA}/train/{layer}/0001.png" for layer in ("wet", "dry", "labels", "glare")),
    *(f"{DATA}/train/{name}" for name in ("particles/0001.csv", "truth/0001.json")),
    *(f"{DATA}/sizing/test/{name}/0001.png" for name in ("wet", "labels")),
    *(f"{RUN}/{name}" for name in ("config.json", "provenance.json", *LOGS, "snapshots.json", "generator.safetensors")),
    *(f"{RUN}/{name}" for name in ("metrics.csv", "baselines.csv", "sizing.csv", "sizes.csv")),
    *(f"{CUT}/{name}" for name in ("config.json", "provenance.json", *LOGS, "snapshots.json", "checkpoint.pt")),
    f"{CUT}/stopped.safetensors",
    *(f"results/smoke/{name}" for name in ("sizing.csv", "provenance.json", "sizes.csv", "scenes.csv")),
    "results/smoke/pixels/*.rgb",
]


def deleted(content):
    return None


def emptied(content):
    return b""


def cut(content):
    return content[: len(content) * 2 // 3]


def one_bit_flipped(content):
    at = random.Random(len(content)).randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :]


@pytest.fixture
def copied(kit, tmp_path, monkeypatch):
    """A copy of the kit that a test may damage, in which it works; and the result that the whole one leads to."""
    made, wanted = kit
    root = shutil.copytree(made, tmp_path / "kit")
    monkeypatch.chdir(root)
    return root, wanted


@pytest.mark.parametrize("damage", [deleted, emptied, cut, one_bit_flipped])
@pytest.mark.parametrize("name", FILES)
def test_damage_is_mended_or_named(copied, name, damage):
    root, wanted = copied
    path = sorted(root.glob(name))[0]
    content = damage(path.read_bytes())
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    try:
        found, error = result(), ""
    except (ValueError, OSError) as raised:
        found, error = None, str(raised)
    assert found == wanted or path.name in error
    assert found == wanted or any(cure in error.lower() for cure in ("delete", "put back", "run ", "again")), error


@pytest.mark.parametrize("name", ["metrics.csv", "baselines.csv", "sizing.csv", "sizes.csv"])
def test_scores_that_another_version_makes_again_are_whole(copied, name, monkeypatch):
    """The cure that errors name is to delete a file and to run again; the kit may have changed in between."""
    for module in (evaluation, scores_of_sizes):
        monkeypatch.setattr(module, "write_csv", lambda path, table: write_csv(path, table.assign(new=1.0)))
    for path in Path("results/smoke").glob(f"*/{name}"):  # baselines are taken from any run that has them
        path.unlink()
    result()
    assert "new" in read_table(demand_whole(Path(RUN) / name))


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file_is_mended_or_named(copied, name):
    root, wanted = copied
    path = sorted(root.glob(name))[0]
    path.unlink()
    path.mkdir()
    try:
        found, error = result(), ""
    except (ValueError, OSError) as raised:
        found, error = None, str(raised)
    assert found == wanted or re.search(rf"{path.name} is (a folder.*|damaged): (move|put back|name)", error), error


@pytest.mark.parametrize("name", [f"{DATA}/train", f"{DATA}/train/wet", f"{DATA}/sizing", RUN, "results/smoke"])
def test_a_file_in_the_place_of_a_folder_is_named(copied, name):
    root, _ = copied
    shutil.rmtree(root / name)
    (root / name).touch()
    with pytest.raises((ValueError, OSError), match=f"{name} is a file where a folder belongs: "):
        result()


def test_every_kind_of_file_is_tried(kit):
    root, _ = kit
    written = {re.sub(r"\w{64}|\d{4}", "*", path.name) for path in root.rglob("*.*") if path.is_file()}
    assert written <= {re.sub(r"\d{4}", "*", Path(name).name) for name in FILES}
