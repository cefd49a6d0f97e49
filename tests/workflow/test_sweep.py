"""The sweep makes up for lost events, does nothing else, and may run at any time."""

import pytest
from deployer.actions import mail_limit, sweep_facts
from deployer.aws import ec2, ecs, ledger
from deployer.aws.client import client
from deployer.domain.errors import AccessDeniedError, ThrottledError
from deployer.domain.push import Push
from deployer.domain.task import Task
from deployer.events import reconcile
from deployer.settings import settings, watch_settings

from tests.conftest import LambdaContext
from tests.workflow.conftest import ARN

NOW = 1_800_000_000


def outcomes(app="flask-app"):
    return {each.deployment: each.outcome for each in ledger.deployments(app=app)}


@pytest.fixture
def sweep(monkeypatch, world, deploy):
    """`sweep()` runs it; the first one was long ago, so that pushes count as later than that."""
    begun = {"sweep": "before", "watching": sweep_facts.watching()}
    ledger.begin_sweep(**begun, now=NOW - 10_000, until=NOW - 10_000)
    monkeypatch.setattr("deployer.events.reconcile.time.time", lambda: NOW)
    return lambda: reconcile.handler({"id": "sweep"}, LambdaContext())


def current():
    return ledger.current(app="flask-app")


def test_finds_nothing_where_all_is_well(deploy, world, push, sweep):
    deploy(push(1))
    world.pushed_at[push(1)["detail"]["image-digest"]] = NOW - 1000
    before = current()
    assert sweep() == {}
    assert current() == before
    assert len(world.mails) == 1


def test_deploys_the_push_whose_event_was_lost(deploy, world, push, sweep):
    deploy(push(1))
    lost = push(2)["detail"]["image-digest"]
    world.tags["flask-app", "latest"] = lost
    world.pushed_at[lost] = NOW - 1000
    sweep()
    assert current().digest == lost
    assert world.live() == {current().task}
    assert sweep() == {}


@pytest.mark.parametrize(("pushed_at", "deployed"), [(NOW - 250, True), (NOW - 300, True), (NOW - 301, False)])
def test_the_first_sweep_deploys_what_was_pushed_after_the_install(
    deploy, world, push, monkeypatch, installed_at, pushed_at, deployed
):
    installed_at(NOW - 300)
    monkeypatch.setattr("deployer.events.reconcile.time.time", lambda: NOW)
    lost = push(1)["detail"]["image-digest"]
    world.tags["flask-app", "latest"] = lost
    world.pushed_at[lost] = pushed_at
    reconcile.handler({"id": "sweep"}, LambdaContext())
    assert bool(current()) == deployed


def test_gives_an_event_time_to_come(deploy, world, push, sweep):
    fresh = push(1)["detail"]["image-digest"]
    world.tags["flask-app", "latest"] = fresh
    world.pushed_at[fresh] = NOW - 10
    assert sweep() == {}


def test_leaves_images_alone_that_were_there_before_portcall(deploy, world, push, sweep):
    old = push(1)["detail"]["image-digest"]
    world.tags["flask-app", "latest"] = old
    world.pushed_at[old] = NOW - 20_000
    assert sweep() == {}


def test_does_not_try_a_failed_push_again(deploy, world, push, sweep):
    world.answers = None
    deploy(push(1))
    world.answers = 200
    world.pushed_at[push(1)["detail"]["image-digest"]] = NOW - 1000
    assert sweep() == {}
    assert len(world.mails) == 1


def test_starts_an_app_again_that_died_unseen(deploy, world, push, sweep):
    deploy(push(1))
    dead = current().task
    world.dead[dead] = Task(dead, "STOPPED", "STOPPED", 6, stop_code="EssentialContainerExited", exit_code=1)
    sweep()
    assert current().task != dead
    assert world.live() == {current().task}
    assert "live again" in world.mails[-1]["subject"]
    assert sweep() == {}


