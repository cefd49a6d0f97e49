"""RollBack alone: what it stops, what it finds out, and what it reports if AWS refuses a call."""

import copy
import dataclasses
import time
from types import SimpleNamespace

import pytest
from deployer.actions import failure_facts, slots, superseded
from deployer.aws import ecs, ledger, logs
from deployer.domain import failure, limits
from deployer.domain.errors import AccessDeniedError, AwsRefusedError
from deployer.domain.push import Push
from deployer.domain.task import Task
from deployer.steps import roll_back, switch_over

from tests.conftest import LambdaContext
from tests.workflow.conftest import stopped
from tests.workflow.test_admission import lose as lose

APP = "flask-app"
DENIED = AccessDeniedError("not authorized")


def current():
    return ledger.current(app=APP)


@pytest.fixture
def document(deploy, world, push):
    """`document(*keys)` is what RollBack gets of a second push that never answered, whose task runs.

    The keys are left out: the workflow had not come that far.
    """
    deploy(push(1))
    (first,) = [event for step, event in world.steps if step == "SwitchOver"]
    event = copy.deepcopy(first) | {"id": "push-2", "time": push(2)["time"]}
    event["detail"]["image-digest"] = push(2)["detail"]["image-digest"]
    event["admission"]["sequence"] += 1
    event["task"]["arn"] = event["task"]["arn"].rpartition("/")[0] + f"/{2:032x}"
    world.started["push-2"] = event["task"]["arn"]
    event["error"] = {"Error": "NoAnswerError", "Cause": '{"errorType": "NoAnswerError", "errorMessage": "It did not answer."}'}  # fmt: skip

    def without(*keys):
        return {name: value for name, value in event.items() if name not in keys}

    return without


def roll(event):
    return roll_back.handler(event, LambdaContext())


def last_mail(world):
    return world.mails[-1]["text"]


def ended(world, event, **how):
    arn = event["task"]["arn"]
    world.dead[arn] = stopped(arn, **{"stop_code": "EssentialContainerExited", "exit_code": 1} | how)


def test_its_task_is_stopped_and_what_serves_continues(world, document):
    before, event = current(), document()
    assert roll(event)["error"] == "NoAnswerError"
    assert world.stopped == [event["task"]["arn"]]
    assert current() == before
    assert f"still running at {before.url}" in last_mail(world)
    assert [news["attributes"]["outcome"] for news in world.mails] == ["deployed", "failed"]


def test_it_cannot_become_current_any_more(world, document):
    event = document()
    roll(event)
    new = current()
    late = Push.from_event(event, by_tag=False)
    assert not ledger.make_current(push=late, new=new, seen=new)


@pytest.mark.parametrize("keys", [(), ("task",)])
def test_all_tasks_that_it_started_are_stopped_each_once(world, document, monkeypatch, keys):
    """A second one may have been started where the answer of the first was lost."""
    event = document()
    mine, second = event["task"]["arn"], f"{event['task']['arn'][:-1]}3"
    monkeypatch.setattr(ecs, "tasks_started_by", lambda **_: [mine, second])
    roll({name: value for name, value in event.items() if name not in keys})
    assert world.stopped == [mine, second]
    assert mine.rpartition("/")[2] in last_mail(world)


def test_a_deployment_that_started_nothing_stops_nothing(world, document, monkeypatch):
    monkeypatch.setattr(ecs, "tasks_started_by", lambda **_: [])
    roll(document("task", "taskDefinition"))
    assert world.stopped == []


def test_a_task_that_has_ended_by_itself_is_not_stopped_for_its_own_reason_counts(world, document):
    event = document()
    ended(world, event, exit_code=3)
    roll(event)
    assert world.stopped == []
    assert "exit code 3" in last_mail(world)


def test_a_task_that_is_about_to_start_is_stopped(world, document):
    event = document()
    world.dead[event["task"]["arn"]] = Task(event["task"]["arn"], "PENDING", "RUNNING", 2)
    roll(event)
    assert world.stopped == [event["task"]["arn"]]


def test_a_task_that_ecs_does_not_know_is_stopped_anyway(world, document, monkeypatch):
    monkeypatch.setattr(ecs, "describe_task", lambda **_: None)
    event = document()
    roll(event)
    assert world.stopped == [event["task"]["arn"]]


