"""While the stack is updated, executions with the definition from before BranchError call the new functions."""

import copy
import json
import time
from datetime import UTC, datetime

import pytest
from deployer.aws import ledger
from deployer.domain.errors import NoAnswerError, NoCapacityError
from deployer.events import operate, reconcile

from tests.conftest import LambdaContext
from tests.workflow import conftest
from tests.workflow.test_gate import CLEAN
from tests.workflow.test_gate import gate as gate
from tests.workflow.test_image import HELM

CHOICES = {
    "AdmitPush": (
        "WasAdmitted",
        [
            {"Variable": "$.admission.result", "StringEquals": "duplicate", "Next": "Duplicate"},
            {"Variable": "$.admission.result", "StringEquals": "superseded", "Next": "Superseded"},
            {"Variable": "$.admission.result", "StringEquals": "same image", "Next": "SameImage"},
            {"Variable": "$.admission.result", "StringEquals": "held", "Next": "RecordPush"},
            {"Variable": "$.image", "IsPresent": True, "Next": "RegisterTaskDefinition"},
        ],
        "ReadImage",
    ),
    "ReadImage": (
        "IsAnApp",
        [
            {"Variable": "$.image.result", "StringEquals": "ignored", "Next": "IgnorePush"},
            {"Variable": "$.image.gated", "BooleanEquals": True, "Next": "CheckFindings"},
        ],
        "RegisterTaskDefinition",
    ),
    "RegisterTaskDefinition": (
        "IsStillWanted",
        [{"Variable": "$.taskDefinition.result", "StringEquals": "registered", "Next": "RunTask"}],
        "Superseded",
    ),
    "CheckHealth": (
        "HasAnswered",
        [{"Variable": "$.health.result", "StringEquals": "answered", "Next": "SwitchOver"}],
        "ReadLog",
    ),
    "SwitchOver": (
        "IsCurrent",
        [
            {"Variable": "$.switch.result", "StringEquals": "current", "Next": "PublishUrl"},
            {"Variable": "$.switch.result", "StringEquals": "moved", "Next": "CheckStableUrl"},
            {"Variable": "$.switch.result", "StringEquals": "held", "Next": "RecordPush"},
        ],
        "Superseded",
    ),
}


@pytest.fixture(autouse=True)
def older_definition(monkeypatch):
    made = copy.deepcopy(json.loads(conftest.definition()))
    for state in made["States"].values():
        state["Catch"] = state.get("Catch", [])[-1:]
        if state["Type"] != "Task":
            del state["Catch"]
    for name, (choice, rules, default) in CHOICES.items():
        made["States"][name]["Next"] = choice
        made["States"][choice] = {"Type": "Choice", "Choices": rules, "Default": default}
    monkeypatch.setattr(conftest, "definition", lambda: json.dumps(made))


@pytest.fixture
def push_now(push):
    return lambda number: push(number) | {"time": datetime.fromtimestamp(time.time(), UTC).isoformat()}


def current():
    return ledger.current(app="flask-app")


def outcomes():
    return {each.deployment: each.outcome for each in ledger.deployments(app="flask-app")}


def ask(action):
    return operate.handler({"action": action, "app": "flask-app", "by": "ann"}, LambdaContext())


def subjects(world):
    return [mail["subject"] for mail in world.mails]


def test_a_push_is_deployed(deploy, world, push):
    execution = deploy(push(1))
    assert (execution.status, execution.states[-2:]) == ("SUCCEEDED", ["IsCurrent", "PublishUrl"])
    assert len(world.mails) == 1


def test_a_push_with_a_stable_url_is_deployed(deploy, world, push, stable_url):
    assert deploy(push(1)).states[-3:] == ["CheckStableUrl", "StopPrevious", "PublishUrl"]
    assert "https://api-1.example/" in world.mails[0]["subject"]


def test_a_push_whose_scan_is_checked_is_deployed(deploy, world, push, gate):
    gate("high")
    world.scans = [CLEAN]
    execution = deploy(push(1))
    assert (execution.status, execution.states.count("RegisterTaskDefinition")) == ("SUCCEEDED", 1)
    assert len(world.scanned) == 1


