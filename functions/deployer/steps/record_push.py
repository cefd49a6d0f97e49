"""RecordPush: records a push that is not deployed, since the app is stopped or this version was rolled back."""

import time
from typing import Literal

from deployer.actions import app_names, recorded_pushes
from deployer.domain.document import Document, Recorded
from deployer.observe import logger
from deployer.ready import ready


@ready("dynamodb")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> Recorded:
    """Return `{"result": "recorded", "at": UNIX seconds}`, or the result `retried`.

    `retried` means that an operator has just started the app or ended the pin, and the sweep will deploy the
    push.
    """
    push = app_names.push_of(event)
    is_recorded = recorded_pushes.record(push, event.get("asked") or {})
    result: Literal["recorded", "retried"] = "recorded" if is_recorded else "retried"
    logger.info("Did not deploy a push", extra={"app": push.app, "digest": push.digest, "result": result})
    return {"result": result, "at": time.time()}
