"""The sweep removes security groups that no app needs."""

import pytest
from deployer.aws import ec2, ledger
from deployer.domain.deployment import RETRIED
from deployer.domain.errors import AwsUnavailableError
from deployer.domain.push import Push
from deployer.events import reconcile

from tests.conftest import LambdaContext


def sweep():
    return reconcile.handler({"id": "sweep"}, LambdaContext())


def shared(port: int) -> ec2.Group:
    return ec2.Group(f"sg-{port}", "", "", frozenset({port}))


@pytest.fixture
def groups(world):
    """A shared group for each of three ports; apps answer on 3000 unless their image says otherwise."""
    world.groups = [shared(80), shared(3000), shared(8080)]


@pytest.mark.usefixtures("groups")
def test_a_group_goes_once_no_app_is_on_its_port(deploy, world, push):
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"8080/tcp": {}}}
    deploy(push(1))
    sweep()
    assert world.removed == ["sg-80", "sg-3000"]


@pytest.mark.usefixtures("groups")
def test_of_several_ports_that_an_image_names_the_one_that_answers_counts(deploy, world, push):
    """The deployment has a group of its own; a restart of it is on the shared one."""
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"8080/tcp": {}, "80/tcp": {}}}
    world.listens = [8080]
    deploy(push(1))
    sweep()
    assert world.removed == ["sg-80", "sg-3000"]


@pytest.mark.usefixtures("groups")
def test_an_app_that_is_down_keeps_its_group(deploy, world, push, stop):
    deploy(push(1))
    for _ in range(3):
        stop()
    assert ledger.current(app="flask-app").gave_up_reason
    sweep()
    assert world.removed == ["sg-80", "sg-8080"]


@pytest.mark.usefixtures("groups")
def test_nothing_goes_while_any_deployment_is_under_way(deploy, world, push):
    def of_another_app(number: int):
        event = push(number)
        event["detail"]["repository-name"] = "team/other"
        return event

    world.faults["run_task"] = [sweep]
    deploy(of_another_app(1))
    assert world.removed == []
    sweep()
    assert world.removed == ["sg-80", "sg-8080"]


def admitted_of_another_app() -> Push:
    other = Push("push-2", "2026-11-25T12:00:00Z", "team/other", "latest", f"sha256:{2:064x}")
    sequence = ledger.next_in_order(push=other, now=other.pushed_at).number
    ledger.claim(push=other, execution="", sequence=sequence)
    return other


@pytest.mark.usefixtures("groups")
def test_nothing_goes_while_a_deployment_waits_to_be_tried_again(deploy, world, push, monkeypatch):
    monkeypatch.setattr("deployer.actions.sweep_acts._retry", lambda app, failed: "")
    deploy(push(1))
    ledger.record(push=admitted_of_another_app(), outcome=RETRIED)
    sweep()
    assert world.removed == []


@pytest.mark.usefixtures("groups")
def test_a_deployment_that_begins_during_the_sweep_keeps_all_groups(deploy, world, push, monkeypatch):
    """What was looked at minutes ago is asked for once more, right before a group is deleted."""
    groups_of = ec2.groups_of

    def after_all_apps_were_looked_at(*, stack: str) -> list[ec2.Group]:
        admitted_of_another_app()
        return groups_of(stack=stack)

    monkeypatch.setattr(ec2, "groups_of", after_all_apps_were_looked_at)
    deploy(push(1))
    sweep()
    assert world.removed == []


@pytest.mark.usefixtures("groups")
def test_an_app_that_came_onto_a_port_while_the_sweep_was_at_it_keeps_its_group(
    deploy, world, push, monkeypatch
):
    groups_of = ec2.groups_of

    def after_all_apps_were_looked_at(*, stack: str) -> list[ec2.Group]:
        world.configuration = {"Cmd": ["app"], "ExposedPorts": {"8080/tcp": {}}}
        deploy(push(2))
        return groups_of(stack=stack)

    monkeypatch.setattr(ec2, "groups_of", after_all_apps_were_looked_at)
    deploy(push(1))
    sweep()
    assert world.removed == ["sg-80"]


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("unknown", ["running_tasks", "repositories", "stable_urls_of"])
def test_nothing_goes_while_not_everything_is_known(deploy, world, push, unknown):
    deploy(push(1))
    world.faults[unknown] = [AwsUnavailableError("AWS did not answer")]
    sweep()
    assert world.removed == []


@pytest.mark.usefixtures("groups")
def test_a_group_that_is_still_used_stays_and_keeps_nothing_else_from_going(deploy, world, push, monkeypatch):
    """EC2 knows better: the task of a version before may still stop, and somebody may use the group by hand."""
    asked: list[str] = []
    monkeypatch.setattr(ec2, "delete_group", lambda group: asked.append(group) or group != "sg-80")
    deploy(push(1))
    assert sweep() == {}
    assert asked == ["sg-80", "sg-8080"]


def test_a_group_that_went_before_its_task_was_started_is_made_again(deploy, world, push):
    gone = AwsUnavailableError("RunTask: The security group 'sg-3000' does not exist (InvalidGroup.NotFound)")
    world.faults["run_task"] = [gone]
    assert deploy(push(1)).status == "SUCCEEDED"
    assert [each["ports"] for each in world.opened] == [[3000], [3000]]
