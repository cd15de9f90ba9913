"""Restored photographs, handed to a person in the browser: where they lie, a ZIP of them, and remarks on them."""

from __future__ import annotations

import html
import os
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from IPython.display import HTML

from orelib.utils.archives import write_zip
from orelib.utils.paths import kit_root, shown
from orelib.views.watched import is_watched


def handed_over(restored: pd.DataFrame, out: Path) -> HTML:
    """Says how many photographs were restored, and where the copies lie.

    Takes the table of :func:`~orelib.restore.folders.restore_folder` and its folder. Where somebody watches, a ZIP of
    these copies is written beside the folder, and a link downloads it; no photograph becomes part of the notebook.
    """
    names = restored.loc[restored["status"] == "restored", "file"]
    count = f"{len(names)} of {len(restored)} photograph{'s' * (len(restored) != 1)}"
    odd = f" {len(remarked(restored))} have a remark, see below." if len(remarked(restored)) else ""
    text = f"<p>{count} restored.{odd} The copies lie in <code>{html.escape(shown(out))}</code>.</p>"
    if is_watched() and len(names):
        archive = write_zip(Path(out).with_suffix(".zip"), [Path(out, name) for name in names])
        text += f"<p>{_link(archive)} ({archive.stat().st_size / 1e6:.1f} MB)</p>"
    return HTML(text)


def _link(file: Path) -> str:
    """A link that downloads a file of the kit, as JupyterLab resolves it: from the notebook's folder.

    A server shows nothing outside of its own folder, so a file elsewhere is only named.
    """
    if not file.resolve().is_relative_to(kit_root().resolve()):
        return f"All of them as a ZIP: <code>{html.escape(shown(file))}</code>"
    address = quote(Path(os.path.relpath(file, Path.cwd())).as_posix())
    return f'<a href="{address}" download="{html.escape(file.name)}"><b>Download all of them as a ZIP</b></a>'


def remarked(restored: pd.DataFrame) -> pd.DataFrame:
    """Returns the photographs with a remark or an error: ``file``, ``remark`` and ``error``."""
    odd = (restored["remark"] != "") | (restored["error"] != "")
    return restored.loc[odd, ["file", "remark", "error"]]
