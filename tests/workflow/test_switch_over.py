"""SwitchOver alone, call by call: what it makes current, when it is superseded, and what it stops."""

import copy
import dataclasses
import time

import pytest
from deployer.actions import stable_url
from deployer.aws import ecs, ledger, task_states
from deployer.domain import endpoint
from deployer.domain.deployment import Pin, Stop
from deployer.domain.errors import (
    AccessDeniedError,
    ContendedError,
    HeldError,
    SupersededError,
    TaskStoppedError,
)
from deployer.domain.preview import CUT
from deployer.settings import settings
from deployer.steps import switch_over

from tests.conftest import LambdaContext
from tests.workflow.conftest import stopped
from tests.workflow.test_admission import lose as lose

APP = "flask-app"


def current(app=APP):
    return ledger.current(app=app)


def known(name):
    return next(each for each in ledger.deployments(app=APP) if each.deployment == name)


@pytest.fixture
def document(deploy, world, push):
    """`document(number)` is what SwitchOver gets of a push, which is not current yet and has a task that runs."""
    deploy(push(1))
    (first,) = [event for step, event in world.steps if step == "SwitchOver"]

    def of(number, **more):
        event = copy.deepcopy(first) | {"id": f"push-{number}"}
        event["detail"]["image-digest"] = f"sha256:{number:064x}"
        event["admission"]["sequence"] += number - 1
        event["task"]["arn"] = event["task"]["arn"].rpartition("/")[0] + f"/{number:032x}"
        world.started[f"push-{number}"] = event["task"]["arn"]
        event["health"]["url"] = f"http://203.0.113.{6 + len(world.started)}:3000/"
        return event | more

    return of


def switch(event):
    return switch_over.handler(event, LambdaContext())


def restart_of(serving, event):
    of = {
        "deployment": serving.deployment,
        "sequence": serving.sequence,
        "revision": serving.revision,
        "reason": "exit code 1",
    }
    return event | {"restart": of, "admission": {"sequence": serving.sequence, "result": "admitted"}}


def change(app=APP, **changes):
    seen = current(app)
    assert ledger.change_current(app=app, new=dataclasses.replace(seen, **changes), seen=seen)
    return current(app)


# Who wins.


def test_a_later_number_takes_the_place_and_the_previous_version_is_stopped(world, document):
    before = current()
    done = switch(document(2))
    assert done == {
        "result": "current",
        "takesOver": True,
        "url": current().url,
        "previous": before.digest,
        "notes": [],
    }
    assert (current().deployment, current().sequence) == ("push-2", before.sequence + 1)
    assert world.stopped == [before.task]
    assert current().previous_tasks == []


@pytest.mark.parametrize("number", [0, 1])
def test_a_number_that_is_not_larger_is_superseded_and_its_task_is_stopped(world, document, number):
    """A restart that is current already has the number of what it restarts."""
    serving = change(deployment="restart-1")
    late = document(number) | {"id": "late"}
    late["image"]["ports"] = [3000, 9090]
    with pytest.raises(SupersededError, match=r"Another deployment, restart-1, replaced it\."):
        switch(late)
    assert current() == serving
    # Its task goes with all that it has; and a mail about the push that superseded it names it.
    assert world.closed == []
    assert [each.deployment for each in ledger.unmailed(app=APP)] == ["late"]
    assert world.stopped == [late["task"]["arn"]]
    assert known("late").outcome == "superseded"
    assert known("late").reason == "Another deployment, restart-1, replaced it."
    assert known("late").task == late["task"]["arn"]


@pytest.mark.parametrize(
    "hold",
    [
        {"stop": Stop("a leak", "ann", 0)},
        {"pin": Pin(f"sha256:{1:064x}", [f"sha256:{2:064x}"], "500s on /pay", "ann", 0)},
    ],
)
def test_a_stop_or_a_rollback_meanwhile_keeps_the_pushed_version_from_taking_over(world, document, hold):
    serving, held = change(**hold), document(2)
    with pytest.raises(HeldError):
        switch(held)
    assert current() == serving
    assert world.stopped == [held["task"]["arn"]]


def test_why_a_task_is_stopped_is_said_in_as_many_characters_as_ecs_takes(document, monkeypatch):
    said = []
    monkeypatch.setattr(ecs, "stop_task", lambda *, cluster, task, reason: said.append(reason))
    change(stop=Stop("a leak " * 99, "ann", 0))
    with pytest.raises(HeldError):
        switch(document(2))
    assert [len(reason) for reason in said] == [255]


def test_a_push_of_another_version_ends_a_pin_and_a_restart_keeps_it(world, document):
    pin = Pin(f"sha256:{1:064x}", [f"sha256:{9:064x}"], "500s on /pay", "ann", 0)
    switch(restart_of(change(pin=pin), document(1) | {"id": "restart-1"}))
    assert current().pin == pin
    switch(document(2))
    assert current().pin is None


def test_a_step_that_runs_twice_changes_nothing_and_says_the_same(world, document):
    event = document(2)
    first, serving = switch(event), None
    serving = current()
    again = switch(event)
    assert again == first | {"takesOver": False}
    assert current() == serving
    assert len(world.stopped) == 1


