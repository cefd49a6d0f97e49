"""Stubbed clients: requests and answers are checked against the service's own model."""

from collections.abc import Callable, Iterator

import pytest
from botocore.stub import Stubber
from deployer.aws import client as clients

from tests.aws_requests import Requests, checked_requests


@pytest.fixture(autouse=True)
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[Requests]:
    """Fail a test that sends a request that AWS would refuse."""
    yield from checked_requests(monkeypatch)


@pytest.fixture
def stub() -> Iterator[Callable[[str], Stubber]]:
    """`stub("ecs")` gives the Stubber of the client that the code under test will use."""
    stubbers: dict[str, Stubber] = {}

    def stubbed(service: str) -> Stubber:
        if service not in stubbers:
            stubbers[service] = Stubber(clients.client(service))
            stubbers[service].activate()
        return stubbers[service]

    clients._client.cache_clear()
    yield stubbed
    clients._client.cache_clear()
    for stubber in stubbers.values():
        stubber.assert_no_pending_responses()
