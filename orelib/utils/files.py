"""Files and folders that appear whole or not at all.

An unfinished file lies under a hidden name beside its place, locked by the process that writes it. The system removes
the lock when the process ends, however it ends: an unfinished file without a lock is a leftover.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orelib.utils.names import printable
from orelib.utils.paths import shown

NUMBER = 10  # digits at most of the number in a temporary name
SHORT = 40  # bytes that a temporary name may always have; a longer one is at most as long as its file's


@contextmanager
def appearing(path: Path, only_new: bool = False) -> Iterator[Path]:
    """Gives a temporary path to write to and renames it to ``path`` at the end.

    A reader, or a run that was killed at any moment, sees the old file or the new one, never a part. The
    temporary file lies in the same folder, because a rename is atomic only within one file system; it is
    removed when the block raises.

    With ``only_new``, nothing that exists is replaced, not even what another process puts there meanwhile. Raises
    FileExistsError then, and leaves that.

    Raises IsADirectoryError for a folder at ``path``, and NotADirectoryError for a file where its folder belongs.
    """
    path = Path(path)
    make_folder(path.parent)
    if path.is_dir() and not only_new:
        raise IsADirectoryError(f"{shown(path)} is a folder where a file belongs: move it away")
    temporary = _temporary(path)
    try:
        with _locked(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)):
            yield temporary
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())
            if only_new:
                _put_where_nothing_is(temporary, path)
            else:
                os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def appearing_folder(path: Path, replace_earlier: bool = False) -> Iterator[Path]:
    """Gives a temporary folder to fill and renames it to ``path`` at the end; ``path`` is new, or an empty folder.

    With ``replace_earlier``, it may be a folder of files, which is deleted when the new one is complete.

    The temporary folder lies beside it, and is removed when the block raises. One that a killed process left there is
    removed first.

    Raises FileExistsError as :func:`demand_new_folder` does.
    """
    if not (replace_earlier and Path(path).is_dir()):
        demand_new_folder(path)
    path = Path(path).resolve()
    make_folder(path.parent)
    for entry in os.scandir(path.parent):
        if re.fullmatch(rf"{re.escape(_unfinished(path))}\d+", entry.name) and _is_abandoned(entry):
            shutil.rmtree(entry.path)
    temporary = path.with_name(f"{_unfinished(path)}{secrets.randbits(32)}")
    temporary.mkdir()
    try:
        with _locked(os.open(temporary, os.O_RDONLY)):
            yield temporary
            if replace_earlier and path.is_dir():
                earlier = path.with_name(f"{_unfinished(path)}{secrets.randbits(32)}")
                os.rename(path, earlier)
                os.rename(temporary, path)
                shutil.rmtree(earlier)
            else:
                os.rename(temporary, path)  # fails where somebody has put something into the folder meanwhile
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def writing(path: Path, outcome: str) -> Iterator[None]:
    """Makes an error of the system one that names ``path``, says what to do, and ends with ``outcome``.

    It stays an OSError of its class. An error of the kit itself, which says all that, is not changed.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        cure = "choose another folder or make room on its disk"
        raise type(error)(f"{shown(path)} cannot be written ({error.strerror}): {cure}. {outcome}") from error


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Lets one process at a time work in a folder; another one says so and waits.

    The folder is made if it is missing, and removed again if it stays empty.
    """
    folder = Path(folder)
    make_folder(folder)
    file = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{printable(str(folder))} is in use by another process: waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(file)
        with suppress(OSError):  # it is not empty
            folder.rmdir()


def is_in_use(folder: Path) -> bool:
    """Returns whether a process works in a folder under :func:`one_at_a_time`; False where there are no locks."""
    try:
        file = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(file)
    return False


def make_folder(folder: Path) -> None:
    """Makes a folder, and what is missing above it. Raises NotADirectoryError where a file lies in the way."""
    if file := in_the_way(folder):
        raise NotADirectoryError(f"{shown(file)} is a file where a folder belongs: move it, or choose another folder")
    folder.mkdir(parents=True, exist_ok=True)


def demand_room(folder: Path, needed: float, what: str, cure: str) -> None:
    """Raises OSError when the disk of a folder cannot hold ``needed`` bytes: before the first file is written."""
    free = shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free
    if needed > 0.95 * free:
        sizes = f"needs {needed / 1e9:.1f} GB for {what}, and the disk has {free / 1e9:.1f} GB free"
        raise OSError(f"{shown(folder)} {sizes}: make room there, or {cure}")


def in_the_way(folder: Path) -> Path | None:
    """Returns the file that lies where a folder, or one above it, belongs; None if there is no such file."""
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    return None if os.path.isdir(nearest) else nearest


def demand_new_folder(path: Path) -> None:
    """Raises FileExistsError when something lies at ``path``, unless it is an empty folder that can be replaced."""
    path = Path(path)
    if os.path.lexists(path) and (not path.is_dir() or any(path.iterdir())):
        why = "is not empty" if path.is_dir() else "is a file"
        raise FileExistsError(f"{printable(str(path))} {why}: name a new folder")
    if path.is_mount():
        raise FileExistsError(f"{printable(str(path))} is where a disk begins: name a new folder in it")


def remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Removes unfinished files of these names that :func:`appearing` left in a folder when its process was killed.

    Files that a living process is writing stay, and so does everything on a file system without locks.
    """
    ours = {_around_number(name) for name in names}
    with os.scandir(folder) as entries:
        for entry in entries:
            parts = re.fullmatch(r"(\..*\.)\d+(\.[^.]+|)", entry.name, re.DOTALL)
            if parts and parts.groups() in ours and _is_abandoned(entry):
                Path(entry.path).unlink(missing_ok=True)


