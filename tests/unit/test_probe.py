"""The probe, with real sockets: two answers in a row with a status below 500."""

import contextlib
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from deployer.actions import probe
from deployer.domain.errors import NoAnswerError, TaskStoppedError


@pytest.fixture
def app(monkeypatch) -> Iterator[Callable[..., str]]:
    """`app(200, 500)` serves these statuses in turn, the last one for ever, and returns its URL."""
    monkeypatch.setattr(probe, "FIRST_PAUSE_SECONDS", 0.01)
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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[str, str]:
    """The files of a certificate that nobody trusts, and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "certificate").write_bytes(made.public_bytes(pem))
    (folder / "key").write_bytes(key.private_bytes(pem, form, none))
    return str(folder / "certificate"), str(folder / "key")


@pytest.fixture
def over_tls(certificate) -> Iterator[Callable[[str, int | None], str]]:
    """`over_tls(url, 400)`: a server with `url`'s answers over TLS; plain HTTP gets this status, or none."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    servers: list[socket.socket] = []

    def answer(connection: socket.socket, behind: str, plain: int | None) -> None:
        with contextlib.suppress(OSError), connection:
            if connection.recv(1, socket.MSG_PEEK) != b"\x16":
                if plain:
                    connection.recv(4096)
                    connection.sendall(f"HTTP/1.1 {plain} Bad Request\r\n\r\n".encode())
                return
            with tls.wrap_socket(connection, server_side=True) as secure:
                secure.recv(4096)
                with urllib.request.urlopen(behind) as said:
                    secure.sendall(f"HTTP/1.1 {said.status} OK\r\n\r\n".encode())

    def serve(behind: str, plain: int | None) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=answer, args=(connection, behind, plain), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/"

    yield serve
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def nothing() -> None:
    pass


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def listener() -> Iterator[Callable[[bytes | None], int]]:
    """`listener(words)` accepts connections, says these words and hangs up, or keeps silent for None; returns its port."""
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
                    if words is not None:
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


@pytest.fixture
def late_body() -> Iterator[Callable[..., tuple[int, list[str]]]]:
    """`late_body(headers, body)` sends the head, then the body; returns its port and how each connection ended.

    A connection ends with "closed" once the other side has closed it in order, with "reset" if it has reset it.
    """
    servers: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(headers: bytes, body: bytes) -> tuple[int, list[str]]:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        ends: list[str] = []

        def answer(connection: socket.socket) -> None:
            with connection:
                try:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n")
                    time.sleep(0.02)
                    for start in range(0, len(body), 10_000):
                        connection.sendall(body[start : start + 10_000])
                    if b"Content-Length" not in headers:
                        connection.shutdown(socket.SHUT_WR)
                    ends.append("said more" if connection.recv(1) else "closed")
                except OSError:
                    ends.append("reset")

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=answer, args=(server.accept()[0],)))
                    threads[-1].start()

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return int(server.getsockname()[1]), ends

    yield serve
    for each in servers:
        each.shutdown(socket.SHUT_RDWR)
        each.close()
    for thread in threads:
        thread.join()


@pytest.fixture
def trickle() -> Iterator[Callable[..., int]]:
    """`trickle(words, pause)` sends these again and again for as long as anybody listens; returns its port."""
    servers: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(words: bytes, pause: float = 0.0) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def send(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                while True:
                    connection.sendall(words)
                    time.sleep(pause)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=send, args=(server.accept()[0],)))
                    threads[-1].start()

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return int(server.getsockname()[1])

    yield serve
    for each in servers:
        each.shutdown(socket.SHUT_RDWR)
        each.close()
    for thread in threads:
        thread.join()


def ask(*urls: str, timeout: float = 20.0) -> probe.Answer:
    return probe.wait_until_answers(urls, timeout=timeout, raise_if_stopped=nothing)


def seen(*urls: str, timeout: float = 0.3) -> str:
    """The message about an app that does not answer."""
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