def test_a_restart_takes_the_place_of_what_it_restarts_with_the_same_number(world, document):
    before = current()
    done = switch(restart_of(before, document(2)))
    assert (done["result"], done["takesOver"], done["previous"]) == ("current", False, "")
    assert (current().deployment, current().sequence, current().previous) == ("push-2", before.sequence, "")


def test_a_restart_yields_to_whatever_is_not_what_it_restarts(world, document):
    before = current()
    serving = change(deployment="push-9")
    late = restart_of(before, document(2))
    with pytest.raises(SupersededError):
        switch(late)
    assert current() == serving
    assert world.stopped == [late["task"]["arn"]]
    # Nobody pushed it, and no mail has to speak of it.
    assert known("push-2").reason == "Another deployment, push-9, replaced it."
    assert ledger.unmailed(app=APP) == []


def test_a_restart_brings_nothing_back_that_is_about_to_end(world, document):
    serving = change(ended=True, gave_up_reason="Its tag was deleted.")
    late = restart_of(serving, document(2))
    with pytest.raises(SupersededError):
        switch(late)
    assert world.stopped == [late["task"]["arn"]]


def test_a_restart_brings_nothing_back_that_has_ended(world, document, lose):
    serving = current()
    lose()
    late = restart_of(serving, document(2))
    with pytest.raises(SupersededError):
        switch(late)
    assert current() is None
    assert world.stopped == [late["task"]["arn"]]
    assert known("push-2").reason == "The app has ended."


def test_a_push_comes_to_life_where_nothing_serves(world, document, lose):
    lose()
    done = switch(document(0))
    assert (done["result"], done["takesOver"], done["previous"]) == ("current", False, "")
    assert (current().deployment, current().previous_tasks, world.stopped) == ("push-0", [], [])


def test_who_comes_second_at_the_same_moment_has_to_try_again(world, document):
    world.faults["make_current"] = [lambda: change(reason="Somebody else was here.")]
    with pytest.raises(ContendedError):
        switch(document(2))
    assert world.stopped == []


def test_a_version_that_has_died_since_it_answered_does_not_take_the_place(world, document):
    before, event = current(), document(2)
    died = stopped(event["task"]["arn"], stop_code="EssentialContainerExited", exit_code=1)
    task_states.store_task(task=died)
    with pytest.raises(TaskStoppedError):
        switch(event)
    assert current() == before
    assert world.stopped == []


def test_a_version_that_has_died_without_an_event_does_not_take_the_place_although_something_answered(
    world, document
):
    """The event of its stop was lost, and another task has its address by now."""
    before, event = current(), document(2)
    task = event["task"]["arn"]
    world.dead[task] = stopped(task, stop_code="EssentialContainerExited", exit_code=1)
    with pytest.raises(TaskStoppedError, match="exit code 1"):
        switch(event)
    assert current() == before
    assert world.stopped == []


def test_a_task_that_ecs_does_not_show_yet_takes_the_place(world, document, monkeypatch):
    """DescribeTasks may be behind the events, which said that it runs."""
    monkeypatch.setattr(ecs, "describe_task", lambda *, cluster, task: None)
    switch(document(2))
    assert current().deployment == "push-2"


# The fields that the ledger keeps.


def test_a_push_begins_again_and_a_restart_takes_along_when_the_app_crashed(document):
    change(crashes=[1, 2], until=int(time.time()) + 99, unwatched_at=5)
    until = current().until
    for number in (2, 3):
        event = document(number)
        switch(restart_of(current(), event))
        serving = current()
        assert (serving.crashes, serving.until, serving.unwatched_at) == ([1, 2], until, 5)
        # However often it was restarted, it is known of which push.
        assert (serving.deployment, serving.origin) == (f"push-{number}", "push-1")
        assert serving.direct_url == event["health"]["url"]
    switch(document(4))
    serving = current()
    assert (serving.crashes, serving.until, serving.unwatched_at, serving.origin) == ([], 0, 0, "")


def test_tasks_that_could_not_be_stopped_before_are_stopped_now(world, document):
    first = change(previous_tasks=["arn:aws:ecs:eu-west-1:111122223333:task/portcall/older"])
    switch(document(2))
    assert world.stopped == [*first.previous_tasks, first.task]


def test_only_the_ports_that_answered_stay_open(world, document):
    event = document(2)
    event["image"]["ports"] = [80, 443, 3000, 9090]
    event["health"] |= {"port": 80, "also": [443]}
    switch(event)
    assert world.closed == [3000, 9090]
    assert current().image["ports"] == [80, 443]


def test_if_all_ports_answered_none_is_closed(world, document):
    switch(document(2))
    assert world.closed == []


# Previews.


@pytest.fixture
def preview(document, monkeypatch):
    """`preview(number)` is what SwitchOver gets of a push of the tag pr-7, which is an app of its own."""
    monkeypatch.setenv("ENVIRONMENTS", "tag")
    settings.cache_clear()

    def of(number, expires=None):
        event = document(number)
        event["detail"]["image-tag"] = "pr-7"
        event["admission"]["app"] = f"{APP}:pr-7"
        event["image"]["expires"] = expires
        return event

    yield of
    monkeypatch.undo()
    settings.cache_clear()


