"""The restorer that a user trained last in notebook 09, remembered for the next photographs."""

from __future__ import annotations

import os
from pathlib import Path

from orelib.data.filed import YOURS
from orelib.utils.checksums import read_json, write_json
from orelib.utils.paths import kit_path, kit_root

CURE = "delete it, and run 09_your_photos again"


def _note() -> Path:
    return kit_path("data_dir", YOURS) / "restorer.json"


def remember_restorer(model: Path) -> None:
    """Notes the path of a model file in ``data/yours/restorer.json``. Raises OSError."""
    model, root = Path(os.path.realpath(model)), os.path.realpath(kit_root())
    write_json(_note(), {"model": str(model.relative_to(root) if model.is_relative_to(root) else model)})


def remembered_restorer() -> Path | None:
    """Returns the path of the model file that was noted last; None where there is none, or it was deleted.

    Raises DamagedFileError for a note that was cut or changed.
    """
    if not _note().exists():
        return None
    model = kit_root() / str(read_json(_note(), CURE).get("model"))
    return model if model.is_file() else None
