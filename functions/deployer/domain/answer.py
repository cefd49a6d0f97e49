"""Notes for the mail about an answer of the app that is not a plain success."""

from collections.abc import Collection
from urllib.parse import urlsplit

from deployer.domain.text import discreet, printable

LOCATION_LIMIT = 200

MEANINGS = {
    400: "It answered 400 (bad request) on {path}. Frameworks do that when they do not know the host "
    "name: allow this address in ALLOWED_HOSTS (Django), config.hosts (Rails) or a similar "
    "setting.",
    401: "It answered 401 (unauthorized) on {path}: that page requires a login.",
    403: "It answered 403 (forbidden) on {path}. If that is not intended, the app may have no "
    "permission to read its files, or may not accept this host name.",
    404: "It answered 404 (not found) on {path}. That is fine for an API that has no page there. To "
    "check another path, add LABEL portcall.health=/path.",
}


def note(status: int | None, path: str, location: str) -> str:
    """One line for the mail about the status, '' for a success or for TCP (None).

    `path` was requested; `location` is the target of a redirect, '' for none. The app wrote both.
    """
    if status is None or 200 <= status < 300:
        return ""
    asked = printable(path, LOCATION_LIMIT)
    if 300 <= status < 400 and location:
        # A link to a login may contain a token.
        to = discreet(printable(location, LOCATION_LIMIT))
        return f"It answered {status} on {asked} and redirects to {to}"
    return MEANINGS.get(status, f"It answered {status} on {{path}}.").replace("{path}", asked)


def redirect_port(location: str, host: str, ports: Collection[int]) -> int | None:
    """The port of the app that a redirect points to, None if it points elsewhere."""
    try:
        parts = urlsplit(location)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return port if parts.hostname == host and port in ports else None
    except ValueError:
        return None
