"""AWS's APIs in botocore's models, and the limits of each member.

botocore itself checks only types, required members and minima before it sends a call.
"""

from __future__ import annotations

import contextlib
import re
from functools import cache
from typing import Any

import botocore.session
import regex
from botocore.model import OperationModel, ServiceModel, Shape

from localcloud.aws_rules import by_hand
from localcloud.aws_rules.documentation import limits_in
from localcloud.aws_rules.exceptions import WRONG
from localcloud.aws_rules.limits import Limit, at_least, at_most, matches, one_of

COUNTED = {"string": "characters", "blob": "bytes", "list": "entries", "map": "entries"}
NUMBERS = ("integer", "long", "float", "double")
# API Gateway's model has no minima and maxima, but the names of its shapes contain them.
_LENGTH_IN_NAME = re.compile(r"[Bb]etween(\d+)And(\d+)$")


@cache
def service(name: str) -> ServiceModel:
    """The model of a service, by botocore's name, e.g. `stepfunctions`."""
    model: ServiceModel = _session().get_service_model(name)
    return model


@cache
def operation(service_name: str, operation_name: str) -> OperationModel:
    return service(service_name).operation_model(operation_name)


@cache
def _session() -> Any:
    return botocore.session.get_session()


_limits: dict[tuple[str, str, str, str], tuple[Limit, ...]] = {}


def limits_of(service_name: str, owner: str, member: str, shape: Shape) -> tuple[Limit, ...]:
    """The limits of a member of a structure, or of a list's entries with `member` ''."""
    key = (service_name, owner, member, shape.name)
    if key not in _limits:
        _limits[key] = tuple(_find_limits(service_name, owner, member, shape))
    return _limits[key]


def _find_limits(service_name: str, owner: str, member: str, shape: Shape) -> list[Limit]:
    by_us = by_hand.MEMBERS.get((service_name, owner, member), ())
    if (service_name, owner, member) in WRONG:
        return list(by_us)
    modelled = _modelled(shape)
    documented = limits_in(shape.documentation or "", shape.type_name)
    if "pattern" in shape.metadata or "enum" in shape.metadata:
        # A sentence about characters only summarizes the pattern, and may omit some.
        documented = tuple(limit for limit in documented if " at " in limit.asks)
    return list({limit.asks: limit for limit in (*modelled, *documented, *by_us)}.values())


def _modelled(shape: Shape) -> list[Limit]:
    kind, metadata = shape.type_name, shape.metadata
    found = []
    named = _LENGTH_IN_NAME.search(shape.name)
    low = metadata.get("min", int(named[1]) if named else None)
    high = metadata.get("max", int(named[2]) if named else None)
    if kind in COUNTED or kind in NUMBERS:
        if low is not None:
            found.append(at_least(low, COUNTED.get(kind, "")))
        if high is not None:
            found.append(at_most(high, COUNTED.get(kind, "")))
    if kind == "string" and metadata.get("enum"):
        found.append(one_of(metadata["enum"]))
    if kind == "string" and metadata.get("pattern"):
        # A Java pattern with halves of surrogate pairs does not compile; it means all of Unicode.
        with contextlib.suppress(regex.error):
            found.append(matches(metadata["pattern"]))
    return found
