"""Refuses all requests that a browser sends to the embedded cloud.

The pages of pushed apps open in the browser of this machine's user. Their requests to this machine look like
the user's own, except for headers that browsers add and pages cannot remove.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

# https://asgi.readthedocs.io/en/latest/specs/main.html
Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Any other name may belong to a page's own domain that now resolves to this machine (DNS rebinding).
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
# Headers of requests that a page causes; no client of AWS or of a registry sends them.
OF_PAGES = ("origin", "referer", "access-control-request-method")


def refusal(method: str, headers: list[tuple[bytes, bytes]]) -> str | None:
    """Why a request is refused, None if it is not."""
    fields = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers]
    given = dict(fields)
    hosts = [value.lower() for name, value in fields if name == "host"]
    if len(hosts) != 1 or _without_port(hosts[0]) not in LOCAL_HOSTS:
        return "It answers only to the names localhost and 127.0.0.1."
    if (
        method == "OPTIONS"
        or any(name in given for name in OF_PAGES)
        # For "simple" requests, old browsers send none of these, but all have Mozilla in their User-Agent.
        or given.get("user-agent", "").startswith("Mozilla/")
        or given.get("sec-fetch-site", "none") != "none"
    ):
        return "It accepts no requests from web browsers. Use the AWS CLI, an SDK, docker push, or portcall."
    return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


class NoWebPages:
    """An ASGI application that forwards only requests that do not come from a browser."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # Nothing here needs WebSockets, which pages of any origin may open.
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http" and (reason := refusal(scope["method"], scope["headers"])):
            await answer(send, 403, "text/plain", f"This is Portcall's embedded cloud. {reason}\n".encode())
        else:
            await self._app(scope, receive, _without_cors(send))


async def answer(send: Send, status: int, content_type: str, body: bytes) -> None:
    """Answer a refused request."""
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    # The rest of the request's body is not read.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _without_cors(send: Send) -> Send:
    """Remove the CORS headers, with which MiniStack lets every page read its responses."""

    async def send_without(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", [])
            kept = [field for field in headers if not field[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return send_without
