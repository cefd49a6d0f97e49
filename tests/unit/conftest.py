"""Stubbed clients: requests and answers are checked against the service's own model."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from deployer.aws import client as clients

from tests.aws_requests import CALLERS, Requests, checked_requests


@pytest.fixture(autouse=True)
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[Requests]:
    """No test sends what AWS would refuse."""
    yield from checked_requests(monkeypatch)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Stubber]]:
    """`stub("ecs")` gives the Stubber of the client that the code under test will use."""
    stubbers: dict[str, Stubber] = {}
    real: dict[str, Any] = {}

    def stubbed(service: str) -> Stubber:
        if service not in stubbers:
            real[service] = boto3.client(service)  # type: ignore[call-overload]
            stubbers[service] = Stubber(real[service])
            stubbers[service].activate()
        return stubbers[service]

    for module in CALLERS:
        monkeypatch.setattr(module, "client", lambda service: real[service])
    clients.client.cache_clear()
    yield stubbed
    for stubber in stubbers.values():
        stubber.assert_no_pending_responses()
