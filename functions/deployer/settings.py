"""What the template tells every function, read once from the environment."""

import os
from dataclasses import dataclass
from functools import cache

from deployer.domain.task_definition import TaskSize


@dataclass(frozen=True)
class Settings:
    """Sources: `Globals.Function.Environment` in template.yaml. Times are in seconds."""

    stack: str
    region: str
    registry: str
    cluster: str
    subnets: tuple[str, ...]
    security_group: str
    execution_role: str
    task_role: str
    log_group: str
    topic: str
    ledger: str
    port: int
    size: TaskSize
    health_path: str
    health_timeout: int
    probe_inside: bool


@dataclass(frozen=True)
class Watch:
    """What the sweep watches and starts; only its functions are told, for the workflow knows its steps."""

    state_machine: str
    repositories: str
    tags: str


@cache
def watch() -> Watch:
    """Patterns may hold `*`."""
    env = os.environ
    return Watch(env["STATE_MACHINE_ARN"], env["REPOSITORY_PATTERN"], env["TAG_PATTERN"])


@cache
def settings() -> Settings:
    """Read the environment; a name that is missing raises KeyError and so fails the first test."""
    env = os.environ
    return Settings(
        stack=env["STACK"],
        region=env["AWS_REGION"],
        registry=env["REGISTRY"],
        cluster=env["CLUSTER_ARN"],
        subnets=tuple(env["SUBNET_IDS"].split(",")),
        security_group=env["SECURITY_GROUP_ID"],
        execution_role=env["EXECUTION_ROLE_ARN"],
        task_role=env["TASK_ROLE_ARN"],
        log_group=env["APP_LOG_GROUP"],
        topic=env["TOPIC_ARN"],
        ledger=env["LEDGER_TABLE"],
        port=int(env["CONTAINER_PORT"]),
        size=TaskSize(cpu=env["TASK_CPU"], memory=env["TASK_MEMORY"], architecture=env["CPU_ARCHITECTURE"]),
        health_path=env["HEALTH_PATH"],
        health_timeout=int(env["HEALTH_TIMEOUT"]),
        probe_inside=env["PROBE_INSIDE"] == "true",
    )