def test_a_stop_that_is_refused_is_reported_with_the_command_that_does_it(world, document):
    event = document()
    world.faults["stop_task"] = [DENIED]
    roll(event)
    assert "could not be stopped. It may still run and cost money: not authorized" in last_mail(world)
    assert f"--task {event['task']['arn']}" in last_mail(world).replace("\n", " ")


def test_the_command_in_the_mail_has_a_placeholder_for_an_unknown_task(world, document):
    world.faults["tasks_started_by"] = [DENIED]
    roll(document("task"))
    assert "--task <task>" in last_mail(world).replace("\n", " ")


def test_the_new_task_is_stopped_and_the_unknown_current_version_is_reported(world, document):
    event = document()
    world.faults["abandon"] = [DENIED]
    roll(event)
    assert world.stopped == [event["task"]["arn"]]
    assert "Portcall could not find out which version is running: not authorized" in last_mail(world)


def test_a_ledger_that_cannot_be_read_holds_no_mail_up(world, document, monkeypatch):
    def refuse(**_):
        raise DENIED

    event = document()
    monkeypatch.setattr(ledger, "current", refuse)
    roll(event)
    assert "It did not answer." in last_mail(world)
    assert "Portcall could not find out whether the app is pinned: not authorized" in last_mail(world)


def test_a_task_that_may_be_the_current_one_is_not_stopped(world, document):
    world.faults["abandon"] = [DENIED]
    with pytest.raises(AccessDeniedError):
        roll(document() | {"switch": {"result": "current"}})
    assert world.stopped == []
    assert len(world.mails) == 1


def test_the_mail_says_if_the_state_of_the_previous_version_is_unknown(world, document, monkeypatch):
    serving, describe = current().task, ecs.describe_task

    def refuse(*, cluster, task):
        if task == serving:
            raise DENIED
        return describe(cluster=cluster, task=task)

    monkeypatch.setattr(ecs, "describe_task", refuse)
    roll(document())
    assert (
        "Portcall could not find out whether the previous version is still running: not authorized"
        in last_mail(world)
    )
    assert "still running at" not in last_mail(world)


def test_an_unreadable_log_is_reported_besides_the_error(world, document, monkeypatch):
    def refuse(**_):
        raise DENIED

    monkeypatch.setattr(logs, "tail", refuse)
    roll(document())
    assert "Portcall could not find out more: not authorized" in last_mail(world)
    assert "It did not answer." in last_mail(world)


def test_an_outcome_that_cannot_be_written_down_is_mailed_anyway(world, document):
    world.faults["record"] = [DENIED]
    roll(document())
    assert world.mails[-1]["attributes"]["outcome"] == "failed"


def test_how_far_it_came_is_written_down(world, document, monkeypatch):
    event = document()
    roll(event)
    (known,) = [each for each in ledger.deployments(app=APP) if each.deployment == "push-2"]
    assert (known.outcome, known.error) == ("failed", "NoAnswerError")
    assert (known.task, known.revision) == (event["task"]["arn"], event["taskDefinition"]["arn"])


def test_a_task_whose_answer_was_lost_is_written_down_too(world, document):
    arn = document()["task"]["arn"]
    roll(document("task"))
    (known,) = [each for each in ledger.deployments(app=APP) if each.deployment == "push-2"]
    assert known.task == arn
    assert arn.rpartition("/")[2] in last_mail(world)


def test_the_phase_in_which_it_failed_is_reported_with_what_it_took(world, document, monkeypatch):
    event = document("health")
    now = event["endpoint"]["at"] + 12.25
    monkeypatch.setattr(roll_back, "time", SimpleNamespace(time=lambda: now))
    roll(event)
    (known,) = [each for each in ledger.deployments(app=APP) if each.deployment == "push-2"]
    assert known.phases["answer"] == "12.25"
    assert "answer 12.2 s" in last_mail(world)


# The log of an app that has ended arrives a moment later.


@pytest.fixture
def arriving(monkeypatch):
    """`arriving(*logs)`: what each look at the log finds; the last stays. Returns the looks."""

    def of(*found):
        looks = []

        def tail(**_):
            looks.append(time.monotonic())
            return list(found[min(len(looks), len(found)) - 1])

        monkeypatch.setattr(logs, "tail", tail)
        return looks

    return of


