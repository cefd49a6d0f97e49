"""The resource tags that name an app.

A tag's value has 256 characters at most, and the name of an app, `<repository>:<tag>`, up to 385.
"""

from collections.abc import Mapping

LIMIT = 256
NAME = "portcall:app"
REST = "portcall:app-continued"


def tags(app: str) -> dict[str, str]:
    """The tags of an app's resources; most need only one."""
    return {NAME: app[:LIMIT]} | ({REST: app[LIMIT:]} if app[LIMIT:] else {})


def app(tags: Mapping[str, str]) -> str:
    """The app that the tags name, '' if they name none."""
    return tags.get(NAME, "") + tags.get(REST, "")
