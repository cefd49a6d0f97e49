"""Starts an app again whose task stopped by itself, and knows when to give up."""

import dataclasses
import time
from datetime import UTC, datetime
from typing import Any

from deployer.aws import ledger, logs, sns, step_functions
from deployer.domain import mail, task_definition
from deployer.domain.errors import PermanentError
from deployer.domain.push import Push
from deployer.domain.task import Task
from deployer.observe import count, logger
from deployer.settings import settings, watch

CRASHES = 3
WITHIN = 600
BY_HAND = "It was stopped by hand."


def heal(*, app: str, current: ledger.Current, task: Task | None, arn: str) -> str:
    """Deal with the stop of the app's current task, or of a restart of it, and say how.

    `task` is what ECS still knows of the one that stopped, `arn` its ARN. Returns `restarted`, `halted`, or
    `known` if this stop has been dealt with. The ledger is written first: whoever comes second changes nothing.
    """
    if current.halted or current.healing == arn:
        return "known"
    if task and task.stopped_by_hand:
        return "halted" if _write(app, current, healing=arn, halted=BY_HAND) else "known"
    now = int(time.time())
    crashes = [at for at in current.crashes if at > now - WITHIN]
    if task and task.crashed:
        crashes.append(now)
    reason = task.why_stopped() if task else "The task was gone, and nobody knows why."
    if len(crashes) >= CRASHES or current.attempts >= CRASHES:
        halted = f"{current.attempts} restarts in a row came to nothing."
        if len(crashes) >= CRASHES:
            halted = f"It crashed {len(crashes)} times within ten minutes."
        if not _write(app, current, healing=arn, crashes=crashes, halted=halted):
            return "known"
        _tell_that_it_is_given_up(app, current, arn, reason, halted)
        return "halted"
    if not _write(app, current, healing=arn, crashes=crashes, attempts=current.attempts + 1):
        return "known"
    _restart(app, current, arn, reason)
    return "restarted"


def _write(app: str, current: ledger.Current, **changes: Any) -> bool:
    changed = dataclasses.replace(current, **changes)
    return ledger.make_current(table=settings().ledger, app=app, new=changed, seen=current)


def _restart(app: str, current: ledger.Current, arn: str, reason: str) -> None:
    """Start the workflow for the same revision; its name makes a second start of the same one nothing."""
    name = f"restart-{arn.rpartition('/')[2]}"
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
    logger.warning("Restarting an app", extra={"app": app, "task": arn, "reason": reason})


def _tell_that_it_is_given_up(app: str, current: ledger.Current, arn: str, reason: str, halted: str) -> None:
    config = settings()
    stream = task_definition.log_stream(app, arn)
    try:
        log = logs.tail(group=config.log_group, stream=stream, lines=mail.LOG_LINES)
    except PermanentError:
        log = []
    push = Push(current.deployment, current.since, app, current.tag, current.digest)
    context = mail.Context(current.revision, arn, config.log_group, stream, config.region, phases=[])
    news = mail.given_up(push, reason, halted, log, context)
    sns.publish(topic=config.topic, news=news)
    count("GivenUp")
    logger.error("Gave an app up", extra={"app": app, "task": arn, "reason": halted})
