"""ECS's service-linked role is available late, as in an account that never used ECS.

ECS creates the role with the account's first cluster. Until all of IAM knows it, ECS refuses what needs the
role:
capacity providers and tasks. CloudFormation waits for each role that it creates itself, but not for this one.
https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/818

MiniStack: has no such role.
AWS: creates it with the account's first cluster.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
Upstream: none known
Kind: option (switch ecs-role-late)
"""

from __future__ import annotations

import time
from typing import Any

from ministack.core.responses import AccountScopedDict, error_response_json
from ministack.services import ecs

from localcloud.options import Settings
from localcloud.patches.patch import Function, patch, patch_resource

REFUSAL = "Unable to assume the service linked role. Please verify that the ECS service linked role exists."

# When the account's role is available.
_known_at = AccountScopedDict()


class _NoRoleError(ValueError):
    pass


def _comes_late(settings: Settings) -> float:
    return settings.switches.ecs_role_late


def _is_missing() -> bool:
    return bool(time.monotonic() < _known_at.get("role", 0.0))


@patch(ecs, "_put_cluster", when=_comes_late)
def _refuse_providers(original: Function, data: dict[str, Any], *, settings: Settings) -> Any:
    if "role" not in _known_at:
        _known_at["role"] = time.monotonic() + settings.switches.ecs_role_late
    if data.get("capacityProviders") and _is_missing():
        raise _NoRoleError(f"Invalid request provided: CreateCluster Invalid Request: {REFUSAL}")
    return original(data)


@patch(ecs, "_create_cluster", when=_comes_late)
def _answer_refusal(original: Function, data: dict[str, Any]) -> Any:
    try:
        return original(data)
    except _NoRoleError:
        return error_response_json("InvalidParameterException", REFUSAL)


@patch(ecs, "_put_cluster_capacity_providers", when=_comes_late)
@patch(ecs, "_run_task", when=_comes_late)
def _refuse_while_missing(original: Function, data: dict[str, Any]) -> Any:
    if _is_missing():
        return error_response_json("InvalidParameterException", REFUSAL)
    return original(data)


@patch_resource("AWS::IAM::Role", "create", when=_comes_late)
def _create_role_and_wait(original: Function, *arguments: Any, settings: Settings) -> Any:
    created = original(*arguments)
    if _is_missing():
        time.sleep(settings.switches.ecs_role_late)
    return created
