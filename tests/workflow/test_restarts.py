"""An app that stops unexpectedly is restarted; one that keeps crashing, or was stopped by hand, is not."""

import contextlib
import dataclasses

import pytest
from deployer.actions import mail_limit
from deployer.aws import ledger
from deployer.domain.errors import (
    AccessDeniedError,
    AwsUnavailableError,
    DeployError,
    MailLimitError,
    NoCapacityError,
    ThrottledError,
)
from deployer.domain.push import Push
from deployer.domain.task import Task
from deployer.events import reconcile

from tests.conftest import LambdaContext


def current():
    return ledger.current(app="flask-app")


@pytest.mark.parametrize("code", ["EssentialContainerExited", "SpotInterruption", "InfrastructureHealth"])
def test_a_task_that_stops_by_itself_is_replaced_with_the_same_revision(deploy, world, push, stop, code):
    deploy(push(1))
    before = current()
    stop(code=code)
    after = current()
    assert after.task != before.task
    assert (after.revision, after.digest, after.sequence) == (before.revision, before.digest, before.sequence)
    assert world.live() == {after.task}
    assert len(world.revisions) == 1
    assert [news["subject"].partition(":")[0] for news in world.mails] == [
        "flask-app is live",
        "flask-app is live again",
    ]
    assert "exit code 1" in world.mails[-1]["text"]


def test_three_crashes_in_ten_minutes_are_enough(deploy, world, push, stop):
    deploy(push(1))
    world.log = ["the last words"]
    for _ in range(3):
        stop()
    assert world.live() == set()
    assert current().gave_up_reason == "It crashed 3 times within ten minutes."
    assert world.mails[-1]["subject"] == "flask-app is down: it keeps crashing"
    assert "the last words" in world.mails[-1]["text"]
    assert len(world.mails) == 4


def test_crashes_of_long_ago_do_not_count(deploy, world, push, stop, monkeypatch):
    deploy(push(1))
    now = [1_800_000_000]
    monkeypatch.setattr("deployer.actions.restarts.time.time", lambda: now[0])
    for _ in range(4):
        stop()
        now[0] += 400
    assert len(world.live()) == 1


def test_an_app_is_restarted_after_five_spot_interruptions(deploy, world, push, stop):
    deploy(push(1))
    for _ in range(5):
        stop(code="SpotInterruption")
    assert len(world.live()) == 1


def test_a_stop_by_hand_is_respected(deploy, world, push, stop):
    deploy(push(1))
    stop(code="UserInitiated")
    assert world.live() == set()
    assert current().gave_up_reason == "It was stopped by hand."
    assert len(world.mails) == 1


def test_a_push_starts_an_app_that_was_given_up(deploy, world, push, stop):
    deploy(push(1))
    for _ in range(3):
        stop()
    deploy(push(2))
    assert world.live() == {current().task}
    assert (current().gave_up_reason, current().crashes) == ("", [])


def test_the_stop_of_another_task_is_none_of_its_business(deploy, world, push, stop):
    deploy(push(1))
    first = current()
    deploy(push(2))
    second = current()
    stop(arn=first.task, code="UserInitiated")
    assert current() == second


def test_a_push_that_comes_during_a_restart_wins(deploy, world, push, stop):
    deploy(push(1))
    world.faults["probe"] = [lambda: deploy(push(2))]
    stop()
    assert current().deployment == "push-2"
    assert world.live() == {current().task}


def test_a_restart_that_dies_counts_as_a_crash_and_is_tried_again(deploy, world, push, stop):
    deploy(push(1))
    world.states = [Task("", "STOPPED", "STOPPED", 6, stop_code="EssentialContainerExited", exit_code=1)]
    stop()
    for _ in range(3):
        started_by, arn = list(world.started.items())[-1]
        stop(arn=arn, started_by=started_by)
    assert current().gave_up_reason
    assert world.mails[-1]["subject"] == "flask-app is down: it keeps crashing"


def test_an_old_event_of_a_restart_that_died_is_not_handled_again(deploy, world, push, stop):
    deploy(push(1))
    world.states = [Task("", "STOPPED", "STOPPED", 6, stop_code="EssentialContainerExited", exit_code=1)]
    stop()
    started_by, arn = list(world.started.items())[-1]
    stop(arn=arn, started_by=started_by)
    before = current()
    stop(arn=arn, started_by=started_by, times=5)
    assert current() == before
    assert not before.gave_up_reason


def test_events_of_long_ago_change_nothing(deploy, world, push, stop):
    deploy(push(1))
    old = current().task
    stop()
    deploy(push(2))
    before, mails = current(), len(world.mails)
    stop(arn=old, times=3)
    stop(arn=old, started_by=f"restart-{old.rpartition('/')[2]}")
    assert current() == before
    assert len(world.mails) == mails


