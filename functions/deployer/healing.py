"""Starts an app again whose task stopped by itself, and knows when to give up."""

import dataclasses
import time
from datetime import UTC, datetime

from deployer import mail_limit, mailing
from deployer.aws import ledger, logs, step_functions
from deployer.domain import mail, task_definition
from deployer.domain.errors import PermanentError
from deployer.domain.push import Push
from deployer.domain.task import Task
from deployer.observe import count, logger
from deployer.settings import settings, watch

CRASHES = 3
WITHIN = 600
TELLS_WITHIN = 60
BY_HAND = "It was stopped by hand."


def heal(*, app: str, current: ledger.Current, task: Task | None, stop: str) -> str:
    """Deal with the stop of the app's current task, or of a restart of it, and say how.

    `task` is what ECS still knows of the one that stopped. `stop` is its ARN, with `#<number>` where the same
    stop is dealt with once more. Returns `restarted`, `halted`, or `known` if this stop has been dealt with.
    The ledger is written first: whoever comes second changes nothing.
    """
    if current.halted:
        return tell_again(app, current)
    if current.healing == stop:
        return "known"
    now = int(time.time())
    if task and task.stopped_by_hand:
        halt = dataclasses.replace(current, healing=stop, halted=BY_HAND, told_at=now)
        return "halted" if _change(app, halt, current) else "known"
    crashes = [at for at in current.crashes if at > now - WITHIN]
    # A stop that is dealt with once more has been counted.
    if task and task.crashed and "#" not in stop:
        crashes.append(now)
    reason = task.why_stopped() if task else "The task was gone, and nobody knows why"
    new = dataclasses.replace(current, healing=stop, reason=reason, crashes=crashes)
    if len(crashes) >= CRASHES or current.attempts >= CRASHES:
        halted = f"{current.attempts} restarts in a row came to nothing."
        if len(crashes) >= CRASHES:
            halted = f"It crashed {len(crashes)} times within ten minutes."
        halt = dataclasses.replace(new, halted=halted, halted_at=now)
        if not _change(app, halt, current):
            return "known"
        _tell_that_it_is_given_up(app, dataclasses.replace(halt, version=current.version + 1))
        return "halted"
    if not _change(app, dataclasses.replace(new, attempts=current.attempts + 1), current):
        return "known"
    _restart(app, current, stop, reason)
    return "restarted"


def is_latest_restart(current: ledger.Current, started_by: str) -> bool:
    """Whether a task was started to make up for the last stop; others have been dealt with."""
    return bool(current.healing) and started_by == _name(current.healing)


def tell_again(app: str, current: ledger.Current) -> str:
    """Mail that an app is down if whoever gave it up did not get that out; `known` if all is told."""
    if current.told_at or int(time.time()) < current.halted_at + TELLS_WITHIN:
        return "known"
    _tell_that_it_is_given_up(app, current)
    return "halted"


def _tell_that_it_is_given_up(app: str, current: ledger.Current) -> None:
    config = settings()
    arn = current.healing.partition("#")[0]
    stream = task_definition.log_stream(app, arn)
    try:
        log = logs.tail(group=config.log_group, stream=stream, lines=mail.LOG_LINES)
    except PermanentError:
        log = []
    verdict = "it keeps crashing" if len(current.crashes) >= CRASHES else "it could not be started again"
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
    news = mail.given_up(push, verdict, current.reason, current.halted, log, context)
    mail_limit.publish(push, news)
    told = dataclasses.replace(current, told_at=int(time.time()))
    mailing.stubbornly(lambda: _change(app, told, current))
    count("GivenUp")
    logger.error("Gave an app up", extra={"app": app, "task": arn, "reason": current.halted})


def _change(app: str, new: ledger.Current, seen: ledger.Current) -> bool:
    return ledger.change_current(table=settings().ledger, app=app, new=new, seen=seen)


def _name(stop: str) -> str:
    """The name of the restart that makes up for a stop: a second one of the same name is never started."""
    return f"restart-{stop.rpartition('/')[2].replace('#', '-')}"


def _restart(app: str, current: ledger.Current, stop: str, reason: str) -> None:
    """Start the workflow for the same revision."""
    name = _name(stop)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    push = Push(name, now, app, current.tag, current.digest)
    restart = {
        "deployment": current.deployment,
        "sequence": current.sequence,
        "revision": current.revision,
        "reason": reason,
    }
    document = push.event() | {"restart": restart, "image": current.image}
    step_functions.start_execution(machine=watch().state_machine, name=name, document=document)
    count("Restarted")
    logger.warning("Restarting an app", extra={"app": app, "task": stop, "reason": reason})
