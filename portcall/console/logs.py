"""An app's log as it is written, from one version to the next."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from portcall.cli.terminal import plain
from portcall.console.source import Source
from portcall.desk import reading
from portcall.desk.trouble import Trouble

# As many are on the page, and in a message.
MOST_LINES = 1000
FIRST_LINES = 300
DOWNLOAD_LINES = 10_000
# Names of spans of time, and their seconds.
SPANS = {"15 min": 900, "1 h": 3600, "1 day": 86400}
# Seconds between two looks at the log, and looks between two at which version it is of.
LOOK_EVERY = 1.0
LOOKS_A_VERSION = 3


@dataclass(frozen=True)
class LogPage:
    """The last lines of an app, oldest first, and of which version; no task, no log."""

    app: str
    task: str
    version: str
    lines: list[str] = field(default_factory=list)
    busy = False


def log_page(source: Source, app: str, lines: int, since: int = 0) -> LogPage:
    """Raises Trouble. `since` is in UNIX seconds, 0 for as many lines as there are."""

    def ask(target: Any) -> LogPage:
        task, version = reading.log_source(reading.app_status(target, app))
        written = reading.last_lines(target, app, task, lines, since) if task else []
        return LogPage(app, task, version, written)

    return source.ask(ask)


def follow(source: Source, app: str, lines: int, since: int = 0) -> Iterator[dict[str, Any]]:
    """What is to be shown: first all that there is, then what is new; {} where nothing is.

    `reset` says that it is all, `version` that what follows is of another one, `trouble` what is wrong, '' for
    what was and is no more.
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
    """A server-sent event; what others wrote in it is text, without what a terminal would obey."""
    for name in ("before", "lines"):
        if name in said:
            said = {**said, name: [plain(line) for line in said[name]]}
    return f"data: {json.dumps(said)}\n\n" if said else ":\n\n"
