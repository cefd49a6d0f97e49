"""The checks refuse what AWS refuses: in the template, in flawed resources, and in requests."""

from typing import Any

import pytest
import regex

from localcloud.aws_rules import by_hand, models, networks, resources, wire
from localcloud.aws_rules.documentation import limits_in
from localcloud.aws_rules.exceptions import WRONG
from localcloud.aws_rules.requests import refusals
from tests.flawed_resources import FLAWED
from tests.templates import PARAMETERS, STACK_NAMES, resolved, template


def refused(source: dict[str, Any], parameters: dict[str, str], stack: str = "portcall") -> list[str]:
    found = resolved(source, parameters, stack)
    return [
        f"{name} {each}"
        for name, (kind, properties) in found.items()
        for each in resources.refusals(kind, properties)
    ]


# The template


@pytest.mark.parametrize("name", PARAMETERS)
def test_aws_takes_every_property_of_the_template(name):
    assert refused(template(), PARAMETERS[name], STACK_NAMES.get(name, "portcall")) == []


@pytest.mark.parametrize("mark", ["'", '"', "–", "é", "<", "?", "%", "\n"])
def test_a_mark_that_ec2_does_not_take_in_a_rule_is_seen(mark):
    flawed = template()
    rules = flawed["Resources"]["ProbeSecurityGroup"]["Properties"]["SecurityGroupEgress"]
    rules[0]["Description"] = f"The health{mark} check"
    (found,) = refused(flawed, {})
    assert "Description" in found
    assert "no other characters" in found


# Resources with one flaw each


@pytest.mark.parametrize(("kind", "properties", "words"), [each[1:] for each in FLAWED], ids=[each[0] for each in FLAWED])  # fmt: skip
def test_a_flaw_that_aws_refuses_is_seen(kind, properties, words):
    found = [str(each) for each in resources.refusals(kind, properties)]
    assert any(words in each for each in found), found


