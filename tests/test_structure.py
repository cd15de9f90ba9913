"""The layout of the package: who may import whom, and no circles."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import ROOT

# Each may import what stands above it, and its own line.
LAYERS = (
    ("utils",),
    ("config",),
    ("runs",),
    ("networks", "nafnet", "vgg", "losses", "metrics"),
    ("data",),
    ("methods", "baselines"),
    ("restore",),
    ("checkpoint", "training"),
    ("evaluation",),
    ("sizing",),
    ("study",),
    ("views",),
    ("cli",),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "orelib").rglob("*.py"))
}


def imports(module: str) -> set[str]:
    """The modules of the package that one imports, anywhere in its text."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: imports are absolute"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in inside]
        else:
            continue
        found |= {name for name in names if name in MODULES}
    return found - {"orelib", module}


def layer(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", [name for name in MODULES if name != "orelib"])
def test_a_module_imports_what_stands_below_it(module):
    wrong = [name for name in imports(module) if RANK[layer(name)] > RANK[layer(module)]]
    assert not wrong, f"{module} imports {wrong}, which come later in LAYERS"


def test_there_are_no_circles():
    list(TopologicalSorter({module: imports(module) for module in MODULES}).static_order())  # raises CycleError


def test_the_top_level_is_seen_at_once():
    entries = [path for path in (ROOT / "orelib").iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 20, sorted(path.name for path in entries)


@pytest.mark.parametrize("path", [path for path in MODULES.values() if path.name == "__init__.py"], ids=str)
def test_a_folder_says_what_it_holds(path: Path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
