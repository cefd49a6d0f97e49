"""Answers the workflow state that waits for a task."""

import time

from deployer.aws import step_functions
from deployer.domain import capacity
from deployer.domain.errors import NoCapacityError, TaskStoppedError
from deployer.domain.task import Task, TaskState
from deployer.observe import logger


def send(*, token: str, task: Task) -> None:
    """Wake the state that waits with `token`, or fail it; do nothing while the task is still starting."""
    if task.state is TaskState.RUNNING:
        times = task.launch()
        output = {"interface": task.interface, "digest": task.digest, "at": times.pop("startedAt", time.time())}
        output |= times
        accepted = step_functions.send_task_success(token=token, output=output)
    elif task.state is TaskState.STOPPED:
        # Fargate may accept a task and only then find no capacity for it.
        lacks_room = task.stop_code == "TaskFailedToStart" and capacity.is_shortage(task.stopped_reason)
        error = NoCapacityError if lacks_room else TaskStoppedError
        accepted = step_functions.send_task_failure(token=token, error=error.__name__, cause=task.why_stopped())
    else:
        return
    logger.info(
        "Answered the workflow", extra={"task": task.arn, "state": task.state.value, "accepted": accepted}
    )
