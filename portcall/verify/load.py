"""Sends requests to a URL continuously, and counts failures."""

import threading
import time
from collections.abc import Callable
from types import TracebackType

EVERY = 0.1


class Load:
    """Use it in a `with`: sends ten requests a second. `ask` returns the status and the app's version."""

    def __init__(self, ask: Callable[[], tuple[int, str]]) -> None:
        self._ask = ask
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.asked = 0
        self.failed: list[str] = []
        self.longest = 0.0
        self.versions: list[str] = []

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def __str__(self) -> str:
        turns = sum(a != b for a, b in zip(self.versions, self.versions[1:], strict=False))
        return (
            f"{len(self.failed)} of {self.asked} requests failed {sorted(set(self.failed)) or ''}, "
            f"the slowest took {self.longest:.1f} s, the version that answered changed {turns} times"
        )

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            began = time.monotonic()
            try:
                status, version = self._ask()
                if status >= 500:
                    self.failed.append(str(status))
                else:
                    self.versions.append(version)
            except OSError as error:
                self.failed.append(type(error).__name__)
            self.asked += 1
            self.longest = max(self.longest, time.monotonic() - began)
