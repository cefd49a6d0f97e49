"""Amazon API Gateway: stable URLs. Each is an HTTP API, which passes everything on to one task.

Every call is about an API as a whole. Its parts (integration, route, stage) are made and changed through it:
IAM cannot know whose parts they are, for they have no tags and no names, and inherit none.
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
# Between an app and its target in an API's description. Names of apps have no spaces.
AT = " at "


@dataclass(frozen=True)
class HttpApi:
    """An HTTP API of ours: its app, its target, and when it was created (UNIX seconds)."""

    stable_url: StableUrl
    app: str
    target: str
    created_at: float = 0.0


def create_stable_url(*, stack: str, app: str) -> StableUrl:
    """The app's stable URL, created if it has none; a new one has no target until `update_target`.

    With a target, API Gateway makes an integration, a catch-all route and a stage that deploys each change. If
    two calls at once create two APIs, the older one is the app's.
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

    API Gateway deploys the change by itself, which takes it a moment. An API that somebody has
    deleted is fine.
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
    """The HTTP APIs that are stable URLs of a stack's apps, recognized by name and description."""
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
    """Delete the API for good: a new one gets another URL. One that is gone is fine."""
    try:
        with _conflicts_pass():
            client("apigatewayv2").delete_api(ApiId=api)
    except AwsRefusedError as error:
        if code_of(error) != "NotFoundException":
            raise


def _name(stack: str, app: str) -> str:
    """It begins with the stack's name and a space, by which IAM knows our APIs: no stack's name has a space.

    A stack's name that leaves no room is all of it; the description has the app.
    """
    for name in (f"{stack} {app}", f"{stack} {hashlib.sha256(app.encode()).hexdigest()[:32]}"):
        if len(name) <= NAME_LIMIT:
            return name
    return stack


@contextmanager
def _conflicts_pass() -> Iterator[None]:
    """A conflict is with a change in progress, and passes."""
    try:
        yield
    except AwsRefusedError as error:
        if code_of(error) == "ConflictException":
            raise AwsUnavailableError(str(error)) from error
        raise
