"""How long an app lives."""

from collections.abc import Iterable
from datetime import UTC, datetime

from deployer.domain import patterns

CUT = "Its label portcall.expires is longer than this installation allows for a preview (MaxPreviewHours)."


def is_preview(app: str, lasting_tags: Iterable[str]) -> bool:
    """Whether an app, `<repository>:<tag>` where its tag is an app of its own, is not for ever.

    An app stays what it is where tags are no apps of their own any more.
    """
    _, _, tag = app.partition(":")
    return bool(tag) and not patterns.match(tag, lasting_tags)


def until(now: float, *, asked: int | None, preview: bool, hours: int, most_hours: int) -> int:
    """When an app that goes live `now` ends, both in UNIX seconds; 0 is never.

    `asked` is what its image says, in seconds: 0 for never, None where it says nothing. Then previews end
    after `hours`, 0 for never, and other apps do not. `most_hours` is the most that a preview may ask for, 0
    for any time.
    """
    seconds = hours * 3600 if asked is None and preview else asked or 0
    if preview and is_cut(asked, hours=hours, most_hours=most_hours):
        seconds = max(hours, most_hours) * 3600
    return int(now) + seconds if seconds else 0


def is_cut(asked: int | None, *, hours: int, most_hours: int) -> bool:
    """Whether a preview asks for more than it may have; `hours`, which all get, it may have in any case."""
    if asked is None or not hours or not most_hours:
        return False
    return asked == 0 or asked > max(hours, most_hours) * 3600


def moment(at: int) -> str:
    """`2026-11-26 13:00 UTC` for UNIX seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def note(until: int, *, preview: bool, cut: bool = False) -> list[str]:
    """What the mail of an app says of its end; `cut` says that its image asked for more."""
    tag = "its tag is deleted" if preview else ""
    time = f"at {moment(until)}" if until else ""
    if preview:
        ends = f"It is a preview: it ends {time + ', or when ' if time else 'when '}{tag}."
        return [ends, CUT] if cut else [ends]
    return [f"It ends {time}, because its label portcall.expires says so."] if until else []
