"""Deployments that wait for a vCPU or for their repository's limit: a newer push does not wait behind them."""

import pytest
from deployer.aws import ledger
from deployer.domain import limits
from deployer.domain.errors import AwsUnavailableError, NoCapacityError
from deployer.domain.push import Push


def refusals(count):
    """RunTask finds no capacity so many times."""
    return [NoCapacityError("You've reached the limit on the number of vCPUs")] * count


def outcome(number):
    return next(
        each.outcome for each in ledger.deployments(app="flask-app") if each.deployment == f"push-{number}"
    )


def test_a_push_that_is_superseded_while_it_waits_for_a_vcpu_leaves_the_next_one_to_the_newer(
    deploy, world, push
):
    world.faults["run_task on FARGATE"] = refusals(1)
    # A newer push arrives just before RunTask's second attempt.
    world.faults["tasks_started_by"] = [lambda: deploy(push(2))]
    late = deploy(push(1))
    assert (late.status, late.states[-1]) == ("SUCCEEDED", "Superseded")
    assert ledger.current(app="flask-app").deployment == "push-2"
    assert [task["started_by"] for task in world.tasks] == ["push-2"]
    assert outcome(1) == "superseded"
    assert [mail["attributes"]["outcome"] for mail in world.mails] == ["deployed"]


def test_the_newest_push_waits_for_its_vcpu(deploy, world, push):
    world.faults["run_task on FARGATE"] = refusals(9)
    assert deploy(push(1)).status == "SUCCEEDED"


def test_a_push_whose_task_runs_although_the_answer_was_lost_keeps_it(deploy, world, push):
    """Otherwise the task would run until the sweep finds it."""
    world.faults["run_task"] = [AwsUnavailableError("no answer")]
    world.faults["tasks_started_by"] = [lambda: deploy(push(2))]
    late = deploy(push(1))
    assert (late.status, late.states[-1]) == ("SUCCEEDED", "Superseded")
    assert late.states[-3:-1] != ["RunTask", "RegisterTaskDefinition"]
    assert world.live() == {ledger.current(app="flask-app").task}


def test_a_restart_waits_for_its_vcpu_whatever_is_pushed_meanwhile(deploy, world, push, stop):
    """Its app is down, and the newer push may never be live."""
    deploy(push(1))
    ledger.is_newest(push=Push.from_event(push(2), by_tag=False), sequence=10**18)
    world.faults["run_task on FARGATE"] = refusals(3)
    world.steps.clear()
    stop()
    assert ledger.current(app="flask-app").task in world.live()
    assert [name for name, _ in world.steps].count("RegisterTaskDefinition") == 1


# ── A repository's deployments at once


@pytest.fixture
def other(push, monkeypatch):
    """Another deployment of the repository, which has the only place."""
    monkeypatch.setattr(limits, "MAX_DEPLOYMENTS", 1)
    found = Push.from_event(push(9), by_tag=False)
    assert ledger.note_under_way(push=found, most=1)
    return found


def test_a_push_beyond_the_limit_of_its_repository_waits_until_another_has_ended(deploy, world, push, other):
    world.faults["is_newest"] = [lambda: None] * 5 + [lambda: ledger.note_ended(push=other)]
    assert deploy(push(1)).status == "SUCCEEDED"
    assert [mail["attributes"]["outcome"] for mail in world.mails] == ["deployed"]


def test_a_push_that_is_superseded_while_it_waits_for_that_is_not_mailed(deploy, world, push, other):
    def comes_newer():
        ledger.note_ended(push=other)
        deploy(push(2))

    world.faults["is_newest"] = [lambda: None, comes_newer]
    late = deploy(push(1))
    assert (late.status, late.states[-1]) == ("SUCCEEDED", "Superseded")
    assert outcome(1) == "superseded"
    assert [mail["attributes"]["outcome"] for mail in world.mails] == ["deployed"]


@pytest.mark.parametrize("twice", [False, True])
def test_the_newest_push_that_never_gets_a_place_is_mailed(deploy, world, push, other, twice):
    world.each_step_twice = twice
    failed = deploy(push(1))
    assert (failed.status, failed.error) == ("FAILED", "DeploymentLimitError")
    assert [mail["subject"] for mail in world.mails] == ["flask-app was refused: too many deployments at once"]
