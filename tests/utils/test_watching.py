"""Signals that ask work to stop."""

import os
import signal
import threading

import pytest

from orelib.utils.watching import stopped_by_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_only_asks(number):
    stop, before = threading.Event(), signal.getsignal(number)
    with stopped_by_signals(stop):
        os.kill(os.getpid(), number)
        assert stop.is_set()
    assert signal.getsignal(number) == before


def test_a_second_sigint_raises_also_after_a_button_and_sigterm():
    stop, before = threading.Event(), signal.getsignal(signal.SIGINT)
    stop.set()
    with pytest.raises(KeyboardInterrupt), stopped_by_signals(stop):  # noqa: PT012
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_within_another_block_the_inner_one_counts():
    outer, inner = threading.Event(), threading.Event()
    with stopped_by_signals(outer):
        with stopped_by_signals(inner):
            os.kill(os.getpid(), signal.SIGINT)
        assert inner.is_set()
        assert not outer.is_set()
