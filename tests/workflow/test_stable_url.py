"""Every version takes over the stable URL, and none is stopped while the URL still points to it."""

from types import SimpleNamespace

import pytest
from deployer.actions import stable_url
from deployer.aws import ledger, step_functions
from deployer.domain.endpoint import NOWHERE
from deployer.domain.errors import (
    AccessDeniedError,
    AwsRefusedError,
    AwsUnavailableError,
    NoAnswerError,
    ThrottledError,
)
from deployer.events import reconcile
from deployer.settings import settings
from deployer.steps import check_stable_url, stop_previous, switch_over

from tests.conftest import LambdaContext
from tests.workflow.conftest import URL
from tests.workflow.test_deploy import HAPPY

STAYS = "https://api-1.example/"
WITH_ADDRESS = [*HAPPY, "CheckStableUrl", "StopPrevious", "PublishUrl"]


@pytest.fixture(autouse=True)
def _stable_url(stable_url):
    pass


def current():
    return ledger.current(app="flask-app")


def stable_url_target(world):
    """The task at which the only stable URL points."""
    (api,) = world.apis.values()
    return world.task_at(api["target"])


def sweep():
    return reconcile.handler({"id": "sweep"}, LambdaContext())


def test_a_push_gets_a_stable_url_that_the_mail_begins_with(deploy, world, push):
    execution = deploy(push(1))
    assert (execution.status, execution.states) == ("SUCCEEDED", WITH_ADDRESS)
    (news,) = world.mails
    assert news["subject"] == f"flask-app is live: {STAYS}"
    assert news["text"].splitlines()[0] == STAYS
    assert f"Task URL:   {URL}\n" in news["text"]
    assert (news["document"]["url"], news["document"]["direct_url"]) == (STAYS, URL)
    assert (current().url, current().direct_url) == (STAYS, URL)


def test_the_next_push_takes_the_stable_url_over(deploy, world, push):
    deploy(push(1))
    first = current()
    deploy(push(2))
    assert [news["subject"] for news in world.mails] == [f"flask-app is live: {STAYS}"] * 2
    assert (current().url, current().last_stable_url) == (first.url, first.last_stable_url)
    assert stable_url_target(world) == current().task != first.task
    assert world.live() == {current().task}


def test_the_previous_version_runs_until_the_stable_url_points_to_the_new_one(deploy, world, push):
    deploy(push(1))
    first = current()
    seen = []
    world.faults["ask_address"] = [lambda: seen.append(world.live())]
    deploy(push(2))
    assert seen == [{first.task, current().task}]
    assert world.stopped == [first.task]
    assert world.cut_off == []


def test_a_restart_takes_the_stable_url_along(deploy, world, push, stop):
    deploy(push(1))
    before = current()
    stop()
    assert current().task != before.task
    assert current().last_stable_url == before.last_stable_url
    assert stable_url_target(world) == current().task
    assert world.mails[-1]["subject"] == f"flask-app is live again: {STAYS}"
    assert "at the same address" in world.mails[-1]["text"]


def test_a_stable_url_points_nowhere_while_its_app_is_down(deploy, world, push, stop):
    """The IP of a stopped task may be somebody else's soon."""
    deploy(push(1))
    stop(code="UserInitiated")
    assert world.apis["api-1"]["target"] == NOWHERE
    deploy(push(2))
    assert stable_url_target(world) == current().task


def test_a_stable_url_points_nowhere_until_its_app_is_started_again(deploy, world, push, stop, monkeypatch):
    deploy(push(1))
    monkeypatch.setattr(step_functions, "start_execution", lambda **_: True)
    stop()
    assert world.apis["api-1"]["target"] == NOWHERE


def test_a_stable_url_points_nowhere_where_giving_the_app_up_came_no_further(deploy, world, push, stop):
    deploy(push(1))
    stop()
    stop()
    world.faults["publish"] = [AwsUnavailableError("no answer")]
    with pytest.raises(AwsUnavailableError):
        stop(times=1)
    assert current().gave_up_reason
    assert world.apis["api-1"]["target"] == NOWHERE


def test_a_stable_url_that_cannot_be_moved_holds_up_no_restart(deploy, world, push, stop):
    deploy(push(1))
    before = current()
    # The restart's own move comes first: here, an execution has ended when its start is answered.
    world.faults["update_target"] = [lambda: None, AccessDeniedError("UpdateIntegration: not authorized")]
    with pytest.raises(AccessDeniedError):
        stop(times=1)
    assert world.live() == {current().task} != {before.task}


