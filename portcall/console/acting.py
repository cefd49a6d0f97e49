"""The page's actions on an app: which are possible, why not, and what each would do."""

import re
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deployer.domain import versions
from deployer.domain.deployment import Current, Deployment

from portcall.console.source import Source
from portcall.core import operating, reading, states
from portcall.core.states import AppStatus
from portcall.core.target import Target
from portcall.core.trouble import Trouble

ROLLBACK, RESUME, DEPLOY, RESTART, STOP, START = "rollback", "resume", "deploy", "restart", "stop", "start"
LABELS = {
    ROLLBACK: "Roll back",
    RESUME: "Resume",
    DEPLOY: "Deploy again",
    RESTART: "Restart",
    STOP: "Stop",
    START: "Start",
}
# As the function accepts them.
REQUEST = re.compile(r"[0-9a-f]{32}")
MAX_REASON = 500
ASK_AGAIN_SECONDS = 10.0
ASKING = "Checking which actions this install supports."
UNKNOWN = "This install does not support it yet. Upgrade the stack."


@dataclass(frozen=True)
class Offer:
    """The actions that the install supports, or why there are none."""

    actions: frozenset[str] = frozenset()
    why_none: str = ""


class Operator:
    """Requests actions of the install, with the user's credentials."""

    def __init__(self, source: Source, *, read_only: bool) -> None:
        self._source, self.read_only = source, read_only
        self._lock = threading.Lock()
        self._offer: Offer | None = None
        self._asking = False
        self._ask_again_at = 0.0

    def offer(self) -> Offer:
        """The actions, as far as they are known by now; the first call does not wait for them."""
        with self._lock:
            # A user without the permission may get it at any time.
            old = self._offer is not None and self._offer.why_none and time.monotonic() >= self._ask_again_at
            if (self._offer is None or old) and not self._asking and not self.read_only:
                self._asking = True
                threading.Thread(target=self._ask, daemon=True, name="offer").start()
            return self._offer or Offer(why_none=ASKING)

    def _ask(self) -> None:
        try:
            offer: Offer | None = Offer(self._source.ask(operating.offered))
        except Trouble as trouble:
            offer = Offer(why_none=trouble.message)
        with self._lock:
            self._offer, self._asking = offer, False
            self._ask_again_at = time.monotonic() + ASK_AGAIN_SECONDS

    def try_out(self, action: str, app: str, to: str) -> dict[str, Any]:
        """What an action would do, from a dry run. Raises Trouble with the reason if it is refused."""
        words = {"action": action, "app": app, "to": to, "dry_run": "yes", "by": ""}
        return self._source.ask(lambda target: operating.operate(target, **words))

    def act(self, action: str, app: str, *, to: str, reason: str, request: str) -> dict[str, Any]:
        """Carry out the action. A request that is sent twice is carried out once. Raises Trouble."""
        words = {"action": action, "app": app, "to": to, "reason": reason, "id": request}
        return self._source.ask(lambda target: operating.operate(target, **words))


@dataclass(frozen=True)
class Button:
    """An action, and why it is not possible, '' if it is."""

    action: str
    why_not: str = ""

    @property
    def label(self) -> str:
        """What it says."""
        return LABELS[self.action]


def buttons(
    offer: Offer, status: AppStatus, current: Current | None, deployments: Sequence[Deployment]
) -> list[Button]:
    """The buttons of an app."""
    return [
        Button(action, _not_offered(offer, action) or _why_not(action, status, current, deployments))
        for action in LABELS
    ]


def _not_offered(offer: Offer, action: str) -> str:
    if offer.why_none:
        return offer.why_none
    return "" if action in offer.actions else UNKNOWN


def _why_not(action: str, status: AppStatus, current: Current | None, deployments: Sequence[Deployment]) -> str:
    runs = status.serving is not None
    gave_up_reason = status.state in (states.DOWN, states.STOPPED)
    match action:
        case "rollback":
            return "" if go_back_to(current, deployments) else "No other version was live."
        case "resume":
            return "" if current and current.pin else "It is not pinned."
        case "restart":
            return "" if runs else "It is not running."
        case "stop":
            return (
                "It is stopped." if status.state == states.STOPPED else "" if current else "It is not running."
            )
        case "start":
            return "" if gave_up_reason else "It runs." if runs else "It is not stopped."
    return "It is stopped: start it." if status.state == states.STOPPED else ""


def go_back_to(current: Current | None, deployments: Sequence[Deployment]) -> set[str]:
    """The digests to which a rollback can go back."""
    if current is None or current.ended:
        return set()
    return {each.digest for each in versions.that_were_live(current, deployments)}


@dataclass(frozen=True)
class Plan:
    """What an action would do, in words; `refused` is why it is not possible.

    `begins` and `ends` are (tag, digest) of the version that serves and of the one that would serve, or None.
    """

    action: str
    app: str
    to: str = ""
    begins: tuple[str, str] | None = None
    ends: tuple[str, str] | None = None
    meanwhile: str = ""
    afterwards: str = ""
    refused: str = ""

    @property
    def label(self) -> str:
        """What the button says."""
        return LABELS[self.action]

    @property
    def request(self) -> str:
        """A unique id, so that a form that is sent twice counts as one request."""
        return secrets.token_hex(16)


def plan(source: Source, operator: Operator, action: str, app: str, to: str) -> Plan:
    """The plan for the present state. Raises Trouble if the app does not exist."""
    page = source.ask(lambda target: reading.app_status(target, app))
    serving = page.serving
    begins = (serving.tag, serving.digest) if serving else None
    try:
        ends = _ends(source, operator, action, app, to, page)
    except Trouble as trouble:
        return Plan(action, app, to, begins, refused=trouble.message)
    return Plan(action, app, to, begins, ends, _meanwhile(action, begins), _afterwards(action, begins))


def _ends(
    source: Source, operator: Operator, action: str, app: str, to: str, status: AppStatus
) -> tuple[str, str] | None:
    if action == DEPLOY:
        # An older install does not know dry runs, and would carry the action out.
        tag = app.partition(":")[2] or (status.serving or status.latest or _Latest).tag
        return tag, source.ask(lambda target: _digest(target, app.partition(":")[0], tag))
    offer = operator.offer()
    if action not in offer.actions:
        raise Trouble(offer.why_none or UNKNOWN)
    answer = operator.try_out(action, app, to)
    return None if action == STOP else (str(answer.get("tag", "")), str(answer.get("digest", "")))


class _Latest:
    tag = "latest"


def _digest(target: Target, repository: str, tag: str) -> str:
    digest = reading.digest_of(target, repository, tag)
    if not digest:
        raise Trouble(f"There is no image {repository}:{tag}. Push it to deploy it.")
    return digest


def _meanwhile(action: str, begins: tuple[str, str] | None) -> str:
    if action == STOP:
        return "Its task is stopped at once, and its URL no longer answers."
    if begins is None:
        return "No version is running until the new task answers."
    serves = states.version(*begins)
    return f"{serves} keeps running until the new task answers, and if the new task fails."


def _afterwards(action: str, begins: tuple[str, str] | None) -> str:
    left = states.version(*begins) if begins else "The version that is left"
    return {
        ROLLBACK: f"The app is pinned until another version is pushed, or until you resume. If {left} is "
        "pushed again, the push is only recorded.",
        RESUME: "The pin ends: the image that its tag points to is deployed, and so are all later pushes.",
        STOP: "Pushes are recorded but not deployed until you start it. Then the newest push is deployed.",
        START: "Pushes are deployed again.",
    }.get(action, "")
