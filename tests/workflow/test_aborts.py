"""An execution that is aborted in any state gets its outcome and its mail with the next sweep."""

import itertools

import pytest
from deployer.aws import ledger
from deployer.domain.errors import (
    AccessDeniedError,
    AddressNotReadyError,
    AwsUnavailableError,
    NoCapacityError,
    ThrottledError,
)
from deployer.events import reconcile

from tests.conftest import LambdaContext
from tests.workflow.conftest import LambdaDied
from tests.workflow.test_properties import crash

STATES = ["AdmitPush", "RegisterTaskDefinition", "RunTask", "WaitForRunning", "ResolvePublicIp", "CheckHealth", "SwitchOver", "PublishUrl"]  # fmt: skip
# A step that runs when its execution is aborted continues; from SwitchOver on the deployment is live.
LIVE_ALL_THE_SAME = {"SwitchOver", "SwitchOver answer", "PublishUrl", "PublishUrl answer"}


def current():
    return ledger.current(app="flask-app")


def sweep():
    return reconcile.handler({"id": "sweep"}, LambdaContext())


def known():
    return {each.deployment: each for each in ledger.deployments(app="flask-app")}


def mailed_outcomes(world, push):
    return [
        news["attributes"]["outcome"]
        for news in world.mails
        if news["document"]["deployment"] == f"push-{push}"
    ]


@pytest.mark.parametrize("moment", ["", " answer"])
@pytest.mark.parametrize("state", STATES)
def test_an_aborted_deployment_is_reported_and_leaves_nothing(deploy, world, push, state, moment):
    deploy(push(1))
    before = current()
    world.faults[state + moment] = [world.abort]
    assert deploy(push(2)).status == "ABORTED"
    assert current() == before or state + moment in LIVE_ALL_THE_SAME
    sweep()
    live = "push-2" if state + moment in LIVE_ALL_THE_SAME else "retry-2-push-2"
    if live != "push-2":
        assert "This was attempt 2. The one before failed: Its execution ended" in world.mails[-1]["text"]
    assert known()["push-2"].outcome == ("deployed" if live == "push-2" else "retried")
    assert world.mails[-1]["document"]["deployment"] == current().deployment == live
    assert world.live() == {current().task}
    assert sweep() == {}
    assert len(world.mails) == 2


@pytest.mark.parametrize("state", STATES[1:-2])
def test_a_deployment_that_is_aborted_again_is_reported_once_and_not_tried_any_more(deploy, world, push, state):
    deploy(push(1))
    before = current()
    world.faults[state] = [world.abort, world.abort]
    deploy(push(2))
    sweep()
    assert {name: each.outcome for name, each in known().items()} == {
        "push-1": "deployed",
        "push-2": "retried",
        "retry-2-push-2": "failed",
    }
    (news,) = world.mails[1:]
    assert news["subject"] == "flask-app was aborted"
    assert "Portcall tried 2 times since 2026-11-20T09:15:02Z." in news["text"]
    assert (current(), world.live()) == (before, {before.task})
    assert sweep() == {}


def test_a_push_that_finds_no_capacity_is_tried_three_times_with_one_mail(deploy, world, push):
    world.faults["run_task on FARGATE"] = [
        NoCapacityError("RunTask: Capacity is unavailable at this time")
    ] * 999
    assert deploy(push(1)).status == "FAILED"
    assert world.mails == []
    sweep()
    assert list(known()) == ["retry-3-push-1", "retry-2-push-1", "push-1"]
    assert [each.outcome for each in known().values()] == ["failed", "retried", "retried"]
    (news,) = world.mails
    assert news["subject"] == "flask-app failed: AWS has no capacity"
    assert "Portcall tried 3 times since 2026-11-20T09:15:01Z." in news["text"]
    assert sweep() == {}
    assert world.live() == set()


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("run_task on FARGATE", NoCapacityError("RunTask: Capacity is unavailable")),
        ("register_task_definition", ThrottledError("Rate exceeded")),
        ("manifest", AwsUnavailableError("no answer")),
        ("addresses", AddressNotReadyError("no public IP yet")),
        ("CheckHealth", LambdaDied("Lambda.Unknown")),
        ("RunTask", LambdaDied("Sandbox.Timedout")),
        ("next_in_order", ThrottledError("Rate exceeded")),
        ("claim", ThrottledError("Rate exceeded")),
    ],
)
def test_the_next_sweep_deploys_a_push_that_failed_on_the_aws_side(deploy, world, push, call, fault):
    world.faults[call] = [fault] * 999
    deploy(push(1))
    assert world.mails == []
    world.faults.clear()
    sweep()
    assert known()["push-1"].outcome == "retried"
    assert current().deployment == "retry-2-push-1"
    assert world.live() == {current().task}
    (news,) = world.mails
    assert news["attributes"]["outcome"] == "deployed"
    assert "This was attempt 2. The one before failed: " in news["text"]
    assert sweep() == {}


