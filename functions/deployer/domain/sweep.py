"""What the sweep does for an app: from what is known of it, and the clock, to the acts that are due."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from deployer.domain import preview
from deployer.domain.deployment import FAILED, SUPERSEDED, Current, Deployment, Ending
from deployer.domain.push import Push
from deployer.domain.task import Task, Verdict

TAG_DELETED = "Its tag was deleted."
# Seconds: an event that has not come by then will not come; a sweep that has not found it in a day is not to.
EVENTS_TAKE = 120
EVENTS_MATTER = 24 * 60 * 60


@dataclass(frozen=True)
class Image:
    """A tagged image of a watched repository; `pushed_at` is in UNIX seconds."""

    pushed_at: int
    digest: str
    tag: str


@dataclass(frozen=True)
class Facts:
    """What is known of one app.

    The order in which they are gathered matters, and is that of the fields: a deployment that is not open any
    more has left its task current before that is read, or never will.
    """

    app: str
    # UNIX seconds.
    now: float
    is_preview: bool = False
    # Whether the ledger lists it among the apps.
    listed: bool = True
    # Its running tasks: ARN -> the deployment that started it; None if ECS could not list them.
    tasks: Mapping[str, str] | None = field(default_factory=dict)
    # Its images, as the registry listed them.
    images: Sequence[Image] = ()
    # The ids of the HTTP APIs that are its stable URL, or once were.
    addresses: Sequence[str] = ()
    has_slot: bool = False
    # Deployments without an outcome, or whose outcome may not have been told; the oldest first.
    open: Sequence[Deployment] = ()
    # How the execution of an open deployment ended; those that go on are missing.
    endings: Mapping[str, Ending] = field(default_factory=dict)
    current: Current | None = None
    # For a preview: whether its tag is gone, looked at after `current`.
    tag_deleted: bool = False
    # What ECS knows of the current task, where it is not among `tasks`.
    task: Task | None = None
    # Whether a restart is under way, looked at after `current`.
    restarting: bool = False
    # Since when pushes are watched for (UNIX seconds), and the app's last deployments, the newest first.
    since: int = 0
    deployments: Sequence[Deployment] = ()

    @property
    def under_way(self) -> set[str]:
        """The deployments that have no outcome yet."""
        return {each.deployment for each in self.open if not each.outcome}


@dataclass(frozen=True)
class EndApp:
    """Stop the app for good."""

    reason: str


@dataclass(frozen=True)
class FreeSlot:
    """Give back the slot of a preview that is not there."""


@dataclass(frozen=True)
class ListApp:
    """Have the ledger list the app: it has been there since before it listed any."""


@dataclass(frozen=True)
class UnlistApp:
    """Nothing is left of the app but its history."""


@dataclass(frozen=True)
class SettleDeployment:
    """A deployment's execution ended without its outcome, or without the mail of it: supply what it lacks."""

    deployment: str


@dataclass(frozen=True)
class CloseDeployments:
    """Look at these no more: everybody was told of them."""

    deployments: tuple[str, ...]


@dataclass(frozen=True)
class StopTask:
    """Stop a task of ours that no deployment owns."""

    task: str


@dataclass(frozen=True)
class NotifyAgain:
    """Mail that the app is down, if that mail has not gone out."""


@dataclass(frozen=True)
class RestartApp:
    """The current task died without an event. `stop` names the stop that is dealt with."""

    stop: str


@dataclass(frozen=True)
class CloseAddress:
    """Delete a stable URL that no deployment has, and none can be about to take over."""

    api: str


@dataclass(frozen=True)
class DeployPush:
    """Deploy a push whose event was lost."""

    push: Push


Act = (
    EndApp
    | FreeSlot
    | ListApp
    | UnlistApp
    | SettleDeployment
    | CloseDeployments
    | StopTask
    | NotifyAgain
    | RestartApp
    | CloseAddress
    | DeployPush
)


def decide(facts: Facts) -> list[Act]:
    """The acts that are due, in the order in which they are to be carried out.

    An app that is over is ended, and nothing else is done for it.
    """
    over = list(_end_what_is_over(facts))
    return over or [act for rule in RULES for act in rule(facts)]


