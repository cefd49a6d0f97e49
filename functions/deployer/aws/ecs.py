"""Amazon ECS: task definitions and tasks."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from deployer.aws.client import THROTTLES, client, code_of
from deployer.domain import capacity
from deployer.domain.errors import (
    AwsRefusedError,
    AwsUnavailableError,
    DeployError,
    NoCapacityError,
    ThrottledError,
)
from deployer.domain.task import Task

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import RegisterTaskDefinitionRequestTypeDef, TagTypeDef

# EC2's error code, which ECS repeats if EC2 refused one of its calls.
CODE_OF_EC2 = re.compile(r"\(ErrorCode: ([\w.]+)")


def register_task_definition(request: "RegisterTaskDefinitionRequestTypeDef") -> str:
    """Register a revision and return its ARN.

    Quota: a burst of 20, then one a second, and one at a time per family. Raises ThrottledError for both.
    """
    try:
        answer = client("ecs").register_task_definition(**request)
    except AwsRefusedError as error:
        raise _as_transient(error) from error.__cause__
    return str(answer["taskDefinition"]["taskDefinitionArn"])


def run_task(
    *,
    cluster: str,
    task_definition: str,
    subnets: tuple[str, ...],
    security_group: str,
    capacity_provider: str,
    started_by: str,
    client_token: str,
    tags: "Sequence[TagTypeDef]",
) -> str:
    """Start one Fargate task with a public IP and return its ARN.

    For the same `client_token` (at most 64 characters) ECS returns the same task again. Raises NoCapacityError
    or
    AwsRefusedError for `failures` in a `200 OK` response without a task.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
    """
    try:
        answer = client("ecs").run_task(
            cluster=cluster,
            taskDefinition=task_definition,
            capacityProviderStrategy=[{"capacityProvider": capacity_provider, "weight": 1}],
            count=1,
            startedBy=started_by,
            clientToken=client_token,
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": list(subnets),
                    "securityGroups": [security_group],
                    "assignPublicIp": "ENABLED",
                }
            },
            tags=tags,
            enableECSManagedTags=True,
        )
    except (AwsRefusedError, ThrottledError) as error:
        raise _as_transient(error) from error.__cause__
    if answer.get("failures"):
        reason = str(answer["failures"][0].get("reason") or "no reason given")
        raise _as_transient(AwsRefusedError(f"RunTask: {reason}"))
    return str(answer["tasks"][0]["taskArn"])


def _as_transient(error: DeployError) -> DeployError:
    """A transient error for problems that pass by themselves, which ECS reports as client errors.

    Only the message shows it: the code is ClientException, InvalidParameterException, or missing.
    """
    said = str(error)
    if capacity.is_shortage(said):
        return NoCapacityError(said)
    found = CODE_OF_EC2.search(said)
    if "Too many concurrent attempts" in said or (found and found[1] in THROTTLES):
        return ThrottledError(said)
    # IAM and EC2 are eventually consistent: a role or a security group may be new.
    assumes = re.search(r"unable to assume the (?:service linked )?role", said, re.IGNORECASE)
    if assumes or ("security group" in said.lower() and "NotFound" in said):
        return AwsUnavailableError(said)
    return error


def describe_task(*, cluster: str, task: str) -> Task | None:
    """The task, None if ECS does not know it (an hour after a stop, a moment after a start).

    This lags behind ECS's own events.
    """
    answer = client("ecs").describe_tasks(cluster=cluster, tasks=[task])
    return Task.from_ecs(answer["tasks"][0]) if answer["tasks"] else None


def tasks_started_by(*, cluster: str, started_by: str) -> list[str]:
    """The ARNs of a deployment's tasks that are not stopping."""
    pages = client("ecs").get_paginator("list_tasks").paginate(cluster=cluster, startedBy=started_by)
    return [arn for page in pages for arn in page["taskArns"]]


def stop_task(*, cluster: str, task: str, reason: str) -> None:
    """Stop a task. It is no error if it has stopped or does not exist. `reason` has at most 255 characters."""
    try:
        client("ecs").stop_task(cluster=cluster, task=task, reason=reason[:255])
    except AwsRefusedError as error:
        if not (code_of(error) and "not found" in str(error)):
            raise


def running_tasks(*, cluster: str) -> list[tuple[Task, str, dict[str, str]]]:
    """The tasks of a cluster that are not stopping: (task, startedBy, tags)."""
    ecs = client("ecs")
    pages = ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus="RUNNING")
    arns = [arn for page in pages for arn in page["taskArns"]]
    described = []
    for begin in range(0, len(arns), 100):
        answer = ecs.describe_tasks(cluster=cluster, tasks=arns[begin : begin + 100], include=["TAGS"])
        described += answer["tasks"]
    return [
        (
            Task.from_ecs(each),
            str(each.get("startedBy") or ""),
            {tag["key"]: tag["value"] for tag in each.get("tags") or []},
        )
        for each in described
    ]


def tasks_in(*, cluster: str) -> list[str]:
    """The ARNs of all tasks of a cluster that still have a network interface, including stopping ones."""
    pages = client("ecs").get_paginator("list_tasks")
    arns = [
        arn
        for desired in ("RUNNING", "STOPPED")
        for page in pages.paginate(cluster=cluster, desiredStatus=desired)
        for arn in page["taskArns"]
    ]
    held = []
    for begin in range(0, len(arns), 100):
        answer = client("ecs").describe_tasks(cluster=cluster, tasks=arns[begin : begin + 100])
        held += [task["taskArn"] for task in answer["tasks"] if task["lastStatus"] != "STOPPED"]
    return held


def revisions_of(*, family_prefix: str, status: Literal["ACTIVE", "INACTIVE"]) -> list[str]:
    """The ARNs of the revisions, `ACTIVE` or `INACTIVE`, of the families whose names begin with the prefix."""
    ecs = client("ecs")
    families = [
        family
        # A family with an active revision is not listed among the inactive ones.
        for each in ("ACTIVE", "INACTIVE")
        for page in ecs.get_paginator("list_task_definition_families").paginate(
            familyPrefix=family_prefix, status=each
        )
        for family in page["families"]
    ]
    # Here, `familyPrefix` is the whole name of one family.
    found = [
        arn
        for family in dict.fromkeys(families)
        for page in ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, status=status)
        for arn in page["taskDefinitionArns"]
    ]
    return list(dict.fromkeys(found))


def deregister_task_definition(revision: str) -> None:
    """Make a revision inactive. It shares RegisterTaskDefinition's quota: one a second after a burst of 20."""
    client("ecs").deregister_task_definition(taskDefinition=revision)


def delete_task_definitions(revisions: list[str]) -> list[str]:
    """Delete at most ten inactive revisions; AWS deletes each once no task refers to it.

    Returns the reasons for those that AWS refuses to delete.
    """
    answer = client("ecs").delete_task_definitions(taskDefinitions=revisions)
    return [f"{each.get('arn')}: {each.get('reason')}" for each in answer.get("failures") or []]