def test_starts_an_app_again_whose_task_nobody_remembers(deploy, world, push, sweep, monkeypatch):
    deploy(push(1))
    dead = current().task
    world.dead[dead] = Task(dead, "STOPPED", "STOPPED", 6)
    describe = ecs.describe_task
    monkeypatch.setattr(
        ecs,
        "describe_task",
        lambda *, cluster, task: None if task == dead else describe(cluster=cluster, task=task),
    )
    sweep()
    assert world.live() == {current().task} != {dead}


def test_respects_a_stop_by_hand(deploy, world, push, sweep):
    deploy(push(1))
    task = current().task
    world.dead[task] = Task(task, "STOPPED", "STOPPED", 6, stop_code="UserInitiated")
    sweep()
    assert world.live() == set()
    assert sweep() == {}


def test_stops_a_task_of_ours_that_nobody_owns(deploy, world, push, sweep):
    deploy(push(1))
    world.started["nobody"] = ARN + "orphan"
    sweep()
    assert world.live() == {current().task}


def test_leaves_the_task_of_a_deployment_under_way_alone(deploy, world, push, sweep):
    seen = []
    world.faults["probe"] = [lambda: seen.append(sweep())]
    deploy(push(1))
    assert seen == [{}]
    assert world.live() == {current().task}


def test_ends_a_deployment_that_was_aborted_with_a_mail(deploy, world, push, sweep):
    deploy(push(1))
    before = current()
    world.log = ["the last words"]
    world.faults["WaitForRunning"] = [world.abort, world.abort]
    assert deploy(push(2)).status == "ABORTED"
    sweep()
    assert outcomes() == {"push-1": "deployed", "push-2": "retried", "retry-2-push-2": "failed"}
    assert world.live() == {before.task}
    mail = world.mails[-1]
    assert mail["subject"] == "flask-app was aborted"
    assert f"still running at {before.url}" in mail["text"]
    assert "the last words" in mail["text"]
    assert sweep() == {}


def test_the_trouble_of_one_app_does_not_keep_the_others_waiting(deploy, world, push, sweep, monkeypatch):
    deploy(push(1))
    other = push(1)
    other["id"], other["detail"]["repository-name"] = "other", "a-first-app"
    deploy(other)
    world.apps[world.started["other"]] = "a-first-app"
    for task in list(world.started.values()):
        world.dead[task] = Task(task, "STOPPED", "STOPPED", 6, stop_code="InfrastructureHealth")
    world.faults["describe_task"] = [AccessDeniedError("not authorized")]
    done = sweep()
    assert done["a-first-app"][0].startswith("failed")
    assert done["flask-app"][0].startswith("restarted")


def test_a_push_that_could_not_be_claimed_is_known_anyway(deploy, world, push, sweep):
    world.faults["claim"] = [AccessDeniedError("PutItem: not authorized")]
    assert deploy(push(1)).status == "FAILED"
    world.pushed_at[push(1)["detail"]["image-digest"]] = NOW - 1000
    assert sweep() == {}
    assert len(world.mails) == 1


def test_a_push_that_the_ledger_has_forgotten_was_not_missed(deploy, world, push, sweep):
    """Its item expires after 90 days, the image stays."""
    world.tags["flask-app", "latest"] = push(1)["detail"]["image-digest"]
    world.pushed_at[push(1)["detail"]["image-digest"]] = NOW - 91 * 24 * 3600
    ledger.begin_sweep(sweep="before", now=NOW - 100 * 24 * 3600, until=NOW - 1)
    assert sweep() == {}


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"Name": "a batch job"},
        {"portcall:app": "flask-app"},
        {"portcall:app": "flask-app", "portcall:deployment": "push-1"},
    ],
)
def test_never_touches_the_task_of_somebody_else(deploy, world, push, sweep, tags):
    """Not even one that was run by hand from a revision of ours, whose tags it may bear."""
    deploy(push(1))
    world.strangers = [(Task(ARN + "theirs", "RUNNING", "RUNNING", 3), "somebody", tags)]
    assert sweep() == {}
    assert world.stopped == []


