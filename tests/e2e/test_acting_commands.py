"""Rollback, stop and similar commands, by a caller with only the operator policy."""

import json
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError

import pytest

from localcloud.inbox import read
from tests.e2e.conftest import FIXTURES, Portcall, docker, get
from tests.e2e.test_command_line import as_role
from tests.local.conftest import eventually

pytestmark = pytest.mark.long(60)

CLAIMED = "arn:aws:sts::123456789012:assumed-role/portcall-OperatorPolicyRole-tests/tests (not verified)"


def status(portcall: Portcall, app: str) -> dict[str, object]:
    (found,) = json.loads(portcall.says("status", app, "--json"))["apps"]
    return dict(found)


def test_an_operator_rolls_back_and_resumes(portcall: Portcall, tmp_path: Path) -> None:
    app = "rolled-back-app"
    old = portcall.push(FIXTURES / "plain-http", app, VERSION="old")
    portcall.mail(app, old)
    new = portcall.push(FIXTURES / "plain-http", app, VERSION="new")
    portcall.mail(app, new)
    operator = as_role(portcall, "OperatorPolicy", tmp_path)

    refused = operator("rollback", app)
    assert (refused.returncode, refused.stdout) == (2, "")

    ended = operator("rollback", app, "--yes", "-m", "500s on /pay")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.startswith("portcall in us-east-1, account 123456789012\n")
    assert get(ended.stdout.strip()) == "plain-http old"
    text = portcall.mails(app, old)[-1].text
    assert f"Pinned to {old} by a rollback, requested by {CLAIMED} at " in text
    assert text.rstrip().endswith("UTC: 500s on /pay.")
    pin = status(portcall, app)["pin"]
    assert isinstance(pin, dict)
    assert (pin["digest"], pin["bad"], pin["reason"]) == (old, [new], "500s on /pay")

    docker("tag", portcall.image(app), portcall.image(app, "again"))
    docker("push", portcall.image(app, "again"))

    def outcomes() -> set[str]:
        history = json.loads(portcall.says("history", app, "--json"))["deployments"]
        return {each["outcome"] for each in history if each["tag"] == "again"}

    # Within a minute of its first push, another tag of an image is taken for the same push.
    eventually(lambda: outcomes() & {"recorded", "same image"}, every=0.5)
    assert get(ended.stdout.strip()) == "plain-http old"

    ended = operator("resume", app, "--yes", "--json")
    document = json.loads(ended.stdout)
    assert (document["outcome"], document["digest"], document["exit_code"]) == ("live", new, 0)
    assert get(document["url"]) == "plain-http new"
    assert status(portcall, app)["pin"] is None
    assert operator("rollback", app, "nope", "--yes").returncode == 5


def test_an_operator_stops_starts_restarts_and_ends(portcall: Portcall, tmp_path: Path) -> None:
    app = "stopped-app"
    first = portcall.push(FIXTURES / "plain-http", app, VERSION="first")
    url = portcall.mail(app, first).text.splitlines()[0]
    operator = as_role(portcall, "OperatorPolicy", tmp_path)

    ended = operator("stop", app, "--yes", "-m", "maintenance")
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    eventually(lambda: portcall.containers(app) == [], every=0.5)
    # Docker may have given its IP to another app already.
    with suppress(URLError):
        assert get(url) != "plain-http first"
    portcall.sweep()
    assert status(portcall, app)["state"] == "stopped"

    second = portcall.push(FIXTURES / "plain-http", app, VERSION="second")
    recorded = portcall.mail(app, second)
    assert "the app is stopped" in recorded.subject
    assert f"The app is stopped, requested by {CLAIMED} at " in recorded.text
    assert portcall.containers(app) == []

    ended = operator("start", app)
    assert ended.returncode == 0, ended.stderr
    assert get(ended.stdout.strip()) == "plain-http second"

    ended = operator("restart", app, "-m", "a leak")
    assert ended.returncode == 0, ended.stderr
    assert get(ended.stdout.strip()) == "plain-http second"
    assert f"Why: it was requested by {CLAIMED}: a leak" in portcall.mails(app, second)[-1].text

    assert operator("end", app, "--yes").returncode == 2
    assert operator("end", app, "--confirm", app).returncode == 0
    eventually(lambda: portcall.containers(app) == [], every=0.5)
    assert portcall.mails(app, second)[-1].subject.startswith(f"{app} has ended")
    assert operator("end", app, "--confirm", app).returncode == 5


def test_an_operator_sends_a_test_email(portcall: Portcall, tmp_path: Path) -> None:
    operator = as_role(portcall, "OperatorPolicy", tmp_path)
    ended = operator("notify", "test", "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["confirmed"] == 1
    (mail,) = (each for each in read(portcall.state_dir / "inbox") if each.attributes.get("outcome") == "test")
    assert mail.subject == "Portcall test email"
    assert mail.text.rstrip().endswith(f"Requested by: {CLAIMED}")
    shown = portcall.says("inbox", "--last", "1")
    assert "Portcall test email" in shown


def test_a_stopped_app_stays_stopped_when_the_stack_is_updated(portcall: Portcall, tmp_path: Path) -> None:
    app = "stopped-through-an-update-app"
    digest = portcall.push(FIXTURES / "plain-http", app, VERSION="stopped")
    portcall.mail(app, digest)
    operator = as_role(portcall, "OperatorPolicy", tmp_path)
    assert operator("stop", app, "--yes").returncode == 0
    eventually(lambda: portcall.containers(app) == [], every=0.5)
    try:
        # All functions are updated, because the port is in the variables of each.
        portcall.update(ContainerPort="3001")
        portcall.sweep()
        assert status(portcall, app)["state"] == "stopped"
        assert portcall.containers(app) == []
        ended = operator("start", app)
        assert (ended.returncode, get(ended.stdout.strip())) == (0, "plain-http stopped"), ended.stderr
    finally:
        portcall.update()
