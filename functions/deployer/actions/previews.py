"""Apps that are not for ever: a preview ends with its tag, or when its time is up."""

import dataclasses
import time

from deployer.actions import mail_limit, outcomes, slots, stable_url
from deployer.aws import ecs, ledger
from deployer.domain import mail
from deployer.domain.push import Push
from deployer.domain.sweep import REPLACED, TAG_DELETED
from deployer.observe import logger
from deployer.settings import settings


def end_app(*, app: str, current: ledger.Current, reason: str) -> bool:
    """Stop an app for good and tell why; False if somebody else has done so, or something newer has come.

    Whatever it dies of half-way, the next sweep takes it up again. The app's slot is free afterwards.
    """
    config = settings()
    if not current.ended:
        ended = dataclasses.replace(current, ended=True, gave_up_reason=reason)
        if not ledger.change_current(table=config.ledger, app=app, new=ended, seen=current):
            return False
        current = dataclasses.replace(ended, version=current.version + 1)
    # The sweep closes it, once no deployment can be about to take it over.
    stable_url.point_at_current_with_retries(app)
    for task in [*current.previous_tasks, current.task]:
        ecs.stop_task(cluster=config.cluster, task=task, reason=f"Portcall: {current.gave_up_reason}")
    push = Push(f"end-{current.deployment}", current.since, app, current.tag, current.digest)
    # From here on the app is no more, and whoever made it so tells of it; should that fail, the sweep does.
    told = {
        "outcome": outcomes.ENDED,
        "ended_at": int(time.time()),
        "reason": current.gave_up_reason,
        "url": current.url,
    }
    if not ledger.end_current(table=config.ledger, push=push, seen=current, **told):
        return False
    slots.free(app)
    notify_ended(push, reason=current.gave_up_reason, url=current.url)
    logger.info("Ended an app", extra={"app": app, "reason": current.gave_up_reason})
    return True


def notify_ended(push: Push, *, reason: str, url: str) -> None:
    """Mail it, unless the app is there again, and so its URL answers."""
    config = settings()
    # A push of a tag that is still there would start nothing.
    command = "" if reason == TAG_DELETED or reason.startswith(REPLACED) else config.deploy_command(push)
    message = mail.ended(push, url, reason, command, replaced=reason.startswith(REPLACED))

    def unless_it_is_back() -> mail.Mail | None:
        return message if ledger.current(table=config.ledger, app=push.app) is None else None

    def publish() -> None:
        mail_limit.publish(push, unless_it_is_back)

    outcomes.record_outcome(push, outcomes.ENDED, publish, reason=reason, url=url)
