"""Files and folders appear whole or not at all."""

import os
import re
import subprocess
import sys
import threading

import pytest
from conftest import ROOT

from orelib.utils.files import (
    appearing,
    appearing_folder,
    is_in_use,
    one_at_a_time,
    remove_leftovers,
    write_text,
    writing,
)

LONG = ["é" * 125 + ".jpg", "e\u0301" * 83 + ".tif", "石" * 83 + ".webp", "x" * 251 + ".png", "b" * 255]


def kill_while_writing(code):
    """Runs a process that is gone, without a chance to tidy up, where ``code`` says die()."""
    code = f"import os; from pathlib import Path; from orelib.utils.files import *; die = lambda: os._exit(9)\n{code}"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 9


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "deep" / "history.csv"
    write_text(path, "old")

    def fail():
        with appearing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [file.name for file in path.parent.iterdir()] == ["history.csv"]
    assert path.read_text() == "old"


def test_writers_of_one_file_do_not_share_their_temporary_file(tmp_path):
    path = tmp_path / "checkpoint.pt"
    with appearing(path) as one, appearing(path) as two:
        assert one != two
        for temporary in (one, two):
            assert re.fullmatch(r"\.checkpoint\.\d+\.pt", temporary.name)
            temporary.write_text(temporary.name)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert path.read_text() == one.name  # the one that ended last


# ---- only what is new --------------------------------------------------------------------------------------------


def refuse_links(*_, **__):
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_what_is_put_there_meanwhile_stays(tmp_path, monkeypatch, links):
    if not links:  # as on FAT
        monkeypatch.setattr(os, "link", refuse_links)
    path = tmp_path / "belt.png"

    def write():
        with appearing(path, only_new=True) as temporary:
            temporary.write_text("ours")
            path.write_text("theirs")

    with pytest.raises(FileExistsError):
        write()
    assert (path.read_text(), names(tmp_path)) == ("theirs", ["belt.png"])
    path.unlink()
    with appearing(path, only_new=True) as temporary:
        temporary.write_text("ours")
    assert (path.read_text(), names(tmp_path)) == ("ours", ["belt.png"])


@pytest.mark.parametrize("there", ["file", "folder", "link that leads nowhere"])
def test_of_two_writers_of_a_new_file_the_first_wins(tmp_path, there):
    path = tmp_path / "belt.png"
    if there == "folder":
        path.mkdir()
    elif there == "file":
        path.write_text("")
    else:
        path.symlink_to("nowhere")
    before = os.lstat(path)
    with pytest.raises(FileExistsError), appearing(path, only_new=True) as temporary:
        temporary.write_text("ours")
    assert os.lstat(path).st_ino == before.st_ino
    assert names(tmp_path) == ["belt.png"]


def test_a_write_that_fails_without_links_leaves_no_empty_file(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "link", refuse_links)
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="Input/output"), appearing(tmp_path / "belt.png", only_new=True) as temporary:
        temporary.write_text("ours")
    assert names(tmp_path) == []


# ---- names and leftovers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LONG, ids=ascii)
def test_a_temporary_name_is_no_longer_than_that_of_its_file(tmp_path, name):
    for only_new in (False, True):
        with appearing(tmp_path / name, only_new) as temporary:
            assert len(os.fsencode(temporary.name)) <= len(os.fsencode(name)) <= 255
            assert temporary.suffix == (tmp_path / name).suffix or "." not in name
            temporary.write_text("whole")
        assert names(tmp_path) == [name]
        (tmp_path / name).unlink()


@pytest.mark.parametrize("name", ["belt.png", "two\nlines.png", "no utf8 \udcff.jpg", *LONG], ids=ascii)
def test_what_a_killed_process_left_is_removed(tmp_path, name):
    kill_while_writing(f"with appearing(Path({str(tmp_path)!r}) / {name!r}) as it: it.write_text('half'); die()")
    assert len(names(tmp_path)) == 1
    remove_leftovers(tmp_path, ["other.png"])
    assert len(names(tmp_path)) == 1
    remove_leftovers(tmp_path, [name])
    assert names(tmp_path) == []


def test_what_a_living_process_is_writing_is_no_leftover(tmp_path):
    path = tmp_path / "belt.png"
    with appearing(path) as temporary:
        temporary.write_text("whole")
        remove_leftovers(tmp_path, [path.name])
        assert temporary.exists()
    assert path.read_text() == "whole"


