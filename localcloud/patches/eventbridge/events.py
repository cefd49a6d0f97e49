"""Delivers events of ``aws.*`` sources.

MiniStack: accepts events only by PutEvents, which refuses these over the wire.
AWS: refuses them over the wire as well; its services send them internally.
    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
Upstream: none known
Kind: core
"""

from __future__ import annotations

import contextvars
import json
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from ministack.services import eventbridge

from localcloud.options import Settings

log = logging.getLogger("portcall.events")

# One queue and one thread: events of one task or image must arrive in order, and no push and no container start
# may wait for the rules' targets.
_stopped = threading.Event()
_pending: queue.SimpleQueue[tuple[contextvars.Context, dict[str, Any]]] = queue.SimpleQueue()


def _at_once() -> float:
    return 0.0


# How many seconds after it happened an event is delivered.
delay: Callable[[], float] = _at_once


def prepare(settings: Settings) -> None:
    threading.Thread(target=_deliver_for_ever, daemon=True, name="portcall-events").start()


def stop() -> None:
    """Deliver no more events: the tasks that stop with the cloud need no events."""
    _stopped.set()


def publish(*, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
    """Queue one event for the default bus, in the account and region of the calling context."""
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": resources}
    item = (contextvars.copy_context(), entry)
    seconds = delay()
    if seconds:
        timer = threading.Timer(seconds, _pending.put, (item,))
        timer.daemon = True
        timer.start()
    else:
        _pending.put(item)


def _deliver_for_ever() -> None:
    while True:
        context, entry = _pending.get()
        if _stopped.is_set():
            continue
        try:
            context.run(eventbridge._put_events, {"Entries": [entry]}, allow_aws_source=True)
        except Exception:
            log.exception("could not deliver an event of %s", entry["Source"])
