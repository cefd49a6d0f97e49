"""Duplicate, late and concurrent pushes: one live task, the one of the last push."""

import itertools
from datetime import UTC, datetime

import pytest
from deployer.aws import ledger, ledger_keys, task_states
from deployer.aws.client import client
from deployer.aws.items import plain
from deployer.domain.errors import AccessDeniedError
from deployer.domain.task import Task


def outcomes(world):
    return [news["attributes"]["outcome"] for news in world.mails]


def current():
    return ledger.current(app="flask-app")


def test_a_second_delivery_of_a_push_ends_quietly(deploy, world, push):
    deploy(push(1))
    again = deploy(push(1))
    assert (again.status, again.states[-1]) == ("SUCCEEDED", "Duplicate")
    assert len(world.started) == len(world.mails) == len(world.revisions) == 1


def test_a_push_that_is_superseded_ends_without_a_revision_a_task_or_a_mail(deploy, world, push):
    deploy(push(2))
    late = deploy(push(1), moves_the_tag=False)
    assert (late.status, late.states[-1]) == ("SUCCEEDED", "Superseded")
    assert len(world.started) == len(world.mails) == len(world.revisions) == 1
    assert world.events[-1]["detail_type"] == "Deployment Superseded"


def test_a_push_whose_tag_is_gone_is_superseded(deploy, world, push):
    assert deploy(push(1), moves_the_tag=False).states[-1] == "Superseded"
    assert not world.started


def test_the_previous_version_is_stopped_once_the_new_one_answers(deploy, world, push):
    deploy(push(1))
    (first,) = world.live()
    world.faults["probe"] = [lambda: world.faults.update(seen=[world.live().copy()])]
    deploy(push(2))
    assert first in world.faults["seen"][0]
    assert world.stopped == [first]
    assert world.live() == {current().task}
    assert f"replaced sha256:{1:064x}" in world.mails[-1]["text"]


def test_a_bad_push_leaves_the_previous_version_serving(deploy, world, push):
    deploy(push(1))
    before = current()
    world.answers = None
    assert deploy(push(2)).status == "FAILED"
    assert current() == before
    assert world.live() == {before.task}
    assert f"still running at {before.url}" in world.mails[-1]["text"]


def test_the_slower_of_two_yields_to_the_one_pushed_later(deploy, world, push):
    world.faults["probe"] = [lambda: deploy(push(2))]
    late = deploy(push(1))
    assert (late.status, late.states[-1]) == ("SUCCEEDED", "Superseded")
    assert current().deployment == "push-2"
    assert world.live() == {current().task}
    assert outcomes(world) == ["deployed"]


def test_a_push_that_is_superseded_while_it_waits_to_register_gives_up(deploy, world, push):
    world.faults["is_newest"] = [lambda: deploy(push(2))]
    late = deploy(push(1))
    assert (late.status, late.states[-1]) == ("SUCCEEDED", "Superseded")
    assert len(world.revisions) == 1
    assert current().deployment == "push-2"


def test_the_late_event_of_a_superseded_push_supersedes_nothing(deploy, world, push):
    """Two pushes; the event of the second comes first, that of the first while the second registers."""
    world.faults["is_newest"] = [lambda: deploy(push(1), moves_the_tag=False)]
    assert deploy(push(2)).states[-1] == "PublishUrl"
    assert current().deployment == "push-2"


def test_two_that_switch_at_the_same_moment_end_with_the_later_one(deploy, world, push):
    deploy(push(1))
    world.faults["make_current"] = [lambda: deploy(push(3))]
    deploy(push(2))
    assert current().deployment == "push-3"
    assert world.live() == {current().task}


def test_every_step_may_run_twice(deploy, world, push):
    deploy(push(1))
    world.each_step_twice = True
    execution = deploy(push(2))
    assert (execution.status, execution.states[-1]) == ("SUCCEEDED", "PublishUrl")
    assert len(world.started) == 2
    assert outcomes(world) == ["deployed", "deployed"]
    assert world.live() == {current().task}
    assert current().deployment == "push-2"


def test_every_step_of_a_failure_may_run_twice(deploy, world, push):
    deploy(push(1))
    before = current()
    world.each_step_twice = True
    world.answers = None
    assert deploy(push(2)).status == "FAILED"
    assert outcomes(world) == ["deployed", "failed"]
    assert current() == before
    assert world.live() == {before.task}


def test_a_previous_version_that_cannot_be_stopped_is_reported_and_the_new_one_is_live(deploy, world, push):
    deploy(push(1))
    world.faults["stop_task"] = [AccessDeniedError("StopTask: not authorized")]
    execution = deploy(push(2))
    assert execution.status == "SUCCEEDED"
    assert "could not be stopped" in world.mails[-1]["text"]
    assert current().deployment == "push-2"


def test_a_task_that_could_not_be_stopped_is_stopped_by_the_next_deployment(deploy, world, push):
    deploy(push(1))
    world.faults["stop_task"] = [AccessDeniedError("StopTask: not authorized")]
    deploy(push(2))
    assert len(world.live()) == 2
    deploy(push(3))
    assert world.live() == {current().task}


