"""The app of a push. It is named once, and keeps its name if parameters change afterwards."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from deployer.aws import ledger
from deployer.domain.push import Push
from deployer.settings import settings


def push_of(document: Mapping[str, Any]) -> Push:
    """The push of a workflow's document, with the app that the first step named."""
    push = Push.from_event(document, by_tag=settings().by_tag)
    if Push.app_in(document):
        return push
    return dataclasses.replace(push, app=ledger.name_app(push=push))
