"""ECS's service-linked role, which comes late in an account that never used ECS, where the cloud is told so.

ECS makes the role when the account's first cluster is made. Until IAM knows it everywhere, whatever needs it is
refused: capacity providers and tasks. CloudFormation waits as long for each role that it makes itself, but not
for this one.
https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/818

MiniStack: knows no such role.
AWS: makes it with the account's first cluster.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
Upstream: none known
Kind: option (switch ecs-role-late)
"""

from __future__ import annotations

import time
from typing import Any

from ministack.core.responses import AccountScopedDict, error_response_json
from ministack.services import ecs
from ministack.services.cloudformation import provisioners

from localcloud.options import Settings
from localcloud.patches.patch import Function, wrap

REFUSAL = "Unable to assume the service linked role. Please verify that the ECS service linked role exists."

# When the account's role is known everywhere.
_known_at = AccountScopedDict()


class _NoRoleError(ValueError):
    pass


def install(settings: Settings) -> None:
    seconds = settings.switches.ecs_role_late
    if not seconds:
        return

    def missing() -> bool:
        return bool(time.monotonic() < _known_at.get("role", 0.0))

    def put_cluster(original: Function) -> Function:
        def put(data: dict[str, Any]) -> Any:
            if "role" not in _known_at:
                _known_at["role"] = time.monotonic() + seconds
            if data.get("capacityProviders") and missing():
                raise _NoRoleError(f"Invalid request provided: CreateCluster Invalid Request: {REFUSAL}")
            return original(data)

        return put

    def refused(original: Function) -> Function:
        def call(data: dict[str, Any]) -> Any:
            try:
                return original(data)
            except _NoRoleError:
                return error_response_json("InvalidParameterException", REFUSAL)

        return call

    def refused_while_missing(original: Function) -> Function:
        def call(data: dict[str, Any]) -> Any:
            if missing():
                return error_response_json("InvalidParameterException", REFUSAL)
            return original(data)

        return call

    wrap(ecs, "_put_cluster", put_cluster)
    wrap(ecs, "_create_cluster", refused)
    wrap(ecs, "_put_cluster_capacity_providers", refused_while_missing)
    wrap(ecs, "_run_task", refused_while_missing)

    roles = provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"]
    create_role = roles["create"]

    def create_and_wait(*arguments: Any) -> Any:
        created = create_role(*arguments)
        if missing():
            time.sleep(seconds)
        return created

    roles["create"] = create_and_wait
