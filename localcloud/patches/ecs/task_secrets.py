"""Secrets of containers from Parameter Store.

MiniStack: reads them without a role, and encrypted.
AWS: reads and decrypts them with the execution role, and stops a task whose role lacks a permission.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html
Upstream: none known
Kind: option (parameters of an app)
"""

from __future__ import annotations

import contextvars
from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import ecs, kms, ssm

from localcloud.patches.iam.service_roles import role_allows
from localcloud.patches.patch import Function, patch

# AWS manages this key; everybody who may read the parameter may decrypt with it.
_MANAGED_KEY = "alias/aws/ssm"

# The execution role of this thread's task.
execution_role: contextvars.ContextVar[str] = contextvars.ContextVar("execution_role", default="")


@patch(ecs, "_start_task_worker")
def _remember_role(original: Function, task: dict[str, Any], definition: dict[str, Any], *rest: Any) -> None:
    token = execution_role.set(definition.get("executionRoleArn") or "")
    try:
        original(task, definition, *rest)
    finally:
        execution_role.reset(token)


@patch(ecs, "_resolve_container_secrets")
def _ask_role(original: Function, container: dict[str, Any]) -> dict[str, str]:
    secrets = container.get("secrets", [])
    elsewhere = [each for each in secrets if ":secretsmanager:" in each["valueFrom"]]
    found = {each["name"]: _value(each["valueFrom"]) for each in secrets if each not in elsewhere}
    return {**original({**container, "secrets": elsewhere}), **found}


def _value(value_from: str) -> str:
    """A parameter's value, decrypted. Raises an error that becomes the stop reason of the task."""
    _name, parameter = ssm._lookup_parameter(value_from, allow_arn_region=True, flexible_name=True)
    asked = value_from.partition(":parameter")[2] or value_from
    arn = parameter["ARN"] if parameter else ssm._param_arn(asked)
    role = execution_role.get()
    if not role_allows(role, service="ecs-tasks.amazonaws.com", action="ssm:GetParameters", resource=arn):
        session = f"arn:aws:sts::{get_account_id()}:assumed-role/{role.rpartition('/')[2]}/{new_uuid()}"
        raise _refused(iam_actions.identity_denial_message("ssm:GetParameters", session, arn, False))
    if parameter is None:
        raise ecs._SecretResolutionError(f"unable to retrieve secrets from ssm: invalid parameters: {asked}")
    key = parameter["KeyId"]
    if key and key != _MANAGED_KEY:
        key_arn = (kms._resolve_key(key) or {}).get("Arn", key)
        # Parameter Store calls KMS with the role's permissions.
        keys = {"kms:viaservice": f"ssm.{get_region()}.amazonaws.com"}
        keys["kms:encryptioncontext:parameter_arn"] = arn
        decrypt = {"service": "ecs-tasks.amazonaws.com", "action": "kms:Decrypt", "resource": key_arn}
        if not role_allows(role, **decrypt, keys=keys):
            raise _refused(
                "The ciphertext refers to a customer master key that does not exist, does not exist in this "
                "region, or you are not allowed to access."
            )
    return str(parameter["OriginalValue"])


def _refused(message: str) -> Exception:
    return ecs._SecretResolutionError(  # type: ignore[no-any-return]
        "unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
        f"AccessDeniedException: {message} status code: 400, request id: {new_uuid()}"
    )
