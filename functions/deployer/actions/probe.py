"""Sends requests to an app until it answers. It is other people's code: only status and headers are used.

Each request has a deadline, and so have all requests together, whatever the server does. The time-outs of
sockets and of http.client would start again with each byte.
"""

import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from deployer.domain.errors import NoAnswerError

CONNECT_TIMEOUT_SECONDS, ANSWER_TIMEOUT_SECONDS = 3.0, 10.0
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.05, 1.0
ANSWERS_IN_A_ROW = 2
# How long a URL earlier in the list may still take once a later one has answered.
GRACE_SECONDS = 2.0
# The most bytes that a server may send before its headers end.
MAX_HEAD_BYTES = 64 * 1024
# How much of a response's body is read and dropped, and for how long. See `_drop_body`.
MAX_BODY_BYTES, BODY_SECONDS = 1024 * 1024, 0.25

STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})(?: |$)")
END_OF_HEAD = re.compile(rb"\r?\n\r?\n")

# Header names in lower case.
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """`status` is the HTTP status, None for a TCP connection; `location` is the target of a redirect.

    `url` is the requested one, with `https` if the server speaks only HTTPS.
    """

    url: str
    status: int | None
    location: str = ""


def wait_until_answers(
    urls: Sequence[str],
    *,
    timeout: float,
    raise_if_stopped: Callable[[], None],
    asked_for: float = 0.0,
    patience: Mapping[str, float] | None = None,
) -> Answer:
    """Request all URLs in parallel until one answers twice in a row; return the first in the list that did.

    For `http` and `https` it sends a GET, and a status from 200 to 499 is an answer. For `tcp` a connection is
    an answer. Once a URL answers, URLs before it in the list have GRACE_SECONDS left, or the seconds that
    `patience` gives. `raise_if_stopped` is called every few seconds and raises if the task has stopped. Raises
    NoAnswerError after `timeout` seconds. Its message says what was seen last and for how long, including
    `asked_for` seconds of earlier calls.
    """
    deadline = time.monotonic() + timeout
    look_again = time.monotonic() + 1
    seen: dict[str, str] = {}
    in_a_row = dict.fromkeys(urls, 0)
    steady_since: dict[str, float] = {}
    pause = FIRST_PAUSE_SECONDS
    with _side_by_side(len(urls)) as all_of:
        while time.monotonic() < deadline:
            answers: dict[str, Answer] = {}
            for url, answer in zip(urls, all_of(lambda url: _ask(url, deadline), urls), strict=True):
                in_a_row[url] = in_a_row[url] + 1 if isinstance(answer, Answer) else 0
                if isinstance(answer, Answer):
                    answers[url] = answer
                elif time.monotonic() < deadline or url not in seen:
                    # A request that was cut short by the deadline says less than what was seen before.
                    seen[url] = answer
            steady = [url for url in urls if in_a_row[url] >= ANSWERS_IN_A_ROW]
            now = time.monotonic()
            steady_since = {url: steady_since.get(url, now) for url in steady}
            settled = any(
                now >= since + (patience or {}).get(url, GRACE_SECONDS) for url, since in steady_since.items()
            )
            if steady and (steady[0] == urls[0] or settled):
                return answers[steady[0]]
            if time.monotonic() >= look_again:
                raise_if_stopped()
                look_again = time.monotonic() + 3
            if not any(in_a_row.values()) or steady:
                # Most apps answer within a second; the pauses grow for the others.
                time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
                pause = min(pause * 1.2, MAX_PAUSE_SECONDS)
    observed = "; ".join(dict.fromkeys(seen.values()))
    whole = asked_for + timeout
    raise NoAnswerError(f"The app is running, but did not answer within {whole:.0f} seconds: {observed}.")


@contextmanager
def _side_by_side(number: int) -> Iterator[Callable[..., Any]]:
    """A `map` that makes this many calls in parallel, so that a port that hangs does not delay the others."""
    if number == 1:
        yield map
        return
    # Imported here: most apps have one port.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(number) as pool:
        yield pool.map


