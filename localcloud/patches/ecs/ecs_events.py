"""*ECS Task State Change* events.

MiniStack: sends none.
AWS: sends one for each change of a task, with an increasing version.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
Upstream: none known, ready to send:
    docs/upstream/ecs-task-state-change-events.md
Kind: core
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.services import ecs

from localcloud.patches.eventbridge import events
from localcloud.patches.patch import Function, patch

_TIMES = (
    "connectivityAt",
    "createdAt",
    "executionStoppedAt",
    "pullStartedAt",
    "pullStoppedAt",
    "startedAt",
    "stoppedAt",
    "stoppingAt",
)
_COPIED = (
    "availabilityZone",
    "capacityProviderName",
    "clusterArn",
    "connectivity",
    "cpu",
    "desiredStatus",
    "enableExecuteCommand",
    "ephemeralStorage",
    "group",
    "lastStatus",
    "launchType",
    "memory",
    "platformVersion",
    "startedBy",
    "stopCode",
    "stoppedReason",
    "taskArn",
    "taskDefinitionArn",
    "version",
    *_TIMES,
)
_COPIED_OF_CONTAINER = (
    "containerArn",
    "cpu",
    "exitCode",
    "image",
    "imageDigest",
    "lastStatus",
    "name",
    "networkInterfaces",
    "reason",
    "runtimeId",
    "taskArn",
)


# Called with each announced state of a task, in the form of DescribeTasks.
watchers: list[Callable[[dict[str, Any]], None]] = []


def announce(task: dict[str, Any], **changed: Any) -> None:
    """Publish the present state of a task, or a transient one (``changed``)."""
    seen = json.loads(json.dumps(ecs._sanitize(task), default=str)) | changed
    for watcher in watchers:
        watcher(seen)
    events.publish(
        source="aws.ecs",
        detail_type="ECS Task State Change",
        detail=detail(seen, now=ecs._iso()),
        resources=[seen["taskArn"]],
    )


def detail(task: dict[str, Any], *, now: str) -> dict[str, Any]:
    """The event's ``detail``, with only the fields that AWS documents."""
    shown = {name: task[name] for name in _COPIED if task.get(name) not in (None, "")}
    shown["updatedAt"] = now
    # Fargate's default if the task definition does not say.
    shown.setdefault("ephemeralStorage", {"sizeInGiB": 20})
    shown["attachments"] = [
        {
            "id": attachment["id"],
            # The API calls this type ElasticNetworkInterface; events call it eni.
            "type": "eni",
            "status": attachment["status"],
            "details": attachment["details"],
        }
        for attachment in task.get("attachments", [])
    ]
    shown["containers"] = [
        {name: container[name] for name in _COPIED_OF_CONTAINER if container.get(name) not in (None, "")}
        for container in task.get("containers", [])
    ]
    shown["overrides"] = {"containerOverrides": [{"name": c["name"]} for c in shown["containers"]]}
    return shown


@patch(ecs, "_mark_task_pending")
def _announce_start(original: Function, task_arn: str, task: dict[str, Any]) -> Any:
    announce(task)
    changed = original(task_arn, task)
    if changed:
        announce(task)
    return changed


@patch(ecs, "_mark_task_running")
def _announce_running(original: Function, task_arn: str, task: dict[str, Any]) -> Any:
    changed = original(task_arn, task)
    if changed:
        announce(task)
    return changed


@patch(ecs, "_mark_task_stopped")
def _announce_stop(original: Function, task_arn: str, task: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    changed = original(task_arn, task, *args, **kwargs)
    if changed:
        # MiniStack does not stop at DEPROVISIONING, so its version is one below STOPPED's.
        announce(task, lastStatus="DEPROVISIONING", version=task["version"] - 1, stoppedAt=None)
        announce(task)
    return changed
