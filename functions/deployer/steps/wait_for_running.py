"""WaitForRunning: stores the state's task token, which RecordTaskState answers; nothing polls."""

from deployer.actions import task_callbacks
from deployer.aws import ecs, task_states
from deployer.domain.document import Waiting
from deployer.domain.task import TaskState
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import settings


@ready("dynamodb")
@logger.inject_lambda_context(correlation_id_path="deployment.id")
def handler(event: Waiting, context: object) -> None:
    """Take `{"token", "attempt", "deployment": the document}`; the answer is sent with the token.

    From the second attempt on, ECS is asked as well, because an event may have been lost.
    """
    config = settings()
    arn = event["deployment"]["task"]["arn"]
    record = task_states.store_token(task=arn, token=event["token"])
    task = record.task
    if event["attempt"] > 0 and (task is None or task.state is TaskState.STARTING):
        task = ecs.describe_task(cluster=config.cluster, task=arn)
    logger.info("Waiting for a task", extra={"task": arn, "attempt": event["attempt"]})
    if task is not None:
        task_callbacks.send(token=event["token"], task=task)
