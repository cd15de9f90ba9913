"""The project itself: what is committed, and that its parts agree."""

import re
import subprocess
import tomllib

import pytest
from conftest import ROOT

from orelib import __version__
from orelib.config import METHODS
from orelib.methods import CLASSES
from orelib.restore.restorer import DEFAULT_RESTORER


@pytest.fixture(scope="module")
def committed():
    """Every file that git tracks."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]


def test_no_file_is_large(committed):
    assert not [path for path in committed if path.stat().st_size > 2_000_000 and path != DEFAULT_RESTORER]
    assert DEFAULT_RESTORER.stat().st_size < 10_000_000


def test_modules_are_one_idea_each():
    lengths = {str(path): len(path.read_text("utf-8").splitlines()) for path in (ROOT / "orelib").rglob("*.py")}
    assert max(lengths.values()) <= 350, lengths


def test_requirements_pin_everything_that_pyproject_asks_for():
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    names = {re.match(r"[\w-]+", line).group().lower() for line in asked} - {project["name"]}  # dev asks for the extras
    assert names <= set(pins)
    assert "make requirements" in (ROOT / "requirements.txt").read_text()


def test_one_list_of_versions():
    assert "--requirement requirements.txt" in (ROOT / "environment.yml").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text()


def test_every_method_has_a_class_and_a_colour_of_its_own():
    assert METHODS.keys() == CLASSES.keys()
    assert len({entry.colour for entry in METHODS.values()}) == len(METHODS)


def test_make_help_lists_the_targets():
    listing = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("reproduce", "test", "lab", "notebooks", "reference"):
        assert f"make {target}" in listing