def _ask(url: str, deadline: float) -> Answer | str:
    """The answer, or a text that says what was seen instead."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    began = time.monotonic()
    try:
        with _connect(parts, port, min(began + CONNECT_TIMEOUT_SECONDS, deadline)) as connection:
            if parts.scheme == "tcp":
                return Answer(url, None)
            status, headers = _get(connection, parts, min(time.monotonic() + ANSWER_TIMEOUT_SECONDS, deadline))
    except ConnectionRefusedError:
        return f"nothing accepted a connection on port {port}"
    except ConnectionTimeout:
        return f"connections to port {port} timed out"
    except (NotHttp, Closed, ConnectionResetError, BrokenPipeError) as error:
        if parts.scheme == "http" and (secure := _ask_over_tls(url, deadline)):
            return secure
        if isinstance(error, NotHttp):
            return f"port {port} accepts connections but does not speak HTTP"
        return f"port {port} closed each connection without an answer"
    except TimeoutError:
        waited = time.monotonic() - began
        return f"port {port} accepted a connection but gave no answer within {waited:.0f} seconds"
    except OSError as error:
        return f"port {port} could not be reached ({error.strerror or type(error).__name__})"
    if status == 400 and parts.scheme == "http" and (secure := _ask_over_tls(url, deadline)):
        # Some servers that expect TLS say so in a plain HTTP response.
        return secure
    if not 200 <= status < 500:
        return f"it answered {status} on {parts.path or '/'}"
    return Answer(url, status, headers.get("location", ""))


def _ask_over_tls(url: str, deadline: float) -> Answer | None:
    """The answer over HTTPS of a port on which HTTP failed, None if there is none below 500."""
    secure = "https" + url.removeprefix("http")
    parts = urlsplit(secure)
    try:
        by = min(time.monotonic() + CONNECT_TIMEOUT_SECONDS, deadline)
        with _connect(parts, parts.port or 80, by, trusted=False) as connection:
            status, headers = _get(connection, parts, min(time.monotonic() + ANSWER_TIMEOUT_SECONDS, deadline))
    except (ConnectionTimeout, NotHttp, Closed, OSError):
        return None
    return Answer(secure, status, headers.get("location", "")) if 200 <= status < 500 else None


class ConnectionTimeout(Exception):
    """No connection in time, e.g. because a firewall drops it."""


class NotHttp(Exception):
    """The server did not send the head of an HTTP response."""


class Closed(Exception):
    """The server closed the connection before it sent anything."""


def _connect(parts: SplitResult, port: int, by: float, *, trusted: bool = True) -> socket.socket:
    """A connection, over TLS for `https`. Any certificate is accepted, unless `trusted`."""
    host = parts.hostname or ""
    try:
        connection = socket.create_connection((host, port), timeout=_left(by))
        return _secured(connection, host, by, trusted) if parts.scheme == "https" else connection
    except TimeoutError as error:
        raise ConnectionTimeout from error


def _secured(connection: socket.socket, host: str, by: float, trusted: bool) -> socket.socket:
    # Imported here: most apps speak HTTP.
    import ssl

    tls = ssl.create_default_context()
    if not trusted:
        # An app has no certificate for its IP address. The probe only checks whether it answers.
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    try:
        connection.settimeout(_left(by))
        return tls.wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def _get(connection: socket.socket, parts: SplitResult, by: float) -> tuple[int, Headers]:
    """The status and the headers of one GET. Redirects are not followed, because they may point anywhere."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {parts.netloc}",
        "User-Agent: Portcall-Health-Check",
        "Accept-Encoding: identity",
        "Connection: close",
    ]
    connection.settimeout(_left(by))
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    received, size = b"", 0
    while True:
        if size > MAX_HEAD_BYTES or not b"HTTP/".startswith(received[:5]):
            raise NotHttp
        if end := END_OF_HEAD.search(received):
            status, headers = _parsed(received[: end.start()])
            # 100 Continue, 103 Early Hints: the final response comes after them.
            if status >= 200 or status == 101:
                _drop_body(connection, headers, len(received) - end.end(), by)
                return status, headers
            received = received[end.end() :]
            continue
        connection.settimeout(_left(by))
        chunk = connection.recv(MAX_HEAD_BYTES)
        if not chunk:
            raise NotHttp if received else Closed
        received += chunk
        size += len(chunk)


def _drop_body(connection: socket.socket, headers: Headers, received: int, by: float) -> None:
    """Read the rest of the response, of which `received` bytes are here, and drop it.

    A connection that is closed with unread bytes is reset. Many servers log a traceback then, which a failure
    email would quote. A body that is large or streamed is left soon: the app has answered.
    """
    length = headers.get("content-length", "")
    size = min(int(length), MAX_BODY_BYTES) if re.fullmatch(r"\d{1,10}", length, re.ASCII) else MAX_BODY_BYTES
    by = min(by, time.monotonic() + BODY_SECONDS)
    # A TimeoutError is an OSError.
    with suppress(OSError):
        while received < size:
            connection.settimeout(_left(by))
            if not (chunk := connection.recv(MAX_HEAD_BYTES)):
                return
            received += len(chunk)


def _parsed(head: bytes) -> tuple[int, Headers]:
    first, *lines = head.splitlines()
    status = STATUS_LINE.match(first)
    if not status:
        raise NotHttp
    fields = [line.decode("latin-1").partition(":") for line in lines]
    return int(status[1]), {name.strip().lower(): value.strip() for name, _, value in fields}


def _left(by: float) -> float:
    """The seconds until the deadline. Raises TimeoutError if there are none."""
    left = by - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
