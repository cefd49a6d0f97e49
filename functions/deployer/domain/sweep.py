"""The sweep's rules: which acts are due for an app, from the facts and the clock."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from deployer.domain import preview, superseded
from deployer.domain.acts import (
    Act,
    CloseDeployments,
    CloseSuperseded,
    DeleteStableUrl,
    DeployPush,
    EndApp,
    FinishDeployment,
    ForgetStableUrl,
    ForgetUnclaimed,
    FreeSlot,
    ListApp,
    MarkWatched,
    MoveSlot,
    NotifyAgain,
    NotifyEnded,
    PointStableUrl,
    RecordTag,
    ReportSuperseded,
    ReportUnwatched,
    RestartApp,
    RetryDeployment,
    StopTask,
    UnlistApp,
)
from deployer.domain.deployment import ENDED, FAILED, RETRIED, SUPERSEDED, Current, Deployment, Ending, KnownTag
from deployer.domain.push import Push
from deployer.domain.task import Task, TaskState

TAG_DELETED = "Its tag was deleted."
REPLACED = "It was replaced by "
# An event that has not arrived after this delay is lost. The sweep makes up for lost events of at most a day.
MAX_EVENT_DELAY_SECONDS = 120
NOTIFY_TIMEOUT_SECONDS = 60
# AdmitPush is retried for half an hour at most. Each retry draws a number, and puts the push on the list, anew.
UNCLAIMED_SECONDS = 60 * 60
MAX_EVENT_AGE_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Image:
    """A tagged image of a watched repository; `pushed_at` is in UNIX seconds."""

    pushed_at: int
    digest: str
    tag: str


@dataclass(frozen=True)
class Facts:
    """What is known of one app.

    The facts are gathered in the order of the fields, and that order matters: open deployments are read before
    the current one. So a deployment that is no longer open has made its task current by then, or never will.
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
    # The HTTP APIs that are or were its stable URL: id -> target. None if unknown.
    stable_urls: Mapping[str, str] | None = field(default_factory=dict)
    has_slot: bool = False
    # Whether its slot is that of a preview although it is not one, or the other way round: LastingTags was
    # changed.
    slot_of_other_kind: bool = False
    # How many deployments of it the ledger has recorded.
    noted: int = 0
    # Deployments without an outcome, or whose outcome may not have been mailed, the oldest first.
    open: Sequence[Deployment] = ()
    # Time and name of open pushes that were not claimed, the oldest first.
    unclaimed: Sequence[tuple[str, str]] = ()
    # How the executions of open deployments ended; those that still run are missing.
    endings: Mapping[str, Ending] = field(default_factory=dict)
    # Superseded pushes that no mail has named; the oldest first.
    unmailed: Sequence[Deployment] = ()
    current: Current | None = None
    # For a preview: whether its tag is gone, read after `current`.
    tag_deleted: bool = False
    # The current task as ECS describes it, if it is not in `tasks`.
    task: Task | None = None
    # Whether a restart is in progress, and the ledger's record of the restart after the last stop; both read
    # after `current`.
    restarting: bool = False
    restart: Deployment | None = None
    # Since when the current parameters have been in force, when the images were listed, and when the previous
    # sweep began (UNIX seconds).
    since: int = 0
    listed_at: int = 0
    previous: int = 0
    # Whether ECR sends events for pushes to its repository. It sends none for replication and pull-through
    # caches, whose images nobody pushed to have them deployed.
    is_announced: bool = True
    # Whether the current parameters watch its pushes, and its repository, so that it may be restarted; the app
    # that a push of its tag would deploy instead, and that app's current deployment.
    watched: bool = True
    can_restart: bool = True
    replaced_by: str = ""
    successor: Current | None = None
    # What the ledger knows of its tags; None if its images could not be listed, or are not watched.
    tags: Mapping[str, KnownTag] | None = None

    @property
    def under_way(self) -> set[str]:
        """The deployments that have no outcome yet."""
        return {each.deployment for each in self.open if not each.outcome}

    @property
    def to_come(self) -> bool:
        """Whether a deployment is in progress, or about to be retried."""
        return any(each.to_come for each in self.open)


def decide(facts: Facts) -> list[Act]:
    """The acts that are due, in the order in which to carry them out.

    If the app's time is over, the only act is to end it.
    """
    over = list(_end_finished(facts))
    return over or [act for rule in RULES for act in rule(facts)]


def is_old_news(deployment: Deployment, current: Current | None) -> bool:
    """Whether a deployment needs no mail, because another one is current. A failure is always mailed."""
    if current is None or current.runs(deployment.deployment):
        return deployment.outcome == SUPERSEDED
    refused = deployment.outcome == RETRIED and deployment.restart
    if deployment.outcome and not refused:
        return deployment.outcome != FAILED
    if deployment.restart:
        return bool(current.deployment != deployment.restart["deployment"])
    return current.sequence > deployment.sequence


