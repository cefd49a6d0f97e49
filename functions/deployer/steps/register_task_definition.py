"""RegisterTaskDefinition: a new revision for exactly the image that was pushed."""

import time
from typing import Any

from deployer import outcomes
from deployer.aws import ecs, ledger
from deployer.domain import task_definition
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.settings import settings


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return `{"verdict": "registered", "arn": revision, "at": UNIX seconds}`, or the verdict `superseded`.

    Registering has the lowest quota of all calls, so in a burst it is what pushes wait for; one that is
    overtaken meanwhile gives up here. A repeat makes one more revision, which harms nobody. A restart uses
    the revision that it restarts.
    """
    config = settings()
    push = Push.from_event(event)
    if "restart" in event:
        return {"verdict": "registered", "arn": event["restart"]["revision"], "at": time.time()}
    if ledger.last_in_order(table=config.ledger, app=push.app) > event["admission"]["sequence"]:
        reason = "A newer push of the app was admitted."
        outcomes.settle(push, outcomes.SUPERSEDED, None, reason=reason, **outcomes.so_far(event))
        return {"verdict": "superseded"}
    revision = ecs.register_task_definition(
        task_definition.request(
            push,
            stack=config.stack,
            registry=config.registry,
            port=config.port,
            size=config.size,
            execution_role=config.execution_role,
            task_role=config.task_role,
            log_group=config.log_group,
            region=config.region,
        )
    )
    logger.info("Registered a revision", extra={"app": push.app, "digest": push.digest, "revision": revision})
    return {"verdict": "registered", "arn": revision, "at": time.time()}
