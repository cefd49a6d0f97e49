"""Stable URLs: the requests to API Gateway, and no second API."""

from datetime import UTC, datetime

import pytest
from deployer.aws import apigateway
from deployer.aws.apigateway import HttpApi
from deployer.domain.endpoint import NOWHERE, StableUrl, no_stable_url
from deployer.domain.errors import AwsRefusedError, AwsUnavailableError, ThrottledError

TARGET = "http://203.0.113.7:3000/"
ENDPOINT = "https://api-1.execute-api.eu-west-1.amazonaws.com"
ADDRESS = StableUrl("api-1", f"{ENDPOINT}/")
OPEN = {"stack": "portcall", "app": "team/web"}
MOVE = {"stable_url": ADDRESS, "app": "team/web", "target": TARGET}


def api(
    identifier: str, *, minute: int = 0, name: str = "portcall team/web", said: str = f"team/web at {TARGET}"
):
    return {
        "ApiId": identifier,
        "ApiEndpoint": f"https://{identifier}.execute-api.eu-west-1.amazonaws.com",
        "Name": name,
        "Description": said,
        "ProtocolType": "HTTP",
        "RouteSelectionExpression": "$request.method $request.path",
        "CreatedDate": datetime(2026, 11, 20, 9, minute, tzinfo=UTC),
    }


def listed(stub, *apis):
    stub("apigatewayv2").add_response("get_apis", {"Items": list(apis)})


def test_a_new_stable_url_points_nowhere_until_it_is_moved(stub):
    listed(stub, api("another", name="portcall web", said=f"web at {TARGET}"))
    request = {"Name": "portcall team/web", "ProtocolType": "HTTP", "Target": NOWHERE}
    request["Description"] = f"team/web at {NOWHERE}"
    stub("apigatewayv2").add_response("create_api", api("api-1"), request)
    assert apigateway.create_stable_url(**OPEN) == ADDRESS


def test_a_stable_url_that_is_there_is_not_made_again(stub):
    listed(stub, api("api-1"))
    assert apigateway.create_stable_url(**OPEN) == ADDRESS


def test_of_two_that_were_made_at_once_the_older_one_is_the_stable_url(stub):
    listed(stub, api("api-2", minute=2), api("api-1", minute=1))
    assert apigateway.create_stable_url(**OPEN) == ADDRESS


def test_a_name_is_no_longer_than_api_gateway_takes_and_keeps_apps_apart(stub):
    made = []
    event = "provide-client-params.apigatewayv2.CreateApi"
    stub("apigatewayv2").client.meta.events.register(event, lambda params, **_: made.append(dict(params)))
    for last in "ab":
        listed(stub)
        stub("apigatewayv2").add_response("create_api", api("api-1"))
        apigateway.create_stable_url(**OPEN | {"app": "a" * 200 + last})
    first, second = made
    assert len(first["Name"]) <= 128
    assert first["Name"] != second["Name"]
    assert first["Name"].startswith("portcall ")
    listed(stub, api("api-1", name=first["Name"], said=first["Description"]))
    (found,) = apigateway.stable_urls_of(stack="portcall")
    assert found.app == "a" * 200 + "a"


def test_a_move_is_one_call_that_says_where_it_points(stub):
    request = {"ApiId": "api-1", "Target": TARGET, "Description": f"team/web at {TARGET}"}
    stub("apigatewayv2").add_response("update_api", {}, request)
    apigateway.update_target(**MOVE)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ConflictException", AwsUnavailableError),
        ("TooManyRequestsException", ThrottledError),
        ("BadRequestException", AwsRefusedError),
    ],
)
def test_a_move_that_collides_is_tried_again_and_one_that_is_refused_is_an_error(stub, code, error):
    stub("apigatewayv2").add_client_error("update_api", code, "?", 400)
    with pytest.raises(error):
        apigateway.update_target(**MOVE)


def test_a_stable_url_that_somebody_deleted_points_nowhere(stub):
    stub("apigatewayv2").add_client_error("update_api", "NotFoundException", "?", 404)
    apigateway.update_target(**MOVE)


def test_the_stable_urls_of_a_stack_are_listed_by_name_and_description(stub):
    theirs = api("theirs", name="portcall-2 team/web")
    strangers = (
        api("nobodys", name="portcall team/web", said=""),
        api("somebodys", name="portcall team/web", said="web at http://203.0.113.7/"),
    )
    listed(stub, api("api-1"), theirs, *strangers, {**api("plain", name="any"), "Description": ""})
    created = datetime(2026, 11, 20, 9, tzinfo=UTC).timestamp()
    assert apigateway.stable_urls_of(stack="portcall") == [HttpApi(ADDRESS, "team/web", TARGET, created)]


def test_deleting_a_deleted_stable_url_succeeds(stub):
    stub("apigatewayv2").add_response("delete_api", {}, {"ApiId": "api-1"})
    apigateway.delete_stable_url("api-1")
    stub("apigatewayv2").add_client_error("delete_api", "NotFoundException", "?", 404)
    apigateway.delete_stable_url("api-1")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://203.0.113.7/", ""),
        ("http://203.0.113.7:443/", ""),
        ("http://203.0.113.7:1024/", ""),
        ("http://203.0.113.7:81/", "ports"),
        ("http://203.0.113.7:1023/", "ports"),
        ("https://203.0.113.7:8443/", "certificate"),
        ("tcp://203.0.113.7:6379", "plain TCP"),
    ],
)
def test_only_an_app_that_api_gateway_can_call_has_a_stable_url(url, words):
    why = no_stable_url(url)
    assert words in why
    assert bool(why) == bool(words)
