"""The function for operators: deploying a tag again, and clear refusals."""

import pytest
from deployer.aws import ledger, sns
from deployer.domain.errors import ThrottledError
from deployer.events import operate, reconcile
from deployer.settings import settings, watch_settings

from tests.conftest import LambdaContext


def ask(**event):
    return operate.handler(event, LambdaContext())


def current(app="flask-app"):
    return ledger.current(app=app)


def test_deploys_once_more_what_the_tag_points_to(deploy, world, push):
    deploy(push(1))
    before = current()
    answer = ask(action="deploy", app="flask-app", tag="latest")
    assert answer["status"] == "started"
    assert (answer["app"], answer["tag"], answer["digest"]) == ("flask-app", "latest", before.digest)
    assert current().deployment == answer["deployment"]
    assert world.live() == {current().task} != {before.task}
    assert len(world.mails) == 2
    assert reconcile.handler({"id": "sweep"}, LambdaContext()) == {}


def test_a_push_that_never_answered_can_be_deployed_again(deploy, world, push):
    world.answers = None
    deploy(push(1))
    world.answers = 200
    ask(action="deploy", app="flask-app", tag="latest")
    assert current().digest == push(1)["detail"]["image-digest"]


def test_starts_an_app_that_was_given_up(deploy, world, push, stop):
    deploy(push(1))
    for _ in range(3):
        stop()
    assert "start it again with" in world.mails[-1]["text"]
    ask(action="deploy", app="flask-app")
    assert world.live() == {current().task}
    assert not current().gave_up_reason


def test_each_time_is_a_deployment_of_its_own(deploy, world, push):
    deploy(push(1))
    names = {ask(action="deploy", app="flask-app", tag="latest")["deployment"] for _ in range(3)}
    assert len(names) == 3
    assert len(world.mails) == 4


def test_without_a_tag_it_is_the_one_that_is_live(deploy, world, push):
    event = push(1)
    event["detail"]["image-tag"] = "v1"
    deploy(event)
    assert ask(action="deploy", app="flask-app")["tag"] == "v1"


def test_if_each_tag_is_an_app_a_request_must_name_the_tag(deploy, world, push, monkeypatch):
    monkeypatch.setenv("ENVIRONMENTS", "tag")
    settings.cache_clear()
    try:
        deploy(push(1))
        for event in ({"app": "flask-app:latest"}, {"app": "flask-app", "tag": "latest"}):
            assert ask(action="deploy", **event)["app"] == "flask-app:latest"
        assert "name the tag" in ask(action="deploy", app="flask-app")["reason"]
    finally:
        monkeypatch.undo()
        settings.cache_clear()


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ({}, "action must be one of: deploy"),
        ({"action": "explode", "app": "flask-app"}, "action must be one of: deploy"),
        ({"action": "deploy"}, "The app must be named"),
        ({"action": "deploy", "app": "Flask App"}, "The app must be named"),
        ({"action": "deploy", "app": "flask-app", "tag": "no tag"}, "not a valid tag"),
        ({"action": "deploy", "app": "flask-app", "tag": 7}, "payload must be like"),
        ({"action": "deploy", "app": "flask-app", "tag": "nope"}, "There is no image flask-app:nope"),
    ],
)
def test_an_invalid_request_is_refused_with_a_reason_and_starts_nothing(world, deploy, event, says):
    answer = ask(**event)
    assert answer["status"] == "refused"
    assert says in answer["reason"]
    assert world.started == {}


def test_a_request_that_is_not_an_object_is_refused(world):
    assert operate.handler(["deploy"], LambdaContext())["status"] == "refused"


def test_a_request_for_an_unwatched_repository_is_refused_with_the_watched_patterns(
    world, deploy, push, monkeypatch
):
    monkeypatch.setenv("REPOSITORY_PATTERNS", "web,team/*")
    watch_settings.cache_clear()
    try:
        world.tags["flask-app", "latest"] = push(1)["detail"]["image-digest"]
        assert "web, team/*" in ask(action="deploy", app="flask-app", tag="latest")["reason"]
    finally:
        monkeypatch.undo()
        watch_settings.cache_clear()


def test_an_error_of_aws_is_said_plainly(world, deploy, push):
    world.tags["flask-app", "latest"] = push(1)["detail"]["image-digest"]
    world.faults["start_execution"] = [ThrottledError("StartExecution: Rate exceeded")]
    answer = ask(action="deploy", app="flask-app", tag="latest")
    assert answer == {"status": "refused", "reason": "StartExecution: Rate exceeded", "kind": "not known"}


def test_the_mail_of_a_failure_says_how_to_deploy_the_same_image_again(deploy, world, push):
    world.states = []
    world.faults["run_task"] = [PermissionError("never")]
    deploy(push(1))
    command = (
        "aws lambda invoke --function-name portcall-operate-1a2b3c4d --region eu-west-1 --cli-binary-format "
        """raw-in-base64-out --payload '{"action":"deploy","app":"flask-app","tag":"latest"}' /dev/stdout"""
    )
    assert f"    {command}\n" in world.mails[-1]["text"]
    assert world.mails[-1]["document"]["deploy_command"] == command


def test_the_mail_of_an_app_that_is_broken_does_not(deploy, world, push):
    world.answers = None
    deploy(push(1))
    assert "aws lambda invoke" not in world.mails[-1]["text"]


@pytest.fixture
def subscribed(monkeypatch):
    """How many subscribe to the topic."""
    counts = {"confirmed": 1, "pending": 0}
    monkeypatch.setattr(sns, "subscriptions", lambda topic: sns.Subscriptions(**counts))
    return counts


@pytest.mark.parametrize("by_tag", [False, True])
def test_a_test_email_has_nothing_of_its_callers_but_their_name(world, subscribed, monkeypatch, by_tag):
    monkeypatch.setenv("ENVIRONMENTS", "tag" if by_tag else "repository")
    settings.cache_clear()
    mine = "http://evil.example"
    answer = ask(action="notify", by="ann\n\x1b[31mred", app=mine, tag=mine, reason=mine, to=mine, confirm=mine)
    assert answer["status"] == "sent"
    assert (answer["confirmed"], answer["pending"]) == (1, 0)
    (mail,) = world.mails
    assert mail["subject"] == "Portcall test email"
    assert mail["text"].splitlines() == [
        "This is a test email from Portcall.",
        "",
        "If you can read it, emails about deployments reach you too. Nothing was deployed.",
        "",
        "Stack:        portcall in eu-west-1",
        mail["text"].splitlines()[-1],
    ]
    assert mail["text"].splitlines()[-1].startswith("Requested by: ann")
    assert mine not in repr(mail)
    assert "\x1b" not in repr(mail["text"])


def test_the_subscribers_are_counted_after_the_mail_is_out(world, subscribed):
    subscribed.update(confirmed=0, pending=2)
    answer = ask(action="notify")
    assert (answer["confirmed"], answer["pending"]) == (0, 2)
    assert len(world.mails) == 1


def test_test_emails_are_few_an_hour_and_a_repeated_request_is_one(world, subscribed):
    for _ in range(3):
        assert ask(action="notify", id="0123abcd")["status"] == "sent"
    for number in range(9):
        assert ask(action="notify", id=f"0000000{number}")["status"] == "sent"
    refused = ask(action="notify")
    assert refused["status"] == "refused"
    assert "10 test emails were sent this hour" in refused["reason"]
    assert ask(action="notify", id="0123abcd")["status"] == "sent"