def test_a_sweep_does_nothing_while_another_sweep_runs(deploy, world, push, sweep):
    deploy(push(1))
    world.started["nobody"] = ARN + "orphan"
    seen = []
    world.faults["stop_task"] = [lambda: seen.append(sweep())]
    assert sweep() == {"flask-app": [f"stopped {ARN}orphan"]}
    assert seen == [{"skipped": "another sweep is running"}]
    assert sweep() == {}


def test_a_sweep_lets_the_next_begin_though_that_cannot_be_noted_at_once(deploy, world, push, sweep):
    world.faults["end_sweep"] = [ThrottledError("Rate exceeded")] * 4
    assert sweep() == {}
    assert sweep() == {}


def test_a_sweep_that_got_no_answer_whether_it_may_begin_may(deploy, world, push, sweep):
    begun = {"sweep": "this", "now": NOW, "until": NOW + 240}
    first, again = ledger.begin_sweep(**begun), ledger.begin_sweep(**begun)
    assert first
    assert again
    assert first.since == again.since
    assert ledger.begin_sweep(**begun | {"sweep": "another"}) is None


def test_a_sweep_that_died_does_not_keep_the_next_from_working(deploy, world, push, sweep):
    deploy(push(1))
    world.started["nobody"] = ARN + "orphan"
    ledger.begin_sweep(sweep="before", now=NOW - 300, until=NOW - 60)
    assert sweep() == {"flask-app": [f"stopped {ARN}orphan"]}


MOMENTS = ["AdmitPush", "RunTask", "WaitForRunning", "CheckHealth", "SwitchOver", "make_current", "make_current answer", "record", "record answer", "mark_notified", "PublishUrl answer"]  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_sweep_in_the_middle_of_a_deployment_does_no_harm(deploy, world, push, sweep, moment):
    deploy(push(1))
    world.faults[moment] = [sweep]
    deploy(push(2))
    assert current().deployment == "push-2"
    assert world.live() == {current().task}
    assert len(world.mails) == 2
    assert sweep() == {}


@pytest.mark.parametrize("moment", ["app_pushes", "current", "app_pushes answer", "current answer"])
@pytest.mark.parametrize("which", range(4))
def test_a_deployment_in_the_middle_of_a_sweep_does_no_harm(deploy, world, push, sweep, moment, which):
    deploy(push(1))
    world.faults[moment] = [*([lambda: None] * which), lambda: deploy(push(2))]
    sweep()
    if current().deployment == "push-1":
        deploy(push(2))
    assert current().deployment == "push-2"
    assert world.live() == {current().task}
    assert sweep() == {}
    assert len(world.mails) == 2


def test_a_bug_that_one_apps_records_bring_out_does_not_keep_the_others_waiting(deploy, world, push, sweep):
    deploy(push(1))
    world.tags["a-first-app", "latest"] = f"sha256:{9:064x}"
    world.started["nobody"] = ARN + "orphan"
    world.faults["app_pushes"] = [KeyError("a bug")]
    done = sweep()
    assert done["a-first-app"] == ["failed: 'a bug'"]
    assert done["flask-app"] == [f"stopped {ARN}orphan"]


def test_a_push_whose_admission_died_does_not_stay_open(deploy, world, push, sweep):
    deploy(push(1))
    ledger.next_in_order(push=Push.from_event(push(2), by_tag=False), now=1)
    assert ledger.unclaimed(app="flask-app") == [(push(2)["time"], "push-2")]
    assert sweep()["flask-app"] == ["forgot push-2"]
    assert ledger.unclaimed(app="flask-app") == []
    assert sweep() == {}


def test_a_deployment_whose_email_is_out_is_not_open_any_more(deploy, world, push):
    deploy(push(1))
    assert ledger.open_deployments(app="flask-app") == []


