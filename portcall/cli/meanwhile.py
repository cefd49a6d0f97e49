"""Work beside other work: its phases are shown once somebody waits for it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Generic, TypeVar

T = TypeVar("T")
Progress = Callable[[str], None]
LOOK_EVERY_SECONDS = 0.1


class Meanwhile(Generic[T]):
    """Calls `work` in a thread of its own, with a function that takes the name of each phase."""

    def __init__(self, work: Callable[[Progress], T]) -> None:
        self._phase = ""
        pool = ThreadPoolExecutor(1)
        self._future = pool.submit(work, self._note)
        pool.shutdown(wait=False)

    def _note(self, phase: str) -> None:
        self._phase = phase

    def result(self, progress: Progress) -> T:
        """Wait until it has ended, and show its phase meanwhile. Raises what it raised."""
        while not wait([self._future], timeout=LOOK_EVERY_SECONDS).done:
            if self._phase:
                progress(self._phase)
        return self._future.result()
