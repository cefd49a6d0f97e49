"""AdmitPush: a number is drawn, then the tag is read; this decides which of two pushes wins."""

import dataclasses
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from deployer.aws import ledger, ledger_keys
from deployer.aws.items import wire
from deployer.aws.ledger.calls import get
from deployer.domain.errors import BadEventError, SupersededError, ThrottledError
from deployer.steps import admit_push

from tests.conftest import LambdaContext
from tests.workflow.conftest import LambdaDied


def current():
    return ledger.current(app="flask-app")


def known():
    return {each.deployment: each for each in ledger.deployments(app="flask-app")}


@pytest.fixture
def ago(push, monkeypatch):
    """`ago(20, number)` is a push of 20 seconds ago, by a clock that stands still for AdmitPush."""
    now = int(time.time())
    monkeypatch.setattr(admit_push, "time", SimpleNamespace(time=lambda: now))

    def pushed(seconds, number=1):
        at = datetime.fromtimestamp(now - seconds, UTC).isoformat(timespec="seconds")
        return push(number) | {"time": at.replace("+00:00", "Z")}

    return pushed


@pytest.fixture
def lose(_dynamodb):
    """`lose()` takes away what is current."""
    return lambda: _dynamodb.delete_item(TableName="ledger", Key=wire(ledger_keys.current("flask-app")))


def looks(world):
    """How often AdmitPush was tried."""
    return [step for step, _ in world.steps].count("AdmitPush")


def test_a_push_of_the_same_second_wins_that_comes_just_before_the_number_is_drawn(deploy, world, push):
    """If the tag were checked before the number is drawn, the first push would supersede the second."""
    first, second = push(1), push(2)
    second["time"] = first["time"]
    world.faults["next_in_order"] = [lambda: deploy(second)]
    assert deploy(first).states[-1] == "Superseded"
    assert current().deployment == "push-2"
    assert world.live() == {current().task}


def test_a_push_of_the_same_second_wins_that_comes_while_the_first_is_noted(deploy, world, push):
    first, second = push(1), push(2)
    second["time"] = first["time"]
    world.faults["note_in_order"] = [lambda: deploy(second)]
    deploy(first)
    assert current().deployment == "push-2"
    assert world.live() == {current().task}


def test_a_push_that_nobody_shows_any_more_is_superseded_once_it_is_more_than_half_a_minute_old(
    deploy, world, ago
):
    assert deploy(ago(31, 1), moves_the_tag=False).states[-1] == "Superseded"
    assert looks(world) == 1
    assert known()["push-1"].reason == "Its tag was deleted before it was live."


@pytest.mark.parametrize("seconds", [0, 30])
def test_a_push_is_looked_for_again_while_the_tag_is_not_there_yet(deploy, world, ago, seconds):
    assert deploy(ago(seconds, 1), moves_the_tag=False).error == "TagNotSeenError"
    assert looks(world) > 1


@pytest.mark.parametrize("before", [25, 20])
def test_a_tag_that_points_to_what_it_did_before_the_push_is_looked_at_again(deploy, world, ago, before):
    """In the second of the push, too: ECR shows which of them was first by showing the other."""
    deploy(ago(before, 1))
    document = ago(20, 2)
    assert deploy(document, moves_the_tag=False).error == "TagNotSeenError"
    assert current().deployment == "push-1"


def test_a_tag_that_was_pointed_back_after_the_push_is_believed_at_once(deploy, world, ago):
    """What the ledger knows is newer than the push, so that ECR cannot be showing what was before it."""
    deploy(ago(20, 1))
    before = looks(world)
    assert deploy(ago(25, 2), moves_the_tag=False).states[-1] == "Superseded"
    assert looks(world) == before + 1


def test_a_tag_that_moved_on_to_what_the_ledger_does_not_know_is_believed_at_once(deploy, world, ago):
    world.tags["flask-app", "latest"] = ago(0, 3)["detail"]["image-digest"]
    assert deploy(ago(5, 2), moves_the_tag=False).states[-1] == "Superseded"
    assert looks(world) == 1


def test_a_further_attempt_keeps_the_number_of_the_first_and_says_which_that_was(deploy, world, push):
    deploy(push(1))
    first = known()["push-1"]
    document = push(1) | {"id": "retry-2-push-1", "retry": {"of": "push-1", "attempt": 2}}
    deploy(document)
    again = known()["retry-2-push-1"]
    assert (again.sequence, again.retry) == (first.sequence, {"of": "push-1", "attempt": 2})


def test_a_further_attempt_takes_the_tag_over_from_the_one_before(deploy, world, push):
    world.faults["register_task_definition"] = [
        ThrottledError("Rate exceeded")
    ] * 101  # more than the workflow retries
    deploy(push(1))
    assert known()["push-1"].outcome == "retried"
    world.faults.clear()
    document = push(1) | {"id": "retry-2-push-1", "retry": {"of": "push-1", "attempt": 2}}
    assert deploy(document).states[-1] == "PublishUrl"
    assert ledger.tag(app="flask-app", tag="latest").deployment == "retry-2-push-1"