def test_the_log_of_an_app_that_has_ended_is_read_until_nothing_more_comes(world, document, arriving):
    event = document()
    ended(world, event)
    looks = arriving([], ["one"], ["one", "two"], ["one", "two"], ["one", "two", "too late"])
    roll(event)
    assert len(looks) == 4
    assert "two" in last_mail(world)
    assert "too late" not in last_mail(world)


def test_an_app_that_says_something_every_time_is_not_listened_to_for_ever(world, document, arriving):
    event = document()
    ended(world, event)
    looks = arriving(*([f"line {number}"] for number in range(20)))
    roll(event)
    assert len(looks) == 9
    assert "line 8" in last_mail(world)


def test_an_app_that_said_nothing_is_given_three_looks(world, document, arriving):
    event = document()
    ended(world, event)
    looks = arriving([])
    roll(event)
    assert len(looks) == 4


@pytest.mark.parametrize(
    "how", [{"exit_code": None}, {"stop_code": "UserInitiated", "stopped_reason": "Portcall: superseded"}]
)
def test_the_log_of_an_app_that_did_not_end_by_itself_is_read_once(world, document, arriving, how):
    event = document()
    ended(world, event, **how)
    looks = arriving(["one"], ["one", "two"])
    roll(event)
    assert len(looks) == 1


@pytest.fixture
def pause():
    """The log between two reads, before the fake log drops lines."""
    return failure_facts.LOG_READ_PAUSE_SECONDS


def test_the_looks_at_a_log_are_a_second_apart(pause, world, document, arriving, monkeypatch):
    event, slept = document(), []
    ended(world, event)
    monkeypatch.setattr(failure_facts, "LOG_READ_PAUSE_SECONDS", pause)
    monkeypatch.setattr(failure_facts.time, "sleep", slept.append)
    arriving(["one"], ["one"])
    roll(event)
    assert slept == [1.0]


def test_without_a_started_task_no_log_is_read_and_the_mail_says_so(world, document, monkeypatch, arriving):
    monkeypatch.setattr(ecs, "tasks_started_by", lambda **_: [])
    looks = arriving(["of another task"])
    roll(document("task", "taskDefinition"))
    assert looks == []
    assert "No task was started, so there is no log." in last_mail(world)


# What is refused keeps nothing else from being done and reported.


def test_a_task_of_which_ecs_knows_nothing_is_stopped_anyway(world, document):
    event = document()
    world.faults["describe_task"] = [DENIED]
    roll(event)
    assert world.stopped == [event["task"]["arn"]]


def test_the_log_of_a_task_that_could_not_be_stopped_is_reported(world, document):
    world.log = ["the last words"]
    world.faults["stop_task"] = [DENIED]
    roll(document())
    assert "the last words" in last_mail(world)


@pytest.mark.parametrize("refused", [DENIED, AwsRefusedError("the table is gone")])
def test_a_push_whose_app_cannot_be_looked_up_is_reported_under_the_name_of_now(world, document, refused):
    event = document("admission", "task", "taskDefinition", "health", "endpoint", "running", "image")
    world.faults["name_app"] = [refused]
    roll(event)
    assert world.mails[-1]["document"]["app"] == APP


def test_the_mail_says_if_the_superseded_pushes_are_unknown(world, document, monkeypatch):
    def refuse(**_):
        raise DENIED

    monkeypatch.setattr(ledger, "unmailed", refuse)
    roll(document())
    assert "Portcall could not find out which pushes it superseded: not authorized" in last_mail(world)
    assert "It did not answer." in last_mail(world)


def test_a_task_that_could_not_be_stopped_is_reported_before_superseded_pushes(world, document, push):
    event = document()
    other = Push("push-0", push(1)["time"], APP, "edge", f"sha256:{9:064x}")
    ledger.claim(push=other, execution="arn", sequence=1)
    superseded.supersede(other, reason="The tag is gone.")
    world.faults["stop_task"] = [DENIED]
    roll(event)
    assert last_mail(world).index("could not be stopped") < last_mail(world).index(
        "This push superseded an earlier one"
    )
    # The sweep has nothing left to report.
    assert ledger.unmailed(app=APP) == []


