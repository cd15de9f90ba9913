"""Parts of a page that needs no other file: text, tables and figures, and their style."""

from __future__ import annotations

import html

import pandas as pd
from matplotlib.figure import Figure

from orelib.views.pictures import figure_of

PAGE_STYLE = """
body { max-width: 1100px; margin: 24px auto; padding: 0 16px; font: 15px/1.5 system-ui, sans-serif; }
table.dataframe { border-collapse: collapse; margin: 12px 0; display: block; overflow-x: auto; }
table.dataframe :is(th, td) { padding: 3px 12px 3px 0; border-bottom: 1px solid #8884; text-align: left; }
table.dataframe { font-variant-numeric: tabular-nums; }
.figure { margin: 16px 0; }
h2 { margin-top: 40px; }
"""


def as_text(text: str) -> str:
    """Returns a text as a paragraph; "" for an empty one."""
    return f"<p>{html.escape(text)}</p>" if text else ""


def as_table(table: pd.DataFrame) -> str:
    """Returns a table without its index; a dash stands for what is missing."""
    return table.to_html(index=False, border=0, na_rep="-")


def as_figure(figure: Figure, caption: str) -> str:
    """Returns a figure with its alternative text and a caption."""
    return f'<div class="figure">{figure_of(figure, caption)}</div>'
