"""Every statement of the template's policies, with parameters and references resolved."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.templates import template

ACCOUNT, REGION, STACK = "111122223333", "eu-west-1", "portcall"
_ARNS = {
    "AWS::DynamoDB::Table": f"dynamodb:{REGION}:{ACCOUNT}:table/",
    "AWS::ECS::Cluster": f"ecs:{REGION}:{ACCOUNT}:cluster/",
    "AWS::IAM::Role": f"iam::{ACCOUNT}:role/",
    "AWS::Logs::LogGroup": f"logs:{REGION}:{ACCOUNT}:log-group:",
    "AWS::SNS::Topic": f"sns:{REGION}:{ACCOUNT}:",
    "AWS::SQS::Queue": f"sqs:{REGION}:{ACCOUNT}:",
    "AWS::Serverless::Function": f"lambda:{REGION}:{ACCOUNT}:function:",
    "AWS::Serverless::StateMachine": f"states:{REGION}:{ACCOUNT}:stateMachine:",
}
_REF_IS_AN_ARN = {"AWS::SNS::Topic", "AWS::Serverless::StateMachine"}


@dataclass(frozen=True)
class Statement:
    """One statement of one role; `role` is the logical id of what has it."""

    role: str
    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: dict[str, dict[str, Any]]

    @property
    def keys(self) -> set[str]:
        return {key for values in self.condition.values() for key in values}


def documents(**parameters: str) -> list[tuple[str, Any]]:
    """The policy documents of all roles, and the boundary, with the logical id of what has them."""
    return list(_Resolver(template(), parameters).documents())


def statements(**parameters: str) -> list[Statement]:
    """Of all roles and of the boundary, as they are with these parameters."""
    found = []
    for role, document in documents(**parameters):
        for statement in document["Statement"]:
            actions, resources = statement["Action"], statement["Resource"]
            found.append(
                Statement(
                    role,
                    statement["Sid"],
                    (actions,) if isinstance(actions, str) else tuple(actions),
                    (resources,) if isinstance(resources, str) else tuple(resources),
                    statement.get("Condition", {}),
                )
            )
    return found


class _Resolver:
    def __init__(self, source: dict[str, Any], parameters: dict[str, str]) -> None:
        self.resources, self.conditions = source["Resources"], source["Conditions"]
        defaults = {name: each["Default"] for name, each in source["Parameters"].items()}
        self.values: dict[str, Any] = {
            **defaults,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::StackName": STACK,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": None,
            **parameters,
        }

    def documents(self) -> Iterator[tuple[str, Any]]:
        for name, resource in self.resources.items():
            if not self._holds(resource.get("Condition")):
                continue
            properties = resource.get("Properties", {})
            for policy in properties.get("Policies", []):
                yield name, self._value(policy.get("PolicyDocument", policy))
            if resource["Type"] == "AWS::IAM::ManagedPolicy":
                yield name, self._value(properties["PolicyDocument"])

    def _holds(self, condition: Any) -> bool:
        if condition is None:
            return True
        if isinstance(condition, str):
            return self._holds(self.conditions[condition])
        ((function, argument),) = condition.items()
        match function:
            case "Fn::Equals":
                return len({str(self._value(each)) for each in argument}) == 1
            case "Fn::Not":
                return not self._holds(argument[0])
            case "Fn::And":
                return all(self._holds(each) for each in argument)
            case "Fn::Or":
                return any(self._holds(each) for each in argument)
            case "Condition":
                return self._holds(argument)
        raise ValueError(f"unknown condition function: {function}")

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            found = [self._value(each) for each in value]
            return [each for each in found if each is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            match function:
                case "Ref":
                    return self._named(argument)
                case "Fn::GetAtt":
                    return self._named(argument if isinstance(argument, str) else ".".join(argument))
                case "Fn::If":
                    return self._value(argument[1 if self._holds(argument[0]) else 2])
                case "Fn::Sub":
                    text, own = (argument, {}) if isinstance(argument, str) else argument
                    names = {name: self._value(each) for name, each in own.items()}
                    named = re.compile(r"\$\{([\w.:]+)\}")
                    return named.sub(lambda m: str(names[m[1]] if m[1] in names else self._named(m[1])), text)
        return {name: self._value(each) for name, each in value.items()}

    def _named(self, name: str) -> Any:
        if name in self.values:
            return self.values[name]
        resource, _, attribute = name.partition(".")
        kind, named = self.resources[resource]["Type"], f"{STACK}-{resource}"
        if attribute == "Arn" or (not attribute and kind in _REF_IS_AN_ARN):
            # The ARN of a log group ends in what stands for its streams.
            return f"arn:aws:{_ARNS[kind]}{named}{':*' if kind == 'AWS::Logs::LogGroup' else ''}"
        return named