def test_a_push_that_it_superseded_while_its_task_was_being_stopped_is_reported_too(world, document, push):
    other = Push("push-0", push(1)["time"], APP, "edge", f"sha256:{'9' * 64}")
    ledger.claim(push=other, execution="arn", sequence=1)
    world.faults["stop_task"] = [lambda: superseded.supersede(other, reason="The tag is gone.")]
    roll(document())
    assert other.digest in last_mail(world)


# Versions that were live, and deployments that are retried.


def test_a_deployment_that_serves_is_reported_with_what_failed_after_it_took_over(world, document):
    event = document()
    switch_over.handler(event, LambdaContext())
    roll(event)
    assert world.mails[-1]["attributes"]["outcome"] == "deployed"
    assert "The app is live, but a later step failed: It did not answer." in last_mail(world)
    assert event["task"]["arn"] in world.live()


FAULT = {"Error": "NoCapacityError", "Cause": '{"errorType": "NoCapacityError", "errorMessage": "No room."}'}


def outcome_of(deployment):
    return {each.deployment: each.outcome for each in ledger.deployments(app=APP)}[deployment]


def test_a_further_attempt_that_cannot_be_noted_is_none_and_the_failure_is_mailed(world, document):
    world.faults["record"] = [DENIED]
    roll(document() | {"error": FAULT})
    assert outcome_of("push-2") == "failed"
    assert "No room." in last_mail(world)


def test_a_push_that_never_got_a_number_is_tried_again_though_another_has_one(world, document):
    roll(document("admission", "task", "taskDefinition") | {"error": FAULT})
    assert outcome_of("push-2") == "retried"
    assert len(world.mails) == 1


@pytest.mark.parametrize(("newest", "outcome"), [(0, "retried"), (1, "superseded")])
def test_a_push_that_failed_on_the_aws_side_is_retried_unless_superseded(world, document, newest, outcome):
    event = document() | {"error": FAULT}
    of = Push.from_event(event, by_tag=False)
    assert ledger.is_newest(push=of, sequence=event["admission"]["sequence"] + newest)
    roll(event)
    assert outcome_of("push-2") == outcome
    # The mail about the newer push names what it superseded.
    assert [each.deployment for each in ledger.unmailed(app=APP)] == ["push-2"] * newest
    assert len(world.mails) == 1


@pytest.mark.parametrize(("attempt", "again"), [(2, True), (3, False)])
def test_the_third_attempt_is_the_last(world, document, attempt, again):
    roll(document() | {"error": FAULT, "retry": {"of": "push-1", "attempt": attempt}})
    assert outcome_of("push-2") == ("retried" if again else "failed")
    # Nothing is mailed of what is tried again.
    assert len(world.mails) == (1 if again else 2)
    assert again or "Portcall tried 3 times since 2026-11-20T09:15:02Z." in last_mail(world)


def test_a_push_that_was_not_admitted_does_not_take_its_tag_from_a_later_one(deploy, world, push, document):
    event = document("admission", "task", "taskDefinition")
    deploy(push(3))
    roll(event)
    assert ledger.tag(app=APP, tag="latest").deployment == "push-3"


@pytest.mark.parametrize(("admitted", "known"), [(False, "push-2"), (True, "")])
def test_the_tag_of_a_push_that_was_never_admitted_is_known_to_the_sweep(world, document, admitted, known):
    """Otherwise the sweep would take it for a push whose event was lost, and deploy it once more."""
    tag = ledger.tag(app=APP, tag="latest")
    assert tag.deployment == "push-1"
    roll(document(*([] if admitted else ["admission", "task", "taskDefinition"])))
    assert ledger.tag(app=APP, tag="latest").deployment == (known or tag.deployment)


# What the mail says.


def test_a_failure_before_a_push_had_a_number_says_that_the_previous_version_serves(world, document):
    roll(document("admission", "task", "taskDefinition"))
    assert f"The previous version is still running at {current().url}" in last_mail(world)


def change(**changes):
    seen = current()
    assert ledger.change_current(app=APP, new=dataclasses.replace(seen, **changes), seen=seen)


def test_a_failure_of_an_older_push_says_that_a_newer_version_serves(world, document):
    event, serving = document(), current()
    newer = dataclasses.replace(serving, sequence=event["admission"]["sequence"] + 1)
    assert ledger.change_current(app=APP, new=newer, seen=serving)
    roll(event)
    assert f"A newer version is running at {serving.url}" in last_mail(world)


