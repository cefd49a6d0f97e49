"""Reconcile, every five minutes: makes up for what no event told."""

import time
import uuid
from typing import Any

from deployer import mailing, sweep_acts, sweep_facts
from deployer.aws import ec2, ledger
from deployer.domain.sweep import Act, EndApp, decide
from deployer.observe import logger
from deployer.settings import settings
from deployer.sweep_facts import Account

# The function's time-out in seconds; the next sweep comes later than that.
TAKES_AT_MOST = 240
# How often an app is looked at in one sweep: what an act changes may call for the next.
ROUNDS = 3


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return what was done, by app; `{}` is what should come of it nearly always.

    One sweep at a time: one that begins meanwhile only says so. One app's trouble does not keep the others
    from being looked after.
    """
    config = settings()
    now = int(time.time())
    sweep = uuid.uuid4().hex
    since = ledger.begin_sweep(table=config.ledger, sweep=sweep, now=now, until=now + TAKES_AT_MOST)
    if since is None:
        return {"skipped": "another sweep is at it"}
    try:
        account = sweep_facts.of_account(since)
        done = {app: acts for app in account.apps() if (acts := _look_after(app, account))}
        _remove_groups(account.started)
        return done
    finally:
        mailing.stubbornly(lambda: ledger.end_sweep(table=config.ledger, sweep=sweep))


def _look_after(app: str, account: Account) -> list[str]:
    """Gather, decide, act, until nothing is due; return what was done. No act is tried twice in a sweep."""
    said: list[str] = []
    tried: set[Act] = set()
    for _ in range(ROUNDS):
        before = len(said)
        try:
            facts = sweep_facts.of_app(app, account)
            due = [act for act in decide(facts) if act not in tried]
        except Exception as error:
            # Whatever it is, and be it a bug that only this app's records bring out.
            said.append(_failed(app, error))
            break
        tried.update(due)
        for act in due:
            try:
                said += filter(None, [sweep_acts.carry_out(act, facts)])
            except Exception as error:
                said.append(_failed(app, error))
        # What has ended is over for this sweep: a push that brings it back soon has its URL again.
        if len(said) == before or any(isinstance(act, EndApp) for act in due):
            break
    if said:
        logger.warning("The sweep found something", extra={"app": app, "acts": said})
    return said


def _failed(app: str, error: Exception) -> str:
    logger.exception("An app could not be looked after", extra={"app": app})
    return f"failed: {error}"


def _remove_groups(started: set[str]) -> None:
    """The security group that a deployment has to itself goes with its task; one still in use stays."""
    for group in ec2.groups_of(stack=settings().stack):
        if group.deployment and group.deployment not in started:
            open_ones = ledger.open_deployments(table=settings().ledger, app=group.app)
            if not any(each.deployment == group.deployment and not each.outcome for each in open_ones):
                ec2.delete_group(group.id)
