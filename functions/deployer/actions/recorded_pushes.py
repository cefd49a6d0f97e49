"""Records and mails a push that is not deployed because the app is stopped or pinned."""

from typing import Any

from deployer.actions import mail_limit, outcomes
from deployer.aws import ledger
from deployer.domain import holds, mail, operation
from deployer.domain.errors import ContendedError
from deployer.domain.push import Push
from deployer.settings import settings

MAX_ATTEMPTS = 5


def record(push: Push, asked: dict[str, Any]) -> bool:
    """Record a push that is not to be deployed; False if it may be deployed by now.

    The outcome is written on condition that the current deployment has not changed. So an operator's command
    that starts the app or ends the pin either finds the push recorded, or this write fails and the sweep
    deploys the push.
    """
    for _ in range(MAX_ATTEMPTS):
        current = ledger.current(app=push.app)
        open_ones = ledger.open_deployments(app=push.app)
        why = holds.why_not(push.digest, current, open_ones, asked)
        known = ledger.deployment(app=push.app, time=push.time, name=push.deployment)
        if known and known.outcome == outcomes.RECORDED:
            mail_it(push, known.reason, current)
            return True
        if current is None or not why:
            ledger.record(push=push, outcome=outcomes.RETRIED, reason="It may be deployed again.")
            return False
        if ledger.record_push(push=push, seen=current, reason=why):
            mail_it(push, why, current)
            return True
    raise ContendedError("The current version keeps changing.")


def mail_it(push: Push, why: str, current: ledger.Current | None) -> None:
    """Mail that a push was not deployed; its outcome is recorded already."""
    config = settings()
    action: operation.Action = operation.START if current and current.stop else operation.RESUME
    command = config.command(action, push.app)
    standing = mail.standing_of(current) if current and not current.stopped else mail.NOTHING
    message = mail.recorded(push, why, standing, command, resumes=action == operation.RESUME)
    outcomes.record_outcome(push, outcomes.RECORDED, lambda: mail_limit.publish(push, message), reason=why)