def test_that_an_app_is_given_up_is_reported_once_and_later_if_not_at_once(
    deploy, world, push, stop, monkeypatch
):
    deploy(push(1))
    now = [1_800_000_000]
    monkeypatch.setattr("deployer.actions.restarts.time.time", lambda: now[0])
    stop()
    stop()
    world.faults["publish"] = [ThrottledError("Rate exceeded")]
    with pytest.raises(ThrottledError):
        stop(times=1)
    stop(times=2, arn=current().task)
    assert [news["document"]["outcome"] for news in world.mails].count("given up") == 0
    now[0] += 61
    stop(times=2, arn=current().task)
    assert [news["document"]["outcome"] for news in world.mails].count("given up") == 1
    assert "exit code 1" in world.mails[-1]["text"].splitlines()[1]


def test_many_that_are_given_up_at_once_do_not_flood_the_inbox(deploy, world, push, stop, monkeypatch):
    deploy(push(1))
    monkeypatch.setattr(mail_limit, "MAX_MAILS_PER_SECOND", 0)
    stop()
    stop()
    with pytest.raises(MailLimitError):
        stop(times=1)


def test_the_mail_of_restarts_that_come_to_nothing_does_not_speak_of_crashes(deploy, world, push, stop):
    deploy(push(1))
    task = current().task
    world.faults["run_task"] = [AccessDeniedError("RunTask: not authorized")] * 9
    stop(code="SpotInterruption")
    for _ in range(4):
        reconcile.handler({"id": "sweep"}, LambdaContext())
    assert current().gave_up_reason == "3 restarts in a row failed. The last one: RunTask: not authorized"
    assert world.mails[-1]["subject"] == "flask-app is down: restarting it failed"
    assert task.rpartition("/")[2] in world.mails[-1]["text"]


def test_the_sweep_restarts_a_current_task_that_portcall_stopped(deploy, world, push, stop):
    deploy(push(1))
    dead = current().task
    world.dead[dead] = Task(
        dead, "STOPPED", "STOPPED", 6, stop_code="UserInitiated", stopped_reason="Portcall: superseded"
    )
    reconcile.handler({"id": "sweep"}, LambdaContext())
    assert world.live() == {current().task} != {dead}


def test_a_restart_is_one_no_matter_who_begins_it_and_however_late_its_first_start_arrives(
    deploy, world, push, stop
):
    """Its start was not answered, and the sweep begins it."""
    deploy(push(1))
    first = current()
    world.faults["start_execution"] = [AwsUnavailableError("no answer")] * 2
    with pytest.raises(AwsUnavailableError):
        stop(times=1)
    reconcile.handler({"id": "sweep"}, LambdaContext())
    late = f"restart-{first.task.rpartition('/')[2]}"
    restart = {"deployment": "push-1", "sequence": first.sequence, "revision": first.revision, "reason": "?"}
    known = ledger.deployments(app="flask-app")
    (at,) = [each.time for each in known if each.deployment == late]
    document = {**push(1), "id": late, "time": at, "restart": restart, "image": first.image}
    assert deploy(document, moves_the_tag=False).states[-1] == "Duplicate"
    assert world.live() == {current().task}
    assert len(world.mails) == 2


@pytest.mark.parametrize(
    "forged",
    [
        {"revision": "arn:aws:ecs:eu-west-1:111122223333:task-definition/portcall_other:7"},
        {"sequence": 9_999_999_999_999_999},
        {"image": {"ports": [22], "health": "tcp"}},
        {"digest": f"sha256:{9:064x}"},
    ],
)
def test_a_restart_is_of_what_the_ledger_says_is_live_whatever_the_event_says(deploy, world, push, forged):
    deploy(push(1))
    before = current()
    restart = {"deployment": "push-1", "sequence": before.sequence, "revision": before.revision, "reason": "?"}
    document = {**push(1), "id": "forged", "restart": restart, "image": before.image}
    document["detail"]["image-digest"] = forged.get("digest", before.digest)
    document["image"] = forged.get("image", before.image)
    restart |= {name: value for name, value in forged.items() if name in restart}
    assert deploy(document, moves_the_tag=False).error == "BadEventError"
    assert current() == before
    assert world.live() == {before.task}


def test_an_event_cannot_say_what_its_image_says(deploy, world, push):
    """Only ReadImage does, and the gate is behind it."""
    assert deploy({**push(1), "image": {"result": "app", "gated": False}}).error == "BadEventError"
    assert world.started == {}


