"""The origin of a result: code, packages, processor, data and times, as ``provenance.json`` of a run folder.

It also holds the checksums of the finished files beside it, so that a reader of a file sees whether it was changed.
"""

from __future__ import annotations

import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import orelib
from orelib.utils.checksums import DamagedFileError, demand_no_folder, file_checksum, read_json, write_json
from orelib.utils.paths import shown

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-image", "pandas", "pillow")
CPUINFO = Path("/proc/cpuinfo")  # only Linux has it

NAME = "provenance.json"


def read_provenance(run: Path) -> dict:
    """Reads the facts in the ``provenance.json`` of a run or results folder.

    Raises FileNotFoundError when there is none, and DamagedFileError when it was cut or changed.
    """
    return read_json(Path(run) / NAME, "put back a copy of it, or delete the folder and make its contents again")


def begin_provenance(run: Path, **facts) -> None:
    """Writes a new provenance of a folder: these facts and nothing else."""
    write_json(Path(run) / NAME, facts)


def write_provenance(run: Path, *files: str, **facts) -> None:
    """Adds facts to the provenance of a folder, and the checksums of ``files``, names of finished files in it."""
    run = Path(run)
    known = read_provenance(run) if (run / NAME).exists() else {}
    if files:
        facts["files"] = known.get("files", {}) | {name: file_checksum(run / name) for name in files}
    write_json(run / NAME, known | facts)


def is_whole(path: Path) -> bool:
    """Returns whether a file exists and, if the provenance beside it lists it, has the checksum listed there.

    Files of earlier versions, and of runs that are not finished yet, are not listed. Raises DamagedFileError when the
    provenance itself is damaged.
    """
    path = Path(path)
    return path.is_file() and _listed(path) in (None, file_checksum(path))


def demand_whole(path: Path) -> Path:
    """Returns the path. DamagedFileError for a file that exists without the checksum that the provenance lists."""
    path = Path(path)
    cure = "put back a copy of it, or delete it and run the notebook that makes it again"
    demand_no_folder(path, cure)
    if path.exists() and not is_whole(path):
        raise DamagedFileError(f"{shown(path)} is not what was written (its checksum differs): {cure}")
    return path


def is_listed(path: Path) -> bool:
    """Returns whether the provenance beside a file lists it with its checksum, as it lists every finished file."""
    return _listed(Path(path)) == file_checksum(path)


def _listed(path: Path) -> str | None:
    if not (path.parent / NAME).exists():
        return None
    return read_provenance(path.parent).get("files", {}).get(path.name)


def record_session(run: Path, **facts) -> None:
    """Adds an entry to ``sessions``: code, packages, processor and ``facts`` of a start or a resumption of training."""
    changes = git("status", "--porcelain", "--untracked-files=no")
    session = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "orelib": orelib.__version__,
        "git_commit": git("rev-parse", "HEAD"),
        "git_uncommitted_changes": None if changes is None else bool(changes),
        "python": platform.python_version(),
        "packages": _versions(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
    } | facts
    write_provenance(run, sessions=[*read_provenance(run).get("sessions", []), session])


def _versions() -> dict[str, str]:
    """The versions of the packages that decide numbers, without torchvision where it is not installed."""
    versions = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def git(*arguments: str) -> str | None:
    """Returns git's answer for the folder of this code; None outside a repository or without git."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def processor() -> str:
    """Returns the name that the maker gives the processor."""
    if CPUINFO.exists():
        for line in CPUINFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def has_bfloat16() -> bool:
    """Returns whether the processor has instructions that multiply in bfloat16; always False outside Linux."""
    return CPUINFO.exists() and not {"avx512_bf16", "amx_bf16"}.isdisjoint(CPUINFO.read_text().split())