def test_the_sweep_does_not_replace_a_newer_version_by_a_failed_older_push(deploy, world, push):
    none = [NoCapacityError("RunTask: Capacity is unavailable")] * 999

    def meanwhile() -> None:
        world.faults.clear()
        deploy(push(2))
        world.faults["run_task on FARGATE"] = none

    world.faults["run_task on FARGATE"] = [meanwhile]
    deploy(push(1))
    world.faults.clear()
    sweep()
    assert current().deployment == "push-2"
    assert {each.outcome for name, each in known().items() if name != "push-2"} <= {"superseded", "retried"}
    assert len(world.mails) == 1
    assert world.live() == {current().task}
    assert sweep() == {}


def test_a_retry_that_is_superseded_while_it_waits_for_the_sweep_ends(deploy, world, push):
    world.faults["run_task on FARGATE"] = [NoCapacityError("RunTask: Capacity is unavailable")] * 999
    deploy(push(1))
    world.faults.clear()
    deploy(push(2))
    sweep()
    assert current().deployment == "push-2"
    assert len(world.mails) == 1
    assert world.live() == {current().task}
    assert sweep() == {}


@pytest.mark.parametrize("moment", ["RollBack", "RollBack answer"])
def test_a_roll_back_that_is_aborted_has_reported_why(deploy, world, push, moment):
    world.answers = None
    world.faults[moment] = [world.abort]
    assert deploy(push(1)).status == "ABORTED"
    sweep()
    assert known()["push-1"].error == "NoAnswerError"
    assert mailed_outcomes(world, 1) == ["failed"]
    assert world.live() == set()


def test_an_abort_of_what_was_superseded_is_not_mailed(deploy, world, push):
    world.faults["SwitchOver answer"] = [world.abort]
    deploy(push(1))
    deploy(push(2))
    sweep()
    assert known()["push-1"].outcome == "superseded"
    assert mailed_outcomes(world, 1) == []
    assert world.live() == {current().task}


def test_an_aborted_signature_is_ignored_though_a_newer_push_was_admitted(deploy, world, push):
    """Without its image nobody knows that it is one, and a mail would call it a push that was not deployed."""
    signature = push(1)
    signature["detail"]["image-tag"] = "sha256-9.sig"
    world.manifests[signature["detail"]["image-digest"]] = {"schemaVersion": 2, "config": {"mediaType": "sig"}}
    world.faults["AdmitPush answer"] = [world.abort]
    deploy(signature)
    world.answers = None
    deploy(push(2))
    assert {name: each.outcome for name, each in known().items()} == {"push-1": "", "push-2": "failed"}
    sweep()
    assert {name: each.outcome for name, each in known().items()} == {
        "push-1": "retried",
        "push-2": "failed",
        "retry-2-push-1": "ignored",
    }
    assert ledger.unmailed(app="flask-app") == []
    assert mailed_outcomes(world, 1) == []


@pytest.mark.parametrize("state", STATES)
def test_a_function_that_dies_at_its_end_doubles_nothing(deploy, world, push, state):
    """Its work is done, and its answer is lost; the workflow tries it again."""
    deploy(push(1))
    # What asks other people's servers and hangs is not asked again.
    how = "Runtime.ExitError" if state == "CheckHealth" else "Sandbox.Timedout"
    world.faults[f"{state} answer"] = [LambdaDied(how)] * 2
    assert deploy(push(2)).status == "SUCCEEDED"
    assert (mailed_outcomes(world, 1), mailed_outcomes(world, 2)) == (["deployed"], ["deployed"])
    assert world.live() == {current().task}
    assert len(world.started) == 2


# WaitForRunning is answered through its token, even if its function fails.
@pytest.mark.parametrize("state", [each for each in STATES if each != "WaitForRunning"])
def test_a_function_that_always_dies_at_its_end_ends_in_one_true_mail(deploy, world, push, state):
    deploy(push(1))
    before = current()
    world.faults[f"{state} answer"] = [LambdaDied("Lambda.Unknown")] * 999
    assert deploy(push(2)).status == "FAILED"
    world.faults.clear()
    sweep()
    live = f"{state} answer" in LIVE_ALL_THE_SAME
    assert known()["push-2"].outcome == ("deployed" if live else "retried")
    assert world.mails[-1]["document"]["deployment"] == ("push-2" if live else "retry-2-push-2")
    assert [news["attributes"]["outcome"] for news in world.mails] == ["deployed", "deployed"]
    assert current() != before
    assert world.live() == {current().task}


