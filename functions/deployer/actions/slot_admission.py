"""Takes the slots that a deployment needs: its own, and its app's. What frees an app's is in `slots`."""

from collections.abc import Mapping

from deployer.aws import ledger
from deployer.domain import limits
from deployer.domain.errors import DeploymentLimitError
from deployer.domain.push import Push
from deployer.settings import settings


def take(push: Push) -> bool:
    """Take the slots that a deployment needs before anything is made for it: its own, and its app's.

    False if the deployment has ended already, for a call that was thought lost goes on.

    Raises DeploymentLimitError, PreviewLimitError or AppLimitError.
    The deployment's slot is free again with its outcome, the app's when it ends. An app that runs has a slot
    without asking: it may be older than the limit.
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
    """Take a slot beside the one that the same app has under the name of before a change of Environments.

    The sweep ends that one, if it is not down already, and frees its slot once this deployment is live.
    """
    before = f"{push.repository}:{push.tag}" if push.app == push.repository else push.repository
    current = ledger.current(app=before)
    if current and current.tag != push.tag:
        return False
    if not all(before in taken[name] for name, most in slots.items() if len(taken[name]) >= most):
        return False
    one_more = {name: max(most, len(taken[name]) + 1) for name, most in slots.items()}
    return not ledger.take_slot(app=push.app, most=one_more)
