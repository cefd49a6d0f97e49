"""Asks an app whether it answers. Talks to other people's code: it reads a status line, and no more."""

import http.client
import time
from collections.abc import Callable
from urllib.parse import urlsplit

ATTEMPT = 3.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
IN_A_ROW = 2


def wait_until_answers(url: str, *, timeout: float, still_worth_it: Callable[[], None]) -> int | None:
    """GET `url` until it answers below 500 twice in a row; return that status, or None after `timeout` seconds.

    `still_worth_it` is called every few seconds and raises when there is no point in going on.
    """
    deadline = time.monotonic() + timeout
    look_again = time.monotonic() + 1
    answers, pause = 0, FIRST_PAUSE
    while time.monotonic() < deadline:
        status = _status(url)
        answers = answers + 1 if status is not None and status < 500 else 0
        if status is not None and answers >= IN_A_ROW:
            return status
        if time.monotonic() >= look_again:
            still_worth_it()
            look_again = time.monotonic() + 3
        if answers == 0:
            # Most apps answer within a second; the others are asked less and less often.
            time.sleep(pause)
            pause = min(pause * 1.2, LONGEST_PAUSE)
    return None


def _status(url: str) -> int | None:
    """The status of one GET; redirects are not followed, for they may lead anywhere."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=ATTEMPT)
    try:
        connection.request("GET", parts.path or "/", headers={"User-Agent": "Portcall-Health-Check"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
