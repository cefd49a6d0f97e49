"""Rolls back a failed deployment: stops its task, finds the reason, and mails it."""

import dataclasses
import time
from typing import Any

from deployer.actions import after_switch, app_names, further_tags, mail_limit, outcomes, slots, superseded
from deployer.aws import ecs, ledger, logs
from deployer.domain import failure, limits, mail, task_definition, timing
from deployer.domain.deployment import Outcome
from deployer.domain.document import Document, Restart
from deployer.domain.errors import AccessDeniedError, AwsRefusedError, PermanentError
from deployer.domain.push import Push
from deployer.domain.task import Task, TaskState
from deployer.domain.text import printable
from deployer.observe import logger
from deployer.settings import Settings, settings

# Reads of the log of an app that has ended, for lines that arrive late, and the pause before each.
MAX_LOG_READS, MAX_EMPTY_LOG_READS, LOG_READ_PAUSE_SECONDS = 8, 2, 1.0
# Deployments of a push in all, if AWS's side fails, or if somebody aborts the execution.
MAX_ATTEMPTS, MAX_ATTEMPTS_AFTER_ABORT = 3, 2


def roll_back(document: Document, *, error: str, message: str, until: float | None = None) -> failure.Failure:
    """Roll back the deployment whose workflow came as far as its `document`; return why it failed.

    `error` and `message` are what the workflow caught, `until` when, in UNIX seconds. Where the deployment
    has become the current one nothing is undone, and the mail says what became of it. What is refused here is
    reported in the mail.
    """
    config = settings()
    push = _push(document, config)
    notes: list[str] = []
    current = _current(document, config, push, notes)
    if current and current.runs(push.deployment):
        note = f"The app is live, but a later step failed: {message}"
        after_switch.record_outcome(document, push, current, note=note)
        return failure.Failure(error, "took over", note, "")
    task = _stop(document, config, push, notes)
    described, wrote = _last_words(config, push, task, notes)
    image = document.get("image", {})
    why = failure.explain(
        error=error,
        message=message,
        task=described,
        log=wrote,
        port=(image.get("ports") or [config.port])[0],
        memory=image.get("memory", ""),
        architecture=image.get("architecture", ""),
    )
    log = mail.log_excerpt(wrote)
    if why.passing and "restart" not in document and _is_tried_again(document, push, why, log, until):
        return why
    others = _mailed_with(document, push, notes)
    attempt = _attempt(document)
    if attempt > 1:
        notes.append(f"Portcall tried {attempt} times since {push.time}.")
    restart = document.get("restart")
    # What somebody asked for has a version before that serves, and is not tried again.
    makes_up = None if restart is None or restart.get("asked") else restart
    refused = bool(makes_up) and why.passing and why.error != "AbortedError"
    if makes_up:
        why = why.of_a_restart()
        if current and why.is_gone:
            current = _give_up(push, current, makes_up)
        next_try = _next_try(current, described, refused)
        notes.append(f"{push.app} had stopped ({makes_up['reason']}), and this restart failed. {next_try}")
    where = _context(document, config, push, task, until)
    if described and not described.stopped_by_us:
        where = dataclasses.replace(where, stop_code=described.stop_code, exit_code=described.exit_code)
    refusal = why.error if why.error in limits.REFUSALS else ""
    if refusal:
        notes.append(limits.FIRST_OF_THE_HOUR)
    failed = mail.failed(push, why, _standing(document, config, current, notes), notes, log, where)
    facts: dict[str, Any] = {
        "reason": printable(why.reason),
        "error": why.error,
        "summary": why.summary,
        "hint": why.hint,
        "log": log,
    }
    if restart:
        # A restart that AWS did not even start has not been claimed.
        facts["restart"] = restart
    facts |= outcomes.so_far(document, until)
    if task:
        facts["task"] = task

    def publish() -> None:
        # Only the first failure of a restart on AWS's side is mailed.
        if not (refused and makes_up and makes_up.get("refusals")):
            mail_limit.publish(push, failed, refusal=refusal)
        superseded.close(push, others)

    outcome: Outcome = outcomes.RETRIED if refused else outcomes.FAILED
    try:
        outcomes.record_outcome(push, outcome, publish, **facts)
    except AccessDeniedError as denied:
        # Without the ledger the mail may come twice, which is better than never.
        logger.error("The outcome could not be recorded", extra={"reason": str(denied)})
        publish()
    if current is None:
        try:
            slots.free(push.app, but=push.deployment)
        except AccessDeniedError as denied:
            # The mail is out, and the sweep frees unneeded slots.
            logger.error("The slot could not be freed", extra={"app": push.app, "reason": str(denied)})
    return why


