"""Parameters that a container gets as environment variables, and those that it must not get."""

import subprocess
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import Cloud, eventually

NOT_RETRIEVED = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
    "unable to retrieve secrets from ssm: "
)

# What every task needs before it starts.
STARTS: dict[str, dict[str, Any]] = {
    "log in": {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
    "pull": {
        "Effect": "Allow",
        "Action": ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
        "Resource": "*",
    },
    "log": {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"},
}


class Parameters:
    """Those of one app."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.folder = cloud, f"/portcall/app-{uuid.uuid4().hex[:8]}"

    def put(self, name: str, kind: str, **more: Any) -> str:
        value = f"value-{uuid.uuid4().hex}"
        self.cloud.client("ssm").put_parameter(Name=f"{self.folder}/{name}", Value=value, Type=kind, **more)
        return value

    def arn(self, name: str) -> str:
        return f"arn:aws:ssm:{self.cloud.region}:{self.cloud.account}:parameter{self.folder}/{name}"

    def role(self, *more: dict[str, Any]) -> str:
        read = {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": self.arn("*")}
        return self.cloud.role("ecs-tasks", *STARTS.values(), read, *more)


@pytest.fixture
def parameters(cloud: Cloud) -> Parameters:
    return Parameters(cloud)


def start(cloud: Cloud, role: str, command: list[str], **secrets: str) -> str:
    """Run a task with these secrets (variable -> where its value comes from); returns its ARN."""
    repository = cloud.repository()
    cloud.push(repository, command, tag="latest")
    named = [{"name": name, "valueFrom": source} for name, source in secrets.items()]
    definition = cloud.define(
        cloud.image(repository, ":latest"), secrets=named, execution_role=role, stopTimeout=2
    )
    return str(cloud.run(definition)["taskArn"])


def reason(cloud: Cloud, role: str, **secrets: str) -> str:
    """Why such a task does not start."""
    task = cloud.await_task(start(cloud, role, ["sleep", "3600"], **secrets), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert "exitCode" not in task["containers"][0]
    assert task["stoppedReason"].startswith(NOT_RETRIEVED)
    return str(task["stoppedReason"].removeprefix(NOT_RETRIEVED))


def test_each_kind_of_parameter_arrives_by_arn_and_by_name_and_shows_nowhere_else(
    cloud: Cloud, parameters: Parameters
) -> None:
    kinds = {"PLAIN": "String", "SECURE": "SecureString", "LIST": "StringList"}
    values = {name: parameters.put(name, kind) for name, kind in kinds.items()}
    seen = cloud.watch(source=["aws.ecs"])
    sources = {name: parameters.arn(name) for name in kinds} | {"BY_NAME": f"{parameters.folder}/SECURE"}
    arn = start(cloud, parameters.role(), ["sh", "-c", "env; sleep 60"], **sources)
    task = cloud.await_task(arn, "RUNNING")
    expected = {f"{name}={value}" for name, value in {**values, "BY_NAME": values["SECURE"]}.items()}
    assert eventually(lambda: expected <= set(cloud.log_lines(task)))

    ecs = cloud.client("ecs")
    container = subprocess.check_output(
        ["docker", "ps", "-q", "--filter", f"label=com.amazonaws.ecs.task-arn={arn}"], text=True
    ).strip()
    shown = [
        ecs.describe_tasks(cluster="default", tasks=[arn], include=["TAGS"]),
        ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"]),
        subprocess.check_output(["docker", "inspect", "--format", "{{json .Config.Labels}}", container]),
        (cloud.state_dir / "cloud.log").read_text(),
    ]
    ecs.stop_task(cluster="default", task=arn)
    cloud.await_task(arn, "STOPPED")
    shown.append([event for event in seen() if event["resources"] == [arn]])
    assert shown[-1]
    assert not [value for value in values.values() for each in shown if value in str(each)]


def test_a_role_that_may_not_read_the_parameter_starts_nothing(cloud: Cloud, parameters: Parameters) -> None:
    parameters.put("NAME", "String")
    for role in (cloud.role("ecs-tasks", *STARTS.values()), ""):
        refused = reason(cloud, role, NAME=parameters.arn("NAME"))
        assert refused.startswith(
            "service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts"
        )
        assert f"ssm:GetParameters on resource: {parameters.arn('NAME')}" in refused


@pytest.mark.parametrize(
    ("missing", "action"),
    [
        ("log in", "ecr:GetAuthorizationToken"),
        ("pull", "ecr:BatchCheckLayerAvailability"),
        ("log", "logs:CreateLogStream"),
    ],
)
def test_a_role_that_may_not_pull_or_log_starts_nothing(cloud: Cloud, missing: str, action: str) -> None:
    given = [statement for name, statement in STARTS.items() if name != missing]
    task = cloud.await_task(start(cloud, cloud.role("ecs-tasks", *given), ["sleep", "3600"]), "STOPPED")
    assert task["stopCode"] == "TaskFailedToStart"
    assert f"is not authorized to perform: {action} on resource: " in task["stoppedReason"]


def test_a_parameter_that_is_not_there_starts_nothing(cloud: Cloud, parameters: Parameters) -> None:
    expected = f"invalid parameters: {parameters.folder}/NAME"
    assert reason(cloud, parameters.role(), NAME=parameters.arn("NAME")) == expected
    assert reason(cloud, parameters.role(), NAME=f"{parameters.folder}/NAME") == expected


def test_a_key_of_the_customer_needs_decrypt_too(cloud: Cloud, parameters: Parameters) -> None:
    key = cloud.client("kms").create_key()["KeyMetadata"]
    value = parameters.put("NAME", "SecureString", KeyId=key["KeyId"])
    refused = reason(cloud, parameters.role(), NAME=parameters.arn("NAME"))
    assert "AccessDeniedException: The ciphertext refers to a customer master key" in refused
    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key["Arn"]}
    elsewhere = {"StringEquals": {"kms:ViaService": f"secretsmanager.{cloud.region}.amazonaws.com"}}
    of_another = {"StringLike": {"kms:EncryptionContext:PARAMETER_ARN": f"{parameters.arn('OTHER')}"}}
    for condition in (elsewhere, of_another):
        role = parameters.role({**decrypt, "Condition": condition})
        assert "customer master key" in reason(cloud, role, NAME=parameters.arn("NAME"))
    ours = {
        "StringEquals": {"kms:ViaService": f"ssm.{cloud.region}.amazonaws.com"},
        "StringLike": {"kms:EncryptionContext:PARAMETER_ARN": parameters.arn("*")},
    }
    role = parameters.role({**decrypt, "Condition": ours})
    task = cloud.await_task(start(cloud, role, ["env"], NAME=parameters.arn("NAME")), "STOPPED")
    assert f"NAME={value}" in cloud.log_lines(task)


def test_parameters_are_listed_by_path_one_level_or_all(cloud: Cloud, parameters: Parameters) -> None:
    for name in ("A", "deep/B"):
        parameters.put(name, "String")

    def listed(**option: str) -> list[str]:
        path = {"Key": "Path", "Values": [parameters.folder], **option}
        found = cloud.client("ssm").describe_parameters(ParameterFilters=[path])["Parameters"]
        return [each["Name"].removeprefix(f"{parameters.folder}/") for each in found]

    assert listed() == listed(Option="OneLevel") == ["A"]
    assert listed(Option="Recursive") == ["A", "deep/B"]


def test_listing_parameters_knows_no_resource(cloud: Cloud, parameters: Parameters) -> None:
    parameters.put("A", "String")
    allow = {"Effect": "Allow", "Action": "ssm:DescribeParameters"}
    assert cloud.user({**allow, "Resource": "*"})("ssm").describe_parameters()["Parameters"]
    with pytest.raises(ClientError, match="AccessDenied"):
        cloud.user({**allow, "Resource": parameters.arn("*")})("ssm").describe_parameters()
