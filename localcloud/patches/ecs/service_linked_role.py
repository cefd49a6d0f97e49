"""ECS's service-linked role, created with the account's first cluster.

MiniStack: creates none, and calls it AWSServiceRoleForEcs on request.
AWS: creates AWSServiceRoleForECS with the first cluster.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
Upstream: none known, ready to send:
    docs/upstream/ecs-service-linked-role.md
Kind: fidelity
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import ecs, iam

from localcloud.patches.patch import Function, patch

NAME = "AWSServiceRoleForECS"
SERVICE = "ecs.amazonaws.com"
TRUST = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}


@patch(ecs, "_put_cluster")
def _create_role_first(original: Function, data: dict[str, Any]) -> Any:
    if NAME not in iam._roles:
        trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
        path = f"/aws-service-role/{SERVICE}/"
        iam._create_role({"RoleName": NAME, "Path": path, "AssumeRolePolicyDocument": trust})
    return original(data)
