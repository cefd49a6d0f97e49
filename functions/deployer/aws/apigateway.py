"""Amazon API Gateway: stable URLs. Each is an HTTP API that forwards all requests to one task.

Each call is about an API as a whole. Its parts (integration, route, stage) are created and changed through the
API, because they have no tags and no names by which IAM could restrict access to them.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagementv2.html
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deployer.aws.client import client, code_of
from deployer.domain.endpoint import NOWHERE, StableUrl
from deployer.domain.errors import AwsRefusedError, AwsUnavailableError

NAME_LIMIT = 128
# Separates app and target in an API's description. App names have no spaces.
AT = " at "


@dataclass(frozen=True)
class HttpApi:
    """An HTTP API of this stack: its app, its target, and when it was created (UNIX seconds)."""

    stable_url: StableUrl
    app: str
    target: str
    created_at: float = 0.0


def create_stable_url(*, stack: str, app: str) -> StableUrl:
    """The app's stable URL, created if it has none; a new one has no target until `update_target`.

    With a target, API Gateway creates an integration, a catch-all route and a stage that deploys each change.
    If two
    simultaneous calls create two APIs, the older one is used.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop.html#http-api-examples.cli.quick-create
    """
    known = [each for each in stable_urls_of(stack=stack) if each.app == app]
    if known:
        return min(known, key=lambda each: (each.created_at, each.stable_url.api)).stable_url
    with _conflicts_pass():
        api = client("apigatewayv2").create_api(
            Name=_name(stack, app), ProtocolType="HTTP", Target=NOWHERE, Description=f"{app}{AT}{NOWHERE}"
        )
    return StableUrl(api["ApiId"], f"{api['ApiEndpoint']}/")


def update_target(*, stable_url: StableUrl, app: str, target: str) -> None:
    """Point the stable URL at the URL `target`; the path of each request is kept.

    API Gateway deploys the change by itself within a moment. It is no error if somebody has deleted the API.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html#http-api-develop-routes.default
    """
    try:
        with _conflicts_pass():
            client("apigatewayv2").update_api(
                ApiId=stable_url.api, Target=target, Description=f"{app}{AT}{target}"
            )
    except AwsRefusedError as error:
        if code_of(error) != "NotFoundException":
            raise


def stable_urls_of(*, stack: str) -> list[HttpApi]:
    """The HTTP APIs that are stable URLs of a stack's apps, found by name and description."""
    found = []
    with _conflicts_pass():
        for page in client("apigatewayv2").get_paginator("get_apis").paginate():
            for api in page["Items"]:
                app, at, target = api.get("Description", "").rpartition(AT)
                if at and api["Name"] == _name(stack, app):
                    stable_url = StableUrl(api["ApiId"], f"{api.get('ApiEndpoint', '')}/")
                    found.append(HttpApi(stable_url, app, target, api["CreatedDate"].timestamp()))
    return found


def delete_stable_url(api: str) -> None:
    """Delete the API for good: a new one gets another URL. It is no error if it does not exist."""
    try:
        with _conflicts_pass():
            client("apigatewayv2").delete_api(ApiId=api)
    except AwsRefusedError as error:
        if code_of(error) != "NotFoundException":
            raise


def _name(stack: str, app: str) -> str:
    """The API's name. It begins with the stack's name and a space, by which IAM policies match our APIs.

    If the stack's name leaves no room for the app, the name is the stack's only; the description has the app.
    """
    for name in (f"{stack} {app}", f"{stack} {hashlib.sha256(app.encode()).hexdigest()[:32]}"):
        if len(name) <= NAME_LIMIT:
            return name
    return stack


@contextmanager
def _conflicts_pass() -> Iterator[None]:
    """Raise a conflict as a transient error: another change is in progress."""
    try:
        yield
    except AwsRefusedError as error:
        if code_of(error) == "ConflictException":
            raise AwsUnavailableError(str(error)) from error
        raise
