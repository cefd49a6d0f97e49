"""On *ECS Task State Change*: stores the task's state and answers the workflow state that waits for it."""

from typing import Any

from deployer.actions import task_callbacks
from deployer.aws import task_states
from deployer.domain.task import Task
from deployer.observe import logger
from deployer.ready import ready


@ready("dynamodb", "stepfunctions")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> None:
    """Take the event. It comes at least once, in any order, and maybe before any state waits."""
    task = Task.from_ecs(event["detail"])
    record = task_states.store_task(task=task)
    if record is None:
        logger.info("Older than what is known", extra={"task": task.arn, "version": task.version})
    elif record.token and record.task:
        task_callbacks.send(token=record.token, task=record.task)
