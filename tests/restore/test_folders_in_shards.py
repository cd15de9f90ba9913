"""A folder restored in shards: the same copies as without them, also when the shards run at once."""

import json
import subprocess
import sys
from itertools import chain

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from PIL import Image

from orelib.cli import main
from orelib.restore.classical import ClassicalRestorer
from orelib.restore.folders import restore_folder
from orelib.utils.shards import Shard


@pytest.fixture
def wet(tmp_path, noise):
    """Photographs in a folder and below it, among them names that a share takes for the same, and a damaged one."""
    folder = tmp_path / "wet"
    names = [*(f"belt_{k}.png" for k in range(5)), "BELT_3.png", "bélt.png", "be\u0301lt.png", "x.jpg"]
    for name in (*names, "day 1/a.png", "day 1/night/a.png", "DAY 1/a.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(folder / name)
    if len(contents(folder)) < 12:
        pytest.skip("this disk takes such names for the same")
    (folder / "belt_1.png").write_bytes(b"rubbish")
    (folder / "notes.txt").write_text("to do")
    return folder


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def without_times(rows):
    return rows.drop(columns="seconds").sort_values("file", ignore_index=True)


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("replace_copies", [False, True])
@pytest.mark.parametrize("count", [1, 3, 20])
def test_shards_leave_what_one_run_leaves(tmp_path, wet, recursive, replace_copies, count):
    out, restorer = tmp_path / "out", ClassicalRestorer()
    whole = restore_folder(restorer, wet, out, None, replace_copies, recursive)
    copies = contents(out)
    for path in sorted(out.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    tables = [
        restore_folder(restorer, wet, out, None, replace_copies, recursive, Shard(number, count))
        for number in range(count, 0, -1)
    ]
    assert contents(out) == copies
    rows = pd.concat(table for table in tables if len(table))
    pd.testing.assert_frame_equal(without_times(rows), without_times(whole))
    assert len(whole) == (12 if recursive else 9)
    assert set(whole.loc[whole["status"] == "failed", "file"]) > {"belt_1.png", "belt_3.png"}


def test_every_nth_photograph_is_restored(tmp_path, noise, capsys):
    (tmp_path / "wet").mkdir()
    for k in (3, 0, 1, 4, 2):
        Image.fromarray(noise.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(tmp_path / "wet" / f"{k}.png")
    rows = restore_folder(ClassicalRestorer(), tmp_path / "wet", tmp_path / "out", shard=Shard(2, 3))
    assert rows["file"].tolist() == ["1.png", "4.png"]
    assert "shard 2/3: 2 of 5 photographs\n" in capsys.readouterr().out


def test_shards_run_at_once_as_processes(tmp_path, wet):
    restore_folder(ClassicalRestorer(), wet, tmp_path / "whole", recursive=True)
    command = [sys.executable, "-m", "orelib.cli", "restore", wet, tmp_path / "out", "--json"]
    processes = [
        subprocess.Popen(
            [*command, "--recursive", "--shard", f"{number}/3"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in (1, 2, 3)
    ]  # fmt: skip
    said = [process.communicate() for process in processes]
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    rows = [[json.loads(line) for line in out.splitlines()] for out, _ in said]
    assert len({row["file"] for row in chain.from_iterable(rows)}) == sum(map(len, rows)) == 12
    for number, (shard, (_, err)) in enumerate(zip(rows, said, strict=True), start=1):
        failed = sum(row["status"] == "failed" for row in shard)
        assert err.splitlines()[-1].startswith(
            f"shard {number}/3: {len(shard) - failed} restored, {failed} failed; see"
        )
        assert processes[number - 1].returncode == (1 if failed else 0)


def test_what_another_shard_is_writing_stays(tmp_path, wet):
    """Also where its lock is not seen, as on a share without locks between machines."""
    out = tmp_path / "out"
    (out / "day 1").mkdir(parents=True)
    ours, theirs = [".belt_0.4242.png", "day 1/.a.7.png"], [".belt_4.42.png", ".x.9.jpg"]
    for name in (*ours, *theirs):
        (out / name).write_bytes(b"half")
    rows = restore_folder(ClassicalRestorer(), wet, out, recursive=True, shard=Shard(2, 2))
    assert {"belt_0.png", "day 1/a.png"} < set(rows["file"])
    assert not {"belt_4.png", "x.jpg"} & set(rows["file"])
    assert {name for name in contents(out) if "/." in f"/{name}"} == set(theirs)


def test_a_shard_without_photographs_ends_well(tmp_path, wet, capsys):
    assert run(wet, tmp_path / "out", "--shard", "11/11") == 0
    said = capsys.readouterr().out
    assert "shard 11/11: 0 of 9 photographs: nothing to do\n" in said
    assert said.splitlines()[-1].startswith("shard 11/11: 0 restored, 0 failed; see ")
    rows = restore_folder(ClassicalRestorer(), wet, tmp_path / "out", shard=Shard(11, 11))
    assert len(rows) == 0
    assert list(rows.columns) == ["file", "status", "seconds", "width", "height", "remark", "error"]


def run(*arguments):
    return main(["restore", *map(str, arguments), "--model", "classical"])


def test_what_has_no_shards_is_one_line(tmp_path, wet, capsys):
    (tmp_path / "empty").mkdir()
    for arguments, named in [
        ((wet, tmp_path / "out", "--shard", "4/3"), "shard='4/3' must be K/N"),
        ((wet, tmp_path / "out", "--shard", ""), "shard='' must be K/N"),
        ((wet, tmp_path / "out", "--shard", "1/3", "--watch"), "leave --shard out"),
        ((wet / "belt_0.png", tmp_path / "out", "--shard", "1/3"), "is one photograph: leave --shard out"),
        ((tmp_path / "empty", tmp_path / "out", "--shard", "2/3"), "empty holds no photographs"),
    ]:
        assert run(*arguments) == 2
        said = capsys.readouterr().err
        assert said.startswith("orelib: ")
        assert said.count("\n") == 1
        assert named in said
    assert not (tmp_path / "out").exists()
    with pytest.raises(ValueError, match="is one photograph, which has no shards"):
        restore_folder(ClassicalRestorer(), wet / "belt_0.png", tmp_path / "out", shard=Shard(1, 2))


def test_what_was_interrupted_is_resumed(tmp_path, wet, capsys):
    (wet / "belt_1.png").unlink()  # it is damaged
    for name in ("BELT_3.png", "be\u0301lt.png"):
        (wet / name).unlink()
    assert run(wet, tmp_path / "whole") == 0
    out = tmp_path / "out"
    assert run(wet, out, "--shard", "1/2") == 0
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    capsys.readouterr()
    assert run(wet, out, "--resume") == 0
    assert "3 of 6 copies are there already" in capsys.readouterr().out
    assert contents(out) == contents(tmp_path / "whole")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert run(wet, out, "--resume") == 0
    assert "0 restored, 0 failed" in capsys.readouterr().out
    assert run(wet, out, "--resume", "--replace") == 2
    assert "leave one out" in capsys.readouterr().err
