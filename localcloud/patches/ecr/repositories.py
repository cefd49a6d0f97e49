"""A repository that exists already.

MiniStack: lets CloudFormation take it over.
AWS: lets CloudFormation refuse to create it.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ecr-repository.html
Upstream: none known
Kind: fidelity
"""

from __future__ import annotations

from typing import Any

from ministack.services import ecr
from ministack.services.cloudformation import provisioners

from localcloud.options import Settings

RESOURCE_TYPE = "AWS::ECR::Repository"


def install(settings: Settings) -> None:
    handlers = provisioners._RESOURCE_HANDLERS[RESOURCE_TYPE]
    original = handlers["create"]

    def create(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        name = properties.get("RepositoryName")
        if name in ecr._repositories:
            raise ValueError(
                f"Resource of type '{RESOURCE_TYPE}' with identifier '{name}' already exists. "
                "(HandlerErrorCode: AlreadyExists)"
            )
        return original(logical_id, properties, stack)

    handlers["create"] = create
