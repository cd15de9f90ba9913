"""Files that arrive in pieces appear whole, replace nothing, and lie in the folder or nowhere."""

import io
import zipfile

import pytest

from orelib.utils.archives import members, write_zip
from orelib.utils.inbox import Inbox

SUFFIXES = (".png", ".jpg")


def inbox(folder, **how):
    made = Inbox(folder / "in", SUFFIXES, **how)
    made.batch()
    return made


def give(box, *files):
    """Gives (name, bytes) as one selection, three bytes at a time."""
    box.batch()
    for number, (name, content) in enumerate(files):
        pieces = [content[at : at + 3] for at in range(0, len(content), 3)] or [b""]
        for place, piece in enumerate(pieces, 1):
            box.add(number, name, piece, place == len(pieces))


def lying(folder):
    root = folder / "in"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return buffer.getvalue()


def test_pieces_become_files_in_order(tmp_path):
    give(inbox(tmp_path, flat=True), ("a.png", b"0123456789"), ("b.JPG", b"xyz"))
    assert lying(tmp_path) == {"a.png": b"0123456789", "b.JPG": b"xyz"}


def test_an_unfinished_file_is_not_there(tmp_path):
    box = inbox(tmp_path, flat=True)
    box.add(0, "a.png", b"012", False)
    assert not (tmp_path / "in").exists()


def test_each_selection_of_single_files_has_a_folder_and_folders_keep_theirs(tmp_path):
    box = inbox(tmp_path)
    give(box, ("a.png", b"1"), ("b.png", b"2"))
    give(box, ("a.png", b"3"), ("wet/a.png", b"4"))
    give(inbox(tmp_path), ("wet/a.png", b"5"))  # after a restart
    assert lying(tmp_path) == {
        "1/a.png": b"1",
        "1/b.png": b"2",
        "2/a.png": b"3",
        "wet/a.png": b"4",
        "3/wet/a.png": b"5",
    }


def test_the_same_bytes_are_kept_once(tmp_path):
    box = inbox(tmp_path)
    give(box, ("a.png", b"1"))
    give(box, ("b.png", b"1"))
    assert lying(tmp_path) == {"1/a.png": b"1"}
    assert box.remarks == ["b.png is there already, as 1/a.png"]


def test_nothing_is_replaced(tmp_path):
    box = inbox(tmp_path, flat=True)
    give(box, ("a.png", b"1"))
    give(box, ("x/a.png", b"2"))
    assert lying(tmp_path) == {"a.png": b"1"}
    assert "rename it" in box.remarks[0]


def test_what_is_no_photograph_is_named_and_what_systems_leave_is_not(tmp_path):
    box = inbox(tmp_path)
    give(box, ("notes.txt", b"1"), (".DS_Store", b"2"), ("__MACOSX/a.png", b"3"), ("wet/Thumbs.db", b"4"))
    assert not (tmp_path / "in").exists()
    assert box.remarks == ["notes.txt is no photograph that this kit reads, and was left out"]


@pytest.mark.parametrize(
    "name", ["../a.png", "/a.png", "../../a.png", "x/../../../a.png", "C:\\x\\a.png", "..\\a.png", "\x00\x1ba.png"]
)
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    give(inbox(tmp_path), (name, b"1"))
    assert len(lying(tmp_path)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_long_names_are_cut_and_stay_photographs(tmp_path):
    give(inbox(tmp_path, flat=True), ("ä" * 300 + ".png", b"1"))
    [name] = lying(tmp_path)
    assert name.endswith("ä.png")
    assert len(name.encode()) <= 200


def test_a_zip_is_unpacked_like_a_folder(tmp_path):
    box = inbox(tmp_path)
    give(box, ("all.zip", zipped(wet__a_dot_png=b"1", dry__a_dot_png=b"2", notes_dot_txt=b"3")))
    assert lying(tmp_path) == {"wet/a.png": b"1", "dry/a.png": b"2"}
    assert box.remarks == ["notes.txt is no photograph that this kit reads, and was left out"]


def test_a_damaged_zip_is_named_and_other_files_are_taken(tmp_path):
    box = inbox(tmp_path)
    whole = zipped(a_dot_png=bytes(1000))
    give(box, ("no.zip", b"rubbish"), ("cut.zip", whole[:-30]), ("b.png", b"2"))
    assert lying(tmp_path) == {"1/b.png": b"2"}
    assert [remark.split(" ")[0] for remark in box.remarks] == ["no.zip", "cut.zip"]
    assert all("make it again" in remark for remark in box.remarks)


def test_a_zip_is_written_whole(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(name.encode())
    path = write_zip(tmp_path / "all.zip", [tmp_path / "a.png", tmp_path / "b.png"])
    with open(path, "rb") as file:
        assert [(name, size, stream.read()) for name, size, stream in members(file)] == [
            ("a.png", 5, b"a.png"),
            ("b.png", 5, b"b.png"),
        ]
    with pytest.raises(FileNotFoundError):
        write_zip(tmp_path / "none.zip", [tmp_path / "gone.png"])
    assert not (tmp_path / "none.zip").exists()
