"""Restarts an app whose task stopped, and gives up after repeated failures."""

import dataclasses
import time
from collections.abc import Callable
from datetime import UTC, datetime

from deployer.actions import current_note, mail_limit, retries
from deployer.aws import ledger, logs, step_functions
from deployer.domain import mail, task_definition
from deployer.domain.deployment import BY_HAND, NOTIFY_TIMEOUT_SECONDS
from deployer.domain.document import Document, Restart
from deployer.domain.errors import DeployError, PermanentError, TransientError
from deployer.domain.push import Push
from deployer.domain.task import Task
from deployer.observe import count, logger
from deployer.settings import settings, watch_settings

WhenNotBegun = Callable[[Document, DeployError], object] | None
MAX_CRASHES = 3
CRASH_WINDOW_SECONDS = 600
NOT_WATCHED = "Its repository is no longer watched (RepositoryName, RepositoryPattern)."


def restart(
    *,
    app: str,
    current: ledger.Current,
    task: Task | None,
    stop: str,
    refused: bool = False,
    when_not_begun: WhenNotBegun = None,
) -> str:
    """Handle the stop of the app's current task, or of a restart of it; return what was done.

    `task` is the stopped task as ECS still knows it. `stop` is its ARN, with `#<number>` if the same stop is
    handled again because a restart failed; `refused` says that it failed on AWS's side. Returns `restarted`,
    `given up`, or `known` if this stop was handled before. The ledger is written first, so a second call
    changes nothing, and only starts the recorded restart if it was not started. If Step Functions refuses that,
    `when_not_begun` is called with the input of the workflow and the error.
    """
    if current.gave_up_reason:
        return notify_again(app, current)
    if stop == current.last_stop:
        return _begin(app, current, when_not_begun)
    if stop in current.handled_stops:
        return "known"
    now = int(time.time())
    if task and task.stopped_by_hand:
        halt = dataclasses.replace(current, last_stop=stop, gave_up_reason=BY_HAND, notified_at=now)
        return "given up" if _change(app, halt, current) else "known"
    crashes = [at for at in current.crashes if at > now - CRASH_WINDOW_SECONDS]
    # A stop that is handled again was counted before.
    if task and task.crashed and "#" not in stop:
        crashes.append(now)
    new = dataclasses.replace(
        current,
        last_stop=stop,
        restarted_at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        reason=task.why_stopped() if task else "The task was gone, and AWS gives no reason",
        handled_stops=[*current.handled_stops, *([] if "#" in stop else [stop])],
        crashes=crashes,
        attempts=current.attempts + 1,
        refusals=current.refusals + refused,
    )
    gave_up_reason = _why_given_up(app, new, before=current)
    if gave_up_reason:
        halt = dataclasses.replace(new, gave_up_reason=gave_up_reason, gave_up_at=now)
        if not _change(app, halt, current):
            return "known"
        _notify_given_up(app, dataclasses.replace(halt, version=current.version + 1))
        return "given up"
    return _begin(app, new, when_not_begun) if _change(app, new, current) else "known"


def _why_given_up(app: str, current: ledger.Current, *, before: ledger.Current) -> str:
    """Why Portcall gives up on an app, '' if it restarts the app."""
    if len(current.crashes) >= MAX_CRASHES:
        return f"It crashed {len(current.crashes)} times within ten minutes."
    came_to_nothing = before.attempts - current.refusals
    if came_to_nothing >= MAX_CRASHES:
        last = latest_restart(app, before)
        why = f" The last one: {last.reason}" if last and last.reason else ""
        return f"{came_to_nothing} restarts in a row failed.{why}"
    if not watch_settings().watches(app.partition(":")[0]):
        return NOT_WATCHED
    return ""


def is_latest_restart(current: ledger.Current, started_by: str) -> bool:
    """Whether a task belongs to the restart after the last stop; older tasks have been handled."""
    return bool(current.last_stop) and started_by == _name(current.last_stop)


def latest_restart(app: str, current: ledger.Current) -> ledger.Deployment | None:
    """The restart after the last stop, None if it was not started."""
    name = _name(current.last_stop)
    return ledger.deployment(app=app, time=current.restarted_at, name=name)


def notify_again(app: str, current: ledger.Current) -> str:
    """Mail that an app is down if the call that gave up on it did not; `known` if that mail was sent.

    If several callers find that at the same moment, the ledger lets one of them send the mail.
    """
    now = int(time.time())
    if current.notified_at or now < max(current.gave_up_at, current.mailing_since) + NOTIFY_TIMEOUT_SECONDS:
        return "known"
    claim = dataclasses.replace(current, mailing_since=now)
    if not _change(app, claim, current):
        return "known"
    _notify_given_up(app, dataclasses.replace(claim, version=current.version + 1))
    return "given up"


def _notify_given_up(app: str, current: ledger.Current) -> None:
    config = settings()
    arn = current.last_stop.partition("#")[0]
    stream = task_definition.log_stream(app, arn)
    try:
        log = logs.tail(group=config.log_group, stream=stream, lines=mail.LOG_LINES)
    except PermanentError:
        log = []
    summary = "it keeps crashing" if len(current.crashes) >= MAX_CRASHES else "restarting it failed"
    not_watched = current.gave_up_reason == NOT_WATCHED
    push = Push(current.deployment, current.since, app, current.tag, current.digest)
    context = mail.Context(
        current.revision,
        arn,
        config.log_group,
        stream,
        config.region,
        phases=[],
        deploy_command=config.deploy_command(push),
    )
    advice = mail.WATCH_IT if not_watched else mail.FIX_IT
    summary = "its repository is not watched" if not_watched else summary
    message = mail.given_up(push, summary, current.reason, current.gave_up_reason, log, context, advice=advice)
    mail_limit.publish(push, message)
    retries.retry(lambda: current_note.note(app, current, notified_at=int(time.time())))
    count("GivenUp")
    logger.error("Gave an app up", extra={"app": app, "task": arn, "reason": current.gave_up_reason})


def _change(app: str, new: ledger.Current, seen: ledger.Current) -> bool:
    return ledger.change_current(app=app, new=new, seen=seen)


def _name(stop: str) -> str:
    """The name of the restart after a stop. Step Functions starts each name once."""
    return f"restart-{stop.rpartition('/')[2].replace('#', '-')}"


def _begin(app: str, current: ledger.Current, when_not_begun: WhenNotBegun) -> str:
    """Start the workflow for the same revision, unless it was started; each name starts once."""
    if latest_restart(app, current):
        return "known"
    document = _document(app, current)
    try:
        try:
            started = _start(document)
        except TransientError:
            # The answer may be lost; the same start again returns the same execution.
            started = _start(document)
    except DeployError as error:
        if when_not_begun:
            when_not_begun(document, error)
        raise
    if not started:
        return "known"
    count("Restarted")
    logger.warning("Restarting an app", extra={"app": app, "task": current.last_stop, "reason": current.reason})
    return "restarted"


def _start(document: Document) -> bool:
    return step_functions.start_execution(
        machine=watch_settings().state_machine, name=document["id"], document=document
    )


def _document(app: str, current: ledger.Current) -> Document:
    """The input of the workflow, the same no matter which function starts it."""
    push = Push(_name(current.last_stop), current.restarted_at, app, current.tag, current.digest)
    restart: Restart = {
        "deployment": current.deployment,
        "sequence": current.sequence,
        "revision": current.revision,
        "reason": current.reason,
        "refusals": current.refusals,
    }
    return push.event() | {"restart": restart, "image": current.image}