def test_an_app_is_restarted(deploy, world, push, stop):
    deploy(push(1))
    stop()
    assert current().deployment.startswith("restart-")
    assert subjects(world)[-1].startswith("flask-app is live again")


def test_a_duplicate_leaves_the_deployment_alone_that_handles_the_push(deploy, world, push):
    world.faults["run_task"] = [lambda: deploy(push(1))]
    assert deploy(push(1)).status == "SUCCEEDED"
    assert world.live() == {current().task}
    assert outcomes() == {"push-1": "deployed"}
    assert len(world.mails) == 1


@pytest.mark.parametrize("call", ["is_newest", "register_task_definition", "probe"])
def test_a_superseded_push_is_not_mailed_as_failed(deploy, world, push, call):
    world.faults[call] = [lambda: deploy(push(2))]
    assert deploy(push(1), moves_the_tag=True).error == "SupersededError"
    assert outcomes() == {"push-1": "superseded", "push-2": "deployed"}
    assert world.live() == {current().task}
    assert current().deployment == "push-2"
    assert len(world.mails) == 1


def test_a_push_that_leaves_the_capacity_to_a_newer_one_is_not_mailed_as_failed(deploy, world, push):
    world.faults["run_task on FARGATE"] = [NoCapacityError("no vCPU")]
    world.faults["tasks_started_by"] = [lambda: deploy(push(2))]
    assert deploy(push(1), moves_the_tag=True).error == "NotNewestError"
    assert outcomes() == {"push-1": "superseded", "push-2": "deployed"}
    assert world.live() == {current().task}
    assert len(world.mails) == 1


def test_a_push_whose_tag_points_elsewhere_is_not_mailed_as_failed(deploy, world, push):
    deploy(push(2))
    assert deploy(push(1), moves_the_tag=False).error == "SupersededError"
    assert outcomes() == {"push-1": "superseded", "push-2": "deployed"}
    assert len(world.mails) == 1


def test_another_tag_of_an_image_is_not_mailed_as_failed(deploy, world, push):
    deploy(push(1))
    again = push(1) | {"id": "again"}
    again["detail"] = again["detail"] | {"image-tag": "v1"}
    assert deploy(again).error == "SameImageError"
    assert outcomes() == {"push-1": "deployed", "again": "same image"}
    assert world.live() == {current().task}
    assert len(world.mails) == 1


def test_an_artifact_that_is_not_an_app_is_ignored(deploy, world, push):
    world.manifests[push(1)["detail"]["image-digest"]] = HELM
    assert deploy(push(1)).error == "NotAnAppError"
    assert outcomes() == {"push-1": "ignored"}
    assert world.mails == []


def test_a_push_of_a_stopped_app_is_recorded_and_mailed_once(deploy, world, push_now):
    deploy(push_now(1))
    ask("stop")
    assert deploy(push_now(2)).error == "HeldError"
    assert outcomes()["push-2"] == "recorded"
    assert ["was not deployed" in each for each in subjects(world)] == [False, True]


def test_a_push_of_an_app_that_is_stopped_meanwhile_is_recorded(deploy, world, push_now):
    deploy(push_now(1))
    world.faults["probe"] = [lambda: ask("stop")]
    assert deploy(push_now(2)).error == "HeldError"
    assert outcomes()["push-2"] == "recorded"
    assert world.live() == set()
    assert ["was not deployed" in each for each in subjects(world)] == [False, True]


def test_an_app_that_is_slow_to_answer_is_deployed_again_without_a_mail_about_that(deploy, world, push_now):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.timeout": "100"}}
    world.faults["probe"] = [NoAnswerError("nothing accepted a connection on port 3000")]
    assert deploy(push_now(1)).error == "NoAnswerYetError"
    assert (outcomes(), world.live(), world.mails) == ({"push-1": "retried"}, set(), [])
    reconcile.handler({"id": "sweep"}, LambdaContext())
    assert outcomes()[current().deployment] == "deployed"
    assert len(world.mails) == 1
