"""A task's state and the token of the waiting step: nothing is lost, in any order."""

import boto3
import pytest
from deployer.aws import ecs, ledger_keys, step_functions, task_states
from deployer.aws.items import plain
from deployer.domain.task import Task
from deployer.events import record_task_state
from deployer.steps import wait_for_running
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import LambdaContext, examples

ARN = "arn:aws:ecs:eu-west-1:111122223333:task/portcall/0f1e"
PENDING = Task(ARN, "PENDING", "RUNNING", 2)
RUNNING = Task(ARN, "RUNNING", "RUNNING", 3, interface="eni-1")
STOPPING = Task(ARN, "RUNNING", "STOPPED", 4, interface="eni-1", exit_code=1)
STOPPED = Task(ARN, "STOPPED", "STOPPED", 6, interface="eni-1", exit_code=1)


@pytest.fixture
def answers(monkeypatch):
    """What was sent to the workflow: (token, "running" or the failure's cause)."""
    said: list[tuple[str, str]] = []
    monkeypatch.setattr(
        step_functions, "send_task_success", lambda *, token, output: said.append((token, "running")) or True
    )
    monkeypatch.setattr(
        step_functions,
        "send_task_failure",
        lambda *, token, error, cause: said.append((token, f"{error}: {cause}")) or True,
    )
    return said


def news(task):
    detail = {
        "taskArn": task.arn,
        "lastStatus": task.last_status,
        "desiredStatus": task.desired_status,
        "version": task.version,
        "containers": [{"name": "app"} | ({} if task.exit_code is None else {"exitCode": task.exit_code})],
        "attachments": [
            {"type": "eni", "details": [{"name": "networkInterfaceId", "value": task.interface}]},
        ]
        if task.interface
        else [],
    }
    record_task_state.handler({"id": "event", "detail": detail}, LambdaContext())


def wait(token="token", attempt=0):
    wait_for_running.handler(
        {"token": token, "attempt": attempt, "deployment": {"id": "d", "task": {"arn": ARN}}}, LambdaContext()
    )


def test_the_step_comes_first(ledger_table, answers):
    wait()
    assert answers == []
    news(PENDING)
    assert answers == []
    news(RUNNING)
    assert answers == [("token", "running")]


def test_the_event_comes_first(ledger_table, answers):
    news(RUNNING)
    assert answers == []
    wait()
    assert answers == [("token", "running")]


def test_a_stop_is_reported_at_the_first_event(ledger_table, answers):
    wait()
    news(STOPPING)
    assert answers == [("token", "TaskStoppedError: exit code 1")]


def test_an_older_event_does_not_overwrite_a_newer_one(ledger_table, answers):
    news(STOPPED)
    news(RUNNING)
    wait()
    assert answers == [("token", "TaskStoppedError: exit code 1")]


def test_the_same_state_is_sent_twice_since_the_first_call_may_have_failed(ledger_table, answers):
    wait()
    news(RUNNING)
    news(RUNNING)
    assert answers == [("token", "running")] * 2


def test_the_second_attempt_asks_ECS_for_a_lost_event(ledger_table, answers, monkeypatch):
    monkeypatch.setattr(ecs, "describe_task", lambda *, cluster, task: RUNNING)
    wait("first")
    assert answers == []
    wait("second", attempt=1)
    assert answers == [("second", "running")]


def test_a_second_attempt_is_called_back_with_its_own_token(ledger_table, answers):
    wait("first")
    wait("second")
    news(RUNNING)
    assert answers == [("second", "running")]


def test_the_record_expires(ledger_table, answers):
    task_states.store_token(task=ARN, token="token")
    (item,) = boto3.client("dynamodb").scan(TableName="ledger")["Items"]
    assert plain(item).items() >= ledger_keys.task(ARN).items()
    assert int(item["expires_at"]["N"]) > 0


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.permutations([wait, *(lambda task=task: news(task) for task in (PENDING, RUNNING))]),
    st.lists(st.integers(0, 2), max_size=2),
)
def test_in_every_order_and_with_duplicates_the_workflow_gets_the_answer(ledger_table, answers, acts, again):
    ledger_table()
    answers.clear()
    for act in [*acts, *(acts[index] for index in again)]:
        act()
    assert answers
    assert set(answers) == {("token", "running")}
