"""The sweep's decisions, from facts alone: no AWS, no clock."""

import dataclasses
from datetime import UTC, datetime

import pytest
from deployer.domain.acts import (
    CloseDeployments,
    CloseSuperseded,
    DeleteStableUrl,
    DeployPush,
    EndApp,
    FinishDeployment,
    ForgetStableUrl,
    ForgetUnclaimed,
    FreeSlot,
    ListApp,
    MarkWatched,
    MoveSlot,
    NotifyAgain,
    NotifyEnded,
    PointStableUrl,
    RecordTag,
    ReportSuperseded,
    ReportUnwatched,
    RestartApp,
    RetryDeployment,
    StopTask,
    UnlistApp,
)
from deployer.domain.app_facts import Facts, Image
from deployer.domain.deployment import Current, Deployment, Ending, KnownTag
from deployer.domain.endpoint import NOWHERE, StableUrl
from deployer.domain.sweep import decide, is_old_news
from deployer.domain.task import Task

NOW = 1_800_000_000
NEW, OLD = f"sha256:{2:064x}", f"sha256:{1:064x}"


def current(**facts):
    known = {"deployment": "push-1", "sequence": 10, "task": "task-1", "url": "http://1/", "digest": OLD}
    return Current(**known | {"tag": "latest", "revision": "app:1", "since": "2026-11-20T09:15:01Z"} | facts)


def deployment(name="push-2", **facts):
    known = {"time": "2026-11-20T09:15:02Z", "tag": "latest", "digest": NEW, "execution": "arn", "sequence": 20}
    return Deployment(deployment=name, **known | facts)


def app(**facts):
    """An app with one running task, of which nothing needs to be done."""
    return Facts(
        **{"app": "flask-app", "now": NOW, "tasks": {"task-1": "push-1"}, "current": current()} | facts
    )


def test_nothing_is_due_for_an_app_that_is_well():
    assert decide(app(images=[Image(NOW - 1000, OLD, "latest")])) == []


def test_nothing_is_due_for_an_app_that_is_not_there():
    assert decide(Facts(app="flask-app", now=NOW, listed=False)) == []


def test_the_ledger_lists_the_apps_that_are_there():
    assert decide(app(listed=False)) == [ListApp()]
    assert decide(Facts(app="flask-app", now=NOW)) == [UnlistApp()]
    assert decide(Facts(app="flask-app", now=NOW, open=[deployment()])) == []


def test_nothing_is_concluded_from_tasks_that_could_not_be_listed():
    assert decide(app(tasks=None)) == []


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"current": current(until=NOW), "is_preview": True}, "It expired at 2027-01-15 08:00 UTC."),
        ({"current": current(until=NOW, image={"expires": 60})}, "It expired at 2027-01-15 08:00 UTC."),
        ({"current": current(ended=True, gave_up_reason="Its tag was deleted.")}, "Its tag was deleted."),
        ({"is_preview": True, "tag_deleted": True}, "Its tag was deleted."),
    ],
)
def test_an_app_that_is_over_is_ended_and_nothing_else_is_done_for_it(facts, reason):
    assert decide(app(**{"tasks": {"orphan": "?"}} | facts)) == [EndApp(reason)]


@pytest.mark.parametrize(
    "facts",
    [
        {"current": current(until=NOW + 1), "is_preview": True},
        # It was a preview, and its tag has been declared lasting.
        {"current": current(until=NOW, image={"expires": None})},
        {"current": current()},
        {"tag_deleted": True},
    ],
)
def test_neither_a_lasting_app_nor_an_unexpired_preview_is_ended(facts):
    assert decide(app(**facts)) == []


def test_a_slot_is_freed_only_where_neither_an_app_nor_a_deployment_of_it_is_there():
    gone = Facts(app="flask-app:pr-7", now=NOW, is_preview=True, has_slot=True, listed=False)
    assert decide(gone) == [FreeSlot()]
    there = dataclasses.replace(gone, listed=True)
    assert decide(dataclasses.replace(there, current=current(), tasks={"task-1": "push-1"})) == []
    assert decide(dataclasses.replace(there, open=[deployment()])) == []
    assert decide(dataclasses.replace(gone, has_slot=False)) == []


