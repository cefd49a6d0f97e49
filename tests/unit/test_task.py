"""A task is read the same way from events and from responses."""

from datetime import UTC, datetime

import pytest
from deployer.domain.task import Task, TaskState


def test_running_with_an_interface_is_running(event):
    task = Task.from_ecs(event("ecs-task-running")["detail"])
    assert task.state is TaskState.RUNNING
    assert task.interface == "eni-0a1b2c3d4e5f60718"
    assert task.version == 4


def test_a_stop_counts_before_the_task_has_stopped(event):
    task = Task.from_ecs(event("ecs-task-stopping-exit-1")["detail"])
    assert task.last_status != "STOPPED"
    assert task.state is TaskState.STOPPED
    assert task.why_stopped() == "exit code 1. Essential container in task exited"


def test_a_task_that_never_started_has_no_exit_code(event):
    task = Task.from_ecs(event("ecs-task-failed-to-start")["detail"])
    assert task.state is TaskState.STOPPED
    assert task.exit_code is None
    assert task.why_stopped().startswith("CannotPullContainerError")


def test_an_answer_names_the_interface_differently():
    attachment = {
        "type": "ElasticNetworkInterface",
        "details": [
            {"name": "subnetId", "value": "subnet-1"},
            {"name": "networkInterfaceId", "value": "eni-1"},
        ],
    }
    task = Task.from_ecs({"taskArn": "arn", "lastStatus": "RUNNING", "attachments": [attachment]})
    assert task.interface == "eni-1"


@pytest.mark.parametrize("status", ["PROVISIONING", "PENDING", "ACTIVATING"])
def test_anything_before_running_is_starting(status):
    assert Task("arn", status, "RUNNING", 1, interface="eni-1").state is TaskState.STARTING


def test_running_without_an_interface_is_still_starting():
    assert Task("arn", "RUNNING", "RUNNING", 3).state is TaskState.STARTING


def test_exit_code_zero_is_reported():
    assert Task("arn", "STOPPED", "STOPPED", 5, exit_code=0).why_stopped() == "exit code 0"


TIMES = {
    "pullStartedAt": datetime(2026, 11, 20, 9, 15, 44, 100_000, UTC),
    "pullStoppedAt": datetime(2026, 11, 20, 9, 15, 53, 400_000, UTC),
    "startedAt": datetime(2026, 11, 20, 9, 15, 54, 200_000, UTC),
}


def test_its_times_are_the_same_in_events_and_answers(event):
    detail = event("ecs-task-running")["detail"]
    of_the_event, of_an_answer = Task.from_ecs(detail), Task.from_ecs(detail | TIMES)
    assert of_the_event == of_an_answer
    assert of_the_event.launch() == {
        "pullStartedAt": 1_795_166_144.1,
        "pullStoppedAt": 1_795_166_153.4,
        "startedAt": 1_795_166_154.2,
    }


def test_times_that_ecs_does_not_give_are_left_out(event):
    assert Task.from_ecs({"taskArn": "arn", "pullStartedAt": None}).launch() == {}
    never_ran = Task.from_ecs(event("ecs-task-failed-to-start")["detail"])
    assert list(never_ran.launch()) == ["pullStartedAt"]
