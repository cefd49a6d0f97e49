"""The outcomes of a push, in the real workflow with the real handlers."""

import itertools
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from deployer.aws import ledger, task_states
from deployer.domain.errors import (
    AccessDeniedError,
    AddressNotReadyError,
    AwsRefusedError,
    AwsUnavailableError,
    NoAnswerError,
    NoCapacityError,
    TaskStoppedError,
    ThrottledError,
)
from deployer.steps import check_health

from tests.workflow.conftest import URL, LambdaDied, stopped

HAPPY = [
    "AdmitPush",
    "ReadImage",
    "RegisterTaskDefinition",
    "RunTask",
    "WaitForRunning",
    "ResolvePublicIp",
    "CheckHealth",
    "SwitchOver",
    "PublishUrl",
]


@pytest.fixture
def push(event):
    return event("ecr-push-tagged")


def test_a_push_becomes_a_url(deploy, world, push):
    execution = deploy(push)
    assert (execution.status, execution.states) == ("SUCCEEDED", HAPPY)
    (news,) = world.mails
    assert news["subject"] == f"flask-app is live: {URL}"
    assert news["attributes"]["outcome"] == "deployed"
    assert world.live() == set(world.started.values())


def test_the_document_is_the_event_plus_one_key_per_step(deploy, world, push):
    output = deploy(push).output
    assert {name: output[name] for name in push} == push
    assert set(output) - set(push) == {
        "admission",
        "image",
        "taskDefinition",
        "task",
        "running",
        "endpoint",
        "health",
        "switch",
        "notification",
    }


def test_the_revision_is_for_the_digest_that_was_pushed(deploy, world, push):
    deploy(push)
    (request,) = world.revisions
    assert request["containerDefinitions"][0]["image"].endswith("flask-app@" + push["detail"]["image-digest"])


def test_a_lost_event_is_made_up_for_by_asking(deploy, world, push):
    world.lost_events = True
    assert deploy(push).status == "SUCCEEDED"
    assert len(world.mails) == 1


@pytest.mark.parametrize(
    "how",
    [
        {"exit_code": 1, "stop_code": "EssentialContainerExited"},
        {"exit_code": 0, "stop_code": "EssentialContainerExited"},
        {"stop_code": "TaskFailedToStart", "stopped_reason": "CannotPullContainerError: not found"},
    ],
)
def test_a_task_that_stops_fails_the_deployment(deploy, world, push, how):
    world.states = [stopped(**how)]
    world.log = ["the last words"]
    execution = deploy(push)
    assert (execution.status, execution.error) == ("FAILED", "TaskStoppedError")
    assert execution.states[-2:] == ["RollBack", "DeploymentFailed"]
    (news,) = world.mails
    assert news["attributes"]["outcome"] == "failed"
    assert "the last words" in news["text"]


def test_a_log_line_with_control_characters_still_says_why_a_task_stopped(deploy, world, push):
    """A carriage return at the end of a name."""
    world.states = [stopped(exit_code=127, stop_code="EssentialContainerExited")]
    world.log = ["\x1b[31m/start.sh: 2: gunicorn\r: not found\x1b[0m"]
    deploy(push)
    (news,) = world.mails
    assert "a script has Windows line endings" in news["subject"]
    assert "    /start.sh: 2: gunicorn : not found\n" in news["text"]


def test_a_task_that_has_stopped_by_itself_is_not_stopped_again(deploy, world, push):
    world.states = [stopped(exit_code=1, stop_code="EssentialContainerExited", stopped_reason="Essential container in task exited")]  # fmt: skip
    assert deploy(push).error == "TaskStoppedError"
    assert world.stopped == []
    assert "Essential container in task exited" in world.mails[0]["text"]


def test_a_task_that_cannot_be_described_is_stopped_anyway(deploy, world, push):
    world.answers = None
    world.faults["describe_task"] = [AccessDeniedError("DescribeTasks: not authorized")]
    deploy(push)
    assert world.live() == set()


def test_an_app_that_never_answers_is_stopped_and_not_called_live(deploy, world, push):
    world.answers = None
    execution = deploy(push)
    assert (execution.status, execution.error) == ("FAILED", "NoAnswerError")
    assert world.live() == set()
    assert [news["attributes"]["outcome"] for news in world.mails] == ["failed"]


