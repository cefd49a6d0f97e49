"""The places that a deployment needs before anything is made for it: its own, and its app's."""

from deployer.aws import ledger
from deployer.domain import limits
from deployer.domain.errors import DeploymentLimitError
from deployer.domain.push import Push
from deployer.settings import settings


def take(push: Push) -> None:
    """Raises DeploymentLimitError, PreviewLimitError or AppLimitError.

    The deployment's place is free again with its outcome, the app's when it ends. An app that runs has a place
    without asking: it may be older than the limit.
    """
    config = settings()
    most = limits.DEPLOYMENTS_AT_ONCE
    if not ledger.note_under_way(table=config.ledger, push=push, most=most):
        raise DeploymentLimitError(
            f"{most} deployments of {push.repository} run already, and no more of one repository may at once."
        )
    slots = config.slots(push)
    taken = ledger.take_slot(table=config.ledger, app=push.app, most=slots)
    if not taken:
        return
    current = ledger.current(table=config.ledger, app=push.app)
    if current is None or current.gave_up_reason:
        raise limits.refusal(taken, slots)
