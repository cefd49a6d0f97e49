"""How long each phase took, from the times that the steps left in the workflow's document."""

from datetime import datetime
from typing import Any

# (name in the mail, key of the step that ends the phase)
PHASES = (
    ("admit", "admission"),
    ("read", "image"),
    ("scan", "findings"),
    ("register", "taskDefinition"),
    ("run", "task"),
    ("start", "running"),
    ("address", "endpoint"),
    ("answer", "health"),
)


def phases(document: dict[str, Any], until: float | None = None) -> list[tuple[str, float]]:
    """(name, seconds) of each phase that ended, beginning with the push; `at` is in UNIX seconds.

    `until` is when the deployment failed: the phase in which it did is told too. The event's own time has no
    fractions of a second, so the first phase is right to a second.
    """
    gated = bool((document.get("image") or {}).get("gated"))
    left_out = {"findings"} if not gated else set()
    if "restart" in document:
        left_out = {"image", "findings"}
    passed = [(name, key) for name, key in PHASES if key not in left_out]
    ends = [(document.get(key) or {}).get("at") for _, key in passed]
    came = max((number for number, at in enumerate(ends, 1) if at is not None), default=0)
    if until is not None and came < len(passed):
        ends[came] = until
    before = datetime.fromisoformat(str(document["time"]).replace("Z", "+00:00")).timestamp()
    told = []
    for (name, _), at in zip(passed, ends, strict=True):
        if at is not None:
            told.append((name, max(0.0, at - before)))
            before = at
    return told
