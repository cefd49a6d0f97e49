"""How a container ended.

MiniStack: reports removed containers as running, and does not detect OOM kills. Asks Docker about each
    container ten times a second, and again in each ListTasks and DescribeTasks. Docker itself misses some
    OOM kills in a container's first tenth of a second; such a task has exit code 137 and no reason.
AWS: reports the exit code, and OutOfMemoryError. Frees a task's address only after it says that the task stops;
    Docker gives it to the next container at once, so DescribeTasks asks Docker here, too.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

from docker.errors import NotFound
from ministack.core.concurrency import resource_lock
from ministack.services import ecs

from localcloud.patches.ecs.docker_client import ENGINE_ERRORS
from localcloud.patches.patch import Function, patch

log = logging.getLogger("portcall.task_exit")

KILLED = 137
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"

# The receiver of the event reads the last log lines at once, so they must be there by then.
_LOGS_WITHIN_SECONDS = 2.0
_LOOKS_FOR_WHY, _LOOK_AGAIN_SECONDS = 8, 0.1
_logs_forwarded: dict[str, threading.Event] = {}

# MiniStack's thread that watches a running task, and the tasks for which there is one.
_WATCHER = "ministack-ecs-watch-"
_watched: set[str] = set()
# A wait in Docker is asked for again after this time.
_WAIT_SECONDS = 60


@patch(ecs, "_maybe_mark_stopped")
def _look(original: Function, task: dict[str, Any], client: Any = None) -> None:
    task_arn = task["taskArn"]
    if threading.current_thread().name.startswith(_WATCHER):
        _watched.add(task_arn)
        _await_end(task, client)
    elif task_arn in _watched:
        return
    _note_end(task, client)


@patch(ecs, "_describe_tasks")
def _describe_as_docker_says(original: Function, data: dict[str, Any]) -> Any:
    cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
    for name in data.get("tasks", []) if cluster is not None else ():
        if task := ecs._resolve_task(name, cluster):
            _note_end(task)
    return original(data)


def _note_end(task: dict[str, Any], client: Any = None) -> None:
    """Mark a running task as stopped if an essential container has ended."""
    task_arn = task["taskArn"]
    with resource_lock("ecs-task", task_arn):
        if (
            not ecs._task_is_active(task_arn, task)
            or task["lastStatus"] != "RUNNING"
            or not task["_docker_ids"]
        ):
            return
        docker_ids = list(task["_docker_ids"])
    client = client or ecs._get_docker()
    if client is None:
        return
    essential = task.get("_container_essentials") or []
    ended = [note_exit(client, task, index, each) for index, each in enumerate(docker_ids)]
    if not ended or not (all(ended) or any(e for e, needed in zip(ended, essential, strict=False) if needed)):
        return
    await_logs(docker_ids)
    # Another thread may have recorded the stop meanwhile; only the first counts.
    if ecs._mark_task_stopped(task_arn, task, "Essential container in task exited", "EssentialContainerExited"):
        ecs._cleanup_task_resources(task, client)


def _await_end(task: dict[str, Any], client: Any) -> None:
    """Wait until the container of a task ends; for several containers or without an engine, not at all."""
    docker_ids = task["_docker_ids"]
    if len(docker_ids) == 1 and client is not None:
        # Whether it ended, or the engine did, `note_exit` finds out.
        with contextlib.suppress(*ENGINE_ERRORS):
            client.api.wait(docker_ids[0], timeout=_WAIT_SECONDS)


def note_exit(client: Any, task: dict[str, Any], index: int, docker_id: str) -> bool:
    """Write a container's exit code and reason to the task's record; False while it runs."""
    reason = ""
    try:
        state = client.containers.get(docker_id).attrs["State"]
        if state["Status"] not in ("exited", "dead"):
            return False
        exit_code = int(state["ExitCode"])
        if exit_code == KILLED and _lacked_memory(client, docker_id):
            reason = OUT_OF_MEMORY
    except NotFound:
        # Only this proves that it is gone; any other error may be the daemon's.
        exit_code, reason = KILLED, "DockerStateError: the container was removed"
    except ENGINE_ERRORS as error:
        log.warning("could not look at container %s: %s", docker_id[:12], error)
        return False
    with resource_lock("ecs-task", task["taskArn"]):
        if index < len(task["containers"]):
            container = task["containers"][index]
            if container.get("exitCode") is not None:
                # Another thread saw its end, and may have removed it since.
                return True
            container["lastStatus"] = "STOPPED"
            container["exitCode"] = exit_code
            if reason:
                container["reason"] = reason
    return True


def _lacked_memory(client: Any, docker_id: str) -> bool:
    """Whether the container ran out of memory, which Docker may report a moment after its end."""
    for _ in range(_LOOKS_FOR_WHY):
        try:
            if client.containers.get(docker_id).attrs["State"].get("OOMKilled"):
                return True
        except ENGINE_ERRORS:
            return False
        time.sleep(_LOOK_AGAIN_SECONDS)
    return False


def await_logs(docker_ids: list[str]) -> None:
    """Wait, for a limited time, until the last output of ended containers is in CloudWatch Logs."""
    for docker_id in docker_ids:
        if forwarded := _logs_forwarded.get(docker_id):
            forwarded.wait(_LOGS_WITHIN_SECONDS)
            _logs_forwarded.pop(docker_id, None)


@patch(ecs, "_start_awslogs_forwarder")
def _note_start_of_logs(original: Function, container: Any, cdef: dict[str, Any], task_id: str) -> None:
    if ecs._awslogs_config(cdef, task_id, container.id):
        _logs_forwarded[container.id] = threading.Event()
    original(container, cdef, task_id)


@patch(ecs, "_forward_awslogs")
def _note_end_of_logs(original: Function, container: Any, *rest: Any) -> None:
    try:
        original(WholeLog(container), *rest)
    finally:
        if forwarded := _logs_forwarded.get(container.id):
            forwarded.set()


class WholeLog:
    """A container whose log is complete: when following it, the engine may omit the last line."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def logs(self, **options: Any) -> Iterator[bytes]:
        seen = 0
        for chunk in self._container.logs(**options):
            seen += len(chunk)
            yield chunk
        # A line without a newline is written when the container ends, which is after its output ends.
        self._container.wait(timeout=_LOGS_WITHIN_SECONDS)
        for chunk in self._container.logs(**{**options, "follow": False}):
            if seen < len(chunk):
                yield chunk[seen:]
            seen = max(0, seen - len(chunk))
