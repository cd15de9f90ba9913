"""Settings of the process: importing makes none, and a value of the user's stays."""

import os
import subprocess
import sys

import pytest

from orelib.utils.process import wait_briefly

IMPORTED = """
import os, sys

before = dict(os.environ)
import orelib

assert not {"torch", "numpy", "ctypes"} & set(sys.modules), "importing the package loads what it need not"
assert dict(os.environ) == before
import cv2, torch  # of which OpenCV sets LD_LIBRARY_PATH

before = dict(os.environ)
import orelib.cli, orelib.training, orelib.restore.restorer

assert dict(os.environ) == before
"""


def test_importing_the_package_changes_nothing_in_the_process():
    """Without ctypes it cannot set the allocator, either."""
    subprocess.run([sys.executable, "-c", IMPORTED], check=True)


def test_a_wait_that_the_user_has_set_stays(monkeypatch):
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    wait_briefly()
    assert os.environ["GOMP_SPINCOUNT"] == "5000"
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    wait_briefly()
    assert os.environ["GOMP_SPINCOUNT"] == "7"


ALLOCATED = """
import sys
import numpy as np
from orelib.utils.process import keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

if sys.argv[1] == "kept":
    keep_freed_memory()
large = np.ones(64 << 20, np.uint8)
del large
print(resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone")
def test_freed_memory_is_kept():
    kept, freed = (
        int(subprocess.run([sys.executable, "-c", ALLOCATED, way], check=True, capture_output=True, text=True).stdout)
        for way in ("kept", "freed")
    )
    assert kept > freed + (60 << 20)
