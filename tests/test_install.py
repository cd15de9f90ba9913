"""The installation: what the core needs, what a wheel and a source archive hold, and PyTorch without CUDA."""

import errno
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions, requires

import pytest
from conftest import ROOT

from orelib.cli import main
from orelib.restore.restorer import DEFAULT_RESTORER

NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
# Python imports this module at its start: packages that the core does not ask for then do not exist, for imports and
# for importlib.metadata alike. Processes that a command starts inherit it.
WITHOUT_EXTRAS = """
import sys

MISSING = {missing!r}

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in MISSING else self.finder.find_spec(name, path, target)

    def find_distributions(self, context):
        found = getattr(self.finder, "find_distributions", lambda context: ())(context)
        return (each for each in found if each.metadata["Name"].replace("-", "_") not in MISSING)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""
EVERY_CORE_MODULE = """
import importlib, pkgutil, orelib
OF_EXTRAS = ("orelib.views", "orelib.utils.execute", "orelib.utils.headless", "orelib.utils.kernel")
modules = pkgutil.walk_packages(orelib.__path__, "orelib.", onerror=lambda name: None)
core = [name for _, name, _ in modules if not name.startswith(OF_EXTRAS) and not name.endswith("__main__")]
for name in core:
    importlib.import_module(name)
print(len(core))
"""


def normal(name: str) -> str:
    return re.match(r"[\w.-]+", name).group().lower().replace("-", "_").replace(".", "_")


def core_packages() -> set[str]:
    """What ``pip install orelib`` brings, with all that these packages need themselves."""
    ahead = [*tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]]
    known = set()
    while ahead:
        if (name := normal(ahead.pop())) not in known:
            known.add(name)
            try:
                ahead += [line for line in requires(name) or () if "extra ==" not in line]
            except ModuleNotFoundError:  # of another system
                continue
    return known


@pytest.fixture(scope="module")
def missing() -> set[str]:
    """The modules of this environment that the core does not bring."""
    core = core_packages() | {"orelib"}
    found = {name: {normal(each) for each in owners} for name, owners in packages_distributions().items()}
    missing = {name for name, owners in found.items() if not owners & core}
    assert {"matplotlib", "IPython", "ipywidgets", "papermill", "nbformat", "torchvision", "pytest"} <= missing
    assert not {"torch", "numpy", "cv2", "PIL", "skimage"} & missing
    return missing


@pytest.fixture
def core(missing, tmp_path):
    """Runs Python as if the core alone were installed."""
    place = tmp_path / "core_alone"
    place.mkdir()
    (place / "sitecustomize.py").write_text(WITHOUT_EXTRAS.format(missing=missing))

    def run(*arguments, root=ROOT):
        environment = {**os.environ, "PYTHONPATH": f"{place}{os.pathsep}{root}"}
        return subprocess.run(
            [sys.executable, *map(str, arguments)], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    return run


# ---- the core alone ----------------------------------------------------------------------------------------------


def test_the_core_restores_and_checks_without_the_extras(core, pair_folder, tmp_path):
    restored = core("-m", "orelib.cli", "restore", pair_folder / "test" / "wet", tmp_path / "dry")
    assert restored.returncode == 0, restored.stderr
    assert "Engine: torch" in restored.stdout
    assert len(list((tmp_path / "dry").iterdir())) == 2
    checked = core("-m", "orelib.cli", "check", pair_folder)
    assert "8 pairs, 0 problem(s)" in checked.stdout, checked.stderr


def test_sizing_photographs_says_which_extra_it_needs(core, pair_folder):
    sized = core("-m", "orelib.cli", "size", pair_folder / "test" / "wet", "--px-per-mm", "4")
    assert sized.returncode == 2
    assert 'pip install "orelib[reproduce]"' in sized.stderr
    assert sized.stderr.count("\n") == 1


def test_the_core_sizes_and_trains_without_the_extras(core, pair_folder):
    code = f"""