def test_a_valid_resource_is_not_refused():
    sound = {
        "AWS::EC2::SecurityGroup": {"GroupDescription": "The apps", "VpcId": "vpc-0a1b2c3d", "SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 65535, "CidrIp": "0.0.0.0/0", "Description": "The port of the apps"}]},
        "AWS::SNS::Topic": {"TopicName": "news", "DisplayName": "Portcall"},
        "AWS::SQS::Queue": {"QueueName": "late.fifo", "FifoQueue": True},
        "AWS::Events::Rule": {"ScheduleExpression": "cron(0 12 * * ? *)", "EventPattern": {"source": ["aws.ecr", {"wildcard": "a*b*"}]}},
        "AWS::Logs::LogGroup": {"RetentionInDays": "30", "LogGroupName": "/apps/all"},
        "AWS::ApiGatewayV2::Stage": {"ApiId": "a1b2c3", "StageName": "$default"},
        "AWS::SSM::Parameter": {"Name": "/portcall/my-app/KEY", "Type": "String", "Value": "v"},
    }  # fmt: skip
    for kind, properties in sound.items():
        assert resources.refusals(kind, properties) == []


# Requests


def test_the_words_of_a_document_in_a_property_are_its_own():
    """`Type` of a state is not `type` of CreateStateMachine."""
    states = {"Wait": {"Type": "Wait", "Seconds": 1, "Next": "Done"}, "Done": {"Type": "Succeed"}}
    machine = {
        "RoleArn": "arn:aws:iam::111122223333:role/states",
        "Definition": {"StartAt": "Wait", "States": states},
    }
    assert resources.refusals("AWS::StepFunctions::StateMachine", machine) == []
    wrong = machine | {"StateMachineType": "Wait"}
    assert len(resources.refusals("AWS::StepFunctions::StateMachine", wrong)) >= 1


FLAWED_REQUESTS: list[tuple[str, str, dict[str, Any], str]] = [
    ("sns", "Publish", {"Message": "m", "Subject": "s" * 100}, "at most 99"),
    ("sns", "Publish", {"Message": "m", "Subject": "zwei\nZeilen"}, "control character"),
    ("sns", "Publish", {"Message": "m", "Subject": " blank first"}, "not begin with a blank"),
    ("sns", "Publish", {"Message": "m", "Subject": "café"}, "be ASCII"),
    ("sns", "Publish", {"Message": "m" * 262145}, "bytes"),
    ("sns", "Subscribe", {"TopicArn": "arn:x", "Protocol": "mail"}, "one of"),
    ("sns", "CreateTopic", {"Name": "a.b"}, "a topic's name"),
    ("sqs", "CreateQueue", {"QueueName": "q" * 81}, "a queue's name"),
    ("stepfunctions", "StartExecution", {"stateMachineArn": "arn:x", "name": "a:b"}, "Step Functions takes"),
    ("stepfunctions", "StartExecution", {"stateMachineArn": "arn:x", "name": "n" * 81}, "at most 80"),
    ("stepfunctions", "SendTaskFailure", {"taskToken": "t", "cause": "c" * 32769}, "at most 32768"),
    ("ecs", "RunTask", {"taskDefinition": "d", "startedBy": "s" * 129}, "at most 128"),
    ("ecs", "RunTask", {"taskDefinition": "d", "startedBy": "a b"}, "no other characters"),
    ("ecs", "RunTask", {"taskDefinition": "d", "clientToken": "c" * 65}, "at most 64"),
    ("ecs", "RunTask", {"taskDefinition": "d", "count": 11}, "at most 10"),
    ("ecs", "RunTask", {"taskDefinition": "d", "tags": [{"key": "k", "value": "v" * 257}]}, "at most 256"),
    ("ecs", "RunTask", {"taskDefinition": "d", "tags": [{"key": "k" * 129, "value": "v"}]}, "at most 128"),
    ("ecs", "RunTask", {"taskDefinition": "d", "tags": [{"key": "aws:k", "value": "v"}]}, "'aws:'"),
    ("ecs", "RunTask", {"taskDefinition": "d", "tags": [{"key": "k", "value": "a*b"}]}, "match"),
    ("ecs", "RunTask", {"taskDefinition": "d", "launchType": "SPOT"}, "one of"),
    ("ecs", "DescribeTasks", {"tasks": ["t"] * 101}, "at most 100"),
    ("ecs", "DeleteTaskDefinitions", {"taskDefinitions": ["d"] * 11}, "at most 10"),
    ("ecs", "StopTask", {"task": "t", "reason": "r" * 256}, "at most 255"),
    ("ecs", "RegisterTaskDefinition", {"family": "f" * 256, "containerDefinitions": []}, "at most 255"),
    ("ecs", "RegisterTaskDefinition", {"family": "f", "containerDefinitions": [{"healthCheck": {"command": ["CMD"], "retries": 11}}]}, "at most 10"),
    ("ec2", "CreateSecurityGroup", {"GroupName": "sg-apps", "Description": "d"}, "'sg-'"),
    ("ec2", "CreateSecurityGroup", {"GroupName": "g", "Description": "The app's"}, "no other characters"),
    ("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 70000}]}, "65535"),
    ("ec2", "AuthorizeSecurityGroupIngress", {"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "it's"}]}]}, "no other characters"),
    ("ecr", "DescribeImages", {"repositoryName": "Team/App"}, "match"),
    ("ecr", "DescribeImages", {"repositoryName": "app", "maxResults": 1001}, "at most 1000"),
    ("apigatewayv2", "CreateApi", {"Name": "n" * 129, "ProtocolType": "HTTP"}, "at most 128"),
    ("apigatewayv2", "CreateApi", {"Name": "n", "ProtocolType": "HTTP", "Target": "http://app.internal/"}, "public name"),
    ("apigatewayv2", "CreateApi", {"Name": "n", "ProtocolType": "HTTP", "Target": "http://203.0.113.7:81/"}, "port"),
    ("logs", "GetLogEvents", {"logGroupName": "g", "logStreamName": "a:b"}, "match"),
    ("logs", "PutRetentionPolicy", {"logGroupName": "g", "retentionInDays": "31"}, "be a integer"),
    ("dynamodb", "GetItem", {"TableName": "ledger"}, "be there"),
    ("events", "PutEvents", {"Entries": [{"Source": "portcall", "DetailType": "d" * 129, "Detail": "{}"}]}, "at most 128"),
    ("events", "PutRule", {"Name": "r", "ScheduleExpression": "rate(1 hours)"}, "a schedule"),
    ("ssm", "PutParameter", {"Name": "/aws/key", "Value": "v"}, "parameter's name"),
    ("lambda", "CreateFunction", {"FunctionName": "f", "Role": "r", "Code": {}, "Timeout": 901}, "at most 900"),
    ("cloudformation", "CreateChangeSet", {"StackName": "s", "ChangeSetName": "1st"}, "match"),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "parameters", "words"), FLAWED_REQUESTS)
def test_a_request_that_aws_refuses_is_seen(service, operation, parameters, words):
    found = [str(each) for each in refusals(service, operation, parameters)]
    assert any(words in each for each in found), found


def test_a_request_of_a_test_is_checked_in_passing(requests, stub):
    from deployer.aws import ecs

    stub("ecs").add_response("describe_tasks", {"tasks": [], "failures": []})
    ecs.describe_task(cluster="portcall", task="c" * 3)
    assert requests.sent == ["ecs:DescribeTasks"]
    requests.check("ecs", "DescribeTasks", {"tasks": ["t"] * 101})
    assert requests.refused
    requests.refused.clear()


# Sentences of the documentation


@pytest.mark.parametrize(
    ("kind", "sentence", "good", "bad"),
    [
        ("string", "<p>Constraints: Up to 255 characters in length</p>", "d" * 255, "d" * 256),
        ("string", "<p>Valid characters: a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&amp;;{}!$*</p>", "A b.c(1)", "it's"),
        ("string", "<p>Can't start with <code>sg-</code>.</p>", "apps", "sg-apps"),
        ("string", "<p>Up to 128 letters (uppercase and lowercase), numbers, hyphens (-), forward slash (/), and underscores (_) are allowed.</p>", "a/b_C-1", "a.b"),
        ("string", "<p>The valid characters are characters in the range of 33-126, inclusive.</p>", "a~!", "a b"),
        ("string", "<p>Subjects are less than 100 characters long.</p>", "s" * 99, "s" * 100),
        ("list", "<p>A list of up to 100 task IDs or full ARN entries.</p>", ["t"] * 100, ["t"] * 101),
        ("integer", "<p>You may specify between 5 and 300 seconds.</p>", 300, 301),
    ],
)  # fmt: skip
def test_a_sentence_becomes_a_limit(kind, sentence, good, bad):
    limits = limits_in(sentence, kind)
    assert all(limit.holds(good) for limit in limits)
    assert not all(limit.holds(bad) for limit in limits)


@pytest.mark.parametrize(
    "sentence",
    [
        "<p>For images using tags, up to 255 characters total are allowed.</p>",
        "<p>If you specify only the function name, it is limited to 64 characters.</p>",
        "<p>The name can contain fancy things and letters.</p>",
        "<p>Use the # character in an expression.</p>",
    ],
)
def test_a_conditional_or_unclear_sentence_is_not_a_limit(sentence):
    assert limits_in(sentence, "string") == ()


@pytest.mark.parametrize(
    ("uri", "taken"),
    [
        ("http://203.0.113.7:3000/", True),
        ("http://203.0.113.7/", True),
        ("https://example.com/", True),
        ("http://203.0.113.7:81/", False),
        ("http://stopped.invalid/", False),
        ("http://app/", False),
        ("ftp://example.com/", False),
    ],
)
def test_an_integration_uri_needs_http_a_public_host_and_an_allowed_port(uri, taken):
    assert (networks.wrong_in_integration_uri(uri) == "") is taken


# The rules themselves


@pytest.mark.parametrize(("service", "structure", "member"), by_hand.MEMBERS)
def test_a_rule_by_hand_is_of_a_member_that_there_is(service, structure, member):
    shape = models.service(service).shape_for(structure)
    assert not member or member in shape.members


@pytest.mark.parametrize(("kind", "path"), by_hand.PROPERTIES)
def test_a_rule_by_hand_is_of_a_property_that_there_is(kind, path):
    name = path.partition("/")[0]
    known = {"ServiceToken", "ServiceTimeout"} if kind.endswith("CustomResource") else set(schema_of(kind))
    assert not name or name in known


def schema_of(kind: str) -> dict[str, Any]:
    schema = resources._schema(kind)
    assert schema, kind
    return dict(schema["properties"])


@pytest.mark.parametrize(("service", "structure", "member"), WRONG)
def test_an_exception_is_still_needed(service, structure, member):
    shape = models.service(service).shape_for(structure).members[member]
    good = "$default" if member == "StageName" else "late.fifo"
    assert not all(limit.holds(good) for limit in limits_in(shape.documentation, shape.type_name))
    assert all(limit.holds(good) for limit in models.limits_of(service, structure, member, shape))


def test_the_models_patterns_compile_but_for_one():
    """What does not compile is not checked: one of Java's, with halves of surrogate pairs."""
    failed = set()
    for service in wire.SERVICES.values():
        model = models.service(service)
        for name in model.shape_names:
            try:
                regex.compile(model.shape_for(name).metadata.get("pattern", ""))
            except regex.error:
                failed.add((service, name))
    assert failed == {("dynamodb", "AutoScalingRoleArn")}
