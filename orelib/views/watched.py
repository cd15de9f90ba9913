"""Whether a person watches: a widget is for eyes and hands, a page that needs no kernel is for everything else."""

from __future__ import annotations

from IPython import get_ipython


def is_watched() -> bool:
    """True if a person may be watching: under papermill and nbconvert, nobody can answer a question."""
    shell = get_ipython()
    if shell is None or not hasattr(shell, "get_parent"):
        return False
    return bool(shell.get_parent().get("content", {}).get("allow_stdin"))