def test_a_crash_counts_once_however_often_it_is_handled(deploy, world, push, stop):
    deploy(push(1))
    world.faults["register_task_definition"] = []
    world.faults["RegisterTaskDefinition"] = [AccessDeniedError("denied")] * 2
    stop(times=1)
    for _ in range(2):
        reconcile.handler({"id": "sweep"}, LambdaContext())
    assert not current().gave_up_reason
    assert world.live() == {current().task}


@pytest.mark.parametrize("over", ["ended", "gone"])
def test_a_restart_does_not_bring_back_what_has_ended_meanwhile(deploy, world, push, stop, over):
    deploy(push(1))

    def end() -> None:
        seen = current()
        ended = dataclasses.replace(seen, ended=True, gave_up_reason="It expired.")
        ledger.change_current(app="flask-app", new=ended, seen=seen)
        if over == "gone":
            ledger.end_current(push=Push.from_event(push(9), by_tag=False), seen=current())

    world.faults["probe"] = [end]
    stop(times=1)
    assert len(world.mails) == 1
    assert world.live() == set()
    assert current() is None or current().ended


def sweep():
    return reconcile.handler({"id": "sweep"}, LambdaContext())


def subjects(world):
    return [news["subject"] for news in world.mails]


# A sweep of this fixture makes three attempts, each with all retries of the step.
REFUSED = [
    ("run_task on FARGATE", NoCapacityError("RunTask: Capacity is unavailable at this time"), 2),
    ("run_task on FARGATE", ThrottledError("RunTask: Rate exceeded"), 1),
    ("addresses", AwsUnavailableError("no answer"), 1),
    ("start_execution", ThrottledError("StartExecution: Rate exceeded"), 9),
    ("start_execution", AwsUnavailableError("StartExecution: no answer"), 1),
]


@pytest.mark.parametrize(("call", "fault", "sweeps"), REFUSED)
def test_a_restart_that_aws_refuses_is_not_an_attempt_and_is_made_as_soon_as_aws_can(
    deploy, world, push, stop, call, fault, sweeps
):
    deploy(push(1))
    world.faults[call] = [fault] * 9999
    with contextlib.suppress(DeployError):
        stop()
    for _ in range(sweeps):
        sweep()
    assert world.live() == set()
    assert not current().gave_up_reason
    world.faults.clear()
    sweep()
    assert world.live() == {current().task}
    assert current().deployment.startswith("restart-")
    live, down, again = subjects(world)
    assert live.startswith("flask-app is live: ")
    assert down.startswith("flask-app failed: AWS ")
    assert "tries again every few minutes until it succeeds" in world.mails[1]["text"]
    assert again.startswith("flask-app is live again: ")
    assert "exit code 1" in world.mails[2]["text"]
    assert sweep() == {}


def test_a_start_that_is_refused_once_is_made_when_the_event_is_delivered_again(deploy, world, push, stop):
    deploy(push(1))
    world.faults["start_execution"] = [ThrottledError("StartExecution: Rate exceeded")] * 2
    with pytest.raises(ThrottledError):
        stop(times=1)
    stop(times=1, arn=current().task)
    assert world.live() == {current().task}
    assert len(world.mails) == 2
    assert sweep() == {}


def test_two_crashes_and_refused_starts_are_two_crashes(deploy, world, push, stop):
    deploy(push(1))
    stop()
    world.faults["start_execution"] = [ThrottledError("StartExecution: Rate exceeded")] * 9
    with pytest.raises(ThrottledError):
        stop(times=1)
    for _ in range(3):
        sweep()
    world.faults.clear()
    sweep()
    assert not current().gave_up_reason
    assert len(current().crashes) == 2
    assert world.live() == {current().task}


def test_a_crash_is_counted_once_however_late_its_events_come(deploy, world, push, stop):
    """ECS reports a stop several times, and in any order: here, after the restart has crashed as well."""
    deploy(push(1))
    first = current().task
    world.states = [Task("", "STOPPED", "STOPPED", 6, stop_code="EssentialContainerExited", exit_code=1)]
    stop(times=1)
    started_by, second = list(world.started.items())[-1]
    world.states = []
    world.faults["run_task on FARGATE"] = [NoCapacityError("RunTask: Capacity is unavailable")] * 99
    stop(arn=second, started_by=started_by, times=1)
    for _ in range(2):
        stop(arn=first, times=2)
        stop(arn=second, started_by=started_by, times=2)
        sweep()
    assert len(current().crashes) == 2
    world.faults.clear()
    sweep()
    assert world.live() == {current().task}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("TaskFailedToStart", "Capacity is unavailable at this time. Please try again later"),
        ("TaskFailedToStart", "ResourceInitializationError: failed to configure ENI"),
        ("TaskFailedToStart", "CannotPullContainerError: pull image manifest has been retried 5 time(s)"),
        ("SpotInterruption", "Your Spot Task was interrupted."),
    ],
)
def test_a_restart_whose_task_aws_stops_is_neither_a_crash_nor_an_attempt(
    deploy, world, push, stop, code, reason
):
    deploy(push(1))
    world.states = [Task("", "STOPPED", "STOPPED", 6, stop_code=code, stopped_reason=reason)]
    stop(times=1)
    for _ in range(2):
        started_by, arn = list(world.started.items())[-1]
        stop(arn=arn, started_by=started_by, code=code, stopped_reason=reason, exit_code=None)
        sweep()
    assert not current().gave_up_reason
    assert len(current().crashes) == 1
    world.states = []
    sweep()
    assert world.live() == {current().task}
    assert len(world.mails) == 3
    assert sweep() == {}


