"""Cleans up after a failed deployment: stops its task, finds the reason, and mails it."""

import dataclasses
import time
from collections.abc import Callable

from deployer.actions import after_switch, failure_facts, mail_limit, outcomes, slots, superseded
from deployer.actions.failure_facts import Known
from deployer.aws import ecs, ledger
from deployer.domain import failed_deployment, failure, limits, mail, slow_start, timing
from deployer.domain.deployment import Outcome, OutcomeFacts
from deployer.domain.document import Document, Restart
from deployer.domain.errors import AccessDeniedError, PermanentError
from deployer.domain.push import Push
from deployer.domain.task import TaskState
from deployer.domain.text import printable
from deployer.observe import logger
from deployer.settings import settings


def clean_up_after(
    document: Document, *, error: str, message: str, until: float | None = None
) -> failure.Failure:
    """Clean up after a failed deployment; return why it failed. `document` is that of its workflow so far.

    `error` and `message` are what the workflow caught, and `until` is when, in UNIX seconds. If the deployment
    has become the current one, nothing is undone, and the mail says what happened to it. If AWS refuses a call
    here, the mail says so.
    """
    push = failure_facts.push_of(document)
    version = failure_facts.current_version(document, push)
    current = version.value
    if current and current.runs(push.deployment):
        note = f"The app is live, but a later step failed: {message}"
        after_switch.record_outcome(document, push, current, note=note)
        return failure.Failure(error, "took over", note, "")
    task = _stop(document, push)
    words = failure_facts.last_words(push, task.value)
    document = failed_deployment.with_launch(document, words.value.task)
    why = _why(document, error, message, words.value)
    log = mail.log_excerpt(words.value.log)
    if failed_deployment.may_be_tried_again(document, why) and _try_again(document, push, why, log, until):
        return why
    others = failure_facts.superseded_pushes(document, push)
    notes = [*version.notes, *task.notes, *words.notes, *others.notes]
    notes += failed_deployment.notes(document, push.time)
    if why.error == "States.Timeout":
        notes += slow_start.notes(timing.phases(document, until), document.get("image", {}))
    refused = failed_deployment.is_refused(document, why)
    restart = failed_deployment.own_restart(document)
    if restart:
        why = why.of_a_restart()
        if current and why.is_gone:
            current = _give_up(push, current, restart)
        next_try = failed_deployment.next_try(current, words.value.task, refused=refused)
        notes += [
            f"This deployment was a restart of {push.app}, which had stopped: {restart['reason']}",
            next_try,
        ]
    refusal = why.error if why.error in limits.REFUSALS else ""
    if refusal:
        notes.append(limits.FIRST_OF_THE_HOUR)
    serves = failure_facts.standing(document, current)
    where = failure_facts.context(document, push, task.value, words.value.task, until)
    failed = mail.failed(push, why, serves.value, [*notes, *serves.notes], log, where)

    def publish() -> None:
        # Only the first failure of a restart on AWS's side is mailed.
        was_mailed = refused and restart and restart.get("refusals")
        if not was_mailed and mail_limit.publish(push, failed, refusal=refusal):
            superseded.close(push, others.value)

    facts = _facts(document, why, log, until)
    if task.value:
        facts["task"] = task.value
    _record(push, outcomes.RETRIED if refused else outcomes.FAILED, publish, facts)
    if current is None:
        _free_slot(push)
    return why


def _why(document: Document, error: str, message: str, words: failure_facts.LastWords) -> failure.Failure:
    image = document.get("image", {})
    return failure.explain(
        error=error,
        message=message,
        task=words.task,
        log=words.log,
        port=(image.get("ports") or [settings().port])[0],
        memory=image.get("memory", ""),
        architecture=image.get("architecture", ""),
    )


def _facts(document: Document, why: failure.Failure, log: list[str], until: float | None) -> OutcomeFacts:
    """The fields that the ledger keeps of a failure."""
    facts: OutcomeFacts = {
        "reason": printable(why.reason),
        "error": why.error,
        "summary": why.summary,
        "hint": why.hint,
        "log": log,
    }
    if "restart" in document:
        # A restart that AWS did not start has not been claimed.
        facts["restart"] = document["restart"]
    return outcomes.so_far(document, until, **facts)


def _record(push: Push, outcome: Outcome, publish: Callable[[], object], facts: OutcomeFacts) -> None:
    try:
        outcomes.record_outcome(push, outcome, publish, **facts)
    except AccessDeniedError as denied:
        # Without the ledger the mail may be sent twice, which is better than never.
        logger.error("The outcome could not be recorded", extra={"reason": str(denied)})
        publish()


def _free_slot(push: Push) -> None:
    try:
        slots.free(push.app, but=push.deployment)
    except AccessDeniedError as denied:
        # The mail is sent, and the sweep frees unneeded slots.
        logger.error("The slot could not be freed", extra={"app": push.app, "reason": str(denied)})


def _give_up(push: Push, current: ledger.Current, restart: Restart) -> ledger.Current:
    """Give up on the app: no restart can bring it back. The mail of this restart says so.

    If the app has changed meanwhile, the sweep restarts it once more, and that failure leads here again.
    """
    if current.gave_up_reason or current.deployment != restart["deployment"]:
        return current
    now = int(time.time())
    halt = dataclasses.replace(current, gave_up_reason=failure.GONE_FROM_ECR, gave_up_at=now, notified_at=now)
    changed = ledger.change_current(app=push.app, new=halt, seen=current)
    return halt if changed else current


def _try_again(
    document: Document, push: Push, why: failure.Failure, log: list[str], until: float | None
) -> bool:
    """Let the sweep deploy the push again, unless a newer push supersedes it. False if the ledger refuses."""
    facts = outcomes.so_far(document, until, reason=printable(why.reason), error=why.error, log=log)
    sequence = document.get("admission", {}).get("sequence", 0)
    # Before that, nobody knows whether it is an app. The next attempt finds out.
    was_read = "image" in document
    try:
        if was_read and 0 < sequence < ledger.newest(app=push.app):
            superseded.supersede(push, **facts)
        else:
            ledger.record(push=push, outcome=outcomes.RETRIED, **facts)
    except AccessDeniedError:
        return False
    logger.warning("Failed on AWS's side", extra={"app": push.app, "reason": why.reason})
    return True


def _stop(document: Document, push: Push) -> Known[str]:
    """Stop the task that this deployment started; return its ARN, '' if there is none.

    The ARN may have been lost with RunTask's answer, so ECS is asked for it by `startedBy`.
    """
    cluster, arn = settings().cluster, str(document.get("task", {}).get("arn", ""))
    try:
        running = ecs.tasks_started_by(cluster=cluster, started_by=push.deployment)
        for each in dict.fromkeys([arn, *running] if arn else running):
            if not _has_stopped(each):
                reason = f"Portcall: deployment {push.deployment} failed"
                ecs.stop_task(cluster=cluster, task=each, reason=reason)
        return Known(arn or next(iter(running), ""))
    except PermanentError as refused:
        note = (
            f"Its task could not be stopped. It may still run and cost money: {refused} "
            f"Stop it with: aws ecs stop-task --cluster {cluster} --task {arn or '<task>'}"
        )
        return Known(arn, [note])


def _has_stopped(task: str) -> bool:
    """Whether ECS says that the task has stopped. Stopping it again may replace its own reason with ours."""
    try:
        described = ecs.describe_task(cluster=settings().cluster, task=task)
    except PermanentError:
        return False
    return described is not None and described.state is TaskState.STOPPED