def test_a_stable_url_that_could_not_be_pointed_away_is_pointed_away_when_the_function_is_called_again(
    deploy, world, push, stop, monkeypatch
):
    deploy(push(1))
    monkeypatch.setattr(step_functions, "start_execution", lambda **_: True)
    world.faults["update_target"] = [AwsRefusedError("Invalid HTTP endpoint specified for URI")]
    with pytest.raises(AwsRefusedError):
        stop(times=1)
    stop(times=1)
    assert world.apis["api-1"]["target"] == NOWHERE


def test_a_throttled_update_of_the_stable_url_is_retried_three_times(deploy, world, push, stop, monkeypatch):
    deploy(push(1))
    monkeypatch.setattr(step_functions, "start_execution", lambda **_: True)
    slept, moved = [], []
    monkeypatch.setattr(stable_url, "time", SimpleNamespace(sleep=slept.append))
    world.faults["update_target"] = [ThrottledError("Too many requests")] * 3 + [lambda: moved.append(1)] * 9
    stop(times=1)
    assert world.apis["api-1"]["target"] == NOWHERE
    assert (slept, moved) == ([0.5] * 3, [1])
    moved.clear()
    world.faults["update_target"] = [lambda: moved.append(1)] * 9
    stop(times=1)
    assert moved == [1]
    world.faults["update_target"] = [ThrottledError("Too many requests")] * 4
    with pytest.raises(ThrottledError):
        stop(times=1)


def test_a_version_that_fails_leaves_the_stable_url_alone(deploy, world, push):
    deploy(push(1))
    before = current()
    world.answers = None
    assert deploy(push(2)).status == "FAILED"
    assert stable_url_target(world) == before.task
    assert f"still running at {STAYS}" in world.mails[-1]["text"]


def test_an_app_that_speaks_no_http_has_no_stable_url_and_its_mail_says_so(deploy, world, push):
    world.configuration = {"Cmd": ["db"], "Labels": {"portcall.health": "tcp", "portcall.port": "6379"}}
    execution = deploy(push(1))
    assert "CheckStableUrl" not in execution.states
    assert world.apis == {}
    assert world.mails[0]["text"].splitlines()[0] == "tcp://203.0.113.7:6379"
    assert "stable URLs are for HTTP, and this app speaks plain TCP." in world.mails[0]["text"]


def test_every_step_may_run_twice(deploy, world, push):
    deploy(push(1))
    world.each_step_twice = True
    assert deploy(push(2)).states == WITH_ADDRESS
    assert list(world.apis) == ["api-1"]
    assert stable_url_target(world) == current().task
    assert world.live() == {current().task}
    assert world.cut_off == []


def test_a_stable_url_that_was_made_but_whose_making_was_never_answered_is_found_again(deploy, world, push):
    world.faults["update_target"] = [AwsUnavailableError("no answer")]
    assert deploy(push(1)).status == "SUCCEEDED"
    assert list(world.apis) == ["api-1"]


def test_a_stable_url_that_somebody_deleted_is_replaced(deploy, world, push):
    deploy(push(1))
    world.apis.clear()
    world.apis["api-9"] = {"app": "another", "target": NOWHERE}
    deploy(push(2))
    assert current().url == "https://api-2.example/"
    assert world.mails[-1]["text"].splitlines()[0] == current().url


@pytest.mark.parametrize(
    "refused", [AccessDeniedError("CreateApi: not authorized"), AwsRefusedError("too many APIs")]
)
def test_an_app_uses_its_own_url_until_a_stable_url_can_be_created(deploy, world, push, refused):
    world.faults["create_stable_url"] = [refused]
    assert deploy(push(1)).status == "SUCCEEDED"
    assert world.mails[0]["text"].splitlines()[0] == current().url == URL
    assert switch_over.REFUSED in world.mails[0]["text"]
    deploy(push(2))
    assert current().url == STAYS
    assert world.mails[-1]["text"].splitlines()[0] == STAYS


def test_an_app_keeps_its_stable_url_if_the_api_lookup_is_denied(deploy, world, push):
    deploy(push(1))
    world.faults["create_stable_url"] = [AccessDeniedError("GetApis: not authorized")]
    assert deploy(push(2)).status == "SUCCEEDED"
    assert current().url == STAYS
    assert stable_url_target(world) == current().task


def test_an_app_on_a_port_that_api_gateway_does_not_call_has_no_stable_url_and_its_mail_says_so(
    deploy, world, push
):
    world.configuration = {"Cmd": ["web"], "ExposedPorts": {"81/tcp": {}}}
    assert deploy(push(1)).status == "SUCCEEDED"
    assert world.apis == {}
    assert "API Gateway only calls the ports 80, 443 and 1024 to 65535." in world.mails[0]["text"]


