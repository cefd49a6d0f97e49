"""The URLs of the pages."""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from functools import partial

from deployer.domain.text import plain
from flask import (
    Blueprint,
    Response,
    abort,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from portcall.console import acting, logs, pages
from portcall.console.acting import Operator
from portcall.console.checkup import WORDS, checkup_page
from portcall.console.inbox import inbox_page
from portcall.console.live import Page, Poller, read_once
from portcall.console.source import Source
from portcall.core.trouble import Trouble

# Each stream has a thread; browsers allow six connections per host.
MOST_STREAMS = 50

# A page with its status, or a stream.
Shown = tuple[str, int] | Response


def _here(**more: str) -> str:
    """The URL of this page with more arguments, quoted: Flask's `full_path` is unquoted."""
    asked = {name: values for name, values in request.args.lists() if not name.startswith("_")}
    return url_for(request.endpoint or "page.apps", **asked | (request.view_args or {}) | more)


class Views:
    """The view of each page: a method each."""

    def __init__(self, source: Source, poller: Poller, operator: Operator) -> None:
        self._source, self._poller, self._operator = source, poller, operator
        self._apps = pages.AppsReader(source)

    def apps(self) -> Shown:
        return self._show("apps", "apps", self._apps.whole, self._apps.changed)

    def app(self, app: str) -> Shown:
        read = partial(pages.app_page, self._source, self._operator, app)
        return self._show("app", ("app", app), read, name=app)

    def deployment(self, name: str) -> Shown:
        of, asked = request.args.get("app", ""), request.args.get("asked", "")
        read = partial(pages.deployment_page, self._source, of, name)
        return self._show("deployment", ("deployment", of, name), read, name=name, asked=asked)

    def log(self, app: str) -> Shown:
        span = _span()
        # All lines since then, up to the page's limit.
        wanted = logs.MOST_LINES if span else request.args.get("lines", logs.FIRST_LINES, int)
        lines, since = min(max(1, wanted), logs.MOST_LINES), _since(span)
        if "live" in request.args:
            return _events(logs.message(said) for said in logs.follow(self._source, app, lines, since))
        read = partial(logs.log_page, self._source, app, lines, since)
        return self._show("log", None, read, name=app, span=span)

    def log_file(self, app: str) -> Response:
        try:
            found = logs.log_page(self._source, app, logs.DOWNLOAD_LINES, _since(_span()))
        except Trouble as trouble:
            abort(404, trouble.message)
        text = "".join(f"{plain(line)}\n" for line in found.lines)
        headers = {"Content-Disposition": "attachment; filename=app.log"}
        return Response(text, mimetype="text/plain", headers=headers)

    def mails(self) -> Shown:
        if not self._source.embedded:
            abort(404, "For an install in AWS, the emails are in your own inbox.")
        return self._show("inbox", "inbox", inbox_page)

    def doctor(self) -> str:
        return render_template("doctor.html", app=request.args.get("app", ""))

    def checks(self) -> str:
        try:
            found = checkup_page(self._source, request.args.get("app", ""))
        except Trouble as trouble:
            abort(404, trouble.message)
        return render_template("_doctor.html", page=found, words=WORDS)

    def plan(self, action: str) -> str:
        return self._plan(action, request.args)

    def act(self, action: str) -> tuple[str, int] | AnyResponse:
        form = request.form
        app, reason, asked = form.get("app", ""), form.get("reason", "").strip(), form.get("request", "")
        known = action in acting.LABELS and acting.REQUEST.fullmatch(asked)
        if not known or len(reason) > acting.MAX_REASON:
            abort(400)
        try:
            answer = self._operator.act(action, app, to=form.get("to", ""), reason=reason, request=asked)
        except Trouble as trouble:
            return self._plan(action, form, trouble.message), 409
        # The function needs the app's present name.
        app = str(answer.get("app", app))
        if name := answer.get("deployment"):
            return redirect(url_for("page.deployment", name=name, app=app, asked="yes"), 303)
        return redirect(url_for("page.app", app=app), 303)

    def _show(
        self,
        template: str,
        key: Hashable,
        read: Callable[[], Page],
        read_again: Callable[[], Page] | None = None,
        **more: str,
    ) -> Shown:
        """A page, or with `live` a stream of its changes, which begins with the whole page."""
        if "live" in request.args:
            return _stream(self._poller, template, key, read_again or read, more)
        reading = read_once(read)
        live = _here(live="1")
        text = render_template(f"{template}.html", reading=reading, page=reading.page, live=live, **more)
        return text, 404 if reading.missing and not more.get("asked") else 200

    def _plan(self, action: str, words: MultiDict[str, str], trouble: str = "") -> str:
        if action not in acting.LABELS or self._operator.read_only:
            abort(404)
        app, to = words.get("app", ""), words.get("to", "")
        try:
            made = acting.plan(self._source, self._operator, action, app, to)
        except Trouble as missing:
            abort(404, missing.message)
        return render_template("act.html", plan=made, trouble=trouble, reason=words.get("reason", ""))


def blueprint(source: Source, poller: Poller, operator: Operator) -> Blueprint:
    """The blueprint with all routes."""
    page, views = Blueprint("page", __name__), Views(source, poller, operator)
    page.get("/")(views.apps)
    page.get("/apps/<path:app>")(views.app)
    page.get("/deployments/<name>")(views.deployment)
    page.get("/logs/<path:app>")(views.log)
    page.get("/log-files/<path:app>")(views.log_file)
    page.get("/inbox")(views.mails)
    page.get("/doctor")(views.doctor)
    page.get("/doctor/checks")(views.checks)
    page.get("/act/<action>")(views.plan)
    page.post("/act/<action>")(views.act)
    return page


def _span() -> str:
    """The requested time span, '' for none."""
    asked = request.args.get("since", "")
    return asked if asked in logs.SPANS else ""


def _since(span: str) -> int:
    """The start of a time span in UNIX seconds; 0 for none."""
    return int(time.time()) - logs.SPANS[span] if span else 0


def _stream(
    poller: Poller, template: str, key: Hashable, read: Callable[[], Page], more: dict[str, str]
) -> Response:

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

    return _events(messages())


_open = threading.BoundedSemaphore(MOST_STREAMS)


def _events(messages: Iterator[str]) -> Response:
    """A stream of server-sent events; their number is limited."""

    def streamed() -> Iterator[str]:
        if not _open.acquire(blocking=False):
            yield message("<p>Too many pages are open. Close some, then load this one again.</p>")
            return
        try:
            yield from messages
        finally:
            _open.release()

    return Response(stream_with_context(streamed()), mimetype="text/event-stream")


def message(text: str) -> str:
    """A server-sent event: https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    return "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
