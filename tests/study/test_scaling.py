"""What more machines gain: a schedule has known bounds, and the page is made from the published files."""

import numpy as np
import pytest
from conftest import ROOT

from orelib.study.scaling import PAPERS, makespan, published, step_teraflop


def test_one_machine_takes_the_sum_and_many_the_longest_job():
    jobs = [5.0, 3.0, 2.0]
    assert makespan(jobs, 1) == 10
    assert makespan(jobs, 2) == 5
    assert makespan(jobs, 100) == 5
    assert makespan([], 4) == 0
    with pytest.raises(ValueError, match="at least 1"):
        makespan(jobs, 0)


def test_no_schedule_beats_its_bounds():
    """Graham 1969: the longest jobs first take at most 4/3 of the shortest possible time."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        jobs, slots = rng.exponential(100, 60), int(rng.integers(1, 40))
        least = max(jobs.sum() / slots, jobs.max())
        assert least - 1e-9 <= makespan(jobs, slots) <= 4 / 3 * least + jobs.max() / 3


def test_a_step_of_cyclegan_costs_several_of_the_others():
    plain, cycle, improved = (step_teraflop(method) for method in PAPERS)
    assert plain < improved < cycle
    assert cycle > 4 * improved


def test_the_published_experiment_is_told_from_its_files():
    text = published(ROOT / "results" / "reference" / "cpu")
    minutes = [int(line.split("|")[2]) for line in text.splitlines() if line.startswith("| ") and line[2].isdigit()]
    assert minutes == sorted(minutes, reverse=True)
    assert minutes[-1] == minutes[-2]  # the longest training
