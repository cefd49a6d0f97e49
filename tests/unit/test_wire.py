"""Each call of each supported service is parsed from the wire as it was sent."""

from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.serialize import create_serializer

from localcloud.aws_rules import models, wire
from localcloud.aws_rules.answers import refusal_of
from localcloud.aws_rules.requests import refusals

SAMPLES = {
    "string": "a/b c&é",
    "blob": b"xyz",
    "boolean": True,
    "integer": 3,
    "long": 4,
    "float": 1.5,
    "double": 2.5,
}


def sample(shape: Shape, above: tuple[str, ...] = ()) -> Any:
    """A value with every member, and two of each entry. Not of times, whose text is the serializer's choice."""
    if shape.name in above or shape.type_name == "timestamp":
        return None
    above = (*above, shape.name)
    if isinstance(shape, StructureShape):
        members = {name: sample(member, above) for name, member in shape.members.items()}
        return {name: each for name, each in members.items() if each is not None} or None
    if isinstance(shape, ListShape):
        entry = sample(shape.member, above)
        return None if entry is None else [entry, entry]
    if isinstance(shape, MapShape):
        value = sample(shape.value, above)
        return None if value is None else {"k": value}
    return SAMPLES[shape.type_name]


def sent(signed_for: str, operation: OperationModel, parameters: dict[str, Any]) -> wire.Call | None:
    """What is read of a call as botocore sends it."""
    protocol = operation.service_model.metadata["protocol"]
    request = create_serializer(protocol, include_validation=False).serialize_to_request(parameters, operation)
    path, _, query = request["url_path"].partition("?")
    query = "&".join(filter(None, [query, urlencode(request["query_string"] or {}, doseq=True)]))
    body = urlencode(request["body"]) if isinstance(request["body"], dict) else request["body"]
    headers = {name.lower(): value for name, value in request["headers"].items()}
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/{signed_for}/aws4_request"
    return wire.read(
        request["method"], path, query, headers, body if isinstance(body, bytes) else body.encode()
    )


@pytest.mark.parametrize(("signed_for", "service"), wire.SERVICES.items())
def test_every_call_is_read_as_it_was_sent(signed_for, service):
    model = models.service(service)
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.input_shape is not None:
            parameters = sample(operation.input_shape) or {}
            assert sent(signed_for, operation, parameters) == wire.Call(service, name, parameters)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer token"},
        {"authorization": "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/s3/aws4_request"},
        {"authorization": "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/ecs/aws4_request", "x-amz-target": "X.None"},
    ],
)  # fmt: skip
def test_a_request_that_is_not_a_known_call_is_not_read(headers):
    assert wire.read("POST", "/", "", headers, b"{}") is None


def test_a_call_with_an_unreadable_body_is_not_read():
    headers = {"authorization": "AWS4-HMAC-SHA256 Credential=AK/20260101/us-east-1/ecs/aws4_request"}
    headers["x-amz-target"] = "AmazonEC2ContainerServiceV20141113.RunTask"
    assert wire.read("POST", "/", "", headers, b"{") is None


def test_an_answer_of_each_protocol_is_what_botocore_reads():
    from botocore.parsers import create_parser

    for service, operation, parameters, code in (
        ("ecs", "RunTask", {}, "InvalidParameterException"),
        ("ec2", "CreateSecurityGroup", {"GroupName": "g"}, "MissingParameter"),
        ("sns", "Publish", {"Message": "m", "Subject": "s" * 100}, "InvalidParameter"),
        ("apigatewayv2", "CreateApi", {"Name": "n"}, "BadRequestException"),
    ):
        call = wire.Call(service, operation, parameters)
        status, headers, body = refusal_of(call, refusals(service, operation, parameters))
        model = models.operation(service, operation)
        parser = create_parser(models.service(service).metadata["protocol"])
        answer = {"status_code": status, "headers": headers, "body": body}
        error = parser.parse(answer, model.output_shape)["Error"]
        assert error["Code"] == code
        assert "failed to satisfy constraint" in error["Message"]