def test_one_sweep_closes_all_deployments_that_were_left_open(deploy, world, push, sweep):
    world.faults["close_push"] = [AccessDeniedError("not allowed")] * 3
    for number in range(1, 4):
        deploy(push(number))
    assert len(ledger.open_deployments(app="flask-app")) == 3
    sweep()
    assert ledger.open_deployments(app="flask-app") == []


def test_many_aborted_deployments_are_reported_no_faster_than_mails_may_go_out(
    deploy, world, push, sweep, monkeypatch
):
    sleeps = []
    monkeypatch.setattr(mail_limit, "MAX_MAILS_PER_SECOND", 1)
    monkeypatch.setattr(reconcile.time, "sleep", lambda seconds: sleeps.append(seconds))
    for number in (1, 2):
        world.faults["CheckHealth"] = [world.abort]
        event = push(number)
        event["detail"]["repository-name"] = f"app-{number}"
        deploy(event)
    sweep()
    assert len(world.mails) == 1
    assert sleeps.count(1) == 4


def test_the_same_sweep_next_time_says_what_could_not_be_reported(deploy, world, push, sweep, monkeypatch):
    monkeypatch.setattr(mail_limit, "MAX_MAILS_PER_SECOND", 0)
    monkeypatch.setattr(reconcile.time, "sleep", lambda seconds: None)
    world.faults["CheckHealth"] = [world.abort, world.abort]
    deploy(push(1))
    assert "failed: " in sweep()["flask-app"][-1]
    monkeypatch.setattr(mail_limit, "MAX_MAILS_PER_SECOND", 100)
    sweep()
    assert [news["attributes"]["outcome"] for news in world.mails] == ["failed"]
    assert sweep() == {}


def test_the_security_group_of_a_deployment_goes_with_its_task(deploy, world, push, sweep):
    world.configuration = {"Cmd": ["app"], "ExposedPorts": {"8080/tcp": {}, "9090/tcp": {}}}
    under_way: list[list[str]] = []
    shared = ec2.Group("sg-shared", "", "", frozenset({8080}))
    world.groups = [shared, *(ec2.Group(f"sg-{n}", "flask-app", f"push-{n}") for n in (1, 2))]
    world.faults["run_task"] = [lambda: (sweep(), under_way.append(list(world.removed)))]
    deploy(push(1))
    assert "sg-1" not in under_way[0]
    world.removed.clear()
    sweep()
    assert world.removed == ["sg-2"]


def test_an_app_that_is_well_costs_few_calls_however_much_the_ledger_knows_of_it(deploy, world, push, sweep):
    for number in range(1, 31):
        deploy(push(number))
    world.pushed_at[push(30)["detail"]["image-digest"]] = NOW - 1000
    sweep()
    calls = []
    client("dynamodb").meta.events.register(
        "before-call", lambda model, **_: calls.append(model.name), "counts"
    )
    try:
        assert sweep() == {}
    finally:
        client("dynamodb").meta.events.unregister("before-call", unique_id="counts")
    assert len(calls) <= 8, calls
    assert calls.count("Query") == 2


def test_two_hundred_apps_are_handled_in_one_sweep(world, sweep):
    """Nothing is known of them: each is a task that nobody owns."""
    for number in range(200):
        arn = f"{ARN}{number}"
        world.started[f"by-{number}"] = arn
        world.apps[arn] = f"app-{number:03}"
    world.strangers = [
        (Task(f"{ARN}theirs-{number}", "RUNNING", "RUNNING", 3), "x", {}) for number in range(50)
    ]
    assert len(sweep()) == 200
    assert len(world.stopped) == 200
    assert not any("theirs" in arn for arn in world.stopped)


def test_an_app_that_only_the_ledger_knows_is_handled(deploy, world, push, sweep):
    """Its tag is deleted, and its one task has died."""
    deploy(push(1))
    world.tags.clear()
    dead = current().task
    world.dead[dead] = Task(dead, "STOPPED", "STOPPED", 6, stop_code="InfrastructureHealth")
    sweep()
    assert world.live() == {current().task} != {dead}
    assert "live again" in world.mails[-1]["subject"]


