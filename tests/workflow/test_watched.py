"""An app keeps its name, and an app that is no longer watched is ended or mailed."""

import time
from datetime import UTC, datetime

import pytest
from deployer.actions import sweep_facts
from deployer.aws import ledger
from deployer.domain.errors import AccessDeniedError
from deployer.events import reconcile
from deployer.settings import settings, watch_settings

from tests.conftest import LambdaContext, apps_with_slots
from tests.workflow.conftest import LambdaDied

NAMES = ("flask-app", "flask-app:latest")


@pytest.fixture
def change(monkeypatch):
    """`change(ENVIRONMENTS="tag")` deploys the stack with other parameters."""

    def to(**parameters):
        for name, value in parameters.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        watch_settings.cache_clear()

    yield to
    monkeypatch.undo()
    settings.cache_clear()
    watch_settings.cache_clear()


def current(app="flask-app"):
    return ledger.current(app=app)


def sweep():
    return reconcile.handler({"id": "sweep"}, LambdaContext())


def of(repository, push, tag="latest"):
    event = push(1)
    event["id"], event["detail"]["repository-name"], event["detail"]["image-tag"] = repository, repository, tag
    return event


def subjects(world):
    return [news["subject"] for news in world.mails]


FLIPS = [
    ("repository", "tag", "flask-app", "flask-app:latest"),
    ("tag", "repository", "flask-app:latest", "flask-app"),
]


@pytest.mark.parametrize(("before", "after", "old", "new"), FLIPS)
def test_an_app_that_was_deployed_under_another_name_is_restarted_reported_and_replaced(
    deploy, world, push, stop, change, before, after, old, new
):
    change(ENVIRONMENTS=before)
    deploy(push(1))
    change(ENVIRONMENTS=after)
    first = current(old)
    assert sweep() == {old: ["mailed that it is not watched"]}
    assert sweep() == {}
    mail = world.mails[-1]
    assert mail["subject"] == f"{old} is no longer watched, but still runs"
    assert f"pushes of flask-app:latest are now deployed as the app {new}." in mail["text"]
    assert f"aws ecs stop-task --cluster {settings().cluster}" in mail["text"]
    assert world.live() == {first.task}
    # It crashes, and its restart is its own.
    stop(app=old)
    assert current(new) is None
    assert world.live() == {current(old).task} != {first.task}
    assert subjects(world)[-1].startswith(f"{old} is live again: ")
    assert sweep() == {}
    # Its tag is pushed: from then on it is the app of the other name.
    deploy(push(2))
    assert sweep() == {old: ["ended the app"]}
    assert sweep() == {}
    assert current(old) is None
    assert world.live() == {current(new).task}
    assert subjects(world)[-2:] == [
        f"{new} is live: {current(new).url}",
        f"{old} has ended: it was replaced by {new}",
    ]
    assert "have it back" not in world.mails[-1]["text"]
    assert apps_with_slots() == {new}


@pytest.mark.parametrize(("before", "after", "old", "new"), FLIPS)
@pytest.mark.parametrize(
    "moment",
    [
        "AdmitPush",
        "name_app answer",
        "claim answer",
        "AdmitPush answer",
        "run_task",
        "probe",
        "make_current answer",
    ],
)
def test_a_push_that_is_under_way_keeps_its_name(deploy, world, push, change, moment, before, after, old, new):
    """Also if its first step is repeated after the change."""
    change(ENVIRONMENTS=before)
    deploy(push(1))

    def deploy_the_stack():
        change(ENVIRONMENTS=after)
        raise LambdaDied("Runtime.ExitError")

    world.faults[moment] = [deploy_the_stack]
    deploy(push(2))
    name, other = (new, old) if moment == "AdmitPush" else (old, new)
    assert current(name).deployment == "push-2"
    assert next(each.outcome for each in ledger.deployments(app=name)) == "deployed"
    assert "push-2" not in {each.deployment for each in ledger.deployments(app=other)}
    sweep()
    assert world.live() == {current(name).task}
    assert all(each.notified_at for each in ledger.open_deployments(app=other))
    assert not any("aborted" in subject or "failed" in subject for subject in subjects(world))
    assert sweep() == {}


@pytest.mark.parametrize(("before", "after", "old", "new"), FLIPS)
def test_a_push_that_fails_while_the_stack_is_deployed_fails_under_its_own_name(
    deploy, world, push, change, before, after, old, new
):
    change(ENVIRONMENTS=before)

    def deploy_the_stack():
        change(ENVIRONMENTS=after)
        raise AccessDeniedError("UpdateItem: not authorized")

    world.faults["claim answer"] = [deploy_the_stack]
    assert deploy(push(1)).status == "FAILED"
    assert [each.outcome for each in ledger.deployments(app=old)] == ["failed"]
    assert ledger.deployments(app=new) == []
    sweep()
    assert subjects(world) == [f"{old} failed: Portcall lacks a permission"]
    assert sweep() == {}


