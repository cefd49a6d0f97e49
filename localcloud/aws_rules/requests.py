"""Checks the parameters of a call against the model, its documentation, and the rules by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from localcloud.aws_rules.limits import Refusal
from localcloud.aws_rules.models import limits_of, operation

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "structure": (Mapping,),
    "map": (Mapping,),
    "list": (list, tuple),
}


def refusals(service_name: str, operation_name: str, parameters: Mapping[str, Any]) -> list[Refusal]:
    """The invalid values of a call with botocore's parameters, empty if AWS would accept it."""
    shape = operation(service_name, operation_name).input_shape
    if shape is None:
        return []
    return list(_walk(service_name, shape, parameters, operation_name, (shape.name, "")))


def _walk(service: str, shape: Shape, value: Any, path: str, where: tuple[str, str]) -> Iterator[Refusal]:
    kind = shape.type_name
    wanted = _TYPES.get(kind)
    if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and kind != "boolean")):
        yield Refusal(path, value, f"be a {kind}")
        return
    for limit in limits_of(service, *where, shape):
        if not limit.holds(value):
            yield Refusal(path, value, limit.asks, limit.says)
    if isinstance(shape, StructureShape) and not shape.is_document_type:
        for name in shape.required_members:
            if value.get(name) is None:
                yield Refusal(f"{path}.{name}", None, "be there")
        if where != (shape.name, ""):
            # Limits of the structure itself, wherever it is used.
            for limit in limits_of(service, shape.name, "", shape):
                if not limit.holds(value):
                    yield Refusal(path, value, limit.asks, limit.says)
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _walk(service, member, value[name], f"{path}.{name}", (shape.name, name))
    elif isinstance(shape, ListShape):
        for index, each in enumerate(value):
            yield from _walk(service, shape.member, each, f"{path}[{index}]", (shape.name, ""))
    elif isinstance(shape, MapShape):
        for key, each in value.items():
            yield from _walk(service, shape.key, key, f"{path} key", (shape.name, "key"))
            yield from _walk(service, shape.value, each, f"{path}.{key}", (shape.name, "value"))
