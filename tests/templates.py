"""The template as AWS gets it: SAM's transform applied, parameters and references resolved."""

import json
import pickle
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[1]
ACCOUNT, REGION = "111122223333", "us-east-1"

# The sets of parameters with which the template is checked; parameters that are not named have their defaults.
PARAMETERS: dict[str, dict[str, str]] = {
    "default": {},
    "with mail and a narrow CIDR": {"Email": "you@example.com", "AllowedCidr": "198.51.100.0/24"},
    "stable URLs, an app for each tag": {"StableUrl": "on", "Environments": "tag", "TagPattern": "latest,pr-*"},
    "created repositories and the longest names": {
        "RepositoryName": "team/" + "a" * 195,
        "RepositoryPattern": "team/*",
        "CreateRepositories": "team",
        "LastingTags": ",".join(["t" * 128] * 5),
        "TagPattern": ",".join(["t" * 127 + "*"] * 5),
        "MaxMemory": "122880",
    },
    "roles for CI": {
        "GitHubRepository": "my-org/my.app",
        "GitHubEnvironment": "production",
        "GitHubOrgId": "123456",
        "GitHubRepoId": "456789",
        "GitLabProject": "my-group/sub/my-app",
    },
    "roles for CI, with providers that are there": {
        "GitHubRepository": "my-org/my.app",
        "CreateGitHubProvider": "no",
        "GitLabProject": "my-group/my-app",
        "GitLabBranch": "*",
        "CreateGitLabProvider": "no",
    },
}
STACK_NAMES = {"created repositories and the longest names": "s" * 128}

_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": None,
}
# What Ref gives, by type; others give a name.
_IDS = {
    "AWS::EC2::InternetGateway": "igw-0a1b2c3d4e5f60718",
    "AWS::EC2::RouteTable": "rtb-0a1b2c3d4e5f60718",
    "AWS::EC2::SecurityGroup": "sg-0a1b2c3d4e5f60718",
    "AWS::EC2::Subnet": "subnet-0a1b2c3d4e5f60718",
    "AWS::EC2::VPC": "vpc-0a1b2c3d4e5f60718",
    "AWS::IAM::ManagedPolicy": f"arn:aws:iam::{ACCOUNT}:policy/sample",
    "AWS::IAM::OIDCProvider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/sample.example.com",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:sample",
    "AWS::SQS::Queue": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/sample",
    "AWS::StepFunctions::StateMachine": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:sample",
}
_ARNS = {
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/sample",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sample",
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/sample",
    "AWS::ECS::Cluster": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/sample",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:sample:*",
    "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/sample",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:sample",
}


def template() -> dict[str, Any]:
    """template.yaml, for the caller to change."""
    parsed: dict[str, Any] = pickle.loads(_parsed())
    return parsed


@cache
def _parsed() -> bytes:
    """Cached, because reading the YAML takes half a second, and most test files need it."""
    return pickle.dumps(yaml_parse((ROOT / "template.yaml").read_text()))


def definition(arn: str = r"${\1FunctionArn}") -> dict[str, Any]:
    r"""The workflow's definition, for the caller to change, with this for each function's ARN; `\1` is its step."""
    found: dict[str, Any] = json.loads(re.sub(r"\$\{(\w+)FunctionArn\}", arn, _definition()))
    return found


@cache
def _definition() -> str:
    return json.dumps(yaml.safe_load((ROOT / "statemachine/deploy.asl.yaml").read_text()))


