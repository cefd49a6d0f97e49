"""A shared install: a repository that pushes without end reaches its limits, and affects no other."""

import json
import time

import pytest
from deployer.actions import previews
from deployer.aws import ledger
from deployer.domain import limits
from deployer.events import end_preview, reconcile
from deployer.settings import settings

from tests.conftest import LambdaContext, apps_with_slots


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch):
    # The middle of an hour of the clock, so that no test runs into the next.
    now = time.time()
    monkeypatch.setattr(limits, "hour", lambda at: int(now) // 3600)
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def parameter(monkeypatch):
    def put(name, value):
        monkeypatch.setenv(name, value)
        settings.cache_clear()

    return put


@pytest.fixture
def pushed(push):
    """`pushed("shop:pr-7", 3)` is the third push of all."""

    def of(image, number):
        document = push(number)
        repository, _, tag = image.partition(":")
        document["detail"] |= {"repository-name": repository, "image-tag": tag or "latest"}
        return document

    return of


def live(execution):
    return execution.states[-1] == "PublishUrl"


def subjects(world):
    return [news["subject"] for news in world.mails]


def refusals(world):
    return [subject for subject in subjects(world) if "refused" in subject]


def sweep():
    return reconcile.handler({"id": "sweep"}, LambdaContext())


@pytest.fixture
def delete_tag(world):
    def of(repository, tag):
        world.tags.pop((repository, tag))
        detail = {"action-type": "DELETE", "repository-name": repository, "image-tag": tag}
        end_preview.handler({"id": "deleted", "detail": detail}, LambdaContext())

    return of


# ── Previews


@pytest.fixture
def by_tag(parameter):
    parameter("ENVIRONMENTS", "tag")
    parameter("MAX_PREVIEWS", "4")
    parameter("MAX_PREVIEWS_PER_REPOSITORY", "2")


def test_a_repository_takes_its_share_of_the_previews_and_others_have_theirs(deploy, world, pushed, by_tag):
    world.configuration = {"Cmd": ["app"], "Labels": {"portcall.expires": "never"}}
    assert [live(deploy(pushed(f"greedy:pr-{n}", n))) for n in range(1, 6)] == [True, True, False, False, False]
    assert live(deploy(pushed("shop:pr-1", 6)))
    assert live(deploy(pushed("shop:pr-2", 7)))
    # What has its slot may be pushed as often as its people like.
    assert live(deploy(pushed("greedy:pr-1", 8)))
    said = [news for news in world.mails if "refused" in news["subject"]]
    assert [news["subject"] for news in said] == ["greedy:pr-3 was refused: too many previews"]
    reached = "The limit on previews of one repository is reached (MaxPreviewsPerRepository: 2). "
    assert f"{reached}These count, running or not: greedy:pr-1, greedy:pr-2." in said[0]["text"]
    assert "Portcall sends this email at most once an hour for each repository." in said[0]["text"]
    refused = [json.dumps(event) for event in world.events if event["detail"]["outcome"] == "failed"]
    assert len(refused) == 3


def test_a_repository_that_is_refused_for_the_sum_is_mailed_about_it_too(deploy, world, pushed, by_tag):
    for number, image in enumerate(
        ["aa:pr-1", "aa:pr-2", "bb:pr-1", "bb:pr-2", "cc:pr-1", "cc:pr-2", "dd:pr-1"], 1
    ):
        deploy(pushed(image, number))
    assert refusals(world) == [
        "cc:pr-1 was refused: too many previews",
        "dd:pr-1 was refused: too many previews",
    ]
    assert "The limit on previews is reached (MaxPreviews: 4). These count, running or not: aa:pr-1, aa:pr-2, bb:pr-1, bb:pr-2." in world.mails[-1]["text"]  # fmt: skip


def test_a_refusal_does_not_say_that_what_is_down_is_running(deploy, world, pushed, by_tag, parameter, stop):
    """A preview that is down keeps its slot, for it is started with the next push; so does an app that is stopped."""
    deploy(pushed("shop:pr-1", 1))
    deploy(pushed("shop:pr-2", 2))
    stop(app="shop:pr-1", code="UserInitiated", stopped_reason="Task stopped by user")
    sweep()
    assert ledger.current(app="shop:pr-1").gave_up_reason
    deploy(pushed("shop:pr-3", 3))
    reason = next(line for line in world.mails[-1]["text"].splitlines() if line.startswith("Reason: "))
    assert "shop:pr-1" in reason
    assert "are running" not in reason
    assert "These count, running or not: " in reason


def test_the_slot_of_a_share_is_free_again_when_its_preview_ends(deploy, world, pushed, by_tag):
    for number in (1, 2):
        deploy(pushed(f"shop:pr-{number}", number))
    del world.tags["shop", "pr-1"]
    sweep()
    assert live(deploy(pushed("shop:pr-3", 3)))


def test_a_preview_is_not_an_app_that_lasts(deploy, world, pushed, by_tag, parameter):
    parameter("MAX_APPS", "1")
    assert live(deploy(pushed("shop:latest", 1)))
    assert live(deploy(pushed("shop:pr-1", 2)))
    assert not live(deploy(pushed("other:latest", 3)))
    assert live(deploy(pushed("other:pr-1", 4)))


def test_an_app_that_became_a_preview_makes_room_for_another_app(
    deploy, world, pushed, by_tag, parameter, stop
):
    """LastingTags was changed. The app is down and keeps its slot, which does not count as an app's."""
    parameter("MAX_APPS", "1")
    parameter("LASTING_TAGS", "v1,latest")
    assert live(deploy(pushed("shop:v1", 1)))
    assert not live(deploy(pushed("other:latest", 2)))
    parameter("LASTING_TAGS", "latest")
    stop(app="shop:v1", code="UserInitiated", stopped_reason="Task stopped by user")
    sweep()
    assert live(deploy(pushed("other:latest", 3)))
    # It counts among the previews from now on.
    parameter("MAX_PREVIEWS_PER_REPOSITORY", "1")
    assert not live(deploy(pushed("shop:pr-1", 4)))
    assert live(deploy(pushed("shop:v1", 5)))
    del world.tags["shop", "v1"]
    sweep()
    assert apps_with_slots() == {"other:latest"}


def test_a_preview_that_became_an_app_makes_room_for_another_preview(deploy, world, pushed, by_tag, parameter):
    """The app keeps its slot, although no slot is free for another app."""
    parameter("MAX_APPS", "1")
    parameter("MAX_PREVIEWS_PER_REPOSITORY", "1")
    assert live(deploy(pushed("shop:latest", 1)))
    assert live(deploy(pushed("shop:v1", 2)))
    parameter("LASTING_TAGS", "v1,latest")
    sweep()
    assert live(deploy(pushed("shop:pr-1", 3)))
    assert live(deploy(pushed("shop:v1", 4)))
    taken = ledger.taken_slots()
    assert (taken["apps"], taken["of shop"]) == ({"shop:pr-1"}, {"shop:pr-1"})
    assert taken["lasting"] == {"shop:latest", "shop:v1"}


# ── Apps


def test_new_apps_beyond_the_limit_are_refused_and_those_that_run_are_not(deploy, world, pushed, parameter):
    parameter("MAX_APPS", "2")
    assert live(deploy(pushed("aa", 1)))
    assert live(deploy(pushed("bb", 2)))
    tasks = len(world.tasks)
    assert not live(deploy(pushed("cc", 3)))
    assert not live(deploy(pushed("cc", 4)))
    assert len(world.tasks) == tasks
    assert live(deploy(pushed("aa", 5)))
    assert refusals(world) == ["cc was refused: too many apps"]
    text = next(news["text"] for news in world.mails if "refused" in news["subject"])
    assert "The limit on apps is reached (MaxApps: 2). These count, running or not: aa, bb." in text
    assert "or deploy Portcall with a larger MaxApps" in text


def test_an_app_that_never_came_to_life_takes_no_place(deploy, world, pushed, parameter):
    parameter("MAX_APPS", "1")
    world.answers = None
    deploy(pushed("aa", 1))
    world.answers = 200
    assert live(deploy(pushed("bb", 2)))


def test_an_app_that_was_stopped_by_hand_makes_room(deploy, world, pushed, parameter, stop):
    parameter("MAX_APPS", "1")
    deploy(pushed("aa", 1))
    stop(app="aa", code="UserInitiated", stopped_reason="Task stopped by user")
    assert sweep() == {}
    assert apps_with_slots() == set()
    assert live(deploy(pushed("bb", 2)))
    assert not live(deploy(pushed("aa", 3)))


def test_an_app_that_is_older_than_the_limit_is_not_refused(deploy, world, pushed, parameter):
    deploy(pushed("old", 1))
    seen = ledger.current(app="old")
    assert ledger.free_slot(app="old", noted=1, seen=seen)
    parameter("MAX_APPS", "1")
    deploy(pushed("new", 2))
    assert live(deploy(pushed("old", 3)))


# ── Deployments at once


def test_a_repository_has_so_many_deployments_at_once_and_others_have_theirs(
    deploy, world, pushed, monkeypatch
):
    monkeypatch.setattr(limits, "MAX_DEPLOYMENTS", 2)
    within = []
    # Each of these happens while those before it wait for their app.
    world.faults["probe"] = [
        lambda: within.append(deploy(pushed("greedy", 2))),
        lambda: within.extend([deploy(pushed("greedy", 3)), deploy(pushed("greedy", 4)), deploy(pushed("shop", 5))]),
    ]  # fmt: skip
    deploy(pushed("greedy", 1))
    third, fourth, other, second = within
    assert [third.error, fourth.error] == ["DeploymentLimitError", "DeploymentLimitError"]
    assert live(other)
    assert live(second)
    assert refusals(world) == ["greedy was refused: too many deployments at once"]
    assert len(world.tasks) == 3
    # With their outcome their slots are free.
    assert live(deploy(pushed("greedy", 6)))


def test_a_step_that_runs_twice_takes_one_slot(deploy, world, pushed, monkeypatch):
    monkeypatch.setattr(limits, "MAX_DEPLOYMENTS", 1)
    world.each_step_twice = True
    assert live(deploy(pushed("shop", 1)))
    assert live(deploy(pushed("shop", 2)))


# ── Mails


def test_a_repository_has_so_many_mails_an_hour_then_one_that_says_so_and_others_have_theirs(
    deploy, world, pushed, monkeypatch
):
    monkeypatch.setattr(limits, "MAX_MAILS_PER_HOUR", 3)
    assert all(live(deploy(pushed("greedy", number))) for number in range(1, 8))
    assert live(deploy(pushed("shop", 8)))
    assert len(world.mails) == 5
    notice = world.mails[3]
    assert notice["subject"].startswith("greedy reached its email limit: no more until ")
    assert "There were 3 emails about greedy in this hour" in notice["text"]
    assert subjects(world)[4].startswith("shop is live")
    # All other mails are sent.
    assert len([event for event in world.events if event["detail"]["outcome"] == "deployed"]) == 8
    known = ledger.deployments(app="greedy")
    assert [each.outcome for each in known] == ["deployed"] * 7
    assert all(each.notified_at for each in known)


def test_the_next_hour_has_its_mails_again(deploy, world, pushed, monkeypatch):
    monkeypatch.setattr(limits, "MAX_MAILS_PER_HOUR", 1)
    deploy(pushed("greedy", 1))
    deploy(pushed("greedy", 2))
    deploy(pushed("greedy", 3))
    assert len(world.mails) == 2
    monkeypatch.setattr(limits, "hour", lambda at: int(time.time()) // 3600 + 1)
    deploy(pushed("greedy", 4))
    assert len(world.mails) == 3
    assert subjects(world)[2].startswith("greedy is live")


def test_a_mail_that_had_to_be_sent_again_counts_once(deploy, world, pushed, monkeypatch):
    monkeypatch.setattr(limits, "MAX_MAILS_PER_HOUR", 2)
    world.each_step_twice = True
    for number in (1, 2):
        deploy(pushed("shop", number))
    assert [subject.partition(":")[0] for subject in subjects(world)] == ["shop is live", "shop is live"]


def test_a_usual_team_meets_none_of_it(deploy, world, pushed):
    for number in range(1, 13):
        assert live(deploy(pushed(f"app-{number % 4}", number)))
    assert len(world.mails) == 12
    assert all("is live" in subject for subject in subjects(world))


# ── A slot is free only when nothing of its app is on its way


def test_a_push_that_fails_does_not_free_the_slot_of_one_in_progress(deploy, world, pushed, by_tag):
    def fails_meanwhile():
        world.configuration = {"Cmd": ["app"], "Labels": {"portcall.port": "none"}}
        assert deploy(pushed("greedy:pr-1", 2)).error == "BadLabelError"
        world.configuration = {"Cmd": ["app"]}

    world.faults["probe"] = [fails_meanwhile]
    assert live(deploy(pushed("greedy:pr-1", 1)))
    assert "greedy:pr-1" in apps_with_slots()


def test_the_end_of_a_preview_does_not_free_the_slot_of_a_push_that_brings_it_back(
    deploy, world, pushed, by_tag
):
    deploy(pushed("greedy:pr-1", 1))

    def its_time_is_up():
        seen = ledger.current(app="greedy:pr-1")
        previews.end_app(app="greedy:pr-1", current=seen, reason="It expired.")

    world.faults["probe"] = [its_time_is_up]
    deploy(pushed("greedy:pr-1", 2))
    assert ledger.current(app="greedy:pr-1")
    assert "greedy:pr-1" in apps_with_slots()


def test_a_push_whose_tag_is_deleted_while_it_is_under_way_does_not_go_live(
    deploy, world, pushed, by_tag, delete_tag
):
    """Nobody reads that it is live after that it has ended; and its slot is free."""
    deploy(pushed("greedy:pr-1", 1))
    world.faults["probe"] = [lambda: delete_tag("greedy", "pr-1")]
    assert deploy(pushed("greedy:pr-1", 2)).states[-1] == "Superseded"
    assert ledger.current(app="greedy:pr-1") is None
    assert [news["attributes"]["outcome"] for news in world.mails] == ["deployed", "ended"]
    assert world.live() == set()
    sweep()
    assert apps_with_slots() == set()


def test_a_preview_whose_tag_is_deleted_frees_its_slot(deploy, world, pushed, by_tag, delete_tag):
    deploy(pushed("greedy:pr-1", 1))
    delete_tag("greedy", "pr-1")
    assert apps_with_slots() == set()
