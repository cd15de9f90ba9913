"""Work side by side: in order, as much at a time as is allowed, and nothing goes on after an error."""

import os
import signal
import threading
import time

import pytest

from orelib.utils.side_by_side import side_by_side


@pytest.mark.parametrize("at_once", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_the_results_come_in_order(at_once, count):
    def slow_first(number):
        time.sleep(0.002 * (count - number))
        return 10 * number

    assert list(side_by_side(slow_first, range(count), at_once)) == [10 * k for k in range(count)]


def test_as_many_are_worked_on_at_the_same_time():
    together = threading.Barrier(3, timeout=60)  # breaks unless three meet
    assert len(list(side_by_side(lambda _: together.wait(), range(6), 3))) == 6


def test_never_more_are_worked_on_or_taken_in_advance():
    lock, now, most, taken = threading.Lock(), 0, 0, 0

    def things():
        nonlocal taken
        for number in range(12):
            taken += 1
            yield number

    def work(number):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with lock:
            now -= 1
        return number

    for used in side_by_side(work, things(), 2):
        assert taken <= used + 4, "one that is used, two in work, and one in advance"
    assert most <= 2


def test_one_that_is_to_be_alone_has_nobody_beside_it():
    lock, now, beside = threading.Lock(), set(), {}

    def work(number):
        with lock:
            now.add(number)
        time.sleep(0.005)
        with lock:
            beside[number] = len(now) - 1
            now.remove(number)
        return threading.current_thread() is threading.main_thread()

    here = list(side_by_side(work, range(9), 3, alone=lambda number: number in (4, 8)))
    assert (beside[4], beside[8]) == (0, 0)
    assert here == [number in (4, 8) for number in range(9)]


def test_an_error_comes_in_its_turn_and_nothing_begins_after_it():
    begun = []

    def work(number):
        begun.append(number)
        if number == 2:
            raise KeyError(number)
        return number

    results = side_by_side(work, range(100), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(KeyError):
        next(results)
    assert max(begun) <= 5


def test_closed_early_it_waits_for_what_is_being_done():
    done = []

    def work(number):
        time.sleep(0.01)
        done.append(number)

    results = side_by_side(work, range(100), 2)
    next(results)
    results.close()
    count = len(done)
    time.sleep(0.05)
    assert len(done) == count <= 4


@pytest.mark.parametrize("end", ["closed", "failed"])
def test_closed_or_failing_it_says_so_to_work_that_is_being_done(end):
    ending, told = threading.Event(), []

    def work(number):
        if number == 1 and end == "failed":
            raise KeyError
        if number > 1:
            told.append(ending.wait(60))

    results = side_by_side(work, range(9), 2, ending=ending)
    next(results)
    if end == "closed":
        results.close()
    else:
        with pytest.raises(KeyError):
            next(results)
    assert ending.is_set()
    assert all(told)


def test_interrupted_it_gives_what_is_being_done_and_then_the_interrupt():
    interrupted = threading.Event()

    def work(number):
        if number == 1:
            interrupted.wait(60)
            time.sleep(0.05)
        elif number == 2:
            time.sleep(0.05)
            interrupted.set()
            os.kill(os.getpid(), signal.SIGINT)  # while the main thread waits for the number before
        return number

    given = []

    def gather():
        for each in side_by_side(work, range(99), 2):
            given.append(each)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            gather()
    finally:
        signal.signal(signal.SIGINT, before)
    assert given[:3] == [0, 1, 2]
    assert len(given) < 9
