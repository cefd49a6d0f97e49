"""A stack with stable URLs, with the steps' own permissions and with fewer."""

import http.client
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from deployer.domain.endpoint import NOWHERE

from portcall.installer.packaged import Packaged
from tests.conftest import StateFolder
from tests.local.conftest import eventually
from tests.local.installed import FAILS, Installed, stack_of_its_own

pytestmark = pytest.mark.long(175)

# Alarms and traces are off everywhere else.
PARAMETERS = {"StableUrl": "on", "Alarms": "on", "Tracing": "on"}


@pytest.fixture(scope="module")
def stack(engine: None, release: Packaged, state_folder: StateFolder) -> Iterator[Installed]:
    with stack_of_its_own(state_folder("stack"), release, PARAMETERS) as installed:
        yield installed


def addresses(stack: Installed) -> dict[str, str]:
    """The HTTP APIs: id -> URL."""
    found = stack.cloud.client("apigatewayv2").get_apis()["Items"]
    return {each["ApiId"]: f"{each['ApiEndpoint']}/" for each in found}


def targets(stack: Installed) -> list[str]:
    """Where they point."""
    client = stack.cloud.client("apigatewayv2")
    return [client.get_integrations(ApiId=api)["Items"][0]["IntegrationUri"] for api in addresses(stack)]


def ask(url: str) -> http.client.HTTPResponse:
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)) as connection:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        return answer


def first_line(stack: Installed, execution: dict[str, Any]) -> str:
    (mail,) = stack.mails(execution)
    return mail.text.splitlines()[0]


def test_each_queue_has_an_alarm_that_mails(stack: Installed) -> None:
    alarms = stack.cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert len(alarms) == 6
    assert {action for each in alarms for action in each["AlarmActions"]} == {stack.outputs["TopicArn"]}
    watched = {each["Value"] for alarm in alarms for each in alarm["Dimensions"] if each["Name"] == "QueueName"}
    queues = stack.cloud.client("sqs").list_queues()["QueueUrls"]
    assert watched == {url.rpartition("/")[2] for url in queues}


@pytest.mark.parametrize("action", ["apigateway:POST", "apigateway:GET"])
def test_an_app_that_may_not_get_its_stable_url_is_live_at_its_own_url_and_the_mail_says_so(
    stack: Installed, action: str
) -> None:
    with stack.without(stack.role("SwitchOver"), action):
        execution = stack.deploy()
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    (mail,) = stack.mails(execution)
    assert "API Gateway refused to create one" in mail.text
    assert ask(first_line(stack, execution)).status < 500
    assert addresses(stack) == {}


def test_versions_take_the_stable_url_over_with_no_more_than_the_steps_own_permissions(
    stack: Installed,
) -> None:
    first = stack.deploy()
    assert first["status"] == "SUCCEEDED", first.get("cause")
    (url,) = addresses(stack).values()
    assert first_line(stack, first) == url
    assert ask(url).status < 500
    (first_target,) = targets(stack)
    second = stack.deploy()
    assert second["status"] == "SUCCEEDED", second.get("cause")
    assert first_line(stack, second) == url
    assert ask(url).status < 500
    assert targets(stack) != [first_target]
    assert stack.tasks() == stack.tasks(second)
    assert stack.sweep() == {}


def test_a_version_that_may_not_take_the_stable_url_over_is_live_at_its_own_url(stack: Installed) -> None:
    before = stack.deploy()
    with stack.without(stack.role("SwitchOver"), "apigateway:PATCH"):
        execution = stack.deploy()
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    (mail,) = stack.mails(execution)
    assert mail.attributes["outcome"] == "deployed"
    assert mail.text.splitlines()[0] not in addresses(stack).values()
    assert "apigateway:PATCH" in mail.text
    # The stable URL points at the previous version until the sweep has updated it.
    assert set(stack.tasks()) == {*stack.tasks(before), *stack.tasks(execution)}
    assert stack.sweep() == {"flask-app": ["pointed its stable URL at the current task"]}
    (url,) = addresses(stack).values()
    assert ask(url).status < 500
    assert list(stack.sweep()) == ["flask-app"]
    assert stack.tasks() == stack.tasks(execution)


@pytest.mark.parametrize("action", ["dynamodb:GetItem", "dynamodb:PutItem", "ecs:StopTask"])
def test_a_previous_version_that_may_not_be_stopped_is_reported(stack: Installed, action: str) -> None:
    assert stack.deploy()["status"] == "SUCCEEDED"
    with stack.without(stack.role("StopPrevious"), action):
        execution = stack.deploy()
    (mail,) = stack.mails(execution)
    assert mail.attributes["outcome"] == "deployed"
    assert action in mail.text
    assert first_line(stack, execution) in addresses(stack).values()