def test_an_aborted_push_of_which_nothing_else_is_left_has_its_outcome(deploy, world, push, sweep):
    world.faults["RunTask"] = [world.abort]
    deploy(push(1))
    world.tags.clear()
    sweep()
    assert outcomes() == {"push-1": "retried", "retry-2-push-1": "superseded"}
    assert world.live() == set()


def test_an_app_of_which_nothing_is_left_is_listed_no_more(deploy, world, push, sweep, monkeypatch):
    deploy(push(1), moves_the_tag=False)
    sweep()
    # That this push was not deployed is still to be mailed.
    assert ledger.apps() == {"flask-app"}
    monkeypatch.setattr("deployer.events.reconcile.time.time", lambda: NOW + 300)
    sweep()
    sweep()
    assert [news["attributes"]["outcome"] for news in world.mails] == ["superseded"]
    assert ledger.apps() == set()
    deploy(push(2))
    assert ledger.apps() == {"flask-app"}


def test_an_app_from_before_the_ledger_listed_any_is_listed_by_the_sweep(deploy, world, push, sweep):
    deploy(push(1))
    sweep()
    ledger.unlist_app(app="flask-app")
    assert ledger.apps() == set()
    sweep()
    assert ledger.apps() == {"flask-app"}


@pytest.mark.parametrize("call", ["repositories", "stable_urls_of", "running_tasks"])
def test_a_sweep_continues_and_is_counted_as_unfinished_if_a_list_fails(
    deploy, world, push, sweep, call, monkeypatch
):
    counted = []
    monkeypatch.setattr(reconcile, "count", counted.append)
    sweep()
    world.faults["WaitForRunning"] = [world.abort]
    deploy(push(1))
    world.faults[call] = [ThrottledError("Rate exceeded")]
    assert "finished push-1" in sweep()["flask-app"]
    assert counted[-1] == "SweepUnfinished"
    world.faults.clear()
    counted.clear()
    sweep()
    assert counted == []


def test_tasks_that_could_not_be_listed_are_not_taken_for_dead(deploy, world, push, sweep):
    deploy(push(1))
    before = current()
    world.faults["running_tasks"] = [ThrottledError("Rate exceeded")]
    assert sweep() == {}
    assert current() == before


