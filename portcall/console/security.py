"""Who may see the page: the browser that came by the link, and no page of anybody else's.

The link has a token that is good for once; the browser gets a cookie for it. Cookies do not know ports, so the
cookie's path is a secret of this run: a server on another port of this machine never gets to see it.
"""

import hmac
import secrets
from collections.abc import Callable

from flask import Flask, Response, abort, request

# 127.0.0.1 and localhost alone: a name of an attacker's that leads here is refused (DNS rebinding).
HOSTS = ["127.0.0.1", "localhost"]
BODY_BYTES = 64 * 1024
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Nobody else learns its addresses; with no-referrer its own forms would come from the origin `null`.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Door:
    """The secrets of one run of the page. `let_in` is called with the next link once one was used."""

    def __init__(self, port: int, let_in: Callable[[str], None] = lambda link: None) -> None:
        self.port = port
        self.prefix = f"/{secrets.token_urlsafe(16)}"
        self.cookie = f"portcall-{port}"
        self._session = secrets.token_urlsafe(32)
        self._token = secrets.token_urlsafe(32)
        self._let_in = let_in

    @property
    def link(self) -> str:
        """What opens the page, once."""
        return f"http://127.0.0.1:{self.port}/enter?token={self._token}"

    def enter(self, token: str) -> bool:
        """Whether the token is good; it is not again."""
        good = _same(token, self._token)
        if good:
            self._token = secrets.token_urlsafe(32)
            self._let_in(self.link)
        return good

    def knows(self, cookie: str) -> bool:
        """Whether it is the cookie of a browser that was let in."""
        return _same(cookie, self._session)

    def give_cookie(self, response: Response) -> None:
        """To the browser that came by the link."""
        response.set_cookie(self.cookie, self._session, path=self.prefix, httponly=True, samesite="Strict")


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


def guard(app: Flask, door: Door, *, read_only: bool) -> None:
    """Have each request pass the guard, and each answer carry the headers."""
    app.config.update(
        TRUSTED_HOSTS=HOSTS,
        MAX_CONTENT_LENGTH=BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=BODY_BYTES,
        MAX_FORM_PARTS=20,
    )

    @app.before_request
    def _check() -> None:
        # Asking for it is what makes Flask hold it to the list.
        _ = request.host
        if request.method not in ("GET", "HEAD"):
            if not _is_own_page():
                abort(403, "Another page has sent this. Only Portcall's own page may.")
            if read_only:
                abort(403, "This page is read-only. Start it without --read-only to act.")
        if request.endpoint != "enter" and not door.knows(request.cookies.get(door.cookie, "")):
            abort(401)

    @app.after_request
    def _finish(response: Response) -> Response:
        response.headers.update(HEADERS)
        # What is of this page alone may be kept; all else is of this moment.
        kept = request.endpoint == "static" and response.status_code == 200
        response.headers["Cache-Control"] = "private, max-age=3600" if kept else "no-store"
        return response


def _is_own_page() -> bool:
    """Whether the browser says that a page of this very origin has sent the request; what says nothing has not.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    own = request.host_url.removesuffix("/")
    if site is not None:
        return site == "same-origin" and origin in (None, own)
    return origin == own