def _end_finished(facts: Facts) -> Iterator[Act]:
    current = facts.current
    if current is None:
        return
    if current.ended:
        yield EndApp(current.gave_up_reason)
    elif _ends_by_itself(facts, current) and current.until <= facts.now:
        yield EndApp(f"It expired at {preview.moment(current.until)}.")
    elif facts.is_preview and facts.tag_deleted:
        yield EndApp(TAG_DELETED)
    elif facts.successor and _takes_the_place(facts.successor, current):
        yield EndApp(f"{REPLACED}{facts.replaced_by}.")


def _takes_the_place(successor: Current, current: Current) -> bool:
    """Whether a later push of the same tag is live as an app of another name."""
    newer = successor.tag == current.tag and successor.sequence > current.sequence
    return newer and not successor.stopped


def _finish_aborted(facts: Facts) -> Iterator[Act]:
    for each in facts.open:
        if each.outcome == ENDED and not each.notified_at:
            # The function that ended it may still be about to send the mail.
            if each.ended_at + NOTIFY_TIMEOUT_SECONDS <= facts.now:
                yield NotifyEnded(each.deployment)
        elif not each.notified_at and each.deployment in facts.endings:
            retried = each.outcome == RETRIED and not each.restart
            yield RetryDeployment(each.deployment) if retried else FinishDeployment(each.deployment)
    notified = tuple(each.deployment for each in facts.open if each.notified_at)
    if notified:
        yield CloseDeployments(notified)
    unclaimed = [(Push(name, at, facts.app, "", ""), (at, name)) for at, name in facts.unclaimed]
    forgotten = tuple(each for push, each in unclaimed if facts.now - push.pushed_at > UNCLAIMED_SECONDS)
    if forgotten:
        yield ForgetUnclaimed(forgotten)


def _stop_unowned_tasks(facts: Facts) -> Iterator[Act]:
    current = facts.current
    for arn, deployment in (facts.tasks or {}).items():
        if deployment in facts.under_way or (current and current.task == arn and not current.stop):
            continue
        if not (current and arn in current.previous_tasks and _may_serve(facts, current)):
            yield StopTask(arn)


def _may_serve(facts: Facts, current: Current) -> bool:
    """Whether requests may still reach the previous versions: the switch-over goes on or was interrupted.

    API Gateway needs a moment for a change of this sweep, so the next sweep stops the tasks.
    """
    if current.deployment in facts.under_way:
        return True
    if facts.stable_urls is None:
        return current.last_stable_url is not None
    right = {current.stable_url.api: current.target} if current.stable_url else {}
    return any(right.get(api) != target for api, target in facts.stable_urls.items())


def _point_stable_url(facts: Facts) -> Iterator[Act]:
    """Repeat a change of the target that failed or came too late."""
    current = facts.current
    if current and current.stable_url and current.deployment not in facts.under_way:
        target = (facts.stable_urls or {}).get(current.stable_url.api, current.target)
        if target != current.target:
            yield PointStableUrl()


def _restart_stopped(facts: Facts) -> Iterator[Act]:
    current = facts.current
    if current is None or facts.tasks is None or current.task in facts.tasks:
        return
    if current.gave_up_reason:
        yield NotifyAgain()
    elif not facts.restarting and not (facts.task and facts.task.state is not TaskState.STOPPED):
        if facts.restart is None:
            # If a recorded restart was not started, this starts it, which does not count as another attempt.
            yield RestartApp(current.last_stop or current.task)
        else:
            # A failed restart is handled as a new stop; under the old name it would count as handled.
            refused = facts.restart.outcome == RETRIED
            yield RestartApp(f"{current.task}#{current.attempts}", refused=refused)


def _report_unwatched(facts: Facts) -> Iterator[Act]:
    """Report an unwatched app that would run for ever. For an app that expires, its mail has named the end."""
    current = facts.current
    if current is None or current.gave_up_reason:
        return
    if facts.watched:
        if current.unwatched_at:
            yield MarkWatched()
    elif not (current.unwatched_at or _ends_by_itself(facts, current) or facts.to_come):
        yield ReportUnwatched()


def _ends_by_itself(facts: Facts, current: Current) -> bool:
    return bool(current.until and (facts.is_preview or current.image.get("expires")))


def _delete_stable_urls(facts: Facts) -> Iterator[Act]:
    if facts.to_come:
        return
    ours = facts.current and facts.current.stable_url
    for api in facts.stable_urls or ():
        if not (ours and ours.api == api):
            yield DeleteStableUrl(api)
    lost = facts.current and not ours and facts.current.last_stable_url
    if lost and facts.stable_urls is not None and lost.api not in facts.stable_urls:
        yield ForgetStableUrl()


