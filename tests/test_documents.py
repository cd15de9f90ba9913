"""The documents: their numbers come from files, their links lead somewhere, their commands exist."""

import ast
import json
import re

import pandas as pd
import pytest
from conftest import ROOT

from orelib import cli
from orelib.study import document
from orelib.study.claims import Results, weigh
from orelib.study.document import documents
from orelib.study.effects import missing, table3_of_seeds

STUDY = ROOT / "results" / "reference" / "cpu"
PLACES = ("*.md", "docs/*.md", "data/*.md", "results/*.md", "results/reference/*.md", "orelib/**/*.md")
DOCUMENTS = sorted(path for place in PLACES for path in ROOT.glob(place))
PACKAGES = sorted(path.parent for path in (ROOT / "orelib").rglob("__init__.py"))


def commands(path):
    """Every piece of code of a document, inline or in a block, a line each."""
    text = path.read_text("utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return [line.strip() for piece in (*blocks, *inline) for line in piece.splitlines()]


def test_generated_documents_are_what_make_tables_writes():
    for path, text in documents(ROOT).items():
        assert path.read_text("utf-8") == text, f"{path.name}: run make tables"


def test_every_block_of_a_document_is_written(monkeypatch):
    """The README has several; each was once written into the file as it was, so that the last one alone counted."""
    blocks = {name: (where, lambda _, name=name: f"new {name}") for name, (where, _) in document.BLOCKS.items()}
    monkeypatch.setattr(document, "BLOCKS", blocks)
    monkeypatch.setattr(document, "results_page", lambda _: "")
    texts = documents(ROOT)
    for name, (where, _) in blocks.items():
        assert f"written by make tables -->\nnew {name}\n<!-- end {name} -->" in texts[ROOT / where]


def test_the_page_of_benchmarks_is_what_make_bench_writes(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import run

    kept = json.loads(run.KEPT.read_text("utf-8"))
    assert run.PAGE.read_text("utf-8") == run.page(kept["machine"], kept["commit"], kept["rows"])


def test_the_published_experiment_is_whole_and_its_tables_are_up_to_date():
    assert missing(STUDY, "cpu") == []
    table = pd.read_csv(STUDY / "table3_of_seeds.csv", dtype=str)
    pd.testing.assert_frame_equal(table, table3_of_seeds(STUDY, "cpu"))
    pd.testing.assert_frame_equal(pd.read_csv(STUDY / "claims.csv"), weigh(Results(STUDY, "cpu")))


def test_the_readme_can_be_finished():
    assert (ROOT / "README.md").stat().st_size <= 9000


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(path):
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_exist(path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for line in commands(path):
        for target in re.findall(r"\bmake ([a-z]+)", line.partition("#")[0]):
            assert target in targets, line
        if command := re.match(r"(?:\.venv/bin/)?orelib ([a-z]+)", line):
            assert cli.main([command[1], "--help"]) == 0, line
        if module := re.search(r"python -m (orelib[.\w]*)", line):
            file = ROOT / module[1].replace(".", "/")
            assert file.with_suffix(".py").exists() or (file / "__main__.py").exists(), line


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda path: path.name)
def test_a_package_lists_its_modules(folder):
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8")))
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert modules | packages <= set(re.findall(r"\w+", docstring)), "a line is missing in __init__"
    for name in re.findall(r"^``(\w+)``  ", docstring, re.MULTILINE):
        assert (folder / f"{name}.py").exists() or (folder / name).is_dir(), name
