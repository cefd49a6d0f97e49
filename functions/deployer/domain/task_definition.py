"""What RegisterTaskDefinition is asked for."""

from dataclasses import dataclass
from typing import Any

from deployer.domain.push import Push

CONTAINER = "app"


@dataclass(frozen=True)
class TaskSize:
    """`cpu` in CPU units (1024 = one vCPU), `memory` in MiB, as strings: that is how ECS takes them."""

    cpu: str
    memory: str
    architecture: str


def request(
    push: Push,
    *,
    stack: str,
    registry: str,
    port: int,
    size: TaskSize,
    execution_role: str,
    task_role: str,
    log_group: str,
    region: str,
) -> dict[str, Any]:
    """The RegisterTaskDefinition request for exactly this image."""
    return {
        "family": push.family(stack),
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": size.cpu,
        "memory": size.memory,
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": size.architecture},
        "executionRoleArn": execution_role,
        "taskRoleArn": task_role,
        "containerDefinitions": [
            {
                "name": CONTAINER,
                "image": push.image(registry),
                "essential": True,
                "portMappings": [{"containerPort": port, "protocol": "tcp"}],
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {
                        "awslogs-group": log_group,
                        "awslogs-region": region,
                        "awslogs-stream-prefix": push.app,
                    },
                },
            }
        ],
        "tags": tags(push),
    }


def tags(push: Push) -> list[dict[str, str]]:
    """The tags of a revision and of its task; with them the bill can be split by app."""
    return [
        {"key": "portcall:app", "value": push.app},
        {"key": "portcall:tag", "value": push.tag},
        {"key": "portcall:deployment", "value": push.deployment},
    ]


def log_stream(app: str, task_arn: str) -> str:
    """The stream in which the awslogs driver writes the app's output: `<prefix>/<container>/<task id>`."""
    return f"{app}/{CONTAINER}/{task_arn.rsplit('/', 1)[-1]}"
