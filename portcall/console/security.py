"""Who may use the page: the browser that opened the link, and no other site.

The link has a token that works once; the browser gets a cookie for it. Browsers send a cookie to all ports of a
host, so the cookie's path is a secret of this run, and a server on another port of this machine never gets it.
"""

import hmac
import secrets
from collections.abc import Callable

from flask import Flask, Response, abort, request

# Only 127.0.0.1 and localhost: an attacker's host name that resolves to this machine is refused (DNS
# rebinding).
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
    # Other sites do not get its URLs. With no-referrer, its own forms would have the origin `null`.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Door:
    """The secrets of one run of the page. `let_in` is called with the next link when one was used."""

    def __init__(self, port: int, let_in: Callable[[str], None] = lambda link: None) -> None:
        self.port = port
        self.prefix = f"/{secrets.token_urlsafe(16)}"
        self.cookie = f"portcall-{port}"
        self._session = secrets.token_urlsafe(32)
        self._token = secrets.token_urlsafe(32)
        self._let_in = let_in

    @property
    def link(self) -> str:
        """The link that opens the page, once."""
        return f"http://127.0.0.1:{self.port}/enter?token={self._token}"

    def enter(self, token: str) -> bool:
        """Whether the token is valid; each works once."""
        good = _same(token, self._token)
        if good:
            self._token = secrets.token_urlsafe(32)
            self._let_in(self.link)
        return good

    def knows(self, cookie: str) -> bool:
        """Whether it is a cookie that this run issued."""
        return _same(cookie, self._session)

    def give_cookie(self, response: Response) -> None:
        """Set the cookie in the browser that opened the link."""
        response.set_cookie(self.cookie, self._session, path=self.prefix, httponly=True, samesite="Strict")


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


def guard(app: Flask, door: Door, *, read_only: bool) -> None:
    """Check each request, and add the security headers to each response."""
    app.config.update(
        TRUSTED_HOSTS=HOSTS,
        MAX_CONTENT_LENGTH=BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=BODY_BYTES,
        MAX_FORM_PARTS=20,
    )

    @app.before_request
    def _check() -> None:
        # Flask checks the host against the list when the host is read.
        _ = request.host
        if request.method not in ("GET", "HEAD"):
            if not _is_own_page():
                abort(403, "This request came from another page. Only Portcall's own page may send it.")
            if read_only:
                abort(403, "This page is read-only. Start it without --read-only to change apps.")
        if request.endpoint != "enter" and not door.knows(request.cookies.get(door.cookie, "")):
            abort(401)

    @app.after_request
    def _finish(response: Response) -> Response:
        response.headers.update(HEADERS)
        # Static files may be cached; nothing else.
        kept = request.endpoint == "static" and response.status_code == 200
        response.headers["Cache-Control"] = "private, max-age=3600" if kept else "no-store"
        return response


def _is_own_page() -> bool:
    """Whether the browser says that a page of this origin sent the request. A request without this is refused.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    own = request.host_url.removesuffix("/")
    if site is not None:
        return site == "same-origin" and origin in (None, own)
    return origin == own
