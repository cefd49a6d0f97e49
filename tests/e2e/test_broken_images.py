"""One mail explains why an image does not work, and nothing of it is left running.

Each mail is kept in `mails/`, to be read as those who get it do; `UPDATE_MAILS=1` writes them again.
"""

import os
import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from localcloud.inbox import Received
from tests.e2e.conftest import FIXTURES, Portcall, docker, get
from tests.local.conftest import HOST_ARCHITECTURE, eventually
from tests.local.test_fargate import layer
from tests.local.test_fargate import program as tiny_program

pytestmark = pytest.mark.long(80)

# A small program whose header names no machine.
FOREIGN = tiny_program(HOST_ARCHITECTURE)[:18] + b"\0\0" + tiny_program(HOST_ARCHITECTURE)[20:]
MAILS = Path(__file__).parent / "mails"
LONG_NAME = f"team/{'long-' * 35}app"


@dataclass(frozen=True)
class Broken:
    """An image that does not work: a folder of `fixtures` with its build arguments, or a busybox command."""

    fixture: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    app: str = ""
    tag: str = "latest"


def program(name: str) -> Broken:
    return Broken("broken", {"APP": name})


def script(*lines: str, **arguments: str) -> Broken:
    return Broken("bad-start-script", {"LINES": "".join(lines), **arguments})


SERVE = "exec python -m http.server 3000"
BROKEN = {
    # It ends at once
    "exits-at-once": Broken("exits-at-once"),
    "exits-zero": Broken("exits-zero"),
    "dies-silently": program("dies-silently"),
    "out-of-memory": Broken("out-of-memory"),
    "is-killed": program("is-killed"),
    "receives-sigterm": program("receives-sigterm"),
    "crashes-natively": program("crashes-natively"),
    "wants-its-port-twice": program("wants-its-port-twice"),
    "floods-its-log": program("floods-its-log"),
    "writes-strange-things": program("writes-strange-things"),
    "has-a-long-name": Broken(command=("sh", "-c", "exit 1"), app=LONG_NAME, tag="v" * 128),
    "may-not-write": script(
        "#!/bin/bash\nset -e\nexec setpriv --reuid=1000 bash -ec 'echo $$ > /run/app.pid; true'\n"
    ),
    "dies-after-harmless-words": script(
        "#!/bin/sh\nps\nexec python -c 'import os; print(os.environ[\"DATABASE_URL\"])'\n"
    ),
    # It cannot even be started
    "missing-command": Broken("missing-command"),
    "missing-library": Broken("missing-library"),
    "not-executable": script(f"#!/bin/sh\n{SERVE}\n", MODE="-x"),
    "windows-line-ends": script(f"#!/bin/sh\r\n{SERVE}\r\n"),
    "windows-line-ends-after-env": script(f"#!/usr/bin/env sh\r\n{SERVE}\r\n"),
    "no-first-line": script(f"{SERVE}\n"),
    "other-architecture": Broken(command=("/program",)),
    "other-index": Broken(command=("httpd", "-f", "-p", "3000")),
    "layer-is-gone": Broken(command=("httpd", "-f", "-p", "3000")),
    # It runs, and does not answer
    "never-listens": Broken("never-listens"),
    "wrong-port": Broken("wrong-port"),
    "listens-on-loopback": program("listens-on-loopback"),
    "answers-only-errors": program("answers-only-errors"),
    "speaks-no-http": program("speaks-no-http"),
    "says-nothing": program("says-nothing"),
    "closes-connections": program("closes-connections"),
    "waits-for-its-database": program("waits-for-its-database"),
}


def app_of(name: str) -> str:
    return BROKEN[name].app or f"{name}-app"


def push(portcall: Portcall, name: str) -> str:
    """Push a broken image and return its digest."""
    app, broken, by_hand = app_of(name), BROKEN[name], portcall.by_hand
    if broken.fixture:
        return portcall.push(FIXTURES / broken.fixture, app, **broken.arguments)
    portcall.repository(app)
    command = list(broken.command)
    if name == "other-index":
        # An index in which there is no image for a CPU that Fargate has.
        child = by_hand.push(app, command, architecture="s390x")
        return by_hand.push_index(app, {"s390x": child}, broken.tag)
    if name == "layer-is-gone":
        # An image that the engine has already would need no layer.
        manifest = by_hand.manifest(app, by_hand.push(app, command, Labels={"of": str(uuid.uuid4())}))
        manifest["layers"][0]["digest"] = f"sha256:{'0' * 64}"
        return by_hand.put_manifest(app, manifest, broken.tag)
    # It says that it is for this CPU, but its program is for one that nobody has or emulates.
    content = layer(FOREIGN) if name == "other-architecture" else b""
    return by_hand.push(app, command, tag=broken.tag, layer=content)


@pytest.fixture(scope="module")
def pushed(portcall: Portcall) -> dict[str, str]:
    """The digests of all broken images, which fail side by side."""
    return {name: push(portcall, name) for name in BROKEN}