def test_a_task_that_is_gone_before_its_address_is_found_fails_at_once(deploy, world, push):
    def stop() -> None:
        (arn,) = world.started.values()
        world.dead[arn] = stopped(arn, exit_code=3)
        task_states.store_task(task=world.dead[arn])
        raise AddressNotReadyError("not yet")

    world.faults["addresses"] = [stop]
    execution = deploy(push)
    assert (execution.status, execution.error) == ("FAILED", "TaskStoppedError")
    assert "exit code 3" in world.mails[0]["subject"]


def test_an_app_that_takes_its_time_is_asked_in_several_calls(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.timeout": "100"}}
    world.faults["probe"] = [NoAnswerError("nothing accepted a connection on port 3000")] * 3
    assert deploy(push).status == "SUCCEEDED"
    assert [name for name, _ in world.steps].count("CheckHealth") == 4
    assert len(world.mails) == 1


PATIENT = {"Cmd": ["app"], "Labels": {"portcall.timeout": "100"}}
WRONG_PORT = (
    "The app is running, but did not answer within 30 seconds: nothing accepted a connection on port 3000."
)


@pytest.mark.parametrize("line", ["Server listening on port 8080", "Running on http://127.0.0.1:3000"])
def test_an_app_that_says_it_listens_elsewhere_is_reported_at_once(deploy, world, push, line):
    world.configuration = PATIENT
    world.faults["probe"] = [NoAnswerError(WRONG_PORT)] * 9
    world.log = ["starting", line]
    execution = deploy(push)
    assert (execution.status, execution.error) == ("FAILED", "NoAnswerError")
    assert [name for name, _ in world.steps].count("CheckHealth") == 1
    (news,) = world.mails
    assert "never answered: it" in news["subject"]
    assert world.live() == set()


@pytest.mark.parametrize("line", ["Serving metrics on port 9090", "Waiting for db:5432", "loading"])
def test_an_app_that_may_still_answer_is_asked_again(deploy, world, push, line):
    world.configuration = PATIENT
    world.faults["probe"] = [NoAnswerError(WRONG_PORT)] * 3
    world.log = [line]
    assert deploy(push).status == "SUCCEEDED"


def test_an_app_whose_log_may_not_be_read_is_asked_again(deploy, world, push):
    world.configuration = PATIENT

    def denied() -> None:
        world.faults["tail"] = [AccessDeniedError("GetLogEvents: denied")]
        raise NoAnswerError(WRONG_PORT)

    world.faults["probe"] = [denied]
    world.log = ["Server listening on port 8080"]
    assert deploy(push).status == "SUCCEEDED"
    assert world.faults["tail"] == []


def test_once_its_time_is_up_an_app_is_not_asked_again(deploy, world, push, monkeypatch):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.timeout": "100"}}
    world.answers = None
    later = itertools.count(time.time(), 32.0)
    monkeypatch.setattr(check_health, "time", SimpleNamespace(time=lambda: next(later)))
    execution = deploy(push)
    assert (execution.status, execution.error) == ("FAILED", "NoAnswerError")
    # Its 100 seconds are over after three whole looks and a short one.
    assert [name for name, _ in world.steps].count("CheckHealth") == 4
    assert world.live() == set()


def test_an_app_that_dies_between_two_calls_fails_at_once(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.timeout": "100"}}

    def dies() -> None:
        (arn,) = world.started.values()
        world.dead[arn] = stopped(arn, exit_code=3)
        task_states.store_task(task=world.dead[arn])
        raise NoAnswerError("nothing accepted a connection on port 3000")

    world.faults["probe"] = [dies]
    execution = deploy(push)
    assert (execution.status, execution.error) == ("FAILED", "TaskStoppedError")


def test_a_health_check_that_hangs_is_not_begun_again(deploy, world, push):
    world.faults["CheckHealth"] = [LambdaDied("Sandbox.Timedout")] * 9
    assert deploy(push).error == "Sandbox.Timedout"
    assert [name for name, _ in world.steps].count("CheckHealth") == 1
    assert world.live() == set()


@pytest.mark.parametrize("error", ["Lambda.TooManyRequestsException", "Lambda.ResourceNotReadyException"])
@pytest.mark.parametrize("step", ["CheckHealth", "RollBack", "AdmitPush"])
def test_a_step_waits_until_lambda_has_a_place_for_it(deploy, world, push, step, error):
    world.answers = None if step == "RollBack" else 200
    world.faults[step] = [LambdaDied(error)] * 15
    assert deploy(push).status == ("FAILED" if step == "RollBack" else "SUCCEEDED")
    assert len(world.mails) == 1


def test_an_app_that_dies_while_it_is_asked_fails_at_once(deploy, world, push):
    world.faults["probe"] = [TaskStoppedError("exit code 1")]
    execution = deploy(push)
    assert (execution.status, execution.error) == ("FAILED", "TaskStoppedError")
    assert world.live() == set()


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("register_task_definition", ThrottledError("Rate exceeded")),
        ("register_task_definition", AwsUnavailableError("no answer")),
        ("run_task", ThrottledError("Rate exceeded")),
        ("run_task", NoCapacityError("Capacity is unavailable")),
        ("store_token", ThrottledError("Rate exceeded")),
        ("addresses", AddressNotReadyError("not yet")),
        ("addresses", AwsUnavailableError("no answer")),
        ("publish", ThrottledError("Rate exceeded")),
    ],
)
def test_a_passing_error_is_retried(deploy, world, push, call, fault):
    world.faults[call] = [fault, fault]
    assert deploy(push).status == "SUCCEEDED"
    assert len(world.live()) == 1
    assert len(world.mails) == 1


