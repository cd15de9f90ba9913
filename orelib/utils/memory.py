"""Memory that runs out, which every library reports by an error of its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager

# A worker that is killed was killed by the system, mostly because memory ran out.
PHRASES = (
    "not enough memory",
    "out of memory",
    "allocate memory",
    "bad allocation",
    "bad alloc",
    "is killed by signal",
)


def memory_ran_out(error: BaseException) -> bool:
    """Returns whether an error says so: Python's and NumPy's MemoryError, PyTorch's RuntimeError, engines' errors."""
    if isinstance(error, OSError | ValueError):
        return False  # these are about files, whose names may hold any words
    said = str(error).lower().replace("_", " ")  # some name a constant, such as VP8_STATUS_OUT_OF_MEMORY
    return isinstance(error, MemoryError | BrokenExecutor) or any(phrase in said for phrase in PHRASES)


@contextmanager
def memory_for(what: str, cure: str = "close other programs, or take a larger machine") -> Iterator[None]:
    """Turns an error that says that memory ran out into a MemoryError, which names ``what`` needs it, and a cure."""
    try:
        yield
    except Exception as error:
        if not memory_ran_out(error):
            raise
        raise MemoryError(f"memory ran out: {what} needs more; {cure}") from error
