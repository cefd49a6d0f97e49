"""StopPrevious: stops the previous version, now that the stable URL points to the new one."""

from deployer.actions import previous_tasks
from deployer.aws import ledger
from deployer.domain.document import Document, Stopped
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import settings


@ready("dynamodb", "ecs")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> Stopped:
    """Return `{"notes": [...]}`. If a newer deployment is current by now, that one stops the previous tasks."""
    config = settings()
    push = Push.from_event(event, by_tag=config.by_tag)
    current = ledger.current(app=push.app)
    if current is None or current.deployment != push.deployment:
        return {"notes": []}
    notes = previous_tasks.stop(push, current)
    logger.info("Stopped what was before", extra={"app": push.app, "tasks": current.previous_tasks})
    return {"notes": notes}
