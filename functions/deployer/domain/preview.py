"""How long an app lives."""

from datetime import UTC, datetime


def until(now: float, *, asked: int | None, preview: bool, hours: int) -> int:
    """When an app that goes live `now` ends, both in UNIX seconds; 0 is never.

    `asked` is what its image says, in seconds: 0 for never, None where it says nothing. Then previews end
    after `hours`, 0 for never, and other apps do not.
    """
    seconds = hours * 3600 if asked is None and preview else asked or 0
    return int(now) + seconds if seconds else 0


def moment(at: int) -> str:
    """`2026-11-26 13:00 UTC` for UNIX seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def note(until: int, *, preview: bool) -> list[str]:
    """What the mail of an app says of its end."""
    tag = "its tag is deleted" if preview else ""
    time = f"at {moment(until)}" if until else ""
    if preview:
        return [f"It is a preview: it ends {time + ', or when ' if time else 'when '}{tag}."]
    return [f"It ends {time}, as its image asks."] if until else []
