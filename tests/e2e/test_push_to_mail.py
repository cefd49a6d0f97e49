"""From docker push to the URL in the inbox."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import FIXTURES, ROOT, Portcall, docker, get
from tests.local.conftest import eventually

pytestmark = pytest.mark.long(45)


@pytest.mark.parametrize(
    ("app", "folder", "path", "answer"),
    [
        ("plain-app", FIXTURES / "plain-http", "", "plain-http 1"),
        ("greeting-app", ROOT / "flask_app", "greet", "Greetings from Flask!"),
    ],
)
def test_a_push_ends_in_a_mail_whose_first_line_is_a_url_that_answers(
    portcall: Portcall, app: str, folder: Path, path: str, answer: str
) -> None:
    digest = portcall.push(folder, app)
    mail = portcall.mail(app, digest)
    url = mail.text.splitlines()[0]
    assert mail.subject == f"{app} is live: {url}"
    assert mail.attributes == {"app": app, "outcome": "deployed"}
    assert mail.to == "you@example.com"
    assert answer in get(url + path)
    assert portcall.execution(app, digest)["status"] == "SUCCEEDED"


def test_the_digest_in_the_mail_is_the_one_that_docker_pushed_and_that_runs(portcall: Portcall) -> None:
    digest = portcall.push(FIXTURES / "plain-http", "plain-app", VERSION="digest")
    mail = portcall.mail("plain-app", digest)
    image = portcall.image("plain-app")
    known = docker("inspect", "--format={{range .RepoDigests}}{{println .}}{{end}}", image).split()
    assert f"{portcall.registry}/plain-app@{digest}" in known
    assert f"{digest}\n" in mail.text
    (app,) = portcall.apps("plain-app")
    assert app["digest"] == digest


def test_status_lists_the_app_for_programs_and_for_people(portcall: Portcall) -> None:
    digest = portcall.push(FIXTURES / "plain-http", "plain-app", VERSION="status")
    url = portcall.mail("plain-app", digest).text.splitlines()[0]
    assert portcall.says("wait", f"plain-app:latest@{digest}") == f"{url}\n"
    (running,) = portcall.apps("plain-app")
    apps = json.loads(portcall.says("status", "--json"))["apps"]
    (app,) = (each for each in apps if each["app"] == "plain-app")
    assert (app["state"], app["url"], app["serving"]["digest"]) == ("live", url, digest)
    assert app["serving"]["task"] == running["task_arn"]
    assert app["latest"]["digest"] == digest
    for command in (["status"], ["status", "plain-app", "--exit-code"], ["show", "plain-app"]):
        assert url in portcall.says(*command)
    assert digest.removeprefix("sha256:")[:7] in portcall.says("history", "plain-app")


def test_the_inbox_is_read_by_programs_and_by_people(portcall: Portcall) -> None:
    digest = portcall.push(FIXTURES / "plain-http", "plain-app", VERSION="inbox")
    mail = portcall.mail("plain-app", digest)
    listed = json.loads(portcall.says("inbox", "--json"))
    (same,) = (each for each in listed if each["id"] == mail.id)
    assert same["subject"] == mail.subject
    assert same["text"] == mail.text
    assert same["attributes"] == mail.attributes
    assert len(json.loads(portcall.says("inbox", "--json", "--last", "1"))) == 1
    shown = portcall.says("inbox")
    assert mail.subject in shown
    assert mail.text in shown


def test_a_second_push_serves_the_second_content_and_ends_the_first(portcall: Portcall) -> None:
    first = portcall.push(FIXTURES / "plain-http", "plain-app", VERSION="first")
    assert get(portcall.mail("plain-app", first).text.splitlines()[0]) == "plain-http first"
    second = portcall.push(FIXTURES / "plain-http", "plain-app", VERSION="second")
    url = portcall.mail("plain-app", second).text.splitlines()[0]
    assert get(url) == "plain-http second"
    eventually(lambda: len(portcall.containers("plain-app")) == 1, every=0.2)
    assert [each["digest"] for each in portcall.apps("plain-app")] == [second]
    assert get(url) == "plain-http second"


def test_of_two_pushes_at_once_the_last_one_serves_in_the_end(portcall: Portcall) -> None:
    first = portcall.push(FIXTURES / "plain-http", "plain-app", VERSION="hasty first")
    second = portcall.push(FIXTURES / "plain-http", "plain-app", VERSION="hasty second")
    url = portcall.mail("plain-app", second).text.splitlines()[0]
    assert portcall.execution("plain-app", first)["status"] == "SUCCEEDED"
    eventually(lambda: len(portcall.containers("plain-app")) == 1, every=0.2)
    assert [each["digest"] for each in portcall.apps("plain-app")] == [second]
    assert get(url) == "plain-http hasty second"


def test_an_app_that_does_not_heed_the_request_to_stop_holds_nobody_up(portcall: Portcall) -> None:
    stubborn = portcall.push(FIXTURES / "ignores-sigterm", "stubborn-app")
    portcall.mail("stubborn-app", stubborn)
    digest = portcall.push(FIXTURES / "plain-http", "stubborn-app")
    mail = portcall.mail("stubborn-app", digest)
    assert get(mail.text.splitlines()[0]) == "plain-http 1"
    # It is given 30 seconds from here; nobody waits for them.
    ended = portcall.execution("stubborn-app", digest)
    assert (ended["stopDate"] - ended["startDate"]).total_seconds() < 20


def test_an_app_that_is_slow_to_listen_is_live_once_it_answers(portcall: Portcall) -> None:
    digest = portcall.push(FIXTURES / "slow-starter", "plain-app", SECONDS="4")
    mail = portcall.mail("plain-app", digest)
    assert mail.attributes["outcome"] == "deployed"
    get(mail.text.splitlines()[0])
    ended = portcall.execution("plain-app", digest)
    assert (ended["stopDate"] - ended["startDate"]).total_seconds() > 4
