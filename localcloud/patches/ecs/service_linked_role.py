"""ECS's service-linked role comes with the account's first cluster.

MiniStack: makes none by itself, and calls it AWSServiceRoleForEcs if it is asked for.
AWS: makes AWSServiceRoleForECS with the first cluster.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import ecs, iam

from localcloud.options import Settings
from localcloud.patches.patch import Function, wrap

NAME = "AWSServiceRoleForECS"
SERVICE = "ecs.amazonaws.com"
TRUST = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}


def install(settings: Settings) -> None:
    def put_cluster(original: Function) -> Function:
        def put(data: dict[str, Any]) -> Any:
            if NAME not in iam._roles:
                iam._create_role(
                    {
                        "RoleName": NAME,
                        "Path": f"/aws-service-role/{SERVICE}/",
                        "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [TRUST]}),
                    }
                )
            return original(data)

        return put

    wrap(ecs, "_put_cluster", put_cluster)
