"""Where a push leaves the way to a live app, or comes back to it: each branch costs one state, and is no failure."""

import time
from datetime import UTC, datetime

import pytest
from deployer.aws import ledger
from deployer.domain.errors import NoAnswerError, NoCapacityError
from deployer.events import operate

from tests.conftest import LambdaContext
from tests.workflow.conftest import LambdaDied
from tests.workflow.test_deploy import HAPPY
from tests.workflow.test_gate import CLEAN
from tests.workflow.test_gate import gate as gate
from tests.workflow.test_image import HELM

AT = {name: HAPPY[: HAPPY.index(name) + 1] for name in HAPPY}


def now(push, **changes):
    document = push | {"time": datetime.fromtimestamp(time.time(), UTC).isoformat()}
    return document | {"detail": document["detail"] | changes}


def stop():
    operate.handler({"action": "stop", "app": "flask-app", "by": "ann"}, LambdaContext())


def duplicate(deploy, world, push, gate, lose):
    deploy(push(1))
    lose()
    return lambda: deploy(push(1))


def points_elsewhere(deploy, world, push, gate, lose):
    deploy(push(2))
    lose()
    return lambda: deploy(push(1), moves_the_tag=False)


def other_tag(deploy, world, push, gate, lose):
    deploy(push(1))
    lose()
    return lambda: deploy(now(push(1), **{"image-tag": "v1"}) | {"id": "again"})


def stopped_before(deploy, world, push, gate, lose):
    deploy(push(1))
    stop()
    lose()
    return lambda: deploy(now(push(2)))


def no_app(deploy, world, push, gate, lose):
    world.manifests[push(1)["detail"]["image-digest"]] = HELM
    lose()
    return lambda: deploy(push(1))


def newer_before_it_is_registered(deploy, world, push, gate, lose):
    world.faults["is_newest"] = [lambda: (deploy(push(2)), lose())]
    return lambda: deploy(push(1))


def newer_before_it_takes_over(deploy, world, push, gate, lose):
    world.faults["probe"] = [lambda: (deploy(push(2)), lose())]
    return lambda: deploy(push(1))


def newer_while_it_waits_for_a_vcpu(deploy, world, push, gate, lose):
    world.faults["run_task on FARGATE"] = [NoCapacityError("no vCPU")]
    world.faults["tasks_started_by"] = [lambda: (deploy(push(2)), lose())]
    return lambda: deploy(push(1))


def stopped_meanwhile(deploy, world, push, gate, lose):
    deploy(push(1))
    world.faults["probe"] = [stop]
    lose()
    return lambda: deploy(now(push(2)))


def scan_is_checked(deploy, world, push, gate, lose):
    gate("high")
    world.scans = [CLEAN]
    lose()
    return lambda: deploy(push(1))


def slow_to_answer(deploy, world, push, gate, lose):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.timeout": "100"}}
    world.faults["probe"] = [NoAnswerError("nothing accepted a connection on port 3000")]
    lose()
    return lambda: deploy(push(1))


# What happens, the states, the step that leads elsewhere, the outcome, and how many mails there are in the end.
BRANCHES = {
    duplicate: (["AdmitPush", "Duplicate"], "AdmitPush", "deployed", 1),
    points_elsewhere: (["AdmitPush", "Superseded"], "AdmitPush", "superseded", 1),
    other_tag: (["AdmitPush", "SameImage"], "AdmitPush", "same image", 1),
    stopped_before: (["AdmitPush", "RecordPush"], "AdmitPush", "recorded", 2),
    no_app: ([*AT["ReadImage"], "IgnorePush"], "ReadImage", "ignored", 0),
    newer_before_it_is_registered: (
        [*AT["RegisterTaskDefinition"], "Superseded"],
        "RegisterTaskDefinition",
        "superseded",
        1,
    ),
    newer_before_it_takes_over: ([*AT["SwitchOver"], "Superseded"], "SwitchOver", "superseded", 1),
    newer_while_it_waits_for_a_vcpu: (
        [*AT["RunTask"], "RegisterTaskDefinition", "Superseded"],
        "RunTask",
        "superseded",
        1,
    ),
    stopped_meanwhile: ([*AT["SwitchOver"], "RecordPush"], "SwitchOver", "recorded", 2),
    scan_is_checked: (
        [*AT["RegisterTaskDefinition"], "CheckFindings", *HAPPY[2:]],
        "RegisterTaskDefinition",
        "deployed",
        1,
    ),
    slow_to_answer: ([*AT["CheckHealth"], "ReadLog", *HAPPY[6:]], "CheckHealth", "deployed", 1),
}


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("runs", ["once", "twice", "again, because its answer was lost"])
def test_each_branch_succeeds_with_its_states_outcome_and_mails_even_if_repeated(
    deploy, world, push, gate, branch, runs
):
    states, step, outcome, mails = BRANCHES[branch]

    def lose():
        if runs.startswith("again"):
            world.faults[f"{step} answer"] = [LambdaDied("Lambda.SdkClientException")]

    begin = branch(deploy, world, push, gate, lose)
    if branch is slow_to_answer and runs != "once":
        # The second call sees no more than the first one.
        world.faults["probe"] *= 2
    world.each_step_twice = runs == "twice"
    execution = begin()
    assert (execution.status, execution.states) == ("SUCCEEDED", states)
    assert not world.faults.get(f"{step} answer")
    known = {each.deployment: each.outcome for each in ledger.deployments(app="flask-app")}
    assert known[execution.output["id"]] == outcome
    assert len(world.mails) == mails
    serving = ledger.current(app="flask-app")
    assert world.live() == ({serving.task} if serving and not serving.stopped else set())
