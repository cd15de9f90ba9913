"""Puts the notebooks into the wheel, as ``orelib/notebooks/``, and Jupyter's settings into any environment.

Everything else stands in pyproject.toml.
"""

import shutil
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

NOTEBOOKS = sorted(Path("notebooks").glob("*.ipynb"))


class WithData(Distribution):
    """Places the data files of pyproject.toml in an editable installation, too.

    setuptools would do so, but asks for them by a name that its own class does not have.
    """

    has_data = Distribution.has_data_files


class WithNotebooks(build_py):
    """Builds the package and copies the notebooks into it; an editable installation finds them in the kit."""

    def run(self):
        package = Path(self.build_lib, "orelib")
        shutil.rmtree(package, ignore_errors=True)  # of an earlier build, with modules that are gone since
        super().run()
        if not self.editable_mode:
            place = package / "notebooks"
            place.mkdir()
            for notebook in NOTEBOOKS:
                shutil.copyfile(notebook, place / notebook.name)


if not NOTEBOOKS:
    raise SystemExit("notebooks/ is missing beside setup.py: take the whole source of orelib")
setup(cmdclass={"build_py": WithNotebooks}, distclass=WithData)
