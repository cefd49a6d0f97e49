"""The limits of restarts, to the second, with a clock that stands still."""

import dataclasses
import re
from types import SimpleNamespace

import pytest
from deployer.actions import restarts
from deployer.aws import ledger, logs, step_functions
from deployer.domain.errors import AccessDeniedError, AwsUnavailableError
from deployer.domain.push import Push
from deployer.domain.task import Task
from deployer.settings import settings, watch_settings

from tests.workflow.conftest import stopped

NOW = 1_800_000_000
APP = "flask-app"


def current():
    return ledger.current(app=APP)


def change(**changes):
    seen = current()
    assert ledger.change_current(app=APP, new=dataclasses.replace(seen, **changes), seen=seen)
    return current()


@pytest.fixture
def clock(monkeypatch):
    """The clock of restarts; set its `now`."""
    still = SimpleNamespace(now=NOW + 0.5)
    still.time = lambda: still.now
    monkeypatch.setattr(restarts, "time", still)
    return still


@pytest.fixture
def started(deploy, world, push, clock, monkeypatch):
    """An app that runs, and what is started from now on: documents."""
    deploy(push(1))
    documents = []
    start = lambda *, machine, name, document: documents.append(document | {"name": name}) or True  # noqa: E731
    monkeypatch.setattr(step_functions, "start_execution", start)
    return documents


@pytest.fixture
def counted(monkeypatch):
    """The metrics that restarts count."""
    names = []
    monkeypatch.setattr(restarts, "count", names.append)
    return names


def crashed(**how):
    return stopped(current().task, stop_code="EssentialContainerExited", exit_code=1, **how)


def handle_stop(task=None, *, stop="", serving=None):
    serving = serving or current()
    return restarts.restart(app=APP, current=serving, task=task, stop=stop or serving.task)


def test_a_restart_is_of_what_was_live_and_says_why(world, started, counted):
    serving = current()
    assert handle_stop(crashed()) == "restarted"
    (document,) = started
    number = serving.task.rpartition("/")[2]
    assert document["name"] == document["id"] == f"restart-{number}"
    of = document["restart"]
    assert (of["deployment"], of["sequence"], of["revision"]) == ("push-1", serving.sequence, serving.revision)
    assert of["reason"] == "exit code 1"
    assert document["image"] == serving.image
    assert document["detail"]["image-digest"] == serving.digest
    assert document["detail"]["image-tag"] == "latest"
    assert (current().last_stop, current().reason) == (serving.task, "exit code 1")
    assert (current().attempts, current().crashes) == (1, [NOW])
    assert world.mails[1:] == []
    assert counted == ["Restarted"]


@pytest.mark.parametrize(("ago", "down"), [(599, True), (600, False)])
def test_the_third_crash_within_ten_minutes_is_the_last(world, started, ago, down):
    change(crashes=[NOW - ago, NOW - 1])
    assert handle_stop(crashed()) == ("given up" if down else "restarted")
    assert len(started) == (not down)
    assert current().gave_up_reason == ("It crashed 3 times within ten minutes." if down else "")
    assert len(current().crashes) == 3 - (not down)


def test_two_crashes_are_not_too_many(started):
    change(crashes=[NOW - 1])
    assert handle_stop(crashed()) == "restarted"


@pytest.mark.parametrize(("attempts", "down"), [(2, False), (3, True)])
def test_after_three_restarts_that_failed_there_is_no_fourth(world, started, counted, attempts, down):
    serving = change(last_stop=f"{current().task}#1", attempts=attempts)
    assert handle_stop(stop=f"{serving.task}#{attempts}") == ("given up" if down else "restarted")
    assert len(started) == (not down)
    if down:
        assert current().gave_up_reason == "3 restarts in a row failed."
        assert "restarting it failed" in world.mails[-1]["subject"]
        assert counted == ["GivenUp"]
    else:
        assert started[0]["name"] == f"restart-{serving.task.rpartition('/')[2]}-2"
        assert current().attempts == 3


def test_a_stop_that_is_handled_again_counts_as_one_crash(started):
    serving = change(last_stop=current().task, crashes=[NOW - 60, NOW - 30], attempts=1)
    assert handle_stop(crashed(), stop=f"{serving.task}#1") == "restarted"
    assert current().crashes == [NOW - 60, NOW - 30]


@pytest.mark.parametrize("task", [None, Task("", "STOPPED", "STOPPED", 6, stop_code="SpotInterruption")])
def test_an_unknown_stop_or_a_spot_interruption_is_not_counted_as_a_crash(started, task):
    change(crashes=[NOW - 60, NOW - 30])
    assert handle_stop(task) == "restarted"
    assert current().crashes == [NOW - 60, NOW - 30]


def test_an_app_whose_task_ecs_no_longer_knows_is_restarted(started):
    handle_stop(None)
    assert started[0]["restart"]["reason"] == "The task was gone, and AWS gives no reason"


