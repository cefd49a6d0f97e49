"""Checks a resource's properties against its CloudFormation schema and against the calls behind it.

The schemas are in cfn-lint's wheel. Each names the calls that create and update the resource, and a property
has the limits of these calls' members of the same name. A value is refused if its schema refuses it, or if all
of these members refuse it: several members may be called e.g. `Description`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import regex
from botocore.model import ListShape, MapShape, Shape, StructureShape

from localcloud.aws_rules import by_hand
from localcloud.aws_rules.limits import Limit, Refusal
from localcloud.aws_rules.models import limits_of, service

REGION = "us-east-1"
# The prefix of IAM actions, if botocore has another name for the service.
_SERVICES = {"states": "stepfunctions", "apigateway": "apigatewayv2"}
_CUSTOM = ("AWS::CloudFormation::CustomResource", "Custom::")


def refusals(kind: str, properties: Mapping[str, Any]) -> list[Refusal]:
    """The invalid values of a resource with resolved properties."""
    name = _CUSTOM[0] if kind.startswith(_CUSTOM) else kind
    found = list(_of_hand(name, properties))
    if name != _CUSTOM[0]:
        schema = _schema(name)
        if schema is None:
            return [Refusal(kind, kind, "be a type of CloudFormation")]
        found += _of_schema(schema, schema, properties, kind)
        others = {each: value for each, value in properties.items() if not _is_document(schema, each)}
        found += _of_calls(name, others, kind, "")
    return list({str(each): each for each in found}.values())


@cache
def _schema(kind: str) -> dict[str, Any] | None:
    """The schema of a type of resources, None if CloudFormation has no such type."""
    name = json.loads((_schemas() / "providers" / f"{REGION}.json").read_text()).get(kind)
    if name is None:
        return None
    schema: dict[str, Any] = json.loads((_schemas() / "resources" / f"{name}.json").read_text())
    return schema


@cache
def _schemas() -> Path:
    """The folder of the schemas in cfn-lint's wheel; to import cfn-lint itself takes more than a second."""
    return Path(str(distribution("cfn-lint").locate_file("cfnlint/data/schemas")))


def _is_document(schema: Mapping[str, Any], name: str) -> bool:
    """Whether a property is an object whose members the schema leaves open, such as a policy."""
    property = schema.get("properties", {}).get(name, {})
    property = property | schema.get("definitions", {}).get(property.get("$ref", "").rpartition("/")[2], {})
    return "object" in property.get("type", ()) and not {"properties", "patternProperties"} & property.keys()


# What is written by hand

_ANY_TAGS = (
    Limit("have at most 50 tags", lambda tags: len(tags) <= 50),
    Limit("have no key twice", lambda tags: len({str(tag.get("Key")) for tag in tags}) == len(tags)),
)


def _of_hand(kind: str, properties: Mapping[str, Any]) -> Iterator[Refusal]:
    tags = properties.get("Tags")
    if isinstance(tags, list) and all(isinstance(tag, Mapping) for tag in tags):
        yield from (Refusal(f"{kind}.Tags", tags, each.asks) for each in _ANY_TAGS if not each.holds(tags))
    for (wanted, path), limits in by_hand.PROPERTIES.items():
        if wanted == kind:
            for where, value in _at(properties, path.split("/") if path else [], kind):
                for limit in limits:
                    if not limit.holds(value):
                        yield Refusal(where, value, limit.asks)


def _at(value: Any, path: list[str], where: str) -> Iterator[tuple[str, Any]]:
    """The values at a path, empty if there are none."""
    if not path:
        yield where, value
    elif path[0] == "*" and isinstance(value, list):
        for index, each in enumerate(value):
            yield from _at(each, path[1:], f"{where}[{index}]")
    elif isinstance(value, Mapping) and value.get(path[0]) is not None:
        yield from _at(value[path[0]], path[1:], f"{where}.{path[0]}")


# The schema


def _of_schema(whole: Mapping[str, Any], schema: Mapping[str, Any], value: Any, path: str) -> Iterator[Refusal]:
    if "$ref" in schema:
        target: Any = whole
        for name in schema["$ref"].removeprefix("#/").split("/"):
            target = target.get(name, {})
        yield from _of_schema(whole, target, value, path)
    if asks := _wrong_type(schema, value):
        yield Refusal(path, value, asks)
        return
    yield from (Refusal(path, value, asks) for asks in _wrong_value(schema, value))
    for keyword in ("anyOf", "oneOf"):
        choices = schema.get(keyword)
        if choices and all(list(_of_schema(whole, choice, value, path)) for choice in choices):
            yield Refusal(path, value, "fit one of the alternatives of its schema")
    if isinstance(value, Mapping):
        yield from _of_object(whole, schema, value, path)
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for index, each in enumerate(value):
            yield from _of_schema(whole, schema["items"], each, f"{path}[{index}]")


def _of_object(
    whole: Mapping[str, Any], schema: Mapping[str, Any], value: Mapping[str, Any], path: str
) -> Iterator[Refusal]:
    known = schema.get("properties") or {}
    patterns = schema.get("patternProperties") or {}
    for name in schema.get("required", ()):
        if name not in value:
            yield Refusal(f"{path}.{name}", None, "be there")
    alternatives = schema.get("requiredXor") or ()
    if alternatives and sum(name in value for name in alternatives) != 1:
        yield Refusal(path, value, f"have one of {', '.join(alternatives)}")
    for name, needed in (schema.get("dependentRequired") or {}).items():
        if name in value and not set(needed) <= set(value):
            yield Refusal(path, value, f"have {', '.join(needed)} with {name}")
    for name, each in value.items():
        if name in known:
            yield from _of_schema(whole, known[name], each, f"{path}.{name}")
        elif fitting := [part for pattern, part in patterns.items() if re.search(pattern, name)]:
            yield from _of_schema(whole, fitting[0], each, f"{path}.{name}")
        elif schema.get("additionalProperties") is False and (known or patterns):
            yield Refusal(f"{path}.{name}", each, "not be there: there is no such property")


