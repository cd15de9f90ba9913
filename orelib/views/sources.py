"""The text of functions, shown in a notebook as the package holds it."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable

from IPython.display import Markdown


def source(*functions: Callable) -> Markdown:
    """Returns the code of functions, methods or classes, without their docstrings, as Markdown."""
    text = "\n\n".join(map(_without_docstrings, functions))
    return Markdown(f"```python\n{text}\n```")


def _without_docstrings(function: Callable) -> str:
    text = textwrap.dedent(inspect.getsource(function))
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            first = node.body[0]
            lines[first.lineno - 1 : first.end_lineno] = [None] * (first.end_lineno - first.lineno + 1)
    text = "\n".join(line for line in lines if line is not None).strip()
    return re.sub(r"(class .*:\n)\n+", r"\1", text)  # the line below the docstring of a class