def test_a_worker_that_continues_has_no_url_to_report(world, document):
    event = document()
    change(url="", direct_url="")
    roll(event)
    assert "The previous version is still running." in last_mail(world)


def test_an_ending_app_is_not_reported_as_running_though_its_task_still_runs(world, document):
    event = document()
    change(gave_up_reason="Its tag was deleted.", ended=True)
    roll(event)
    assert "No other version is running." in last_mail(world)


@pytest.mark.parametrize("known", [True, False])
def test_a_stopped_version_is_not_reported_as_running_even_before_its_event(
    world, document, monkeypatch, known
):
    event, serving, describe = document(), current().task, ecs.describe_task
    died = stopped(serving, stop_code="EssentialContainerExited", exit_code=1) if known else None
    monkeypatch.setattr(
        ecs,
        "describe_task",
        lambda *, cluster, task: died if task == serving else describe(cluster=cluster, task=task),
    )
    roll(event)
    assert "No other version is running." in last_mail(world)


def test_a_version_that_is_being_restarted_is_not_reported_as_running(world, document):
    event = document()
    change(last_stop=current().task)
    roll(event)
    assert "No other version is running." in last_mail(world)


def test_how_its_task_ended_is_reported_to_programs_too(world, document):
    event = document()
    ended(world, event, exit_code=3)
    roll(event)
    facts = world.mails[-1]["document"]
    assert (facts["stop_code"], facts["exit_code"]) == ("EssentialContainerExited", 3)


def test_a_task_that_was_stopped_here_has_no_stop_code_of_its_own(world, document):
    event = document()
    ended(world, event, stop_code="UserInitiated", stopped_reason="Portcall: superseded")
    roll(event)
    assert "stop_code" not in world.mails[-1]["document"]


def test_the_first_port_of_several_is_the_one_that_is_spoken_of(world, document):
    event = document()
    event["image"]["ports"] = [8080, 9090]
    event["error"] = {"Error": "NoAnswerError", "Cause": '{"errorType": "A", "errorMessage": "Nothing accepted a connection."}'}  # fmt: skip
    roll(event)
    assert "8080" in last_mail(world)
    assert "9090" not in last_mail(world)


def test_the_command_that_deploys_the_same_image_again_is_reported(world, document):
    roll(
        document() | {"error": {"Error": "KeyError", "Cause": '{"errorType": "KeyError", "errorMessage": "x"}'}}
    )
    assert "To deploy the same image again:" in last_mail(world)


def failing_with(error, document):
    cause = f'{{"errorType": "{error}", "errorMessage": "It did not work."}}'
    return document | {"error": {"Error": error, "Cause": cause}}


@pytest.mark.parametrize(("error", "once"), [("AppLimitError", True), ("KeyError", False)])
def test_only_the_mail_of_a_refusal_says_that_others_are_not_mailed(world, document, error, once):
    roll(failing_with(error, document()))
    assert (limits.FIRST_OF_THE_HOUR in " ".join(last_mail(world).split())) is once


def test_a_second_refusal_for_the_same_limit_is_not_mailed(world, document):
    event = failing_with("AppLimitError", document())
    roll(event)
    before = len(world.mails)
    roll(event | {"id": "push-3"})
    assert len(world.mails) == before
    assert outcome_of("push-3") == "failed"


@pytest.mark.parametrize("attempt", [1, 2])
def test_further_attempts_are_numbered(world, document, attempt):
    roll(document() | ({"retry": {"of": "push-1", "attempt": attempt}} if attempt > 1 else {}))
    assert ("Portcall tried" in last_mail(world)) is (attempt > 1)
    assert attempt == 1 or f"Portcall tried {attempt} times since 2026-11-20T09:15:02Z." in last_mail(world)


@pytest.mark.parametrize(("attempt", "again"), [(1, True), (2, False)])
def test_an_abort_is_tried_once_more(world, document, attempt, again):
    roll(failing_with("AbortedError", document()) | {"retry": {"of": "push-1", "attempt": attempt}})
    assert outcome_of("push-2") == ("retried" if again else "failed")


# The slot of an app of which nothing is left.


@pytest.fixture
def freed(monkeypatch):
    """The slots that are given back, and the deployments that may not keep them."""
    found = []
    monkeypatch.setattr(slots, "free", lambda app, *, but="": found.append((app, but)))
    return found


