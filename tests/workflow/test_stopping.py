"""Stop, start and end: the task stops, the slot stays, and pushes wait."""

import time
from datetime import UTC, datetime

import pytest
from deployer.aws import ecr, ledger
from deployer.domain.errors import ThrottledError
from deployer.domain.push import Push
from deployer.events import operate, reconcile

from tests.conftest import LambdaContext, apps_with_slots


def ask(action, **event):
    return operate.handler({"action": action, "app": "flask-app", "by": "ann", **event}, LambdaContext())


def current():
    return ledger.current(app="flask-app")


def digest(number):
    return f"sha256:{number:064x}"


def sweep():
    return reconcile.handler({"id": "sweep"}, LambdaContext())


@pytest.fixture
def pushed_now(push):
    def nth(number):
        return push(number) | {"time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")}

    return nth


@pytest.fixture
def stopped_app(deploy, push):
    deploy(push(1))
    return ask("stop", reason="maintenance")


def test_a_stop_takes_the_task_away_and_keeps_the_place(stopped_app, world):
    assert stopped_app["status"] == "stopped"
    assert world.live() == set()
    assert (current().stop.by, current().stop.reason) == ("ann", "maintenance")
    assert sweep() == {}
    assert apps_with_slots() == {"flask-app"}
    assert len(world.mails) == 1


def test_the_stop_of_its_task_starts_nothing(stopped_app, world, stop):
    stop(code="UserInitiated")
    assert sweep() == {}
    assert world.live() == set()


def test_a_push_of_a_stopped_app_is_recorded_and_its_mail_says_how_to_start_it(
    stopped_app, deploy, world, pushed_now
):
    assert deploy(pushed_now(2)).states[-1] == "RecordPush"
    assert world.live() == set()
    mail = world.mails[-1]
    assert mail["subject"] == "flask-app was not deployed: the app is stopped"
    assert "The app is stopped, requested by ann (not verified) at " in mail["text"]
    assert '"action":"start","app":"flask-app"' in mail["text"]
    assert sweep() == {}


def test_a_start_deploys_the_newest_push(stopped_app, deploy, world, pushed_now):
    for number in (2, 3):
        deploy(pushed_now(number))
    assert ask("start")["digest"] == digest(3)
    assert (current().digest, current().stop, current().gave_up_reason) == (digest(3), None, "")
    assert world.live() == {current().task}
    assert sweep() == {}


def test_a_push_while_a_start_looks_for_the_newest_one_wins(
    stopped_app, deploy, world, pushed_now, monkeypatch
):
    deploy(pushed_now(2))
    other = pushed_now(3)
    other["detail"]["image-tag"] = "next"
    digest_of, pushes = ecr.digest_of, [other]

    def look(**tag):
        found = digest_of(**tag)
        if ledger.current(app="flask-app").stop is None and pushes:
            deploy(pushes.pop())
        return found

    monkeypatch.setattr(ecr, "digest_of", look)
    assert ask("start")["digest"] == digest(2)
    assert (current().digest, current().tag) == (digest(3), "next")
    assert world.live() == {current().task}
    assert sweep() == {}


def test_a_start_waits_for_a_push_that_is_being_admitted_and_leaves_the_app_stopped(stopped_app, pushed_now):
    coming = Push.from_event(pushed_now(2), by_tag=False)
    ledger.next_in_order(push=coming, now=time.time())
    assert ask("start")["reason"] == (
        "A push of flask-app is being admitted at this moment. Try again in a minute."
    )
    assert current().stop.reason == "maintenance"
    ledger.claim(push=coming, execution="one", sequence=1)
    assert [name for _, name in ledger.unclaimed(app="flask-app")] == []
    assert ask("start")["status"] == "started"


def test_a_start_without_a_push_runs_what_ran_before(stopped_app, world):
    assert ask("start")["digest"] == digest(1)
    assert world.live() == {current().task}


def test_a_start_where_the_tag_is_gone_runs_what_ran_before(stopped_app, world):
    del world.tags["flask-app", "latest"]
    assert ask("start")["digest"] == digest(1)
    assert world.live() == {current().task}


def test_an_app_whose_image_is_gone_from_ecr_stays_stopped(stopped_app, world):
    del world.tags["flask-app", "latest"]
    world.gone.add(digest(1))
    assert "is no longer in ECR" in ask("start")["reason"]
    assert current().stop.reason == "maintenance"
    assert sweep() == {}


def test_a_start_of_a_pinned_app_runs_the_pinned_version(deploy, push, world):
    deploy(push(1))
    deploy(push(2))
    ask("rollback", reason="500s")
    ask("stop")
    assert ask("start")["digest"] == digest(1)
    assert (current().digest, current().pin.reason) == (digest(1), "500s")


def test_an_app_that_was_given_up_can_be_started(deploy, push, stop, world):
    deploy(push(1))
    for _ in range(3):
        stop()
    assert ask("start")["status"] == "started"
    assert world.live() == {current().task}


def test_a_stop_during_a_deployment_holds_it(deploy, world, push):
    deploy(push(1))
    world.faults["SwitchOver"] = [lambda: ask("stop")]
    assert deploy(push(2)).states[-1] == "RecordPush"
    assert (current().digest, bool(current().stop)) == (digest(1), True)
    assert world.live() == set()
    assert ask("start")["digest"] == digest(2)


def test_a_push_that_is_about_to_be_recorded_when_the_app_is_started_is_deployed(
    stopped_app, deploy, world, pushed_now
):
    world.faults["RecordPush"] = [lambda: ask("start")]
    deploy(pushed_now(2))
    sweep()
    assert current().digest == digest(2)
    assert "recorded" not in [mail["document"]["outcome"] for mail in world.mails]


def test_a_stop_that_dies_half_way_is_finished_by_the_sweep(deploy, push, world):
    deploy(push(1))
    world.faults["stop_task"] = [ThrottledError("StopTask: Rate exceeded")]
    assert ask("stop")["kind"] == "not known"
    assert world.live()
    sweep()
    assert world.live() == set()
    assert sweep() == {}


def test_a_second_stop_changes_nothing(stopped_app, world):
    assert ask("stop", reason="again")["status"] == "stopped"
    assert current().stop.reason == "maintenance"


@pytest.mark.parametrize("action", ["rollback", "resume", "restart", "deploy"])
def test_a_stopped_app_is_started_first(stopped_app, world, action):
    answer = ask(action)
    assert answer["status"] == "refused"
    assert "portcall start flask-app" in answer["reason"]
    assert world.live() == set()


def test_a_request_to_start_a_running_app_is_refused(deploy, push):
    deploy(push(1))
    assert "is not stopped" in ask("start")["reason"]


def test_a_lasting_app_ends_only_if_the_request_confirms_its_name(deploy, push, world):
    deploy(push(1))
    assert "repeat its name as `confirm`" in ask("end")["reason"]
    assert ask("end", confirm="flask-app", reason="done", id="0123456789ab")["status"] == "ended"
    assert current() is None
    assert world.live() == apps_with_slots() == set()
    assert "It was ended, requested by ann (not verified): done." in world.mails[-1]["text"]
    assert ask("end", confirm="flask-app", id="0123456789ab")["status"] == "ended"
    assert ask("end", confirm="flask-app")["kind"] == "no such thing"
    assert sweep() == {}


def test_nothing_is_ended_while_a_deployment_is_under_way(deploy, push, world):
    deploy(push(1))
    said = []
    world.faults["SwitchOver"] = [lambda: said.append(ask("end", confirm="flask-app"))]
    deploy(push(2))
    assert "is under way: push-2" in said[0]["reason"]
    assert current().digest == digest(2)
