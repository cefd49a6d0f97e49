"""IgnorePush: records an artifact that is not an app, without a mail."""

import time

from deployer.actions import outcomes
from deployer.domain.document import Document, Ended
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import settings


@ready("dynamodb", "events")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> Ended:
    """Return `{"at": UNIX seconds}`."""
    push = Push.from_event(event, by_tag=settings().by_tag)
    outcomes.ignore(push)
    return {"at": time.time()}
