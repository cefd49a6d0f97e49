"""StopTask without waiting for the end.

AWS takes Spot capacity back at any time. Here a caller can trigger it: StopTask of a task on FARGATE_SPOT with
AWS's own reason counts as an interruption, not as a stop by the user.

MiniStack: blocks until the container is gone, and reports exit code 0.
AWS: returns at once; containers get SIGTERM, and SIGKILL after stopTimeout.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

import contextlib
import contextvars
from typing import Any

from ministack.core.concurrency import resource_lock, spawn_background
from ministack.core.responses import json_response
from ministack.services import ecs

from localcloud.patches.ecs.docker_client import ENGINE_ERRORS
from localcloud.patches.ecs.ecs_events import announce
from localcloud.patches.ecs.task_exit import await_logs, note_exit
from localcloud.patches.patch import Function, patch

DEFAULT_STOP_TIMEOUT_SECONDS = 30
INTERRUPTED = "Your Spot Task was interrupted."

# MiniStack treats a stopping task as stopped; only the thread that ends it may still change it.
_ending: contextvars.ContextVar[str] = contextvars.ContextVar("ending_task", default="")


@patch(ecs, "_stop_task")
def _ask(original: Function, data: dict[str, Any]) -> Any:
    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    task = ecs._resolve_task(data.get("task", ""), cluster) if cluster else None
    client = ecs._get_docker()
    if not task or client is None:
        return original(data)
    with resource_lock("ecs-task", task["taskArn"]):
        asked = ecs._task_is_active(task["taskArn"], task)
        if asked:
            ecs._bump_task_version(task)
            task["desiredStatus"] = "STOPPED"
            task["stoppingAt"] = ecs._iso()
            reason = data.get("reason") or "Task stopped by user"
            spot = task.get("capacityProviderName") == "FARGATE_SPOT"
            task["stopCode"] = "SpotInterruption" if spot and reason == INTERRUPTED else "UserInitiated"
            task["stoppedReason"] = reason
        shown = ecs._sanitize(task)
    if asked:
        announce(task)
        spawn_background(_end, task, client, thread_name=f"portcall-stop-{task['taskArn'][-8:]}")
    return json_response({"task": shown})


def _end(task: dict[str, Any], client: Any) -> None:
    definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])) or {}
    timeouts = [
        int(each.get("stopTimeout") or DEFAULT_STOP_TIMEOUT_SECONDS)
        for each in definition.get("containerDefinitions", [])
    ]
    docker_ids = list(task["_docker_ids"])
    for index, docker_id in enumerate(docker_ids):
        timeout = timeouts[index] if index < len(timeouts) else DEFAULT_STOP_TIMEOUT_SECONDS
        # Already gone, or removed by force below.
        with contextlib.suppress(*ENGINE_ERRORS):
            client.containers.get(docker_id).stop(timeout=timeout)
        note_exit(client, task, index, docker_id)
    await_logs(docker_ids)
    token = _ending.set(task["taskArn"])
    try:
        ecs._mark_task_stopped(task["taskArn"], task, task["stoppedReason"], task["stopCode"])
    finally:
        _ending.reset(token)
    ecs._cleanup_task_resources(task, client)


@patch(ecs, "_task_is_active")
def _active_while_ending(original: Function, task_arn: str, task: dict[str, Any]) -> bool:
    if _ending.get() == task_arn:
        return bool(task["lastStatus"] != "STOPPED")
    return bool(original(task_arn, task))
