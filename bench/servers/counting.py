"""The embedded cloud's server, which notes each signed call.

`python -m bench.servers.counting localcloud.server --port ...`, as `BenchCloud(through=...)` starts it.

Calls of Step Functions and EventBridge inside the cloud do not pass through here.
"""

import dataclasses
import json
import re
import sys
import urllib.parse
from pathlib import Path
from typing import Any

from bench.servers import invocations
from localcloud import server

FILE = "calls.jsonl"


@dataclasses.dataclass(frozen=True)
class Call:
    """`caller` is the caller's AWS_SDK_UA_APP_ID, or `role` with the keys of a role, or empty.

    `keys` are those of the items that DynamoDB was asked to write, as `(pk, sk)`.
    """

    service: str
    action: str
    caller: str
    keys: tuple[tuple[str, str], ...] = ()


def read(state_dir: Path) -> list[Call]:
    """All calls so far, in their order."""
    lines = (state_dir / FILE).read_text().splitlines() if (state_dir / FILE).exists() else []
    found = [json.loads(line) for line in lines]
    return [Call(**{**each, "keys": tuple(tuple(key) for key in each["keys"])}) for each in found]


def call_of(method: str, headers: dict[str, str], body: bytes) -> Call | None:
    """The call; None if the request is not a signed call. `headers` have lower-case names."""
    scope = re.search(r"Credential=(\w+)/\d+/[\w-]+/([\w-]+)/", headers.get("authorization", ""))
    if not scope:
        return None
    service = scope[2]
    if target := headers.get("x-amz-target"):
        action = target.rpartition(".")[2]
    elif headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        action = urllib.parse.parse_qs(body.decode()).get("Action", [method])[0]
    else:
        action = method
    app = re.search(r"app/(\S+)", headers.get("user-agent", ""))
    caller = app[1] if app else "role" if scope[1].startswith("ASIA") else ""
    return Call(service, action, caller, _written(json.loads(body)) if service == "dynamodb" else ())


def _written(request: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    keys = ("Key", "Item")
    acts = [request, *(next(iter(each.values())) for each in request.get("TransactItems", ()))]
    # BatchGetItem and Query have neither; GetItem writes nothing, and nobody asks about its key.
    found = [act[name] for act in acts for name in keys if name in act]
    return tuple((each["pk"]["S"], each["sk"]["S"]) for each in found)


class Counted:
    """An ASGI application around another one."""

    def __init__(self, app: Any, file: Path) -> None:
        self.app, self.file = app, file

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        body = b""

        async def watched() -> Any:
            nonlocal body
            message = await receive()
            body += message.get("body", b"")
            if message["type"] == "http.request" and not message.get("more_body"):
                self._note(call_of(scope["method"], headers, body))
            return message

        await self.app(scope, watched, send)

    def _note(self, call: Call | None) -> None:
        if call:
            with self.file.open("a") as file:
                file.write(json.dumps(dataclasses.asdict(call)) + "\n")


def main() -> None:
    arguments = sys.argv[2:]
    outermost, state_dir = server.NoWebPages, server.parse(arguments).state_dir  # type: ignore[attr-defined]

    def counted(app: Any) -> Any:
        # Not before: MiniStack, which this imports, reads the settings that `server.main` makes.
        invocations.note(state_dir)
        return Counted(outermost(app), state_dir / FILE)

    server.NoWebPages = counted  # type: ignore[assignment, attr-defined]
    server.main(arguments)


if __name__ == "__main__":
    main()
