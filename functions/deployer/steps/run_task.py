"""RunTask: one Fargate task of the new revision."""

import time
from typing import Any

from deployer.aws import ecs
from deployer.domain import task_definition
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.settings import settings


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return `{"arn": task, "at": UNIX seconds}`. The client token makes a repeat give the same task."""
    config = settings()
    push = Push.from_event(event)
    task = ecs.run_task(
        cluster=config.cluster,
        task_definition=event["taskDefinition"]["arn"],
        subnets=config.subnets,
        security_group=config.security_group,
        started_by=push.deployment,
        client_token=push.deployment,
        tags=task_definition.tags(push),
    )
    logger.info("Started a task", extra={"app": push.app, "task": task})
    return {"arn": task, "at": time.time()}
