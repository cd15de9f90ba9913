"""Where a result comes from: code, packages, processor, data and times, as ``provenance.json`` of a run folder."""

from __future__ import annotations

import json
import platform
import subprocess
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import orelib
from orelib.files import write_text

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-image", "pandas", "pillow")


def read_provenance(run: Path) -> dict:
    return json.loads((Path(run) / "provenance.json").read_text())


def write_provenance(run: Path, **facts) -> None:
    """Adds facts to the run's provenance."""
    path = Path(run) / "provenance.json"
    known = read_provenance(run) if path.exists() else {}
    write_text(path, json.dumps(known | facts, indent=1) + "\n")


def record_session(run: Path) -> None:
    """Adds an entry to ``sessions``: code, packages and processor of a start or a resumption."""
    changes = _git("status", "--porcelain", "--untracked-files=no")
    session = {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "orelib": orelib.__version__,
        "git_commit": _git("rev-parse", "HEAD"),
        "git_uncommitted_changes": None if changes is None else bool(changes),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
    }
    write_provenance(run, sessions=[*read_provenance(run).get("sessions", []), session])


def _git(*arguments: str) -> str | None:
    """What git says of the code's own folder; None outside a repository or without git."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def processor() -> str:
    """The processor as its maker calls it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
