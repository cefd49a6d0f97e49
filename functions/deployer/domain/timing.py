"""How long each phase took, from the times that the steps left in the workflow's document."""

from datetime import datetime
from typing import Any

# (name in the mail, key of the step that ends the phase)
PHASES = (
    ("admit", "admission"),
    ("read", "image"),
    ("register", "taskDefinition"),
    ("run", "task"),
    ("start", "running"),
    ("address", "endpoint"),
    ("answer", "health"),
    ("move", "address"),
)


def phases(document: dict[str, Any]) -> list[tuple[str, float]]:
    """(name, seconds) of each phase that ended, beginning with the push; `at` is in UNIX seconds.

    The event's own time has no fractions of a second, so the first phase is right to a second.
    """
    before = datetime.fromisoformat(str(document["time"]).replace("Z", "+00:00")).timestamp()
    ended = []
    for name, key in PHASES:
        at = (document.get(key) or {}).get("at")
        if at is not None:
            ended.append((name, max(0.0, at - before)))
            before = at
    return ended