def test_where_there_are_no_locks_nothing_is_taken_for_a_leftover(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("orelib.utils.files.fcntl.flock", no_locks)
    with appearing(tmp_path / "belt.png") as temporary:
        temporary.write_text("whole")
        remove_leftovers(tmp_path, ["belt.png"])
    assert (tmp_path / "belt.png").read_text() == "whole"


# ---- folders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
def test_a_folder_appears_when_all_of_it_is_there(tmp_path, there):
    path = tmp_path / "deep" / "aligned"
    if there:
        path.mkdir(parents=True)
    with appearing_folder(path) as unfinished:
        (unfinished / "train").mkdir()
        assert not path.exists() or names(path) == []
    assert names(path) == ["train"]
    assert names(path.parent) == ["aligned"]


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    def fail():
        with appearing_folder(tmp_path / "aligned") as unfinished:
            (unfinished / "train").mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert names(tmp_path) == []


def test_a_folder_that_holds_something_is_not_replaced(tmp_path):
    (tmp_path / "aligned").mkdir()

    def fill():
        with appearing_folder(tmp_path / "aligned") as unfinished:
            (unfinished / "train").mkdir()
            (tmp_path / "aligned" / "theirs").write_text("theirs")

    with pytest.raises(OSError, match="not empty"):
        fill()
    assert names(tmp_path / "aligned") == ["theirs"]
    with pytest.raises(FileExistsError, match="aligned is not empty: name a new folder"):
        appearing_folder(tmp_path / "aligned").__enter__()
    assert names(tmp_path) == ["aligned"]


def test_an_unfinished_folder_is_removed_by_the_next_unless_it_lives(tmp_path):
    path = tmp_path / "aligned"
    kill_while_writing(f"with appearing_folder({str(path)!r}) as it: (it / 'train').mkdir(); die()")
    (tmp_path / ".aligned.2024").mkdir()  # somebody's own
    assert len(names(tmp_path)) == 2
    with appearing_folder(path) as living:
        assert sorted(names(tmp_path)) == sorted([".aligned.2024", living.name])
        with appearing_folder(path) as faster:
            assert living.exists()
            (faster / "test").mkdir()
        path.rename(tmp_path / "elsewhere")
    assert names(tmp_path) == [".aligned.2024", "aligned", "elsewhere"]


def test_one_process_at_a_time_works_in_a_folder(tmp_path, capsys):
    order = []

    def work():
        with one_at_a_time(tmp_path / "run"):
            order.append("second")

    with one_at_a_time(tmp_path / "run"):
        other = threading.Thread(target=work)
        other.start()
        other.join(0.2)  # it can but wait
        (tmp_path / "run" / "file").touch()
        order.append("first")
    other.join()
    assert order == ["first", "second"]
    assert "in use by another process" in capsys.readouterr().out


def test_a_folder_is_in_use_while_somebody_works_in_it(tmp_path):
    folder = tmp_path / "run"
    assert not is_in_use(folder)
    with one_at_a_time(folder):
        assert is_in_use(folder)
        (folder / "file").touch()
    assert not is_in_use(folder)


def test_a_folder_in_which_nothing_was_made_goes_again(tmp_path):
    with one_at_a_time(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()
    assert not (tmp_path / "run").exists()


def test_a_file_or_folder_in_the_way_is_named_before_anything_is_written(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for wanted in (tmp_path / "file" / "table.csv", tmp_path / "file" / "deeper" / "table.csv"):
        with pytest.raises(NotADirectoryError, match="file is a file where a folder belongs: move it"):
            write_text(wanted, "a")
    with pytest.raises(NotADirectoryError, match="file is a file"), one_at_a_time(tmp_path / "file"):
        pass
    with pytest.raises(NotADirectoryError, match="file is a file"), appearing_folder(tmp_path / "file" / "out"):
        pass
    with pytest.raises(FileExistsError, match="file is a file: name a new folder"), appearing_folder(tmp_path / "file"):
        pass
    with pytest.raises(IsADirectoryError, match="folder is a folder where a file belongs: move it away"):
        write_text(tmp_path / "folder", "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_an_error_of_the_system_gets_the_name_and_a_cure_and_keeps_its_class(tmp_path):
    told = r"out cannot be written \(Permission denied\): choose .*\. All is kept\."
    with pytest.raises(PermissionError, match=told), writing(tmp_path / "out", "All is kept."):
        raise PermissionError(13, "Permission denied", "some/part.tmp")
    with pytest.raises(OSError, match="it says what to do") as error, writing(tmp_path, "All is kept."):
        raise OSError("it says what to do")
    assert str(error.value) == "it says what to do"
