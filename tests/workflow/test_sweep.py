"""The sweep makes up for what no event told, does nothing else, and may run at any time."""

import pytest
from deployer.aws import ecs, ledger
from deployer.domain.push import Push
from deployer.domain.task import Task
from deployer.steps import reconcile

from tests.conftest import LambdaContext

NOW = 1_800_000_000


@pytest.fixture
def sweep(monkeypatch, world, deploy):
    """`sweep()` runs it; the first one was long ago, so that pushes count as later than that."""
    ledger.first_sweep(table="ledger", now=NOW - 10_000)
    monkeypatch.setattr("deployer.steps.reconcile.time.time", lambda: NOW)
    return lambda: reconcile.handler({"id": "sweep"}, LambdaContext())


def current():
    return ledger.current(table="ledger", app="flask-app")


def test_finds_nothing_where_all_is_well(deploy, world, push, sweep):
    deploy(push(1))
    world.pushed_at[push(1)["detail"]["image-digest"]] = NOW - 1000
    before = current()
    assert sweep() == {}
    assert current() == before
    assert len(world.mails) == 1


def test_deploys_the_push_whose_event_was_lost(deploy, world, push, sweep):
    deploy(push(1))
    lost = push(2)["detail"]["image-digest"]
    world.tags["flask-app", "latest"] = lost
    world.pushed_at[lost] = NOW - 1000
    sweep()
    assert current().digest == lost
    assert world.live() == {current().task}
    assert sweep() == {}


def test_gives_an_event_time_to_come(deploy, world, push, sweep):
    fresh = push(1)["detail"]["image-digest"]
    world.tags["flask-app", "latest"] = fresh
    world.pushed_at[fresh] = NOW - 10
    assert sweep() == {}


def test_leaves_images_alone_that_were_there_before_portcall(deploy, world, push, sweep):
    old = push(1)["detail"]["image-digest"]
    world.tags["flask-app", "latest"] = old
    world.pushed_at[old] = NOW - 20_000
    assert sweep() == {}


def test_does_not_try_a_failed_push_again(deploy, world, push, sweep):
    world.answers = None
    deploy(push(1))
    world.answers = 200
    world.pushed_at[push(1)["detail"]["image-digest"]] = NOW - 1000
    assert sweep() == {}
    assert len(world.mails) == 1


def test_starts_an_app_again_that_died_unseen(deploy, world, push, sweep):
    deploy(push(1))
    dead = current().task
    world.dead[dead] = Task(dead, "STOPPED", "STOPPED", 6, stop_code="EssentialContainerExited", exit_code=1)
    sweep()
    assert current().task != dead
    assert world.live() == {current().task}
    assert "live again" in world.mails[-1]["subject"]
    assert sweep() == {}


def test_starts_an_app_again_whose_task_nobody_remembers(deploy, world, push, sweep, monkeypatch):
    deploy(push(1))
    dead = current().task
    world.dead[dead] = Task(dead, "STOPPED", "STOPPED", 6)
    describe = ecs.describe_task
    monkeypatch.setattr(
        ecs,
        "describe_task",
        lambda *, cluster, task: None if task == dead else describe(cluster=cluster, task=task),
    )
    sweep()
    assert world.live() == {current().task} != {dead}


def test_respects_a_stop_by_hand(deploy, world, push, sweep):
    deploy(push(1))
    task = current().task
    world.dead[task] = Task(task, "STOPPED", "STOPPED", 6, stop_code="UserInitiated")
    sweep()
    assert world.live() == set()
    assert sweep() == {}


def test_stops_a_task_of_ours_that_nobody_owns(deploy, world, push, sweep):
    deploy(push(1))
    world.started["nobody"] = "arn:aws:ecs:eu-west-1:111122223333:task/portcall/orphan"
    sweep()
    assert world.live() == {current().task}


def test_leaves_the_task_of_a_deployment_under_way_alone(deploy, world, push, sweep):
    seen = []
    world.faults["probe"] = [lambda: seen.append(sweep())]
    deploy(push(1))
    assert seen == [{}]
    assert world.live() == {current().task}


def test_ends_a_deployment_that_was_aborted_with_a_mail(deploy, world, push, sweep):
    deploy(push(1))
    before = current()
    lost = Push.from_event(push(2), by_tag=False)
    ledger.claim(table="ledger", push=lost, execution="arn:aws:states:eu-west-1:1:execution:gone")
    world.started["push-2"] = "arn:aws:ecs:eu-west-1:111122223333:task/portcall/orphan"
    sweep()
    outcomes = {each.deployment: each.outcome for each in ledger.deployments(table="ledger", app="flask-app")}
    assert outcomes == {"push-1": "deployed", lost.deployment: "failed"}
    assert world.live() == {before.task}
    assert "aborted" in world.mails[-1]["subject"]
    assert f"still serving at {before.url}" in world.mails[-1]["text"]
    assert sweep() == {}


def test_the_trouble_of_one_app_does_not_keep_the_others_waiting(deploy, world, push, sweep, monkeypatch):
    deploy(push(1))
    other = push(1)
    other["id"], other["detail"]["repository-name"] = "other", "a-first-app"
    deploy(other)
    world.apps[world.started["other"]] = "a-first-app"
    for task in list(world.started.values()):
        world.dead[task] = Task(task, "STOPPED", "STOPPED", 6, stop_code="InfrastructureHealth")
    from deployer.domain.errors import AccessDeniedError

    world.faults["describe_task"] = [AccessDeniedError("not authorized")]
    done = sweep()
    assert done["a-first-app"][0].startswith("failed")
    assert done["flask-app"][0].startswith("restarted")


def test_a_push_that_could_not_be_claimed_is_known_all_the_same(deploy, world, push, sweep):
    from deployer.domain.errors import AccessDeniedError

    world.faults["claim"] = [AccessDeniedError("PutItem: not authorized")]
    assert deploy(push(1)).status == "FAILED"
    world.pushed_at[push(1)["detail"]["image-digest"]] = NOW - 1000
    assert sweep() == {}
    assert len(world.mails) == 1