def test_a_first_push_that_failed_gives_its_slot_back(world, document, freed, lose):
    event = document()
    lose()
    roll(event)
    assert freed == [(APP, "push-2")]


def test_a_first_push_that_is_tried_again_keeps_its_slot(world, document, freed, lose):
    """Or the next attempt might find that another app has taken it."""
    event = document() | {"error": FAULT}
    lose()
    roll(event)
    assert outcome_of("push-2") == "retried"
    assert freed == []


def test_a_push_that_failed_leaves_what_serves_its_slot(world, document, freed):
    roll(document())
    assert freed == []


def test_a_slot_that_cannot_be_given_back_is_left_to_the_sweep(world, document, monkeypatch, lose):
    def refuse(*_, **__):
        raise DENIED

    event = document()
    monkeypatch.setattr(slots, "free", refuse)
    lose()
    assert roll(event)["error"] == "NoAnswerError"
    assert world.mails[-1]["attributes"]["outcome"] == "failed"


# Restarts.


@pytest.fixture
def restart(document):
    """`restart(**more)` is what RollBack gets of a restart of what is live."""

    def of(**more):
        serving = current()
        made_of = {"deployment": serving.deployment, "sequence": serving.sequence, "revision": serving.revision}
        return document() | {"restart": made_of | {"reason": "exit code 1"} | more}

    return of


AGAIN_WHEN_AWS_CAN = "Portcall tries again every few minutes until it succeeds; then you get another email."
ONCE_MORE = "Portcall tries again within minutes, at most three times in all."


@pytest.mark.parametrize(
    ("error", "outcome", "next_try"),
    [
        ("NoCapacityError", "retried", AGAIN_WHEN_AWS_CAN),
        ("AbortedError", "failed", ONCE_MORE),
        ("NoAnswerError", "failed", ONCE_MORE),
    ],
)
def test_the_mail_of_a_restart_that_failed_says_why_it_was_and_what_comes_next(
    world, restart, error, outcome, next_try
):
    roll(failing_with(error, restart()))
    text = " ".join(last_mail(world).split())
    assert f"This deployment was a restart of flask-app, which had stopped: exit code 1 {next_try}" in text
    assert outcome_of("push-2") == outcome
    assert "No other version is running." in text


def test_that_aws_refuses_a_restart_is_mailed_once(world, restart):
    before = len(world.mails)
    roll(failing_with("NoCapacityError", restart(refusals=1)))
    assert len(world.mails) == before
    roll(failing_with("NoAnswerError", restart(refusals=1)) | {"id": "push-3"})
    assert len(world.mails) == before + 1


def test_the_ledger_knows_a_restart_by_what_it_restarts(restart):
    event = restart()
    roll(event)
    (known,) = [each for each in ledger.deployments(app=APP) if each.deployment == "push-2"]
    assert known.restart["deployment"] == event["restart"]["deployment"] == "push-1"


GONE = "CannotPullContainerError: failed to resolve ref app@sha256:ab: app@sha256:ab: not found"
PULLED = {"stop_code": "TaskFailedToStart", "stopped_reason": GONE, "exit_code": None}


def test_an_app_whose_image_is_gone_is_given_up_and_reported_as_such(world, restart):
    event = restart()
    ended(world, event, **PULLED)
    roll(event)
    assert current().gave_up_reason == failure.GONE_FROM_ECR
    assert current().gave_up_at == current().notified_at > 0
    assert f"Portcall will not restart it again. {failure.GONE_FROM_ECR}" in " ".join(last_mail(world).split())


@pytest.mark.parametrize("meanwhile", [{"deployment": "push-9"}, {"gave_up_reason": "It was stopped by hand."}])
def test_a_restart_that_cannot_succeed_gives_nothing_up_that_has_changed_meanwhile(world, restart, meanwhile):
    event = restart()
    change(**meanwhile)
    before = current()
    ended(world, event, **PULLED)
    roll(event)
    assert current() == before


def test_a_restart_whose_task_was_stopped_by_hand_is_not_tried_again(world, restart):
    event = restart()
    ended(world, event, stop_code="UserInitiated", stopped_reason="enough", exit_code=None)
    roll(event)
    assert "Portcall will not restart it again, because its task was stopped by hand." in " ".join(
        last_mail(world).split()
    )
