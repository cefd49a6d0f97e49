"""Ends apps: a preview ends when its tag is deleted or its time is up."""

import dataclasses

from deployer.actions import mail_limit, outcomes, slots, stable_url
from deployer.aws import ecs, ledger
from deployer.domain import mail
from deployer.domain.push import Push
from deployer.domain.sweep import REPLACED, TAG_DELETED
from deployer.observe import logger
from deployer.settings import settings


def end_app(*, app: str, current: ledger.Current, reason: str) -> bool:
    """Stop an app for good and mail why; False if another call did so, or something newer was deployed.

    If this dies half-way, the next sweep continues it. The app's slot is free afterwards.
    """
    config = settings()
    if not current.ended:
        ended = dataclasses.replace(current, ended=True, gave_up_reason=reason)
        if not ledger.change_current(app=app, new=ended, seen=current):
            return False
        current = dataclasses.replace(ended, version=current.version + 1)
    # The sweep deletes the URL once no deployment can use it.
    stable_url.point_at_current_with_retries(app)
    for task in [*current.previous_tasks, current.task]:
        ecs.stop_task(cluster=config.cluster, task=task, reason=f"Portcall: {current.gave_up_reason}")
    push = Push(f"end-{current.deployment}", current.since, app, current.tag, current.digest)
    # After this write the app is gone. The call that removed it sends the mail; if that fails, the sweep does.
    if not ledger.end_current(push=push, seen=current, reason=current.gave_up_reason, url=current.url):
        return False
    slots.free(app)
    notify_ended(push, reason=current.gave_up_reason, url=current.url)
    logger.info("Ended an app", extra={"app": app, "reason": current.gave_up_reason})
    return True


def notify_ended(push: Push, *, reason: str, url: str) -> None:
    """Send the mail, unless the app exists again and its URL answers."""
    config = settings()
    # A push of a tag that is still there would start nothing.
    command = "" if reason == TAG_DELETED or reason.startswith(REPLACED) else config.deploy_command(push)
    message = mail.ended(push, url, reason, command, replaced=reason.startswith(REPLACED))

    def unless_it_is_back(current: ledger.Current | None) -> mail.Mail | None:
        return message if current is None else None

    def publish() -> None:
        mail_limit.publish(push, unless_it_is_back)

    outcomes.record_outcome(push, outcomes.ENDED, publish, reason=reason, url=url)
