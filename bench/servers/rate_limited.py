"""The embedded cloud's server within AWS's rates.

`python -m bench.servers.rate_limited localcloud.server --port ...`, as `BenchCloud(through=...)` starts it. The
functions' calls and the pushes are throttled as bench/rates_and_prices/quotas.py has it, and botocore repeats
them as the functions configure it. `GET /_rates/` says which buckets were empty, and how often. Calls of
Step Functions and EventBridge inside the cloud do not pass through here; their rates are far above what two
cores can do. The quotas of vCPUs and of functions at once are switches of the embedded cloud.
"""

import json
import re
import sys
import threading
import time
from typing import Any

from botocore import xform_name

from bench.rates_and_prices.rates import Rates
from bench.servers.counting import call_of
from localcloud import server
from tests.local.faulty import JSON, QUERY, XML, answer, whole

PATH = "/_rates/"
# botocore's names of the services that sign with another one.
SIGNED_AS = {"states": "stepfunctions", "apigateway": "apigatewayv2", "monitoring": "cloudwatch"}
PUSH = re.compile(r"/v2/.+/manifests/[^/]+")
TOO_MANY = json.dumps({"errors": [{"code": "TOOMANYREQUESTS", "message": "Rate exceeded"}]}).encode()


def operation(method: str, path: str, headers: dict[str, str], body: bytes) -> str:
    """`service.operation`, as quotas.py names what is called; '' where nothing is throttled."""
    if method == "PUT" and PUSH.fullmatch(path):
        return "ecr.put_image"
    call = call_of(method, headers, body)
    if call is None or call.caller != "role":
        return ""
    return f"{SIGNED_AS.get(call.service, call.service)}.{xform_name(call.action)}"


def refusal(operation: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """The status and the body of the service's answer to too many calls."""
    if operation == "ecr.put_image":
        return 429, TOO_MANY
    if "json" in headers.get("content-type", ""):
        return 400, JSON
    return 400, XML if operation.startswith("ec2.") else QUERY


class Throttled:
    """An ASGI application around another one."""

    def __init__(self, app: Any) -> None:
        self.app, self.rates = app, Rates(time.monotonic())
        self._lock = threading.Lock()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"] == PATH:
            await answer(send, 200, json.dumps(self.counted()).encode())
            return
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        body = await whole(receive)
        called = operation(scope["method"], scope["path"], headers, body)
        with self._lock:
            is_within = not called or self.rates.take(called, time.monotonic())
        if not is_within:
            await answer(send, *refusal(called, headers))
            return
        read = False

        async def again() -> Any:
            nonlocal read
            if read:
                # The application waits for the client to go away.
                return await receive()
            read = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)

    def counted(self) -> dict[str, dict[str, int]]:
        """For each bucket the number of calls that were answered, and of those that were throttled."""
        taken = {name: tokens.taken for name, tokens in self.rates.tokens.items() if tokens.taken}
        return {"taken": taken, "throttled": dict(self.rates.throttled)}


def main() -> None:
    outermost = server.NoWebPages  # type: ignore[attr-defined]

    def throttled(app: Any) -> Any:
        return Throttled(outermost(app))

    server.NoWebPages = throttled  # type: ignore[assignment, attr-defined]
    server.main(sys.argv[2:])


if __name__ == "__main__":
    main()