def write_text(path: Path, text: str, only_new: bool = False) -> None:
    """Writes a text file in one piece, see :func:`appearing`, also for ``only_new``."""
    with appearing(path, only_new) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _temporary(path: Path) -> Path:
    # Random, because two machines that share a folder may have processes with the same number.
    before, suffix = _around_number(path.name)
    return path.with_name(f"{before}{secrets.randbits(32)}{suffix}")


def _around_number(name: str) -> tuple[str, str]:
    """Returns the parts before and behind the number in the temporary name of a file.

    The suffix stays last, because image writers choose their format by it. A long stem is cut: names have at most
    255 bytes, on some file systems fewer.
    """
    suffix = Path(name).suffix
    if len(suffix) > SHORT - NUMBER - 2:
        suffix = ""
    room = max(len(os.fsencode(name)), SHORT) - NUMBER - 2 - len(os.fsencode(suffix))
    return f".{_cut(name.removesuffix(suffix), room)}.", suffix


def _unfinished(path: Path) -> str:
    """The temporary name of a folder up to its number; such folders are deleted, so no other one may be named so."""
    return f".{_cut(path.name, 200)}.unfinished-"


def _cut(name: str, size: int) -> str:
    """Returns the beginning of a name, at most ``size`` bytes of it."""
    while len(os.fsencode(name)) > size:
        name = name[:-1]
    return name


@contextmanager
def _locked(file: int) -> Iterator[None]:
    """Locks an open file, by its number, for as long as the block runs, and closes it."""
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(file)


def _is_abandoned(entry: os.DirEntry) -> bool:
    """Returns whether no process writes an unfinished file or folder any more."""
    try:
        is_folder = entry.is_dir(follow_symlinks=False)
        file = os.open(entry.path, os.O_NOFOLLOW | (os.O_RDONLY if is_folder else os.O_RDWR))
    except OSError:  # gone by now, or somebody else's
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # locked, or a file system without locks
        return False
    finally:
        os.close(file)
    return True


def _put_where_nothing_is(temporary: Path, path: Path) -> None:
    """Gives a finished file its name; FileExistsError when something has it."""
    try:
        os.link(temporary, path)  # fails where the name exists, unlike a rename
    except FileExistsError:
        raise
    except OSError:
        # FAT and some network shares have no hard links. There an empty file of our own takes the name, and the
        # finished one then replaces it; only a kill between these two calls leaves the empty file.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(temporary, path)
        except BaseException:
            path.unlink()
            raise
