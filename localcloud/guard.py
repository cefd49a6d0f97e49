"""Keeps web pages out: no request that a browser sends reaches the embedded cloud.

A page of any image that was pushed here opens in the browser of the person whose machine this is. What it sends
to this machine looks like that person's own requests, except for what browsers add and pages cannot take away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

# https://asgi.readthedocs.io/en/latest/specs/main.html
Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Any other name may be one of a page's own domain that now resolves to this machine (DNS rebinding).
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
# Sent with what a page causes, and by no client of AWS or of a registry.
OF_PAGES = ("origin", "referer", "access-control-request-method")


def refusal(method: str, headers: list[tuple[bytes, bytes]]) -> str | None:
    """Why a request is not served, None if it is."""
    fields = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]
    given = dict(fields)
    hosts = [value.lower() for name, value in fields if name == "host"]
    if len(hosts) != 1 or _without_port(hosts[0]) not in LOCAL_HOSTS:
        return "It is called localhost or 127.0.0.1, and nothing else."
    if (
        method == "OPTIONS"
        or any(name in given for name in OF_PAGES)
        # Old browsers send none of these for what they call simple, but all of them call themselves so.
        or given.get("user-agent", "").startswith("Mozilla/")
        or given.get("sec-fetch-site", "none") != "none"
    ):
        return "It takes no requests from web browsers. Use the AWS CLI, an SDK, docker push, or portcall."
    return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


class NoWebPages:
    """An ASGI application that hands on to another what no browser has sent."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # Nothing here needs one, and to a page it is open whatever its origin.
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http" and (reason := refusal(scope["method"], scope["headers"])):
            await answer(send, 403, "text/plain", f"This is Portcall's embedded cloud. {reason}\n".encode())
        else:
            await self._app(scope, receive, _without_cors(send))


async def answer(send: Send, status: int, content_type: str, body: bytes) -> None:
    """Answer a request that goes no further."""
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    # What is left of the request's body is not read.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _without_cors(send: Send) -> Send:
    """MiniStack lets the pages of every origin read what it answers."""

    async def send_without(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", [])
            kept = [field for field in headers if not field[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return send_without
