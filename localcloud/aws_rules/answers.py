"""AWS's error responses to refused calls, in the protocol of each service."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from xml.sax.saxutils import escape

from localcloud.aws_rules import models
from localcloud.aws_rules.limits import Refusal
from localcloud.aws_rules.wire import Call

# A service's error code for an invalid value; the others use ValidationException.
_CODES = {
    "apigatewayv2": "BadRequestException",
    "cloudformation": "ValidationError",
    "ec2": "InvalidParameterValue",
    "ecr": "InvalidParameterException",
    "ecs": "InvalidParameterException",
    "iam": "ValidationError",
    "logs": "InvalidParameterException",
    "sns": "InvalidParameter",
    "sqs": "InvalidParameterValue",
    "sts": "ValidationError",
}
# Operations with a special error code for a member.
_CODES_OF_MEMBERS = {
    "StartExecution.name": "InvalidName",
    "CreateStateMachine.name": "InvalidName",
    "UpdateFunctionConfiguration.Timeout": "InvalidParameterValueException",
}

Answer = tuple[int, dict[str, str], bytes]


def refusal_of(call: Call, refused: Sequence[Refusal]) -> Answer:
    """Status, headers and body of AWS's response to a call with these invalid values."""
    code, message = _code(call, refused[0]), refused[0].says or _message(refused)
    match models.service(call.service).metadata["protocol"]:
        case "json":
            version = models.service(call.service).metadata.get("jsonVersion", "1.0")
            content_type = f"application/x-amz-json-{version}"
            return (
                400,
                {"content-type": content_type},
                json.dumps({"__type": code, "message": message}).encode(),
            )
        case "rest-json":
            headers = {"content-type": "application/json", "x-amzn-errortype": code}
            return 400, headers, json.dumps({"message": message}).encode()
        case "ec2":
            return 400, {"content-type": "text/xml"}, _ec2_error(code, message)
    return 400, {"content-type": "text/xml"}, _query_error(code, message)


def _code(call: Call, refusal: Refusal) -> str:
    if call.service == "ec2" and refusal.value is None:
        return "MissingParameter"
    return _CODES_OF_MEMBERS.get(refusal.path) or _CODES.get(call.service, "ValidationException")


def _message(refused: Sequence[Refusal]) -> str:
    errors = [
        f"Value {_short(each.value)} at '{each.path.partition('.')[2] or each.path}' failed to satisfy "
        f"constraint: Member must {each.asks}"
        for each in refused
    ]
    return f"{len(errors)} validation error{'s' * (len(errors) > 1)} detected: {'; '.join(errors)}"


def _short(value: object) -> str:
    shown = "null" if value is None else f"'{value}'"
    return shown if len(shown) <= 300 else f"{shown[:297]}..."


def _ec2_error(code: str, message: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Response><Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors>"
        f"<RequestID>{uuid.uuid4()}</RequestID></Response>"
    ).encode()


def _query_error(code: str, message: str) -> bytes:
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    ).encode()
