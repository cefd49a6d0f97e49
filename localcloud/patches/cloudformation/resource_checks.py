"""CloudFormation refuses properties that AWS would.

MiniStack: creates resources with its own functions, without API calls that could be checked.
AWS: calls the services' APIs, which check.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-template-resource-type-ref.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

from typing import Any

from ministack.services.cloudformation import stacks

from localcloud import refusals
from localcloud.aws_rules import resources
from localcloud.patches.patch import Function, patch


class PropertiesRefusedError(Exception):
    """CloudFormation's error for a resource that it refuses to create."""


@patch(stacks, "_provision_resource")
def _checked_create(
    original: Function, kind: str, name: str, properties: dict[str, Any], *more: Any, **named: Any
) -> Any:
    _check(kind, name, properties)
    return original(kind, name, properties, *more, **named)


@patch(stacks, "_update_resource")
def _checked_update(
    original: Function, kind: str, id: str, old: Any, new: dict[str, Any], *more: Any, **named: Any
) -> Any:
    if new != old:
        _check(kind, id, new)
    return original(kind, id, old, new, *more, **named)


def _check(kind: str, name: str, properties: dict[str, Any]) -> None:
    refused = resources.refusals(kind, _without_cloudformations_tags(properties))
    if refused:
        refusals.note(f"{kind} {name}", refused)
        raise PropertiesRefusedError(f"Properties validation failed: {'; '.join(map(str, refused))}")


def _without_cloudformations_tags(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties without the tags that CloudFormation adds, which a request may not contain."""
    own = "aws:cloudformation:"
    match properties.get("Tags"):
        case list() as tags:
            kept: Any = [tag for tag in tags if not str(tag.get("Key", "")).startswith(own)]
        case dict() as tags:
            kept = {key: value for key, value in tags.items() if not key.startswith(own)}
        case _:
            return properties
    return {name: value for name, value in properties.items() if name != "Tags"} | (
        {"Tags": kept} if kept else {}
    )