def test_news_that_cannot_be_sent_do_not_stop_what_is_live(deploy, world, push):
    world.faults["publish"] = [AccessDeniedError("Publish: not authorized")]
    execution = deploy(push(1))
    assert execution.status == "FAILED"
    assert world.live() == {current().task}
    # The second try, from RollBack, says what happened.
    assert outcomes(world) == ["deployed"]
    assert "is live" in world.mails[0]["subject"]


def test_an_event_that_cannot_be_sent_fails_nothing(deploy, world, push):
    world.faults["put_event"] = [AccessDeniedError("PutEvents: not authorized")]
    assert deploy(push(1)).status == "SUCCEEDED"
    assert outcomes(world) == ["deployed"]


def test_apps_do_not_disturb_each_other(deploy, world, push):
    other = push(1)
    other["id"] = "other"
    other["detail"]["repository-name"] = "team/other"
    deploy(push(1))
    deploy(other)
    assert len(world.live()) == 2


@pytest.mark.parametrize("arrival", list(itertools.permutations([1, 2, 3])))
@pytest.mark.parametrize("tags", [("latest",) * 3, ("v1", "v2", "v3"), ("latest", "next", "latest")])
def test_events_in_any_order_and_twice_end_with_what_was_pushed_last(deploy, world, push, tags, arrival):
    events = {}
    for number, tag in enumerate(tags, 1):
        events[number] = push(number)
        events[number]["detail"]["image-tag"] = tag
        world.tags["flask-app", tag] = events[number]["detail"]["image-digest"]
    for number in [*arrival, *arrival]:
        deploy(events[number], moves_the_tag=False)
    assert current().deployment == "push-3"
    assert world.live() == {current().task}
    mailed = [news["document"]["deployment"] for news in world.mails]
    assert len(set(mailed)) == len(mailed)
    assert outcomes(world) == ["deployed"] * len(mailed)


def test_a_clock_that_goes_back_does_not_lose_the_last_push_of_a_tag(deploy, world, push):
    deploy(push(2))
    last = push(3)
    last["time"] = push(1)["time"]
    assert deploy(last).states[-1] == "PublishUrl"
    assert current().deployment == "push-3"


def test_going_back_to_an_image_that_was_there_before_is_a_push_like_any_other(deploy, world, push):
    for number, image in ((1, 1), (2, 2), (3, 1)):
        event = push(number)
        event["detail"]["image-digest"] = f"sha256:{image:064x}"
        deploy(event)
    assert (current().deployment, current().digest) == ("push-3", f"sha256:{1:064x}")


def test_a_version_that_dies_once_it_has_answered_does_not_replace_the_one_before(deploy, world, push):
    def die() -> None:
        arn = world.started["push-2"]
        world.dead[arn] = Task(arn, "STOPPED", "STOPPED", 9, stop_code="EssentialContainerExited", exit_code=1)
        task_states.store_task(task=world.dead[arn])

    deploy(push(1))
    before = current()
    world.faults["CheckHealth answer"] = [die]
    assert deploy(push(2)).error == "TaskStoppedError"
    assert current() == before
    assert world.live() == {before.task}
    assert outcomes(world) == ["deployed", "failed"]


def test_a_failure_of_what_was_superseded_says_that_the_newer_version_serves(deploy, world, push):
    world.bad = {"push-1"}
    world.faults["probe"] = [lambda: deploy(push(2))]
    deploy(push(1))
    assert outcomes(world) == ["deployed", "failed"]
    assert f"A newer version is running at {current().url}" in world.mails[-1]["text"]


def test_a_failure_does_not_say_that_a_version_serves_which_has_died_unseen(deploy, world, push):
    deploy(push(1))
    dead = current().task
    world.dead[dead] = Task(dead, "STOPPED", "STOPPED", 9, stop_code="EssentialContainerExited", exit_code=1)
    world.answers = None
    deploy(push(2))
    assert "still running" not in world.mails[-1]["text"]
    assert "No other version is running." in world.mails[-1]["text"]


def test_each_push_has_one_outcome_in_the_ledger(deploy, world, push):
    deploy(push(1))
    world.answers = None
    deploy(push(2))
    deploy(push(1), moves_the_tag=False)
    items = client("dynamodb").scan(TableName="ledger")["Items"]
    found = {item["sk"].rpartition("#")[2]: item.get("outcome") for item in map(plain, items) if item["sk"].startswith(ledger_keys.DEPLOYMENT)}  # fmt: skip
    assert found == {"push-1": "deployed", "push-2": "failed"}


def now_pushed(document):
    return document | {"time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")}


def test_a_push_that_ecr_does_not_show_yet_is_looked_for_again(deploy, world, push):
    deploy(push(1))
    moved = {("flask-app", "latest"): push(2)["detail"]["image-digest"]}
    # The first two looks are too early.
    world.faults["next_in_order"] = [lambda: None, lambda: None, lambda: world.tags.update(moved)]
    assert deploy(now_pushed(push(2)), moves_the_tag=False).states[-1] == "PublishUrl"
    assert current().deployment == "push-2"


def test_a_push_whose_tag_has_moved_on_is_superseded_at_once(deploy, world, push):
    deploy(push(1))
    world.tags["flask-app", "latest"] = push(3)["detail"]["image-digest"]
    execution = deploy(now_pushed(push(2)), moves_the_tag=False)
    assert execution.states == ["AdmitPush", "Superseded"]
    assert len([step for step, _ in world.steps if step == "AdmitPush"]) == 2