def test_a_tag_is_known_as_of_when_the_sweep_saw_it_and_not_of_when_its_image_was_pushed(deploy, world, ago):
    seen = int(time.time()) - 60
    deploy(ago(600, 1) | {"found": {"at": seen}})
    assert ledger.tag(app="flask-app", tag="latest").as_of == seen


@pytest.mark.parametrize(
    "wrong",
    [
        {"retry": {"of": "push-9", "attempt": 2}},
        {"digest": f"sha256:{9:064x}"},
        {"tag": "other"},
    ],
)
def test_a_further_attempt_of_what_the_ledger_does_not_know_is_refused(deploy, world, push, wrong):
    deploy(push(1))
    document = push(1) | {"id": "retry-2-push-1", "retry": wrong.get("retry", {"of": "push-1", "attempt": 2})}
    document["detail"]["image-digest"] = wrong.get("digest", document["detail"]["image-digest"])
    document["detail"]["image-tag"] = wrong.get("tag", "latest")
    assert deploy(document).error == "BadEventError"
    assert len(world.started) == 1


def test_a_push_that_another_deployment_handles_is_a_duplicate_that_names_it(deploy, world, push):
    deploy(push(1))
    other = push(1) | {"id": "sweep-1"}
    execution = deploy(other)
    assert (execution.status, execution.states[-1]) == ("SUCCEEDED", "Duplicate")
    assert known()["sweep-1"].outcome == "duplicate"
    assert known()["sweep-1"].reason == "push-1 handles this push."
    assert len(world.started) == len(world.mails) == 1


@pytest.mark.parametrize("why", ["superseded", "duplicate", "same image"])
def test_a_push_that_deploys_nothing_is_not_noted_as_the_last_of_its_app(deploy, world, push, ago, why):
    """What people see as the last one is what was admitted last."""
    deploy(push(1))
    document = ago(31, 2) if why == "superseded" else push(1) | {"id": "sweep-1"}
    if why == "same image":
        document["detail"]["image-tag"] = "v1"
    deploy(document, moves_the_tag=why == "same image")
    assert known()[document["id"]].outcome == why
    order = get(ledger_keys.order("flask-app"))
    assert order["last_deployment"] == ledger_keys.name_of(push(1)["time"], "push-1")


def restart_of(serving, push, **wrong):
    """The event of a restart, as RestartApp starts it."""
    of = {"deployment": serving.deployment, "sequence": serving.sequence, "revision": serving.revision}
    document = push(1) | {"id": "restart-1", "restart": of | {"reason": "exit code 1"} | wrong}
    return document | {"image": serving.image}


def admit(document):
    return admit_push.handler({"execution": "arn:restart", "push": document}, LambdaContext())


def test_a_restart_keeps_the_number_of_what_it_restarts_and_needs_no_tag(deploy, world, push):
    deploy(push(1))
    world.tags.clear()
    answer = admit(restart_of(current(), push))
    assert (answer["result"], answer["sequence"]) == ("admitted", current().sequence)
    assert known()["restart-1"].sequence == current().sequence
    assert known()["restart-1"].restart["reason"] == "exit code 1"


@pytest.mark.parametrize("meanwhile", ["gone", "ending", "another"])
def test_a_restart_of_what_is_not_current_any_more_is_superseded(deploy, world, push, meanwhile, lose):
    deploy(push(1))
    serving = current()
    document = restart_of(serving, push)
    if meanwhile == "gone":
        lose()
    if meanwhile == "ending":
        ended = dataclasses.replace(serving, ended=True, gave_up_reason="Its tag was deleted.")
        ledger.change_current(app="flask-app", new=ended, seen=serving)
    if meanwhile == "another":
        deploy(push(2))
    with pytest.raises(SupersededError, match="Another version is current now"):
        admit(document)
    assert known()["restart-1"].outcome == "superseded"
    assert known()["restart-1"].sequence == serving.sequence
    assert known()["restart-1"].reason.startswith("Another version is current now")


@pytest.mark.parametrize("wrong", [{"sequence": 1}, {"revision": "another:1"}])
def test_a_restart_of_something_else_than_what_is_live_is_refused(deploy, world, push, wrong):
    deploy(push(1))
    with pytest.raises(BadEventError):
        admit(restart_of(current(), push, **wrong))
    assert "restart-1" not in known()


def test_only_a_restart_brings_along_what_its_image_says(deploy, world, push):
    with pytest.raises(BadEventError):
        admit(push(1) | {"image": {"ports": [22]}})


def test_a_repeated_switch_over_does_not_replace_the_restart_of_its_version(deploy, world, push, stop):
    """A restart has the number of what it restarts: it counts as newer."""

    def crash_and_die():
        stop()
        raise LambdaDied("Lambda.Unknown")

    world.faults["SwitchOver answer"] = [crash_and_die]
    deploy(push(1))
    assert current().deployment.startswith("restart-")
    assert world.live() == {current().task}
    assert current().url in world.mails[-1]["subject"]
