"""Checks every request that a test sends with AWS's clients against AWS's rules."""

import contextlib
import functools
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import walk_packages
from typing import Any
from unittest.mock import patch

import deployer.aws
import pytest
from botocore.client import BaseClient
from botocore.model import ListShape, MapShape, Shape, StructureShape
from deployer.aws import client as clients

from localcloud.aws_rules import models
from localcloud.aws_rules.requests import refusals

# The modules of `aws` that make calls.
CALLERS = [
    module
    for each in walk_packages(deployer.aws.__path__, "deployer.aws.")
    if (module := import_module(each.name)) is not clients and getattr(module, "client", None) is clients.client
]


@dataclass
class Requests:
    """What was sent: the operations, and the values that AWS would have refused."""

    sent: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def check(self, service: str, operation: str, parameters: Mapping[str, Any]) -> None:
        self.sent.append(f"{service}:{operation}")
        self.refused += [f"{service} {each}" for each in refusals(service, operation, parameters)]


def checked_requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[Requests]:
    """Check all requests of botocore's clients. Fails at the end of the test, because steps catch errors or
    retry.
    """
    requests = Requests()
    send = BaseClient._make_api_call  # type: ignore[attr-defined]

    def check_and_send(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        requests.check(self.meta.service_model.service_name, operation, parameters)
        return send(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", check_and_send)
    yield requests
    assert not requests.refused, "AWS would refuse this:\n" + "\n".join(dict.fromkeys(requests.refused))


def checking(requests: Requests, module: Any, name: str, replacement: Callable[..., Any]) -> Callable[..., Any]:
    """A replacement of a function of `aws`, which first lets the function itself build and check its requests."""
    original = getattr(module, name)
    # The functions of a package are defined in its modules.
    module = import_module(original.__module__)

    @functools.wraps(original)
    def call(*arguments: Any, **named: Any) -> Any:
        client, module.client = module.client, lambda service: _Client(service, requests)
        try:
            # It may fail because of an invented response; the requests before that count.
            with contextlib.suppress(Exception):
                original(*arguments, **named)
        finally:
            module.client = client
        return replacement(*arguments, **named)

    return call


@contextlib.contextmanager
def only_checked() -> Iterator[Requests]:
    """In this block, the requests of the modules of `aws` are checked and not sent."""
    requests = Requests()
    with contextlib.ExitStack() as stack:
        for module in CALLERS:
            stack.enter_context(patch.object(module, "client", lambda service: _Client(service, requests)))
        yield requests


class _Client:
    """Accepts every call of a service, checks it, and invents a response of the right shape."""

    def __init__(self, service: str, requests: Requests) -> None:
        self._service = service
        self._requests = requests

    def __getattr__(self, method: str) -> Callable[..., Any]:
        operation = _operations(self._service)[method]

        def call(**parameters: Any) -> Any:
            self._requests.check(self._service, operation, parameters)
            return pickle.loads(_answer(self._service, operation))

        return call

    def get_paginator(self, method: str) -> Any:
        call = getattr(self, method)

        class Pages:
            def paginate(self, **parameters: Any) -> list[Any]:
                parameters.pop("PaginationConfig", None)
                return [call(**parameters)]

        return Pages()


@functools.cache
def _answer(service: str, operation: str) -> bytes:
    return pickle.dumps(_sample(models.operation(service, operation).output_shape))


@functools.cache
def _operations(service: str) -> dict[str, str]:
    """The operations of a service by the names of botocore's methods."""
    return {_snake(name): name for name in models.service(service).operation_names}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


# Members of responses that later requests use.
SAMPLES = {"IpProtocol": "tcp", "CidrIp": "198.51.100.0/24", "CidrIpv6": "2001:db8::/32"}


def _sample(shape: Shape | None, above: tuple[str, ...] = ()) -> Any:
    """A value of a shape: lists have one entry, structures all members, and there is no next page."""
    if shape is None or shape.name in above:
        return {}
    above = (*above, shape.name)
    if isinstance(shape, StructureShape):
        found = {name: SAMPLES.get(name) or _sample(member, above) for name, member in shape.members.items()}
        return {name: each for name, each in found.items() if "oken" not in name and name != "failures"}
    if isinstance(shape, ListShape):
        return [_sample(shape.member, above)]
    if isinstance(shape, MapShape):
        return {}
    return {"string": "sample", "boolean": False}.get(shape.type_name, 0)
