"""Takes the slots that a deployment needs: its own, and its app's. `slots` frees an app's slot."""

from collections.abc import Mapping

from deployer.aws import ledger
from deployer.domain import limits
from deployer.domain.errors import DeploymentLimitError
from deployer.domain.push import Push
from deployer.settings import settings


def take(push: Push) -> bool:
    """Take the slots that a deployment needs, its own and its app's, before anything is created for it.

    False if the deployment has ended already: Step Functions may have retried a call that still runs.
    Raises DeploymentLimitError, PreviewLimitError or AppLimitError.
    The deployment's slot is freed with its outcome, the app's slot when the app ends. An app that runs is not
    checked, because it may be older than the limit.
    """
    config = settings()
    most = limits.MAX_DEPLOYMENTS
    if not ledger.note_under_way(push=push, most=most):
        raise DeploymentLimitError(
            f"{most} deployments of {push.repository} are under way, which is the limit for one repository."
        )
    known = ledger.deployment(app=push.app, time=push.time, name=push.deployment)
    if known and known.outcome:
        ledger.note_ended(push=push)
        return False
    slots = config.slots(push)
    taken = ledger.take_slot(app=push.app, most=slots)
    if taken and not (_runs(push.app) or _takes_over(push, taken, slots)):
        raise limits.refusal(taken, slots)
    return True


def _runs(app: str) -> bool:
    current = ledger.current(app=app)
    return current is not None and not current.gave_up_reason


def _takes_over(push: Push, taken: Mapping[str, set[str]], slots: Mapping[str, int]) -> bool:
    """Take one more slot if the same app has one under its name from before a change of Environments.

    Once this deployment is live, the sweep ends the old app, if it is not down already, and frees its slot.
    """
    before = push.other_app
    current = ledger.current(app=before)
    if current and current.tag != push.tag:
        return False
    if not all(before in taken[name] for name, most in slots.items() if len(taken[name]) >= most):
        return False
    one_more = {name: max(most, len(taken[name]) + 1) for name, most in slots.items()}
    return not ledger.take_slot(app=push.app, most=one_more)
