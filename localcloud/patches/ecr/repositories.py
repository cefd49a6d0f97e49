"""CREATE of a repository that exists already.

MiniStack: CloudFormation takes it over.
AWS: CloudFormation refuses to create it.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ecr-repository.html
Upstream: none known, ready to send:
    docs/upstream/cloudformation-existing-repository.md
Kind: fidelity
"""

from __future__ import annotations

from typing import Any

from ministack.services import ecr

from localcloud.patches.patch import Function, patch_resource

RESOURCE_TYPE = "AWS::ECR::Repository"


@patch_resource(RESOURCE_TYPE, "create")
def _refuse_existing(original: Function, logical_id: str, properties: dict[str, Any], stack: str) -> Any:
    name = properties.get("RepositoryName")
    if name in ecr._repositories:
        raise ValueError(
            f"Resource of type '{RESOURCE_TYPE}' with identifier '{name}' already exists. "
            "(HandlerErrorCode: AlreadyExists)"
        )
    return original(logical_id, properties, stack)
