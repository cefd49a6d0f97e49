"""One outcome for each push: first in the ledger, then by mail, then as an event for other programs."""

from collections.abc import Callable
from typing import Unpack

from deployer.actions import retries
from deployer.aws import events, ledger
from deployer.domain import timing
from deployer.domain.deployment import DEPLOYED as DEPLOYED
from deployer.domain.deployment import DUPLICATE as DUPLICATE
from deployer.domain.deployment import ENDED as ENDED
from deployer.domain.deployment import FAILED as FAILED
from deployer.domain.deployment import IGNORED as IGNORED
from deployer.domain.deployment import NOT_AN_APP as NOT_AN_APP
from deployer.domain.deployment import RECORDED as RECORDED
from deployer.domain.deployment import RETRIED as RETRIED
from deployer.domain.deployment import SAME_IMAGE as SAME_IMAGE
from deployer.domain.deployment import SUPERSEDED as SUPERSEDED
from deployer.domain.deployment import Outcome, OutcomeFacts
from deployer.domain.document import Document
from deployer.domain.errors import DeployError
from deployer.domain.push import Push
from deployer.domain.text import printable
from deployer.observe import count, logger

ENDED_LINE = "Deployment ended"
MAX_LOGGED = 500
DETAIL_TYPES = {
    DEPLOYED: "Deployment Succeeded",
    FAILED: "Deployment Failed",
    SUPERSEDED: "Deployment Superseded",
    IGNORED: "Push Ignored",
    ENDED: "Deployment Ended",
    RETRIED: "Deployment Retried",
    DUPLICATE: "Push Duplicated",
    SAME_IMAGE: "Image Tagged Again",
    RECORDED: "Push Recorded",
}


def record_outcome(
    push: Push, outcome: Outcome, publish: Callable[[], object] | None, **facts: Unpack[OutcomeFacts]
) -> None:
    """Record the outcome, `publish` its mail, and send an event for other programs.

    Before the mail, anything may fail and be retried. After it, errors are only logged: a retry would send
    the mail twice.
    """
    if not ledger.record(push=push, outcome=outcome, **facts):
        return
    if publish:
        publish()
    try:
        retries.retry(lambda: ledger.mark_notified(push=push))
        count(outcome.title().replace(" ", ""))
        detail = {"app": push.app, "tag": push.tag, "digest": push.digest, "deployment": push.deployment}
        events.put_event(detail_type=DETAIL_TYPES[outcome], detail={"outcome": outcome, **detail, **facts})
        # Where this fails, the sweep does it. A burst makes hundreds, and later steps read all open ones.
        retries.retry(lambda: ledger.close_push(push=push))
    except DeployError as error:
        logger.warning("Not everybody was notified", extra={"app": push.app, "reason": str(error)})
    _log(push, outcome, facts)


def ignore(push: Push) -> None:
    """Record an artifact that is not an app; nobody is mailed."""
    record_outcome(push, IGNORED, None, reason=NOT_AN_APP)


def _log(push: Push, outcome: str, facts: OutcomeFacts) -> None:
    """One log line per deployment, with all fields of template.yaml's saved queries; seconds as numbers."""
    phases = {name: float(took) for name, took in facts.get("phases", {}).items()}
    logger.info(
        ENDED_LINE,
        extra={
            "app": push.app,
            "tag": push.tag,
            "digest": push.digest,
            "deployment": push.deployment,
            "outcome": outcome,
            "reason": printable(str(facts.get("reason", "")))[:MAX_LOGGED],
            "error": facts.get("error", ""),
            "phases": phases,
            "seconds": round(sum(phases.values()), 3),
        },
    )


def so_far(document: Document, until: float | None = None, **known: Unpack[OutcomeFacts]) -> OutcomeFacts:
    """What is `known` of an outcome, with the phases, revision and task of the deployment so far.

    `until` is when the last phase failed, in UNIX seconds.
    """
    if phases := timing.phases(document, until):
        known["phases"] = {name: str(round(took, 3)) for name, took in phases}
    if revision := document.get("taskDefinition", {}).get("arn"):
        known["revision"] = revision
    if task := document.get("task", {}).get("arn"):
        known["task"] = task
    return known
