"""Builds the RegisterTaskDefinition request."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deployer.domain import app_tags
from deployer.domain.image_spec import ImageSpec
from deployer.domain.push import Push
from deployer.domain.task import CONTAINER

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import (
        ContainerDefinitionTypeDef,
        RegisterTaskDefinitionRequestTypeDef,
        TagTypeDef,
    )


def request(
    push: Push,
    image: ImageSpec,
    *,
    secrets: Mapping[str, str],
    stack: str,
    registry: str,
    execution_role: str,
    log_group: str,
    region: str,
) -> "RegisterTaskDefinitionRequestTypeDef":
    """The RegisterTaskDefinition request for exactly this image.

    `secrets` maps environment variables to the ARNs of their parameters.
    """
    container: ContainerDefinitionTypeDef = {
        "name": CONTAINER,
        "image": f"{registry}/{push.repository}@{image.runs}",
        "essential": True,
        "portMappings": [{"containerPort": port, "protocol": "tcp"} for port in image.ports],
        "environment": [
            {"name": name, "value": value}
            for name, value in sorted(_environment(image).items())
            # ECS accepts each name once. A parameter of the install wins over a label of the image.
            if name not in secrets
        ],
        "secrets": [{"name": name, "valueFrom": arn} for name, arn in sorted(secrets.items())],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group,
                "awslogs-region": region,
                "awslogs-stream-prefix": _log_prefix(push.app),
            },
        },
    }
    if image.container_health:
        container["healthCheck"] = image.container_health
    return {
        "family": push.family(stack),
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": image.cpu,
        "memory": image.memory,
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": image.architecture},
        "executionRoleArn": execution_role,
        "containerDefinitions": [container],
        "tags": tags(push),
    }


def _environment(image: ImageSpec) -> dict[str, str]:
    """The environment. Many servers listen on PORT, as on other platforms."""
    port = {"PORT": str(image.ports[0])} if len(image.ports) == 1 else {}
    return port | image.environment


def tags(push: Push) -> "list[TagTypeDef]":
    """The tags of a revision and of its task, by which the bill can be split."""
    named = app_tags.tags(push.app) | {"portcall:tag": push.tag, "portcall:deployment": push.deployment}
    return [{"key": key, "value": value} for key, value in named.items()]


def log_stream(app: str, task_arn: str) -> str:
    """The stream in which the awslogs driver writes the app's output: `<prefix>/<container>/<task id>`."""
    return f"{_log_prefix(app)}/{CONTAINER}/{task_arn.rsplit('/', 1)[-1]}"


def _log_prefix(app: str) -> str:
    # The name of a log stream cannot contain `:`.
    return app.replace(":", "/")
