"""The embedded cloud refuses what AWS refuses, with AWS's messages, and records each refusal."""

import json

import pytest
from botocore.exceptions import ClientError

from localcloud import refusals
from localcloud.aws_rules.limits import Refusal
from tests.local.conftest import eventually

BAD_CALLS = [
    ("ecs", "register_task_definition", {"family": "a b", "containerDefinitions": []}, "InvalidParameterException", "at 'family' failed to satisfy constraint"),
    ("ecs", "run_task", {"taskDefinition": "d", "tags": [{"key": "k", "value": "v" * 257}]}, "InvalidParameterException", "at 'tags[0].value' failed to satisfy constraint"),
    ("ec2", "create_security_group", {"GroupName": "g", "Description": "The app's port"}, "InvalidParameterValue", "at 'Description' failed to satisfy constraint"),
    ("sns", "create_topic", {"Name": "a.b"}, "InvalidParameter", "at 'Name' failed to satisfy constraint"),
    ("sqs", "create_queue", {"QueueName": "a b"}, "InvalidParameterValue", "at 'QueueName' failed to satisfy constraint"),
    ("apigatewayv2", "create_api", {"Name": "n", "ProtocolType": "HTTP", "Target": "http://stopped.invalid/"}, "BadRequestException", "Invalid HTTP endpoint specified for URI"),
    ("events", "put_rule", {"Name": "r", "ScheduleExpression": "rate(1 hours)"}, "ValidationException", "at 'ScheduleExpression' failed to satisfy constraint"),
    ("dynamodb", "create_table", {"TableName": "ab", "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}], "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}]}, "ValidationException", "at 'TableName' failed to satisfy constraint"),
    ("stepfunctions", "start_execution", {"stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:m", "name": "a:b"}, "InvalidName", "at 'name' failed to satisfy constraint"),
    ("logs", "put_retention_policy", {"logGroupName": "a:b", "retentionInDays": 30}, "InvalidParameterException", "at 'logGroupName' failed to satisfy constraint"),
    ("iam", "create_role", {"RoleName": "a/b", "AssumeRolePolicyDocument": "{}"}, "ValidationError", "at 'RoleName' failed to satisfy constraint"),
    ("lambda", "update_function_configuration", {"FunctionName": "f", "Timeout": 901}, "InvalidParameterValueException", "at 'Timeout' failed to satisfy constraint"),
    ("ecr", "create_repository", {"repositoryName": "Flask-App"}, "InvalidParameterException", "at 'repositoryName' failed to satisfy constraint"),
    ("ssm", "put_parameter", {"Name": "/aws/key", "Value": "v", "Type": "String"}, "ValidationException", "at 'Name' failed to satisfy constraint"),
]  # fmt: skip


@pytest.mark.parametrize(("service", "method", "parameters", "code", "words"), BAD_CALLS, ids=[f"{each[0]}-{each[1]}" for each in BAD_CALLS])  # fmt: skip
def test_a_request_that_aws_refuses_gets_its_error_code_and_message(
    cloud, service, method, parameters, code, words
):
    with cloud.refuses("must"), pytest.raises(ClientError) as refused:
        getattr(cloud.client(service), method)(**parameters)
    assert refused.value.response["Error"]["Code"] == code
    assert words in refused.value.response["Error"]["Message"]


def test_large_requests_within_the_limits_of_aws_are_accepted(cloud):
    topic = cloud.client("sns").create_topic(Name="whole")["TopicArn"]
    assert cloud.client("sns").publish(TopicArn=topic, Subject="It is live", Message="ü" * 100_000)
    cloud.client("ssm").put_parameter(Name="/portcall/whole/KEY", Value="v" * 4000, Type="String")
    assert len(cloud.client("ssm").get_parameter(Name="/portcall/whole/KEY")["Parameter"]["Value"]) == 4000


def test_cloudformation_makes_no_resource_that_aws_would_refuse(cloud):
    group = {"GroupDescription": "The app's ports", "VpcId": "vpc-0a1b2c3d"}
    template = {"Resources": {"Apps": {"Type": "AWS::EC2::SecurityGroup", "Properties": group}}}
    stacks = cloud.client("cloudformation")
    with cloud.refuses("GroupDescription"):
        stacks.create_stack(StackName="flawed", TemplateBody=json.dumps(template))
        eventually(lambda: stacks.describe_stacks(StackName="flawed")["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE")  # fmt: skip
    events = stacks.describe_stack_events(StackName="flawed")["StackEvents"]
    assert any("GroupDescription" in each.get("ResourceStatusReason", "") for each in events)


def test_a_refusal_that_no_test_expects_is_not_overlooked(tmp_path):
    refusals.keep_in(tmp_path)
    for value in ("a b", "a b", "c d"):
        refusals.note("ecs:RunTask", [Refusal("RunTask.startedBy", value, "be shorter")])
    first, second, third = refusals.noted(tmp_path)
    assert first == second
    assert refusals.unexpected(tmp_path, [first, third]) == [second]
    assert refusals.unexpected(tmp_path, [first, second, third]) == []
