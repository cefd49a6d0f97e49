"""Superseded pushes. They get no mail of their own; the mail about the newer push names them."""

import dataclasses
from typing import Unpack

from deployer.actions import outcomes, retries
from deployer.aws import ledger
from deployer.domain import superseded
from deployer.domain.deployment import Deployment, OutcomeFacts
from deployer.domain.errors import DeployError
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.settings import settings


def supersede(push: Push, **facts: Unpack[OutcomeFacts]) -> None:
    """Record that a newer push superseded this one; the mail about the newer one, or the sweep, reports it."""
    ledger.add_unmailed(push=push)
    outcomes.record_outcome(push, outcomes.SUPERSEDED, None, **facts)


def note_further_tag(push: Push) -> None:
    """If a newer image is being deployed, have its mail name this push of an older image."""
    open_ones = ledger.open_deployments(app=push.app)
    if any(each.to_come and each.digest != push.digest and not each.restart for each in open_ones):
        ledger.add_unmailed(push=push)


def mailed_with(push: Push, sequence: int) -> list[Deployment]:
    """The superseded pushes that the mail about this one names."""
    return superseded.mailed_with(ledger.unmailed(app=push.app), push, sequence)


def mailed_with_live(push: Push, sequence: int, known: ledger.AppPushes | None = None) -> list[Deployment]:
    """The pushes that the mail about this live one names. Older ones in progress cannot go live any more.

    `known` are the app's other pushes, if they have been read.
    """
    pushes = known or ledger.app_pushes(app=push.app, but=push)
    unmailed = pushes.unmailed
    if any(each.outcome for each in pushes.open):
        # One may have been superseded after the list was read.
        unmailed = ledger.unmailed(app=push.app)
    ended = superseded.mailed_with(unmailed, push, sequence)
    names = {each.deployment for each in ended}
    coming = superseded.will_be_superseded(pushes.open, push, sequence)
    return [*(each for each in coming if each.deployment not in names), *ended]


def note(push: Push, others: list[Deployment]) -> list[str]:
    """The lines about them in that mail."""
    return superseded.note(others) + _instead(push, others)


def close(push: Push, others: list[Deployment]) -> None:
    """Record that the mail was sent. If that fails, the sweep does it; the mail must not be sent twice."""
    try:
        retries.retry(lambda: ledger.remove_unmailed(app=push.app, deployments=others))
    except DeployError as error:
        logger.warning(
            "Superseded pushes are still to be mailed", extra={"app": push.app, "reason": str(error)}
        )


def _instead(push: Push, others: list[Deployment]) -> list[str]:
    """The command that deploys the newest of these pushes whose tag may still point to it."""
    for each in others:
        if each.tag != push.tag:
            command = settings().deploy_command(dataclasses.replace(push, tag=each.tag))
            return [f"To deploy what {each.tag} points to instead:", f"    {command}"]
    return []
