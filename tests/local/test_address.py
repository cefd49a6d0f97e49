"""A stack in which apps have an address that stays: with the roles that its steps have, and with less."""

import http.client
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest

from portcall.local.processes import CloudError
from portcall.local.stack import install
from tests.local.conftest import forget_images, start_cloud
from tests.local.test_stack import FAILS, Installed


@pytest.fixture(scope="module")
def stack(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("address")
    cloud = start_cloud(folder)
    try:
        installed = Installed(cloud)
        install(installed.settings, print, {"StableUrl": "on"})
        yield installed
    finally:
        cloud.stop()
        forget_images(cloud.port)


def addresses(stack: Installed) -> dict[str, str]:
    """The HTTP APIs: id -> URL."""
    found = stack.cloud.client("apigatewayv2").get_apis()["Items"]
    return {each["ApiId"]: f"{each['ApiEndpoint']}/" for each in found}


def ask(url: str) -> http.client.HTTPResponse:
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)) as connection:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        return answer


def first_line(stack: Installed, execution: dict[str, Any]) -> str:
    (mail,) = stack.mails(execution)
    return mail.text.splitlines()[0]


@pytest.mark.parametrize("action", ["apigateway:POST", "apigateway:GET"])
def test_an_app_that_may_not_get_its_address_fails_and_the_mail_says_why(stack: Installed, action: str) -> None:
    with stack.without(stack.role("SwitchOver"), action):
        execution = stack.deploy()
    assert (execution["status"], execution["error"]) == ("FAILED", "AccessDeniedError")
    assert action in first_line(stack, execution)
    assert addresses(stack) == {}
    assert stack.tasks() == []


def test_versions_take_the_address_over_with_no_more_than_the_steps_own_permissions(stack: Installed) -> None:
    first = stack.deploy()
    assert first["status"] == "SUCCEEDED", first.get("cause")
    (url,) = addresses(stack).values()
    assert first_line(stack, first) == url
    before = ask(url)
    second = stack.deploy()
    assert second["status"] == "SUCCEEDED", second.get("cause")
    assert first_line(stack, second) == url
    after = ask(url)
    assert before.status == after.status
    assert int(before.headers["portcall-version"]) < int(after.headers["portcall-version"])
    assert stack.tasks() == stack.tasks(second)
    assert stack.sweep() == {}


def test_a_version_that_may_not_take_the_address_over_is_live_at_its_own_url(stack: Installed) -> None:
    before = stack.deploy()
    with stack.without(stack.role("SwitchOver"), "apigateway:PATCH"):
        execution = stack.deploy()
    assert (execution["status"], execution["error"]) == ("FAILED", "AccessDeniedError")
    (mail,) = stack.mails(execution)
    assert mail.attributes["outcome"] == "deployed"
    assert mail.text.splitlines()[0] not in addresses(stack).values()
    assert "apigateway:PATCH" in mail.text
    # The version before is where the address leads, until the sweep has led it on.
    assert set(stack.tasks()) == {*stack.tasks(before), *stack.tasks(execution)}
    assert list(stack.sweep()) == ["flask-app"]
    assert stack.tasks() == stack.tasks(execution)
    (url,) = addresses(stack).values()
    assert ask(url).status < 500


@pytest.mark.parametrize("action", ["dynamodb:GetItem", "dynamodb:PutItem", "ecs:StopTask"])
def test_a_version_before_that_may_not_be_stopped_is_told(stack: Installed, action: str) -> None:
    assert stack.deploy()["status"] == "SUCCEEDED"
    with stack.without(stack.role("StopPrevious"), action):
        execution = stack.deploy()
    (mail,) = stack.mails(execution)
    assert mail.attributes["outcome"] == "deployed"
    assert action in mail.text
    assert first_line(stack, execution) in addresses(stack).values()


def test_a_failure_leaves_the_address_to_the_version_before(stack: Installed) -> None:
    assert stack.deploy()["status"] == "SUCCEEDED"
    (url,) = addresses(stack).values()
    execution = stack.deploy(FAILS)
    (mail,) = stack.mails(execution)
    assert f"still serving at {url}" in mail.text
    assert ask(url).status < 500


def test_the_sweep_closes_an_address_that_no_app_has_and_touches_no_other(stack: Installed) -> None:
    client = stack.cloud.client("apigatewayv2")
    (ours,) = addresses(stack)
    tags = {"portcall:stack": stack.name, "portcall:app": "gone"}
    for name, owned in (("orphan", tags), ("another's", {**tags, "portcall:stack": "another"})):
        client.create_api(Name=name, ProtocolType="HTTP", Target="http://127.0.0.1:9009", Tags=owned)
    role = stack.role("Reconcile")
    with stack.without(role, "apigateway:DELETE"):
        (said,) = stack.sweep()["gone"]
    assert "apigateway:DELETE" in said
    (orphan,) = [each["ApiId"] for each in client.get_apis()["Items"] if each["Name"] == "orphan"]
    assert stack.sweep() == {"gone": [f"closed {orphan}"]}
    left = {each["ApiId"]: each["Name"] for each in client.get_apis()["Items"]}
    assert set(left.values()) == {"portcall flask-app", "another's"}
    assert ours in left


def test_it_is_refused_where_the_gateway_is_kept_out(stack: Installed) -> None:
    with pytest.raises(CloudError) as refused:
        install(stack.settings, print, {"StableUrl": "on", "AllowedCidr": "10.0.0.0/8"})
    assert "StableUrl on needs AllowedCidr 0.0.0.0/0" in str(refused.value)