@pytest.mark.parametrize("call", ["register_task_definition", "run_task", "store_token", "addresses"])
@pytest.mark.parametrize(
    "fault", [AccessDeniedError("not authorized"), AwsRefusedError("bad"), KeyError("a bug")]
)
def test_a_lasting_error_ends_in_a_mail_and_leaves_no_task(deploy, world, push, call, fault):
    world.faults[call] = [fault] * 50
    execution = deploy(push)
    assert (execution.status, execution.error) == ("FAILED", type(fault).__name__)
    assert world.live() == set()
    (news,) = world.mails
    assert news["attributes"]["outcome"] == "failed"


def test_a_task_whose_start_was_never_answered_is_stopped_too(deploy, world, push):
    world.faults["run_task"] = [AwsUnavailableError("no answer")] * 50
    world.faults["tasks_started_by"] = [AwsUnavailableError("no answer")] * 10
    assert deploy(push).status == "FAILED"
    assert world.started
    assert world.live() == set()


def test_a_retry_of_run_task_starts_nothing_twice(deploy, world, push):
    world.faults["run_task"] = [AwsUnavailableError("no answer")]
    assert deploy(push).status == "SUCCEEDED"
    assert len(world.started) == 1


def test_a_task_whose_start_was_not_answered_is_found_though_its_token_is_another(deploy, world, push):
    world.faults["run_task on FARGATE"] = [NoCapacityError("RESOURCE:CPU")] * 3
    # The second attempt's own token starts a task, and its answer is lost.
    world.faults["run_task"] = [AwsUnavailableError("no answer")]
    assert deploy(push).status == "SUCCEEDED"
    assert len(world.started) == 1


def test_a_token_that_was_refused_is_not_the_only_one_that_is_asked_with(deploy, world, push):
    """ECS may give the answer of a token again, a refusal too."""

    def refuse(client_token: str) -> None:
        if client_token in refused:
            raise NoCapacityError("Capacity is unavailable at this time")

    refused = {push["id"]}
    world.before_run_task = refuse
    assert deploy(push).status == "SUCCEEDED"
    assert len(world.started) == 1
    assert all(len(token) <= 64 for token in world.answers_of_run_task)


