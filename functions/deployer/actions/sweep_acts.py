"""Carries out the acts that the sweep decided on; each may run twice."""

import dataclasses
import re
import time
from typing import assert_never, cast

from deployer.actions import (
    failure_cleanup,
    outcomes,
    previews,
    recorded_pushes,
    restarts,
    stable_url,
    superseded_report,
    unwatched,
)
from deployer.aws import apigateway, ecr, ecs, ledger, step_functions
from deployer.domain import acts, failure, sweep
from deployer.domain.acts import Act
from deployer.domain.app_facts import Facts
from deployer.domain.deployment import Deployment, Ending
from deployer.domain.document import Document
from deployer.domain.errors import DeployError, MailLimitError
from deployer.domain.push import Push
from deployer.settings import settings, watch_settings

# A function that is running when its execution is aborted continues for a moment.
MAX_STEP_SECONDS = 3


def carry_out(act: Act, facts: Facts) -> str:
    """Carry the act out; return what was done, '' if nothing was left to do."""
    app = facts.app
    if isinstance(act, acts.LedgerAct):
        _change_ledger(act, facts)
        return ""
    match act:
        case acts.EndApp(reason):
            was_ended = facts.current and previews.end_app(app=app, current=facts.current, reason=reason)
            return "ended the app" if was_ended else ""
        case acts.FreeSlot():
            freed = ledger.free_slot(app=app, noted=facts.noted, seen=facts.current)
            # That an app is down was mailed before.
            return "freed its slot" if freed and not facts.current else ""
        case acts.FinishDeployment(name):
            _record_outcome(app, _open(facts, name), facts.endings[name])
            return f"finished {name}"
        case acts.NotifyEnded(name):
            return _notify_ended(app, _open(facts, name))
        case acts.RetryDeployment(name):
            return _retry(app, _open(facts, name))
        case acts.ForgetUnclaimed(pushes):
            for time_of_push, name in pushes:
                ledger.close_push(push=Push(name, time_of_push, app, "", ""))
            return f"forgot {', '.join(name for _, name in pushes)}"
        case acts.ReportSuperseded(names):
            superseded_report.send(facts, names)
            return f"mailed that {', '.join(names)} were superseded"
        case acts.StopTask(task):
            reason = "Portcall: no deployment owns this task"
            ecs.stop_task(cluster=settings().cluster, task=task, reason=reason)
            return f"stopped {task}"
        case acts.NotifyAgain():
            notified = facts.current and restarts.notify_again(app, facts.current) == "given up"
            return f"mailed that {app} is down" if notified else ""
        case acts.RestartApp(stop, refused):
            return _restart(facts, stop, refused)
        case acts.ReportUnwatched():
            if facts.current:
                unwatched.report(facts, facts.current)
            return "mailed that it is not watched"
        case acts.PointStableUrl():
            stable_url.point_at_current_with_retries(app)
            return "pointed its stable URL at the current task"
        case acts.DeleteStableUrl(api):
            apigateway.delete_stable_url(api)
            return f"deleted stable URL {api}"
        case acts.DeployPush(push):
            return _deploy(push, facts)


def _change_ledger(act: acts.LedgerAct, facts: Facts) -> None:
    app = facts.app
    match act:
        case acts.MoveSlot():
            ledger.move_slot(app=app, preview=facts.is_preview)
        case acts.ListApp():
            ledger.list_app(app=app)
        case acts.UnlistApp():
            ledger.unlist_app(app=app)
        case acts.CloseDeployments(names):
            ledger.close(app=app, deployments=[_open(facts, name) for name in names])
        case acts.CloseSuperseded(names):
            over = [each for each in facts.unmailed if each.deployment in names]
            ledger.remove_unmailed(app=app, deployments=over)
        case acts.MarkWatched():
            if facts.current:
                unwatched.mark(app, facts.current, 0)
        case acts.ForgetStableUrl():
            if facts.current:
                without = dataclasses.replace(facts.current, last_stable_url=None)
                ledger.change_current(app=app, new=without, seen=facts.current)
        case acts.RecordTag(tag, digest):
            known = (facts.tags or {}).get(tag)
            ledger.record_tag(app=app, tag=tag, digest=digest, as_of=facts.listed_at, seen=known)
        case _:
            assert_never(act)


