"""Reconcile, every five minutes: repairs what lost events and failed calls left behind."""

import time
import uuid
from typing import Any

from deployer.actions import retries, sweep_acts, sweep_facts, sweep_groups
from deployer.actions.sweep_facts import Account
from deployer.aws import ec2, ledger
from deployer.domain.acts import Act, DeployPush, EndApp
from deployer.domain.sweep import decide
from deployer.observe import count, logger
from deployer.ready import ready
from deployer.settings import settings

# A metric: sweeps that did not finish.
UNFINISHED = "SweepUnfinished"
# The function's time-out; the next sweep begins after it.
MAX_SWEEP_SECONDS = 240
# After how long the rest of the apps is left to the next sweep, and how often the progress is recorded.
MAX_APPS_SECONDS = 180
PROGRESS_SECONDS = 5
# Passes over an app in one sweep: an act may lead to another one.
MAX_ROUNDS = 3
# Lost pushes to deploy in one sweep: this limits the damage of a mistake.
MAX_MISSED_PUSHES = 3


@ready("dynamodb", "ecs")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return what was done, by app; nearly always `{}`.

    Only one sweep runs at a time; a second one returns at once. An error of one app does not stop the sweep. If
    one app takes so long that the function times out, the next sweep begins after that app.
    """
    now, name = int(time.time()), uuid.uuid4().hex
    sweep = ledger.begin_sweep(
        sweep=name, now=now, until=now + MAX_SWEEP_SECONDS, watching=sweep_facts.watching()
    )
    if sweep is None:
        return {"skipped": "another sweep is running"}
    if sweep.died:
        logger.error("The last sweep died", extra={"after": sweep.after})
        count(UNFINISHED)
    after = sweep.after
    try:
        account = sweep_facts.of_account(sweep)
        done: dict[str, Any] = {}
        after = _look_after_all(account, sweep.after, name, done)
        _let_in_whom_the_parameters_name()
        sweep_groups.remove_unneeded(account, looked_at_all=not after)
        if after or account.incomplete:
            logger.error("The sweep did not reach all apps", extra={"after": after})
            count(UNFINISHED)
        return done
    finally:
        retries.retry(lambda: ledger.end_sweep(sweep=name, after=after))


def _look_after_all(account: Account, after: str, sweep: str, done: dict[str, Any]) -> str:
    """Sweep each app, beginning with the one after `after`; return the last one if time was up, else ''."""
    apps = account.apps()
    begin = noted = time.monotonic()
    for app in [*(app for app in apps if app > after), *(app for app in apps if app <= after)]:
        now = time.monotonic()
        if now > begin + MAX_APPS_SECONDS:
            return after
        if now > noted + PROGRESS_SECONDS:
            ledger.note_sweep(sweep=sweep, app=app)
            noted = now
        if acts := _look_after(app, account, sweep):
            done[app] = acts
        after = app
    return ""


def _look_after(app: str, account: Account, sweep: str) -> list[str]:
    """Gather, decide, act, until nothing is due; return what was done. No act runs twice in a sweep."""
    said: list[str] = []
    tried: set[Act] = set()
    for _ in range(MAX_ROUNDS):
        before = len(said)
        try:
            facts = sweep_facts.of_app(app, account)
            due = [act for act in decide(facts) if act not in tried]
        except Exception as error:
            # Any error, even a bug that only this app's records cause: the other apps are still handled.
            said.append(_failed(app, error))
            break
        if due and not tried:
            # Acts take long. If the function times out in one, the next sweep begins after this app.
            ledger.note_sweep(sweep=sweep, app=app)
        tried.update(due)
        for act in due:
            if isinstance(act, DeployPush) and account.missed >= MAX_MISSED_PUSHES:
                logger.warning("Left a push to the next sweep", extra={"app": app})
                continue
            account.missed += isinstance(act, DeployPush)
            try:
                said += filter(None, [sweep_acts.carry_out(act, facts)])
            except Exception as error:
                said.append(_failed(app, error))
        # An app that has ended is done for this sweep, so a push that brings it back soon gets its URL again.
        # A deployment that has just begun has tasks that are not in the listing.
        if len(said) == before or any(isinstance(act, EndApp | DeployPush) for act in due):
            break
    if said:
        logger.warning("The sweep found something", extra={"app": app, "acts": said})
    return said


def _failed(app: str, error: Exception) -> str:
    logger.exception("The sweep failed for an app", extra={"app": app})
    return f"failed: {error}"


def _let_in_whom_the_parameters_name() -> None:
    """Open the security groups to the callers that the parameters name now; these may have changed."""
    config = settings()
    changed = ec2.hold_rules(stack=config.stack, cidr=config.cidr, probe_group=config.probe_group)
    if changed:
        logger.warning("Security groups allowed other addresses than AllowedCidr", extra={"groups": changed})
