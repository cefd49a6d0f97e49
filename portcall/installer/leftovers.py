"""What may be left of a deleted stack: its own resources, and those that Portcall created while it ran."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from portcall.core.target import Target
from portcall.installer.bucket import Bucket

TAG = "portcall:stack"


def of_stack(target: Target, stack_id: str) -> list[str]:
    """The resources that CloudFormation did not delete, each with the reason, if it gives one."""
    pages = target.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack_id)
    resources = [
        each
        for page in pages
        for each in page["StackResourceSummaries"]
        # CleanUp deletes repositories, not CloudFormation; `left` checks whether one remains.
        if each["ResourceType"] != "AWS::ECR::Repository"
    ]
    return [
        f"{each['ResourceType']} {each.get('PhysicalResourceId') or each['LogicalResourceId']}: {status}"
        for each in resources
        if (status := each["ResourceStatus"]) != "DELETE_COMPLETE"
    ]


def left(target: Target, bucket: Bucket) -> list[str]:
    """The remaining resources, as kind and name. If the caller may not list a kind, this is reported."""
    kinds = {
        "task definitions": _families,
        "security group": _groups,
        "HTTP API": _apis,
        "repository": _repositories,
    }
    found: list[str] = []
    for kind, look in kinds.items():
        try:
            found += [f"{kind} {each}" for each in look(target)]
        except (ClientError, BotoCoreError) as error:
            found.append(f"{kind}: could not be checked: {error}")
    if bucket.is_there():
        found += [f"upload s3://{bucket.name}/{key}" for key in bucket.keys(target.stack)]
    return found


def _pages(target: Target, service: str, operation: str, key: str, **given: Any) -> Iterator[Any]:
    for page in target.client(service).get_paginator(operation).paginate(**given):
        yield from page.get(key, [])


def _families(target: Target) -> Iterator[str]:
    # A stack's name has no underscore, so these are no other stack's.
    prefix = f"{target.stack}_"
    yield from _pages(
        target, "ecs", "list_task_definition_families", "families", familyPrefix=prefix, status="ACTIVE"
    )


def _groups(target: Target) -> Iterator[str]:
    filters = [{"Name": f"tag:{TAG}", "Values": [target.stack]}]
    for each in _pages(target, "ec2", "describe_security_groups", "SecurityGroups", Filters=filters):
        yield each["GroupId"]


def _apis(target: Target) -> Iterator[str]:
    for each in _pages(target, "apigatewayv2", "get_apis", "Items"):
        if each["Name"].startswith(f"{target.stack} "):
            yield each["ApiId"]


def _repositories(target: Target) -> Iterator[str]:
    ecr = target.client("ecr")
    for each in _pages(target, "ecr", "describe_repositories", "repositories"):
        tags = ecr.list_tags_for_resource(resourceArn=each["repositoryArn"])["tags"]
        if {"Key": TAG, "Value": target.stack} in tags:
            yield each["repositoryName"]
