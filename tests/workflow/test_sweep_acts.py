"""The sweep's acts, one by one, and its limits to the second."""

import dataclasses
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from deployer.actions import failure_cleanup, sweep_acts, sweep_facts
from deployer.aws import ec2, ledger, step_functions
from deployer.domain.acts import (
    CloseDeployments,
    CloseSuperseded,
    DeleteStableUrl,
    DeployPush,
    EndApp,
    FinishDeployment,
    ForgetStableUrl,
    FreeSlot,
    ListApp,
    MarkWatched,
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
from deployer.domain.app_facts import Facts
from deployer.domain.deployment import Deployment, Ending, KnownTag
from deployer.domain.endpoint import NOWHERE
from deployer.domain.errors import AccessDeniedError, MailLimitError, ThrottledError
from deployer.domain.push import Push
from deployer.events import reconcile

from tests.conftest import LambdaContext, apps_with_slots
from tests.explorer.dynamodb import Table
from tests.workflow.conftest import ARN

NOW = 1_800_000_000
APP = "flask-app"


def known():
    return {each.deployment: each for each in ledger.deployments(app=APP)}


@pytest.fixture
def slept(monkeypatch):
    """How long the acts sleep, by a clock that stands still."""
    seconds = []
    monkeypatch.setattr(sweep_acts, "time", SimpleNamespace(time=lambda: NOW, sleep=seconds.append))
    return seconds


@pytest.fixture
def started(monkeypatch):
    """What the acts start: documents; of one name once."""
    documents = {}

    def start(*, machine, name, document):
        return documents.setdefault(name, document) is document

    monkeypatch.setattr(step_functions, "start_execution", start)
    return documents


def deployment(push, number=2, **facts):
    document = push(number)
    at = {"time": document["time"], "tag": "latest", "digest": document["detail"]["image-digest"]}
    return Deployment(f"push-{number}", **at | {"execution": "arn", "sequence": 2**60} | facts)


def settle(open_one, ending):
    facts = Facts(app=APP, now=NOW, open=[open_one], endings={open_one.deployment: ending})
    return sweep_acts.carry_out(FinishDeployment(open_one.deployment), facts)


@pytest.mark.parametrize(("ago", "waits"), [(10, 0), (3, 0), (1, 2), (-60, 3)])
def test_a_step_that_continues_after_an_abort_is_given_three_seconds(deploy, world, push, slept, ago, waits):
    deploy(push(1))
    assert settle(deployment(push), Ending("ABORTED", at=NOW - ago)) == "finished push-2"
    assert slept == [waits]


def test_a_mail_that_has_to_wait_for_its_turn_is_tried_for_four_seconds(
    deploy, world, push, slept, monkeypatch
):
    deploy(push(1))
    tries, limit = [], [4]

    def end(document, **_):
        tries.append(document)
        if len(tries) <= limit[0]:
            raise MailLimitError("Portcall's limit of emails per second is reached.")

    monkeypatch.setattr(failure_cleanup, "clean_up_after", end)
    settle(deployment(push), Ending("ABORTED"))
    assert (len(tries), slept) == (5, [0, 1, 1, 1, 1])
    tries.clear()
    limit[0] = 5
    with pytest.raises(MailLimitError):
        settle(deployment(push), Ending("ABORTED"))
    assert len(tries) == 5


def test_an_abort_is_reported_with_how_it_ended_and_a_failure_with_its_own_reason(
    deploy, world, push, slept, monkeypatch
):
    deploy(push(1))
    said = []
    monkeypatch.setattr(
        failure_cleanup,
        "clean_up_after",
        lambda document, **how: said.append((how["error"], how["message"])),
    )
    settle(deployment(push), Ending("ABORTED"))
    settle(deployment(push), Ending("ABORTED", cause="Somebody clicked."))
    settle(deployment(push, outcome="failed", error="NoAnswerError", reason="It is silent."), Ending("FAILED"))
    began = "Its execution ended before the deployment was complete: "
    assert said == [
        ("AbortedError", f"{began}ABORTED"),
        ("AbortedError", f"{began}ABORTED, Somebody clicked."),
        ("NoAnswerError", "It is silent."),
    ]


def test_an_aborted_older_push_is_superseded_without_mail_unless_it_has_an_outcome(deploy, world, push, slept):
    deploy(push(3))
    settle(deployment(push, 1, sequence=1), Ending("ABORTED"))
    settle(deployment(push, 2, sequence=1, outcome="deployed", reason="It was live."), Ending("ABORTED"))
    assert (known()["push-1"].outcome, known()["push-1"].reason) == (
        "superseded",
        "Another deployment replaced it.",
    )
    assert (known()["push-2"].outcome, known()["push-2"].reason) == ("deployed", "It was live.")
    assert len(world.mails) == 1


def test_a_further_attempt_is_numbered_and_named_after_the_first_push(world, push, started):
    first = deployment(push, outcome="retried")
    second = Deployment(
        **vars(first) | {"deployment": "retry-2-push-2", "retry": {"of": "push-2", "attempt": 2}}
    )
    for failed in (first, second):
        facts = Facts(app=APP, now=NOW, open=[failed])
        assert sweep_acts.carry_out(RetryDeployment(failed.deployment), facts) == "retried push-2"
    assert {name: document["retry"] for name, document in started.items()} == {
        "retry-2-push-2": {"of": "push-2", "attempt": 2, "reason": first.reason},
        "retry-3-push-2": {"of": "retry-2-push-2", "attempt": 3, "reason": first.reason},
    }
    assert [each["time"] for each in started.values()] == [first.time] * 2
    assert known()["push-2"].notified_at


def test_a_lost_push_is_deployed_once_and_only_while_its_tag_points_to_it(world, push, started):
    found = Push("sweep-1", "2026-11-20T09:15:01Z", APP, "latest", f"sha256:{1:064x}")
    facts = Facts(app=APP, now=NOW, listed_at=NOW - 5)
    world.tags[APP, "latest"] = f"sha256:{2:064x}"
    assert sweep_acts.carry_out(DeployPush(found), facts) == ""
    assert started == {}
    world.tags[APP, "latest"] = found.digest
    assert sweep_acts.carry_out(DeployPush(found), facts) == "deployed latest, whose event was lost"
    assert started["sweep-1"]["found"] == {"at": NOW - 5}
    assert sweep_acts.carry_out(DeployPush(found), facts) == ""


def sweep_at(monkeypatch, now):
    monkeypatch.setattr(reconcile, "time", SimpleNamespace(time=lambda: now, monotonic=lambda: 0.0))
    return reconcile.handler({"id": "sweep"}, LambdaContext())


def test_a_sweep_that_died_keeps_the_next_from_working_for_four_minutes(world, monkeypatch):
    begun = {"sweep": "dead", "watching": ""}
    ledger.begin_sweep(**begun, now=NOW, until=NOW + reconcile.MAX_SWEEP_SECONDS)
    assert sweep_at(monkeypatch, NOW + 239) == {"skipped": "another sweep is running"}
    assert sweep_at(monkeypatch, NOW + 240) == {}


def test_the_time_that_a_sweep_has_is_that_of_its_function(world, monkeypatch):
    """One that dies with its function makes room at that moment."""
    monkeypatch.setattr(ledger, "end_sweep", lambda **_: None)
    assert sweep_at(monkeypatch, NOW) == {}
    assert sweep_at(monkeypatch, NOW + 239) == {"skipped": "another sweep is running"}
    assert sweep_at(monkeypatch, NOW + 240) == {}


@pytest.mark.parametrize(("seconds", "apps"), [(90, ["a", "b", "c"]), (91, ["a", "b"])])
def test_apps_are_begun_for_three_minutes(world, monkeypatch, seconds, apps):
    clock = [0.0]
    monkeypatch.setattr(reconcile, "time", SimpleNamespace(time=lambda: NOW, monotonic=lambda: clock[0]))
    for name in ("a", "b", "c"):
        world.started[name] = f"{ARN}{name}"
        world.apps[f"{ARN}{name}"] = name

    def take_long():
        clock[0] += seconds

    world.faults["stop_task"] = [take_long] * 3
    assert list(reconcile.handler({"id": "sweep"}, LambdaContext())) == apps


# The acts that change what the ledger says, each of which may be carried out twice.


def facts(**more):
    return Facts(app=APP, now=NOW, current=ledger.current(app=APP), **more)


def test_an_app_is_ended_once(deploy, world, push):
    deploy(push(1))
    seen = facts()
    assert [sweep_acts.carry_out(EndApp("Its time was up."), seen) for _ in range(2)] == ["ended the app", ""]
    assert ledger.current(app=APP) is None
    assert world.live() == set()
    assert sweep_acts.carry_out(EndApp("Its time was up."), Facts(app=APP, now=NOW)) == ""


def test_apps_are_listed_and_unlisted(world):
    for act, apps in ((ListApp(), {APP}), (UnlistApp(), set())):
        assert [sweep_acts.carry_out(act, facts()) for _ in range(2)] == ["", ""]
        assert ledger.apps() == apps


def change(**changes):
    seen = ledger.current(app=APP)
    assert ledger.change_current(app=APP, new=dataclasses.replace(seen, **changes), seen=seen)


def test_that_an_app_is_down_is_mailed_again_where_it_was_not(deploy, world, push):
    deploy(push(1))
    change(gave_up_reason="It crashed 3 times within ten minutes.", gave_up_at=1)
    assert sweep_acts.carry_out(NotifyAgain(), facts()) == "mailed that flask-app is down"
    assert sweep_acts.carry_out(NotifyAgain(), facts()) == ""
    assert len(world.mails) == 2
    assert sweep_acts.carry_out(NotifyAgain(), Facts(app=APP, now=NOW)) == ""


def test_an_app_that_is_watched_again_is_no_longer_marked_unwatched(deploy, push):
    deploy(push(1))
    change(unwatched_at=5)
    sweep_acts.carry_out(MarkWatched(), facts())
    assert ledger.current(app=APP).unwatched_at == 0


@pytest.mark.parametrize("known", [None, KnownTag("sha256:before", NOW - 99, "push-1")])
def test_to_what_a_tag_points_is_noted_as_of_when_the_images_were_listed(world, known):
    note = {"app": APP, "tag": "v1"}
    if known:
        ledger.record_tag(**note, digest=known.digest, as_of=known.as_of, seen=None)
    seen = facts(tags=ledger.tags(app=APP) if known else None, listed_at=NOW - 5)
    sweep_acts.carry_out(RecordTag("v1", "sha256:now"), seen)
    assert ledger.tag(app=APP, tag="v1") == KnownTag("sha256:now", NOW - 5, "")


def test_an_app_whose_task_died_is_started_again_and_nothing_is_where_there_is_no_app(deploy, push, started):
    deploy(push(1))
    task = ledger.current(app=APP).task
    assert sweep_acts.carry_out(RestartApp(task), facts()) == f"restarted {task}"
    assert len(started) == 1
    assert sweep_acts.carry_out(RestartApp(task), Facts(app=APP, now=NOW)) == ""


@pytest.mark.parametrize(
    "of",
    [
        {"restart": {"deployment": "push-1", "sequence": 1, "revision": "app:1", "reason": "exit code 1"}},
        {"retry": {"of": "push-1", "attempt": 2}},
        {"asked": {"action": "deploy", "by": "ann"}},
        {},
    ],
)
def test_an_aborted_deployment_is_rolled_back_as_what_it_was(world, push, slept, monkeypatch, of):
    documents = []
    monkeypatch.setattr(failure_cleanup, "clean_up_after", lambda document, **_: documents.append(document))
    settle(deployment(push, revision="app:1", task="task-2", **of), Ending("ABORTED"))
    (document,) = documents
    assert {name: document[name] for name in ("restart", "retry", "asked") if name in document} == of
    assert (document["id"], document["taskDefinition"]["arn"], document["task"]["arn"]) == ("push-2", "app:1", "task-2")  # fmt: skip
    assert document["admission"] == {"sequence": 2**60}


def test_the_slot_of_an_app_that_is_not_there_is_freed_and_reported(deploy, push):
    ledger.take_slot(app=APP, most={"lasting": 9})
    begun = facts()
    ledger.next_in_order(push=Push.from_event(push(1), by_tag=False), now=NOW)
    assert sweep_acts.carry_out(FreeSlot(), begun) == ""
    assert apps_with_slots() == {APP}
    assert sweep_acts.carry_out(FreeSlot(), facts(noted=1)) == "freed its slot"
    assert apps_with_slots() == set()
    deploy(push(2))
    change(gave_up_reason="It crashed 3 times within ten minutes.")
    # That it is down was mailed.
    assert sweep_acts.carry_out(FreeSlot(), facts(noted=2)) == ""
    assert apps_with_slots() == set()


def test_that_an_app_has_ended_is_mailed_by_the_sweep_where_it_was_not(world, push):
    ended = deployment(push, outcome="ended", reason="It expired at 12:00.", url="http://a", execution="")
    act = NotifyEnded("push-2")
    assert sweep_acts.carry_out(act, Facts(app=APP, now=NOW, open=[ended])) == "mailed that flask-app has ended"
    (mail,) = world.mails
    assert mail["attributes"]["outcome"] == "ended"
    assert "It expired at 12:00." in mail["text"]


def test_deployments_whose_mails_are_sent_are_closed_and_others_stay(deploy, push, world):
    world.faults["close_push"] = [AccessDeniedError("not allowed")] * 3
    for number in (1, 2, 3):
        deploy(push(number))
    open_ones = ledger.open_deployments(app=APP)
    sweep_acts.carry_out(CloseDeployments(("push-1", "push-3")), facts(open=open_ones))
    assert [each.deployment for each in ledger.open_deployments(app=APP)] == ["push-2"]


@pytest.fixture
def unmailed(push):
    """Superseded pushes that no mail has named."""
    for number in (1, 2):
        of = Push.from_event(push(number), by_tag=False)
        ledger.record(push=of, outcome="superseded", reason="A newer push.")
        ledger.add_unmailed(push=of)
    return lambda: ledger.unmailed(app=APP)


def test_superseded_pushes_are_mailed_once_and_together(world, unmailed):
    act = ReportSuperseded(("push-1", "push-2"))
    assert sweep_acts.carry_out(act, facts(unmailed=unmailed())) == "mailed that push-1, push-2 were superseded"
    (mail,) = world.mails
    assert all(f"sha256:{number:064x}" in mail["text"] for number in (1, 2))
    assert unmailed() == []


def test_superseded_pushes_that_nobody_misses_are_forgotten_and_others_stay(world, unmailed):
    sweep_acts.carry_out(CloseSuperseded(("push-2",)), facts(unmailed=unmailed()))
    assert [each.deployment for each in unmailed()] == ["push-1"]
    assert world.mails == []


def test_that_an_app_is_not_watched_is_mailed_of_one_that_is_there(deploy, world, push):
    nobody = Facts(app=APP, now=NOW)
    assert sweep_acts.carry_out(ReportUnwatched(), nobody) == "mailed that it is not watched"
    assert sweep_acts.carry_out(MarkWatched(), nobody) == ""
    assert world.mails == []
    deploy(push(1))
    sweep_acts.carry_out(ReportUnwatched(), facts(replaced_by="flask-app:latest"))
    assert len(world.mails) == 2
    assert ledger.current(app=APP).unwatched_at


@pytest.mark.usefixtures("stable_url")
def test_a_stable_url_is_pointed_to_the_current_task_deleted_and_forgotten(deploy, world, push):
    deploy(push(1))
    (api,) = world.apis
    target = world.apis[api]["target"]
    world.apis[api]["target"] = "http://203.0.113.99:3000/"
    assert sweep_acts.carry_out(PointStableUrl(), facts()) == "pointed its stable URL at the current task"
    assert world.apis[api]["target"] == target
    assert sweep_acts.carry_out(DeleteStableUrl(api), facts()) == f"deleted stable URL {api}"
    assert world.apis == {}
    assert ledger.current(app=APP).last_stable_url
    sweep_acts.carry_out(ForgetStableUrl(), facts())
    assert ledger.current(app=APP).last_stable_url is None
    assert sweep_acts.carry_out(ForgetStableUrl(), Facts(app="nobody", now=NOW)) == ""


@pytest.mark.usefixtures("stable_url")
def test_a_restart_leads_the_stable_url_away_from_the_task_that_died_though_it_may_not_begin(
    deploy, world, push, monkeypatch
):
    deploy(push(1))
    rolled_back = []
    monkeypatch.setattr(
        failure_cleanup, "clean_up_after", lambda document, **how: rolled_back.append((document, how))
    )
    world.faults["start_execution"] = [AccessDeniedError("StartExecution: not authorized")]
    task = ledger.current(app=APP).task
    with pytest.raises(AccessDeniedError):
        sweep_acts.carry_out(RestartApp(task), facts())
    assert [api["target"] for api in world.apis.values()] == [NOWHERE]
    ((document, how),) = rolled_back
    assert document["restart"]["deployment"] == "push-1"
    assert how == {"error": "AccessDeniedError", "message": "StartExecution: not authorized"}


@pytest.mark.parametrize("refused", [True, False])
def test_a_restart_that_aws_refused_counts_as_such(deploy, push, started, refused):
    deploy(push(1))
    task = ledger.current(app=APP).task
    sweep_acts.carry_out(RestartApp(task, refused), facts())
    assert ledger.current(app=APP).refusals == refused
    # What was handled is not mailed again.
    assert sweep_acts.carry_out(RestartApp(task, refused), facts()) == ""


def test_who_asked_for_a_deployment_is_said_of_its_further_attempt_too(world, push, started):
    asked = {"action": "deploy", "by": "ann"}
    failed = deployment(push, outcome="retried", asked=asked)
    sweep_acts.carry_out(RetryDeployment("push-2"), Facts(app=APP, now=NOW, open=[failed]))
    assert started["retry-2-push-2"]["asked"] == asked
    sweep_acts.carry_out(
        RetryDeployment("push-3"), Facts(app=APP, now=NOW, open=[deployment(push, 3, outcome="retried")])
    )
    assert "asked" not in started["retry-2-push-3"]


def test_a_retry_is_started_before_the_first_attempt_counts_as_handled(world, push, monkeypatch):
    """Or nobody would start it, should the function die in between."""

    def refuse(**_):
        raise ThrottledError("Rate exceeded")

    monkeypatch.setattr(step_functions, "start_execution", refuse)
    failed = deployment(push, outcome="retried")
    with pytest.raises(ThrottledError):
        sweep_acts.carry_out(RetryDeployment("push-2"), Facts(app=APP, now=NOW, open=[failed]))
    assert "push-2" not in known()


@pytest.mark.parametrize("serves", [True, False])
def test_a_push_that_was_recorded_is_mailed_as_that_and_not_rolled_back(
    deploy, world, push, slept, monkeypatch, serves
):
    """Nor is it where the app has ended meanwhile."""
    if serves:
        deploy(push(1))
    monkeypatch.setattr(failure_cleanup, "clean_up_after", None)
    settle(deployment(push, outcome="recorded", reason="The app is stopped."), Ending("SUCCEEDED"))
    assert world.mails[-1]["attributes"]["outcome"] == "recorded"
    assert "The app is stopped." in world.mails[-1]["text"]


# What a sweep does for an app, whatever the decisions are.


@pytest.fixture
def decided(world, monkeypatch):
    """`decided(a, b)`: what is due at each look at the one app that is there; the last stays. Returns the looks."""
    world.started["nobody"] = f"{ARN}orphan"
    world.apps[f"{ARN}orphan"] = APP

    def of(*due):
        looks = []

        def decide(facts):
            looks.append(facts.app)
            return due[min(len(looks), len(due)) - 1]

        monkeypatch.setattr(reconcile, "decide", decide)
        return looks

    return of


def sweep():
    return reconcile.handler({"id": "sweep"}, LambdaContext())


def test_an_app_is_looked_at_three_times_where_each_act_calls_for_another(world, decided):
    looks = decided(*([StopTask(f"{ARN}{number}")] for number in range(5)))
    assert sweep() == {APP: [f"stopped {ARN}{number}" for number in range(3)]}
    assert len(looks) == 3


def test_an_app_for_which_nothing_is_due_is_looked_at_once(decided):
    looks = decided([])
    assert sweep() == {}
    assert len(looks) == 1


@pytest.mark.parametrize("act", [EndApp("It is over."), DeployPush(Push("sweep-1", "", APP, "latest", ""))])
def test_a_sweep_that_ends_or_deploys_an_app_does_not_check_it_again(decided, monkeypatch, act):
    monkeypatch.setattr(sweep_acts, "carry_out", lambda act, facts: "did it")
    looks = decided([act], [StopTask(ARN)])
    assert sweep() == {APP: ["did it"]}
    assert len(looks) == 1


def test_an_app_that_cannot_be_looked_at_is_left_to_the_next_sweep(world, decided, monkeypatch):
    looks = decided([])

    def fail(app, account):
        looks.append(app)
        raise KeyError("a bug")

    monkeypatch.setattr(sweep_facts, "of_app", fail)
    assert sweep() == {APP: ["failed: 'a bug'"]}
    assert len(looks) == 1


def test_a_push_that_is_left_to_the_next_sweep_holds_up_nothing_else(world, decided, monkeypatch):
    monkeypatch.setattr(reconcile, "MAX_MISSED_PUSHES", 0)
    decided([DeployPush(Push("sweep-1", "", APP, "latest", "")), StopTask(f"{ARN}orphan")], [])
    assert sweep() == {APP: [f"stopped {ARN}orphan"]}


def test_a_sweep_deploys_three_lost_pushes_and_the_next_one_continues(world, monkeypatch):
    """A mistake of the sweep's deploys no whole account again."""
    deployed = []
    for name in ("a", "b", "c", "d"):
        world.started[name] = f"{ARN}{name}"
        world.apps[f"{ARN}{name}"] = name

    def due(facts):
        lost = DeployPush(Push(f"sweep-{facts.app}", "", facts.app, "latest", ""))
        return [] if facts.app in deployed else [lost]

    monkeypatch.setattr(reconcile, "decide", due)
    monkeypatch.setattr(sweep_acts, "carry_out", lambda act, facts: deployed.append(facts.app) or "did it")
    assert list(sweep()) == ["a", "b", "c"]
    assert list(sweep()) == ["d"]


@pytest.fixture
def warned(monkeypatch):
    """The warnings that a sweep logs, which a saved query of template.yaml reads."""
    lines = []
    monkeypatch.setattr(reconcile.logger, "warning", lambda message, extra: lines.append((message, extra)))
    return lines


@pytest.mark.parametrize("found", [True, False])
def test_a_sweep_logs_what_it_did_and_nothing_else(decided, warned, found):
    decided([StopTask(f"{ARN}orphan")] if found else [], [])
    sweep()
    acts = {"app": APP, "acts": [f"stopped {ARN}orphan"]}
    assert warned == ([("The sweep found something", acts)] if found else [])


@pytest.mark.parametrize("changed", [["sg-1"], []])
def test_a_sweep_logs_the_security_groups_that_it_changed(world, warned, monkeypatch, changed):
    monkeypatch.setattr(ec2, "hold_rules", lambda **_: changed)
    assert sweep() == {}
    said = [("Security groups allowed other addresses than AllowedCidr", {"groups": changed})]
    assert warned == (said if changed else [])


def test_security_groups_that_ec2_does_not_show_keep_no_app_from_being_handled(world, decided, monkeypatch):
    def refuse(**_):
        raise AccessDeniedError("DescribeSecurityGroups: not authorized")

    monkeypatch.setattr(ec2, "hold_rules", refuse)
    decided([StopTask(f"{ARN}orphan")], [])
    with pytest.raises(AccessDeniedError):
        sweep()
    assert world.stopped == [f"{ARN}orphan"]


def test_since_when_something_is_watched_is_known_from_the_first_sweep_on(world, monkeypatch):
    """A push counts as lost only if it is later."""
    sweep_at(monkeypatch, NOW)
    later = {"now": NOW + 1000, "until": NOW + 1240}
    assert ledger.begin_sweep(sweep="later", watching=sweep_facts.watching(), **later).since == NOW
    assert ledger.begin_sweep(sweep="later", watching="other", **later).since == NOW + 1000


def test_the_first_sweep_counts_from_the_install_on(world, monkeypatch, installed_at):
    """So that a push of which no event came before the first sweep is lost, and not older than the install."""
    installed_at(NOW - 200)
    first = {"sweep": "first", "now": NOW, "until": NOW + 240, "watching": sweep_facts.watching()}
    assert ledger.begin_sweep(**first).since == NOW - 200
    later = first | {"sweep": "later", "now": NOW + 1000, "until": NOW + 1240}
    assert ledger.begin_sweep(**later).since == NOW - 200
    other = later | {"sweep": "other", "now": NOW + 2000, "until": NOW + 2240, "watching": "other"}
    assert ledger.begin_sweep(**other).since == NOW + 2000


def test_a_sweep_that_cannot_know_when_it_was_installed_counts_from_now_on(world, monkeypatch):
    """A policy of the organization may deny the call, and the rest of the sweep must continue."""
    denied = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}

    def refuse(*_, **__):
        raise ClientError(denied, "DescribeTable")

    monkeypatch.setattr(Table, "describe_table", refuse)
    begun = ledger.begin_sweep(sweep="first", now=NOW, until=NOW + 240, watching="")
    assert begun.since == NOW


