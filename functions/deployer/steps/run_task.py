"""RunTask: one Fargate task of the new revision."""

import time
from typing import Any

from deployer.aws import ecs
from deployer.domain import task_definition
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.settings import Settings, settings


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return `{"arn": task, "securityGroup": id, "at": UNIX seconds}`.

    The client token makes a repeat give the same task.
    """
    config = settings()
    push = Push.from_event(event, by_tag=config.by_tag)
    group = _security_group(config, push, event["image"]["ports"])
    task = ecs.run_task(
        cluster=config.cluster,
        task_definition=event["taskDefinition"]["arn"],
        subnets=config.subnets,
        security_group=group,
        capacity_provider=event["image"]["capacity"],
        started_by=push.deployment,
        client_token=push.deployment,
        tags=task_definition.tags(push),
    )
    logger.info("Started a task", extra={"app": push.app, "task": task})
    return {"arn": task, "securityGroup": group, "at": time.time()}


def _security_group(config: Settings, push: Push, ports: list[int]) -> str:
    """The group that opens these ports and no other.

    Apps on the same port share one. Where the image names several, which of them it uses shows later: the
    deployment gets a group of its own, and SwitchOver closes the rest.
    """
    if ports == [config.port]:
        return config.security_group
    # Imported here: most apps need no other group, and EC2's model is 85 ms of a cold start.
    from deployer.aws import ec2

    owner = push.deployment if len(ports) > 1 else ""
    return ec2.open_ports(
        name=f"{config.stack} {owner or f'tcp {ports[0]}'}",
        ports=ports,
        vpc=config.vpc,
        cidr=config.cidr,
        probe_group=config.probe_group,
        tags={"portcall:stack": config.stack}
        | ({"portcall:app": push.app, "portcall:deployment": owner} if owner else {}),
    )
