"""The lifetime of apps."""

from collections.abc import Iterable
from datetime import UTC, datetime

from deployer.domain import patterns

CUT = "Its label portcall.expires is longer than this install allows for a preview (MaxPreviewHours)."


def is_preview(app: str, lasting_tags: Iterable[str]) -> bool:
    """Whether an app is a preview: its name is `<repository>:<tag>`, and the tag is not in LastingTags.

    This also holds for an app from before a change to Environments=repository.
    """
    _, _, tag = app.partition(":")
    return bool(tag) and not patterns.match(tag, lasting_tags)


def until(now: float, *, asked: int | None, preview: bool, hours: int, most_hours: int) -> int:
    """When an app that goes live `now` ends, both in UNIX seconds; 0 is never.

    `asked` is the label of its image, in seconds: 0 for never, None if it is not set. Without it, previews end
    after `hours` (0 for never), and other apps never. `most_hours` is the most that a preview may ask for, 0
    for no limit.
    """
    seconds = hours * 3600 if asked is None and preview else asked or 0
    if preview and is_cut(asked, hours=hours, most_hours=most_hours):
        seconds = max(hours, most_hours) * 3600
    return int(now) + seconds if seconds else 0


def is_cut(asked: int | None, *, hours: int, most_hours: int) -> bool:
    """Whether a preview asks for more time than allowed; the default `hours` are always allowed."""
    if asked is None or not hours or not most_hours:
        return False
    return asked == 0 or asked > max(hours, most_hours) * 3600


def moment(at: int) -> str:
    """`2026-11-26 13:00 UTC` for UNIX seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def note(until: int, *, preview: bool, cut: bool = False) -> list[str]:
    """The line in an app's mail about its end; `cut` says that its image asked for more time."""
    tag = "its tag is deleted" if preview else ""
    time = f"at {moment(until)}" if until else ""
    if preview:
        ends = f"It is a preview: it ends {time + ', or when ' if time else 'when '}{tag}."
        return [ends, CUT] if cut else [ends]
    return [f"It ends {time}, because its label portcall.expires says so."] if until else []
