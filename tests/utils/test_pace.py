"""The time left of work whose parts take unevenly long, told by a clock that the tests turn."""

import numpy as np
import pytest

from orelib.utils.pace import Pace, parts_left


class Clock:
    """Says the time, which passes only when told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("done", "total", "every", "left"),
    [
        (0, 8, 4, 2),
        (3, 8, 4, 2),
        (4, 8, 4, 1),
        (7, 8, 4, 1),
        (8, 8, 4, 0),
        (0, 350, 200, 2),
        (200, 350, 200, 1),
        (0, 5, 9, 1),
    ],
)
def test_parts_that_come_now_and_then_and_in_the_end_are_counted(done, total, every, left):
    assert parts_left(done, total, every) == left
    assert left == sum(step % every == 0 or step == total for step in range(done + 1, total + 1))


@pytest.mark.parametrize("start", [0, 300])
@pytest.mark.parametrize("first_validation", [50, 200])
@pytest.mark.parametrize("seed", range(3))
def test_after_a_tenth_it_is_right_to_a_fifth(start, first_validation, seed):
    """Steps of very unequal length, a slow first one, and validations and checkpoints that take a third of all."""
    rng, clock, steps = np.random.default_rng(seed), Clock(), 1000
    every = {"step": 1, "validation": first_validation, "checkpoint": 100}
    cost = {"step": 0.1, "validation": 0.2 * first_validation / 5, "checkpoint": 1.0}
    pace = Pace({kind: parts_left(start, steps, number) for kind, number in every.items()}, clock)
    clock.now += cost["validation"] / 16  # a look at one of 16 validation images
    pace.expect("validation", pace.lap() * 16)
    said = {}
    for step in range(start + 1, steps + 1):
        uneven = rng.lognormal(0, 0.8) / np.exp(0.32)  # of mean 1: most are short, a few are five times as long
        clock.now += 3.0 if step == start + 1 else cost["step"] * uneven
        pace.done("step")
        for kind in ("validation", "checkpoint"):
            if step % every[kind] == 0 or step == steps:
                clock.now += cost[kind] * rng.uniform(0.8, 1.2)
                pace.done(kind)
        said[step] = clock.now, pace.seconds_left()
    end = clock.now
    for step in range(start + (steps - start) // 10, steps * 4 // 5):  # later, chance decides what few steps take
        now, left = said[step]
        assert left == pytest.approx(end - now, rel=0.2), step
    assert said[steps][1] == 0


def test_it_follows_a_machine_that_gets_slower():
    clock = Clock()
    pace = Pace({"step": 1000}, clock)
    for seconds in [0.1] * 400 + [0.3] * 200:
        clock.now += seconds
        pace.done("step")
    assert pace.seconds_left() == pytest.approx(400 * 0.3)


def test_at_the_beginning_it_knows_nothing():
    assert Pace({"step": 10}, Clock()).seconds_left() == 0
