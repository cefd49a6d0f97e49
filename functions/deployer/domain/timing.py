"""How long each phase took, from the times in the workflow's document."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

# (name in the mail, key of the step that ends the phase, and of the time at which it does)
PHASES = (
    ("admit", "admission", "at"),
    ("read", "image", "at"),
    ("scan", "findings", "at"),
    ("register", "taskDefinition", "at"),
    ("run", "task", "at"),
    # Fargate's own, by its own times: where those are missing, `start` is all of it.
    ("schedule", "running", "pullStartedAt"),
    ("pull", "running", "pullStoppedAt"),
    ("start", "running", "at"),
    ("address", "endpoint", "at"),
    ("answer", "health", "at"),
    ("move", "stableUrl", "at"),
)
NAMES = tuple(name for name, _, _ in PHASES)


def phases(document: Mapping[str, Any], until: float | None = None) -> list[tuple[str, float]]:
    """(name, seconds) of each phase that ended, beginning with the push; `at` is in UNIX seconds.

    `until` is when the deployment failed: the phase in which it did is included. The event's own time has no
    fractions of a second, so the first phase is right to a second.
    """
    left_out = _left_out(document)
    passed = [(name, key, time) for name, key, time in PHASES if name not in left_out]
    ends = [(document.get(key) or {}).get(time) for _, key, time in passed]
    came = max((number for number, at in enumerate(ends, 1) if at is not None), default=0)
    if until is not None and came < len(passed):
        ends[came] = until
    before = datetime.fromisoformat(str(document["time"]).replace("Z", "+00:00")).timestamp()
    ended = []
    for (name, _, _), at in zip(passed, ends, strict=True):
        if at is not None:
            ended.append((name, max(0.0, at - before)))
            before = max(before, at)
    return ended


def _left_out(document: Mapping[str, Any]) -> set[str]:
    """The phases that this deployment skips, or that are not known separately."""
    gated = (document.get("image") or {}).get("gated")
    moves = (document.get("switch") or {}).get("result") == "moved"
    task = document.get("running") or {}
    apart = "pullStartedAt" in task and ("pullStoppedAt" in task or "at" not in task)
    goes = {"scan": gated, "move": moves, "schedule": apart, "pull": apart}
    return {name for name, through in goes.items() if not through}


def span(seconds: float) -> str:
    """`12 s`, `5 min`, `2 h` or `3 d`; a unit is used from 2 on."""
    whole = max(0, int(seconds))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
