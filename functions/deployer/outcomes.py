"""One outcome for each push: first in the ledger, then by mail, then as an event for other programs."""

from collections.abc import Callable
from typing import Any

from deployer.aws import events, ledger
from deployer.domain.errors import DeployError, MailLimitError
from deployer.domain.push import Push
from deployer.observe import count, logger
from deployer.settings import settings

MAILS_A_SECOND = 4

DEPLOYED = "deployed"
FAILED = "failed"
SUPERSEDED = "superseded"
IGNORED = "ignored"
ENDED = "ended"

DETAIL_TYPES = {
    DEPLOYED: "Deployment Succeeded",
    FAILED: "Deployment Failed",
    SUPERSEDED: "Deployment Superseded",
    IGNORED: "Push Ignored",
    ENDED: "Deployment Ended",
}


def settle(push: Push, outcome: str, publish: Callable[[], object] | None, **facts: Any) -> None:
    """Write the outcome down, `publish` the mail of it, and tell other programs.

    Before the mail everything may fail and be tried again. After it nothing may, or the mail would be sent
    twice: what goes wrong then is logged.
    """
    config = settings()
    if not ledger.record(table=config.ledger, push=push, outcome=outcome, **facts):
        return
    if publish:
        # https://docs.aws.amazon.com/general/latest/gr/sns.html: above 10 a second AWS drops the subscription.
        if ledger.mails_this_second(table=config.ledger) > MAILS_A_SECOND:
            raise MailLimitError("As many mails as SNS allows went out this second.")
        publish()
    try:
        ledger.mark_told(table=config.ledger, push=push)
        count(outcome.capitalize())
        detail = {"app": push.app, "tag": push.tag, "digest": push.digest, "deployment": push.deployment}
        events.put_event(detail_type=DETAIL_TYPES[outcome], detail={"outcome": outcome, **detail, **facts})
    except DeployError as error:
        logger.warning("Not everybody was told", extra={"app": push.app, "reason": str(error)})
    logger.info("The push has its outcome", extra={"app": push.app, "outcome": outcome})
