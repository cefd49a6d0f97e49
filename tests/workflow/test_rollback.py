"""RollBack by itself: what it stops, what it finds out, and what it says where it is refused something."""

import copy
import time

import pytest
from deployer.aws import ecs, ledger, logs
from deployer.domain.errors import AccessDeniedError
from deployer.domain.push import Push
from deployer.domain.task import Task
from deployer.steps import roll_back

from tests.conftest import LambdaContext
from tests.workflow.conftest import stopped

APP = "flask-app"
DENIED = AccessDeniedError("not authorized")


def current():
    return ledger.current(table="ledger", app=APP)


@pytest.fixture
def document(deploy, world, push):
    """`document(*keys)` is what RollBack gets of a second push that never answered, whose task runs.

    The keys are left out: the workflow had not come that far.
    """
    deploy(push(1))
    (first,) = [event for step, event in world.steps if step == "SwitchOver"]
    event = copy.deepcopy(first) | {"id": "push-2", "time": push(2)["time"]}
    event["detail"]["image-digest"] = push(2)["detail"]["image-digest"]
    event["admission"]["sequence"] += 1
    event["task"]["arn"] = event["task"]["arn"].rpartition("/")[0] + f"/{2:032x}"
    world.started["push-2"] = event["task"]["arn"]
    event["error"] = {"Error": "NoAnswerError", "Cause": '{"errorType": "NoAnswerError", "errorMessage": "It did not answer."}'}  # fmt: skip

    def without(*keys):
        return {name: value for name, value in event.items() if name not in keys}

    return without


def roll(event):
    return roll_back.handler(event, LambdaContext())


def told(world):
    return world.mails[-1]["text"]


def ended(world, event, **how):
    arn = event["task"]["arn"]
    world.dead[arn] = stopped(arn, **{"stop_code": "EssentialContainerExited", "exit_code": 1} | how)


def test_its_task_is_stopped_and_what_serves_goes_on(world, document):
    before, event = current(), document()
    assert roll(event)["error"] == "NoAnswerError"
    assert world.stopped == [event["task"]["arn"]]
    assert current() == before
    assert f"still serving at {before.url}" in told(world)
    assert [news["attributes"]["outcome"] for news in world.mails] == ["deployed", "failed"]


def test_it_cannot_become_current_any_more(world, document):
    event = document()
    roll(event)
    new = current()
    late = Push.from_event(event, by_tag=False)
    assert not ledger.make_current(table="ledger", push=late, new=new, seen=new)


@pytest.mark.parametrize("keys", [(), ("task",)])
def test_all_tasks_that_it_started_are_stopped_each_once(world, document, monkeypatch, keys):
    """A second one may have been started where the answer of the first was lost."""
    event = document()
    mine, second = event["task"]["arn"], f"{event['task']['arn'][:-1]}3"
    monkeypatch.setattr(ecs, "tasks_started_by", lambda **_: [mine, second])
    roll({name: value for name, value in event.items() if name not in keys})
    assert world.stopped == [mine, second]
    assert mine.rpartition("/")[2] in told(world)


def test_a_deployment_that_started_nothing_stops_nothing(world, document, monkeypatch):
    monkeypatch.setattr(ecs, "tasks_started_by", lambda **_: [])
    roll(document("task", "taskDefinition"))
    assert world.stopped == []


def test_a_task_that_has_ended_by_itself_is_not_stopped_for_its_own_reason_counts(world, document):
    event = document()
    ended(world, event, exit_code=3)
    roll(event)
    assert world.stopped == []
    assert "exit code 3" in told(world)


def test_a_task_that_is_about_to_start_is_stopped(world, document):
    event = document()
    world.dead[event["task"]["arn"]] = Task(event["task"]["arn"], "PENDING", "RUNNING", 2)
    roll(event)
    assert world.stopped == [event["task"]["arn"]]


def test_a_task_that_ecs_does_not_know_is_stopped_all_the_same(world, document, monkeypatch):
    monkeypatch.setattr(ecs, "describe_task", lambda **_: None)
    event = document()
    roll(event)
    assert world.stopped == [event["task"]["arn"]]


