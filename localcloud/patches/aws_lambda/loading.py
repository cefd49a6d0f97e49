"""Which function loads next: loading is CPU and nothing else, and a laptop has few processors.

AWS loads each environment on CPU of its own. Here a hundred at once would all take longer than a function may
take to load. So as many load at once as there are processors. What somebody waits for comes before what is
only woken or has an event to handle. Nothing loads twice at a time: the second call finds the process of the
first free.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

LOOK_AGAIN_SECONDS = 0.05
# How long a process that has loaded for an event may keep others of its function from loading. An event that
# takes longer is not waited for.
HOLD_SECONDS = 1.0


@dataclass(order=True)
class _Waiting:
    asynchronous: bool
    number: int
    function: str = field(compare=False)


class Loading:
    """Use `lease` for each invocation. `at_once`: how many processes may load at the same time."""

    def __init__(self, at_once: int = os.cpu_count() or 1) -> None:
        self._at_once = at_once
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._waiting: list[_Waiting] = []
        self._loading = 0
        # function -> until when nobody else loads it, by time.monotonic(); by lease.
        self._held: dict[int, tuple[str, float]] = {}

    @contextmanager
    def lease(
        self,
        function: str,
        acquire: Callable[[], Any],
        release: Callable[[Any], None],
        *,
        asynchronous: bool,
    ) -> Iterator[tuple[Any, Callable[[], None]]]:
        """A worker that is loaded, or may load now, and what to call once it has.

        `acquire` returns a free worker, which has the attribute `is_loaded`; `release` returns it to the pool.
        """
        mine = _Waiting(asynchronous, next(self._numbers), function)
        worker = self._wait_for_turn(mine, acquire, release)
        loads = mine.number in self._held
        loaded = threading.Event()

        def has_loaded() -> None:
            if loads and not loaded.is_set():
                loaded.set()
                with self._changed:
                    self._loading -= 1
                    if asynchronous:
                        self._held[mine.number] = function, time.monotonic() + HOLD_SECONDS
                    else:
                        self._held.pop(mine.number, None)
                    self._changed.notify_all()

        try:
            yield worker, has_loaded
        finally:
            has_loaded()
            release(worker)
            with self._changed:
                self._held.pop(mine.number, None)
                self._changed.notify_all()

    def _wait_for_turn(self, mine: _Waiting, acquire: Callable[[], Any], release: Callable[[Any], None]) -> Any:
        with self._changed:
            self._waiting.append(mine)
            try:
                if mine.asynchronous:
                    # An event has a queue ahead of it: what is called at the same moment comes first.
                    worker = acquire()
                    if worker.is_loaded:
                        return worker
                    release(worker)
                    self._changed.wait(LOOK_AGAIN_SECONDS)
                while True:
                    worker = acquire()
                    if worker.is_loaded:
                        return worker
                    if self._may_load(mine):
                        self._loading += 1
                        self._held[mine.number] = mine.function, float("inf")
                        return worker
                    # Back into the pool, behind those that are busy now.
                    release(worker)
                    self._changed.wait(LOOK_AGAIN_SECONDS)
            finally:
                self._waiting.remove(mine)

    def _may_load(self, mine: _Waiting) -> bool:
        now = time.monotonic()
        held = {function for function, until in self._held.values() if until > now}
        first = min((each for each in self._waiting if each.function not in held), default=mine)
        return self._loading < self._at_once and mine.function not in held and first.number == mine.number
