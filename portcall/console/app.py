"""The page as a Flask application."""

from flask import Flask, Response, abort, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from portcall.console import rendering, security, views
from portcall.console.acting import Operator
from portcall.console.live import Poller
from portcall.console.security import Door
from portcall.console.source import Source

SENTENCES = {
    400: "The page does not understand this request.",
    401: "This browser did not open the link, or the page was restarted since. The terminal in which "
    "`portcall console` runs shows a link that works in one browser.",
    404: "There is nothing here.",
    405: "That cannot be done here.",
    413: "The text is too long.",
    500: "There is an error in the page itself. See the terminal in which `portcall console` runs.",
}


def create_app(source: Source, door: Door, poller: Poller, *, read_only: bool = False) -> Flask:
    """The page about an install, with its access checks."""
    app = Flask(__name__, static_url_path=f"{door.prefix}/static")
    security.guard(app, door, read_only=read_only)
    rendering.prepare(app, source, read_only=read_only)
    app.register_blueprint(
        views.blueprint(source, poller, Operator(source, read_only=read_only)), url_prefix=door.prefix
    )

    @app.get("/enter")
    def enter() -> Response | str:
        if request.method != "GET" or not door.enter(request.args.get("token", "")):
            abort(401, "This link was already used, or belongs to an earlier run.")
        # Not a redirect: browsers do not send a strict cookie after a redirect from another site.
        response = Response(render_template("enter.html"))
        door.give_cookie(response)
        return response

    @app.get(door.prefix)
    def without_slash() -> AnyResponse:
        return redirect(url_for("page.apps"))

    @app.errorhandler(HTTPException)
    def say(error: HTTPException) -> tuple[str, int]:
        code = error.code or 500
        own = str(error.description) if error.description != type(error).description else ""
        said = [own, SENTENCES[401]] if code == 401 and own else [own or SENTENCES.get(code, error.name)]
        return render_template("message.html", code=code, said=said), code

    return app
