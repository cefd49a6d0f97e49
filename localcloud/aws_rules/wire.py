"""Parses HTTP requests to AWS's APIs back into botocore's parameters.

The protocols `json`, `query`, `ec2` and `rest-json`: https://smithy.io/2.0/aws/protocols/index.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from localcloud.aws_rules import models

# The services whose calls are parsed, by signing name. S3's rest-xml is not supported.
_OWN_NAMES = (
    "cloudformation dynamodb ec2 ecr ecs events iam inspector2 kms lambda logs scheduler secretsmanager"
    " sns sqs ssm sts"
)
SERVICES = {name: name for name in _OWN_NAMES.split()} | {
    "apigateway": "apigatewayv2",
    "states": "stepfunctions",
}
_SIGNED = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([a-z0-9-]+)/aws4_request")


@dataclass(frozen=True)
class Call:
    """A call: botocore's names of service and operation, and the parameters."""

    service: str
    operation: str
    parameters: dict[str, Any]


def service_of(headers: Mapping[str, str]) -> str:
    """botocore's name of the service that a request is signed for, '' if it is not parsed."""
    found = _SIGNED.search(headers.get("authorization", ""))
    return SERVICES.get(found[1], "") if found else ""


def read(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Call | None:
    """The call in a request, None if it is not parsed or the operation does not exist."""
    service = service_of(headers)
    if not service:
        return None
    try:
        match models.service(service).metadata["protocol"]:
            case "json":
                return _json(service, headers, body)
            case "query" | "ec2" as protocol:
                return _query(service, protocol, query if method == "GET" else body.decode())
            case "rest-json":
                return _rest(service, method, path, query, headers, body)
    except ValueError:
        # The service itself refuses a request that cannot be parsed.
        return None
    return None


# json


def _json(service: str, headers: Mapping[str, str], body: bytes) -> Call | None:
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    found = _operation(service, operation)
    if found is None:
        return None
    return Call(service, operation, _members(found, json.loads(body or b"{}")))


def _members(operation: OperationModel, document: Any) -> dict[str, Any]:
    shape = operation.input_shape
    return dict(_plain(shape, document)) if shape is not None and isinstance(document, dict) else {}


def _plain(shape: Shape, value: Any) -> Any:
    """A JSON value with botocore's member names, and blobs as bytes. Nulls are left out."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        return {
            names[name]: _plain(shape.members[names[name]], each)
            for name, each in value.items()
            if name in names and each is not None
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_plain(shape.member, each) for each in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: _plain(shape.value, each) for name, each in value.items()}
    return _blob(value) if shape.type_name == "blob" and isinstance(value, str) else value


def _blob(value: str) -> Any:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return value


# query and ec2


def _query(service: str, protocol: str, text: str) -> Call | None:
    given = dict(parse_qsl(text, keep_blank_values=True))
    operation = _operation(service, given.get("Action", ""))
    if operation is None:
        return None
    shape = operation.input_shape
    found = _from_pairs(shape, given, "", protocol) if shape is not None else {}
    return Call(service, operation.name, found or {})


def _from_pairs(shape: Shape, given: Mapping[str, str], prefix: str, protocol: str) -> Any:
    """The value under a prefix of the names, None if there is none."""
    if isinstance(shape, StructureShape):
        parts = {
            name: _from_pairs(member, given, _joined(prefix, _query_name(member, name, protocol)), protocol)
            for name, member in shape.members.items()
        }
        found = {name: each for name, each in parts.items() if each is not None}
        return found or None
    if isinstance(shape, ListShape):
        flat = protocol == "ec2" or shape.serialization.get("flattened")
        inner = prefix if flat else _joined(prefix, shape.member.serialization.get("name", "member"))
        return [
            _from_pairs(shape.member, given, f"{inner}.{number}", protocol) for number in _numbers(given, inner)
        ] or None
    if isinstance(shape, MapShape):
        inner = prefix if shape.serialization.get("flattened") else f"{prefix}.entry"
        key = shape.key.serialization.get("name", "key")
        value = shape.value.serialization.get("name", "value")
        return {
            given.get(f"{inner}.{number}.{key}", ""): _from_pairs(
                shape.value, given, f"{inner}.{number}.{value}", protocol
            )
            for number in _numbers(given, inner)
        } or None
    return _scalar(shape, given[prefix]) if prefix in given else None


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _query_name(member: Shape, name: str, protocol: str) -> str:
    if protocol == "ec2":
        if "queryName" in member.serialization:
            return str(member.serialization["queryName"])
        known = str(member.serialization.get("name", name))
        return known[0].upper() + known[1:]
    if isinstance(member, ListShape) and member.serialization.get("flattened"):
        return str(member.member.serialization.get("name", name))
    return str(member.serialization.get("name", name))


def _numbers(given: Mapping[str, str], prefix: str) -> Iterator[int]:
    start = re.compile(re.escape(prefix) + r"\.(\d+)(?:\.|$)")
    yield from sorted({int(found[1]) for name in given if (found := start.match(name))})


def _scalar(shape: Shape, text: str) -> Any:
    kind = shape.type_name
    if kind in ("integer", "long") and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind in ("float", "double"):
        return float(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return _blob(text) if kind == "blob" else text


# rest-json


def _rest(
    service: str, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> Call | None:
    words = set(query.split("&"))
    for operation, pattern, wanted in _routes(service):
        if operation.http["method"] == method and wanted <= words and (found := pattern.fullmatch(path)):
            parameters = _from_request(operation, found.groupdict(), query, headers, body)
            return Call(service, operation.name, parameters)
    return None


def _from_request(
    operation: OperationModel, in_path: Mapping[str, str], query: str, headers: Mapping[str, str], body: bytes
) -> dict[str, Any]:
    shape = operation.input_shape
    if shape is None:
        return {}
    payload = shape.serialization.get("payload")
    in_query: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        in_query.setdefault(name, []).append(value)
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        wire_name = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case "uri" if _group(wire_name) in in_path:
                found[name] = _scalar(member, unquote(in_path[_group(wire_name)]))
            case "querystring" if wire_name in in_query:
                values = in_query[wire_name]
                found[name] = values if isinstance(member, ListShape) else _scalar(member, values[0])
            case "header" if wire_name.lower() in headers:
                found[name] = _scalar(member, headers[wire_name.lower()])
    if payload:
        member = shape.members[payload]
        if isinstance(member, StructureShape) and body:
            found[payload] = _plain(member, json.loads(body))
        elif body:
            found[payload] = body
    elif body:
        found |= _members(operation, json.loads(body))
    return found


@cache
def _routes(service: str) -> tuple[tuple[OperationModel, re.Pattern[str], set[str]], ...]:
    """The operations with their paths and required query parameters, the most specific first."""
    model = models.service(service)
    routes = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, query = operation.http["requestUri"].partition("?")
        routes.append((operation, _pattern(path), set(filter(None, query.split("&")))))
    return tuple(sorted(routes, key=lambda route: (len(route[1].groupindex), -len(route[2]))))


def _pattern(uri: str) -> re.Pattern[str]:
    parts = re.split(r"\{([^}]+)\}", uri)
    literal, placeholders = parts[::2], parts[1::2]
    pattern = re.escape(literal[0])
    for name, after in zip(placeholders, literal[1:], strict=True):
        any_of = ".+" if name.endswith("+") else "[^/]+"
        pattern += f"(?P<{_group(name.rstrip('+'))}>{any_of}){re.escape(after)}"
    return re.compile(pattern.removesuffix("/") + "/?")


def _group(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _operation(service: str, name: str) -> OperationModel | None:
    known = _operation_names(service)
    return models.operation(service, name) if name in known else None


@cache
def _operation_names(service: str) -> frozenset[str]:
    return frozenset(models.service(service).operation_names)
