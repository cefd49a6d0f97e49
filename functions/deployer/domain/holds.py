"""What holds an app's pushes back: the app is stopped, or pinned to a version."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from deployer.domain.deployment import Current, Deployment, Pin, Stop
from deployer.domain.operation import RESUME, ROLLBACK
from deployer.domain.text import printable

# The reasons of an app that is being started and not up yet, and of one that has ended.
STARTED = "It was stopped, and the deployment that was started since is not live."
ENDED = "It was ended"


def pin_of(seen: Current | None, digest: str, asked: dict[str, Any], *, restart: bool = False) -> Pin | None:
    """The pin after a deployment of this digest has replaced `seen`, None if there is none then.

    `asked` is the operator's request, {} for a push. A push of another version that may go live ends the pin.
    """
    before = seen.pin if seen else None
    if asked.get("action") == ROLLBACK:
        bad = [*(before.bad if before else []), asked["from"], *([seen.digest] if seen else [])]
        return Pin(
            digest,
            [each for each in dict.fromkeys(bad) if each != digest],
            asked.get("reason", ""),
            asked.get("by", ""),
            int(asked["at"]),
        )
    if before is None or asked.get("action") == RESUME:
        return None
    return before if restart or digest == before.digest else None


def why_not(
    digest: str, current: Current | None, open_ones: Sequence[Deployment], asked: dict[str, Any]
) -> str:
    """Why the newest push, with this digest, is not deployed, '' if it is.

    `open_ones` are the app's deployments in progress: a rollback counts from the moment of the request.
    """
    if current is None or current.ended:
        return ""
    if current.stop:
        return f"The app is stopped{said_by(current.stop)}"
    if asked.get("action") in (ROLLBACK, RESUME):
        return ""
    rollbacks = [each.asked for each in open_ones if each.to_come and each.asked.get("action") == ROLLBACK]
    for each in rollbacks:
        if digest == each["from"]:
            return f"This version is being rolled back{_said(each['by'], int(each['at']), each['reason'])}"
    if current.pin and digest in current.pin.bad:
        return f"This version was rolled back{said_by(current.pin)}"
    return ""


def said_by(hold: Pin | Stop) -> str:
    """Who asked for it, when, and why; the end of a sentence."""
    return _said(hold.by, hold.at, hold.reason)


def _said(by: str, at: int, reason: str) -> str:
    who = f", requested by {who_asked(by)}" if by else ""
    when = f" at {datetime.fromtimestamp(at, UTC).strftime('%Y-%m-%d %H:%M UTC')}" if at else ""
    why = printable(reason).strip()
    if not why:
        return f"{who}{when}."
    return f"{who}{when}: {why}" + ("" if why.endswith((".", "!", "?")) else ".")


def who_asked(by: str) -> str:
    """The name that the operator gave, which nobody has checked."""
    return f"{printable(by)} (not verified)"


def note(current: Current | None) -> list[str]:
    """The line about the pin in every mail about the app."""
    if current is None or current.pin is None or current.ended:
        return []
    digest = current.pin.digest
    return [f"Pinned to {digest} by a rollback{said_by(current.pin)}"]