def test_a_deployment_is_settled_once_its_execution_has_ended():
    open_one = app(open=[deployment()])
    assert decide(open_one) == []
    assert decide(dataclasses.replace(open_one, endings={"push-2": Ending("ABORTED")})) == [
        FinishDeployment("push-2")
    ]


def test_deployments_whose_outcome_was_mailed_are_closed():
    notified = [deployment(outcome="deployed", notified_at=1), deployment("push-3", outcome="failed")]
    assert decide(app(open=notified, endings={"push-3": Ending("FAILED")})) == [
        FinishDeployment("push-3"),
        CloseDeployments(("push-2",)),
    ]


def test_a_push_that_was_never_recorded_is_forgotten_once_no_retry_can_record_it():
    at = datetime.fromtimestamp(NOW - 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    unclaimed = app(unclaimed=[(at, "push-2")])
    assert decide(unclaimed) == []
    assert decide(dataclasses.replace(unclaimed, now=NOW + 1)) == [ForgetUnclaimed(((at, "push-2"),))]


def test_a_task_that_no_deployment_owns_is_stopped():
    tasks = {"task-1": "push-1", "task-2": "push-2"}
    assert decide(app(tasks=tasks)) == [StopTask("task-2")]
    assert decide(app(tasks=tasks, open=[deployment()])) == []
    assert decide(app(tasks=tasks, open=[deployment(outcome="failed")])) == [StopTask("task-2")]
    assert decide(app(tasks=tasks, current=None, listed=False)) == [StopTask("task-1"), StopTask("task-2")]


@pytest.mark.parametrize(
    "task", [None, Task("task-1", "STOPPED", "STOPPED", 6), Task("task-1", "RUNNING", "STOPPED", 5)]
)
def test_a_current_task_that_died_is_restarted(task):
    dead = app(tasks={}, task=task)
    assert decide(dead) == [RestartApp("task-1")]
    assert decide(dataclasses.replace(dead, restarting=True)) == []


def test_a_restart_that_is_noted_is_begun_and_one_that_failed_is_followed_by_another():
    noted = app(tasks={}, current=current(last_stop="task-1", attempts=2))
    assert decide(noted) == [RestartApp("task-1")]
    for outcome, refused in (("failed", False), ("superseded", False), ("retried", True)):
        failed = deployment("restart-task-1", restart={"deployment": "push-1"}, outcome=outcome, notified_at=1)
        assert decide(dataclasses.replace(noted, restart=failed)) == [RestartApp("task-1#2", refused=refused)]


def test_a_current_task_that_runs_is_left_alone_though_it_was_not_listed():
    assert decide(app(tasks={}, task=Task("task-1", "RUNNING", "RUNNING", 3, interface="eni"))) == []


def test_an_app_that_is_down_is_not_restarted():
    assert decide(app(tasks={}, current=current(gave_up_reason="It was stopped by hand."))) == [NotifyAgain()]


API = StableUrl("api-1", "https://api-1/")
LIVE = {"url": "https://api-1/", "direct_url": "http://203.0.113.7/", "last_stable_url": API}
RIGHT = {"api-1": "http://203.0.113.7/"}


def test_an_address_is_closed_unless_it_is_the_apps_or_may_be_soon():
    mine, more = current(**LIVE), RIGHT | {"api-2": NOWHERE}
    assert decide(app(current=mine, stable_urls=more)) == [DeleteStableUrl("api-2")]
    assert decide(app(current=mine, stable_urls=more, open=[deployment()])) == []
    assert decide(app(stable_urls=RIGHT)) == [DeleteStableUrl("api-1")]


def test_an_address_that_the_app_has_lost_is_closed_and_then_forgotten():
    lost = current(**LIVE | {"url": "http://203.0.113.7/"})
    assert decide(app(current=lost, stable_urls=RIGHT)) == [DeleteStableUrl("api-1")]
    assert decide(app(current=lost, stable_urls={})) == [ForgetStableUrl()]
    assert decide(app(current=lost, stable_urls=None)) == []


@pytest.mark.parametrize(
    ("facts", "target"),
    [
        ({}, "http://203.0.113.8/"),
        ({}, NOWHERE),
        ({"gave_up_reason": "It was stopped by hand.", "notified_at": 1}, "http://203.0.113.7/"),
    ],
)
def test_a_stable_url_that_points_elsewhere_than_the_ledger_says_is_pointed_at_the_current_version(
    facts, target
):
    wrong = app(current=current(**LIVE | facts), stable_urls={"api-1": target})
    assert PointStableUrl() in decide(wrong)
    # The deployment that is at it does so itself.
    at_it = dataclasses.replace(wrong, open=[deployment("push-1")])
    assert PointStableUrl() not in decide(at_it)


def test_an_address_that_leads_where_it_should_is_left_alone():
    assert decide(app(current=current(**LIVE), stable_urls=RIGHT)) == []
    restarting = current(**LIVE, last_stop="task-1")
    assert PointStableUrl() not in decide(app(current=restarting, stable_urls={"api-1": NOWHERE}))


BEFORE = {"task-1": "push-1", "task-0": "push-0"}
TAKEN_OVER = current(**LIVE, previous_tasks=["task-0"])


def test_a_previous_version_is_stopped_once_its_switch_over_is_closed_and_the_stable_url_points_elsewhere():
    over = app(tasks=BEFORE, current=TAKEN_OVER, stable_urls=RIGHT)
    assert decide(over) == [StopTask("task-0")]
    assert decide(dataclasses.replace(over, open=[deployment("push-1")])) == []


@pytest.mark.parametrize("stable_urls", [{"api-1": "http://203.0.113.8/"}, RIGHT | {"api-2": NOWHERE}, None])
def test_a_previous_version_runs_while_a_stable_url_may_point_to_it(stable_urls):
    acts = decide(app(tasks=BEFORE, current=TAKEN_OVER, stable_urls=stable_urls))
    assert not any(isinstance(act, StopTask) for act in acts)


@pytest.mark.parametrize("stable_urls", [RIGHT, None])
def test_a_previous_version_runs_until_the_stable_url_that_the_app_has_lost_is_closed(stable_urls):
    lost = dataclasses.replace(TAKEN_OVER, url="http://203.0.113.7/")
    acts = decide(app(tasks=BEFORE, current=lost, stable_urls=stable_urls))
    assert not any(isinstance(act, StopTask) for act in acts)
    assert StopTask("task-0") in decide(app(tasks=BEFORE, current=lost, stable_urls={}))


def missed(**facts):
    """What is deployed of an app whose tag `latest` points to NEW, of which the ledger knows OLD."""
    known = {
        "images": [Image(5, OLD, "v1"), Image(NOW - 1000, NEW, "latest")],
        "tags": {"latest": KnownTag(OLD, NOW - 5000, "push-1"), "v1": KnownTag(OLD, NOW - 5000, "push-0")},
        "since": NOW - 9000,
        "listed_at": NOW - 1,
        "previous": NOW - 301,
    }
    return decide(app(**known | facts))


def test_a_push_that_the_ledger_does_not_know_is_deployed():
    (act,) = missed()
    assert isinstance(act, DeployPush)
    assert (act.push.tag, act.push.digest, act.push.pushed_at) == ("latest", NEW, NOW - 1000)
    assert missed() == [act]


@pytest.mark.parametrize(
    "facts",
    [
        # Its event may still come.
        {"images": [Image(NOW - 119, NEW, "latest")], "tags": {"latest": KnownTag(OLD, NOW - 5000, "push-1")}},
        {"tags": {"latest": KnownTag(NEW, NOW - 1000, "push-2"), "v1": KnownTag(OLD, NOW - 5000, "push-0")}},
        # The ledger was asked later than the registry.
        {"tags": {"latest": KnownTag(OLD, NOW, "push-3"), "v1": KnownTag(OLD, NOW - 5000, "push-0")}},
        # It is there since before it was watched, or for so long that the ledger may have forgotten it.
        {"images": [Image(NOW - 9001, NEW, "latest")], "tags": {}},
        {"images": [Image(NOW - 24 * 3600 - 1, NEW, "latest")], "tags": {}, "since": 0},
        # ECR has reported no push to that repository: it is a pull-through cache, or replicated.
        {"is_announced": False},
        # The images could not be listed.
        {"tags": None},
        # It serves, since before the ledger knew of tags.
        {"images": [Image(NOW - 1000, OLD, "latest")], "tags": {}},
    ],
)
def test_the_sweep_does_not_deploy_a_push_that_may_not_be_lost(facts):
    assert missed(**facts) == []


def test_a_push_of_an_unknown_tag_is_deployed_while_it_is_fresh():
    (act,) = missed(images=[Image(NOW - 1000, NEW, "next")], tags={})
    assert act.push.tag == "next"


def test_a_tag_that_was_pointed_back_to_an_older_image_is_deployed():
    """There is no time of it. It was after the last sweep, which would have found it otherwise."""
    (act,) = missed(images=[Image(7, NEW, "latest")], tags={"latest": KnownTag(OLD, NOW - 5000, "push-1")})
    assert (act.push.digest, act.push.pushed_at) == (NEW, NOW - 301)


def test_a_push_that_was_not_watched_when_it_was_made_is_only_noted():
    images = [Image(NOW - 9500, NEW, "latest")]
    assert missed(images=images, tags={"latest": KnownTag(OLD, NOW - 9900, "push-1")}) == [
        RecordTag("latest", NEW)
    ]


def test_a_tag_that_still_points_where_it_did_is_noted_once_as_watched():
    images = [Image(NOW - 9500, OLD, "latest")]
    assert missed(images=images, tags={"latest": KnownTag(OLD, NOW - 9900, "push-1")}) == [
        RecordTag("latest", OLD)
    ]
    assert missed(images=images, tags={"latest": KnownTag(OLD, NOW - 1, "push-1")}) == []


def test_of_several_lost_pushes_of_an_app_the_newest_is_deployed():
    images = [Image(NOW - 1000, NEW, "latest"), Image(NOW - 900, OLD, "next")]
    seen, act = missed(images=images, tags={})
    assert seen == RecordTag("latest", NEW)
    assert (act.push.tag, act.push.digest) == ("next", OLD)


def test_a_tag_that_is_gone_is_noted_so_that_the_same_image_may_come_back():
    known = {"latest": KnownTag(OLD, NOW - 5000, "push-1")}
    assert missed(images=[], tags=known) == [RecordTag("latest", "")]
    assert missed(images=[], tags={"latest": KnownTag("", NOW - 5000, "")}) == []
    gone = {"current": None, "tasks": {}, "listed": False}
    (act,) = missed(**gone, images=[Image(7, OLD, "latest")], tags={"latest": KnownTag("", NOW - 5000, "")})
    assert act.push.digest == OLD


def test_a_push_that_failed_on_the_side_of_aws_is_tried_again_once_its_execution_has_ended():
    failed = app(open=[deployment(outcome="retried")])
    assert decide(failed) == []
    assert decide(dataclasses.replace(failed, endings={"push-2": Ending("FAILED")})) == [
        RetryDeployment("push-2")
    ]
    notified = dataclasses.replace(failed, open=[deployment(outcome="retried", notified_at=1)])
    assert decide(notified) == [CloseDeployments(("push-2",))]


def test_a_preview_that_is_to_be_tried_again_keeps_its_slot():
    waiting = Facts(app="a:pr-7", now=NOW, is_preview=True, has_slot=True, open=[deployment(outcome="retried")])
    assert decide(waiting) == []


@pytest.mark.parametrize(
    ("of", "serving", "expected"),
    [
        (deployment(), None, False),
        (deployment(outcome="superseded"), None, True),
        (deployment(sequence=9), current(), True),
        (deployment(sequence=11), current(), False),
        (deployment(sequence=9, outcome="failed"), current(), False),
        (deployment(restart={"deployment": "push-1"}), current(), False),
        (deployment(restart={"deployment": "push-0"}), current(), True),
        # It serves, since the version that went live was restarted.
        (deployment(), current(deployment="restart-1", origin="push-2", sequence=20), False),
        (deployment(outcome="deployed"), current(deployment="restart-1", origin="push-2"), False),
        (deployment(restart={"deployment": "push-1"}, outcome="retried"), current(), False),
        (deployment(restart={"deployment": "push-0"}, outcome="retried"), current(), True),
        (deployment(restart={"deployment": "push-1"}, outcome="deployed"), current(), True),
        (deployment(outcome="retried"), current(), True),
        # A further attempt has the number of the first.
        (deployment(sequence=10), current(), False),
    ],
)
def test_an_aborted_deployment_is_old_news_once_another_serves(of, serving, expected):
    assert is_old_news(of, serving) is expected


def test_an_event_has_two_minutes_and_not_a_second_more():
    known = {"latest": KnownTag(OLD, NOW - 5000, "push-1")}
    (act,) = missed(images=[Image(NOW - 120, NEW, "latest")], tags=known)
    assert act.push.digest == NEW


def test_a_push_of_the_last_day_may_have_been_missed_and_one_from_before_was_not():
    (act,) = missed(images=[Image(NOW - 24 * 3600, NEW, "latest")], tags={}, since=0)
    assert act.push.digest == NEW


def test_a_push_of_the_very_second_since_when_it_is_watched_counts():
    (act,) = missed(images=[Image(NOW - 9000, NEW, "latest")], tags={})
    assert act.push.digest == NEW
    (act,) = missed(images=[Image(5, NEW, "latest")], tags={"latest": KnownTag(OLD, NOW - 9000, "push-1")})
    assert act.push.digest == NEW


def test_a_tag_recorded_in_the_second_when_watching_began_is_not_recorded_again():
    assert missed(images=[Image(5, OLD, "latest")], tags={"latest": KnownTag(OLD, NOW - 9000, "")}) == []


def test_a_tag_that_was_pushed_in_the_second_of_the_list_is_not_taken_for_gone():
    assert missed(images=[], tags={"latest": KnownTag(OLD, NOW - 1, "push-1")}) == []
    assert missed(images=[], tags={"latest": KnownTag(OLD, NOW - 2, "push-1")}) == [RecordTag("latest", "")]


def test_a_tag_that_was_pointed_elsewhere_in_the_second_of_its_image_was_pointed_there_after_the_last_sweep():
    at = NOW - 5000
    (act,) = missed(images=[Image(at, NEW, "latest")], tags={"latest": KnownTag(OLD, at, "push-1")})
    assert act.push.pushed_at == NOW - 301


@pytest.mark.parametrize(
    ("facts", "frees"),
    [
        ({}, False),
        ({"current": current(gave_up_reason="It crashed.", notified_at=1)}, True),
        ({"current": current(gave_up_reason="It crashed.", notified_at=1), "is_preview": True}, False),
        ({"is_preview": True}, False),
    ],
)
def test_a_lasting_app_that_is_down_gives_its_slot_back_and_a_preview_keeps_it_for_its_time(facts, frees):
    assert (FreeSlot() in decide(app(has_slot=True, **facts))) is frees


def test_the_slot_of_an_app_that_lasts_now_or_does_not_any_more_is_moved_and_one_that_is_free_is_freed():
    there = app(has_slot=True)
    assert MoveSlot() not in decide(there)
    assert MoveSlot() in decide(dataclasses.replace(there, slot_of_other_kind=True))
    gone = Facts(app="a", now=NOW, has_slot=True, slot_of_other_kind=True)
    assert decide(gone) == [FreeSlot(), UnlistApp()]


def test_an_end_is_reported_by_the_sweep_if_the_function_that_ended_the_app_did_not():
    ended = deployment("end-push-1", execution="", outcome="ended", ended_at=NOW - 59)
    waits = Facts(app="a:pr-7", now=NOW, open=[ended], endings={"end-push-1": Ending("GONE")})
    assert decide(waits) == []
    assert decide(dataclasses.replace(waits, now=NOW + 1)) == [NotifyEnded("end-push-1")]


def test_an_app_that_runs_on_though_it_is_not_watched_is_reported_once():
    assert decide(app(watched=False)) == [ReportUnwatched()]
    notified = app(watched=False, current=current(unwatched_at=NOW - 300))
    assert decide(notified) == []
    assert decide(dataclasses.replace(notified, watched=True)) == [MarkWatched()]


@pytest.mark.parametrize(
    "facts",
    [
        # It is down already, or ends by itself, or is about to be replaced.
        {"current": current(gave_up_reason="It was stopped by hand.")},
        {"current": current(until=NOW + 9), "is_preview": True},
        {"open": [deployment()]},
    ],
)
def test_an_app_that_does_not_run_on_needs_no_report(facts):
    assert ReportUnwatched() not in decide(app(watched=False, **facts))


NEWER = {"deployment": "push-9", "sequence": 11}


def test_an_app_ends_once_its_tag_is_live_under_another_name():
    replaced = app(watched=False, replaced_by="flask-app:latest", successor=current(**NEWER))
    (act,) = decide(replaced)
    assert isinstance(act, EndApp)
    assert act.reason.startswith("It was replaced by flask-app:latest")


@pytest.mark.parametrize(
    "successor",
    [
        None,
        current(**NEWER | {"sequence": 9}),
        current(**NEWER | {"sequence": 10}),
        current(**NEWER, tag="v2"),
        current(**NEWER, last_stop="task-9"),
    ],
)
def test_an_app_runs_on_while_its_tag_is_not_live_under_another_name(successor):
    assert decide(app(watched=False, replaced_by="flask-app:latest", successor=successor)) == [
        ReportUnwatched()
    ]


# Pushes that were superseded, and of which no mail spoke.


def superseded_push(name="push-3", **facts):
    return deployment(name, **{"outcome": "superseded", "sequence": 30, "ended_at": NOW - 120} | facts)


@pytest.mark.parametrize(("ago", "reported"), [(119, False), (120, True)])
def test_a_superseded_push_is_reported_only_once_no_event_can_still_arrive(ago, reported):
    acts = decide(app(unmailed=[superseded_push(ended_at=NOW - ago)]))
    assert acts == ([ReportSuperseded(("push-3",))] if reported else [])


def test_a_superseded_push_is_left_to_the_mail_of_a_deployment_under_way():
    assert decide(app(unmailed=[superseded_push()], open=[deployment()])) == []


def test_a_superseded_push_is_left_to_the_mail_of_a_push_whose_event_was_lost():
    lost = {"images": [Image(NOW - 1000, NEW, "latest")], "tags": {}}
    (act,) = decide(app(unmailed=[superseded_push(digest=f"sha256:{3:064x}")], **lost))
    assert isinstance(act, DeployPush)


@pytest.mark.parametrize(
    "facts",
    [
        {"current": current(sequence=31)},
        # The tag was pointed at what is live.
        {"tags": {"latest": KnownTag(OLD, NOW - 100, "push-1")}, "images": [Image(NOW - 999, OLD, "latest")]},
    ],
)
def test_a_push_superseded_by_the_live_version_is_closed_without_a_mail(facts):
    assert decide(app(unmailed=[superseded_push()], **facts)) == [CloseSuperseded(("push-3",))]


@pytest.mark.parametrize(
    ("later", "acts"), [(0, [CloseSuperseded(("push-3",))]), (-1, [ReportSuperseded(("push-3",))])]
)
def test_only_a_tag_record_not_older_than_a_superseded_push_closes_it(later, acts):
    push = superseded_push()
    tags = {"latest": KnownTag(OLD, push.pushed_at + later, "push-1")}
    assert decide(app(unmailed=[push], tags=tags, images=[Image(NOW - 999, OLD, "latest")])) == acts


def test_of_what_was_superseded_only_that_is_reported_of_which_nothing_newer_is_live():
    older = superseded_push("push-0", sequence=5)
    acts = decide(app(unmailed=[older, superseded_push(), superseded_push("push-4", ended_at=NOW)]))
    assert acts == [ReportSuperseded(("push-3",)), CloseSuperseded(("push-0",))]


def test_an_app_of_which_only_a_superseded_push_is_left_stays_listed():
    waiting = Facts(app="flask-app", now=NOW, unmailed=[superseded_push(ended_at=NOW)])
    assert decide(waiting) == []
    assert decide(dataclasses.replace(waiting, listed=False)) == [ListApp()]
