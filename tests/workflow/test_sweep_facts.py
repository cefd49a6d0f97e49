"""The facts that the sweep gathers about the account and about an app."""

import dataclasses
from types import SimpleNamespace

import pytest
from deployer.actions import restarts, sweep_facts
from deployer.aws import apigateway, ecr, ecs, ledger, step_functions, task_states
from deployer.aws.ledger.app_pushes import AppPushes
from deployer.domain.acts import RestartApp
from deployer.domain.app_facts import Image
from deployer.domain.deployment import Current, Ending, KnownTag
from deployer.domain.endpoint import StableUrl
from deployer.domain.errors import ThrottledError
from deployer.domain.push import Push
from deployer.domain.sweep import decide
from deployer.domain.task import Task
from deployer.settings import settings, watch_settings

from tests.workflow.conftest import ARN

NOW = 1_800_000_000
APP, OTHER = "flask-app", "other"
DIGEST = f"sha256:{1:064x}"


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(sweep_facts, "time", SimpleNamespace(time=lambda: NOW))


@pytest.fixture(autouse=True)
def ends(monkeypatch):
    """How executions ended, by ARN; the others continue."""
    known = {}
    monkeypatch.setattr(step_functions, "ending", known.get)
    return known


@pytest.fixture
def parameters(monkeypatch):
    """`parameters(ENVIRONMENTS="tag")` deploys the stack with other parameters."""

    def to(**values):
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        watch_settings.cache_clear()

    yield to
    monkeypatch.undo()
    settings.cache_clear()
    watch_settings.cache_clear()


def account():
    return sweep_facts.of_account(ledger.Sweep(NOW - 1000, NOW - 300, "", died=False))


def facts(app=APP, of=None):
    return sweep_facts.of_app(app, of or account())


def pushed(app=APP, number=1, tag="latest"):
    return Push(f"push-{number}", f"2026-11-20T09:15:{number:02}Z", app, tag, f"sha256:{number:064x}")


def note(push, number=1, **more):
    """A deployment that has begun."""
    more = {"execution": f"{ARN}execution-{push.deployment}", "sequence": number} | more
    ledger.next_in_order(push=push, now=NOW)
    ledger.claim(push=push, **more)


def serve(app=APP, **more):
    """Make a deployment the current one."""
    push = pushed(app, tag=more.pop("tag", "latest"))
    of = {"digest": push.digest, "tag": push.tag, "revision": "app:1", "since": "2026-11-20T09:16:00+00:00"}
    new = Current(
        **{"deployment": push.deployment, "sequence": 1, "task": f"{ARN}1", "url": "http://a"} | of | more
    )
    seen = ledger.current(app=app)
    assert ledger.make_current(push=push, new=new, seen=seen)
    return ledger.current(app=app)


# ── What the account holds


def test_every_app_is_looked_at_of_which_anything_is_known(world, monkeypatch):
    ledger.list_app(app="listed")
    world.tags["pushed", "latest"] = DIGEST
    world.started["push-1"] = f"{ARN}1"
    world.apps[f"{ARN}1"] = "running"
    world.apis["api-1"] = {"app": "with-url", "target": "http://203.0.113.7/"}
    ledger.take_slot(app="with-slot", most={"lasting": 9})
    assert account().apps() == ["listed", "pushed", "running", "with-slot", "with-url"]


def test_images_are_those_of_watched_repositories_and_tags_that_may_be_apps(world, monkeypatch, parameters):
    parameters(REPOSITORY_PATTERNS="flask-app,web-*", TAG_PATTERNS="v*")
    for repository in (APP, "web-shop", OTHER):
        world.tags[repository, "v1"] = DIGEST
    listed = [
        ecr.Image("sha256:good", ("v1", "v2", "nightly"), 5),
        ecr.Image("sha256:chart", ("v3",), 6, may_be_app=False),
    ]
    monkeypatch.setattr(ecr, "tagged_images", lambda *, repository: listed)
    found = account()
    expected = [Image(5, "sha256:good", "v1"), Image(5, "sha256:good", "v2")]
    assert found.images == {APP: expected, "web-shop": expected}
    assert found.read == {APP, "web-shop"}


def test_a_task_is_an_apps_if_its_tags_are_those_that_the_workflow_gives(world):
    world.started["push-1"] = f"{ARN}1"
    world.strangers = [
        (Task(f"{ARN}by-hand", "RUNNING", "RUNNING", 3), "ann", {"portcall:app": APP, "portcall:deployment": "push-1"}),
        (Task(f"{ARN}no-app", "RUNNING", "RUNNING", 3), "batch", {"portcall:deployment": "batch"}),
    ]  # fmt: skip
    found = account()
    assert found.tasks == {APP: {f"{ARN}1": "push-1"}}
    # The security group of a task that somebody started by hand is in use.
    assert found.started == {"push-1", "ann", "batch"}


