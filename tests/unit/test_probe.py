"""The probe, against real sockets: an answer is an answer only twice in a row and below 500."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from deployer import probe
from deployer.domain.errors import NoAnswerError, TaskStoppedError


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


@pytest.fixture
def listener() -> Iterator[Callable[[bytes | None], int]]:
    """`listener(words)` accepts connections, says these words or None at all, and returns its port."""
    servers: list[socket.socket] = []
    accepted: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(words: bytes | None) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    accepted.append(connection)
                    if words:
                        connection.sendall(words)
                        connection.shutdown(socket.SHUT_RDWR)

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return int(server.getsockname()[1])

    yield serve
    for each in servers:
        each.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    for each in [*servers, *accepted]:
        each.close()


def ask(*urls: str, timeout: float = 2.0) -> probe.Answer:
    return probe.wait_until_answers(urls, timeout=timeout, still_worth_it=nothing)


def seen(*urls: str, timeout: float = 0.3) -> str:
    """What is said of an app that does not answer."""
    with pytest.raises(NoAnswerError) as error:
        ask(*urls, timeout=timeout)
    return str(error.value)


@pytest.mark.parametrize("status", [200, 301, 401, 404])
def test_anything_below_500_is_an_answer(app, status):
    assert ask(app(status)).status == status


def test_one_answer_is_none(app):
    assert "it answered 503 on /" in seen(app(200, 503, 503))


def test_waits_for_an_app_that_is_slow(app):
    assert ask(app(503, 502, 500, 200)).status == 200


def test_a_redirect_is_not_followed(app):
    assert ask(app(302, headers={"Location": "http://169.254.169.254/"})).status == 302


def test_an_answer_counts_only_with_the_headers_that_it_should_have(app):
    old, new = app(200, headers={"Version": "1"}), app(200, headers={"Version": "2"})

    def is_new(headers: probe.Headers) -> bool:
        return headers.get("version") == "2"

    def asked(url: str) -> probe.Answer:
        return probe.wait_until_answers([url], timeout=0.3, still_worth_it=nothing, counts=is_new)

    assert asked(new).status == 200
    with pytest.raises(NoAnswerError, match="what answered 200 was not the new version"):
        asked(old)


def test_nobody_there_is_no_answer():
    assert "nothing accepted a connection on port 9" in seen("http://127.0.0.1:9/")


def test_what_is_no_http_is_no_answer_and_told(listener):
    port = listener(b"+PONG\r\n")
    assert f"port {port} accepts connections but does not speak HTTP" in seen(f"http://127.0.0.1:{port}/")


def test_a_connection_that_stays_silent_is_told(listener, monkeypatch):
    monkeypatch.setattr(probe, "ANSWER_WITHIN", 0.2)
    port = listener(None)
    assert f"port {port} accepted a connection but gave no answer" in seen(f"http://127.0.0.1:{port}/")


def test_a_connection_is_an_answer_where_tcp_is_asked_for(listener):
    url = f"tcp://127.0.0.1:{listener(None)}"
    assert ask(url) == probe.Answer(url, None)


def test_nobody_there_is_no_answer_over_tcp_either():
    assert "nothing accepted a connection on port 9" in seen("tcp://127.0.0.1:9")


def test_of_several_that_answer_the_first_is_taken(app):
    first, second = app(200), app(200)
    assert ask(first, second).url == first


def test_of_several_one_answers(app):
    only = app(200)
    assert ask("http://127.0.0.1:9/", only, timeout=5).url == only


def test_the_first_may_be_a_little_slower_than_the_second(app):
    first, second = app(503, 503, 503, 200), app(200)
    assert ask(first, second, timeout=5).url == first


def test_of_several_that_do_not_answer_each_is_told(app):
    said = seen("http://127.0.0.1:9/", app(500))
    assert "nothing accepted a connection on port 9" in said
    assert "it answered 500" in said


def test_stops_asking_once_there_is_no_point():
    def gone() -> None:
        raise TaskStoppedError("it is gone")

    began = time.monotonic()
    with pytest.raises(TaskStoppedError):
        probe.wait_until_answers(["http://127.0.0.1:9/"], timeout=30, still_worth_it=gone)
    assert time.monotonic() - began < 5
