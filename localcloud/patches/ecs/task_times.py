"""When a task's images were pulled.

MiniStack: says that the pull began before the task's secrets were read, and ended when its containers ran; its
answers leave out fractions of a second.
AWS: has the times of the pull itself, with milliseconds.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from ministack.core.concurrency import resource_lock
from ministack.services import ecs

from localcloud.patches.patch import Function, patch


@contextmanager
def pulling(task_arn: str) -> Iterator[None]:
    """Note when a pull begins and, unless it fails, ends; of several, the first and the last count."""
    _note(task_arn, "pullStartedAt", ecs._tasks[task_arn].get("pullStartedAt") or ecs._iso())
    yield
    _note(task_arn, "pullStoppedAt", ecs._iso())


def _note(task_arn: str, name: str, time: str) -> None:
    with resource_lock("ecs-task", task_arn):
        ecs._tasks[task_arn][name] = time


@patch(ecs, "_mark_task_activating")
def _without_a_pull(original: Function, task_arn: str, task: dict[str, Any]) -> Any:
    activating = original(task_arn, task)
    if activating:
        with resource_lock("ecs-task", task_arn):
            task["pullStartedAt"] = None
    return activating


@patch(ecs, "_ts_to_epoch")
def _with_milliseconds(original: Function, value: Any) -> Any:
    seconds = original(value)
    if type(value) is str and type(seconds) is int:
        return datetime.fromisoformat(value).timestamp()
    return seconds
