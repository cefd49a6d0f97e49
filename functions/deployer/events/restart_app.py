"""On the stop of a task: restarts an app whose current task stopped unexpectedly."""

from typing import Any

from deployer.actions import restarts, stable_url
from deployer.aws import ledger
from deployer.domain.push import app_of
from deployer.domain.task import Task
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import settings


@ready("dynamodb")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> None:
    """Take a *ECS Task State Change* with desired status STOPPED; most need no action.

    The app is read from the revision's family: events carry no tags.
    """
    detail = event["detail"]
    task = Task.from_ecs(detail)
    app = app_of(str(detail.get("taskDefinitionArn") or ""), stack=settings().stack)
    current = ledger.current(app=app) if app else None
    is_restart = current is not None and restarts.is_latest_restart(current, str(detail.get("startedBy") or ""))
    if current is None or not (task.arn == current.task or is_restart):
        return
    if task.arn != current.task and not (task.crashed or task.stopped_by_hand):
        # RollBack stopped a restart, or AWS's side failed: the sweep retries, at its slower pace.
        return
    try:
        outcome = restarts.restart(app=app, current=current, task=task, stop=task.arn)
    finally:
        # Also if an earlier call wrote the ledger and then failed.
        stable_url.point_at_current_with_retries(app)
    logger.info("A current task stopped", extra={"app": app, "task": task.arn, "outcome": outcome})