def _mailed_with(document: Document, push: Push, notes: list[str]) -> list[ledger.Deployment]:
    """The pushes that it superseded, and that its mail names."""
    sequence = document.get("admission", {}).get("sequence", 0)
    try:
        others = [] if "restart" in document else superseded.mailed_with(push, sequence)
        notes += [*further_tags.note(push), *superseded.note(push, others)]
        return others
    except PermanentError as refused:
        notes.append(f"Portcall could not find out which pushes it superseded: {refused}")
        return []


def _push(document: Document, config: Settings) -> Push:
    try:
        return app_names.push_of(document)
    except (AwsRefusedError, AccessDeniedError):
        # The failure has to be mailed all the same.
        return Push.from_event(document, by_tag=config.by_tag)


def _give_up(push: Push, current: ledger.Current, restart: Restart) -> ledger.Current:
    """Give the app up: no restart can bring it back. The mail of this restart says so.

    Where the app has changed meanwhile, the sweep tries once more, and comes here again.
    """
    if current.gave_up_reason or current.deployment != restart["deployment"]:
        return current
    now = int(time.time())
    halt = dataclasses.replace(current, gave_up_reason=failure.GONE_FROM_ECR, gave_up_at=now, notified_at=now)
    changed = ledger.change_current(app=push.app, new=halt, seen=current)
    return halt if changed else current


def _next_try(current: ledger.Current | None, task: Task | None, refused: bool) -> str:
    """What comes after a restart that failed."""
    if current and current.gave_up_reason:
        return f"Portcall will not restart it again: {current.gave_up_reason}"
    if task and task.stopped_by_hand:
        return "Portcall will not restart it again, because its task was stopped by hand."
    if refused:
        return "Portcall tries again every few minutes until it succeeds; then you get another email."
    return "Portcall tries again within minutes, at most three times in all."


def _attempt(document: Document) -> int:
    return int(document.get("retry", {}).get("attempt", 1))


def _is_tried_again(
    document: Document, push: Push, why: failure.Failure, log: list[str], until: float | None
) -> bool:
    """Have the sweep deploy the push again, unless the attempts are used up or a newer push supersedes it."""
    attempts = MAX_ATTEMPTS_AFTER_ABORT if why.error == "AbortedError" else MAX_ATTEMPTS
    if _attempt(document) >= attempts:
        return False
    facts = {
        "reason": printable(why.reason),
        "error": why.error,
        "log": log,
        **outcomes.so_far(document, until),
    }
    sequence = document.get("admission", {}).get("sequence", 0)
    try:
        if 0 < sequence < ledger.newest(app=push.app):
            superseded.supersede(push, **facts)
        else:
            ledger.record(push=push, outcome=outcomes.RETRIED, **facts)
    except AccessDeniedError:
        return False
    logger.warning("Failed on AWS's side", extra={"app": push.app, "reason": why.reason})
    return True


def _current(document: Document, config: Settings, push: Push, notes: list[str]) -> ledger.Current | None:
    """What is current, once this deployment can no longer become that."""
    try:
        ledger.abandon(push=push)
        if "admission" not in document:
            # It came to nothing before this was noted, but it is known, and the sweep need not look for it.
            ledger.claim_tag(push=push, seen=False)
        return ledger.current(app=push.app)
    except PermanentError as refused:
        if "switch" in document:
            # It may be the one that serves, and is not stopped on a suspicion.
            raise
        notes.append(f"Portcall could not find out which version is running: {refused}")
        return None