@pytest.mark.parametrize(
    ("call", "unknown"), [("running_tasks", "tasks"), ("stable_urls_of", "stable_urls"), ("repositories", "")]
)
def test_a_list_that_fails_is_unknown_and_the_others_are_known(world, call, unknown):
    world.tags[APP, "latest"] = DIGEST
    world.started["push-1"] = f"{ARN}1"
    world.apis["api-1"] = {"app": APP, "target": "http://203.0.113.7/"}
    complete = account()
    assert not complete.incomplete
    world.faults[call] = [ThrottledError("Rate exceeded")]
    found = account()
    assert found.incomplete
    known = {name: value for name, value in vars(complete).items() if name in ("tasks", "stable_urls")}
    assert {name: getattr(found, name) for name in known} == known | ({unknown: None} if unknown else {})
    assert found.read == ({APP} if unknown else set())


def test_if_nothing_runs_the_facts_are_empty_and_known(world):
    found = account()
    assert (found.tasks, found.stable_urls, found.started) == ({}, {}, set())


def test_a_repository_is_known_once_one_of_its_tags_was_pushed(world, parameters):
    """Whatever the apps were called then."""
    ledger.list_app(app="shop:pr-7")
    assert account().announced == {"shop"}


def test_the_text_of_the_watched_parameters_changes_with_each_of_them(parameters):
    said = [sweep_facts.watching()]
    for change in ({"ENVIRONMENTS": "tag"}, {"TAG_PATTERNS": "v*"}, {"REPOSITORY_PATTERNS": "flask-app,web-*"}):
        parameters(**change)
        said.append(sweep_facts.watching())
    assert len(set(said)) == 4
    assert said[0] == "flask-app,* * repository"


# ── What is known of an app


def test_nothing_is_known_of_an_app_that_is_not_there(world):
    found = facts()
    assert (found.current, found.tasks, found.images, found.stable_urls) == (None, {}, (), {})
    assert (found.listed, found.has_slot, found.noted, found.watched, found.can_restart) == (False, False, 0, True, True)  # fmt: skip
    assert (found.since, found.previous, found.listed_at) == (NOW - 1000, NOW - 300, NOW)
    assert (found.open, found.endings, found.unmailed) == ([], {}, [])
    assert (found.tag_deleted, found.replaced_by) == (False, "")


def test_the_facts_of_an_app_are_its_own(world):
    push = pushed()
    note(push)
    world.tags[APP, "latest"] = push.digest
    ledger.record_tag(app=APP, tag="latest", digest=push.digest, as_of=5, seen=None)
    ledger.list_app(app=APP)
    ledger.take_slot(app=APP, most={"lasting": 9})
    old = pushed(number=2)
    note(old)
    ledger.record(push=old, outcome="superseded")
    ledger.add_unmailed(push=old)
    world.started["push-1"] = f"{ARN}1"
    world.apis["api-1"] = {"app": APP, "target": "http://203.0.113.7/"}
    found, other = facts(), facts(OTHER)
    assert (found.tasks, other.tasks) == ({f"{ARN}1": "push-1"}, {})
    assert (found.images, other.images) == ([Image(0, push.digest, "latest")], ())
    assert (found.stable_urls, other.stable_urls) == ({"api-1": "http://203.0.113.7/"}, {})
    assert (found.has_slot, other.has_slot) == (True, False)
    assert (found.listed, other.listed) == (True, False)
    assert (found.noted, other.noted) == (2, 0)
    assert ({each.deployment for each in found.open}, other.open) == ({"push-1", "push-2"}, [])
    assert [each.deployment for each in found.unmailed] == ["push-2"]
    assert (found.tags, other.tags) == ({"latest": KnownTag(push.digest, 5, "")}, None)


def test_an_app_is_read_in_the_order_in_which_a_deployment_writes(world, monkeypatch):
    """What is not open any more has left its task current before that is read: no task of it is taken for lost."""
    read = []
    for name in ("app_pushes", "current", "tags"):
        original = getattr(ledger, name)
        monkeypatch.setattr(ledger, name, lambda name=name, original=original, **asked: read.append(name) or original(**asked))  # fmt: skip
    monkeypatch.setattr(ecs, "running_tasks", lambda *, cluster: read.append("running_tasks") or [])
    world.tags[APP, "latest"] = DIGEST
    facts()
    assert read == ["running_tasks", "app_pushes", "current", "tags"]


