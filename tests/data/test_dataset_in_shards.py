"""The embedded data set rendered in shards: the same files as without them, also when processes begin at once."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orelib.config import Experiment
from orelib.data import dataset
from orelib.data.dataset import render_dataset
from orelib.study.__main__ import main
from orelib.utils.command import run_command
from orelib.utils.shards import Shard

PAIRS = {"train": 3, "val": 1, "test": 1}
TINY = {"scene_size": (32, 40)} | {f"{split}_pairs": count for split, count in PAIRS.items()}


@pytest.fixture
def tiny() -> Experiment:
    return Experiment("smoke", **TINY)


def scenes_of(shard):
    """Places of the scenes of a shard among all files: <split>/<layer>/<number>."""
    scenes = [(split, f"{number:04d}") for split, count in PAIRS.items() for number in range(count)]
    return shard.of(scenes)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The data set of ``tiny``, rendered without shards."""
    folder = tmp_path_factory.mktemp("whole")
    render_dataset(folder, Experiment("smoke", **TINY), workers=1)
    return contents(folder)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_shards_make_the_same_data_set(tmp_path, tiny, whole, count):
    made = set()
    for shard in (Shard(number, count) for number in range(count, 0, -1)):
        manifest = render_dataset(tmp_path, tiny, 1, shard)
        assert not manifest.exists()
        now = set(contents(tmp_path)) - {"settings.json"}
        assert {(path.parts[0], path.stem) for path in map(Path, now - made)} == set(scenes_of(shard))
        made = now
    rendered = {name: (tmp_path / name).stat().st_mtime_ns for name in made}
    assert render_dataset(tmp_path, tiny, workers=1).exists()
    assert contents(tmp_path) == whole
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in made} == rendered


def test_a_shard_renders_what_is_damaged_of_its_own_and_leaves_the_rest(tmp_path, tiny, whole):
    render_dataset(tmp_path, tiny, workers=1)
    (ours, *_), (theirs, *_) = (
        [f"{split}/wet/{stem}.png" for split, stem in scenes_of(Shard(number, 2))] for number in (1, 2)
    )
    for name in (ours, theirs, "manifest.json"):
        (tmp_path / name).unlink()
    render_dataset(tmp_path, tiny, 1, Shard(1, 2))
    assert set(whole) - set(contents(tmp_path)) == {theirs, "manifest.json"}
    render_dataset(tmp_path, tiny, workers=1)
    assert contents(tmp_path) == whole


def test_shards_are_rendered_at_once_by_processes_of_the_command(tmp_path, whole):
    changes = " ".join(f"{name}={value}".replace(" ", "") for name, value in TINY.items())

    def start(*arguments):
        command = [sys.executable, "-m", "orelib.study", "scenes", "smoke", "--changes", changes, "--workers", "1"]
        return subprocess.Popen([*command, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, text=True)

    for name in ("notebooks", "orelib"):  # which make it a kit
        (tmp_path / name).mkdir()
    processes = [start("--shard", f"{number}/2") for number in (1, 2)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert [text.splitlines()[-1].partition(", shard ")[2].partition(",")[0] for text in said] == [
        "1/2: 3/3",
        "2/2: 2/2",
    ]
    (folder,) = (tmp_path / "data").iterdir()
    assert not (folder / "manifest.json").exists()
    last = start()
    assert last.communicate()[0] == ""  # there was nothing left to render
    assert last.returncode == 0
    assert contents(folder) == whole


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("scenes", "smoke", "--shard", "3/2"), "shard='3/2' must be K/N"),
        (("scenes", "smoke", "--workers", "0"), "'0' is not a whole number from 1"),
        (("size", "smoke", "--shard", "1/2"), "--shard is for scenes and sizing-scenes"),
        (("sizing-scenes", "smoke", "--changes", "zoom=2"), "--changes is for scenes"),
    ],
)
def test_options_that_a_step_cannot_use_are_refused(monkeypatch, capsys, arguments, says):
    monkeypatch.setattr(sys, "argv", ["orelib.study", *arguments])
    with pytest.raises(SystemExit, match=r"^2$"):
        run_command(main)
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("same", [True, False])
def test_of_two_that_begin_at_once_one_writes_the_settings(tmp_path, tiny, monkeypatch, same):
    """Both have found the folder empty."""
    together, refused, write = threading.Barrier(2, timeout=60), [], dataset.write_json

    def write_json(path, values, only_new=False):
        if path.name == "settings.json":
            together.wait()
        write(path, values, only_new)

    def begin(experiment):
        try:
            dataset._begin(tmp_path, dataset._settings(experiment))
        except FileExistsError as error:
            refused.append((experiment.px_per_mm, str(error)))

    monkeypatch.setattr(dataset, "write_json", write_json)
    scales = (1.0, 1.0) if same else (1.0, 2.0)
    threads = [threading.Thread(target=begin, args=[tiny.replace(px_per_mm=scale)]) for scale in scales]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(contents(tmp_path)) == ["settings.json"]
    written = json.loads((tmp_path / "settings.json").read_text())["px_per_mm"]
    assert [scale for scale, _ in refused] == [scale for scale in scales if scale != written]
    assert all("other settings" in message for _, message in refused)


def test_another_one_that_renders_its_first_scene_meanwhile_is_no_error(tmp_path, tiny, monkeypatch, whole):
    """It begins after the first look at the empty folder, whatever that looks for."""
    before = {name: getattr(Path, name) for name in ("exists", "glob")}

    def looking(name):
        def look(path, *arguments, **options):
            found = before[name](path, *arguments, **options)
            found = found if name == "exists" else list(found)
            if path in (tmp_path, tmp_path / "settings.json") and not looked:
                looked.append(path)
                render_dataset(tmp_path, tiny, 1, Shard(1, 5))
            return found

        return look

    looked = []
    for name in before:
        monkeypatch.setattr(Path, name, looking(name))
    render_dataset(tmp_path, tiny, 1, Shard(2, 5))
    assert looked
    monkeypatch.undo()
    render_dataset(tmp_path, tiny, workers=1)
    assert contents(tmp_path) == whole


def test_rendering_does_not_load_torch():
    code = "import sys, orelib.data.dataset, orelib.sizing.scenes, orelib.study.__main__; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux alone holds a process to some cores")
def test_it_renders_on_the_cores_that_it_may_use(tmp_path, tiny, monkeypatch):
    asked, allowed = [], os.sched_getaffinity(0)

    class Pool(dataset.ProcessPoolExecutor):
        def __init__(self, workers):
            asked.append(workers)
            super().__init__(workers)

    monkeypatch.setattr(dataset, "ProcessPoolExecutor", Pool)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        render_dataset(tmp_path, tiny)
    finally:
        os.sched_setaffinity(0, allowed)
    assert asked == [1]
