"""Shows CloudFormation's progress: a live table on a terminal, elsewhere a line per resource."""

import time
from collections.abc import Sequence
from types import TracebackType

from rich.live import Live
from rich.table import Table
from rich.text import Text

from portcall.cli.options import say
from portcall.core.terminal import Terminal, done
from portcall.installer.changes import STACK, Change, Event

MOST_ROWS = 12
VERBS = {"CREATE": "created", "UPDATE": "updated", "DELETE": "deleted"}


class StackTable:
    """Use it in a `with`, and call it with each event."""

    def __init__(self, what: str, expected: int = 0) -> None:
        self._console = Terminal(stderr=True)
        self._what, self._expected = what, expected
        self._began: dict[str, Event] = {}
        self._ended = 0
        self._start = time.monotonic()
        self._live = Live(self._table(), console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> "StackTable":
        if self._console.is_terminal:
            self._live.start()
        else:
            say(f"{self._what} ...")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        action, _, state = event.status.partition("_")
        if event.kind != STACK:
            self._note(event, action, state)
        if self._console.is_terminal:
            self._live.update(self._table())

    def _note(self, event: Event, action: str, state: str) -> None:
        if state == "IN_PROGRESS":
            self._began.setdefault(event.name, event)
            return
        began = self._began.pop(event.name, event)
        self._ended += 1
        if event.failed:
            self._console.print(done(ok=False), f"{event.name}  {event.kind}: {event.reason}", soft_wrap=True)
        elif not self._console.is_terminal and state == "COMPLETE":
            seconds = max(0.0, event.at - began.at)
            now, verb = time.strftime("%H:%M:%S"), VERBS.get(action, action.lower())
            say(f"{now} {verb} {event.name} ({event.kind}), {seconds:.0f} s")

    def _table(self) -> Table:
        of = f" of {self._expected}" if self._expected else ""
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_row(Text(f"{self._what}: {self._ended}{of} done, {time.monotonic() - self._start:.0f} s"))
        for name, event in list(self._began.items())[-MOST_ROWS:]:
            table.add_row(Text("◐ ", style="yellow") + Text(f"{name}  ") + Text(event.kind, style="dim"))
        return table


def show_changes(changes: Sequence[Change]) -> None:
    """Print created resources by type; changed, replaced and removed ones by name."""
    created: dict[str, int] = {}
    for each in changes:
        if each.action == "Add":
            created[each.kind] = created.get(each.kind, 0) + 1
    if created:
        say(f"Creates {sum(created.values())} resources:")
        for kind, number in sorted(created.items()):
            say(f"  {number:3} {kind}")
    for action, title in (("Modify", "Changes"), ("Remove", "Removes")):
        found = [each for each in changes if each.action == action]
        if found:
            say(f"{title}:")
        for each in sorted(found, key=lambda each: each.name):
            say(f"  {each.name} ({each.kind})" + (": may be replaced by another one" if each.replaced else ""))
