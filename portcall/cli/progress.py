"""Shows each phase and how long it takes, so that the terminal is never silent for long."""

import time
from types import TracebackType

from rich.status import Status
from rich.text import Text

from portcall.core.terminal import Terminal, done, plain


class Progress:
    """Use it in a `with`, and call it with each phase's name; this ends the phase before.

    On a terminal there is a spinner. Elsewhere the name is written when a phase begins, and its time when it
    ends.
    """

    def __init__(self, console: Terminal) -> None:
        self.console = console
        self._phase = ""
        self._began = 0.0
        self._status: Status | None = None

    def __call__(self, phase: str) -> None:
        if self._phase and phase.partition(" (")[0] == self._phase.partition(" (")[0]:
            # More detail of the same phase: "Pulling python:3.13-slim (12 of 48 MB)".
            self._phase = phase
            if self._status:
                self._status.update(Text(plain(f"{phase} …")))
            return
        self._end(ok=True)
        self._phase, self._began = phase, time.monotonic()
        if self.console.is_terminal:
            self._status = self.console.status(Text(plain(f"{phase} …")))
            self._status.start()
        else:
            self.console.print(f"  {phase} … ", end="", soft_wrap=True)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(ok=kind is None)

    def _end(self, *, ok: bool) -> None:
        if not self._phase:
            return
        seconds = Text(f"{time.monotonic() - self._began:.1f} s", style="dim")
        if self._status:
            self._status.stop()
            self._status = None
            self.console.print(done(ok), self._phase, seconds, soft_wrap=True)
        else:
            self.console.print(done(ok), seconds)
        self._phase = ""