@pytest.fixture
def noted(monkeypatch):
    """The apps of which a sweep notes that it has come so far."""
    apps = []
    note = ledger.note_sweep
    monkeypatch.setattr(ledger, "note_sweep", lambda *, app, **more: apps.append(app) or note(app=app, **more))
    return apps


@pytest.mark.parametrize(("seconds", "apps"), [(5, ["c"]), (6, ["b", "c", "d"])])
def test_how_far_a_sweep_is_is_noted_every_five_seconds(world, monkeypatch, noted, seconds, apps):
    """Should it die, the next begins after that app."""
    clock = [0.0]
    monkeypatch.setattr(reconcile, "time", SimpleNamespace(time=lambda: NOW, monotonic=lambda: clock[0]))
    for name in ("a", "b", "c", "d"):
        world.started[name] = f"{ARN}{name}"
        world.apps[f"{ARN}{name}"] = name

    def decide(facts):
        clock[0] += seconds
        return []

    monkeypatch.setattr(reconcile, "decide", decide)
    assert sweep() == {}
    assert noted == apps


def test_of_which_app_it_is_about_to_act_is_noted_once_and_before_that(world, decided, noted):
    seen = []
    world.faults["stop_task"] = [lambda: seen.append(list(noted))] * 3
    decided(*([StopTask(f"{ARN}{number}")] for number in range(5)))
    sweep()
    assert (seen, noted) == ([[APP]] * 3, [APP])


