"""Concurrent processes, one of which runs at a time, and a clock that advances when all of them wait.

Each process is a greenlet, so it can be paused in the middle of a call. Each run has the same order and times.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from greenlet import getcurrent, greenlet

# Seconds that a call takes.
A_CALL = 0.05


class Died(BaseException):
    """A function was killed; nothing after that point happens."""


@dataclass(eq=False)
class Process:
    """`cause` is why it was started; processes that it starts have the same cause."""

    name: str
    cause: str
    greenlet: greenlet
    number: int = field(default_factory=itertools.count(1).__next__)
    ended: bool = False
    # Its function was killed.
    died: bool = False
    # Counts its waits, so that the timer of an earlier wait is ignored.
    wait: int = 0
    # It is not resumed before this is reset.
    held: bool = False
    waking: bool = False
    # The state when its call began, if it matters.
    looked: Any = None
    # The function's parameters, from its start to its end.
    parameters: Any = None
    # What the caller gets if the function was killed.
    dies_of: str = "Runtime.ExitError"
    # When its time is up (UNIX seconds).
    until: float = float("inf")
    # Calls the function again with the same event.
    call_again: Callable[[], "Process | None"] = lambda: None


@dataclass(frozen=True)
class _Timer:
    """The time-out of a process's wait; ignored if the process waits for something else by then."""

    process: Process
    wait: int


class Clock:
    """`now` is in UNIX seconds."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.cause = ""
        self.at_work: Process | None = None
        self.failed: list[BaseException] = []
        # The number of pending processes and timers of each cause.
        self.to_come: dict[str, int] = {}
        self._queue: list[tuple[float, int, str, bool, Process | _Timer | Callable[[], object]]] = []
        self._number = itertools.count()
        self._scheduler = getcurrent()
        self._after: list[tuple[Callable[[], bool], Process]] = []

    def at(self, seconds: float, what: Process | _Timer | Callable[[], object]) -> None:
        """In this many seconds, call this, or resume a process."""
        cause = what.cause if isinstance(what, Process) else self.cause
        # A process counts until it ends.
        counts = not isinstance(what, Process | _Timer)
        if counts:
            self.to_come[cause] = self.to_come.get(cause, 0) + 1
        heapq.heappush(self._queue, (self.now + seconds, next(self._number), cause, counts, what))

    def spawn(self, name: str, run: Callable[[], object], *, cause: str = "", after: float = 0.0) -> Process:
        """Start a process."""

        def body() -> None:
            try:
                run()
            except BaseException as error:
                self.failed.append(error)
            process.ended = True
            self.to_come[process.cause] -= 1

        # When it ends, the scheduler continues, not the process that started it.
        process = Process(name, cause or self.cause, greenlet(body, self._scheduler))
        self.to_come[process.cause] = self.to_come.get(process.cause, 0) + 1
        self.at(after, process)
        return process

    def run(self) -> None:
        """Run until nothing is pending."""
        while any(self.to_come.values()):
            if not self._queue:
                # They wait for each other.
                for number, (_, process) in enumerate(self._after):
                    self._after[number] = (lambda: True, process)
                self._release_held()
            time, _, cause, counts, what = heapq.heappop(self._queue)
            if isinstance(what, _Timer):
                if what.process.wait != what.wait or what.process.ended:
                    continue
                what.process.wait += 1
                what = what.process
            if isinstance(what, Process) and what.held:
                what.waking = True
                continue
            self.now = max(self.now, time)
            self.cause = cause
            if isinstance(what, Process):
                self._resume(what)
            else:
                what()
            self.cause = ""
            if counts:
                self.to_come[cause] -= 1
            self._release_held()
            if self.failed:
                raise self.failed[0]

    def _resume(self, process: Process) -> None:
        self.at_work = process
        process.greenlet.switch()
        self.at_work = None

    def pass_time(self, seconds: float) -> None:
        """Let the running process take this long; processes that are due before then run first."""
        process = self.at_work
        assert process
        then = self.now + seconds
        if not process.held and (not self._queue or self._queue[0][0] > then):
            self.now = then
            return
        self.at(seconds, process)
        self._scheduler.switch()

    def wait(self, seconds: float) -> None:
        """Let the running process wait this long, or until it is woken."""
        process = self.at_work
        assert process
        process.wait += 1
        self.at(seconds, _Timer(process, process.wait))
        self._scheduler.switch()

    def wake(self, process: Process) -> None:
        """Wake a waiting process."""
        process.wait += 1
        self.at(0.0, process)

    def hold(self, process: Process, until: Callable[[], bool]) -> None:
        """Pause a process until then."""
        process.held = True
        self._after.append((until, process))

    def _release_held(self) -> None:
        for until, process in list(self._after):
            if until():
                self._after.remove((until, process))
                process.held = False
                if process.waking:
                    process.waking = False
                    self.at(0.0, process)
