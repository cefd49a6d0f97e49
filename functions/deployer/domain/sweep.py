"""The sweep's rules: which acts are due for an app, from the facts and the clock."""

from collections.abc import Callable, Iterator

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
    ReportSuperseded,
    ReportUnwatched,
    RestartApp,
    RetryDeployment,
    StopTask,
    UnlistApp,
)
from deployer.domain.app_facts import Facts
from deployer.domain.deployment import (
    ENDED,
    FAILED,
    NOTIFY_TIMEOUT_SECONDS,
    RETRIED,
    SUPERSEDED,
    Current,
    Deployment,
)
from deployer.domain.missed_pushes import MAX_EVENT_DELAY_SECONDS, deploy_missed
from deployer.domain.push import Push
from deployer.domain.task import TaskState

TAG_DELETED = "Its tag was deleted."
REPLACED = "It was replaced by "
# AdmitPush is retried for half an hour at most. Each retry draws a number, and lists the push again.
UNCLAIMED_SECONDS = 60 * 60


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
    """Whether requests may still reach the previous versions: the switch-over is running or was interrupted.

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
    if facts.to_come or any(isinstance(act, DeployPush) for act in deploy_missed(facts)):
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


RULES: tuple[Callable[[Facts], Iterator[Act]], ...] = (
    _finish_aborted,
    _point_stable_url,
    _stop_unowned_tasks,
    _restart_stopped,
    _report_unwatched,
    _delete_stable_urls,
    deploy_missed,
    _report_superseded,
    _free_slot,
    _list_or_unlist,
)