@pytest.mark.parametrize(("state", "later"), list(itertools.combinations_with_replacement(STATES, 2)))
def test_a_step_that_runs_once_more_later_changes_nothing(deploy, world, push, state, later):
    """Its first run was so slow that the workflow had given it up, and succeeded with the second."""
    deploy(push(1))
    world.faults[f"{later} answer"] = [lambda: world.again(state)]
    assert deploy(push(2)).status == "SUCCEEDED"
    assert known()["push-2"].outcome == "deployed"
    assert mailed_outcomes(world, 2) == ["deployed"]
    assert world.live() == {current().task}
    assert sweep() == {}


def test_a_slow_step_that_continues_after_the_sweep_gave_its_deployment_up_changes_nothing(deploy, world, push):
    deploy(push(1))
    before = current()
    world.faults["SwitchOver"] = [world.abort]
    world.faults["make_current"] = [sweep]
    assert deploy(push(2)).status == "ABORTED"
    assert known()["push-2"].outcome == "retried"
    assert current().deployment == "retry-2-push-2"
    assert world.live() == {current().task} != {before.task}
    assert mailed_outcomes(world, 2) == []


def test_a_push_that_could_neither_be_admitted_nor_reported_is_deployed_by_the_sweep(deploy, world, push):
    world.faults["AdmitPush"] = [KeyError("a bug")]
    world.faults["record"] = [AccessDeniedError("UpdateItem: not authorized")]
    world.faults["publish"] = [AccessDeniedError("Publish: not authorized")]
    deploy(push(1))
    assert world.mails == []
    sweep()
    assert known()["push-1"].outcome == "retried"
    assert current().deployment == "retry-2-push-1"
    assert len(world.mails) == 1
    assert sweep() == {}


def test_a_mail_that_could_not_be_sent_is_sent_by_the_sweep(deploy, world, push):
    world.answers = None
    world.log = ["the last words"]
    world.faults["publish"] = [AccessDeniedError("Publish: not authorized")] * 2
    assert deploy(push(1)).states[-1] == "RollBackFailed"
    assert world.mails == []
    sweep()
    assert mailed_outcomes(world, 1) == ["failed"]
    assert "did not answer" in world.mails[0]["text"].splitlines()[1]
    assert "the last words" in world.mails[0]["text"]
    assert sweep() == {}


def test_a_url_that_could_not_be_published_is_published_by_the_sweep(deploy, world, push):
    world.faults["publish"] = [AccessDeniedError("Publish: not authorized")] * 2
    assert deploy(push(1)).status == "FAILED"
    sweep()
    assert mailed_outcomes(world, 1) == ["deployed"]
    assert known()["push-1"].outcome == "deployed"
    assert sweep() == {}
    assert len(world.mails) == 1


def test_a_url_that_was_not_mailed_before_the_next_push_took_over_is_not_mailed(deploy, world, push):
    world.faults["publish"] = [AccessDeniedError("Publish: not authorized")] * 2
    deploy(push(1))
    deploy(push(2))
    sweep()
    assert (known()["push-1"].outcome, known()["push-2"].outcome) == ("deployed", "deployed")
    assert (mailed_outcomes(world, 1), mailed_outcomes(world, 2)) == ([], ["deployed"])
    assert sweep() == {}


@pytest.mark.parametrize("fault", [ThrottledError("Rate exceeded"), AwsUnavailableError("no answer")])
def test_that_a_mail_went_out_is_noted_stubbornly(deploy, world, push, fault):
    world.faults["mark_notified"] = [fault] * 4
    deploy(push(1))
    sweep()
    assert mailed_outcomes(world, 1) == ["deployed"]


def test_a_restart_that_is_aborted_is_reported_as_one_and_tried_again(deploy, world, push):
    deploy(push(1))
    world.faults["CheckHealth answer"] = [world.abort]
    crash(world)
    sweep()
    subjects = [news["subject"].partition(":")[0] for news in world.mails]
    assert subjects == ["flask-app is live", "flask-app was aborted", "flask-app is live again"]
    assert "No other version is running." in world.mails[1]["text"]
    assert "exit code 1" in world.mails[1]["text"]
    assert world.live() == {current().task}


def test_a_restart_that_is_live_but_could_not_be_reported_is_called_a_restart(deploy, world, push):
    deploy(push(1))
    world.faults["publish"] = [AccessDeniedError("Publish: not authorized")]
    crash(world)
    assert "is live again" in world.mails[-1]["subject"]
    assert "first version" not in world.mails[-1]["text"]