def refused_once(world):
    world.faults["update_target"] = [AccessDeniedError("UpdateApi: not authorized")]


def test_a_version_that_the_stable_url_does_not_point_to_is_live_where_it_answered(deploy, world, push):
    """Nothing is stopped at which the stable URL may point."""
    deploy(push(1))
    first = current()
    refused_once(world)
    assert deploy(push(2)).status == "SUCCEEDED"
    (news,) = world.mails[1:]
    assert news["attributes"]["outcome"] == "deployed"
    assert news["text"].splitlines()[0] == current().direct_url
    assert "UpdateApi: not authorized" in news["text"]
    assert {first.task, current().task} == world.live()
    assert stable_url_target(world) == first.task


def test_the_sweep_finishes_such_a_switch_over(deploy, world, push):
    deploy(push(1))
    first = current()
    refused_once(world)
    deploy(push(2))
    assert sweep() == {"flask-app": ["pointed its stable URL at the current task"]}
    assert stable_url_target(world) == current().task
    assert world.live() == {first.task, current().task}
    assert sweep() == {"flask-app": [f"stopped {first.task}"]}
    assert world.live() == {current().task}
    assert world.cut_off == []


def test_the_sweep_points_the_stable_url_at_the_current_version_where_the_previous_version_was_dead(
    deploy, world, push, stop, monkeypatch
):
    deploy(push(1))
    with monkeypatch.context() as patch:
        patch.setattr(step_functions, "start_execution", lambda **_: True)
        stop()
    assert world.apis["api-1"]["target"] == NOWHERE
    refused_once(world)
    deploy(push(2))
    sweep()
    assert stable_url_target(world) == current().task


@pytest.mark.parametrize(
    "error", [ThrottledError("Too many requests"), AccessDeniedError("UpdateApi: not authorized")]
)
def test_the_sweep_points_the_stable_url_away_from_a_task_that_is_down_until_it_succeeds(
    deploy, world, push, stop, monkeypatch, error
):
    deploy(push(1))
    monkeypatch.setattr(stable_url, "PAUSE_SECONDS", 0.0)
    world.faults["update_target"] = [error] * 12
    with pytest.raises(type(error)):
        stop(code="UserInitiated", times=1)
    tries = len(world.faults["update_target"])
    (said,) = sweep()["flask-app"]
    assert "failed" in said
    assert len(world.faults["update_target"]) < tries
    world.faults.clear()
    assert sweep() == {"flask-app": ["pointed its stable URL at the current task"]}
    assert world.apis["api-1"]["target"] == NOWHERE
    assert sweep() == {}


def test_a_sweep_while_the_stable_url_is_asked_stops_nothing(deploy, world, push):
    deploy(push(1))
    first, seen = current(), []
    world.faults["ask_address"] = [lambda: seen.append((sweep(), world.live()))]
    deploy(push(2))
    assert seen == [({}, {first.task, current().task})]
    assert world.live() == {current().task}


def test_an_app_that_turns_to_plain_tcp_loses_its_stable_url_before_the_previous_version_is_stopped(
    deploy, world, push
):
    deploy(push(1))
    first = current()
    world.configuration = {"Cmd": ["db"], "Labels": {"portcall.health": "tcp", "portcall.port": "6379"}}
    deploy(push(2))
    assert world.live() == {first.task, current().task}
    sweep(), sweep()
    assert world.apis == {}
    assert world.live() == {current().task}
    assert world.cut_off == []
    sweep()
    assert current().last_stable_url is None
    # From now on, nothing waits for the sweep.
    deploy(push(3))
    assert world.live() == {current().task}


def test_the_mail_says_if_the_stable_url_does_not_reach_the_new_version(deploy, world, push):
    deploy(push(1))
    world.faults["ask_address"] = [NoAnswerError("The app is running, but did not answer within 60 seconds.")]
    deploy(push(2))
    assert f"The stable URL {STAYS} does not reach the new version." in world.mails[-1]["text"]
    assert world.mails[-1]["text"].splitlines()[0] == current().direct_url


def test_a_version_that_is_superseded_while_its_stable_url_is_asked_is_content(deploy, world, push):
    world.faults["ask_address"] = [lambda: deploy(push(2))]
    first = deploy(push(1))
    assert (first.status, first.states) == ("SUCCEEDED", WITH_ADDRESS)
    assert current().deployment == "push-2"
    assert stable_url_target(world) == current().task
    assert world.live() == {current().task}
    assert world.cut_off == []


