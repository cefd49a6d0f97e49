"""The app that a push is of: named once, and kept whatever the parameters say afterwards."""

import dataclasses
from typing import Any

from deployer.aws import ledger
from deployer.domain.push import Push
from deployer.settings import settings


def push_of(document: dict[str, Any]) -> Push:
    """The push of a workflow's document, of the app that it had in the first step that asked."""
    push = Push.from_event(document, by_tag=settings().by_tag)
    if Push.app_in(document):
        return push
    return dataclasses.replace(push, app=ledger.name_app(table=settings().ledger, push=push))
