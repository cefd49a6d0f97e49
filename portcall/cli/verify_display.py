"""How `portcall verify-aws` shows its checks: one line each."""

from rich.status import Status
from rich.text import Text

from portcall.core.terminal import Terminal
from portcall.verify import state
from portcall.verify.check import Check

MARKS = {
    state.SAME: Text("✓", style="green"),
    state.DIFFERENT: Text("≠", style="yellow"),
    state.FAILED: Text("✗", style="red"),
    state.NOT_RUN: Text("-", style="dim"),
}


class Display:
    """One line per check: a spinner on a terminal, and the result when it ends."""

    def __init__(self, console: Terminal) -> None:
        self._console = console
        self._status: Status | None = None
        self._check = ""

    def begin(self, check: Check) -> None:
        """A check begins."""
        self._check = check.name
        self.say("")

    def say(self, phase: str) -> None:
        """Show what is being done."""
        words = ": ".join(filter(None, (self._check, phase)))
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status("")
            self._status.start()
        self._status.update(Text(f"{words} …"))

    def end(self, check: Check, result: state.Result) -> None:
        """A check ends."""
        self.pause()
        first = result.observed.strip().partition("\n")[0]
        took = Text(f"{check.name:<28} {result.seconds:5.0f} s  {result.verdict}", style="bold")
        self._console.print(MARKS[result.verdict], took, "", first, soft_wrap=True)

    def pause(self) -> None:
        """Stop the spinner."""
        if self._status:
            self._status.stop()
            self._status = None
        self._check = ""
