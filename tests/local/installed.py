"""The stack in a test cloud: its resources, actions on it, and what it leaves."""

import json
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from localcloud.inbox import Received, read
from localcloud.settings import STACK, CloudSettings
from portcall.installer.packaged import Packaged
from tests import installing
from tests.deployments import Deployments
from tests.local.conftest import (
    ACCOUNT,
    REGION,
    Cloud,
    eventually,
    forget_images,
    start_cloud,
)

# Both end on SIGTERM, and no two pushes are identical.
SERVES = "trap 'exit 0' TERM; httpd -f -p 3000 & wait"
SILENT = "trap 'exit 0' TERM; while :; do sleep 1; done"
FAILS = "echo 'no database'; exit 3"


class Installed:
    """One stack in a cloud."""

    def __init__(self, cloud: Cloud, name: str = STACK) -> None:
        self.cloud, self.name = cloud, name
        self.settings = CloudSettings(cloud.port, ACCOUNT, REGION, cloud.state_dir)

    @cached_property
    def outputs(self) -> dict[str, str]:
        (stack,) = self.cloud.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}

    @cached_property
    def resources(self) -> dict[str, str]:
        """Logical id -> physical id."""
        pages = self.cloud.client("cloudformation").get_paginator("list_stack_resources")
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.name)
            for each in page["StackResourceSummaries"]
        }

    @cached_property
    def deployments(self) -> Deployments:
        return Deployments(self.cloud.client("stepfunctions"), self.outputs["StateMachineArn"])

    @property
    def app(self) -> str:
        return self.outputs["RepositoryUri"].partition("/")[2]

    def push(self, command: str = SERVES) -> str:
        return self.cloud.push(self.app, ["sh", "-c", f": {uuid.uuid4()}; {command}"], tag="latest")

    def deploy(self, command: str = SERVES) -> dict[str, Any]:
        """Push, wait for the end of the execution, and return it."""
        (execution,) = self.deployments.ended(self.app, self.push(command))
        return execution

    def mails(self, execution: dict[str, Any]) -> list[Received]:
        push = json.loads(execution["input"])["id"]
        return [mail for mail in read(self.settings.inbox) if push in mail.text]

    def tasks(self, execution: dict[str, Any] | None = None) -> list[str]:
        """The tasks with the desired status RUNNING: all, or those of one execution."""
        wanted = {"startedBy": json.loads(execution["input"])["id"]} if execution else {}
        listed = self.cloud.client("ecs").list_tasks(cluster=self.outputs["ClusterArn"], **wanted)
        return list(listed["taskArns"])

    def sweep(self) -> dict[str, list[str]]:
        """Run Reconcile with its own role. If it is running by its schedule, first wait for its end."""
        function = self.resources["ReconcileFunction"]

        def swept() -> list[dict[str, list[str]]]:
            answer = self.cloud.client("lambda").invoke(
                FunctionName=function, Payload=json.dumps({"id": "now"})
            )
            said = json.loads(answer["Payload"].read())
            assert "FunctionError" not in answer, said
            return [] if "skipped" in said else [said]

        return eventually(swept, within=120)[0]

    def role(self, function: str) -> str:
        return self.resources[f"{function}FunctionRole"]

    @contextmanager
    def without(self, role: str, *actions: str) -> Iterator[None]:
        """In this block, a role lacks some actions."""
        iam = self.cloud.client("iam")
        before = {
            name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        }
        after = {name: less(document, set(actions)) for name, document in before.items()}
        assert after != before, f"{role} has none of {actions}"
        try:
            for name, document in after.items():
                put_policy(iam, role, name, document)
            yield
        finally:
            for name, document in before.items():
                put_policy(iam, role, name, document)

    @contextmanager
    def denied(self, role: str, action: str) -> Iterator[None]:
        """In this block, an action is denied explicitly, because the topic's policy allows publishing in the
        account.
        """
        iam = self.cloud.client("iam")
        statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
        put_policy(iam, role, "Denied", {"Version": "2012-10-17", "Statement": [statement]})
        try:
            yield
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="Denied")

    def update(self, **parameters: str) -> None:
        """Change parameters of the template."""
        installing.update(self.cloud.client, parameters, self.name)

    def delete(self) -> None:
        installing.delete(self.cloud.client, self.name)


