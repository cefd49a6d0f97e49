"""The embedded cloud, whose functions call it through a proxy: `python -m bench.behind_proxy --port ...`.

Their calls are signed for the proxy's host, PROXY_HOST, and the proxy puts the cloud's in its place.
"""

import os
from typing import Any

from localcloud import server

HOST = os.environ.get("PROXY_HOST", "").encode()


class Renamed:
    """An ASGI application around another one, with the host that a call was signed for."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        # Only the functions have keys of roles.
        if b"Credential=ASIA" in dict(scope.get("headers", ())).get(b"authorization", b""):
            headers = [(name, HOST if name == b"host" else value) for name, value in scope["headers"]]
            scope = {**scope, "headers": headers}
        await self.app(scope, receive, send)


def main() -> None:
    outermost = server.NoWebPages  # type: ignore[attr-defined]

    def renamed(app: Any) -> Any:
        return Renamed(outermost(app))

    server.NoWebPages = renamed  # type: ignore[assignment, attr-defined]
    server.main()


if __name__ == "__main__":
    main()
