"""The HTML of the dashboard's widgets: no scripts, and text of other people is escaped.

CloudWatch adds its own style and removes scripts:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_about.html
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

from deployer.domain import timing
from deployer.domain.app_status import TROUBLE_FIRST, AppStatus, version
from deployer.domain.deployment import DEPLOYED, FAILED, Deployment
from deployer.domain.text import plain

APPS, DEPLOYMENTS, PHASES, APP = "apps", "deployments", "phases", "app"
MAX_FAILURES = 10
MARKS = {"live": "●", "deployed": "●", "deploying": "◐", "failed": "✗", "down": "○"}
# Colours with a contrast of at least 4.5 on CloudWatch's white and dark blue.
COLOURS = {
    "light": {"good": "#1a7f37", "busy": "#9a6700", "bad": "#c62828", "calm": "#5a6472"},
    "dark": {"good": "#56d364", "busy": "#e3b341", "bad": "#ff8a80", "calm": "#a0a9b6"},
}
MOODS = {"live": "good", "deployed": "good", "deploying": "busy", "failed": "bad", "down": "bad"}
DOCUMENTATION = f"""\
## Portcall
Shows what Portcall's ledger knows, and changes nothing.

### Parameters
Param | Description
---|---
**widget** | `{APPS}`, `{DEPLOYMENTS}`, `{PHASES}`, or `{APP}` for the history of one app
**app** | The name of the app, with `widget: {APP}`

### Example
``` yaml
widget: {APPS}
```"""


@dataclass(frozen=True)
class Look:
    """How to draw a widget: CloudWatch's `theme` (`light` or `dark`) and the time in UNIX seconds.

    `endpoint` is the ARN of the function that shows an app's history, '' for none.
    """

    theme: str
    now: float
    endpoint: str = ""

    def state(self, word: str) -> str:
        """A state with its coloured mark."""
        colour = COLOURS.get(self.theme, COLOURS["light"])[MOODS.get(word, "calm")]
        return f'<span style="color:{colour};white-space:nowrap">{MARKS.get(word, "○")} {_text(word)}</span>'

    def since(self, seconds: float) -> str:
        """`5 min ago`, '' if that is not known."""
        if not seconds:
            return ""
        return f'<span style="white-space:nowrap">{timing.span(self.now - seconds)} ago</span>'

    def app(self, name: str) -> str:
        """An app's name. If there is a function to call, a click on it opens the app's history."""
        if not self.endpoint:
            return _text(name)
        call = escape(json.dumps({"widget": APP, "app": name}), quote=False)
        return (
            f'<a title="History">{_text(name)}</a>'
            f'<cwdb-action action="call" display="popup" endpoint="{_text(self.endpoint)}">{call}</cwdb-action>'
        )


def apps(statuses: Iterable[AppStatus], look: Look) -> str:
    """All apps; those that need attention come first."""
    known = sorted(statuses, key=lambda each: (TROUBLE_FIRST.index(each.state), each.app))
    if not known:
        return "<p>No apps yet. Push an image to create one.</p>"
    trouble = sum(each.needs_a_look for each in known)
    counts = Counter(each.state for each in known)
    said = " ".join(f"{number} {look.state(word)}" for word, number in counts.items())
    heading = (
        f"{trouble} of {len(known)} {'needs' if trouble == 1 else 'need'} attention"
        if trouble
        else "Nothing is wrong"
    )
    rows = [
        (
            look.app(each.app),
            look.state(each.state),
            _version(each.shown),
            look.since(each.since),
            f"{_link(each.url)}{_note(each.note)}",
        )
        for each in known
    ]
    return f"<h3>{heading}</h3><p>{said}</p>{_table(('App', 'State', 'Version', 'Since', 'URL'), rows)}"


def deployments(known: Iterable[tuple[str, Deployment]], look: Look) -> str:
    """For (app, deployment) pairs: those in progress, and the last failures, the newest first."""
    newest = sorted(known, key=lambda pair: pair[1].order, reverse=True)
    going = [(look.app(app), _version(each), look.since(each.began_at)) for app, each in newest if each.to_come]
    failed = [
        (look.app(app), _version(each), look.since(each.ended_at), _why(each))
        for app, each in newest
        if each.outcome == FAILED
    ][:MAX_FAILURES]
    return (
        "<h3>In progress</h3>"
        + (_table(("App", "Version", "Began"), going) if going else "<p>Nothing.</p>")
        + "<h3>Last pushes that failed</h3>"
        + (_table(("App", "Version", "Failed", "Why"), failed) if failed else "<p>None.</p>")
        + "<p>Choose an app for its history, with older failures.</p>"
    )


def phases(known: Iterable[tuple[str, Deployment]], look: Look) -> str:
    """For (app, deployment) pairs: the seconds of each phase, in each app's last deployment that went live."""
    oldest_first = sorted(known, key=lambda pair: pair[1].order)
    last = {app: each.phases for app, each in oldest_first if each.outcome == DEPLOYED and each.phases}
    live = list(last.values())
    if not live:
        return "<p>No app went live yet.</p>"
    took = {
        name: found for name in timing.NAMES if (found := [float(each[name]) for each in live if name in each])
    }
    longest = max(max(map(median, took.values())), 0.001)
    rows = [
        (
            _text(name),
            f"{median(found):.1f} s",
            f"{max(found):.1f} s",
            _bar(median(found) / longest, look.theme),
        )
        for name, found in took.items()
    ]
    count = f"{len(live)} {'app' if len(live) == 1 else 'apps'}"
    return f"<p>The last deployment of {count}.</p>{_table(('Phase', 'Median', 'Slowest', ''), rows)}"


def history(app: str, known: Sequence[Deployment], look: Look) -> str:
    """The last deployments of an app, in the order given."""
    if not known:
        return f"<p>No deployment of {_text(app)} is kept.</p>"
    rows = [
        (_text(each.time), _version(each), look.state(each.outcome or "deploying"), _why(each))
        for each in known
    ]
    return f"<h3>{_text(app)}</h3>{_table(('Pushed', 'Version', 'Outcome', 'Why'), rows)}"


def trouble(reason: str) -> str:
    """The error that is shown instead of a widget."""
    return f"<p>The ledger could not be read: {_text(reason)} Refresh the dashboard to try again.</p>"


def _text(text: str) -> str:
    return escape(plain(text))


def _version(shown: object) -> str:
    tag, digest = getattr(shown, "tag", ""), getattr(shown, "digest", "")
    return _text(version(tag, digest))


def _link(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        return _text(url)
    return f'<a href="{_text(url)}" target="_blank" rel="noreferrer noopener">{_text(url)}</a>'


def _note(note: str) -> str:
    return f"<div>{_text(note)}</div>" if note else ""


def _why(each: Deployment) -> str:
    reason = each.reason.partition("\n")[0]
    return f"{_text(reason)}{_note(each.hint)}"


def _bar(share: float, theme: str) -> str:
    colour = COLOURS.get(theme, COLOURS["light"])["good"]
    return (
        '<svg width="80" height="8" viewBox="0 0 120 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{max(1.0, 120 * share):.1f}" height="8" fill="{colour}"/></svg>'
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{title}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table style="width:100%"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