def _wrong_type(schema: Mapping[str, Any], value: Any) -> str:
    kinds = schema.get("type")
    if not kinds:
        return ""
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return "" if any(_is(kind, value) for kind in kinds) else f"be a {' or '.join(kinds)}"


def _is(kind: str, value: Any) -> bool:
    """Whether a value has the type, after CloudFormation's conversions between text, numbers and booleans."""
    if kind in ("object", "array"):
        return isinstance(value, Mapping if kind == "object" else list) or (
            kind == "object" and isinstance(value, str)
        )
    if isinstance(value, Mapping | list):
        return False
    text = str(value).lower()
    if kind == "boolean":
        return text in ("true", "false")
    if kind == "integer":
        return re.fullmatch(r"-?\d+", text) is not None
    return kind != "number" or re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def _wrong_value(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        return
    size = len(value) if isinstance(value, list) else len(str(value))
    low, high = ("minItems", "maxItems") if isinstance(value, list) else ("minLength", "maxLength")
    if size < schema.get(low, size):
        yield f"have at least {schema[low]} entries or characters"
    if size > schema.get(high, size):
        yield f"have at most {schema[high]} entries or characters"
    if isinstance(value, list):
        if schema.get("uniqueItems") and len({str(each) for each in value}) < size:
            yield "have no entry twice"
        return
    if "enum" in schema and str(value) not in map(str, schema["enum"]):
        yield f"be one of {', '.join(map(str, schema['enum'][:12]))}"
    if "const" in schema and str(value) != str(schema["const"]):
        yield f"be {schema['const']}"
    if "pattern" in schema and not _searches(schema["pattern"], str(value)):
        yield f"match {schema['pattern']}"
    if _is("number", value) and not isinstance(value, bool):
        if float(value) < schema.get("minimum", float(value)):
            yield f"be at least {schema['minimum']}"
        if float(value) > schema.get("maximum", float(value)):
            yield f"be at most {schema['maximum']}"


def _searches(pattern: str, text: str) -> bool:
    try:
        return regex.search(pattern, text) is not None
    except regex.error:
        return True


# The calls behind it


def _of_calls(kind: str, value: Any, path: str, name: str) -> Iterator[Refusal]:
    if isinstance(value, Mapping):
        for each, inner in value.items():
            yield from _of_calls(kind, inner, f"{path}.{each}", each)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _of_calls(kind, each, f"{path}[{index}]", name)
    elif value is not None:
        refused = [_broken(limits, kind, value) for kind, limits in _members(kind).get(name.lower(), ())]
        if refused and all(refused):
            yield Refusal(path, value, refused[0])


def _broken(limits: tuple[Limit, ...], kind: str, value: Any) -> str:
    typed = int(value) if kind in ("integer", "long") and re.fullmatch(r"-?\d+", str(value)) else value
    typed = str(typed) if kind == "string" and not isinstance(typed, str) else typed
    return next((limit.asks for limit in limits if not limit.holds(typed)), "")


@cache
def _members(kind: str) -> dict[str, tuple[tuple[str, tuple[Limit, ...]], ...]]:
    """The limits of the members of the calls that create a resource, by lower-case name."""
    handlers = (_schema(kind) or {}).get("handlers") or {}
    actions = [
        action
        for handler in ("create", "update")
        for action in (handlers.get(handler) or {}).get("permissions", ())
    ]
    own = kind.split("::")[1].lower()
    if own == "apigatewayv2":
        # Its permissions are HTTP methods, not operations.
        actions = [f"{own}:{verb}{kind.split('::')[2]}" for verb in ("Create", "Update")]
    found: dict[str, dict[Any, tuple[str, tuple[Limit, ...]]]] = {}
    for action in dict.fromkeys(actions):
        prefix, _, call = action.partition(":")
        name = _SERVICES.get(prefix, prefix)
        # Other permissions, such as kms:CreateGrant, are for things that the resource uses.
        if (
            prefix not in (own, _SERVICES.get(own))
            and name != own
            and (own, prefix) != ("stepfunctions", "states")
        ):
            continue
        if call.startswith(("Describe", "Get", "List")):
            continue
        try:
            shape = service(name).operation_model(call).input_shape
        except Exception:  # noqa: S112 - an action that is not an operation, or a service that botocore has not
            continue
        if shape is not None:
            for member, where, of_member in _scalars(shape, (shape.name, ""), ()):
                limits = limits_of(name, *where, of_member)
                if limits:
                    names = {member.lower(), str(of_member.serialization.get("name") or member).lower()}
                    for each in names:
                        found.setdefault(each, {})[name, where] = (of_member.type_name, limits)
    return {name: tuple(limits.values()) for name, limits in found.items()}


def _scalars(
    shape: Shape, where: tuple[str, str], above: tuple[str, ...], name: str = ""
) -> Iterator[tuple[str, tuple[str, str], Shape]]:
    if shape.name in above:
        return
    above = (*above, shape.name)
    if isinstance(shape, StructureShape):
        for member, inner in shape.members.items():
            yield from _scalars(inner, (shape.name, member), above, member)
    elif isinstance(shape, ListShape):
        yield from _scalars(shape.member, (shape.name, ""), above, name)
    elif not isinstance(shape, MapShape):
        yield name, where, shape