def test_a_stop_by_hand_is_the_end_and_needs_no_mail(world, started, clock):
    by_hand = stopped(current().task, stop_code="UserInitiated")
    assert handle_stop(by_hand) == "given up"
    assert (current().gave_up_reason, current().last_stop) == (restarts.BY_HAND, current().task)
    clock.now = NOW + 3600
    assert handle_stop(by_hand) == "known"
    assert started == []
    assert len(world.mails) == 1


@pytest.mark.parametrize("task", ["crash", "by hand", "too often"])
def test_who_has_seen_an_older_state_changes_nothing(world, started, task):
    if task == "too often":
        change(crashes=[NOW - 2, NOW - 1])
    seen = current()
    newer = change(reason="Somebody else was here.")
    died = stopped(seen.task, stop_code="UserInitiated") if task == "by hand" else crashed()
    assert handle_stop(died, serving=seen) == "known"
    assert (current(), started, len(world.mails)) == (newer, [], 1)


def test_that_an_app_is_down_is_mailed_by_the_sweep_after_a_minute_if_it_was_not_at_once(
    world, started, clock, counted
):
    change(
        last_stop=current().task,
        gave_up_reason="It crashed 3 times within ten minutes.",
        gave_up_at=NOW,
        crashes=[1, 2, 3],
    )
    clock.now = NOW + 59.9
    assert handle_stop(None) == "known"
    assert len(world.mails) == 1
    clock.now = NOW + 60
    assert handle_stop(None) == "given up"
    assert "it keeps crashing" in world.mails[-1]["subject"]
    assert current().notified_at == NOW + 60
    assert handle_stop(None) == "known"
    assert len(world.mails) == 2
    assert counted == ["GivenUp"]


def test_that_an_app_is_down_is_mailed_at_once_and_once(world, started, clock):
    change(crashes=[NOW - 2, NOW - 1])
    handle_stop(crashed())
    assert (current().gave_up_at, current().notified_at) == (NOW, NOW)
    clock.now = NOW + 3600
    assert handle_stop(None) == "known"
    assert len(world.mails) == 2


def test_the_mail_of_an_app_that_is_down_names_the_task_that_died_and_its_last_words(world, started):
    world.log = ["ready", "out of luck"]
    serving = change(
        last_stop=f"{current().task}#3", gave_up_reason="3 restarts came to nothing.", gave_up_at=1
    )
    assert handle_stop(None) == "given up"
    text = world.mails[-1]["text"]
    assert "out of luck" in text
    assert serving.task.rpartition("/")[2] in text
    assert "#3" not in text
    assert serving.revision.rpartition("/")[2] in text


def test_an_app_whose_log_cannot_be_read_is_reported_as_down_anyway(world, started, monkeypatch):
    def refuse(**_):
        raise AccessDeniedError("GetLogEvents: not authorized")

    monkeypatch.setattr(logs, "tail", refuse)
    change(crashes=[NOW - 2, NOW - 1])
    assert handle_stop(crashed()) == "given up"
    assert len(world.mails) == 2


def test_a_task_is_of_the_latest_restart_or_of_none(started):
    serving = current()
    name = f"restart-{serving.task.rpartition('/')[2]}"
    assert not restarts.is_latest_restart(serving, "restart-")
    handle_stop(crashed())
    assert restarts.is_latest_restart(current(), name)
    assert not restarts.is_latest_restart(current(), f"{name}-1")


# The start of a restart.


@pytest.fixture
def starts(started, monkeypatch):
    """`starts(error, False)`: how the next starts are answered; the last stays. Returns the names of the started."""

    def of(*answers):
        names = []

        def start(*, name, **_):
            names.append(name)
            answer = answers[min(len(names), len(answers)) - 1]
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(step_functions, "start_execution", start)
        return names

    return of


def test_a_start_whose_answer_is_lost_is_made_once_more_by_the_same_name(starts, counted):
    names = starts(AwsUnavailableError("no answer"), True)
    assert handle_stop(crashed()) == "restarted"
    assert names == [f"restart-{current().task.rpartition('/')[2]}"] * 2
    assert counted == ["Restarted"]


def test_a_restart_that_was_started_before_is_not_counted_again(starts, counted):
    starts(False)
    assert handle_stop(crashed()) == "known"
    assert counted == []


def test_a_restart_that_has_begun_is_not_started_by_a_further_event(starts, started):
    handle_stop(crashed())
    serving = current()
    restart = Push(started[0]["name"], serving.restarted_at, APP, serving.tag, serving.digest)
    ledger.claim(push=restart, execution="arn", sequence=serving.sequence)
    names = starts(True)
    assert handle_stop(crashed()) == "known"
    assert names == []


@pytest.mark.parametrize("reported", [True, False])
def test_a_start_that_is_refused_is_reported_to_the_caller(starts, reported):
    refused, said = AccessDeniedError("StartExecution: not authorized"), []
    starts(refused)
    serving = current()
    with pytest.raises(AccessDeniedError):
        restarts.restart(
            app=APP,
            current=serving,
            task=crashed(),
            stop=serving.task,
            when_not_begun=(lambda document, error: said.append((document["id"], error))) if reported else None,
        )
    name = f"restart-{serving.task.rpartition('/')[2]}"
    assert said == ([(name, refused)] if reported else [])


