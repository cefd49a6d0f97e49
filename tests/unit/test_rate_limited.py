"""Which of the functions' calls the cloud within AWS's rates knows, and how it refuses them."""

import asyncio
import json
import urllib.parse

import botocore
import botocore.session
import pytest

from bench.rates_and_prices import quotas
from bench.rates_and_prices.quotas import Bucket
from bench.rates_and_prices.rates import Rates
from bench.servers.rate_limited import Throttled, operation, refusal


def signed(service: str, key: str = "ASIA") -> dict[str, str]:
    return {"authorization": f"AWS4-HMAC-SHA256 Credential={key}123/20261126/us-east-1/{service}/aws4_request"}


def as_json(service: str, target: str) -> dict[str, str]:
    return signed(service) | {"x-amz-target": target, "content-type": "application/x-amz-json-1.1"}


def as_form(service: str) -> dict[str, str]:
    return signed(service) | {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "called"),
    [
        ("POST", "/", as_json("ecs", "AmazonEC2ContainerServiceV20141113.RunTask"), b"{}", "ecs.run_task"),
        ("POST", "/", as_json("states", "AWSStepFunctions.SendTaskSuccess"), b"{}", "stepfunctions.send_task_success"),
        ("POST", "/", as_json("dynamodb", "DynamoDB_20120810.GetItem"), b'{"Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}}', "dynamodb.get_item"),
        ("POST", "/", as_form("ec2"), urllib.parse.urlencode({"Action": "CreateSecurityGroup"}).encode(), "ec2.create_security_group"),
        ("PUT", "/v2/team/app/manifests/latest", {}, b"{}", "ecr.put_image"),
        ("HEAD", "/v2/team/app/manifests/latest", {}, b"", ""),
        ("POST", "/", signed("ecs", "AKIA") | {"x-amz-target": "A.RunTask"}, b"{}", ""),
    ],
)  # fmt: skip
def test_a_call_has_the_name_that_the_quotas_use(method, path, headers, body, called):
    assert operation(method, path, headers, body) == called


def test_every_call_with_a_quota_can_be_named():
    """A call that is misspelled in the quotas would never be throttled."""
    session = botocore.session.get_session()
    inside = {"stepfunctions.transition", "stepfunctions.start_execution"}
    for each in {call for bucket in quotas.BUCKETS for call in bucket.calls} - inside:
        service, _, name = each.partition(".")
        operations = session.get_service_model(service).operation_names
        assert name in {botocore.xform_name(known) for known in operations}, each


def test_a_refusal_is_what_the_service_would_answer():
    assert refusal("ecr.put_image", {})[0] == 429
    assert b"ThrottlingException" in refusal("ecs.run_task", {"content-type": "application/x-amz-json-1.1"})[1]
    assert b"<Errors><Error><Code>Throttling" in refusal("ec2.create_security_group", {})[1]


def test_calls_above_the_rate_are_throttled_and_counted():
    reached, answers = [], []

    async def app(scope, receive, send):
        reached.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message):
        answers.append(message)

    headers = [(b"Authorization", signed("ecs")["authorization"].encode()), (b"x-amz-target", b"A.RunTask"), (b"content-type", b"application/x-amz-json-1.1")]  # fmt: skip
    throttled = Throttled(app)
    throttled.rates = Rates(0.0, [Bucket("launches", ("ecs.run_task",), 2, 1e-9, "")])
    for _ in range(3):
        asyncio.run(
            throttled({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive, send)
        )
    assert reached == [b"{}", b"{}"]
    assert [each["status"] for each in answers if "status" in each] == [200, 200, 400]
    answers.clear()
    asyncio.run(throttled({"type": "http", "method": "GET", "path": "/_rates/", "headers": []}, receive, send))
    assert json.loads(answers[1]["body"]) == {"taken": {"launches": 2}, "throttled": {"launches": 1}}
