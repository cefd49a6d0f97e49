"""Reads the data of open pages, in one thread for all of them, and only while a page is open."""

import threading
import time
import traceback
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from portcall.core.trouble import Exit, Trouble

# Seconds between two reads of the list of apps, and of pages without activity.
LOOK_EVERY = 1.0
QUIET_EVERY = 5.0
# How often something is sent to each browser, which shows whether it is still there.
HEARTBEAT = 2.0
FAULT = "There is an error in the page itself. See the terminal in which `portcall console` runs."


class Page(Protocol):
    """The data of a page."""

    @property
    def busy(self) -> bool:
        """Whether it will change soon."""
        ...


@dataclass(frozen=True)
class Reading:
    """A page as it was `at` that time (UNIX seconds), None if it was not read yet, and the present error.

    `missing` says that the app or deployment does not exist.
    """

    page: Page | None
    trouble: str = ""
    missing: bool = False
    at: float = field(default=0.0, compare=False)


def read_once(read: Callable[[], Page], before: Reading | None = None) -> Reading:
    """A new reading, or the last one together with the present error."""
    try:
        return Reading(read(), at=time.time())
    except Trouble as trouble:
        return _not_read(before, trouble.message, missing=trouble.exit_code == Exit.NO_SUCH_THING)
    except Exception:
        # An error in one page must not end the thread.
        traceback.print_exc()
        return _not_read(before, FAULT)


def _not_read(before: Reading | None, trouble: str, *, missing: bool = False) -> Reading:
    page, at = (before.page, before.at) if before and not missing else (None, 0.0)
    return Reading(page, trouble, missing, at)


@dataclass
class _Watched:
    read: Callable[[], Page]
    watchers: int = 0
    reading: Reading | None = None
    version: int = 0
    read_at: float = 0.0
    pulse: object = None

    def is_due(self, pulse: object, now: float) -> bool:
        """Whether it must be read again."""
        if self.reading is None or now - self.read_at >= QUIET_EVERY:
            return True
        return pulse != self.pulse or bool(self.reading.page and self.reading.page.busy)


class Poller:
    """One thread that reads each open page: at once, and then as often as it may change.

    `pulse` is a cheap call whose result changes with every push. While no page is open, nothing is read.
    """

    def __init__(self, pulse: Callable[[], object]) -> None:
        self._pulse = pulse
        self._pages: dict[Hashable, _Watched] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def close(self) -> None:
        """Stop reading."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join()

    @property
    def watchers(self) -> int:
        """The number of open pages."""
        with self._changed:
            return sum(each.watchers for each in self._pages.values())

    @contextmanager
    def watching(self, key: Hashable, read: Callable[[], Page]) -> Iterator[Callable[[], Reading | None]]:
        """A function that waits for the next reading of a page; the first one is the present state.

        If nothing changes, it returns None now and then.
        """
        with self._changed:
            watched = self._pages.setdefault(key, _Watched(read))
            watched.watchers += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="poller")
                self._thread.start()
            self._changed.notify_all()
        seen = 0

        def next_reading() -> Reading | None:
            nonlocal seen
            with self._changed:
                changed = self._changed.wait_for(lambda: watched.version > seen, timeout=HEARTBEAT)
                seen = watched.version
                return watched.reading if changed else None

        try:
            yield next_reading
        finally:
            with self._changed:
                watched.watchers -= 1
                if not watched.watchers:
                    del self._pages[key]

    def _run(self) -> None:
        while not self._closed:
            with self._changed:
                self._changed.wait_for(lambda: self._pages or self._closed)
            if not self._closed:
                self._look()
            with self._changed:
                # Not for the first visitor of a page, for whom it is read at once.
                self._changed.wait_for(self._is_needed, timeout=LOOK_EVERY)

    def _is_needed(self) -> bool:
        return self._closed or any(each.reading is None for each in self._pages.values())

    def _look(self) -> None:
        try:
            pulse = self._pulse()
        except Exception:
            # The pages get the same error, and show it.
            pulse = None
        with self._changed:
            pages = list(self._pages.values())
        for watched in pages:
            if not watched.is_due(pulse, time.monotonic()):
                continue
            reading = read_once(watched.read, watched.reading)
            with self._changed:
                if reading != watched.reading:
                    watched.version += 1
                watched.reading, watched.pulse, watched.read_at = reading, pulse, time.monotonic()
                self._changed.notify_all()
