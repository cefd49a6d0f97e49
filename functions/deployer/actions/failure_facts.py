"""Gathers what is known of a failed deployment. If AWS refuses an answer, the mail says which."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from deployer.actions import app_names, further_tags, superseded
from deployer.aws import ecs, ledger, logs
from deployer.domain import failed_deployment, mail, task_definition, timing
from deployer.domain.document import Document
from deployer.domain.errors import AccessDeniedError, AwsRefusedError, PermanentError
from deployer.domain.push import Push
from deployer.domain.task import Task, TaskState
from deployer.settings import settings

# How often to read the log of a stopped app, whose last lines arrive late, and the pause before each read.
MAX_LOG_READS, MAX_EMPTY_LOG_READS, LOG_READ_PAUSE_SECONDS = 8, 2, 1.0

T = TypeVar("T")


@dataclass(frozen=True)
class Known(Generic[T]):
    """`value` is what was found. `notes` are lines for the mail about it, or about why it was not found."""

    value: T
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class LastWords:
    """The task as ECS describes it, None if there is none, and the last lines of its log, unchanged."""

    task: Task | None
    log: list[str]


def push_of(document: Document) -> Push:
    try:
        return app_names.push_of(document)
    except (AwsRefusedError, AccessDeniedError):
        # The failure must be mailed even so.
        return Push.from_event(document, by_tag=settings().by_tag)


def current_version(document: Document, push: Push) -> Known[ledger.Current | None]:
    """The current deployment, read after making sure that this one can no longer become current."""
    try:
        ledger.abandon(push=push)
        if "admission" not in document:
            # It failed before this was recorded, but the failure is known, so the sweep need not look for it.
            ledger.claim_tag(push=push, seen=False)
        return Known(ledger.current(app=push.app))
    except PermanentError as refused:
        if "switch" in document:
            # It may be the current one, so it is not stopped without knowing.
            raise
        return Known(None, [f"Portcall could not find out which version is running: {refused}"])


def last_words(push: Push, task: str) -> Known[LastWords]:
    """What ECS and the log say of a task that has ended or was stopped."""
    if not task:
        return Known(LastWords(None, []))
    stream = task_definition.log_stream(push.app, task)
    try:
        described = ecs.describe_task(cluster=settings().cluster, task=task)
        log = _tail(stream)
        if described and described.exit_code is not None and not described.stopped_by_us:
            log = _whole(log, stream)
        return Known(LastWords(described, log))
    except PermanentError as refused:
        return Known(LastWords(None, []), [f"Portcall could not find out more: {refused}"])


def _tail(stream: str) -> list[str]:
    return logs.tail(group=settings().log_group, stream=stream, lines=mail.LOG_LINES)


def _whole(log: list[str], stream: str) -> list[str]:
    """The end of the log of an app that has just ended. Its last lines arrive a moment later."""
    for look in range(MAX_LOG_READS):
        time.sleep(LOG_READ_PAUSE_SECONDS)
        before, log = log, _tail(stream)
        if log == before and (log or look >= MAX_EMPTY_LOG_READS):
            break
    return log


def superseded_pushes(document: Document, push: Push) -> Known[list[ledger.Deployment]]:
    """The pushes that this deployment superseded, which its mail names."""
    sequence = document.get("admission", {}).get("sequence", 0)
    try:
        others = [] if "restart" in document else superseded.mailed_with(push, sequence)
        return Known(others, [*further_tags.note(push), *superseded.note(push, others)])
    except PermanentError as refused:
        return Known([], [f"Portcall could not find out which pushes it superseded: {refused}"])


def standing(document: Document, current: ledger.Current | None) -> Known[mail.Standing]:
    """What serves after this deployment failed. ECS is asked, because a stop's event may come later."""
    nothing = mail.NOTHING
    restarts = failed_deployment.own_restart(document) is not None
    if current is None or restarts or current.gave_up_reason or current.last_stop:
        return Known(nothing)
    try:
        task = ecs.describe_task(cluster=settings().cluster, task=current.task)
    except PermanentError as refused:
        note = f"Portcall could not find out whether the previous version is still running: {refused}"
        return Known(nothing, [note])
    if task is None or task.state is TaskState.STOPPED:
        return Known(nothing)
    sequence = document.get("admission", {}).get("sequence", current.sequence)
    return Known(mail.standing_of(current, is_newer=current.sequence > sequence))


def context(
    document: Document, push: Push, task: str, described: Task | None, until: float | None
) -> mail.Context:
    """The details of the deployment for the mail."""
    config = settings()
    ended = described if described and not described.stopped_by_us else None
    return mail.Context(
        revision=document.get("taskDefinition", {}).get("arn", ""),
        task=task,
        log_group=config.log_group,
        log_stream=task_definition.log_stream(push.app, task),
        region=config.region,
        phases=timing.phases(document, until),
        stop_code=ended.stop_code if ended else "",
        exit_code=ended.exit_code if ended else None,
        deploy_command=config.deploy_command(push),
    )
