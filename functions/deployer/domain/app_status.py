"""The state of an app, from the ledger: what serves, and how the last push ended."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from deployer.domain import holds
from deployer.domain.deployment import (
    BY_HAND,
    DEPLOYED,
    DUPLICATE,
    ENDED,
    FAILED,
    IGNORED,
    SAME_IMAGE,
    SUPERSEDED,
    Current,
    Deployment,
    Pin,
    Stop,
)
from deployer.domain.text import plain

LIVE, DEPLOYING, DOWN, STOPPED = "live", "deploying", "down", "stopped"
# The order in which apps are shown; the first two need attention.
TROUBLE_FIRST = (DOWN, FAILED, DEPLOYING, LIVE, STOPPED, ENDED)
# Outcomes that say nothing about the state of the app.
OF_NO_CONSEQUENCE = {SUPERSEDED, DUPLICATE, IGNORED, SAME_IMAGE}
AGAIN = "It will be restarted within minutes."


@dataclass(frozen=True)
class AppStatus:
    """`state` is one of `live`, `deploying`, `failed`, `down`, `stopped`, `ended`.

    `serving` is the deployment that answers, None if none does. `latest` is the last push that counts, None if
    the ledger has none any more. `since` is in UNIX seconds, 0 if unknown. `note` is one more line for the
    reader.
    """

    app: str
    state: str
    serving: Current | None
    latest: Deployment | None
    since: int
    note: str = ""
    # What an operator asked for.
    pin: Pin | None = None
    stop: Stop | None = None

    @property
    def needs_a_look(self) -> bool:
        """Whether the app needs attention."""
        return self.state in TROUBLE_FIRST[:2]

    @property
    def shown(self) -> Current | Deployment | None:
        """The deployment that the state is about: the last push if in progress or failed, else `serving`."""
        return self.latest if self.state in (DEPLOYING, FAILED) or not self.serving else self.serving

    @property
    def url(self) -> str:
        """Where it answers, '' if it does not."""
        return self.serving.url if self.serving else ""


def status_of(app: str, current: Current | None, deployments: Iterable[Deployment]) -> AppStatus | None:
    """The state of an app; None if nothing was ever meant to run, e.g. for a repository of charts."""
    status = _status_of(app, current, deployments)
    pin = current.pin if current else None
    if status is None or pin is None:
        return status
    return replace(status, pin=pin, note=f"{status.note} {pinned(pin)}".strip())


def pinned(pin: Pin) -> str:
    """Who pinned it, when, and why."""
    return f"Pinned to {version('', pin.digest)} by a rollback{holds.said_by(pin)}"


def _status_of(app: str, current: Current | None, deployments: Iterable[Deployment]) -> AppStatus | None:
    known = sorted(deployments, key=lambda each: each.order, reverse=True)
    latest = next((each for each in known if each.outcome not in OF_NO_CONSEQUENCE and not each.restart), None)
    if current is None:
        return _without(app, latest)
    if current.stop and not current.ended:
        note = f"Stopped{holds.said_by(current.stop)}"
        return AppStatus(app, STOPPED, None, latest, current.stop.at, note, stop=current.stop)
    serving = current if answers(current) else None
    if latest and _is_newer(latest, current) and (latest.to_come or latest.outcome == FAILED):
        down = f"No version is running. {why_down(current)}"
        note = f"{version(serving.tag, serving.digest)} serves." if serving else down
        if latest.to_come:
            return AppStatus(app, DEPLOYING, serving, latest, latest.began_at, note)
        note = f"{_sentence(latest.reason)} {note}".strip()
        return AppStatus(app, FAILED, serving, latest, latest.ended_at, note)
    if current.ended:
        return AppStatus(app, ENDED, None, latest, 0, current.gave_up_reason)
    if current.gave_up_reason:
        stopped = current.gave_up_reason == BY_HAND
        since = current.gave_up_at or current.notified_at
        return AppStatus(app, STOPPED if stopped else DOWN, None, latest, since, why_down(current))
    if current.last_stop:
        under_way = any(each.restart and each.to_come for each in known)
        note = f"{_sentence(current.reason)} " + ("It is being restarted." if under_way else AGAIN)
        return AppStatus(app, DEPLOYING if under_way else DOWN, None, latest, 0, note)
    return AppStatus(app, LIVE, current, latest, seconds_of(current.since))


def _without(app: str, latest: Deployment | None) -> AppStatus | None:
    if latest is None:
        return None
    if latest.to_come:
        return AppStatus(app, DEPLOYING, None, latest, latest.began_at, "It is the first version.")
    if latest.outcome in (ENDED, DEPLOYED):
        # An app that was live and is not any more has ended, even if the record of its end is missing yet.
        return AppStatus(app, ENDED, None, latest, latest.ended_at, _sentence(latest.reason))
    note = f"{_sentence(latest.reason)} No version is running.".strip()
    return AppStatus(app, FAILED, None, latest, latest.ended_at, note)


def answers(current: Current) -> bool:
    """Whether the current deployment runs, as far as the ledger knows."""
    return not (current.last_stop or current.gave_up_reason or current.ended)


def _is_newer(latest: Deployment, current: Current) -> bool:
    """Whether a deployment was pushed after the current one, by sequence number or else by time."""
    if latest.deployment == current.deployment:
        return False
    if latest.sequence and current.sequence:
        return latest.sequence > current.sequence
    return seconds_of(latest.time) > seconds_of(current.since)


def why_down(current: Current) -> str:
    """Why the current deployment does not answer."""
    if current.gave_up_reason == BY_HAND:
        return BY_HAND
    return " ".join(filter(None, [_sentence(current.reason), current.gave_up_reason or AGAIN]))


def version(tag: str, digest: str) -> str:
    """`latest 83fd54b`."""
    return f"{tag} {digest.removeprefix('sha256:')[:7]}".strip()


def seconds_of(time: str) -> int:
    """The UNIX seconds of an ISO 8601 time, 0 if the text is not one."""
    try:
        return int(datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp())
    except ValueError:
        return 0


def _sentence(text: str) -> str:
    # An escape sequence without an end would swallow the text after it.
    line = plain(text.strip().partition("\n")[0])
    return line if not line or line.endswith((".", "!", "?")) else f"{line}."