def test_an_app_that_is_not_watched_is_not_asked_for_its_tags_and_says_what_replaces_it(world, parameters):
    """Environments was changed: a push of its tag is now another app."""
    world.tags[APP, "latest"] = DIGEST
    serve()
    successor = serve(f"{APP}:latest")
    assert (facts().watched, facts().replaced_by, facts().successor) == (True, "", None)
    parameters(ENVIRONMENTS="tag")
    found = facts()
    assert (found.watched, found.can_restart, found.replaced_by, found.tags) == (
        False,
        True,
        f"{APP}:latest",
        None,
    )
    assert found.successor == successor
    assert facts(OTHER).replaced_by == ""


def test_an_app_whose_tag_is_not_watched_is_replaced_by_none(world, parameters):
    parameters(TAG_PATTERNS="v*", ENVIRONMENTS="tag")
    serve(f"{APP}:latest")
    found = facts(f"{APP}:latest")
    assert (found.watched, found.replaced_by, found.successor) == (False, f"{APP}:latest", None)


def test_an_app_of_a_repository_that_is_not_watched_is_not_started_again(world, parameters):
    parameters(REPOSITORY_PATTERNS="web,shop-*")
    assert (facts().watched, facts().can_restart) == (False, False)


@pytest.mark.parametrize(
    ("by_tag", "app", "watched"),
    [
        (False, APP, True),
        (False, f"{APP}:v1", False),
        (False, "web", False),
        (True, f"{APP}:v1", True),
        (True, f"{APP}:latest", False),
        (True, "web:v1", False),
        (True, APP, False),
    ],
)
def test_an_app_is_watched_if_a_push_can_come_to_it_under_its_name(parameters, by_tag, app, watched):
    parameters(ENVIRONMENTS="tag" if by_tag else "repository", TAG_PATTERNS="v*", REPOSITORY_PATTERNS=f"{APP},")
    assert sweep_facts.is_watched(app) is watched


@pytest.mark.parametrize(
    ("app", "listed", "is_announced"),
    [(APP, "", True), ("other", "", False), ("other", "other", True), ("other:v1", "other:v2", True)],
)
def test_pushes_are_announced_of_the_stacks_repository_and_of_those_of_which_one_was(
    world, app, listed, is_announced
):
    if listed:
        ledger.list_app(app=listed)
    assert facts(app).is_announced is is_announced


@pytest.mark.parametrize(
    ("app", "there", "serves", "watched", "deleted"),
    [
        ("flask-app:pr-7", False, True, "*", True),
        ("flask-app:pr-7", True, True, "*", False),
        ("flask-app:pr-7", False, False, "*", False),
        # Nobody may look there.
        ("flask-app:pr-7", False, True, "web", False),
        ("flask-app:latest", False, True, "*", False),
    ],
)
def test_the_tag_of_a_preview_that_is_there_is_looked_for(
    world, parameters, app, there, serves, watched, deleted
):
    parameters(ENVIRONMENTS="tag", REPOSITORY_PATTERNS=f"web,{watched}")
    if there:
        world.tags[APP, "pr-7"] = DIGEST
    if serves:
        serve(app, tag="pr-7")
    assert facts(app).tag_deleted is deleted
    assert facts(app).is_preview is app.endswith("pr-7")


# ── A task that is gone


@pytest.fixture
def asked(monkeypatch):
    """The tasks of which ECS was asked."""
    tasks = []
    monkeypatch.setattr(ecs, "describe_task", lambda *, cluster, task: tasks.append(task) or None)
    return tasks


@pytest.mark.parametrize("runs", [True, False])
def test_ecs_is_asked_for_a_current_task_that_is_not_among_those_that_run(world, asked, runs):
    if runs:
        world.started["push-1"] = f"{ARN}1"
    serve(task=f"{ARN}1")
    facts()
    assert asked == ([] if runs else [f"{ARN}1"])


def test_nothing_is_asked_of_a_task_that_is_down_for_good_or_where_tasks_could_not_be_listed(world, asked):
    serve(gave_up_reason="It crashed 3 times.")
    facts()
    change = dataclasses.replace(ledger.current(app=APP), gave_up_reason="")
    ledger.change_current(app=APP, new=change, seen=ledger.current(app=APP))
    world.faults["running_tasks"] = [ThrottledError("Rate exceeded")]
    facts()
    assert asked == []


