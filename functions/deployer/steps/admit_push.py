"""AdmitPush: each push is dealt with once, and one that is overtaken already is not dealt with at all."""

import time
from typing import Any

from deployer import outcomes
from deployer.aws import ecr, ledger
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.settings import settings


@logger.inject_lambda_context(correlation_id_path="push.id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Take `{"execution": ARN, "push": the event}`; return `{"verdict": ..., "sequence": number}`.

    The verdict is `admitted`, `duplicate` or `superseded`. The number is drawn before the tag is looked
    at: so whoever has a larger one, and found the tag pointing to it, was pushed later.
    """
    config = settings()
    push = Push.from_event(event["push"], by_tag=config.by_tag)
    restart = event["push"].get("restart")
    drawn = ledger.next_in_order(table=config.ledger, push=push)
    sequence = ledger.claim(
        table=config.ledger,
        push=push,
        execution=event["execution"],
        sequence=restart["sequence"] if restart else drawn,
        restart=restart,
    )
    if sequence is None:
        logger.info("Another execution has this push", extra={"app": push.app})
        return {"verdict": "duplicate", "sequence": 0}
    if restart:
        return _admit_restart(push, restart)
    now = ecr.digest_of(repository=push.repository, tag=push.tag)
    if now != push.digest:
        reason = f"The tag points to {now} by now." if now else "The tag is gone."
        outcomes.settle(push, outcomes.SUPERSEDED, None, reason=reason)
        return {"verdict": "superseded", "sequence": sequence}
    ledger.note_in_order(table=config.ledger, push=push, sequence=sequence)
    logger.info("Admitted a push", extra={"app": push.app, "sequence": sequence})
    return {"verdict": "admitted", "sequence": sequence, "at": time.time()}


def _admit_restart(push: Push, restart: dict[str, Any]) -> dict[str, Any]:
    """A restart keeps the number of what it restarts, so any push that is under way wins over it."""
    config = settings()
    current = ledger.current(table=config.ledger, app=push.app)
    if current is None or current.ended or current.deployment != restart["deployment"]:
        reason = "Another version has become the current one."
        outcomes.settle(push, outcomes.SUPERSEDED, None, reason=reason)
        return {"verdict": "superseded", "sequence": restart["sequence"]}
    return {"verdict": "admitted", "sequence": restart["sequence"], "at": time.time()}
