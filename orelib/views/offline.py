"""Exported notebooks that need no network.

By default, an HTML page of nbconvert loads MathJax, require.js and more from the network, and shows formulas as LaTeX
where there is none. The template ``orelib`` loads nothing, and formulas become MathML, which browsers draw themselves
(Chromium since 2023, Firefox, Safari). It is the default of ``jupyter nbconvert --to html`` and of JupyterLab's *Save
and Export* wherever the kit is installed: the installation puts the files below ``orelib/utils/jupyter/`` into the
environment, where Jupyter looks for them. ``--template lab`` is nbconvert's own page.
"""

from __future__ import annotations

import html
import json
import re
from importlib.resources import files

from jinja2 import pass_context
from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import Preprocessor

TEMPLATE = "orelib"
WIDGET = "application/vnd.jupyter.widget-view+json"
SETTINGS = files("orelib.utils") / "jupyter" / "jupyter_nbconvert_config.json"
SAME = {r"{aligned}": "{split}", r"\arg": r"\operatorname{arg}"}  # what latex2mathml knows by another name only


def mathml(latex: str, display: bool = False) -> str:
    """Returns a formula as MathML; one that cannot be converted is returned as its LaTeX source, marked as code."""
    for known, other in SAME.items():
        latex = latex.replace(known, other)
    try:
        formula = convert(latex, display="block" if display else "inline")
    except Exception:  # of many kinds, by the converter
        formula = ""
    # It passes on commands that it does not know.
    if not formula or re.search(r"<m[ion][^>]*>(\\|&<)", formula):
        return f"<code>{html.escape(latex)}</code>"
    return re.sub(r'columnalign="(\w+)"', r'style="text-align:\1"', formula)  # Chromium knows the style only


def displayed(latex: str) -> str:
    r"""Returns a formula on a line of its own as HTML, with the number of its ``\tag`` at the right."""
    number = re.search(r"\\tag\{([^}]*)\}", latex)
    formula = mathml(latex.replace(number.group(), "") if number else latex, display=True)
    label = f"<span>({html.escape(number.group(1))})</span>" if number else ""
    style = "display:flex;align-items:center;gap:1em;margin:0.8em 0;overflow-x:auto;overflow-y:hidden"
    return f'<span class="orelib-formula" style="{style}"><span style="flex:1">{formula}</span>{label}</span>'


class FormulaRenderer(IPythonRenderer):
    """nbconvert's Markdown with formulas as MathML."""

    def inline_math(self, body: str) -> str:
        return mathml(body)

    def block_math(self, body: str) -> str:
        return displayed(body)

    def latex_environment(self, name: str, body: str) -> str:
        return displayed(rf"\begin{{{name}}}{body}\end{{{name}}}")


class OfflinePage(Preprocessor):
    """Lets an HTML exporter with the template ``orelib`` write MathML, and pictures instead of widgets."""

    def preprocess(self, nb, resources):
        exporter = self.parent
        if exporter.template_name != TEMPLATE:
            return nb, resources

        @pass_context
        def markdown_to_html(context, source):
            renderer = FormulaRenderer(
                escape=False,
                attachments=context.get("cell", {}).get("attachments", {}),
                embed_images=exporter.embed_images,
                path=context.get("resources", {}).get("metadata", {}).get("path", ""),
                anchor_link_text=exporter.anchor_link_text,
                exclude_anchor_links=exporter.exclude_anchor_links,
                **exporter.lexer_options,
            )
            return MarkdownWithMath(renderer=renderer).render(source)

        exporter.register_filter("markdown2html", markdown_to_html)
        for output in (output for cell in nb.cells for output in cell.get("outputs", [])):
            if len(output.get("data", {})) > 1:
                output.data.pop(WIDGET, None)
        return nb, resources


# ---- JupyterLab's Save and Export ----------------------------------------------------------------------------------


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "orelib.views.offline"}]


def _load_jupyter_server_extension(app) -> None:
    """Gives the server the settings that the command ``jupyter nbconvert`` reads from a file; a user's own stay."""
    for section, traits in json.loads(SETTINGS.read_text("utf-8")).items():
        for name, value in traits.items():
            app.config[section].setdefault(name, value)