def _standing(
    document: Document, config: Settings, current: ledger.Current | None, notes: list[str]
) -> mail.Standing:
    """What serves now that this deployment does not. ECS is asked, for the news of a stop may be on its way."""
    makes_up = "restart" in document and not document["restart"].get("asked")
    if current is None or makes_up or current.gave_up_reason or current.last_stop:
        return mail.Standing("")
    try:
        task = ecs.describe_task(cluster=config.cluster, task=current.task)
    except PermanentError as refused:
        notes.append(f"Portcall could not find out whether the previous version is still running: {refused}")
        return mail.Standing("")
    if task is None or task.state is TaskState.STOPPED:
        return mail.Standing("")
    sequence = document.get("admission", {}).get("sequence", current.sequence)
    return mail.Standing(current.url, is_newer=current.sequence > sequence, is_worker=not current.url)


def _last_words(config: Settings, push: Push, task: str, notes: list[str]) -> tuple[Task | None, list[str]]:
    """What ECS says of the task, and the last lines of its log, unchanged."""
    if not task:
        return None, []
    stream = task_definition.log_stream(push.app, task)
    try:
        described = ecs.describe_task(cluster=config.cluster, task=task)
        log = logs.tail(group=config.log_group, stream=stream, lines=mail.LOG_LINES)
        if described and described.exit_code is not None and not described.stopped_by_us:
            log = _whole(log, config, stream)
        return described, log
    except PermanentError as refused:
        notes.append(f"Portcall could not find out more: {refused}")
        return None, []


def _whole(log: list[str], config: Settings, stream: str) -> list[str]:
    """The end of the log of an app that has just ended: its last lines arrive a moment after that."""
    for look in range(MAX_LOG_READS):
        time.sleep(LOG_READ_PAUSE_SECONDS)
        before, log = log, logs.tail(group=config.log_group, stream=stream, lines=mail.LOG_LINES)
        if log == before and (log or look >= MAX_EMPTY_LOG_READS):
            break
    return log


def _stop(document: Document, config: Settings, push: Push, notes: list[str]) -> str:
    """Stop what this deployment started and return the task's ARN, '' if it never got that far.

    The ARN may have been lost with RunTask's answer, so ECS is asked for it by `startedBy`.
    """
    arn = str(document.get("task", {}).get("arn", ""))
    try:
        running = ecs.tasks_started_by(cluster=config.cluster, started_by=push.deployment)
        for each in dict.fromkeys([arn, *running] if arn else running):
            if not _has_stopped(config, each):
                ecs.stop_task(
                    cluster=config.cluster, task=each, reason=f"Portcall: deployment {push.deployment} failed"
                )
        return arn or next(iter(running), "")
    except PermanentError as refused:
        notes.append(
            f"Its task could not be stopped. It may still run and cost money: {refused} "
            f"Stop it with: aws ecs stop-task --cluster {config.cluster} --task {arn or '<task>'}"
        )
        return arn


def _has_stopped(config: Settings, task: str) -> bool:
    """Whether ECS says so. Stopping the task again may replace its own reason by ours."""
    try:
        described = ecs.describe_task(cluster=config.cluster, task=task)
    except PermanentError:
        return False
    return described is not None and described.state is TaskState.STOPPED


def _context(
    document: Document, config: Settings, push: Push, task: str, until: float | None = None
) -> mail.Context:
    return mail.Context(
        revision=document.get("taskDefinition", {}).get("arn", ""),
        task=task,
        log_group=config.log_group,
        log_stream=task_definition.log_stream(push.app, task),
        region=config.region,
        phases=timing.phases(document, until),
        deploy_command=config.deploy_command(push),
    )
