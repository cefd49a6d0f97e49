"""Serves the page on loopback, with a thread per request."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from portcall.console.app import create_app
from portcall.console.live import Poller
from portcall.console.pages import pulse
from portcall.console.security import Door
from portcall.console.source import Source


class _Quiet(WSGIRequestHandler):
    """Logs no requests to the terminal."""

    def log_request(self, *_: Any, **__: Any) -> None:
        """Log nothing."""

    def version_string(self) -> str:
        """Send no version."""
        return "portcall"


@contextmanager
def serving(
    source: Source,
    *,
    port: int = 0,
    read_only: bool = False,
    next_link: Callable[[str], None] = lambda link: None,
) -> Iterator[Door]:
    """Serve the page until the block ends; port 0 is any free port. Raises OSError if the port is taken."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        door = Door(listening.getsockname()[1], next_link)
        poller = Poller(lambda: pulse(source))
        app = create_app(source, door, poller, read_only=read_only)
        server = make_server(
            "127.0.0.1", door.port, app, threaded=True, request_handler=_Quiet, fd=listening.fileno()
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield door
    finally:
        server.shutdown()
        # Streams end when their browsers are gone, and with the process.
        server.server_close()
        thread.join()
        poller.close()
