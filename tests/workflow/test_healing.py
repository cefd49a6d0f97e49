"""An app that stops by itself is started again; one that keeps crashing, or was stopped by hand, is not."""

import dataclasses

import pytest
from deployer import mailing
from deployer.aws import ledger
from deployer.domain.errors import AccessDeniedError, AwsUnavailableError, MailLimitError, ThrottledError
from deployer.domain.task import Task
from deployer.steps import reconcile

from tests.conftest import LambdaContext


def current():
    return ledger.current(table="ledger", app="flask-app")


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
    assert current().halted == "It crashed 3 times within ten minutes."
    assert world.mails[-1]["subject"] == "flask-app is down: it keeps crashing"
    assert "the last words" in world.mails[-1]["text"]
    assert len(world.mails) == 4


def test_crashes_of_long_ago_do_not_count(deploy, world, push, stop, monkeypatch):
    deploy(push(1))
    now = [1_800_000_000]
    monkeypatch.setattr("deployer.healing.time.time", lambda: now[0])
    for _ in range(4):
        stop()
        now[0] += 400
    assert len(world.live()) == 1


def test_what_aws_takes_away_is_no_crash(deploy, world, push, stop):
    deploy(push(1))
    for _ in range(5):
        stop(code="SpotInterruption")
    assert len(world.live()) == 1


def test_a_stop_by_hand_is_respected(deploy, world, push, stop):
    deploy(push(1))
    stop(code="UserInitiated")
    assert world.live() == set()
    assert current().halted == "It was stopped by hand."
    assert len(world.mails) == 1


def test_a_push_starts_what_was_given_up(deploy, world, push, stop):
    deploy(push(1))
    for _ in range(3):
        stop()
    deploy(push(2))
    assert world.live() == {current().task}
    assert (current().halted, current().crashes) == ("", [])


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
    assert current().halted
    assert world.mails[-1]["subject"] == "flask-app is down: it keeps crashing"


def test_an_old_event_of_a_restart_that_died_is_not_dealt_with_again(deploy, world, push, stop):
    deploy(push(1))
    world.states = [Task("", "STOPPED", "STOPPED", 6, stop_code="EssentialContainerExited", exit_code=1)]
    stop()
    started_by, arn = list(world.started.items())[-1]
    stop(arn=arn, started_by=started_by)
    before = current()
    stop(arn=arn, started_by=started_by, times=5)
    assert current() == before
    assert not before.halted


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


def test_that_an_app_is_given_up_is_told_once_and_later_if_not_at_once(deploy, world, push, stop, monkeypatch):
    deploy(push(1))
    now = [1_800_000_000]
    monkeypatch.setattr("deployer.healing.time.time", lambda: now[0])
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
    assert "exit code 1" in world.mails[-1]["text"].splitlines()[0]


def test_many_that_are_given_up_at_once_do_not_flood_the_inbox(deploy, world, push, stop, monkeypatch):
    deploy(push(1))
    monkeypatch.setattr(mailing, "MAILS_A_SECOND", 0)
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
    assert current().halted == "3 restarts in a row came to nothing."
    assert world.mails[-1]["subject"] == "flask-app is down: it could not be started again"
    assert task.rpartition("/")[2] in world.mails[-1]["text"]


def test_what_portcall_stopped_itself_was_not_stopped_by_hand(deploy, world, push, stop):
    deploy(push(1))
    dead = current().task
    world.dead[dead] = Task(
        dead, "STOPPED", "STOPPED", 6, stop_code="UserInitiated", stopped_reason="Portcall: superseded"
    )
    reconcile.handler({"id": "sweep"}, LambdaContext())
    assert world.live() == {current().task} != {dead}


def test_two_restarts_of_one_stop_end_with_one_task_and_one_mail(deploy, world, push, stop):
    """The first is slow, and the sweep starts another."""
    deploy(push(1))
    first = current()
    world.faults["start_execution"] = [AwsUnavailableError("no answer")]
    with pytest.raises(AwsUnavailableError):
        stop(times=1)
    reconcile.handler({"id": "sweep"}, LambdaContext())
    late = f"restart-{first.task.rpartition('/')[2]}"
    restart = {"deployment": "push-1", "sequence": first.sequence, "revision": first.revision, "reason": "?"}
    document = {**push(1), "id": late, "restart": restart, "image": first.image}
    assert deploy(document, moves_the_tag=False).states[-1] == "Superseded"
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
    assert deploy({**push(1), "image": {"verdict": "app", "gated": False}}).error == "BadEventError"
    assert world.started == {}


def test_a_crash_counts_once_however_often_it_is_dealt_with(deploy, world, push, stop):
    deploy(push(1))
    world.faults["register_task_definition"] = []
    world.faults["RegisterTaskDefinition"] = [AccessDeniedError("denied")] * 2
    stop(times=1)
    for _ in range(2):
        reconcile.handler({"id": "sweep"}, LambdaContext())
    assert not current().halted
    assert world.live() == {current().task}


@pytest.mark.parametrize("over", ["ended", "gone"])
def test_a_restart_does_not_bring_back_what_has_ended_meanwhile(deploy, world, push, stop, over):
    deploy(push(1))

    def end() -> None:
        seen = current()
        ended = dataclasses.replace(seen, ended=True, halted="Its time was up.")
        ledger.change_current(table="ledger", app="flask-app", new=ended, seen=seen)
        if over == "gone":
            ledger.forget(table="ledger", app="flask-app", seen=current())

    world.faults["probe"] = [end]
    stop(times=1)
    assert len(world.mails) == 1
    assert world.live() == set()
    assert current() is None or current().ended