def test_a_sweep_that_has_not_the_time_for_all_apps_leaves_the_rest_to_the_next(world, sweep, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("deployer.events.reconcile.time.monotonic", lambda: clock[0])
    for name in ("a", "b", "c"):
        world.started[name] = world_task = f"{ARN}{name}"
        world.apps[world_task] = name

    def takes_long() -> None:
        clock[0] += 181

    world.faults["stop_task"] = [takes_long, takes_long, takes_long]
    assert [list(sweep()) for _ in range(4)] == [["a"], ["b"], ["c"], []]


def test_a_sweep_that_dies_of_an_app_does_not_keep_the_others_from_the_next(world, sweep):
    for name in ("a", "b"):
        world.started[name] = world_task = f"{ARN}{name}"
        world.apps[world_task] = name

    class Killed(BaseException):
        """The function's time is up."""

    def die() -> None:
        world.faults["end_sweep"] = [Killed()] * 5
        raise Killed

    world.faults["stop_task"] = [die]
    with pytest.raises(Killed):
        sweep()
    world.faults.clear()
    ledger.begin_sweep(sweep="it", now=NOW + 300, until=NOW)
    assert list(sweep()) == ["b", "a"]


def digest(number):
    return f"sha256:{number:064x}"


def point(world, number, pushed_at, tag="latest", repository="flask-app"):
    """The tag points to the image of a push whose event was lost."""
    world.tags[repository, tag] = digest(number)
    world.pushed_at[digest(number)] = pushed_at


def test_a_lost_push_is_found_behind_a_signature_that_was_pushed_after_it(deploy, world, push, sweep):
    deploy(push(1))
    point(world, 2, NOW - 1000)
    signature = push(3)
    signature["detail"]["image-tag"] = "sha256-2.sig"
    world.manifests[digest(3)] = {
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json"},
    }
    world.pushed_at[digest(3)] = NOW - 900
    assert deploy(signature).states[-1] == "IgnorePush"
    assert sweep() == {"flask-app": ["deployed latest, whose event was lost"]}
    assert current().digest == digest(2)
    assert sweep() == {}


def test_a_tag_that_was_pointed_back_to_an_older_image_without_an_event_is_followed(deploy, world, push, sweep):
    deploy(push(1))
    deploy(push(2))
    sweep()
    world.pushed_at[digest(1)] = NOW - 50_000
    world.tags["flask-app", "latest"] = digest(1)
    sweep()
    assert current().digest == digest(1)
    assert len(world.mails) == 3
    assert sweep() == {}


def test_one_stale_look_at_the_tag_does_not_lose_a_push(deploy, world, push, sweep):
    deploy(push(1))
    world.faults["AdmitPush answer"] = [lambda: world.tags.update({("flask-app", "latest"): digest(2)})]
    world.pushed_at[digest(2)] = NOW - 1000
    assert deploy(push(2), moves_the_tag=False).states[-1] == "Superseded"
    sweep()
    assert current().digest == digest(2)
    assert sweep() == {}


def test_the_event_of_a_push_that_the_sweep_has_deployed_comes_too_late(deploy, world, push, sweep):
    deploy(push(1))
    point(world, 2, NOW - 1000)
    sweep()
    late = push(2)
    late["time"] = "2027-01-15T07:43:20Z"
    assert deploy(late).states[-1] == "Duplicate"
    assert outcomes()["push-2"] == "duplicate"
    assert current().deployment.startswith("sweep-")
    assert world.live() == {current().task}
    assert len(world.mails) == 2
    assert sweep() == {}


def test_an_event_that_comes_while_the_sweep_deploys_its_push_is_a_duplicate(deploy, world, push, sweep):
    deploy(push(1))
    point(world, 2, NOW - 1000)
    late = push(2)
    late["time"] = "2027-01-15T07:43:20Z"
    ends = []
    world.faults["probe"] = [lambda: ends.append(deploy(late).states[-1])]
    sweep()
    assert ends == ["Duplicate"]
    assert len(world.mails) == 2
    assert world.live() == {current().task}


def test_a_failed_push_is_not_deployed_again_because_the_previous_version_was_restarted(
    deploy, world, push, sweep, stop
):
    deploy(push(1))
    world.bad = {"push-2"}
    deploy(push(2))
    world.pushed_at[digest(2)] = NOW - 1000
    stop()
    assert sweep() == {}
    assert current().digest == digest(1)


def test_a_push_that_is_under_way_is_not_deployed_twice(deploy, world, push, sweep, stop):
    deploy(push(1))
    world.pushed_at[digest(2)] = NOW - 1000
    seen = []
    world.faults["manifest"] = [lambda: (stop(), seen.append(sweep()))]
    deploy(push(2))
    assert seen == [{}]
    assert current().deployment == "push-2"


@pytest.mark.parametrize(
    "change", [{"ENVIRONMENTS": "tag"}, {"REPOSITORY_PATTERNS": "flask-app,*"}, {"TAG_PATTERNS": "*"}]
)
def test_images_from_before_watching_began_are_not_taken_for_lost_pushes(
    deploy, world, push, sweep, change, monkeypatch
):
    for name in ("REPOSITORY_PATTERNS", "TAG_PATTERNS"):
        if name in change:
            monkeypatch.setenv(name, "flask-app" if name == "REPOSITORY_PATTERNS" else "latest")
    settings.cache_clear()
    watch_settings.cache_clear()
    try:
        deploy(push(1))
        sweep()
        for number in range(2, 40):
            point(world, number, NOW - 1000, tag=f"v{number}")
            point(world, number, NOW - 1000, repository=f"internal-{number}")
        for name, value in change.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        watch_settings.cache_clear()
        sweep()
        sweep()
        assert len(world.tasks) == 1
        # Where each tag is an app, no tag is the app that the repository was: one mail names that.
        unwatched = ["unwatched"] if "ENVIRONMENTS" in change else []
        assert [mail["attributes"]["outcome"] for mail in world.mails] == ["deployed", *unwatched]
    finally:
        monkeypatch.undo()
        settings.cache_clear()
        watch_settings.cache_clear()


def test_a_lost_push_counts_if_one_of_the_patterns_matches_its_tag(deploy, world, push, monkeypatch, request):
    monkeypatch.setenv("TAG_PATTERNS", "latest,pr-*")
    watch_settings.cache_clear()
    try:
        sweep = request.getfixturevalue("sweep")
        deploy(push(1))
        point(world, 3, NOW - 900, tag="sha-3")
        point(world, 2, NOW - 1000, tag="pr-7")
        sweep()
        assert (current().tag, current().digest) == ("pr-7", digest(2))
        assert len(world.tasks) == 2
    finally:
        monkeypatch.undo()
        watch_settings.cache_clear()


def test_the_first_push_of_all_is_found_though_its_event_was_lost(world, sweep):
    """The repository that the parameters name is watched before anything was pushed to it."""
    point(world, 1, NOW - 1000)
    assert sweep() == {"flask-app": ["deployed latest, whose event was lost"]}
    assert current().digest == digest(1)


def test_an_image_that_came_without_a_push_is_not_deployed(deploy, world, push, sweep):
    """By a pull-through cache, say, or by replication."""
    deploy(push(1))
    sweep()
    point(world, 9, NOW - 1000, repository="docker-hub/library/redis")
    assert sweep() == {}


def test_never_more_than_a_few_pushes_count_as_lost_at_once(deploy, world, push, sweep):
    for number in range(1, 7):
        event = push(number)
        event["detail"]["repository-name"] = f"app-{number}"
        deploy(event)
        point(world, number + 10, NOW - 1000, repository=f"app-{number}")
    assert [len(sweep()) for _ in range(3)] == [3, 3, 0]


def test_a_push_that_is_dated_ahead_does_not_supersede_what_is_pushed_until_then(deploy, world, push, sweep):
    ahead = push(1)
    ahead["time"] = "2099-01-01T00:00:00Z"
    ahead["detail"]["image-tag"] = "v1"
    deploy(ahead)
    later = push(2)
    later["time"] = "2027-01-15T08:00:01Z"
    assert deploy(later).states[-1] == "PublishUrl"
    assert current().deployment == "push-2"


@pytest.mark.parametrize("ahead", [-7200, 7200])
def test_a_clock_that_is_wrong_does_no_harm(deploy, world, push, sweep, ahead, monkeypatch):
    deploy(push(1))
    world.pushed_at[push(1)["detail"]["image-digest"]] = NOW + ahead
    world.faults["CheckHealth"] = [world.abort]
    deploy(push(2))
    world.pushed_at[push(2)["detail"]["image-digest"]] = NOW + ahead
    sweep()
    assert outcomes() == {"push-1": "deployed", "push-2": "retried", "retry-2-push-2": "deployed"}
    assert world.live() == {current().task}
    monkeypatch.setattr("deployer.events.reconcile.time.time", lambda: NOW - ahead)
    assert sweep() == {}


def test_going_back_to_what_serves_already_is_not_taken_for_a_lost_push(deploy, world, push, sweep):
    deploy(push(1))
    world.bad = {"push-2"}
    deploy(push(2))
    world.tags["flask-app", "latest"] = push(1)["detail"]["image-digest"]
    world.pushed_at[push(1)["detail"]["image-digest"]] = NOW - 1000
    assert sweep() == {}
    assert len(world.mails) == 2


def test_groups_are_held_against_the_parameters_of_now(sweep, world):
    sweep()
    assert world.held == [{"stack": "portcall", "cidr": "0.0.0.0/0", "probe_group": ""}]
