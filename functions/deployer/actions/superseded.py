"""No mail of its own for a push that was overtaken: the one about what overtook it speaks of it."""

import dataclasses
from typing import Any

from deployer.actions import outcomes, retries
from deployer.aws import ledger
from deployer.domain import superseded
from deployer.domain.deployment import Deployment
from deployer.domain.errors import DeployError
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.settings import settings


def supersede(push: Push, *, reason: str, **facts: Any) -> None:
    """Settle a push that a newer one overtook; a mail about that, or the sweep, speaks of it."""
    ledger.add_unmailed(table=settings().ledger, push=push)
    outcomes.record_outcome(push, outcomes.SUPERSEDED, None, reason=reason, **facts)


def note_further_tag(push: Push) -> None:
    """Have the mail about a newer image, where one is under way, speak of this push of an image from before."""
    table = settings().ledger
    open_ones = ledger.open_deployments(table=table, app=push.app)
    if any(each.to_come and each.digest != push.digest and not each.restart for each in open_ones):
        ledger.add_unmailed(table=table, push=push)


def mailed_with(push: Push, sequence: int) -> list[Deployment]:
    """The pushes of which the mail about this one is to speak."""
    return superseded.mailed_with(ledger.unmailed(table=settings().ledger, app=push.app), push, sequence)


def mailed_with_live(push: Push, sequence: int) -> list[Deployment]:
    """Those of which the mail about this push is to speak once it is live: others under way cannot be now."""
    open_ones = ledger.open_deployments(table=settings().ledger, app=push.app)
    return [*superseded.will_be_superseded(open_ones, push, sequence), *mailed_with(push, sequence)]


def note(push: Push, others: list[Deployment]) -> list[str]:
    """What that mail says of them."""
    return superseded.note(others) + _instead(push, others)


def close(push: Push, others: list[Deployment]) -> None:
    """The mail has gone out. Whatever fails now, the sweep sees to it: nothing may have it sent twice."""
    try:
        retries.retry(lambda: ledger.remove_unmailed(table=settings().ledger, app=push.app, deployments=others))
    except DeployError as error:
        logger.warning("Pushes are still to be told of", extra={"app": push.app, "reason": str(error)})


def _instead(push: Push, others: list[Deployment]) -> list[str]:
    """How to deploy the newest of them whose tag may still point to it."""
    for each in others:
        if each.tag != push.tag:
            command = settings().deploy_command(dataclasses.replace(push, tag=each.tag))
            return [f"To deploy what {each.tag} points to instead:", f"    {command}"]
    return []
