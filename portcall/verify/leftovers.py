"""Removes, finds and reports what an install and a run leave behind."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from portcall.verify import images, install, queues
from portcall.verify.account import Account
from portcall.verify.errors import CheckFailedError
from portcall.verify.state import State
from portcall.verify.tools import Tools

SAMS_STACK = "aws-sam-cli-managed-default"
DELETE_ATTEMPTS = 2
ERRORS = (BotoCoreError, ClientError, CheckFailedError)

Looks = Callable[[Account, State], Iterator[str]]


def clean_up(
    account: Account, state: State, tools: Tools, folder: Path, say: Callable[[str], None]
) -> list[str]:
    """Remove all that the run created, continuing after errors; return what is left, and why."""
    left: list[str] = []

    def attempt(what: str, remove: Callable[[], object]) -> None:
        say(what)
        try:
            remove()
        except ERRORS as error:
            left.append(f"{what}: {error}")

    attempt("Deleting the stack", lambda: _delete_stack(account, state.name))
    attempt("Removing the queues and rules", lambda: queues.close_queues(account, state.name))
    attempt("Removing what was uploaded", lambda: delete_uploads(account, state.name))
    attempt("Removing the images on this machine", lambda: images.forget(tools, state.images))
    shutil.rmtree(folder, ignore_errors=True)
    attempt("Looking for what is left", lambda: left.extend(inventory(account, state)))
    state.forget_install()
    state.save()
    return left


def _delete_stack(account: Account, name: str) -> None:
    """Delete the stack, whatever its state; try again if the first deletion failed."""
    for _ in range(DELETE_ATTEMPTS):
        # An interrupted `sam deploy` continues in CloudFormation, so first wait for its end.
        if install.settled(account, name) is None:
            return
        account.client("cloudformation").delete_stack(StackName=name)
    status = install.settled(account, name)
    if status:
        raise CheckFailedError("\n".join([f"it is {status}", *install.refusals(account, name)]))


def delete_uploads(account: Account, name: str) -> None:
    """Remove the uploads of `sam deploy` from SAM's bucket, which `sam delete` leaves."""
    for bucket, key in _uploads(account, name):
        account.client("s3").delete_object(Bucket=bucket, Key=key)


def _uploads(account: Account, name: str) -> Iterator[tuple[str, str]]:
    stack = install.describe(account, SAMS_STACK)
    outputs = {each["OutputKey"]: each["OutputValue"] for each in (stack or {}).get("Outputs", [])}
    if bucket := outputs.get("SourceBucket"):
        pages = account.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{name}/")
        yield from ((bucket, each["Key"]) for page in pages for each in page.get("Contents", []))


def inventory(account: Account, state: State) -> list[str]:
    """What exists of the install and of the run: descriptions and names."""
    found: list[str] = []
    for kind, look in KINDS.items():
        try:
            found += [f"{kind} {each}" for each in look(account, state)]
        except (BotoCoreError, ClientError) as error:
            found.append(f"{kind}: could not be checked: {error}")
    return found


def _pages(account: Account, service: str, operation: str, key: str, **given: Any) -> Iterator[Any]:
    for page in account.client(service).get_paginator(operation).paginate(**given):
        yield from page.get(key, [])


def _stacks(account: Account, state: State) -> Iterator[str]:
    stack = install.describe(account, state.name)
    if stack:
        yield f"{state.name} ({stack['StackStatus']})"


def _clusters(account: Account, state: State) -> Iterator[str]:
    arns = _pages(account, "ecs", "list_clusters", "clusterArns")
    yield from (arn for arn in arns if f"/{state.name}-" in arn)


def _tasks(account: Account, state: State) -> Iterator[str]:
    for cluster in _clusters(account, state):
        yield from _pages(account, "ecs", "list_tasks", "taskArns", cluster=cluster)


def _revisions(account: Account, state: State) -> Iterator[str]:
    families = {
        family
        for status in ("ACTIVE", "INACTIVE")
        for family in _pages(
            account,
            "ecs",
            "list_task_definition_families",
            "families",
            familyPrefix=f"{state.name}_",
            status=status,
        )
    }
    for family in sorted(families):
        for status in ("ACTIVE", "INACTIVE"):
            arns = _pages(
                account,
                "ecs",
                "list_task_definitions",
                "taskDefinitionArns",
                familyPrefix=family,
                status=status,
            )
            yield from (f"{arn.rpartition('/')[2]} ({status})" for arn in arns)


