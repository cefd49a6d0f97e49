"""What does not work is told in one mail that says why, and nothing of it is left running."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.e2e.conftest import FIXTURES, HEALTH_TIMEOUT, Portcall, get
from tests.local.conftest import HOST_ARCHITECTURE, OTHER_ARCHITECTURE, eventually


@dataclass(frozen=True)
class Told:
    """What the subject ends with, and what the mail says besides."""

    verdict: str
    reason: str
    hint: str
    last_line: str = ""


BUILD_HINT = f"docker build --platform linux/{HOST_ARCHITECTURE}"
# Docker brings what a program writes to its two outputs in no certain order.
LAST = 5
SILENT = f"did not answer within {HEALTH_TIMEOUT} seconds"
BROKEN = {
    "exits-at-once": Told(
        "failed to start: exit code 3", "exit code 3", "ended by itself", "error: DATABASE_URL is not set"
    ),
    "exits-zero": Told(
        "failed: it ended by itself (exit code 0)", "exit code 0", "in the foreground", "nothing to do"
    ),
    "missing-command": Told(
        "failed to start: its command cannot be run", "no-such-command", "is not in the image"
    ),
    "out-of-memory": Told("failed: out of memory", "OutOfMemory", "more than 512 MiB", " MB"),
    "other-architecture": Told(
        "failed to start: wrong CPU architecture", "exit code", BUILD_HINT, "exec format error"
    ),
    "other-index": Told("failed to start: wrong CPU architecture", "platform", BUILD_HINT),
    "never-listens": Told("never answered", SILENT, "must listen on 0.0.0.0 (not 127.0.0.1), port 3000"),
    "wrong-port": Told("never answered", SILENT, "ContainerPort", "port 8080"),
}


# Each has its own app, for they take their time; the others have one together.
APART = ("never-listens", "wrong-port")


def app_of(name: str) -> str:
    return f"{name}-app" if name in APART else "broken-app"


def push(portcall: Portcall, name: str) -> str:
    app = app_of(name)
    if not name.startswith("other"):
        return portcall.push(FIXTURES / name, app)
    # An image that says it is for another CPU, alone or in an index in which there is no other.
    portcall.repository(app)
    alone = name == "other-architecture"
    command, tag = ["httpd", "-f", "-p", "3000"], "latest" if alone else ""
    digest = portcall.by_hand.push(app, command, tag=tag, architecture=OTHER_ARCHITECTURE)
    return digest if alone else portcall.by_hand.push_index(app, {OTHER_ARCHITECTURE: digest}, "latest")


@pytest.fixture(scope="module")
def pushed(portcall: Portcall) -> Callable[[str], str]:
    """Gives a broken image's digest, and pushes it if no test has yet."""
    digests = {name: push(portcall, name) for name in APART}

    def once(name: str) -> str:
        if name not in digests:
            digests[name] = push(portcall, name)
        return digests[name]

    return once


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_is_told_in_one_mail_and_leaves_nothing_running(
    portcall: Portcall, pushed: Callable[[str], str], name: str
) -> None:
    app, told, digest = app_of(name), BROKEN[name], pushed(name)
    mail = portcall.mail(app, digest)
    assert mail.attributes == {"app": app, "outcome": "failed"}, mail.text
    assert mail.subject == f"{app} {told.verdict}"
    assert len(mail.subject) <= 99
    assert told.reason in mail.text.splitlines()[0]
    assert told.hint in mail.text
    assert told.last_line in "".join(mail.text.splitlines()[-LAST:])
    assert portcall.execution(app, digest)["status"] == "FAILED"
    eventually(lambda: not portcall.containers(app), within=20, every=0.1)


def test_the_mail_ends_with_the_last_lines_and_not_with_all(
    portcall: Portcall, pushed: Callable[[str], str]
) -> None:
    mail = portcall.mail("broken-app", pushed("exits-at-once"))
    lines = [line.strip() for line in mail.text.splitlines()]
    numbered = [line for line in lines if line.startswith("line ")]
    assert numbered == [f"line {number}" for number in range(41 - len(numbered), 41)]
    assert 20 < len(numbered) < 40
    assert "error: DATABASE_URL is not set" in lines[-LAST:]


def test_a_failed_push_leaves_the_version_before_it_serving(portcall: Portcall) -> None:
    before = portcall.push(FIXTURES / "plain-http", "plain-app", VERSION="kept")
    url = portcall.mail("plain-app", before).text.splitlines()[0]
    eventually(lambda: len(portcall.containers("plain-app")) == 1, every=0.2)
    kept = portcall.containers("plain-app")
    mail = portcall.mail("plain-app", portcall.push(FIXTURES / "exits-at-once", "plain-app"))
    assert mail.attributes["outcome"] == "failed"
    assert url in mail.text
    assert get(url) == "plain-http kept"
    (app,) = portcall.apps("plain-app")
    assert app["digest"] == before
    eventually(lambda: portcall.containers("plain-app") == kept, within=20, every=0.1)