def readable(mail: Received, portcall: Portcall) -> str:
    """The mail with names in the place of what is different each time."""
    text = f"Subject: {mail.subject}\n\n{mail.text}"
    for pattern, name in (
        (re.escape(portcall.registry), "<registry>"),
        (r"sha256:(?!0{64})[0-9a-f]{64}", "sha256:<digest>"),
        (r"portcall-operate-\w+", "portcall-operate-<stack>"),
        (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>"),
        (r"[0-9a-f]{32}", "<task>"),
        (r"http://\d+\.\d+\.\d+\.\d+:", "http://<address>:"),
        (r"(?m)^(Took: +).*$", r"\1<time>"),
        (r"(aws logs tail) \S+", r"\1 <log group>"),
        (r"within \d+ seconds", "within <time>"),
        # The number of its requests differs, too.
        (r'The last (line|\d+ lines) of its log:\n\n(    \S+ - - \[.*\] "GET .*\n?)+', "<requests>"),
        # How many of a flood have arrived by then is a matter of luck.
        (r"line \d+ of 20000", "line <number> of 20000"),
    ):
        text = re.sub(pattern, name, text)
    return text


def check(name: str, mail: Received, portcall: Portcall) -> None:
    """Compare a mail with the one that is kept."""
    kept, text = MAILS / f"{name}.txt", readable(mail, portcall)
    if os.environ.get("UPDATE_MAILS"):
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(text)
    assert text == kept.read_text()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_is_reported_in_one_mail_and_leaves_nothing_running(
    portcall: Portcall, pushed: dict[str, str], name: str
) -> None:
    app, digest = app_of(name), pushed[name]
    mail = portcall.mail(app, digest)
    assert mail.attributes == {"app": app, "outcome": "failed"}, mail.text
    assert len(mail.subject) <= 99
    check(name, mail, portcall)
    assert portcall.execution(app, digest)["status"] == "FAILED"
    eventually(lambda: not portcall.containers(app), every=0.1)


def test_an_image_that_is_gone_when_its_app_is_to_start_again_is_reported(portcall: Portcall) -> None:
    app = "forgotten-app"
    digest = portcall.push(FIXTURES / "plain-http", app, VERSION="forgotten")
    portcall.mail(app, digest)
    portcall.client("ecr").batch_delete_image(repositoryName=app, imageIds=[{"imageDigest": digest}])
    (container,) = eventually(lambda: portcall.containers(app), every=0.2)
    docker("kill", container)
    failed = eventually(
        lambda: [mail for mail in portcall.mails(app) if mail.attributes["outcome"] == "failed"],
        every=0.2,
    )
    check("image-is-gone", failed[0], portcall)


def test_a_failed_push_leaves_the_previous_version_serving(portcall: Portcall) -> None:
    before = portcall.push(FIXTURES / "plain-http", "kept-app", VERSION="kept")
    url = portcall.mail("kept-app", before).text.splitlines()[0]
    eventually(lambda: len(portcall.containers("kept-app")) == 1, every=0.2)
    kept = portcall.containers("kept-app")
    mail = portcall.mail("kept-app", portcall.push(FIXTURES / "exits-at-once", "kept-app"))
    assert mail.attributes["outcome"] == "failed"
    assert url in mail.text
    check("the-version-before-serves", mail, portcall)
    assert get(url) == "plain-http kept"
    waited = portcall.run("wait", f"kept-app@{portcall.pushed('kept-app')['imageDigest']}")
    assert (waited.returncode, waited.stdout) == (1, "")
    assert "exit code 3" in waited.stderr
    assert f"is running at {url}" in waited.stderr
    status = portcall.run("status", "kept-app", "--exit-code")
    assert status.returncode == 1, f"{status.stdout}{portcall.says('history', 'kept-app')}"
    (app,) = portcall.apps("kept-app")
    assert app["digest"] == before
    eventually(lambda: portcall.containers("kept-app") == kept, every=0.1)


def test_a_secret_that_is_gone_is_reported_when_the_app_cannot_be_started_again(portcall: Portcall) -> None:
    app, ssm = "secretive-app", portcall.client("ssm")
    name = f"/portcall/{app}/TOKEN"
    ssm.put_parameter(Name=name, Type="SecureString", Value="s3cret-t0ken")
    digest = portcall.push(FIXTURES / "plain-http", app)
    assert portcall.mail(app, digest).attributes["outcome"] == "deployed"
    ssm.delete_parameter(Name=name)
    eventually(lambda: len(portcall.containers(app)) == 1, every=0.2)
    docker("kill", *portcall.containers(app))

    def mails(verdict: str) -> list[Received]:
        return [each for each in portcall.mails(app, digest) if verdict in each.subject]

    eventually(lambda: mails("failed to start: a secret is missing"))

    def given_up() -> list[Received]:
        # The sweep tries again, three times at the most; it comes every five minutes by itself.
        portcall.sweep()
        return mails("is down: restarting it failed")

    down = eventually(given_up, within=180, every=1)
    check("secret-is-missing", down[0], portcall)
    assert not any("s3cret-t0ken" in each.text for each in portcall.mails(app, digest))