def is_old_news(deployment: Deployment, current: Current | None) -> bool:
    """Whether another deployment serves, so that nobody needs to hear of this one, unless it failed."""
    if current is None or current.deployment == deployment.deployment:
        return deployment.outcome == SUPERSEDED
    if deployment.outcome:
        return deployment.outcome != FAILED
    if deployment.restart:
        return bool(current.deployment != deployment.restart["deployment"])
    return current.sequence > deployment.sequence


def _end_what_is_over(facts: Facts) -> Iterator[Act]:
    current = facts.current
    if current is None:
        if facts.is_preview and facts.has_slot and not facts.under_way:
            yield FreeSlot()
    elif current.ended:
        yield EndApp(current.halted)
    elif 0 < current.until <= facts.now:
        yield EndApp(f"Its time was up at {preview.moment(current.until)}.")
    elif facts.is_preview and facts.tag_deleted:
        yield EndApp(TAG_DELETED)


def _settle_what_was_aborted(facts: Facts) -> Iterator[Act]:
    for each in facts.open:
        if not each.told_at and each.deployment in facts.endings:
            yield SettleDeployment(each.deployment)
    told = tuple(each.deployment for each in facts.open if each.told_at)
    if told:
        yield CloseDeployments(told)


def _stop_what_nobody_owns(facts: Facts) -> Iterator[Act]:
    for arn, deployment in (facts.tasks or {}).items():
        if deployment not in facts.under_way and not (facts.current and facts.current.task == arn):
            yield StopTask(arn)


def _restart_what_died(facts: Facts) -> Iterator[Act]:
    current = facts.current
    if current is None or facts.tasks is None or current.task in facts.tasks:
        return
    if current.halted:
        yield NotifyAgain()
    elif not facts.restarting and not (facts.task and facts.task.verdict is not Verdict.STOPPED):
        # A restart that came to nothing is dealt with as a stop of its own, or it would count as known.
        yield RestartApp(f"{current.task}#{current.attempts}" if current.healing else current.task)


def _close_addresses(facts: Facts) -> Iterator[Act]:
    if facts.under_way:
        return
    current = facts.current
    for api in facts.addresses:
        if not (current and current.address and current.address.api == api):
            yield CloseAddress(api)


def _list_or_unlist(facts: Facts) -> Iterator[Act]:
    anything = facts.current or facts.open or facts.has_slot
    if anything and not facts.listed:
        yield ListApp()
    elif facts.listed and not anything:
        yield UnlistApp()


def newest_unheard(facts: Facts) -> Image | None:
    """The newest image, if its push is of an age at which its event may have been lost."""
    newest = max(facts.images, key=lambda image: image.pushed_at, default=None)
    # The ledger forgets after 90 days; what it has forgotten was not missed.
    begin = max(facts.since, facts.now - EVENTS_MATTER)
    if newest is None or not begin <= newest.pushed_at <= facts.now - EVENTS_TAKE:
        return None
    current = facts.current
    return None if current and (current.digest, current.tag) == (newest.digest, newest.tag) else newest


def _deploy_what_was_missed(facts: Facts) -> Iterator[Act]:
    newest = newest_unheard(facts)
    if newest is None:
        return
    known = [each for each in facts.deployments if each.tag == newest.tag]
    if not (known and known[0].digest == newest.digest):
        yield DeployPush(_push(facts.app, newest))


def _push(app: str, image: Image) -> Push:
    key = f"{app}:{image.tag}@{image.digest}#{image.pushed_at}"
    at = datetime.fromtimestamp(image.pushed_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    name = "sweep-" + hashlib.sha256(key.encode()).hexdigest()[:40]
    return Push(name, at, app, image.tag, image.digest)


RULES: tuple[Callable[[Facts], Iterator[Act]], ...] = (
    _settle_what_was_aborted,
    _stop_what_nobody_owns,
    _restart_what_died,
    _close_addresses,
    _deploy_what_was_missed,
    _list_or_unlist,
)
