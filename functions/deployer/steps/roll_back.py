"""RollBack: stops the task that this deployment started, and mails why it failed."""

import time

from deployer.actions import failure_cleanup, older_definitions
from deployer.domain import failure
from deployer.domain.document import Document, Outcome
from deployer.observe import logger
from deployer.ready import ready


@ready("dynamodb", "ecs", "events", "logs", "sns")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> Outcome:
    """Return `{"error", "reason"}`, which end the execution."""
    error, message = failure.read_error(event["error"])
    if older_definitions.record_branch(event, error):
        return {"error": error, "reason": message}
    why = failure_cleanup.clean_up_after(event, error=error, message=message, until=time.time())
    return {"error": why.error, "reason": why.reason}
