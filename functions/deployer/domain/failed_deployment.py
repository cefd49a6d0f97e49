"""What follows from a failed deployment: whether it is retried, and what its mail says about that."""

from typing import cast

from deployer.domain.deployment import Current
from deployer.domain.document import Document, Restart
from deployer.domain.failure import Failure
from deployer.domain.task import Task

# The most deployments of one push, if AWS's side fails, or if somebody aborts the execution.
MAX_ATTEMPTS, MAX_ATTEMPTS_AFTER_ABORT = 3, 2


def attempt(document: Document) -> int:
    """The number of this attempt to deploy the push, from 1."""
    return int(document.get("retry", {}).get("attempt", 1))


def may_be_tried_again(document: Document, why: Failure) -> bool:
    """Whether the push is deployed again: the failure may pass, and there are attempts left.

    The sweep retries restarts in another way.
    """
    attempts = MAX_ATTEMPTS_AFTER_ABORT if why.error == "AbortedError" else MAX_ATTEMPTS
    return why.passing and "restart" not in document and attempt(document) < attempts


def with_launch(document: Document, task: Task | None) -> Document:
    """The document with how far Fargate had come with a task that never ran, as far as ECS says."""
    times = task.launch() if task and "running" not in document else {}
    times.pop("startedAt", None)
    return cast(Document, {**document, "running": times}) if times else document


def own_restart(document: Document) -> Restart | None:
    """The restart that this deployment is, None if it is not the restart of a stopped app.

    An operator's restart is not retried, because the old task still serves.
    """
    restart = document.get("restart")
    return None if restart is None or restart.get("asked") else restart


def is_refused(document: Document, why: Failure) -> bool:
    """Whether AWS could not start a restart; this does not count as an attempt of the app."""
    return own_restart(document) is not None and why.passing and why.error != "AbortedError"


def notes(document: Document, push_time: str) -> list[str]:
    """What the mail says about earlier attempts."""
    number = attempt(document)
    return [f"Portcall tried {number} times since {push_time}."] if number > 1 else []


def next_try(current: Current | None, task: Task | None, *, refused: bool) -> str:
    """What happens after a failed restart."""
    if current and current.gave_up_reason:
        return f"Portcall will not restart it again. {current.gave_up_reason}"
    if task and task.stopped_by_hand:
        return "Portcall will not restart it again, because its task was stopped by hand."
    if refused:
        return "Portcall tries again every few minutes until it succeeds; then you get another email."
    return "Portcall tries again within minutes, at most three times in all."
