"""Everything that MiniStack lacks, in one list."""

from __future__ import annotations

from importlib.metadata import version

from portcall.local.options import Settings
from portcall.local.seams import (
    async_invocations,
    capacity_providers,
    client_token,
    definition_checks,
    docker_client,
    ecr_events,
    ecs_events,
    ecs_role,
    events,
    execution_role,
    fargate,
    http_api_mappings,
    http_apis,
    iam_decisions,
    iam_requests,
    image_ids,
    image_scans,
    lambda_runtime,
    layer_urls,
    lifecycle,
    mailbox,
    network_interfaces,
    parameter_paths,
    repositories,
    repository_templates,
    resource_checks,
    security_groups,
    service_roles,
    step_functions,
    stop_task,
    switched,
    task_exit,
    task_families,
    task_record,
    task_secrets,
    yaml_definition,
)

# A later seam goes around an earlier one of the same function: events tell what the others have written.
SEAMS = (
    events,
    image_ids,
    ecr_events,
    image_scans,
    repositories,
    lifecycle,
    repository_templates,
    layer_urls,
    docker_client,
    fargate,
    capacity_providers,
    ecs_role,
    network_interfaces,
    security_groups,
    task_secrets,
    execution_role,
    task_record,
    task_exit,
    ecs_events,
    stop_task,
    task_families,
    switched,
    client_token,
    http_apis,
    http_api_mappings,
    mailbox,
    parameter_paths,
    service_roles,
    step_functions,
    async_invocations,
    lambda_runtime,
    iam_requests,
    iam_decisions,
    yaml_definition,
    definition_checks,
    resource_checks,
)

PINNED = "1.5.33"


class WrongVersion(Exception):
    """Another MiniStack than the one that the seams were made for."""


def check_version() -> None:
    found = version("ministack")
    if found != PINNED:
        raise WrongVersion(f"The embedded cloud needs ministack {PINNED}, but {found} is installed.")


def install(settings: Settings) -> None:
    for seam in SEAMS:
        seam.install(settings)
