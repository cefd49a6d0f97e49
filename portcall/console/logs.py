"""An app's log, live, across versions."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from deployer.domain.text import plain

from portcall.console.source import Source
from portcall.core import reading
from portcall.core.trouble import Trouble

# Lines on the page, and in a message.
MOST_LINES = 1000
FIRST_LINES = 300
DOWNLOAD_LINES = 10_000
# Names of time spans, and their seconds.
SPANS = {"15 min": 900, "1 h": 3600, "1 day": 86400}
# Seconds between two reads of the log, and reads between two checks for a newer version.
LOOK_EVERY = 1.0
LOOKS_A_VERSION = 3


@dataclass(frozen=True)
class LogPage:
    """An app's last lines, oldest first, and their version. Without a task there is no log."""

    app: str
    task: str
    version: str
    lines: list[str] = field(default_factory=list)
    busy = False


def log_page(source: Source, app: str, lines: int, since: int = 0) -> LogPage:
    """Read the log; `since` is in UNIX seconds, 0 for no limit. Raises Trouble."""

    def ask(target: Any) -> LogPage:
        task, version = reading.log_source(reading.app_status(target, app))
        written = reading.last_lines(target, app, task, lines, since) if task else []
        return LogPage(app, task, version, written)

    return source.ask(ask)


def follow(source: Source, app: str, lines: int, since: int = 0) -> Iterator[dict[str, Any]]:
    """The changes of the log: first all lines, then new ones; {} if there are none.

    `reset` says that these are all lines, `version` that the following lines are of another version, `trouble`
    is an error, or '' once it has passed.
    """
    task, token, look, first, wrong = "", "", 0, True, False
    while True:
        try:
            said: dict[str, Any] = {}
            if look % LOOKS_A_VERSION == 0:
                status = source.ask(lambda target: reading.app_status(target, app))
                newest, version = reading.log_source(status)
                if newest and newest != task:
                    last = _newer(source, app, task, token, lines, since)[0] if task else []
                    task, token = newest, ""
                    said = {"version": version, "before": last}
            found, token = _newer(source, app, task, token, lines, since) if task else ([], "")
            said |= {"lines": found} if found or said else {}
            said |= {"reset": True} if first else {}
            said |= {"trouble": ""} if wrong else {}
            first = wrong = False
        except Trouble as trouble:
            said, wrong = {"trouble": trouble.message}, True
        look += 1
        yield said
        time.sleep(LOOK_EVERY)


def _newer(source: Source, app: str, task: str, token: str, lines: int, since: int) -> tuple[list[str], str]:
    found, after = source.ask(lambda target: reading.newer_lines(target, app, task, token, lines, since))
    return found[-MOST_LINES:], after


def message(said: dict[str, Any]) -> str:
    """A server-sent event with the text of other people, without control characters."""
    for name in ("before", "lines"):
        if name in said:
            said = {**said, name: [plain(line) for line in said[name]]}
    return f"data: {json.dumps(said)}\n\n" if said else ":\n\n"
