"""Conditions of a template with Fn::Sub and Fn::Split."""

import json
import uuid

import pytest

from tests.local.conftest import Cloud

SECOND = {"Fn::Select": [1, {"Fn::Split": [",", {"Fn::Sub": "${Names},,"}]}]}
QUEUE = {"Type": "AWS::SQS::Queue"}
TEMPLATE = {
    "Parameters": {"Names": {"Type": "String"}},
    "Conditions": {
        "HasSecond": {"Fn::Not": [{"Fn::Equals": [SECOND, ""]}]},
    },
    "Resources": {
        "Always": QUEUE,
        "Second": QUEUE | {"Condition": "HasSecond"},
    },
}


@pytest.mark.parametrize(
    ("names", "made"),
    [("a", {"Always"}), ("a,b", {"Always", "Second"}), ("b,", {"Always"})],
)
def test_a_condition_splits_what_a_parameter_holds(cloud: Cloud, names: str, made: set[str]) -> None:
    stacks, name = cloud.client("cloudformation"), f"conditions-{uuid.uuid4().hex[:8]}"
    stacks.create_stack(
        StackName=name,
        TemplateBody=json.dumps(TEMPLATE),
        Parameters=[{"ParameterKey": "Names", "ParameterValue": names}],
    )
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    resources = stacks.describe_stack_resources(StackName=name)["StackResources"]
    assert {each["LogicalResourceId"] for each in resources} == made
    stacks.delete_stack(StackName=name)
