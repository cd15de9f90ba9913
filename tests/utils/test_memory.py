"""Memory that runs out: one error whichever library says so, and none that is about something else."""

import numpy as np
import pytest
import torch

from orelib.utils.memory import memory_for, memory_ran_out


@pytest.mark.parametrize("ask", [lambda: np.empty(10**15), lambda: torch.empty(10**15), lambda: bytearray(10**15)])
def test_whoever_says_so_it_is_one_error(ask):
    with (
        pytest.raises(MemoryError, match=r"memory ran out: the work needs more; close other programs"),
        memory_for("the work"),
    ):
        ask()


@pytest.mark.parametrize(
    "error",
    [ValueError("out of memory.png is damaged"), OSError("out of memory.png"), RuntimeError("another"), KeyError(1)],
    ids=repr,
)
def test_other_errors_stay_what_they_are(error):
    assert not memory_ran_out(error)
    with pytest.raises(type(error)) as caught, memory_for("the work"):
        raise error
    assert caught.value is error
