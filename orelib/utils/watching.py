"""Work in steps that somebody watches, and stops between two of them: by a button, by Ctrl-C or by SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from orelib.utils.progress import Progress


class Watch(Protocol):
    """Follows work in steps, such as a training. The thread that works makes all calls.

    ``stop`` may be set from any thread: the work then ends after the step that it is at.
    """

    stop: threading.Event

    def begin(
        self, title: str, step: int, steps: int, earlier: Mapping[str, Sequence[float]], pictures: object
    ) -> None:
        """The work begins, or goes on, at ``step`` of ``steps``; ``earlier``: values of the steps before, by name."""

    def advance(self, step: int, values: Mapping[str, float], seconds_left: float) -> None:
        """A step is done, with these values by name."""

    def score(self, step: int, scores: Mapping[str, float], pictures: object) -> None:
        """The work was measured after a step. Scores of earlier sessions come directly after :meth:`begin`.

        ``pictures`` shows what was made so far: for a training, :class:`~orelib.restore.snapshots.Snapshots`.
        """

    def end(self, state: str, says: str) -> None:
        """The work is over: ``finished``, ``stopped`` or ``failed``, as a sentence says. May come without a begin."""


class Lines:
    """A :class:`Watch` that says in plain lines how far the work is, or by a bar on a terminal."""

    def __init__(self):
        self.stop = threading.Event()
        self._progress: Progress | None = None

    def begin(
        self, title: str, step: int, steps: int, earlier: Mapping[str, Sequence[float]], pictures: object
    ) -> None:
        self._progress = Progress(steps, title, start=step)

    def advance(self, step: int, values: Mapping[str, float], seconds_left: float) -> None:
        self._progress.advance(note="  ".join(f"{name} {value:.2f}" for name, value in values.items()))

    def score(self, step: int, scores: Mapping[str, float], pictures: object) -> None:
        pass

    def end(self, state: str, says: str) -> None:
        if self._progress is not None:
            self._progress.close()


@contextmanager
def stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Within the block, the first SIGINT (Ctrl-C) only sets ``stop``, and so does SIGTERM; a second SIGINT raises.

    At the end, the handlers of before are back. Outside the main thread, which alone may set handlers, nothing changes.

    Raises
    ------
    KeyboardInterrupt
        At a second SIGINT.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def ask(number: int, frame: object) -> None:
        nonlocal interrupted
        if number == signal.SIGINT and interrupted:
            raise KeyboardInterrupt
        interrupted = interrupted or number == signal.SIGINT
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: a handler that was not set from Python, and which Python cannot set again
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def leave_interrupts_to_parent(worker: int = 0) -> None:
    """Makes a worker process ignore Ctrl-C, which a terminal sends to it, too; its parent decides when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
