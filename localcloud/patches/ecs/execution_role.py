"""Fargate's use of a task's execution role before the start.

MiniStack: pulls images and writes logs without a role.
AWS: pulls images and writes logs with the execution role, and stops a task whose role lacks a permission.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import ecs

from localcloud.options import Settings
from localcloud.patches.ecs.docker_client import manifest_of
from localcloud.patches.ecs.task_secrets import execution_role
from localcloud.patches.iam.service_roles import role_allows
from localcloud.patches.patch import Function, patch

_PULL = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage")
_LOG = ("logs:CreateLogStream", "logs:PutLogEvents")


@patch(ecs, "_resolve_container_secrets")
def _ask_first(original: Function, container: dict[str, Any], *, settings: Settings) -> Any:
    role = execution_role.get()
    if role:
        _ask(role, container, settings)
    return original(container)


def _ask(role: str, container: dict[str, Any], settings: Settings) -> None:
    found = manifest_of(container["image"], settings)
    if found:
        repository = f"arn:aws:ecr:{get_region()}:{get_account_id()}:repository/{found[0]}"
        _need(role, "unable to retrieve ecr registry auth", "ecr:GetAuthorizationToken", "*")
        for action in _PULL:
            _need(role, "unable to pull the image", action, repository)
    logs = container.get("logConfiguration") or {}
    group = (logs.get("options") or {}).get("awslogs-group")
    if logs.get("logDriver") == "awslogs" and group:
        prefix = logs["options"].get("awslogs-stream-prefix", "")
        stream = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}:log-stream:{prefix}/new"
        for action in _LOG:
            _need(role, "failed to create Cloudwatch log stream", action, stream)


def _need(role: str, doing: str, action: str, resource: str) -> None:
    if not role_allows(role, service="ecs-tasks.amazonaws.com", action=action, resource=resource):
        session = f"arn:aws:sts::{get_account_id()}:assumed-role/{role.rpartition('/')[2]}/{new_uuid()}"
        message = iam_actions.identity_denial_message(action, session, resource, False)
        raise ecs._SecretResolutionError(
            f"{doing}: service call has been retried 1 time(s): AccessDeniedException: {message}"
        )
