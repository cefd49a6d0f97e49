"""Tells a waiting state what became of its task."""

import time

from deployer.aws import step_functions
from deployer.domain.errors import TaskStoppedError
from deployer.domain.task import Task, Verdict
from deployer.observe import logger


def tell(*, token: str, task: Task) -> None:
    """Wake the state that waits with `token`, or fail it; say nothing while the task is still starting."""
    if task.verdict is Verdict.RUNNING:
        output = {"interface": task.interface, "digest": task.digest, "at": time.time()}
        heard = step_functions.send_task_success(token=token, output=output)
    elif task.verdict is Verdict.STOPPED:
        heard = step_functions.send_task_failure(
            token=token, error=TaskStoppedError.__name__, cause=task.why_stopped()
        )
    else:
        return
    logger.info("Told the workflow", extra={"task": task.arn, "verdict": task.verdict.value, "heard": heard})
