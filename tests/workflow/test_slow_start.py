"""Where the time went on Fargate's side, from the times of the task to the mail and the ledger."""

import time

import pytest
from deployer.actions import failure_cleanup
from deployer.domain import failed_deployment
from deployer.domain.task import Task

from tests.workflow.conftest import IMAGE
from tests.workflow.test_ledger import items as items
from tests.workflow.test_rollback import document as document

PULL = "Fargate took 40 s to pull the image, which is 412 MB compressed."


def pulled(pulls=40, **how):
    """A task that ran a while ago, and before that pulled its image for so many seconds."""
    now = int(time.time() * 1000) + 3_600_000
    times = {"pull_started": now - 1000 * pulls, "pull_stopped": now, "started": now + 500}
    return Task("", "RUNNING", "RUNNING", 3, interface="eni-1", **times | how)


@pytest.fixture
def large(world, push):
    """A push of an image of 412 MB."""
    event = push(1)
    layers = [layer | {"size": 412_000_000} for layer in IMAGE["layers"]]
    world.manifests[event["detail"]["image-digest"]] = IMAGE | {"layers": layers}
    return event


def test_a_slow_pull_is_in_the_mail_and_in_the_ledger(deploy, world, large, items):
    world.states = [pulled()]
    deploy(large)
    assert PULL in world.mails[-1]["text"].splitlines()
    phases = items()["push-1"]["phases"]
    assert (phases["pull"], phases["start"]) == ("40.0", "0.5")
    assert world.mails[-1]["document"]["phases"]["pull"] == 40.0
    assert "pull 40.0 s, start 0.5 s, address" in world.mails[-1]["text"]


def test_a_restart_pulls_the_same_image_again(deploy, world, large, stop):
    world.states = [pulled()]
    deploy(large)
    stop()
    assert "is live again" in world.mails[-1]["subject"]
    assert PULL in world.mails[-1]["text"].splitlines()


def test_a_fast_pull_is_in_no_words(deploy, world, large):
    world.states = [pulled(2)]
    deploy(large)
    assert "s to pull" not in world.mails[-1]["text"]


NOW = 1_900_000_000.0


@pytest.fixture
def fails(document):
    """`fails(error, task)` rolls a push back whose task was started a minute ago and never ran."""

    def roll_back(error, **more):
        event = document("running", "endpoint", "health", "switch") | more
        event["image"]["size"] = 412_000_000
        for key in ("admission", "image", "taskDefinition", "task"):
            event[key]["at"] = NOW - 60
        failure_cleanup.clean_up_after(event, error=error, message="", until=NOW)

    return roll_back


def ago(seconds):
    return int(1000 * (NOW - seconds))


def took(world):
    return world.mails[-1]["text"].partition("Took:")[2].partition("\n")[0]


def test_a_task_that_pulled_until_the_time_was_up_is_reported_so(world, fails):
    world.states = [Task("", "PENDING", "RUNNING", 2, pull_started=ago(40))]
    fails("States.Timeout", retry={"of": "push-1", "attempt": 3, "reason": "It took too long."})
    assert "failed: it took too long" in world.mails[-1]["subject"]
    assert PULL in world.mails[-1]["text"].splitlines()
    assert took(world).endswith("schedule 20.0 s, pull 40.0 s)")


def test_a_task_that_stopped_before_it_ran_says_how_far_it_had_come(world, fails):
    world.states = [pulled(pull_started=ago(30), pull_stopped=ago(20), started=ago(10))]
    fails("TaskStoppedError")
    assert took(world).endswith("schedule 30.0 s, pull 10.0 s, start 20.0 s)")


def test_a_failed_task_has_the_times_of_its_pull_and_none_of_its_run():
    task = Task("", "STOPPED", "STOPPED", 3, pull_started=1_000, pull_stopped=3_000, started=4_000)
    pull = {"pullStartedAt": 1.0, "pullStoppedAt": 3.0}
    assert failed_deployment.with_launch({"id": "1"}, task) == {"id": "1", "running": pull}
    assert failed_deployment.with_launch({"id": "1"}, None) == {"id": "1"}
    assert failed_deployment.with_launch({"running": {}}, task) == {"running": {}}
