"""Files appear whole or not at all."""

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
