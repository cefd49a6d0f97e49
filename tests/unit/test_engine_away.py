"""The Docker engine is away for a while, or its disk is full: reports about tasks stay true."""

import ast
import contextlib
from pathlib import Path
from typing import Any, cast

import pytest
import requests
import urllib3
from deployer.domain.failure import explain
from deployer.domain.task import Task
from docker.errors import APIError, NotFound

from localcloud.options import Settings
from localcloud.patches.ecs import fargate, task_exit

ROOT = Path(__file__).parents[2]
AWAY = [
    APIError("the engine is busy"),
    requests.ConnectionError("refused"),
    requests.ReadTimeout("silent"),
    urllib3.exceptions.ProtocolError("cut off"),
]


class Engine:
    """Fails once, and then says that the container has ended."""

    def __init__(self, error: Exception) -> None:
        self.containers, self.errors = self, [error]

    def get(self, _name: str) -> Any:
        if self.errors:
            raise self.errors.pop()
        self.attrs = {"State": {"Status": "exited", "ExitCode": 143}}
        return self


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_a_container_is_looked_at_again_once_the_engine_is_back(error: Exception) -> None:
    engine, task = Engine(error), {"taskArn": "arn:task", "containers": [{"lastStatus": "RUNNING"}]}
    assert not task_exit.note_exit(engine, task, 0, "container")
    assert task["containers"] == [{"lastStatus": "RUNNING"}]
    assert task_exit.note_exit(engine, task, 0, "container")
    assert task["containers"] == [{"lastStatus": "STOPPED", "exitCode": 143}]


def test_a_container_that_was_removed_after_its_end_was_recorded_keeps_its_exit_code() -> None:
    """Two threads look at each task, and the first to see its end removes the container."""
    task = {"taskArn": "arn:task", "containers": [{"lastStatus": "STOPPED", "exitCode": 3}]}
    assert task_exit.note_exit(Engine(NotFound("gone")), task, 0, "container")
    assert task["containers"] == [{"lastStatus": "STOPPED", "exitCode": 3}]


def test_a_container_that_was_removed_while_it_ran_was_killed() -> None:
    task = {"taskArn": "arn:task", "containers": [{"lastStatus": "RUNNING", "exitCode": None}]}
    assert task_exit.note_exit(Engine(NotFound("gone")), task, 0, "container")
    assert task["containers"][0]["exitCode"] == task_exit.KILLED


def test_who_asks_the_engine_expects_that_it_is_away() -> None:
    """`DockerException` is what it says itself, not what the connection says of it."""
    patches = sorted((ROOT / "localcloud/patches").rglob("*.py"))
    handlers = [
        (path.name, node.lineno)
        for path in patches
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.ExceptHandler) and node.type and "DockerException" in ast.unparse(node.type))
        or (isinstance(node, ast.Call) and ast.unparse(node).endswith("suppress(DockerException)"))
    ]
    assert handlers == []


def test_a_full_disk_of_the_engine_is_not_blamed_on_the_image() -> None:
    """On Fargate each task has a disk of its own, and what does not fit is too large."""
    said = fargate._explained(APIError("write /var/lib/docker/overlay2/x: no space left on device"))
    assert "the disk of this machine that Docker keeps its images on is full" in said
    stopped = Task(
        "arn",
        "STOPPED",
        "STOPPED",
        5,
        stop_code="TaskFailedToStart",
        stopped_reason=f"CannotPullContainerError: {said}",
    )
    found = explain(
        error="TaskStoppedError",
        message=stopped.why_stopped(),
        task=stopped,
        log=[],
        port=3000,
        memory="512",
        architecture="X86_64",
    )
    assert found.summary == "failed to start: the image could not be pulled"
    assert found.passing


class Starting:
    """An engine, and its container, whose create or start fails."""

    def __init__(self, failing: str, error: Exception) -> None:
        self.containers, self.failing, self.error = self, failing, error

    def create(self, _image: str, **_options: Any) -> Any:
        return self._do("create")

    def start(self) -> Any:
        return self._do("start")

    def remove(self, **_options: Any) -> None:
        pass

    def _do(self, what: str) -> Any:
        if what == self.failing:
            raise self.error
        return self


def stopped_reason(engine: Starting, monkeypatch: pytest.MonkeyPatch) -> str:
    """ECS's reason for a task whose container did not start."""
    monkeypatch.setattr(fargate, "_pull", lambda *arguments: ("app", "linux/amd64"))
    monkeypatch.setattr(fargate, "pulling", contextlib.nullcontext)
    monkeypatch.setattr(fargate, "runs", lambda architecture: True)
    kwargs = {"platform": "linux/amd64", "labels": {"com.amazonaws.ecs.task-arn": "arn:task"}}
    with pytest.raises(fargate.StartError) as raised:
        fargate._start(lambda: None, engine, {"image": "app"}, kwargs, settings=cast("Settings", None))
    answered: list[str] = []
    reason = f"{fargate._REPORTED_BY_MINISTACK}{raised.value}"
    fargate._plain_reason(
        lambda task, client, reason: answered.append(reason), {"containers": []}, engine, reason
    )
    return answered[0]


@pytest.mark.parametrize("failing", ["create", "start"])
@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_an_engine_that_went_away_is_not_blamed_on_the_command(
    failing: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = stopped_reason(Starting(failing, error), monkeypatch)
    stopped = Task("arn", "STOPPED", "STOPPED", 5, stop_code="TaskFailedToStart", stopped_reason=reason)
    found = explain(
        error="TaskStoppedError",
        message=stopped.why_stopped(),
        task=stopped,
        log=[],
        port=3000,
        memory="512",
        architecture="X86_64",
    )
    refused = isinstance(error, APIError)
    assert reason.startswith("Cannot") == refused
    assert found.passing != refused
    assert ("command" in found.summary) == refused