def test_of_a_task_that_ecs_has_forgotten_its_last_event_says_whether_it_stopped(world, asked, monkeypatch):
    serve()
    last = [None]
    monkeypatch.setattr(task_states, "last_known", lambda *, task: last[0])
    assert facts().task is None
    last[0] = Task(f"{ARN}1", "RUNNING", "RUNNING", 3)
    assert facts().task is None
    last[0] = Task(f"{ARN}1", "STOPPED", "STOPPED", 6)
    assert facts().task == last[0]
    found = Task(f"{ARN}1", "DEPROVISIONING", "STOPPED", 7)
    monkeypatch.setattr(ecs, "describe_task", lambda *, cluster, task: found)
    assert facts().task == found


@pytest.mark.parametrize(
    ("of", "outcome", "restarting"),
    [("restart", "", True), ("restart", "superseded", False), ("push", "", False)],
)
def test_a_restart_that_has_no_outcome_continues(world, asked, of, outcome, restarting):
    serve()
    restart = {"deployment": "push-1", "sequence": 1, "revision": "app:1", "reason": "exit code 1"}
    note(pushed(number=2), **({"restart": restart} if of == "restart" else {}))
    if outcome:
        ledger.record(push=pushed(number=2), outcome=outcome)
    found = facts()
    assert found.restarting is restarting
    assert asked == ([] if restarting else [f"{ARN}1"])


def test_a_restart_that_begins_while_the_sweep_looks_continues(world, monkeypatch):
    """It is not taken for one that came to nothing, which would be followed by another."""
    serve(last_stop=f"{ARN}1", restarted_at="2026-11-20T10:00:00.000Z")
    restart = Push("restart-1", "2026-11-20T10:00:00.000Z", APP, "latest", DIGEST)
    monkeypatch.setattr(
        ecs, "describe_task", lambda *, cluster, task: note(restart, restart={"deployment": "push-1"})
    )
    found = facts()
    assert found.restarting
    assert RestartApp(f"{ARN}1#0") not in decide(found)


@pytest.mark.parametrize("stop", ["", f"{ARN}1"])
def test_the_restart_after_a_stop_is_looked_for_if_there_was_a_stop(world, asked, monkeypatch, stop):
    serve(last_stop=stop)
    restart = ledger.Deployment("restart-1", "", "latest", DIGEST)
    monkeypatch.setattr(restarts, "latest_restart", lambda app, current: restart)
    assert facts().restart == (restart if stop else None)


def test_the_ports_of_what_is_current_are_gathered_and_whether_anything_is_to_come(world):
    of = account()
    serve(image={"ports": [8080, 9090]})
    facts(APP, of)
    assert (of.ports, of.to_come) == ({8080, 9090}, False)
    note(pushed(OTHER))
    facts(OTHER, of)
    facts("nobody", of)
    assert (of.ports, of.to_come) == ({8080, 9090}, True)


# ── How the execution of a deployment ended


def test_how_executions_ended_is_asked_of_those_that_have_not_been_mailed(world, ends):
    for number in (1, 2, 3):
        note(pushed(number=number), number)
        ends[f"{ARN}execution-push-{number}"] = Ending("ABORTED") if number != 2 else None
    ledger.record(push=pushed(number=3), outcome="deployed")
    ledger.mark_notified(push=pushed(number=3))
    assert facts().endings == {"push-1": Ending("ABORTED")}


def test_a_push_without_an_execution_counts_as_gone(world, ends):
    note(pushed(), execution="")
    assert facts().endings == {"push-1": Ending("GONE")}


@pytest.mark.parametrize(
    ("ago", "asked", "status", "known"),
    [
        (119, True, "GONE", False),
        (120, True, "GONE", True),
        (119, False, "GONE", True),
        (119, True, "ABORTED", True),
        (119, True, None, False),
        (500, True, None, False),
    ],
)
def test_a_request_has_two_minutes_to_begin(world, ends, monkeypatch, ago, asked, status, known):
    """It is noted before its execution is started."""
    push = pushed()
    open_one = ledger.Deployment(
        push.deployment,
        push.time,
        push.tag,
        push.digest,
        execution="arn",
        asked={"action": "deploy"} if asked else {},
        began_at=NOW - ago,
    )
    monkeypatch.setattr(ledger, "app_pushes", lambda *, app: AppPushes(1, [open_one], [], []))
    if status:
        ends["arn"] = Ending(status)
    assert facts().endings == ({"push-1": Ending(status)} if known else {})


def test_the_facts_list_each_apps_stable_urls_and_targets(world, monkeypatch):
    found = [
        apigateway.HttpApi(StableUrl(api, f"https://{api}.example/"), app, f"http://{api}")
        for api, app in (("a", APP), ("b", APP), ("c", OTHER))
    ]
    monkeypatch.setattr(apigateway, "stable_urls_of", lambda *, stack: found)
    assert account().stable_urls == {APP: {"a": "http://a", "b": "http://b"}, OTHER: {"c": "http://c"}}
