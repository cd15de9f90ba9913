"""Progress of long work: a bar on a terminal, a few plain lines elsewhere. Nobody needs to be there to read it."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TextIO

from tqdm import tqdm


def say(text: str, file: TextIO | None = None) -> bool:
    """Prints a line, to ``file`` or stdout; returns whether it could.

    The disk of a log may be full, or the reader of a pipe gone. Neither must end the work.
    """
    with suppress(OSError, ValueError):  # ValueError: a closed file
        print(text, file=file or sys.stdout, flush=True)
        return True
    return False


class Progress:
    """Counts from ``start`` to ``total``.

    On a terminal this is tqdm's bar. In a notebook, a log or a pipe, where a redrawn bar becomes thousands of
    lines, it prints a line at the first step, then at every tenth part or, in slow work, every minute.
    """

    def __init__(self, total: int, title: str, start: int = 0):
        self.total, self.title, self.done, self.start = total, title, start, start
        self.began = self.printed_at = time.monotonic()
        self.printed = start
        on_terminal = sys.stdout is not None and sys.stdout.isatty()
        self.bar = tqdm(total=total, initial=start, desc=title) if on_terminal else None

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Records finished steps; ``note`` is shown behind the time."""
        self.done += steps
        if self.bar is not None:
            self.bar.update(steps)
            self.bar.set_postfix_str(note, refresh=False)
            return
        now = time.monotonic()
        due = self.done - self.printed >= self.total / 10 or now - self.printed_at >= 60
        if due or self.done == self.start + 1 or self.done >= self.total:
            self.printed, self.printed_at = self.done, now
            rate = (now - self.began) / max(self.done - self.start, 1)
            left = clock(rate * (self.total - self.done))
            say(f"{self.title}: {self.done}/{self.total}, {rate:.3f} s each, {left} left {note}".rstrip())

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def clock(seconds: float) -> str:
    """Returns a time as it is read: 0:05, 12:30 or 1:02:03."""
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