def test_the_stable_url_points_to_the_newest_of_two_overlapping_deployments(deploy, world, push):
    """The first reads what is current, and before it moves the address there the second has switched over."""
    deploy(push(1))
    world.faults["update_target"] = [lambda: deploy(push(3))]
    deploy(push(2))
    assert current().deployment == "push-3"
    assert stable_url_target(world) == current().task
    assert world.live() == {current().task}


def test_a_superseded_version_leaves_the_stable_url_where_it_should_point(deploy, world, push):
    """The attempt before died after it had moved the address, and before it could look again."""
    deploy(push(1))
    mine = world.apis["api-1"].copy()

    def supersede():
        deploy(push(3))
        world.apis["api-1"] |= mine
        raise AwsUnavailableError("no answer")

    world.faults["update_target"] = [supersede]
    assert deploy(push(2)).states[-1] == "Superseded"
    assert stable_url_target(world) == current().task
    assert world.live() == {current().task}


def test_of_two_first_pushes_at_once_one_makes_the_stable_url(deploy, world, push):
    world.faults["create_stable_url"] = [lambda: deploy(push(2))]
    deploy(push(1))
    assert current().deployment == "push-2"
    assert stable_url_target(world) == current().task


def test_the_sweep_closes_a_stable_url_that_no_deployment_has(deploy, world, push):
    deploy(push(1))
    world.apis["api-2"] = {"app": "flask-app", "target": "http://203.0.113.9/"}
    world.apis["api-3"] = {"app": "never-live", "target": "http://203.0.113.9/"}
    assert sweep() == {"flask-app": ["deleted stable URL api-2"], "never-live": ["deleted stable URL api-3"]}
    assert list(world.apis) == ["api-1"]
    assert sweep() == {}


def test_the_sweep_leaves_the_stable_url_of_a_deployment_under_way_alone(deploy, world, push):
    seen = []
    world.faults["update_target"] = [lambda: seen.append(sweep())]
    deploy(push(1))
    assert seen == [{}]
    assert list(world.apis) == ["api-1"]


def test_the_sweep_does_the_rest_without_api_gateway(deploy, world, push):
    deploy(push(1))
    world.started["nobody"] = "arn:aws:ecs:eu-west-1:111122223333:task/portcall/orphan"
    world.faults["stable_urls_of"] = [AwsUnavailableError("no answer")]
    sweep()
    assert world.live() == {current().task}
    assert list(world.apis) == ["api-1"]


def test_switched_off_again_the_app_loses_its_stable_url_and_then_its_previous_version(
    deploy, world, push, monkeypatch
):
    deploy(push(1))
    first = current()
    monkeypatch.setenv("STABLE_URL", "off")
    settings.cache_clear()
    assert deploy(push(2)).states == HAPPY
    assert current().url == current().direct_url
    assert world.live() == {first.task, current().task}
    assert sweep() == {"flask-app": ["deleted stable URL api-1"]}
    assert sweep() == {"flask-app": [f"stopped {first.task}"]}
    assert world.cut_off == []


def test_a_stop_that_comes_late_stops_nothing_of_a_newer_deployment(deploy, world, push):
    document, seen = deploy(push(1)).output, []

    def stop_late():
        stop_previous.handler(document, LambdaContext())
        seen.extend(world.stopped)

    world.faults["ask_address"] = [stop_late]
    deploy(push(2))
    assert seen == []


def test_a_previous_version_that_cannot_be_stopped_is_reported(deploy, world, push):
    deploy(push(1))
    world.faults["stop_task"] = [AccessDeniedError("StopTask: not authorized")]
    assert deploy(push(2)).status == "SUCCEEDED"
    assert "could not be stopped" in world.mails[-1]["text"]


def test_the_path_of_the_health_check_is_asked_at_the_stable_url(monkeypatch, push):
    asked, slept = [], []
    monkeypatch.setattr(check_stable_url.time, "sleep", slept.append)
    monkeypatch.setattr(
        "deployer.actions.probe.wait_until_answers",
        lambda urls, **_: asked.append(urls) or check_stable_url.probe.Answer(urls[0], 200),
    )
    document = push(1) | {"image": {"health": "/healthz"}}
    for takes_over in (False, True):
        document["switch"] = {"url": STAYS, "takesOver": takes_over}
        assert check_stable_url.handler(document, LambdaContext())["status"] == 200
    assert asked == [["https://api-1.example/healthz"]] * 2
    # If it pointed at another version, the step waits until the change takes effect.
    assert slept == [check_stable_url.SETTLE_SECONDS]