def less(document: dict[str, Any], actions: set[str]) -> dict[str, Any]:
    """A policy document without some actions; statements that become empty are removed."""
    statements = []
    for statement in document["Statement"]:
        named = statement["Action"]
        kept = [each for each in ([named] if isinstance(named, str) else named) if each not in actions]
        if kept:
            statements.append({**statement, "Action": kept})
    return {**document, "Statement": statements}


def put_policy(iam: Any, role: str, name: str, document: dict[str, Any]) -> None:
    if document["Statement"]:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    else:
        # IAM accepts no policy without a statement.
        iam.delete_role_policy(RoleName=role, PolicyName=name)


def is_the_accounts(role: str) -> bool:
    """Whether it belongs to the account: deleting a stack does not delete a service-linked role."""
    return role.startswith("AWSServiceRoleFor")


def inventory(cloud: Cloud) -> dict[str, set[str]]:
    """All resources in the account, and their processes and containers on this machine."""
    ask = {
        "stacks": ("cloudformation", "describe_stacks", "Stacks", "StackName"),
        "clusters": ("ecs", "list_clusters", "clusterArns", None),
        "revisions": ("ecs", "list_task_definitions", "taskDefinitionArns", None),
        "log groups": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "repositories": ("ecr", "describe_repositories", "repositories", "repositoryName"),
        "tables": ("dynamodb", "list_tables", "TableNames", None),
        "queues": ("sqs", "list_queues", "QueueUrls", None),
        "topics": ("sns", "list_topics", "Topics", "TopicArn"),
        "subscriptions": ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
        "roles": ("iam", "list_roles", "Roles", "RoleName"),
        "providers": ("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn"),
        "policies": ("iam", "list_policies", "Policies", "PolicyName"),
        "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
        "machines": ("stepfunctions", "list_state_machines", "stateMachines", "name"),
        "rules": ("events", "list_rules", "Rules", "Name"),
        "networks": ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
        "subnets": ("ec2", "describe_subnets", "Subnets", "SubnetId"),
        "gateways": ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        "route tables": ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
        "security groups": ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
        "interfaces": ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        "addresses": ("apigatewayv2", "get_apis", "Items", "ApiId"),
        "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        "dashboards": ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    }
    found = {}
    for kind, (service, operation, key, name) in ask.items():
        listed = getattr(cloud.client(service), operation)().get(key) or []
        found[kind] = {each[name] if name else each for each in listed}
    found["roles"] = {each for each in found["roles"] if not is_the_accounts(each)}
    ecs = cloud.client("ecs")
    found["tasks"] = {arn for each in found["clusters"] for arn in ecs.list_tasks(cluster=each)["taskArns"]}
    found["containers"] = set(containers(cloud.port))
    return found


def containers(port: int) -> list[str]:
    line = ["docker", "ps", "--all", "--format", '{{.Names}} {{.Label "ministack.instance"}}']
    listed = subprocess.check_output(line, text=True).splitlines()
    return [name.split()[0] for name in listed if name.endswith(f":{port}")]


def policies(cloud: Cloud, role: str) -> list[dict[str, Any]]:
    iam = cloud.client("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=each)["PolicyDocument"] for each in names]
    return [statement for document in documents for statement in document["Statement"]]


@contextmanager
def cloud_of_its_own(folder: Path, **environment: str) -> Iterator[Cloud]:
    """A separate cloud, whose functions load faster."""
    cloud = start_cloud(folder, through=("tests.forked_functions",), **environment)
    try:
        yield cloud
    finally:
        cloud.stop()
        forget_images(cloud.port)


@contextmanager
def stack_of_its_own(
    folder: Path, release: Packaged, parameters: Mapping[str, str] | None = None, **environment: str
) -> Iterator[Installed]:
    """A separate cloud with the stack, for tests that change the stack or its permissions."""
    with cloud_of_its_own(folder, **environment) as cloud:
        installing.create(cloud.client, release, parameters or {})
        yield Installed(cloud)


def describe(stack: Installed) -> dict[str, Any]:
    (found,) = stack.cloud.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"]
    return dict(found)
