"""The arithmetic of docs/performance.md and docs/decisions.md on AWS's list prices, done by hand here."""

import json

import pytest

from bench.rates_and_prices import costs
from bench.rates_and_prices.costs import Use
from bench.servers import counting


def test_a_deployment_costs_what_each_service_takes():
    use = Use(
        transitions=15,
        invocations=11,
        gb_seconds=2,
        write_units=40,
        read_units=24,
        publishes=1,
        emails=1,
        events=1,
        log_bytes=10_000,
    )
    assert costs.cost(use) == pytest.approx(
        {
            "Step Functions": 0.000375,
            "Lambda": 0.0000022 + 0.0000266668,
            "DynamoDB": 0.000025 + 0.000003,
            "SNS": 0.0000005 + 0.00002,
            "EventBridge": 0.000001,
            "CloudWatch Logs": 0.000005,
        }
    )
    assert costs.total(use) == pytest.approx(0.0004583668)


def test_no_use_costs_nothing():
    assert costs.total(Use()) == 0


def test_a_sweep_costs_by_how_often_it_is_made():
    sweep = Use(invocations=1)
    assert costs.idle_month(sweep, 5) == pytest.approx(8760 * 0.0000002)
    assert costs.idle_month(sweep, 60) == pytest.approx(costs.idle_month(sweep, 5) / 12)


def test_resources_that_are_always_on_cost_their_hourly_price_for_a_month():
    assert costs.load_balancer_month() == pytest.approx(23.725)
    assert costs.nat_gateway_month() == pytest.approx(36.5)
    # A snapshot of 1 GB: 2,628,000 seconds.
    assert costs.snapstart_month(1, 1) == pytest.approx(3.954, abs=0.001)
    assert costs.provisioned_month(1, 1) == pytest.approx(8.760, abs=0.001)
    assert costs.snapstart_deployment(10, 1) == pytest.approx(0.001397998)


@pytest.mark.parametrize(("start", "transitions"), [(0.3, 7), (10, 7), (10.1, 10), (35, 16), (60, 22)])
def test_polling_has_more_transitions_the_longer_a_task_takes(start, transitions):
    assert costs.polled_transitions(start, 10) == transitions


SIGNED = "AWS4-HMAC-SHA256 Credential={key}/20261126/us-east-1/{service}/aws4_request, SignedHeaders=host"


def call(*, key: str = "ASIA1", service: str = "ecs", body: bytes = b"{}", **headers: str) -> counting.Call:
    signed = {"authorization": SIGNED.format(key=key, service=service)}
    found = counting.call_of("POST", {**signed, **{k.replace("_", "-"): v for k, v in headers.items()}}, body)
    assert found
    return found


def test_a_call_is_known_by_its_protocol():
    target = "AmazonEC2ContainerServiceV20141113.RunTask"
    form = "application/x-www-form-urlencoded; charset=utf-8"
    assert call(x_amz_target=target) == counting.Call("ecs", "RunTask", "role")
    assert call(service="sns", content_type=form, body=b"Action=Publish&Message=a") == counting.Call(
        "sns", "Publish", "role"
    )
    assert call(service="lambda") == counting.Call("lambda", "POST", "role")
    assert counting.call_of("GET", {"host": "localhost"}, b"") is None


def test_who_calls_is_known_by_the_key_or_by_what_the_program_says_of_itself():
    assert call(key="123456789012").caller == ""
    assert call(key="123456789012", user_agent="aws-cli/1.44 md/x app/by-hand lang/python").caller == "by-hand"


def test_the_items_that_are_written_are_known():
    one, other = ({"pk": {"S": "app#a"}, "sk": {"S": name}} for name in ("current", "order"))
    update = json.dumps({"TableName": "t", "Key": one}).encode()
    both = json.dumps({"TransactItems": [{"Update": {"Key": one}}, {"Put": {"Item": other}}]}).encode()
    target = "DynamoDB_20120810."
    assert call(service="dynamodb", x_amz_target=f"{target}UpdateItem", body=update).keys == (
        ("app#a", "current"),
    )
    assert call(service="dynamodb", x_amz_target=f"{target}TransactWriteItems", body=both).keys == (
        ("app#a", "current"),
        ("app#a", "order"),
    )