def test_the_target_of_a_redirect_is_reported(app):
    assert ask(app(302, headers={"Location": "https://app.example/"})).location == "https://app.example/"


@pytest.mark.parametrize("plain", [400, None], ids=["says so in plain HTTP", "says nothing in plain HTTP"])
def test_a_port_that_speaks_https_only_is_asked_over_https(app, over_tls, plain):
    url = over_tls(app(200), plain)
    assert ask(url) == probe.Answer(url.replace("http:", "https:"), 200)


def test_a_bad_request_over_http_is_an_answer_where_nobody_speaks_https(app):
    assert ask(app(400)).status == 400


def test_metrics_that_answer_first_wait_for_the_app(app):
    metrics, own = app(200), app(*[503] * 8, 200)
    patient = probe.wait_until_answers(
        [own, metrics], timeout=5, raise_if_stopped=nothing, patience={metrics: 4.0}
    )
    assert patient.url == own


def test_metrics_are_taken_in_the_end_where_nothing_else_answers(app):
    metrics, own = app(200), app(503)
    found = probe.wait_until_answers(
        [own, metrics], timeout=5, raise_if_stopped=nothing, patience={metrics: 0.3}
    )
    assert found.url == metrics


def test_nobody_there_is_no_answer():
    assert "nothing accepted a connection on port 9" in seen("http://127.0.0.1:9/")


def test_an_answer_that_is_not_http_does_not_count_and_is_reported(listener):
    port = listener(b"+PONG\r\n")
    assert f"port {port} accepts connections but does not speak HTTP" in seen(f"http://127.0.0.1:{port}/")


def test_a_connection_that_is_closed_without_a_word_is_reported(listener):
    port = listener(b"")
    assert f"port {port} closed each connection without an answer" in seen(f"http://127.0.0.1:{port}/")


def test_a_connection_that_stays_silent_is_reported(listener, monkeypatch):
    monkeypatch.setattr(probe, "ANSWER_TIMEOUT_SECONDS", 0.2)
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


def test_of_several_that_do_not_answer_each_is_reported(app):
    said = seen("http://127.0.0.1:9/", app(500))
    assert "nothing accepted a connection on port 9" in said
    assert "it answered 500" in said


def test_stops_asking_once_there_is_no_point():
    def gone() -> None:
        raise TaskStoppedError("it is gone")

    began = time.monotonic()
    with pytest.raises(TaskStoppedError):
        probe.wait_until_answers(["http://127.0.0.1:9/"], timeout=30, raise_if_stopped=gone)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("headers", [b"", b"Content-Length: 200000\r\n"], ids=["until the end", "of a length"])
def test_a_body_is_read_so_that_the_app_sees_no_reset(late_body, headers):
    port, ends = late_body(headers, b"x" * 200_000)
    assert ask(f"http://127.0.0.1:{port}/").status == 200
    wait_for(lambda: len(ends) == 2)
    assert ends == ["closed", "closed"]


def test_a_body_that_never_ends_costs_little(trickle, monkeypatch):
    monkeypatch.setattr(probe, "MAX_BODY_BYTES", 10**12)
    port = trickle(b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n")
    began = time.monotonic()
    assert ask(f"http://127.0.0.1:{port}/", timeout=20).status == 200
    assert time.monotonic() - began < 5


def test_a_body_that_is_large_is_left_soon(trickle, monkeypatch):
    monkeypatch.setattr(probe, "BODY_SECONDS", 1000)
    port = trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n" + b"x" * 10_000)
    assert ask(f"http://127.0.0.1:{port}/", timeout=5).status == 200


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("words", "pause"),
    [
        (b"H", 0.02),  # a byte of no line that ever ends
        (b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", 0.02),
        (b"HTTP/1.1 200 OK\r\nX: ", 0.02),  # headers that never end
    ],
)
def test_a_server_that_drips_costs_no_more_than_its_time_out(trickle, monkeypatch, words, pause):
    monkeypatch.setattr(probe, "ANSWER_TIMEOUT_SECONDS", 0.3)
    url = f"http://127.0.0.1:{trickle(words, pause)}/"
    began = time.monotonic()
    seen(url, timeout=0.7)
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "words", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK" + b"x" * 1000, b"\x00" * 100]
)
def test_a_server_that_floods_is_left_soon(trickle, monkeypatch, words):
    monkeypatch.setattr(probe, "MAX_HEAD_BYTES", 1024)
    began = time.monotonic()
    assert "does not speak HTTP" in seen(f"http://127.0.0.1:{trickle(words)}/", timeout=0.5)
    assert time.monotonic() - began < 1.5


