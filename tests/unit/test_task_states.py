"""The meeting point of a task's news and the step that waits for it: nothing is lost in any order."""

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
def told(monkeypatch):
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


def test_the_step_comes_first(ledger_table, told):
    wait()
    assert told == []
    news(PENDING)
    assert told == []
    news(RUNNING)
    assert told == [("token", "running")]


def test_the_news_come_first(ledger_table, told):
    news(RUNNING)
    assert told == []
    wait()
    assert told == [("token", "running")]


def test_a_stop_is_reported_at_its_first_sign(ledger_table, told):
    wait()
    news(STOPPING)
    assert told == [("token", "TaskStoppedError: exit code 1")]


def test_old_news_do_not_overwrite_newer(ledger_table, told):
    news(STOPPED)
    news(RUNNING)
    wait()
    assert told == [("token", "TaskStoppedError: exit code 1")]


def test_the_same_state_twice_is_sent_twice_for_the_first_sender_may_have_died(ledger_table, told):
    wait()
    news(RUNNING)
    news(RUNNING)
    assert told == [("token", "running")] * 2


def test_news_that_never_came_are_asked_for_at_the_second_attempt(ledger_table, told, monkeypatch):
    monkeypatch.setattr(ecs, "describe_task", lambda *, cluster, task: RUNNING)
    wait("first")
    assert told == []
    wait("second", attempt=1)
    assert told == [("second", "running")]


def test_a_second_attempt_is_called_back_with_its_own_token(ledger_table, told):
    wait("first")
    wait("second")
    news(RUNNING)
    assert told == [("second", "running")]


def test_the_meeting_point_expires(ledger_table, told):
    task_states.store_token(task=ARN, token="token")
    (item,) = boto3.client("dynamodb").scan(TableName="ledger")["Items"]
    assert plain(item).items() >= ledger_keys.task(ARN).items()
    assert int(item["expires_at"]["N"]) > 0


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.permutations([wait, *(lambda task=task: news(task) for task in (PENDING, RUNNING))]),
    st.lists(st.integers(0, 2), max_size=2),
)
def test_in_every_order_and_with_duplicates_the_workflow_hears_that_it_runs(ledger_table, told, acts, again):
    ledger_table()
    told.clear()
    for act in [*acts, *(acts[index] for index in again)]:
        act()
    assert told
    assert set(told) == {("token", "running")}
