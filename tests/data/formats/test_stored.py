"""What is demanded of a file before memory is taken, and samples brought to the full range."""

import numpy as np
import psutil
import pytest

from orelib.data.formats import stored
from orelib.data.formats.stored import (
    PhotographError,
    PhotographUnavailable,
    available_memory,
    bands,
    demand_memory,
    full_range,
)


def test_memory_is_that_of_the_machine_and_of_the_container(tmp_path, monkeypatch):
    used = psutil.Process().memory_info().rss
    limits = {"v2": f"{used + 10**6}\n", "v1": f"{2**63 - 4096}\n", "none": "max\n"}
    for name, content in limits.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(
        stored, "_MEMORY_LIMITS", (str(tmp_path / "v1"), str(tmp_path / "none"), str(tmp_path / "gone"))
    )
    assert available_memory() > 10**6
    monkeypatch.setattr(stored, "_MEMORY_LIMITS", (str(tmp_path / "v2"),))
    assert available_memory() <= 10**6 + 10**8  # the process may give some back meanwhile


def test_what_is_too_large_says_how_large_it_is_and_what_there_is(monkeypatch):
    monkeypatch.setattr(stored, "available_memory", lambda: 2_100_000_000)
    demand_memory(30_000, 10_000, 7)
    with pytest.raises(
        PhotographUnavailable, match=r"30000 x 20000 px take 4\.2 GB of memory, and 2\.1 GB are free; cut"
    ):
        demand_memory(30_000, 20_000, 7)


def test_stated_depth_becomes_the_full_range():
    samples = np.arange(1024, dtype=np.uint16).reshape(32, 32, 1)
    scaled = full_range(samples.copy(), 1, 10)
    assert np.array_equal(scaled, np.rint(samples / 1023 * 65535))
    assert np.array_equal(full_range(samples.copy(), 1, 16), samples)


def test_colour_decides_whether_values_are_unscaled_and_dark_alpha_is_no_fault():
    grey = np.full((4, 4, 1), 30_000, np.uint16)
    assert full_range(np.dstack([grey, grey * 0 + 1000]), 1)[0, 0].tolist() == [30_000, 1000]
    with pytest.raises(PhotographError, match="end at 255"):
        full_range(np.dstack([grey * 0 + 255, grey]), 1)


@pytest.mark.parametrize("largest", [1, 200, 255])
def test_alpha_of_8_bits_in_16_is_refused(largest):
    """Opaque would count as transparent, and the picture be black; none at all, and a stated depth, are no fault."""
    deep = np.full((4, 4, 4), 30_000, np.uint16)
    deep[..., 3] = 0
    assert full_range(deep.copy(), 3)[0, 0].tolist() == [30_000] * 3 + [0]
    deep[1, 2, 3] = largest
    assert np.array_equal(full_range(deep.copy(), 3, 16), deep)
    with pytest.raises(PhotographError, match=f"the 16-bit values of its alpha end at {largest}, "):
        full_range(deep, 3)


def test_who_has_unscaled_values_is_told_both_cures():
    with pytest.raises(PhotographError, match=r"or state 16 bits: sBIT in a PNG, MaxSampleValue 65535 in a TIFF"):
        full_range(np.full((4, 4, 1), 100, np.uint16), 1)


def test_bands_cover_every_row_once():
    samples = np.zeros((1000, 5000, 3), np.uint8)
    for band in bands(samples):
        assert band.size <= 2**20
        band += 1
    assert (samples == 1).all()
