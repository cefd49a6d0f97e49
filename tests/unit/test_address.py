"""The address that stays: requests that API Gateway knows, and none made twice."""

from datetime import UTC, datetime

import pytest
from botocore.stub import ANY
from deployer.aws import apigateway
from deployer.domain.endpoint import Address
from deployer.domain.errors import AwsRefusedError, AwsUnavailableError, ThrottledError

TARGET = "http://203.0.113.7:3000/"
ENDPOINT = "https://api-1.execute-api.eu-west-1.amazonaws.com"
ADDRESS = Address("api-1", "integration-1", f"{ENDPOINT}/")
TAGS = {"portcall:stack": "portcall", "portcall:app": "team/web"}
OPEN = {"stack": "portcall", "app": "team/web", "target": TARGET}


def api(name: str, *, minute: int = 0, tags: dict[str, str] | None = None) -> dict[str, object]:
    return {
        "ApiId": name,
        "ApiEndpoint": f"https://{name}.execute-api.eu-west-1.amazonaws.com",
        "Name": "any",
        "ProtocolType": "HTTP",
        "RouteSelectionExpression": "$request.method $request.path",
        "CreatedDate": datetime(2026, 11, 20, 9, minute, tzinfo=UTC),
        "Tags": TAGS if tags is None else tags,
    }


def listed(stub, *apis: dict[str, object]) -> None:
    stub("apigatewayv2").add_response("get_apis", {"Items": list(apis)})


def completed(stub, name: str = "api-1") -> None:
    """What follows once the API is known: its integration is looked for."""
    found = {"Items": [{"IntegrationId": "integration-1", "ApiGatewayManaged": True}]}
    stub("apigatewayv2").add_response("get_integrations", found, {"ApiId": name})


def test_an_address_is_an_api_that_leads_to_the_task(stub):
    listed(stub, api("another", tags={"portcall:stack": "portcall", "portcall:app": "web"}))
    stub("apigatewayv2").add_response(
        "create_api",
        api("api-1"),
        {"Name": "portcall team/web", "ProtocolType": "HTTP", "Target": TARGET, "Tags": TAGS},
    )
    completed(stub)
    assert apigateway.open_address(**OPEN) == ADDRESS


def test_an_address_that_is_there_is_completed_and_not_made_again(stub):
    listed(stub, api("api-1"))
    completed(stub)
    assert apigateway.open_address(**OPEN) == ADDRESS


def test_of_two_that_were_made_at_once_the_older_one_is_the_address(stub):
    listed(stub, api("api-2", minute=2), api("api-1", minute=1))
    completed(stub)
    assert apigateway.open_address(**OPEN) == ADDRESS


def test_an_api_whose_parts_are_not_to_be_seen_yet_may_be_complete_in_a_moment(stub):
    listed(stub, api("api-1"))
    stub("apigatewayv2").add_response("get_integrations", {"Items": []})
    with pytest.raises(AwsUnavailableError):
        apigateway.open_address(**OPEN)


def asked_of(stub, operation: str) -> dict[str, object]:
    """What the operation will be asked for."""
    asked: dict[str, object] = {}
    event = f"provide-client-params.apigatewayv2.{operation}"
    stub("apigatewayv2").client.meta.events.register(event, lambda params, **_: asked.update(params))
    return asked


def test_a_name_is_no_longer_than_api_gateway_takes(stub):
    asked = asked_of(stub, "CreateApi")
    listed(stub)
    stub("apigatewayv2").add_response("create_api", api("api-1"))
    completed(stub)
    apigateway.open_address(**OPEN | {"app": "a" * 200})
    assert len(str(asked["Name"])) == 128


def test_a_move_passes_paths_on_and_lets_every_answer_tell_the_version(stub):
    asked = asked_of(stub, "UpdateIntegration")
    request = {"IntegrationUri": TARGET, "RequestParameters": {"overwrite:path": "$request.path"}}
    ids = {"ApiId": "api-1", "IntegrationId": "integration-1"}
    stub("apigatewayv2").add_response("update_integration", {}, ids | request | {"ResponseParameters": ANY})
    apigateway.move_address(address=ADDRESS, target=TARGET, version=7)
    mapped = asked["ResponseParameters"]
    assert {"200", "204", "301", "302", "401", "404", "418"} <= set(mapped)
    assert all(200 <= int(status) < 500 for status in mapped)
    assert set(map(str, mapped.values())) == {"{'overwrite:header.portcall-version': '7'}"}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ConflictException", AwsUnavailableError),
        ("TooManyRequestsException", ThrottledError),
        ("NotFoundException", AwsRefusedError),
    ],
)
def test_a_move_that_collides_is_tried_again(stub, code, error):
    stub("apigatewayv2").add_client_error("update_integration", code, "?", 400)
    with pytest.raises(error):
        apigateway.move_address(address=ADDRESS, target=TARGET, version=7)


def test_an_address_that_somebody_deleted_is_not_open(stub):
    request = {"ApiId": "api-1", "IntegrationId": "integration-1"}
    stub("apigatewayv2").add_response("get_integration", {"IntegrationId": "integration-1"}, request)
    assert apigateway.is_open(ADDRESS)
    stub("apigatewayv2").add_client_error("get_integration", "NotFoundException", "?", 404)
    assert not apigateway.is_open(ADDRESS)


def test_the_addresses_of_a_stack_are_told_by_their_tags(stub):
    theirs = api("theirs", tags={"portcall:stack": "portcall-2", "portcall:app": "web"})
    listed(stub, api("ours"), theirs, api("nobodys", tags={}))
    assert apigateway.addresses_of(stack="portcall") == {"ours": "team/web"}


def test_closing_what_is_closed_is_fine(stub):
    stub("apigatewayv2").add_response("delete_api", {}, {"ApiId": "api-1"})
    apigateway.close_address("api-1")
    stub("apigatewayv2").add_client_error("delete_api", "NotFoundException", "?", 404)
    apigateway.close_address("api-1")
