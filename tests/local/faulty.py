"""The embedded cloud with faults in the functions' calls: `python -m tests.local.faulty localcloud.server --port ...`.

`PUT /_faults/<share>` says how many of their calls are throttled, fail, or take effect without an answer. As
many of ECS's events are lost; `GET /_faults/` says how many were.
"""

import os
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from localcloud import server

SEED = os.environ.get("FAULTS_SEED", "1")
KINDS = ("throttled", "failed", "lost")
# Calls without an idempotency token: if the answer is lost, the mail or event is sent twice.
NEVER_LOST = (b"Action=Publish&", b"AWSEvents.PutEvents")
JSON = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
XML = b"<Response><Errors><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></Errors></Response>"
QUERY = b"<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Faults:
    """An ASGI application around another one."""

    def __init__(self, app: Any) -> None:
        self.app, self.share, self.random = app, 0.0, random.Random(SEED)
        self.lost_events = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"].startswith("/_faults/"):
            if scope["method"] == "PUT":
                self.share = float(scope["path"].rpartition("/")[2])
            await answer(send, 200, str(self.lost_events).encode())
        # Only the functions have keys of roles.
        elif b"Credential=ASIA" not in dict(scope["headers"]).get(b"authorization", b""):
            await self.app(scope, receive, send)
        else:
            await self.maybe_not(scope, receive, send)

    def lose_events(self) -> None:
        """Only once MiniStack is there. A push whose event is lost is found by the sweep, two minutes later."""
        from localcloud.patches.eventbridge import events

        publish = events.publish

        def lose(*, source: str, **event: Any) -> None:
            # A first one for sure: where pushes supersede each other quickly, there are few events.
            share = self.share if self.lost_events or not self.share else 1
            if source == "aws.ecs" and self.random.random() < share:
                self.lost_events += 1
            else:
                publish(source=source, **event)

        events.publish = lose

    async def maybe_not(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        body = await whole(receive)

        async def again() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        fault = self.random.choice(KINDS) if self.random.random() < self.share else ""
        said = body + headers.get(b"x-amz-target", b"")
        if fault == "lost" and any(each in said for each in NEVER_LOST):
            fault = "failed"
        if fault == "throttled":
            shape = JSON if b"json" in headers.get(b"content-type", b"") else XML if b"ec2" in headers[b"authorization"] else QUERY  # fmt: skip
            await answer(send, 400, shape)
        elif fault == "failed":
            await answer(send, 503, b"")
        elif fault == "lost":

            async def nowhere(message: dict[str, Any]) -> None:
                pass

            await self.app(scope, again, nowhere)
            await answer(send, 500, b"")
        else:
            await self.app(scope, again, send)


async def whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def answer(send: Send, status: int, body: bytes) -> None:
    length = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": length})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    outermost = server.NoWebPages

    def with_faults(app: Any) -> Any:
        faults = Faults(outermost(app))
        faults.lose_events()
        return faults

    server.NoWebPages = with_faults  # type: ignore[assignment, misc]
    server.main(sys.argv[2:])


if __name__ == "__main__":
    main()