def test_a_push_of_a_preview_gives_it_its_whole_time_and_a_restart_does_not(preview, monkeypatch):
    monkeypatch.setattr(switch_over.time, "time", lambda: 1_000_000.5)
    (note,) = switch(preview(2))["notes"]
    app = f"{APP}:pr-7"
    assert current(app).until == 1_000_000 + 24 * 3600
    assert note == "It is a preview: it ends at 1970-01-13 13:46 UTC, or when its tag is deleted."
    monkeypatch.setattr(switch_over.time, "time", lambda: 1_003_600.0)
    switch(restart_of(current(app), preview(3)))
    assert (current(app).deployment, current(app).until) == ("push-3", 1_000_000 + 24 * 3600)
    switch(preview(4))
    assert current(app).until == 1_003_600 + 24 * 3600


def test_a_preview_whose_tag_was_deleted_meanwhile_does_not_come_to_life(world, preview):
    event, app = preview(2), f"{APP}:pr-7"
    assert ledger.record_tag(app=app, tag="pr-7", digest="", as_of=int(time.time()), seen=None)
    with pytest.raises(SupersededError):
        switch(event)
    assert current(app) is None
    assert world.stopped == [event["task"]["arn"]]
    (ended,) = ledger.deployments(app=app)
    assert (ended.outcome, ended.reason) == ("superseded", "Its tag was deleted before it was live.")
    assert ledger.unmailed(app=app) == [ended]


def test_an_app_that_lasts_comes_to_life_though_its_tag_was_deleted_meanwhile(document):
    seen = ledger.tag(app=APP, tag="latest")
    assert ledger.record_tag(app=APP, tag="latest", digest="", as_of=int(time.time()), seen=seen)
    assert switch(document(2))["result"] == "current"


def test_a_preview_whose_tag_is_deleted_at_that_very_moment_does_not_come_to_life(world, preview):
    event, app = preview(2), f"{APP}:pr-7"
    gone = {"app": app, "tag": "pr-7", "digest": "", "as_of": int(time.time())}
    world.faults["make_current"] = [lambda: ledger.record_tag(**gone, seen=None)]
    with pytest.raises(ContendedError):
        switch(event)
    assert current(app) is None


def test_a_preview_that_asks_for_more_time_than_it_may_have_is_reported(preview):
    assert CUT in switch(preview(2, expires=0))["notes"]
    assert CUT not in switch(preview(3, expires=3600))["notes"]


def test_an_app_that_lasts_has_no_end_and_may_ask_for_any(document):
    assert switch(document(2))["notes"] == []
    event = document(3)
    event["image"]["expires"] = 30 * 24 * 3600
    (note,) = switch(event)["notes"]
    assert note.startswith("It ends at ")
    assert CUT not in note


# The stable URL.


def test_the_previous_task_still_runs_when_the_stable_url_is_moved(world, document, stable_url):
    before = current()
    done = switch(document(2))
    assert (done["result"], done["takesOver"], done["url"]) == ("moved", True, "https://api-1.example/")
    assert world.stopped == []
    assert current().previous_tasks == [before.task]
    assert world.task_at(world.apis["api-1"]["target"]) == current().task


def test_a_late_version_to_which_the_stable_url_was_pointed_is_stopped_once_that_points_elsewhere(
    world, document, stable_url
):
    switch(document(3))
    late = document(2)
    world.apis["api-1"]["target"] = late["health"]["url"]
    with pytest.raises(SupersededError):
        switch(late)
    assert world.task_at(world.apis["api-1"]["target"]) == current().task
    assert late["task"]["arn"] in world.stopped
    assert world.cut_off == []


def test_an_app_that_speaks_tls_gets_a_note_why_it_has_no_stable_url(world, document, stable_url):
    event = document(2)
    event["health"]["url"] = "https://203.0.113.7:3000/"
    done = switch(event)
    assert done["result"] == "current"
    (note,) = done["notes"]
    assert note == switch_over.NO_STABLE_URL + endpoint.no_stable_url(event["health"]["url"])
    assert world.apis == {}
    assert len(world.stopped) == 1


def test_a_task_that_could_not_be_stopped_is_reported_before_anything_else(world, preview, stable_url):
    switch(preview(2) | {"health": {"url": "https://203.0.113.7:3000/", "port": 3000}})
    world.faults["stop_task"] = [AccessDeniedError("StopTask: not authorized")]
    done = switch(preview(3) | {"health": {"url": "https://203.0.113.8:3000/", "port": 3000}})
    assert [note.partition(":")[0] for note in done["notes"]] == [
        "The previous version could not be stopped. It is still running and costs money",
        "It is a preview",
        "It has no stable URL",
    ]
    assert len(current(f"{APP}:pr-7").previous_tasks) == 1


def test_an_app_without_a_stable_url_or_without_a_version_has_nothing_to_point(world, document):
    stable_url.point_at_current(APP)
    stable_url.point_at_current("never-seen")
    assert world.apis == {}
