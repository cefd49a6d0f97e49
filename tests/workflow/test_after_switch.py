"""No version is called live that has stopped or was replaced, and none failed that serves."""

import pytest
from deployer.aws import ledger, step_functions
from deployer.domain.task import Task
from deployer.events import reconcile

from tests.conftest import LambdaContext
from tests.workflow.conftest import LambdaDied

# Between the write that makes a version the current one and the mail.
MOMENTS = ["make_current answer", "SwitchOver answer", "PublishUrl"]
MOMENTS_OF_ADDRESS = [*MOMENTS, "ask_address", "CheckStableUrl answer", "StopPrevious answer"]


def current():
    return ledger.current(app="flask-app")


def sweep():
    return reconcile.handler({"id": "sweep"}, LambdaContext())


def outcome(deployment):
    known = ledger.deployments(app="flask-app")
    return next(each.outcome for each in known if each.deployment == deployment)


def news_of(world, deployment):
    return [news for news in world.mails if news["document"]["deployment"] == deployment]


def no_restart(monkeypatch):
    """The stop is noted, and the restart is still on its way."""
    monkeypatch.setattr(step_functions, "start_execution", lambda **_: True)


def assert_it_is_not_called_live(world, reason):
    (news,) = news_of(world, "push-2")
    assert news["subject"] == "flask-app was deployed, but has stopped"
    assert news["attributes"] == {"app": "flask-app", "outcome": "deployed"}
    assert reason in news["text"].splitlines()[1]
    assert "is live" not in news["text"]
    assert outcome("push-2") == "deployed"
    return news


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_version_that_stopped_before_its_mail_is_not_called_live(
    deploy, world, push, stop, monkeypatch, moment
):
    deploy(push(1))
    no_restart(monkeypatch)
    world.faults[moment] = [stop]
    deploy(push(2))
    news = assert_it_is_not_called_live(world, "exit code 1")
    assert "It is being restarted. Another email will say how that went." in news["text"]


@pytest.mark.parametrize("moment", MOMENTS_OF_ADDRESS)
def test_nor_is_one_that_stopped_while_its_address_was_asked(
    deploy, world, push, stop, monkeypatch, stable_url, moment
):
    deploy(push(1))
    no_restart(monkeypatch)
    world.faults[moment] = [stop]
    deploy(push(2))
    assert_it_is_not_called_live(world, "exit code 1")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_version_that_was_stopped_by_hand_before_its_mail_is_not_called_live(
    deploy, world, push, stop, moment
):
    deploy(push(1))
    world.faults[moment] = [lambda: stop(code="UserInitiated", exit_code=None)]
    deploy(push(2))
    news = assert_it_is_not_called_live(world, "")
    assert "It won't be restarted. It was stopped by hand." in news["text"]
    assert world.live() == set()
    sweep()
    assert len(news_of(world, "push-2")) == 1


@pytest.mark.parametrize("moment", MOMENTS_OF_ADDRESS)
def test_a_version_that_was_restarted_before_its_mail_is_live_where_the_restart_answers(
    deploy, world, push, stop, stable_url, moment
):
    deploy(push(1))
    world.faults[moment] = [stop]
    deploy(push(2))
    sweep()
    (news,) = news_of(world, "push-2")
    assert outcome("push-2") == news["attributes"]["outcome"] == "deployed"
    assert news["text"].splitlines()[0] in (current().url, current().direct_url)
    assert news["document"]["direct_url"] == current().direct_url
    assert news["document"]["task"] == current().task
    assert current().deployment.startswith("restart-")
    assert world.live() == {current().task}
    assert world.cut_off == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_version_that_was_replaced_before_its_mail_is_not_called_live(deploy, world, push, moment):
    deploy(push(1))
    world.faults[moment] = [lambda: deploy(push(3))]
    assert deploy(push(2)).status == "SUCCEEDED"
    assert news_of(world, "push-2") == []
    assert (outcome("push-2"), outcome("push-3")) == ("superseded", "deployed")
    assert world.live() == {current().task}


@pytest.mark.parametrize("moment", ["SwitchOver answer", "PublishUrl"])
def test_a_deployment_aborted_after_the_switch_over_is_mailed_as_live_if_restarted(
    deploy, world, push, stop, moment
):
    deploy(push(1))
    world.faults[moment] = [world.abort]
    # A step that has begun continues; this one never does.
    if moment == "PublishUrl":
        world.faults[moment] = [lambda: (world.abort(), (_ for _ in ()).throw(LambdaDied("Lambda.Unknown")))]
    assert deploy(push(2)).status == "ABORTED"
    stop()
    restarted = current()
    assert restarted.deployment.startswith("restart-")
    sweep()
    (news,) = news_of(world, "push-2")
    assert news["subject"] == f"flask-app is live: {restarted.url}"
    assert outcome("push-2") == "deployed"
    assert not any("aborted" in each["subject"] for each in world.mails)
    # The image serves, so nothing deploys it once more.
    assert current() == restarted
    assert sweep() == {}


def test_an_aborted_deployment_stopped_by_hand_is_neither_called_live_nor_redeployed(deploy, world, push, stop):
    deploy(push(1))
    world.faults["SwitchOver answer"] = [world.abort]
    deploy(push(2))
    stop(code="UserInitiated", exit_code=None)
    sweep()
    assert_it_is_not_called_live(world, "")
    assert world.live() == set()
    assert sweep() == {}


@pytest.mark.parametrize("fate", ["restarted", "aborted"])
def test_a_switch_over_whose_answer_was_lost_is_one_though_it_was_restarted_since(
    deploy, world, push, stop, fate
):
    """SwitchOver runs again, or RollBack runs, and finds the restart in the place of its own deployment."""
    deploy(push(1))
    died = LambdaDied("Lambda.Unknown")
    times = 1 if fate == "restarted" else 99

    def die():
        if not current().deployment.startswith("restart-"):
            stop()
        raise died

    world.faults["SwitchOver answer"] = [die] * times
    deploy(push(2))
    sweep()
    assert outcome("push-2") == "deployed"
    (news,) = news_of(world, "push-2")
    assert news["subject"].startswith("flask-app is live: ")
    assert world.live() == {current().task}
    assert isinstance(world.dead[next(iter(world.dead))], Task)
