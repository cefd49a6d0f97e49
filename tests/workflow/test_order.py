"""Pushes that come twice, too late, or on top of each other: one live task, and it is the last one pushed."""

from deployer.aws import ledger
from deployer.domain.errors import AccessDeniedError


def outcomes(world):
    return [news["attributes"]["outcome"] for news in world.mails]


def current():
    return ledger.current(table="ledger", app="flask-app")


def test_a_second_delivery_of_a_push_ends_quietly(deploy, world, push):
    deploy(push(1))
    again = deploy(push(1))
    assert (again.status, again.states[-1]) == ("SUCCEEDED", "Duplicate")
    assert len(world.started) == len(world.mails) == len(world.revisions) == 1


def test_a_push_that_is_overtaken_ends_without_a_revision_a_task_or_a_mail(deploy, world, push):
    deploy(push(2))
    late = deploy(push(1), moves_the_tag=False)
    assert (late.status, late.states[-1]) == ("SUCCEEDED", "Superseded")
    assert len(world.started) == len(world.mails) == len(world.revisions) == 1
    assert world.events[-1]["detail_type"] == "Deployment Superseded"


def test_a_push_whose_tag_is_gone_is_superseded(deploy, world, push):
    assert deploy(push(1), moves_the_tag=False).states[-1] == "Superseded"
    assert not world.started


def test_the_version_before_is_stopped_once_the_new_one_answers(deploy, world, push):
    deploy(push(1))
    (first,) = world.live()
    world.faults["probe"] = [lambda: world.faults.update(seen=[world.live().copy()])]
    deploy(push(2))
    assert first in world.faults["seen"][0]
    assert world.stopped == [first]
    assert world.live() == {current().task}
    assert f"replaced sha256:{1:064x}" in world.mails[-1]["text"]


def test_a_bad_push_leaves_the_version_before_serving(deploy, world, push):
    deploy(push(1))
    before = current()
    world.answers = None
    assert deploy(push(2)).status == "FAILED"
    assert current() == before
    assert world.live() == {before.task}
    assert f"still serving at {before.url}" in world.mails[-1]["text"]


def test_the_slower_of_two_gives_way_to_the_one_pushed_later(deploy, world, push):
    world.faults["probe"] = [lambda: deploy(push(2))]
    late = deploy(push(1))
    assert (late.status, late.states[-1]) == ("SUCCEEDED", "Superseded")
    assert current().deployment == "push-2"
    assert world.live() == {current().task}
    assert outcomes(world) == ["deployed"]


def test_a_push_that_is_overtaken_while_it_waits_to_register_gives_up(deploy, world, push):
    world.faults["is_newest"] = [lambda: deploy(push(2))]
    late = deploy(push(1))
    assert (late.status, late.states[-1]) == ("SUCCEEDED", "Superseded")
    assert len(world.revisions) == 1
    assert current().deployment == "push-2"


def test_the_late_event_of_an_overtaken_push_overtakes_nobody(deploy, world, push):
    """Two pushes; the event of the second comes first, that of the first while the second registers."""
    world.faults["is_newest"] = [lambda: deploy(push(1), moves_the_tag=False)]
    assert deploy(push(2)).states[-1] == "Deployed"
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
    assert (execution.status, execution.states[-1]) == ("SUCCEEDED", "Deployed")
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


def test_a_previous_version_that_cannot_be_stopped_is_told_and_the_new_one_is_live(deploy, world, push):
    deploy(push(1))
    world.faults["stop_task"] = [AccessDeniedError("StopTask: not authorized")]
    execution = deploy(push(2))
    assert execution.status == "SUCCEEDED"
    assert "could not be stopped" in world.mails[-1]["text"]
    assert current().deployment == "push-2"


def test_what_was_not_stopped_is_stopped_by_the_next_deployment(deploy, world, push):
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
    # The second try, from RollBack, tells the truth.
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


def test_each_push_has_one_outcome_in_the_ledger(deploy, world, push):
    import boto3

    deploy(push(1))
    world.answers = None
    deploy(push(2))
    deploy(push(1), moves_the_tag=False)
    items = boto3.client("dynamodb").scan(TableName="ledger")["Items"]
    found = {item["sk"]["S"].rpartition("#")[2]: item.get("outcome", {}).get("S") for item in items if item["sk"]["S"].startswith("deployment#")}  # fmt: skip
    assert found == {"push-1": "deployed", "push-2": "failed"}