def test_a_failure_leaves_the_stable_url_to_the_previous_version(stack: Installed) -> None:
    assert stack.deploy()["status"] == "SUCCEEDED"
    (url,) = addresses(stack).values()
    execution = stack.deploy(FAILS)
    (mail,) = stack.mails(execution)
    assert f"still running at {url}" in mail.text
    assert ask(url).status < 500


def make(client: Any, name: str, app: str) -> str:
    """An HTTP API that points at nothing."""
    target = "http://127.0.0.1:9999/"
    made = client.create_api(Name=name, ProtocolType="HTTP", Target=target, Description=f"{app} at {target}")
    return str(made["ApiId"])


def test_the_sweep_closes_a_stable_url_that_no_app_has_and_touches_no_other(stack: Installed) -> None:
    client = stack.cloud.client("apigatewayv2")
    (ours,) = addresses(stack)
    orphan = make(client, f"{stack.name} gone", "gone")
    others = {make(client, "another gone", "gone"), make(client, f"{stack.name}-2 gone", "gone")}
    others.add(client.create_api(Name=f"{stack.name} by hand", ProtocolType="HTTP")["ApiId"])
    with stack.without(stack.role("Reconcile"), "apigateway:DELETE"):
        (said,) = stack.sweep()["gone"]
    assert "apigateway:DELETE" in said
    assert stack.sweep() == {"gone": [f"deleted stable URL {orphan}"]}
    assert set(addresses(stack)) == {ours, *others}
    for each in others:
        client.delete_api(ApiId=each)


@pytest.mark.parametrize("step", ["SwitchOver", "Reconcile", "RestartApp", "EndPreview", "CleanUp"])
def test_a_thief_of_a_steps_role_can_neither_move_nor_delete_nor_adopt_an_api_of_somebody_else(
    stack: Installed, step: str
) -> None:
    root = stack.cloud.client("apigatewayv2")
    theirs = make(root, "theirs", "theirs")
    (part,) = root.get_integrations(ApiId=theirs)["Items"]
    thief = stack.cloud.user(*policies(stack, step))("apigatewayv2")
    arn = f"arn:aws:apigateway:{stack.cloud.region}::/apis/{theirs}"
    ids = {"ApiId": theirs, "IntegrationId": part["IntegrationId"]}
    for crime in (
        lambda: thief.update_api(ApiId=theirs, Name=f"{stack.name} mine"),
        lambda: thief.update_api(ApiId=theirs, Target="http://203.0.113.66/"),
        lambda: thief.update_integration(**ids, IntegrationUri="http://203.0.113.66/"),
        lambda: thief.create_route(ApiId=theirs, RouteKey="GET /login"),
        lambda: thief.tag_resource(ResourceArn=arn, Tags={"portcall:stack": stack.name}),
        lambda: thief.create_api(Name="any", ProtocolType="HTTP"),
        lambda: thief.delete_api(ApiId=theirs),
    ):
        with pytest.raises(ClientError) as refused:
            crime()
        assert refused.value.response["Error"]["Code"].startswith("AccessDenied")
    root.delete_api(ApiId=theirs)


def policies(stack: Installed, step: str) -> list[dict[str, Any]]:
    """The statements of a step's role."""
    iam, role = stack.cloud.client("iam"), stack.role(step)
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    return [statement for document in documents for statement in document["Statement"]]


def test_an_app_that_is_stopped_by_hand_points_nowhere_at_once(stack: Installed) -> None:
    execution = stack.deploy()
    (task,) = stack.tasks(execution)
    cluster = stack.outputs["ClusterArn"]
    stack.cloud.client("ecs").stop_task(cluster=cluster, task=task, reason="I said so")
    eventually(lambda: targets(stack) == [NOWHERE])


def test_an_app_that_an_operator_stops_points_nowhere_and_its_url_points_to_it_again_once_started(
    stack: Installed,
) -> None:
    url = first_line(stack, stack.deploy())
    assert operate(stack, "stop")["status"] == "stopped"
    assert targets(stack) == [NOWHERE]
    started = operate(stack, "start")
    assert started["status"] == "started", started
    ended = stack.deployments.ended(stack.app, started["digest"])
    assert {each["status"] for each in ended} == {"SUCCEEDED"}
    assert addresses(stack).popitem()[1] == url
    assert targets(stack) != [NOWHERE]
    assert ask(url).status < 500


def operate(stack: Installed, action: str) -> dict[str, Any]:
    """What the command line's calls to act come to."""
    error, said = stack.cloud.invoke(stack.resources["OperateFunction"], {"action": action, "app": stack.app})
    assert error == "", said
    return dict(said)


def test_it_is_refused_where_the_gateway_is_kept_out(stack: Installed) -> None:
    with pytest.raises(ClientError, match=re.escape("StableUrl=on needs AllowedCidr=0.0.0.0/0")):
        stack.update(StableUrl="on", AllowedCidr="10.0.0.0/8")
