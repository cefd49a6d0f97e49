"""Filters and functions of the templates: escaped text, times, durations."""

from datetime import UTC, datetime
from typing import Any

from deployer.domain.text import plain
from flask import Flask, url_for
from markupsafe import Markup

from portcall.console.logs import SPANS
from portcall.console.pages import phases, took
from portcall.console.source import Source
from portcall.core.states import seconds_of, who_asked

MARKS = {"live": "●", "deployed": "●", "deploying": "◐", "failed": "✗", "down": "○"}


def prepare(app: Flask, source: Source, *, read_only: bool) -> None:
    """Add the filters and functions to the templates."""
    jinja = app.jinja_env
    jinja.trim_blocks = jinja.lstrip_blocks = True
    # Each expression passes here, and then Jinja escapes it, so a name or log line is always plain text.
    jinja.finalize = _text
    jinja.filters.update(
        time=moment,
        age=age,
        url=web_address,
        mark=mark,
        short=short,
        shortened=shortened,
        took=took,
        phases=phases,
        who=who_asked,
    )
    jinja.globals.update(app_url=app_url, deployment_url=deployment_url, spans=SPANS)

    @app.context_processor
    def _where() -> dict[str, Any]:
        return {"source": source, "read_only": read_only}


def _text(value: Any) -> Any:
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def app_url(app: str) -> str:
    """An app's page."""
    return url_for("page.app", app=app)


def deployment_url(app: str, deployment: str) -> str:
    """A deployment's page."""
    return url_for("page.deployment", name=deployment, app=app)


def unix(time: str | float) -> float:
    """UNIX seconds, from such or from an ISO 8601 time; 0 if it is neither."""
    return seconds_of(time) if isinstance(time, str) else time


def moment(time: str | float) -> Markup:
    """A time, which the browser shows in its own zone; '' if there is none."""
    return _time(unix(time), "moment")


def age(time: str | float) -> Markup:
    """How long ago a time was, which the browser keeps up to date; '' if there is none."""
    return _time(unix(time), "age")


def _time(seconds: float, kind: str) -> Markup:
    if not seconds:
        return Markup()
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return Markup()
    iso = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said = at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time class="{}" datetime="{}">{}</time>').format(kind, iso, said)


def web_address(url: str) -> str:
    """The URL if a browser can open it, else ''."""
    return url if url.startswith(("http://", "https://")) else ""


def mark(state: str) -> str:
    """The symbol before a state: decoration, because the word says the same."""
    return MARKS.get(state, "○" if state in ("stopped", "ended") else "·")


def short(seconds: float) -> str:
    """`0.4 s`, `12 s` or `2 min 5 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def shortened(digest: str) -> str:
    """`83fd54b`."""
    return digest.removeprefix("sha256:")[:7]