def test_a_restart_that_cannot_succeed_is_given_up_and_is_not_a_crash(deploy, world, push, stop):
    deploy(push(1))
    reason = "ResourceInitializationError: unable to retrieve secrets from ssm: invalid ssm parameters: /x"
    world.states = [Task("", "STOPPED", "STOPPED", 6, stop_code="TaskFailedToStart", stopped_reason=reason)]
    stop(code="SpotInterruption")
    for _ in range(4):
        sweep()
    assert current().gave_up_reason == f"3 restarts in a row failed. The last one: {reason}"
    assert current().crashes == []
    assert subjects(world)[-1] == "flask-app is down: restarting it failed"


# Stops by hand.


def test_a_restart_that_is_stopped_by_hand_stays_down(deploy, world, push, stop):
    """Stopping the task of a restart stops the app, and the sweep does not start it again."""
    deploy(push(1))
    by_hand = {"stop_code": "UserInitiated", "stopped_reason": "enough of that"}
    world.states = [Task("", "STOPPED", "STOPPED", 6, **by_hand)]

    def by_somebody():
        started_by, arn = list(world.started.items())[-1]
        stop(arn=arn, started_by=started_by, code="UserInitiated", stopped_reason="enough", exit_code=None)

    world.faults["WaitForRunning"] = [by_somebody]
    stop(times=1)
    for _ in range(3):
        sweep()
    assert current().gave_up_reason == "It was stopped by hand."
    assert world.live() == set()
    assert len(world.started) == 2
    assert "will not restart it again" in world.mails[-1]["text"]
    assert sweep() == {}


@pytest.mark.parametrize("moment", ["AdmitPush", "run_task on FARGATE", "probe", "SwitchOver", "current"])
def test_a_restart_does_not_bring_back_what_is_to_be_down(deploy, world, push, stop, moment):
    deploy(push(1))

    def halt() -> None:
        seen = current()
        ledger.change_current(
            app="flask-app",
            new=dataclasses.replace(seen, gave_up_reason="It was stopped by hand."),
            seen=seen,
        )

    # The look at what is current that the event's handler takes comes first.
    world.faults[moment] = [halt] if moment != "current" else [lambda: None, halt]
    stop(times=1)
    sweep()
    assert current().gave_up_reason == "It was stopped by hand."
    assert world.live() == set()
    assert sweep() == {}


def test_a_stop_by_hand_is_handled_at_once_with_its_first_event(deploy, world, push, stop):
    deploy(push(1))
    task = current().task
    stop(code="UserInitiated", exit_code=None, times=1)
    assert current().gave_up_reason == "It was stopped by hand."
    before = current()
    # Neither its later events, nor the sweep, nor a task that ECS forgets after an hour, change that.
    stop(arn=task, code="UserInitiated", exit_code=None, times=3)
    sweep()
    assert current() == before
    assert len(world.mails) == 1


GONE = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref app@sha256:ab: app@sha256:ab: not found"


@pytest.mark.parametrize("sweeps", [0, 3])
def test_an_app_whose_image_is_gone_is_reported_once_and_not_started_again_and_again(
    deploy, world, push, stop, sweeps
):
    """A lifecycle policy, say, took the image while it ran."""
    deploy(push(1))
    world.states = [Task("", "STOPPED", "STOPPED", 6, stop_code="TaskFailedToStart", stopped_reason=GONE)]
    stop()
    started_by, arn = list(world.started.items())[-1]
    stop(arn=arn, started_by=started_by, code="TaskFailedToStart")
    for _ in range(sweeps):
        reconcile.handler({"id": "sweep"}, LambdaContext())
    assert current().gave_up_reason == "Its image is gone from ECR."
    assert len(world.started) == 2
    (_, news) = world.mails
    assert news["subject"] == "flask-app is down: its image is gone from ECR"
    assert "Push the image again to start the app." in news["text"]
    assert "Portcall will not restart it again" in news["text"]
    world.states = []
    deploy(push(2))
    assert world.live() == {current().task}
    assert not current().gave_up_reason