@pytest.mark.parametrize(("before", "after", "old", "new"), FLIPS)
def test_a_push_that_was_handled_under_another_name_between_two_sweeps_was_not_lost(
    deploy, world, push, change, before, after, old, new
):
    """The sweep cannot see that Environments was changed and changed back."""
    change(ENVIRONMENTS=before)
    long_ago = int(time.time()) - 10_000
    ledger.begin_sweep(sweep="before", now=long_ago, until=long_ago, watching=sweep_facts.watching())
    change(ENVIRONMENTS=after)
    pushed_at = int(time.time()) - 200
    event = push(1) | {"time": datetime.fromtimestamp(pushed_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    deploy(event)
    world.pushed_at[event["detail"]["image-digest"]] = pushed_at
    change(ENVIRONMENTS=before)
    sweep()
    assert (current(new).deployment, current(old)) == ("push-1", None)
    assert len(world.tasks) == 1
    assert sweep() == {}


def test_an_app_of_a_repository_that_is_not_watched_any_more_is_named_and_stays_down_once_it_stops(
    deploy, world, push, stop, change
):
    change(REPOSITORY_PATTERNS="flask-app,team/*")
    deploy(push(1))
    deploy(of("team/api", push))
    sweep()
    change(REPOSITORY_PATTERNS="flask-app,")
    assert sweep() == {"team/api": ["mailed that it is not watched"]}
    mail = world.mails[-1]
    assert mail["subject"] == "team/api is no longer watched, but still runs"
    assert mail["attributes"] == {"app": "team/api", "outcome": "unwatched"}
    assert "The repository team/api is no longer watched (RepositoryName, RepositoryPattern)." in mail["text"]
    assert current("team/api").task.rpartition("/")[2] in mail["text"]
    assert sweep() == {}
    stop(app="team/api")
    assert world.live() == {current().task}
    down = world.mails[-1]
    assert down["subject"] == "team/api is down: its repository is not watched"
    assert "watch its repository again" in down["text"]
    assert sweep() == {}
    assert len(world.mails) == 4


def test_an_app_is_reported_each_time_it_stops_being_watched(deploy, world, push, change):
    change(REPOSITORY_PATTERNS="flask-app,team/*")
    deploy(of("team/api", push))
    for patterns in ("flask-app,", "flask-app,team/*", "flask-app,", "flask-app,other"):
        change(REPOSITORY_PATTERNS=patterns)
        sweep()
        sweep()
    assert len(world.mails) == 3


def test_that_an_app_is_not_watched_is_reported_once_though_it_is_restarted(deploy, world, push, stop, change):
    change(ENVIRONMENTS="tag", TAG_PATTERNS="*", LASTING_TAGS="latest")
    deploy(push(1))
    change(TAG_PATTERNS="v*")
    sweep()
    assert "The tag latest is no longer watched (TagPattern)." in world.mails[-1]["text"]
    stop(app="flask-app:latest")
    assert world.live() == {current("flask-app:latest").task}
    assert sweep() == {}
    assert len(world.mails) == 3


@pytest.mark.parametrize(
    "flip", [{"ENVIRONMENTS": "repository"}, {"REPOSITORY_PATTERNS": "other,"}, {"TAG_PATTERNS": "v*"}]
)
def test_a_preview_that_is_not_watched_any_more_ends_by_itself(deploy, world, push, change, monkeypatch, flip):
    change(ENVIRONMENTS="tag", LASTING_TAGS="latest")
    deploy(of("flask-app", push, "pr-7"))
    change(**flip)
    if "REPOSITORY_PATTERNS" in flip:
        # Nobody may look at its images any more.
        world.faults["digest_of"] = [AccessDeniedError("DescribeImages: not authorized")] * 9
    assert sweep() == {}
    later = time.time() + 25 * 3600
    monkeypatch.setattr(reconcile.time, "time", lambda: later)
    assert sweep() == {"flask-app:pr-7": ["ended the app"]}
    assert subjects(world)[-1].startswith("flask-app:pr-7 has ended: it expired at ")
    assert (world.live(), apps_with_slots()) == (set(), set())


def test_a_preview_ends_with_its_tag_where_tags_are_not_apps_any_more(deploy, world, push, change):
    change(ENVIRONMENTS="tag", LASTING_TAGS="latest")
    deploy(of("flask-app", push, "pr-7"))
    change(ENVIRONMENTS="repository")
    world.tags.clear()
    assert sweep() == {"flask-app:pr-7": ["ended the app"]}


@pytest.mark.parametrize("app", ["other", "flask-app:v2", "flask-app:latest:latest"])
def test_an_event_that_names_the_app_of_another_image_is_rejected(deploy, world, push, app):
    assert deploy({**push(1), "app": app}).error == "BadEventError"
    assert world.started == {}