def test_when_it_was_asked_for_is_known_to_the_millisecond(started):
    """Its item in the ledger has that time in its name: each function that begins it finds the same."""
    handle_stop(crashed())
    (document,) = started
    assert document["time"] == current().restarted_at
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document["time"])


def test_the_mail_of_an_app_that_is_down_has_the_command_that_deploys_it_again(world, started):
    change(crashes=[NOW - 2, NOW - 1])
    handle_stop(crashed())
    assert settings().deploy_command(Push("", "", APP, "latest", "")) in world.mails[-1]["text"]


@pytest.mark.parametrize(("refusals", "down"), [(0, True), (1, False)])
def test_refusals_of_aws_are_not_counted_among_the_restarts_that_failed(started, refusals, down):
    serving = change(last_stop=f"{current().task}#1", attempts=3, refusals=refusals)
    assert handle_stop(stop=f"{serving.task}#9") == ("given up" if down else "restarted")
    assert current().refusals == refusals


def test_a_restart_that_aws_refused_counts_as_a_refusal(started):
    serving = change(last_stop=current().task, attempts=1)
    restarts.restart(app=APP, current=serving, task=None, stop=f"{serving.task}#1", refused=True)
    assert (current().attempts, current().refusals) == (2, 1)
    assert started[-1]["restart"]["refusals"] == 1


def test_the_next_event_starts_a_recorded_restart_and_counts_it_once(starts):
    starts(AccessDeniedError("StartExecution: not authorized"))
    with pytest.raises(AccessDeniedError):
        handle_stop(crashed())
    noted = current()
    names = starts(True)
    assert handle_stop(crashed()) == "restarted"
    assert len(names) == 1
    assert current() == noted
    assert (noted.crashes, noted.attempts, noted.handled_stops) == ([NOW], 1, [noted.task])


def test_a_handled_stop_is_known_when_its_event_comes_late(starts):
    handle_stop(crashed())
    first = current().task
    serving = change(last_stop=f"{first[:-1]}x")
    assert handle_stop(crashed(), stop=first) == "known"
    assert current() == serving


def test_a_further_attempt_is_not_a_stop_of_its_own(started):
    serving = change(last_stop=current().task, handled_stops=[current().task], attempts=1)
    handle_stop(stop=f"{serving.task}#1")
    assert current().handled_stops == serving.handled_stops


@pytest.mark.parametrize(("patterns", "watched"), [("flask-app,", True), ("other,", False)])
def test_an_app_whose_repository_is_not_watched_any_more_is_not_started_again(
    world, started, monkeypatch, patterns, watched
):
    monkeypatch.setenv("REPOSITORY_PATTERNS", patterns)
    watch_settings.cache_clear()
    try:
        assert handle_stop(crashed()) == ("restarted" if watched else "given up")
    finally:
        monkeypatch.undo()
        watch_settings.cache_clear()
    assert current().gave_up_reason == ("" if watched else restarts.NOT_WATCHED)
    assert watched or world.mails[-1]["subject"] == "flask-app is down: its repository is not watched"
    assert watched or "watch its repository again" in world.mails[-1]["text"]


def test_who_has_seen_an_older_state_does_not_mail_again_that_an_app_is_down(world, started):
    seen = change(gave_up_reason="It crashed 3 times within ten minutes.", gave_up_at=1)
    change(reason="Somebody else was here.")
    assert restarts.notify_again(APP, seen) == "known"
    assert len(world.mails) == 1


@pytest.mark.parametrize("again", [False, True])
def test_that_an_app_is_down_is_noted_in_the_first_request_after_the_mail(world, started, clock, again):
    """With each further one the function may die in between, and the mail would be sent once more."""
    serving = change(crashes=[NOW - 2, NOW - 1])
    if again:
        change(gave_up_reason="It crashed.", gave_up_at=NOW)
        clock.now = NOW + 3600
    writes_after_mail = []
    world.faults["publish answer"] = [
        lambda: world.faults.update({"change_current": [lambda: writes_after_mail.append(1)] * 9})
    ]
    notified = restarts.notify_again(APP, current()) if again else handle_stop(crashed(), serving=serving)
    assert notified == "given up"
    assert current().notified_at
    assert writes_after_mail == [1]


def test_overlapping_sweeps_send_one_mail_about_an_app_that_is_down(world, started, clock):
    change(gave_up_reason="It crashed.", gave_up_at=NOW)
    clock.now = NOW + 3600
    meanwhile = []

    def another_sweep():
        clock.now += 59
        meanwhile.append(restarts.notify_again(APP, current()))

    world.faults["publish"] = [another_sweep]
    assert restarts.notify_again(APP, current()) == "given up"
    assert meanwhile == ["known"]
    assert len(world.mails) == 2