def test_without_spot_capacity_the_app_runs_on_fargate_and_the_mail_says_so(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.capacity": "FARGATE_SPOT"}}
    world.faults["run_task on FARGATE_SPOT"] = [NoCapacityError("Capacity is unavailable at this time")]
    assert deploy(push).status == "SUCCEEDED"
    assert [task["capacity_provider"] for task in world.tasks] == ["FARGATE"]
    assert "no Spot capacity" in world.mails[0]["text"]
    # A restart asks for Spot again.
    assert ledger.current(app="flask-app").image["capacity"] == "FARGATE_SPOT"


def test_with_spot_capacity_the_app_runs_on_spot_and_the_mail_omits_it(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.capacity": "FARGATE_SPOT"}}
    assert deploy(push).status == "SUCCEEDED"
    assert [task["capacity_provider"] for task in world.tasks] == ["FARGATE_SPOT"]
    assert "Spot" not in world.mails[0]["text"]


def test_without_spot_and_fargate_capacity_a_push_fails_and_starts_no_task(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.capacity": "FARGATE_SPOT"}}
    for capacity in ("FARGATE_SPOT", "FARGATE"):
        world.faults[f"run_task on {capacity}"] = [NoCapacityError("Capacity is unavailable at this time")] * 99
    assert deploy(push).error == "NoCapacityError"
    assert world.started == {}


def test_a_task_for_which_fargate_finds_no_room_later_lacked_capacity(deploy, world, push):
    world.states = [stopped(stop_code="TaskFailedToStart", stopped_reason="Capacity is unavailable at this time.")]  # fmt: skip
    execution = deploy(push)
    assert (execution.status, execution.error) == ("FAILED", "NoCapacityError")
    assert "Capacity is unavailable" in execution.cause
    # It is deployed again, and only then mailed.
    assert world.mails == []


def test_a_stop_that_is_refused_is_reported_in_the_mail(deploy, world, push):
    world.answers = None
    world.faults["stop_task"] = [AccessDeniedError("StopTask: not authorized")]
    assert deploy(push).status == "FAILED"
    (news,) = world.mails
    assert "may still run" in news["text"]
    assert "aws ecs stop-task" in news["text"]


def test_a_roll_back_that_fails_itself_still_ends_as_failed(deploy, world, push):
    world.answers = None
    world.faults["publish"] = [AccessDeniedError("Publish: not authorized")] * 5
    execution = deploy(push)
    assert (execution.status, execution.states[-1]) == ("FAILED", "RollBackFailed")
    assert world.live() == set()


@pytest.mark.parametrize(
    "name", ["ecr-delete", "ecr-push-untagged-child", "ecr-storage-class", "ecr-scan-complete"]
)
def test_an_event_that_is_not_a_push_starts_no_task(deploy, world, event, name):
    execution = deploy(event(name))
    assert execution.status == "FAILED"
    assert not world.started


def test_transitions_do_not_grow_with_what_the_task_goes_through(deploy, world, push):
    short = len(deploy(push).states)
    world.states = [
        *(stopped().__class__("", status, "RUNNING", number) for number, status in enumerate(["PROVISIONING", "PENDING", "ACTIVATING"], 1)),
        stopped().__class__("", "RUNNING", "RUNNING", 9, interface="eni-1"),
    ]  # fmt: skip
    assert len(deploy({**push, "id": "another", "time": "2026-11-20T09:16:00Z"}).states) == short


# PublishUrl reads the current deployment once more before it writes the mail, which must be true then.
READ_AGAIN = {("PublishUrl", "current"): 2}


def test_no_step_reads_an_item_of_the_ledger_twice(deploy, world, push, ledger_in_memory, monkeypatch):
    deploy(push)
    second = {**push, "id": "second", "detail": {**push["detail"], "image-digest": f"sha256:{'2' * 64}"}}
    read = ledger_in_memory.get_item
    reads: Counter[tuple[str, str]] = Counter()

    def get_item(**request: Any) -> dict[str, Any]:
        reads[world.steps[-1][0], request["Key"]["sk"]["S"].partition("#")[0]] += 1
        return read(**request)

    monkeypatch.setattr(ledger_in_memory, "get_item", get_item)
    assert deploy(second).states == HAPPY
    assert ("AdmitPush", "current") in reads
    assert {each: times for each, times in reads.items() if times > 1} == READ_AGAIN
