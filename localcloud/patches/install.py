"""All patches of MiniStack, in the order in which they are applied."""

from __future__ import annotations

from importlib.metadata import version

from localcloud.options import Settings
from localcloud.patches import patch, switched
from localcloud.patches.apigateway import http_api_mappings, http_apis
from localcloud.patches.aws_lambda import async_invocations, lambda_runtime
from localcloud.patches.cloudformation import conditions, resource_checks
from localcloud.patches.ec2 import network_interfaces, security_groups
from localcloud.patches.ecr import (
    ecr_events,
    image_ids,
    image_scans,
    layer_urls,
    lifecycle,
    repositories,
    repository_templates,
)
from localcloud.patches.ecs import (
    capacity_providers,
    client_token,
    docker_client,
    ecs_events,
    ecs_role,
    execution_role,
    fargate,
    service_linked_role,
    stop_task,
    task_definition_record,
    task_exit,
    task_families,
    task_record,
    task_secrets,
    task_times,
)
from localcloud.patches.eventbridge import events
from localcloud.patches.iam import iam_decisions, iam_requests, oidc_providers, parsed_policies, service_roles
from localcloud.patches.logs import query_definitions
from localcloud.patches.sns import mailbox
from localcloud.patches.ssm import parameter_paths
from localcloud.patches.step_functions import definition_checks, step_functions, yaml_definition

# A later patch wraps an earlier one of the same function: events report what the others have written.
PATCHES = (
    events,
    image_ids,
    ecr_events,
    image_scans,
    repositories,
    lifecycle,
    repository_templates,
    layer_urls,
    docker_client,
    task_times,
    fargate,
    capacity_providers,
    ecs_role,
    service_linked_role,
    network_interfaces,
    security_groups,
    task_secrets,
    execution_role,
    task_record,
    task_definition_record,
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
    parsed_policies,
    oidc_providers,
    yaml_definition,
    definition_checks,
    conditions,
    query_definitions,
    resource_checks,
)

PINNED = "1.5.33"


class WrongVersion(Exception):
    """The installed MiniStack has another version than the patches were written for."""


def check_version() -> None:
    found = version("ministack")
    if found != PINNED:
        raise WrongVersion(f"The embedded cloud needs ministack {PINNED}, but {found} is installed.")


def install(settings: Settings) -> None:
    for module in PATCHES:
        patch.apply(module, settings)
