"""Checks the parameters of a call against the model, its documentation, and the rules by hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from localcloud.aws_rules.limits import Limit, Refusal
from localcloud.aws_rules.models import limits_of, operation

# `dict` first, because a check against an abstract class takes ten times as long.
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "structure": (dict, Mapping),
    "map": (dict, Mapping),
    "list": (list, tuple),
}


def refusals(service_name: str, operation_name: str, parameters: Mapping[str, Any]) -> list[Refusal]:
    """The invalid values of a call with botocore's parameters, empty if AWS would accept it."""
    found: list[Refusal] = []
    request = _request(service_name, operation_name)
    if request:
        _check(request, parameters, operation_name, found)
    return found


@cache
def _request(service_name: str, operation_name: str) -> _Place | None:
    shape = operation(service_name, operation_name).input_shape
    return _Place(service_name, shape, (shape.name, "")) if shape else None


class _Place:
    """A place in the requests of a service, with what AWS asks of the values there.

    `where` is the structure and the member, or the list and ''.
    """

    def __init__(self, service: str, shape: Shape, where: tuple[str, str]) -> None:
        self._service, self._shape = service, shape
        self.kind: str = shape.type_name
        self.types = _TYPES.get(self.kind, (object,))
        self.limits = limits_of(service, *where, shape)
        self.is_structure = isinstance(shape, StructureShape) and not shape.is_document_type
        self.required: tuple[str, ...] = tuple(shape.required_members) if self.is_structure else ()
        # Limits of the structure itself, wherever it is used.
        is_used = self.is_structure and where != (shape.name, "")
        self.own_limits: tuple[Limit, ...] = limits_of(service, shape.name, "", shape) if is_used else ()

    def is_for(self, value: Any) -> bool:
        """Whether a value has the right type; a bool is not a number."""
        if isinstance(value, bool) and self.kind in _TYPES:
            return self.kind == "boolean"
        return isinstance(value, self.types)

    # Found when they are needed: structures contain themselves.
    @cached_property
    def members(self) -> dict[str, _Place]:
        """Of a structure."""
        members = self._shape.members if isinstance(self._shape, StructureShape) else {}
        return {name: self._below(each, name) for name, each in members.items()}

    @cached_property
    def entry(self) -> _Place | None:
        """Of a list."""
        return self._below(self._shape.member, "") if isinstance(self._shape, ListShape) else None

    @cached_property
    def key_and_value(self) -> tuple[_Place, _Place] | None:
        """Of a map."""
        if not isinstance(self._shape, MapShape):
            return None
        return self._below(self._shape.key, "key"), self._below(self._shape.value, "value")

    def _below(self, shape: Shape, member: str) -> _Place:
        return _Place(self._service, shape, (self._shape.name, member))


def _check(place: _Place, value: Any, path: str, found: list[Refusal]) -> None:
    if not place.is_for(value):
        found.append(Refusal(path, value, f"be a {place.kind}"))
        return
    _hold(place.limits, value, path, found)
    if place.is_structure:
        for name in place.required:
            if value.get(name) is None:
                found.append(Refusal(f"{path}.{name}", None, "be there"))
        _hold(place.own_limits, value, path, found)
        for name, each in value.items():
            if each is not None and name in place.members:
                _check(place.members[name], each, f"{path}.{name}", found)
    elif place.entry:
        for index, each in enumerate(value):
            _check(place.entry, each, f"{path}[{index}]", found)
    elif place.key_and_value:
        keys, values = place.key_and_value
        for key, each in value.items():
            _check(keys, key, f"{path} key", found)
            _check(values, each, f"{path}.{key}", found)


def _hold(limits: tuple[Limit, ...], value: Any, path: str, found: list[Refusal]) -> None:
    for limit in limits:
        if not limit.holds(value):
            found.append(Refusal(path, value, limit.asks, limit.says))
