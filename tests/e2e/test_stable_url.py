"""With StableUrl on, one URL points at each version in turn, without a failed request."""

import itertools
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.e2e.conftest import FIXTURES, Portcall, docker, get
from tests.local.conftest import eventually

pytestmark = pytest.mark.long(45)

# Seconds. It is a tenth here, but the machine may be busy.
LONGEST = 5.0


@pytest.fixture(scope="module")
def steady(portcall: Portcall) -> Iterator[Portcall]:
    """The shared cloud, in which apps have a stable URL."""
    portcall.update(StableUrl="on")
    yield portcall
    portcall.update()


def visit(portcall: Portcall, version: str) -> str:
    """Push a version, and give the first line of its mail."""
    digest = portcall.push(FIXTURES / "plain-http", "steady-app", VERSION=version)
    return portcall.mail("steady-app", digest).text.splitlines()[0]


@dataclass
class Visitors:
    """The answers to requests without a pause: the time and the text of each."""

    answers: list[tuple[float, str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def longest_silence(self) -> float:
        times = sorted(at for at, _ in self.answers)
        return max(after - before for before, after in itertools.pairwise(times))


@contextmanager
def visitors(url: str, number: int = 3, most: int = 20_000) -> Iterator[Visitors]:
    """Ask a URL from several threads for as long as it takes."""
    seen, over = Visitors(), threading.Event()

    def ask() -> None:
        for _ in range(most):
            if over.is_set():
                return
            try:
                answer = get(url)
                seen.answers.append((time.monotonic(), answer))
            except OSError as error:
                seen.failed.append(str(error))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join(timeout=30)


def test_two_versions_have_one_url_and_no_visitor_sees_an_error(steady: Portcall) -> None:
    url = visit(steady, "first")
    assert get(url) == "plain-http first"
    with visitors(url) as seen:
        assert visit(steady, "second") == url
        eventually(lambda: len(steady.containers("steady-app")) == 1, every=0.2)
        time.sleep(0.5)
    assert seen.failed == []
    said = [answer for _, answer in sorted(seen.answers)]
    assert said[0] == "plain-http first"
    assert said[-1] == "plain-http second"
    assert len(said) > 100
    assert seen.longest_silence() < LONGEST


def test_the_mail_begins_with_it_and_names_the_tasks_own_url(steady: Portcall) -> None:
    digest = steady.push(FIXTURES / "plain-http", "steady-app", VERSION="mail")
    mail = steady.mail("steady-app", digest)
    url = mail.text.splitlines()[0]
    assert mail.subject == f"steady-app is live: {url}"
    (direct,) = [line.split()[2] for line in mail.text.splitlines() if line.startswith("Task URL:")]
    assert direct != url
    assert get(direct) == get(url) == "plain-http mail"
    assert [each["url"] for each in steady.apps("steady-app")] == [url]


def test_an_app_that_dies_is_back_at_the_same_url(steady: Portcall) -> None:
    digest = steady.push(FIXTURES / "plain-http", "steady-app", VERSION="mortal")
    url = steady.mail("steady-app", digest).text.splitlines()[0]
    eventually(lambda: len(steady.containers("steady-app")) == 1, every=0.2)
    docker("kill", *steady.containers("steady-app"))
    eventually(lambda: len(steady.mails("steady-app", digest)) == 2, within=90, every=0.1)
    mail = steady.mails("steady-app", digest)[-1]
    assert mail.subject == f"steady-app is live again: {url}"
    assert get(url) == "plain-http mortal"


def test_method_path_query_body_headers_and_status_pass(steady: Portcall) -> None:
    digest = steady.push(FIXTURES / "echo", "mirror-app")
    url = steady.mail("mirror-app", digest).text.splitlines()[0]
    target = "some/pa%20th?a=1&a=2&b=%26"
    request = urllib.request.Request(
        url + target, b"a body", {"X-Mine": "yes", "Content-Type": "text/plain"}, method="PUT"
    )
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with straight.open(request, timeout=10) as answer:
        asked, headers = json.loads(answer.read()), answer.headers
    assert (asked["method"], asked["target"], asked["body"]) == ("PUT", f"/{target}", "a body")
    received = {name.lower(): value for name, value in asked["headers"].items()}
    assert (received["x-mine"], received["content-type"]) == ("yes", "text/plain")
    assert (headers["X-Own"], headers["Content-Type"]) == ("kept", "application/json")
    with pytest.raises(urllib.error.HTTPError, match="418") as refused:
        get(f"{url}teapot")
    refused.value.close()