def _report_superseded(facts: Facts) -> Iterator[Act]:
    """Report them once no deployment is in progress or about to start whose mail could name them."""
    if facts.to_come or any(isinstance(act, DeployPush) for act in _deploy_missed(facts)):
        return
    settled = [each for each in facts.unmailed if each.ended_at <= facts.now - MAX_EVENT_DELAY_SECONDS]
    to_mail = {
        each.deployment for each in settled if superseded.needs_a_mail(each, facts.current, facts.tags or {})
    }
    to_report = tuple(each.deployment for each in settled if each.deployment in to_mail)
    to_close = tuple(each.deployment for each in settled if each.deployment not in to_mail)
    if to_report:
        yield ReportSuperseded(to_report)
    if to_close:
        yield CloseSuperseded(to_close)


def _keeps_slot(facts: Facts) -> bool:
    """Whether the app has a slot and needs it. Previews that are down and stopped apps keep their slots."""
    current = facts.current
    runs = current and (facts.is_preview or not current.gave_up_reason or current.stop)
    return facts.has_slot and bool(runs or facts.to_come)


def _free_slot(facts: Facts) -> Iterator[Act]:
    if facts.has_slot and not _keeps_slot(facts):
        yield FreeSlot()
    elif facts.slot_of_other_kind:
        yield MoveSlot()


def _list_or_unlist(facts: Facts) -> Iterator[Act]:
    anything = facts.current or facts.open or facts.unmailed or _keeps_slot(facts)
    if anything and not facts.listed:
        yield ListApp()
    elif facts.listed and not anything:
        yield UnlistApp()


def _deploy_missed(facts: Facts) -> Iterator[Act]:
    """Deploy the newest of the tags whose move is missing in the ledger; it supersedes the others."""
    if facts.tags is None or not facts.is_announced:
        return
    tags, lost = facts.tags, []
    for image in facts.images:
        known = tags.get(image.tag)
        if known and known.digest == image.digest and known.as_of < facts.since:
            # From now on, a later move of this tag counts.
            yield RecordTag(image.tag, image.digest)
        if _is_known_or_on_its_way(image, known, facts):
            continue
        serves = facts.current and (facts.current.digest, facts.current.tag) == (image.digest, image.tag)
        if _was_pushed_while_watched(image, known, facts) and not serves:
            lost.append(image)
        elif known:
            yield RecordTag(image.tag, image.digest)
    there = {image.tag for image in facts.images}
    for tag, known in tags.items():
        if tag not in there and known.digest and known.as_of < facts.listed_at:
            yield RecordTag(tag, "")
    if lost:
        newest = max(lost, key=lambda image: image.pushed_at)
        yield from (RecordTag(image.tag, image.digest) for image in lost if image is not newest)
        yield DeployPush(_push(facts, newest, tags.get(newest.tag)))


def _is_known_or_on_its_way(image: Image, known: KnownTag | None, facts: Facts) -> bool:
    """Whether the push is known, or its event may still arrive."""
    if known and (known.digest == image.digest or known.as_of > facts.listed_at):
        return True
    return image.pushed_at > facts.now - MAX_EVENT_DELAY_SECONDS


def _was_pushed_while_watched(image: Image, known: KnownTag | None, facts: Facts) -> bool:
    """Whether the current parameters were in force when it was pushed, so that its event should have arrived.

    A tag that was moved back to an older image has no time of that move. It counts if the ledger saw the tag
    point elsewhere since then.
    """
    if known and known.as_of >= facts.since:
        return True
    # The ledger keeps tags for 90 days. A push that it has forgotten was not lost.
    return image.pushed_at >= max(facts.since, facts.now - MAX_EVENT_AGE_SECONDS)


def _push(facts: Facts, image: Image, known: KnownTag | None) -> Push:
    """The push, at its image's time or, if the tag was moved back to an older image, the earliest possible."""
    moved_back = known is not None and image.pushed_at <= known.as_of
    pushed_at = max(image.pushed_at, facts.previous) if moved_back else image.pushed_at
    key = f"{facts.app}:{image.tag}@{image.digest}#{pushed_at}"
    at = datetime.fromtimestamp(pushed_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    name = "sweep-" + hashlib.sha256(key.encode()).hexdigest()[:40]
    return Push(name, at, facts.app, image.tag, image.digest)


RULES: tuple[Callable[[Facts], Iterator[Act]], ...] = (
    _finish_aborted,
    _point_stable_url,
    _stop_unowned_tasks,
    _restart_stopped,
    _report_unwatched,
    _delete_stable_urls,
    _deploy_missed,
    _report_superseded,
    _free_slot,
    _list_or_unlist,
)
