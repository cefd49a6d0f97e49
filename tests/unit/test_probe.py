"""The probe, against real sockets: an answer is an answer only twice in a row and below 500."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from deployer import probe
from deployer.domain.errors import TaskStoppedError


@pytest.fixture
def app(monkeypatch) -> Iterator[Callable[..., str]]:
    """`app(200, 500)` serves these statuses in turn, the last one for ever, and returns its URL."""
    monkeypatch.setattr(probe, "FIRST_PAUSE", 0.01)
    servers = []

    def serve(*statuses: int, headers: dict[str, str] | None = None) -> str:
        left = list(statuses)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def nothing() -> None:
    pass


@pytest.mark.parametrize("status", [200, 301, 401, 404])
def test_anything_below_500_is_an_answer(app, status):
    assert probe.wait_until_answers(app(status), timeout=2, still_worth_it=nothing) == status


def test_one_answer_is_none(app):
    assert probe.wait_until_answers(app(200, 503, 503), timeout=0.3, still_worth_it=nothing) is None


def test_waits_for_an_app_that_is_slow(app):
    assert probe.wait_until_answers(app(503, 502, 500, 200), timeout=2, still_worth_it=nothing) == 200


def test_a_redirect_is_not_followed(app):
    url = app(302, headers={"Location": "http://169.254.169.254/"})
    assert probe.wait_until_answers(url, timeout=2, still_worth_it=nothing) == 302


def test_nobody_there_is_no_answer():
    assert probe.wait_until_answers("http://127.0.0.1:9/", timeout=0.3, still_worth_it=nothing) is None


def test_stops_asking_once_there_is_no_point():
    def gone() -> None:
        raise TaskStoppedError("it is gone")

    began = time.monotonic()
    with pytest.raises(TaskStoppedError):
        probe.wait_until_answers("http://127.0.0.1:9/", timeout=30, still_worth_it=gone)
    assert time.monotonic() - began < 5
