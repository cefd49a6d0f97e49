"""Refuses the calls that AWS would refuse, before they reach MiniStack, which accepts nearly anything."""

from __future__ import annotations

from typing import Any

from localcloud import refusals
from localcloud.aws_rules import requests, wire
from localcloud.aws_rules.answers import refusal_of
from localcloud.guard import App, Receive, Scope, Send


class NothingThatAwsRefuses:
    """An ASGI application that forwards requests that AWS would accept, or for which there is no rule."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not wire.service_of(headers) or "content-encoding" in headers:
            return await self._app(scope, receive, send)
        body, again = await _read(receive)
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        call = wire.read(scope["method"], path, query, headers, body)
        refused = requests.refusals(call.service, call.operation, call.parameters) if call else []
        if not call or not refused:
            return await self._app(scope, again, send)
        refusals.note(f"{call.service}:{call.operation}", refused)
        status, fields, answer = refusal_of(call, refused)
        fields["content-length"] = str(len(answer))
        raw = [(name.encode(), value.encode()) for name, value in fields.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": answer})
        return None


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """The whole body, and a `receive` function that returns it again."""
    messages: list[Any] = []
    while not messages or (messages[-1]["type"] == "http.request" and messages[-1].get("more_body")):
        messages.append(await receive())
    body = b"".join(message.get("body", b"") for message in messages)
    rest = iter(messages)

    async def again() -> Any:
        for message in rest:
            return message
        return await receive()

    return body, again
