"""Settings of a whole process. Programs make them when they start; importing a module makes none."""

from __future__ import annotations

import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def cores() -> int:
    """Returns how many cores this process may use: on Linux those that it is held to, such as by ``taskset``."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_for_torch() -> None:
    """Makes all settings; for the start of a program, before torch is loaded."""
    wait_briefly()
    keep_freed_memory()


def wait_briefly() -> None:
    """Shortens the busy loop in which PyTorch's threads wait for one another; for before torch is loaded.

    While another program uses a core, GNU OpenMP's own wait made a training step on two threads twice as slow. A value
    that the user has set stays.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")


def keep_freed_memory() -> None:
    """Lets glibc keep up to 1 GiB of freed memory for the next step.

    Otherwise large blocks go back to the system as soon as they are free, which clears them page by page when they are
    asked for again. A glibc before 2.35 refuses the first setting; then neither is made.
    """
    if sys.platform != "linux":
        return
    import ctypes  # here, because otherwise the command line's --help would wait for it

    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and libc.mallopt(M_MMAP_THRESHOLD, 1 << 30):
        libc.mallopt(M_TRIM_THRESHOLD, 1 << 30)
