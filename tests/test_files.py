"""Files appear whole or not at all."""

import re

import pytest

from orelib.files import appearing, write_text


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