def test_twenty_ports_that_hang_cost_no_more_than_one(listener, monkeypatch):
    monkeypatch.setattr(probe, "ANSWER_TIMEOUT_SECONDS", 0.3)
    urls = [f"http://127.0.0.1:{listener(None)}/" for _ in range(20)]
    began = time.monotonic()
    seen(*urls, timeout=0.7)
    assert time.monotonic() - began < 1.5


def test_a_port_that_answers_is_found_behind_others_that_hang(app, listener, monkeypatch):
    monkeypatch.setattr(probe, "ANSWER_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(probe, "GRACE_SECONDS", 0.1)
    hung = [f"http://127.0.0.1:{listener(None)}/" for _ in range(10)]
    answering = app(200)
    assert ask(*hung, answering, timeout=2).url == answering


@pytest.mark.parametrize("status", [100, 101, 102, 103, 199])
def test_a_status_below_200_is_not_an_answer(listener, status):
    port = listener(b"HTTP/1.1 %d Any\r\n\r\n" % status)
    seen(f"http://127.0.0.1:{port}/")


def test_the_answer_after_early_hints_is_the_answer(listener):
    port = listener(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
    assert ask(f"http://127.0.0.1:{port}/").status == 204


@pytest.mark.parametrize(
    "head",
    [
        OK + b"Content-Length: " + b"9" * 5000,
        OK + b"Version: " + b"9" * 5000,
        OK + b"no colon",
        OK + b"\xff\xfe: \xff",
        OK.replace(b"\r", b"") + b"Bare: newlines",
        b"HTTP/1.0 200\r\nNo: reason",
    ],
)
def test_odd_headers_do_not_keep_an_answer_from_being_one(listener, head):
    port = listener(head + b"\r\n\r\n")
    assert ask(f"http://127.0.0.1:{port}/").status == 200


@pytest.mark.parametrize(
    "line", [b"", b"\r\n", b"HTTP/1.1\r\n", b"HTTP/1.1 2 OK\r\n", b"HTTP/1.1 2000\r\n", b"SSH-2.0-x\r\n"]
)
def test_an_answer_without_a_valid_status_line_is_not_http(listener, line):
    port = listener(line + b"\r\n")
    assert "does not speak HTTP" in seen(f"http://127.0.0.1:{port}/")


def test_the_end_of_the_time_does_not_hide_what_was_seen_before(monkeypatch, listener, app):
    monkeypatch.setattr(probe, "MAX_PAUSE_SECONDS", 0.01)
    answers = iter(["it answered 503 on /"])
    monkeypatch.setattr(probe, "_ask", lambda url, deadline: next(answers, None) or cut_short(deadline))

    def cut_short(deadline: float) -> str:
        time.sleep(max(0.0, deadline - time.monotonic()))
        return "gave no answer within 0 seconds"

    assert seen("http://127.0.0.1:9/").endswith("it answered 503 on /.")


def test_the_seconds_of_the_calls_before_are_reported_too():
    with pytest.raises(NoAnswerError, match="within 271 seconds"):
        probe.wait_until_answers(
            ["http://127.0.0.1:9/"], timeout=0.2, raise_if_stopped=nothing, asked_for=270.5
        )