def _notify_ended(app: str, ended: Deployment) -> str:
    push = Push.of(app, ended)
    previews.notify_ended(push, reason=ended.reason, url=ended.url)
    return f"mailed that {app} has ended"


def _deploy(push: Push, facts: Facts) -> str:
    # Read again, because the listing may be older than the ledger's records.
    if ecr.digest_of(repository=push.repository, tag=push.tag) != push.digest:
        return ""
    other = ledger.tag(app=push.other_app, tag=push.tag)
    if other and other.digest == push.digest and other.as_of >= push.pushed_at:
        # Its event came, while Environments had its other value for less than the time between two sweeps.
        return carry_out(acts.RecordTag(push.tag, push.digest), facts)
    document = push.event() | {"found": {"at": facts.listed_at}}
    started = step_functions.start_execution(
        machine=watch_settings().state_machine, name=push.deployment, document=document
    )
    return f"deployed {push.tag}, whose event was lost" if started else ""


def _retry(app: str, failed: Deployment) -> str:
    """Start the workflow again for the same push. The attempt has its own name, so it starts only once."""
    attempt = int(failed.retry.get("attempt", 1)) + 1
    first = re.sub(r"^retry-\d+-", "", failed.deployment)
    push = Push(f"retry-{attempt}-{first}", failed.time, app, failed.tag, failed.digest)
    document = push.event() | {"retry": {"of": failed.deployment, "attempt": attempt, "reason": failed.reason}}
    if failed.asked:
        document["asked"] = failed.asked
    step_functions.start_execution(
        machine=watch_settings().state_machine, name=push.deployment, document=document
    )
    before = dataclasses.replace(push, deployment=failed.deployment)
    outcomes.record_outcome(before, outcomes.RETRIED, None)
    return f"retried {first}"


def _open(facts: Facts, deployment: str) -> Deployment:
    return next(each for each in facts.open if each.deployment == deployment)


def _restart(facts: Facts, stop: str, refused: bool) -> str:
    if facts.current is None:
        return ""
    try:
        outcome = restarts.restart(
            app=facts.app,
            current=facts.current,
            task=facts.task,
            stop=stop,
            refused=refused,
            when_not_begun=_clean_up_after_refused,
        )
    finally:
        stable_url.point_at_current_with_retries(facts.app)
    return "" if outcome == "known" else f"{outcome} {facts.current.task}"


def _clean_up_after_refused(restart: Document, error: DeployError) -> None:
    failure_cleanup.clean_up_after(restart, error=type(error).__name__, message=str(error))


def _record_outcome(app: str, deployment: Deployment, ending: Ending) -> None:
    time.sleep(max(0.0, min(ending.at + MAX_STEP_SECONDS - time.time(), MAX_STEP_SECONDS)))
    push = Push.of(app, deployment)
    # Read again: a step that went on may have changed it.
    current = ledger.current(app=app)
    if deployment.outcome == outcomes.RECORDED:
        recorded_pushes.mail_it(push, deployment.reason, current)
        return
    if sweep.is_old_news(deployment, current):
        outcome = deployment.outcome or outcomes.SUPERSEDED
        reason = deployment.reason or "Another deployment replaced it."
        outcomes.record_outcome(push, outcome, None, reason=reason)
        return
    # The parts of the document that the ledger has.
    known = {
        "admission": {"sequence": deployment.sequence},
        "taskDefinition": {"arn": deployment.revision},
        "task": {"arn": deployment.task},
        **({"restart": deployment.restart} if deployment.restart else {}),
        **({"retry": deployment.retry} if deployment.retry else {}),
        **({"asked": deployment.asked} if deployment.asked else {}),
    }
    document = cast(Document, push.event() | known)
    _, cause = failure.read_error({"Cause": ending.cause})
    how = f"{ending.status}, {cause}" if ending.cause else ending.status
    error = deployment.error or "AbortedError"
    reason = deployment.reason or f"Its execution ended before the deployment was complete: {how}"
    for wait in (1, 1, 1, 1, 0):
        try:
            failure_cleanup.clean_up_after(document, error=error, message=reason)
            return
        except MailLimitError:
            if not wait:
                raise
            time.sleep(wait)
