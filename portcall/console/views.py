"""The pages' addresses."""

from collections.abc import Callable, Hashable, Iterator

from flask import Blueprint, Response, abort, render_template, request, stream_with_context

from portcall.console import pages
from portcall.console.live import Page, Poller, read_once
from portcall.console.source import Source

# Each stream has a thread; browsers allow six to a host.
MOST_STREAMS = 50


def blueprint(source: Source, poller: Poller) -> Blueprint:
    """All of them."""
    page = Blueprint("page", __name__)

    def show(template: str, key: Hashable, read: Callable[[], Page], **more: str) -> tuple[str, int] | Response:
        """A page, or with `live` its state now and at each change: what is live begins with all there is."""
        if "live" in request.args:
            return _stream(poller, template, key, read, more)
        reading = read_once(read)
        live = f"{request.full_path.rstrip('?&')}{'&' if request.args else '?'}live=1"
        text = render_template(f"{template}.html", reading=reading, page=reading.page, live=live, **more)
        return text, 404 if reading.missing else 200

    @page.get("/")
    def apps() -> tuple[str, int] | Response:
        return show("apps", "apps", lambda: pages.apps_page(source))

    @page.get("/apps/<path:app>")
    def app(app: str) -> tuple[str, int] | Response:
        return show("app", ("app", app), lambda: pages.app_page(source, app), name=app)

    @page.get("/deployments/<name>")
    def deployment(name: str) -> tuple[str, int] | Response:
        of = request.args.get("app", "")
        key = ("deployment", of, name)
        return show("deployment", key, lambda: pages.deployment_page(source, of, name), name=name)

    return page


def _stream(
    poller: Poller, template: str, key: Hashable, read: Callable[[], Page], more: dict[str, str]
) -> Response:
    if poller.watchers >= MOST_STREAMS:
        abort(503, "Too many pages are open. Close some.")

    def messages() -> Iterator[str]:
        with poller.watching(key, read) as next_reading:
            while True:
                reading = next_reading()
                if reading is None:
                    yield ":\n\n"
                else:
                    yield message(
                        render_template(f"_{template}.html", reading=reading, page=reading.page, **more)
                    )

    return Response(stream_with_context(messages()), mimetype="text/event-stream")


def message(text: str) -> str:
    """A server-sent event: https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    return "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
