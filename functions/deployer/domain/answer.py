"""What an app's answer may mean to the person who pushed it, where that is not simply that all is well."""

from collections.abc import Collection
from urllib.parse import urlsplit

from deployer.domain.text import discreet, printable

LOCATION_LIMIT = 200

MEANINGS = {
    400: "It answered 400 (bad request) on {path}. Frameworks answer so to a host that they do not know: allow "
    "this address in ALLOWED_HOSTS (Django), config.hosts (Rails) or the like.",
    401: "It answered 401 (unauthorized) on {path}: it wants a login there.",
    403: "It answered 403 (forbidden) on {path}. That may be meant so; or it may not read its files, or it "
    "does not know this host.",
    404: "It answered 404 (not found) on {path}. That is fine for an API that has nothing there. To have "
    "another path asked, add LABEL portcall.health=/path.",
}


def note(status: int | None, path: str, location: str) -> str:
    """One line for the mail about a status that is no success, '' for one that is, and for TCP (None).

    `path` was asked; `location` is where a redirect leads, '' for none. Both are the app's own words.
    """
    if status is None or 200 <= status < 300:
        return ""
    asked = printable(path, LOCATION_LIMIT)
    if 300 <= status < 400 and location:
        # A link to a login may have a token in it.
        return f"It answered {status} on {asked} and leads to {discreet(printable(location, LOCATION_LIMIT))}"
    return MEANINGS.get(status, f"It answered {status} on {{path}}.").replace("{path}", asked)


def redirect_port(location: str, host: str, ports: Collection[int]) -> int | None:
    """Which of the app's ports a redirect leads to, None where it leads elsewhere."""
    try:
        parts = urlsplit(location)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return port if parts.hostname == host and port in ports else None
    except ValueError:
        return None