def test_a_stop_that_is_refused_is_told_with_the_command_that_does_it(world, document):
    event = document()
    world.faults["stop_task"] = [DENIED]
    roll(event)
    assert "could not be stopped and may still run, and cost money: not authorized" in told(world)
    assert f"--task {event['task']['arn']}" in told(world).replace("\n", " ")


def test_where_it_cannot_be_asked_what_it_started_the_command_leaves_the_task_open(world, document):
    world.faults["tasks_started_by"] = [DENIED]
    roll(document("task"))
    assert "--task <task>" in told(world).replace("\n", " ")


def test_where_what_serves_cannot_be_found_out_that_is_told(world, document):
    event = document()
    world.faults["abandon"] = [DENIED]
    roll(event)
    assert world.stopped == [event["task"]["arn"]]
    assert "Which version serves could not be found out: not authorized" in told(world)


def test_what_may_be_the_one_that_serves_is_not_stopped_on_a_suspicion(world, document):
    world.faults["abandon"] = [DENIED]
    with pytest.raises(AccessDeniedError):
        roll(document() | {"switch": {"verdict": "current"}})
    assert world.stopped == []
    assert len(world.mails) == 1


def test_where_the_version_before_cannot_be_asked_after_that_is_told(world, document, monkeypatch):
    serving, describe = current().task, ecs.describe_task

    def refuse(*, cluster, task):
        if task == serving:
            raise DENIED
        return describe(cluster=cluster, task=task)

    monkeypatch.setattr(ecs, "describe_task", refuse)
    roll(document())
    assert "Whether the version before still runs could not be found out: not authorized" in told(world)
    assert "still serving" not in told(world)


def test_what_ecs_and_the_log_do_not_tell_is_told_to_be_missing(world, document, monkeypatch):
    def refuse(**_):
        raise DENIED

    monkeypatch.setattr(logs, "tail", refuse)
    roll(document())
    assert "More could not be found out: not authorized" in told(world)
    assert "It did not answer." in told(world)


def test_an_outcome_that_cannot_be_written_down_is_mailed_all_the_same(world, document):
    world.faults["record"] = [DENIED]
    roll(document())
    assert world.mails[-1]["attributes"]["outcome"] == "failed"


def test_how_far_it_came_is_written_down(world, document, monkeypatch):
    event = document()
    roll(event)
    (known,) = [each for each in ledger.deployments(table="ledger", app=APP) if each.deployment == "push-2"]
    assert (known.outcome, known.error) == ("failed", "NoAnswerError")
    assert (known.task, known.revision) == (event["task"]["arn"], event["taskDefinition"]["arn"])


# The log of an app that has ended arrives a moment later.


@pytest.fixture
def arriving(monkeypatch):
    """`arriving(*logs)`: what each look at the log finds; the last stays. Returns the looks."""

    def of(*found):
        looks = []

        def tail(**_):
            looks.append(time.monotonic())
            return list(found[min(len(looks), len(found)) - 1])

        monkeypatch.setattr(logs, "tail", tail)
        return looks

    return of


def test_the_log_of_an_app_that_has_ended_is_read_until_nothing_more_comes(world, document, arriving):
    event = document()
    ended(world, event)
    looks = arriving([], ["one"], ["one", "two"], ["one", "two"], ["one", "two", "too late"])
    roll(event)
    assert len(looks) == 4
    assert "two" in told(world)
    assert "too late" not in told(world)


def test_an_app_that_says_something_every_time_is_not_listened_to_for_ever(world, document, arriving):
    event = document()
    ended(world, event)
    looks = arriving(*([f"line {number}"] for number in range(20)))
    roll(event)
    assert len(looks) == 9
    assert "line 8" in told(world)


def test_an_app_that_said_nothing_is_given_three_looks(world, document, arriving):
    event = document()
    ended(world, event)
    looks = arriving([])
    roll(event)
    assert len(looks) == 4


@pytest.mark.parametrize(
    "how", [{"exit_code": None}, {"stop_code": "UserInitiated", "stopped_reason": "Portcall: superseded"}]
)
def test_the_log_of_an_app_that_did_not_end_by_itself_is_read_once(world, document, arriving, how):
    event = document()
    ended(world, event, **how)
    looks = arriving(["one"], ["one", "two"])
    roll(event)
    assert len(looks) == 1
