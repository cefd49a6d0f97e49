"""Amazon API Gateway: the addresses that stay. Each is an HTTP API, which passes everything on to one task."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from deployer.aws.client import client, code_of, errors_as_ours
from deployer.domain import app_tags
from deployer.domain.endpoint import MARK, Address
from deployer.domain.errors import AwsRefusedError, AwsUnavailableError

NAME_LIMIT = 128
# What counts as an answer of an app; parameters of a response are given by status.
ANSWERS = [str(status.value) for status in HTTPStatus if 200 <= status < 500]


def open_address(*, stack: str, app: str, target: str) -> Address:
    """The app's address, made if it has none, with the URL `target` for a start; `move_address` does the rest.

    With a target, API Gateway makes an integration, a catch-all route and a stage that deploys each change. If
    two calls at once make two addresses, the older one is the app's.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop.html#http-api-examples.cli.quick-create
    """
    tags = {"portcall:stack": stack, **app_tags.tags(app)}
    gateway = client("apigatewayv2")
    with _errors_as_ours():
        known = [api for api in _apis() if tags.items() <= api.get("Tags", {}).items()]
        if known:
            api = min(known, key=lambda each: (each["CreatedDate"], each["ApiId"]))
        else:
            name = f"{stack} {app}"[:NAME_LIMIT]
            api = gateway.create_api(Name=name, ProtocolType="HTTP", Target=target, Tags=tags)
        integrations = gateway.get_integrations(ApiId=api["ApiId"])["Items"]
    if not integrations:
        raise AwsUnavailableError(f"The HTTP API {api['ApiId']} is not complete yet.")
    return Address(api["ApiId"], integrations[0]["IntegrationId"], f"{api['ApiEndpoint']}/")


def move_address(*, address: Address, target: str, version: int) -> None:
    """Lead the address to the URL `target`, with whatever path is asked for; its answers tell the version.

    API Gateway deploys the change by itself, which takes it a moment.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
    """
    with _errors_as_ours():
        client("apigatewayv2").update_integration(
            ApiId=address.api,
            IntegrationId=address.integration,
            IntegrationUri=target,
            RequestParameters={"overwrite:path": "$request.path"},
            ResponseParameters={status: {f"overwrite:header.{MARK}": str(version)} for status in ANSWERS},
        )


def is_open(address: Address) -> bool:
    """Whether the address is there, which somebody may have deleted by hand."""
    try:
        with _errors_as_ours():
            client("apigatewayv2").get_integration(ApiId=address.api, IntegrationId=address.integration)
    except AwsRefusedError as error:
        if code_of(error) == "NotFoundException":
            return False
        raise
    return True


def addresses_of(*, stack: str) -> dict[str, str]:
    """The HTTP APIs that are addresses of a stack's apps: by id, the app of each."""
    with _errors_as_ours():
        tags = {api["ApiId"]: api.get("Tags", {}) for api in _apis()}
    return {api: app_tags.app(of_api) for api, of_api in tags.items() if of_api.get("portcall:stack") == stack}


def close_address(api: str) -> None:
    """Delete the address for good, for another one never has its URL; one that is gone is fine."""
    try:
        with _errors_as_ours():
            client("apigatewayv2").delete_api(ApiId=api)
    except AwsRefusedError as error:
        if code_of(error) != "NotFoundException":
            raise


def _apis() -> Iterator[dict[str, Any]]:
    for page in client("apigatewayv2").get_paginator("get_apis").paginate():
        yield from page["Items"]


@contextmanager
def _errors_as_ours() -> Iterator[None]:
    """As elsewhere; but a conflict is with a change that is still being made, and passes."""
    try:
        with errors_as_ours():
            yield
    except AwsRefusedError as error:
        if code_of(error) == "ConflictException":
            raise AwsUnavailableError(str(error)) from error
        raise
