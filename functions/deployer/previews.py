"""Apps that are not for ever: a preview ends with its tag, or when its time is up."""

import dataclasses

from deployer import address, mail_limit, outcomes, slots
from deployer.aws import ecs, ledger
from deployer.domain import mail
from deployer.domain.push import Push
from deployer.domain.sweep import TAG_DELETED
from deployer.observe import logger
from deployer.settings import settings


def end(*, app: str, current: ledger.Current, reason: str) -> bool:
    """Stop an app for good and tell why; False if something newer has come in its place meanwhile.

    Whatever it dies of half-way, the next sweep takes it up again. The app's slot is free afterwards.
    """
    config = settings()
    if not current.ended:
        ended = dataclasses.replace(current, ended=True, halted=reason)
        if not ledger.change_current(table=config.ledger, app=app, new=ended, seen=current):
            return False
        current = dataclasses.replace(ended, version=current.version + 1)
    # The sweep closes it, once no deployment can be about to take it over.
    address.let_go(app)
    for task in [*current.retired, current.task]:
        ecs.stop_task(cluster=config.cluster, task=task, reason=f"Portcall: {current.halted}")
    push = Push(f"end-{current.deployment}", current.since, app, current.tag, current.digest)
    # A push of a tag that is still there would start nothing.
    command = "" if current.halted == TAG_DELETED else config.deploy_command(push)
    news = mail.ended(push, current.url, current.halted, command)
    outcomes.settle(push, outcomes.ENDED, lambda: mail_limit.publish(push, news), reason=reason)
    if ledger.forget(table=config.ledger, app=app, seen=current):
        slots.free(app)
    logger.info("Ended an app", extra={"app": app, "reason": reason})
    return True
