"""The same work on many things, a few of them at a time, in threads; the results come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

Thing, Result = TypeVar("Thing"), TypeVar("Result")


def side_by_side(
    work: Callable[[Thing], Result],
    things: Iterable[Thing],
    at_once: int,
    alone: Callable[[Thing], bool] = lambda thing: False,
    ending: Event | None = None,
) -> Iterator[Result]:
    """Yields ``work(thing)`` for each thing, in order; up to ``at_once`` are worked on at the same time.

    One more is taken from ``things`` in advance, so that no thread waits while a result is used. A thing that is to be
    worked on ``alone`` has no other beside it, and the calling thread does the work itself, as it does for all if
    ``at_once`` is 1.

    An error of the work is raised in its turn; no further work begins then, and none when the iterator is closed: it
    waits for the work that is being done, and sets ``ending`` before, so that this work may end early. After a
    KeyboardInterrupt while it waits, the results of the work that is being done come first, then the interrupt.
    """
    if at_once == 1:
        yield from map(work, things)
        return
    with ThreadPoolExecutor(at_once) as pool:
        under_way: deque[Future[Result]] = deque()
        try:
            for thing in things:
                by_itself = alone(thing)
                while len(under_way) > (0 if by_itself else at_once):
                    yield _first(under_way)
                if by_itself:
                    yield work(thing)
                else:
                    under_way.append(pool.submit(work, thing))
            while under_way:
                yield _first(under_way)
        except KeyboardInterrupt:
            begun = [future for future in under_way if not future.cancel()]
            yield from (future.result() for future in begun)
            raise
        finally:
            if ending is not None:
                ending.set()
            for future in under_way:
                future.cancel()


def _first(under_way: deque[Future[Result]]) -> Result:
    result = under_way[0].result()  # it stays there if this is interrupted
    under_way.popleft()
    return result