def test_the_app_after_which_a_sweep_begins_comes_last_and_once(world, decided, monkeypatch):
    for name in ("a", "z"):
        world.started[name] = f"{ARN}{name}"
        world.apps[f"{ARN}{name}"] = name
    looks = decided([])
    monkeypatch.setattr(sweep_facts, "watching", lambda: "")
    ledger.begin_sweep(sweep="before", now=NOW, until=NOW, watching="")
    ledger.end_sweep(sweep="before", after=APP)
    sweep()
    assert looks == ["z", "a", APP]


def test_that_a_sweep_died_is_counted(world, monkeypatch):
    counted = []
    monkeypatch.setattr(reconcile, "count", counted.append)
    ledger.begin_sweep(sweep="dead", now=NOW, until=NOW, watching="")
    sweep_at(monkeypatch, NOW + 300)
    assert counted == [reconcile.UNFINISHED]
    sweep_at(monkeypatch, NOW + 600)
    assert counted == [reconcile.UNFINISHED]


def test_a_sweep_that_could_not_list_everything_or_ran_out_of_time_is_counted(world, monkeypatch):
    counted = []
    monkeypatch.setattr(reconcile, "count", counted.append)
    sweep_at(monkeypatch, NOW)
    assert counted == []
    world.faults["running_tasks"] = [AccessDeniedError("ListTasks: not authorized")]
    sweep_at(monkeypatch, NOW + 300)
    assert counted == [reconcile.UNFINISHED]
    monkeypatch.setattr(reconcile, "_look_after_all", lambda *_: "the last app")
    sweep_at(monkeypatch, NOW + 600)
    assert counted == [reconcile.UNFINISHED] * 2


def test_each_fact_is_looked_at_before_what_it_might_be_mistaken_for(deploy, world, push, monkeypatch):
    """A deployment may end between two looks: its task would be lost, were the current one looked at first."""
    deploy(push(1))
    begun = ledger.begin_sweep(sweep="it", now=NOW, until=NOW, watching="")
    account, asked = sweep_facts.of_account(begun), []
    for name in ("app_pushes", "current"):
        look = getattr(ledger, name)
        monkeypatch.setattr(ledger, name, lambda name=name, look=look, **of: asked.append(name) or look(**of))
    sweep_facts.of_app(APP, account)
    assert asked == ["app_pushes", "current"]