import numpy as np
from pathlib import Path
from orelib.config import Experiment
from orelib.data.pairs import load_pairs
from orelib.runs import Folders
from orelib.sizing.segmenter import load_segmenter
from orelib.training import train
from orelib.utils.provenance import read_provenance
print(load_segmenter().segment(np.zeros((64, 64, 3), np.uint8), 4.0).shape)
pairs = load_pairs(Folders("smoke", data_dir={str(pair_folder)!r}))
run = train(Experiment("smoke", "nafnet"), pairs, Path("run").absolute())
print(*read_provenance(run)["sessions"][0]["packages"])
"""
    done = core("-c", code)
    assert done.returncode == 0, done.stderr
    assert "(64, 64)" in done.stdout
    assert done.stdout.endswith("torch numpy scipy scikit-image pandas pillow\n")


def test_no_core_module_imports_an_extra(core):
    done = core("-c", EVERY_CORE_MODULE)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


@pytest.mark.parametrize(
    ("code", "package", "extra"),
    [
        ("import orelib.views.figures", "matplotlib", "reproduce"),
        ("import orelib.views.compare", "anywidget", "reproduce"),
        ("from orelib.vgg import vgg19_features as features; features(5)", "torchvision", "perceptual"),
    ],
)
def test_a_view_says_which_extra_it_needs(core, code, package, extra):
    last = core("-c", code).stderr.splitlines()[-1]
    assert package in last
    assert f'pip install "orelib[{extra}]"' in last


# ---- the notebooks -----------------------------------------------------------------------------------------------


def test_notebooks_are_copied_as_they_are(tmp_path, capsys):
    assert main(["notebooks", str(tmp_path / "mine")]) == 0
    assert f"{len(NOTEBOOKS)} notebooks" in capsys.readouterr().out
    for name in NOTEBOOKS:
        assert (tmp_path / "mine" / name).read_bytes() == (ROOT / "notebooks" / name).read_bytes()


def test_notebooks_overwrite_nothing(tmp_path, capsys):
    (tmp_path / "01_dataset.ipynb").write_text("mine")
    assert main(["notebooks", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"orelib: {tmp_path} is not empty: name a new folder\n"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_of_notebooks_that_do_not_fit_nothing_is_left(tmp_path, capsys, monkeypatch):
    def copy(source, target):
        if source.name == NOTEBOOKS[3]:
            raise OSError(errno.ENOSPC, "No space left on device")
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr("orelib.utils.notebooks.shutil.copyfile", copy)
    assert main(["notebooks", str(tmp_path / "mine")]) == 2
    assert "make room" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# ---- wheel and source archive ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The wheel and the source archive of this checkout, built in a copy, and the wheel of an editable installation."""
    pytest.importorskip("setuptools", minversion="77")
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("archives")
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("orelib", "notebooks", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    gone = copy / "build" / "lib" / "orelib" / "gone.py"  # of an earlier build
    gone.parent.mkdir(parents=True)
    gone.touch()
    code = """import sys, setuptools.build_meta as b; _, out = sys.argv
b.build_sdist(out); b.build_wheel(out); b.build_editable(out + "/editable")"""
    done = subprocess.run([sys.executable, "-c", code, str(out)], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz")), next(out.glob("editable/*.whl"))


def files_of_the_package() -> set[str]:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "orelib").rglob("*") if path.is_file()}
    return {name for name in files if "__pycache__" not in name and "/." not in name}


def test_the_wheel_holds_the_package_and_the_notebooks(archives):
    with zipfile.ZipFile(archives[0]) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert DEFAULT_RESTORER.relative_to(ROOT).as_posix() in held
    held = {name for name in held if ".data/" not in name}
    assert held == files_of_the_package() | {f"orelib/notebooks/{name}" for name in NOTEBOOKS}


@pytest.mark.parametrize("kind", [0, 2], ids=["wheel", "editable"])
def test_jupyters_settings_are_placed_below_the_environments_prefix(archives, kind):
    with zipfile.ZipFile(archives[kind]) as archive:
        placed = {name.partition(".data/data/")[2] for name in archive.namelist() if ".data/data/" in name}
    assert placed == {
        "etc/jupyter/jupyter_nbconvert_config.json",
        "etc/jupyter/jupyter_server_config.d/orelib.json",
        "share/jupyter/nbconvert/templates/orelib/conf.json",
        "share/jupyter/nbconvert/templates/orelib/index.html.j2",
    }


def test_the_source_archive_holds_what_a_wheel_is_built_from_and_no_part_of_the_tests(archives):
    with tarfile.open(archives[1]) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert files_of_the_package() | {f"notebooks/{name}" for name in NOTEBOOKS} | {"setup.py"} <= held
    assert not [name for name in held if name.startswith("tests")]


def test_an_installed_wheel_copies_its_notebooks(archives, core, tmp_path):
    installed = tmp_path / "site-packages"
    with zipfile.ZipFile(archives[0]) as archive:
        archive.extractall(installed)
    done = core("-m", "orelib.cli", "notebooks", "mine", root=installed)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == NOTEBOOKS


# ---- PyTorch without CUDA ----------------------------------------------------------------------------------------


def make(folder, *arguments, rules=""):
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "rules.mk").write_text(f"include Makefile\n{rules}")
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # no part of make test
    command = ["make", "-f", "rules.mk", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=outside)


def test_pins_without_cuda_differ_in_nothing_else(tmp_path):
    shown = make(tmp_path, "pins", rules="pins: ; @$(CPU_PINS) requirements.txt\n").stdout.splitlines()
    pins = (ROOT / "requirements.txt").read_text().splitlines()
    kept = [line for line in pins if not re.match("nvidia|cuda|triton", line)]
    assert len(kept) < len(pins) - 15
    changed = [(old, new) for old, new in zip(kept, shown, strict=True) if old != new]
    assert [old.partition("==")[0] for old, _ in changed] == ["torch", "torchvision"]
    for old, new in changed:
        assert "platform_machine == 'x86_64'" in new
        assert new == old.replace(" ;", "+cpu ;")


def test_an_environment_keeps_its_choice(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "torch.mk").write_text("TORCH ?= cpu\nTORCH_INDEX ?= file:///wheels\n")
    plan = make(tmp_path, "--dry-run", "env").stdout
    assert "pip install --extra-index-url 'file:///wheels' --requirement .venv/requirements-cpu.txt" in plan
    refused = make(tmp_path, "env", "TORCH=")
    assert refused.returncode
    assert "delete it first" in refused.stdout
    assert "unknown" in make(tmp_path, "env", "TORCH=gpu").stdout
    assert [path.name for path in (tmp_path / ".venv").iterdir()] == ["torch.mk"]