def transformed(source: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    """A template after SAM's transform, as CloudFormation applies it, for the caller to change."""
    found: dict[str, Any] = pickle.loads(_transformed(pickle.dumps((source, parameters))))
    return found


@cache
def _transformed(pickled: bytes) -> bytes:
    """The transform takes a tenth of a second, and many tests want it of the same template."""
    prepared, parameters = pickle.loads(pickled)
    uploaded = {"Bucket": "sample", "Key": "sample"}
    for resource in [prepared.get("Globals", {}).get("Function", {}), *prepared["Resources"].values()]:
        properties = resource.get("Properties", resource)
        # `sam deploy` uploads what these point to.
        for name in {"CodeUri", "DefinitionUri"} & set(properties):
            properties[name] = dict(uploaded)
    return pickle.dumps(transform(prepared, parameters, _NoManagedPolicies()))


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def resolved(
    source: dict[str, Any], parameters: dict[str, str] | None = None, stack: str = "portcall"
) -> dict[str, tuple[str, dict[str, Any]]]:
    """The resources with these parameters: logical id -> type and properties."""
    whole = transformed(source, parameters or {})
    return _Resolver(whole, parameters or {}, stack).resources()


class _Resolver:
    def __init__(self, whole: dict[str, Any], parameters: dict[str, str], stack: str) -> None:
        self._resources = whole["Resources"]
        self._conditions = whole.get("Conditions", {})
        declared = whole.get("Parameters", {})
        self._lists = {name for name, each in declared.items() if "List" in each["Type"]}
        defaults = {name: each.get("Default") for name, each in declared.items()}
        self._values: dict[str, Any] = _PSEUDO | defaults | parameters
        self._values |= {
            "AWS::StackName": stack,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/sample",
        }

    def resources(self) -> dict[str, tuple[str, dict[str, Any]]]:
        return {
            name: (each["Type"], self._value(each.get("Properties", {})))
            for name, each in self._resources.items()
            if "Condition" not in each or self._holds(each["Condition"])
        }

    def _holds(self, condition: Any) -> bool:
        if isinstance(condition, str):
            return self._holds(self._conditions[condition])
        ((function, argument),) = condition.items()
        match function:
            case "Condition":
                return self._holds(argument)
            case "Fn::Equals":
                left, right = map(self._value, argument)
                return str(left) == str(right)
            case "Fn::Not":
                return not self._holds(argument[0])
            case "Fn::And":
                return all(map(self._holds, argument))
            case "Fn::Or":
                return any(map(self._holds, argument))
        raise AssertionError(f"no condition: {function}")

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [each for each in map(self._value, value) if each is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::")):
            ((function, argument),) = value.items()
            return self._call(function, argument)
        found = {name: self._value(each) for name, each in value.items()}
        return {name: each for name, each in found.items() if each is not None}

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return self._ref(argument)
            case "Fn::GetAtt":
                name, _, attribute = argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])  # fmt: skip
                return self._attribute(name, attribute)
            case "Fn::If":
                return self._value(argument[1 if self._holds(argument[0]) else 2])
            case "Fn::Sub":
                text, local = (argument, {}) if isinstance(argument, str) else argument
                return re.sub(r"\$\{([^!}]+)\}", lambda found: str(self._named(found[1], local)), text)
            case "Fn::Join":
                return argument[0].join(map(str, self._value(argument[1])))
            case "Fn::Split":
                return str(self._value(argument[1])).split(argument[0])
            case "Fn::Select":
                return self._value(argument[1])[int(argument[0])]
            case "Fn::GetAZs":
                return [f"{REGION}{zone}" for zone in "abc"]
        raise AssertionError(f"no function: {function}")

    def _named(self, name: str, local: dict[str, Any]) -> Any:
        if name in local:
            return self._value(local[name])
        return self._call("Fn::GetAtt", name) if "." in name else self._ref(name)

    def _ref(self, name: str) -> Any:
        if name in self._values:
            value = self._values[name]
            return value.split(",") if isinstance(value, str) and name in self._lists else value
        return _IDS.get(self._resources[name]["Type"], f"sample-{name}")

    def _attribute(self, name: str, attribute: str) -> str:
        kind = self._resources[name]["Type"]
        if attribute in ("Arn", "TopicArn") or attribute.endswith("Arn"):
            return _ARNS.get(kind) or _IDS[kind]
        return _IDS[kind] if attribute.endswith("Id") else f"sample-{name}"
