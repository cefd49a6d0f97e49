"""Asks an app whether it answers. Talks to other people's code: it reads status and headers, and no more."""

import http.client
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from deployer.domain.errors import NoAnswerError

CONNECT_WITHIN, ANSWER_WITHIN = 3.0, 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
IN_A_ROW = 2
# How long an earlier address may still take once a later one has answered.
GRACE = 2.0

Headers = http.client.HTTPMessage


@dataclass(frozen=True)
class Answer:
    """`status` is that of HTTP, None for a TCP connection."""

    url: str
    status: int | None


def wait_until_answers(
    urls: Sequence[str],
    *,
    timeout: float,
    still_worth_it: Callable[[], None],
    counts: Callable[[Headers], bool] = lambda headers: True,
) -> Answer:
    """Ask each URL until one answers twice in a row; the first of them in their order counts.

    GET on `http` and `https`, where anything below 500 is an answer if its headers count; on `tcp` a
    connection is one.
    `still_worth_it` is called every few seconds and raises when there is no point in going on. Raises
    NoAnswerError after `timeout` seconds; its message says what was seen last.
    """
    deadline = time.monotonic() + timeout
    look_again = time.monotonic() + 1
    seen: dict[str, str] = {}
    in_a_row = dict.fromkeys(urls, 0)
    settled, pause = 0.0, FIRST_PAUSE
    while time.monotonic() < deadline:
        answers: dict[str, Answer] = {}
        for url in urls:
            answer = _ask(url, counts)
            answered = isinstance(answer, Answer)
            in_a_row[url] = in_a_row[url] + 1 if answered else 0
            if isinstance(answer, Answer):
                answers[url] = answer
            else:
                seen[url] = answer
        steady = [url for url in urls if in_a_row[url] >= IN_A_ROW]
        settled = settled or (time.monotonic() + GRACE if steady else 0.0)
        if steady and (steady[0] == urls[0] or time.monotonic() >= settled):
            return answers[steady[0]]
        if time.monotonic() >= look_again:
            still_worth_it()
            look_again = time.monotonic() + 3
        if not any(in_a_row.values()) or steady:
            # Most apps answer within a second; the others are asked less and less often.
            time.sleep(pause)
            pause = min(pause * 1.2, LONGEST_PAUSE)
    observed = "; ".join(dict.fromkeys(seen.values()))
    raise NoAnswerError(f"The app runs, but did not answer within {timeout:.0f} seconds: {observed}.")


def _ask(url: str, counts: Callable[[Headers], bool]) -> Answer | str:
    """The answer, or what was seen in its place."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        if parts.scheme == "tcp":
            socket.create_connection((parts.hostname or "", port), timeout=CONNECT_WITHIN).close()
            return Answer(url, None)
        status, headers = _get(url)
    except ConnectionRefusedError:
        return f"nothing accepted a connection on port {port}"
    except ConnectionTimeout:
        return f"connections to port {port} timed out"
    except (http.client.HTTPException, ConnectionResetError, BrokenPipeError):
        return f"port {port} accepts connections but does not speak HTTP"
    except TimeoutError:
        return f"port {port} accepted a connection but gave no answer within {ANSWER_WITHIN:.0f} seconds"
    except OSError as error:
        return f"port {port} could not be reached ({error.strerror or type(error).__name__})"
    if status >= 500:
        return f"it answered {status} on {parts.path or '/'}"
    return Answer(url, status) if counts(headers) else f"what answered {status} was not the new version"


class ConnectionTimeout(Exception):
    """No connection came about in time, as where a firewall drops it."""


def _get(url: str) -> tuple[int, Headers]:
    """The status and the headers of one GET; redirects are not followed, for they may lead anywhere."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=CONNECT_WITHIN)
    try:
        try:
            connection.connect()
        except TimeoutError as error:
            raise ConnectionTimeout from error
        connection.sock.settimeout(ANSWER_WITHIN)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": "Portcall-Health-Check"})
        answer = connection.getresponse()
        return answer.status, answer.headers
    finally:
        connection.close()