def _log_groups(account: Account, state: State) -> Iterator[str]:
    for prefix in (state.name, f"/aws/lambda/{state.name}", f"/aws/vendedlogs/states/{state.name}"):
        groups = _pages(account, "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix)
        yield from (each["logGroupName"] for each in groups)


def _of_ids(state: State, prefix: str) -> list[str]:
    return [value for value in state.resources.values() if value.startswith(prefix)]


def _security_groups(account: Account, state: State) -> Iterator[str]:
    wanted = [[{"Name": "tag:portcall:stack", "Values": [state.name]}]]
    if vpcs := _of_ids(state, "vpc-"):
        wanted.append([{"Name": "vpc-id", "Values": vpcs}])
    groups = {
        each["GroupId"]
        for filters in wanted
        for each in _pages(account, "ec2", "describe_security_groups", "SecurityGroups", Filters=filters)
    }
    yield from sorted(groups)


def _interfaces(account: Account, state: State) -> Iterator[str]:
    if vpcs := _of_ids(state, "vpc-"):
        filters = [{"Name": "vpc-id", "Values": vpcs}]
        found = _pages(account, "ec2", "describe_network_interfaces", "NetworkInterfaces", Filters=filters)
        yield from (each["NetworkInterfaceId"] for each in found)


def _vpcs(account: Account, state: State) -> Iterator[str]:
    filters = [{"Name": "tag:Name", "Values": [state.name]}]
    yield from (each["VpcId"] for each in _pages(account, "ec2", "describe_vpcs", "Vpcs", Filters=filters))


def apis_of(account: Account, name: str) -> list[dict[str, Any]]:
    """The HTTP APIs that are stable URLs of an install: their names begin with its name and a space."""
    apis = _pages(account, "apigatewayv2", "get_apis", "Items")
    return [api for api in apis if api["Name"].startswith(f"{name} ")]


def _apis(account: Account, state: State) -> Iterator[str]:
    yield from (api["ApiId"] for api in apis_of(account, state.name))


def _named(service: str, operation: str, key: str, name: str, **given: Any) -> Looks:
    """Finds names that are the install's or begin with it; a name is the last part of an ARN or a URL."""

    def look(account: Account, state: State) -> Iterator[str]:
        for each in _pages(account, service, operation, key, **given):
            called = str(each[name] if name else each).rpartition("/")[2].rpartition(":")[2]
            if called == state.name or called.startswith((f"{state.name}-", f"{state.name}_")):
                yield called

    return look


def _parameters(account: Account, state: State) -> Iterator[str]:
    path = f"/portcall/{state.name}"
    found = _pages(account, "ssm", "get_parameters_by_path", "Parameters", Path=path, Recursive=True)
    yield from (each["Name"] for each in found)


def _uploaded(account: Account, state: State) -> Iterator[str]:
    yield from (f"s3://{bucket}/{key}" for bucket, key in _uploads(account, state.name))


def _buckets(account: Account, state: State) -> Iterator[str]:
    for bucket in account.client("s3").list_buckets()["Buckets"]:
        if bucket["Name"].startswith(state.name):
            yield bucket["Name"]


KINDS: dict[str, Looks] = {
    "stack": _stacks,
    "cluster": _clusters,
    "task": _tasks,
    "task definition": _revisions,
    "function": _named("lambda", "list_functions", "Functions", "FunctionName"),
    "state machine": _named("stepfunctions", "list_state_machines", "stateMachines", "name"),
    "log group": _log_groups,
    "security group": _security_groups,
    "network interface": _interfaces,
    "VPC": _vpcs,
    "HTTP API": _apis,
    "repository": _named("ecr", "describe_repositories", "repositories", "repositoryName"),
    "table": _named("dynamodb", "list_tables", "TableNames", ""),
    "topic": _named("sns", "list_topics", "Topics", "TopicArn"),
    "queue": _named("sqs", "list_queues", "QueueUrls", ""),
    "rule": _named("events", "list_rules", "Rules", "Name"),
    "role": _named("iam", "list_roles", "Roles", "RoleName"),
    "policy": _named("iam", "list_policies", "Policies", "PolicyName", Scope="Local"),
    "parameter": _parameters,
    "upload": _uploaded,
    "bucket": _buckets,
}
