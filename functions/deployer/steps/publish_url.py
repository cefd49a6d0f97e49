"""PublishUrl: sends the mail with the URL."""

import time

from deployer.actions import after_switch
from deployer.aws import ledger
from deployer.domain import timing
from deployer.domain.document import Attempt, Ended
from deployer.domain.errors import NewerPushError, StableUrlNotCheckedError
from deployer.domain.push import Push
from deployer.observe import logger, seconds
from deployer.ready import ready
from deployer.settings import settings

# While a newer push is being deployed, the mail waits for at most this many retries of the state.
MAX_WAITS = 12


@ready("dynamodb", "events", "sns")
@logger.inject_lambda_context(correlation_id_path="deployment.id")
def handler(event: Attempt, context: object) -> Ended:
    """Take `{"attempt", "deployment": the document}`; return `{"at": UNIX seconds}`.

    A repeated call sends no second mail. The ledger is read again, because the app may have stopped or been
    replaced since the switch-over. Raises NewerPushError while a newer push is being deployed; a version that
    is replaced meanwhile is not mailed. Raises StableUrlNotCheckedError if CheckStableUrl must come first.
    """
    attempt, document = event["attempt"], event["deployment"]
    if document["switch"]["result"] == "moved" and "stableUrl" not in document:
        raise StableUrlNotCheckedError("The stable URL was not checked.")
    config = settings()
    push = Push.from_event(document, by_tag=config.by_tag)
    current = ledger.current(app=push.app)
    pushes = None
    if current and current.runs(push.deployment) and "restart" not in document:
        pushes = ledger.app_pushes(app=push.app, but=push)
        _wait_for_newer(pushes, document["admission"]["sequence"], attempt)
    if after_switch.record_outcome(document, push, current, pushes=pushes):
        seconds("PushToUrl", sum(took for _, took in timing.phases(document)))
    return {"at": time.time()}


def _wait_for_newer(others: ledger.AppPushes, sequence: int, attempt: int) -> None:
    """Raise NewerPushError in a burst of pushes, because this version would be live only for seconds."""
    if attempt >= MAX_WAITS:
        return
    if any(each.sequence > sequence and not each.outcome and not each.restart for each in others.open):
        raise NewerPushError("A newer push of the app is being deployed.")
