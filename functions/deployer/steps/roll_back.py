"""RollBack: stops the task that this deployment started, and only that, and says why it failed."""

from typing import Any

from deployer import outcomes
from deployer.aws import ecs, ledger, logs, sns
from deployer.domain import failure, mail, task_definition, timing
from deployer.domain.errors import AccessDeniedError, PermanentError
from deployer.domain.push import Push
from deployer.domain.task import Task
from deployer.observe import logger
from deployer.settings import Settings, settings


@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Return `{"error", "reason"}`, which end the execution. What is refused here is told in the mail.

    Where the deployment has become the current one nothing is rolled back: it is live, and the mail says so.
    """
    config = settings()
    push = Push.from_event(event, by_tag=config.by_tag)
    error, message = failure.read_error(event["error"])
    notes: list[str] = []
    current = _current(config, push, notes)
    if current and current.deployment == push.deployment:
        note = f"It is live, but what comes after failed: {message}"
        where = _context(event, config, push, current.task)
        # Only CheckAddress has seen that the address that stays leads to it.
        url = current.url if "address" in event or not current.address else current.direct_url
        news = mail.live(push, url, current.previous, [note], where)
        outcomes.settle(
            push,
            outcomes.DEPLOYED,
            lambda: sns.publish(topic=config.topic, news=news),
            url=url,
            note=note,
        )
        return {"error": error, "reason": note}
    task = _stop(event, config, push, notes)
    described, log = _last_words(config, push, task, notes)
    image = event.get("image") or {}
    why = failure.explain(
        error=error,
        message=message,
        task=described,
        log=log,
        port=image.get("ports", [config.port])[0],
        memory=image.get("memory", ""),
        architecture=image.get("architecture", ""),
    )
    # What a restart was to replace serves no more.
    serving = current.url if current and "restart" not in event and not current.halted else ""
    news = mail.failed(push, why, serving, notes, log, _context(event, config, push, task))

    def publish() -> None:
        sns.publish(topic=config.topic, news=news)

    try:
        outcomes.settle(push, outcomes.FAILED, publish, reason=why.reason, error=why.error, log=log)
    except AccessDeniedError as refused:
        # Without the ledger the mail may come twice, which is better than never.
        logger.error("The outcome could not be written down", extra={"reason": str(refused)})
        publish()
    return {"error": why.error, "reason": why.reason}


def _current(config: Settings, push: Push, notes: list[str]) -> ledger.Current | None:
    try:
        return ledger.current(table=config.ledger, app=push.app)
    except PermanentError as refused:
        notes.append(f"Which version serves could not be found out: {refused}")
        return None


def _last_words(config: Settings, push: Push, task: str, notes: list[str]) -> tuple[Task | None, list[str]]:
    """What ECS says of the task, and the last lines of its log."""
    if not task:
        return None, []
    stream = task_definition.log_stream(push.app, task)
    try:
        described = ecs.describe_task(cluster=config.cluster, task=task)
        return described, logs.tail(group=config.log_group, stream=stream, lines=mail.LOG_LINES)
    except PermanentError as refused:
        notes.append(f"More could not be found out: {refused}")
        return None, []


def _stop(event: dict[str, Any], config: Settings, push: Push, notes: list[str]) -> str:
    """Stop what this deployment started and return the task's ARN, '' if it never got that far.

    The ARN may have been lost with RunTask's answer, so ECS is asked for it by `startedBy`.
    """
    arn = (event.get("task") or {}).get("arn", "")
    try:
        running = ecs.tasks_started_by(cluster=config.cluster, started_by=push.deployment)
        for each in running:
            ecs.stop_task(
                cluster=config.cluster, task=each, reason=f"Portcall: deployment {push.deployment} failed"
            )
        return str(arn or next(iter(running), ""))
    except PermanentError as refused:
        notes.append(
            f"Its task could not be stopped and may still run, and cost money: {refused} "
            f"Stop it with: aws ecs stop-task --cluster {config.cluster} --task {arn or '<task>'}"
        )
        return str(arn)


def _context(event: dict[str, Any], config: Settings, push: Push, task: str) -> mail.Context:
    return mail.Context(
        revision=(event.get("taskDefinition") or {}).get("arn", ""),
        task=task,
        log_group=config.log_group,
        log_stream=task_definition.log_stream(push.app, task),
        region=config.region,
        phases=timing.phases(event),
    )
