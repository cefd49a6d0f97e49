"""What API Gateway creates for a target, and which targets it refuses."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from deployer.domain.endpoint import NOWHERE

from tests.local.conftest import Cloud
from tests.local.test_http_apis import Api, app


class Quick(Api):
    """An HTTP API that quick create makes for a target."""

    def __init__(self, client: Any, url: str) -> None:
        made = client.create_api(Name="quick", ProtocolType="HTTP", Target=url)
        self.client, self.id, self.endpoint = client, made["ApiId"], made["ApiEndpoint"]
        (self.made,) = client.get_integrations(ApiId=self.id)["Items"]


@contextmanager
def quick(cloud: Cloud, url: str) -> Iterator[Quick]:
    api = Quick(cloud.client("apigatewayv2"), url)
    try:
        yield api
    finally:
        api.client.delete_api(ApiId=api.id)


def test_a_target_becomes_a_whole_api_that_passes_on(cloud: Cloud) -> None:
    with app("web") as url, quick(cloud, url) as front:
        assert (front.made["IntegrationType"], front.made["IntegrationUri"]) == ("HTTP_PROXY", url)
        (stage,) = front.client.get_stages(ApiId=front.id)["Items"]
        assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
        assert front.status("GET", "/teapot") == 418


def test_a_target_can_be_moved(cloud: Cloud) -> None:
    with app("first") as first, app("second") as second, quick(cloud, first) as front:
        assert json.loads(front.ask()[1])["app"] == "first"
        front.client.update_api(ApiId=front.id, Target=second)
        assert json.loads(front.ask("GET", "/a/b?c=d")[1])["target"] == "/a/b?c=d"
        assert json.loads(front.ask()[1])["app"] == "second"


@pytest.mark.parametrize(
    "url",
    [
        "http://stopped.invalid/",
        "http://web.internal/",
        "http://web.test:8080/",
        "http://localhost/",
        "http://203.0.113.7:81/",
        "http://203.0.113.7:70000/",
    ],
)
def test_names_outside_public_domains_and_most_low_ports_are_refused(cloud: Cloud, url: str) -> None:
    client = cloud.client("apigatewayv2")
    with app("web") as target, quick(cloud, target) as front:
        ids = {"ApiId": front.id, "IntegrationId": front.made["IntegrationId"]}
        for refused in (
            lambda: client.create_api(Name="quick", ProtocolType="HTTP", Target=url),
            lambda: client.update_api(ApiId=front.id, Target=url),
            lambda: client.update_integration(**ids, IntegrationUri=url),
            lambda: client.create_integration(
                ApiId=front.id, IntegrationType="HTTP_PROXY", IntegrationMethod="ANY", IntegrationUri=url
            ),
        ):
            with cloud.refuses(url), pytest.raises(ClientError) as error:
                refused()
            assert error.value.response["Error"]["Code"] == "BadRequestException"
            assert error.value.response["Error"]["Message"] == "Invalid HTTP endpoint specified for URI"
        (left,) = client.get_integrations(ApiId=front.id)["Items"]
        assert left["IntegrationUri"] == target


@pytest.mark.parametrize(
    "url", [NOWHERE, "http://203.0.113.7/", "http://203.0.113.7:3000/", "https://a.example.org/"]
)
def test_public_names_and_addresses_are_taken(cloud: Cloud, url: str) -> None:
    client = cloud.client("apigatewayv2")
    with app("web") as target, quick(cloud, target) as front:
        ids = {"ApiId": front.id, "IntegrationId": front.made["IntegrationId"]}
        assert client.update_integration(**ids, IntegrationUri=url)["IntegrationUri"] == url
