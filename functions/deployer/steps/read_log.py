"""ReadLog: stops waiting for an app whose log says that it listens on another port."""

from deployer.aws import logs
from deployer.domain import failure, mail, no_answer, task_definition
from deployer.domain.document import Document, Log
from deployer.domain.errors import NoAnswerError, PermanentError
from deployer.domain.push import Push
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import settings


@ready("logs")
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: Document, context: object) -> Log:
    """Return `{"lines": number}`. Raises NoAnswerError, as CheckHealth does in the end, if no answer will come.

    CheckHealth itself may not read logs: it talks to other people's code, and inside a VPC it cannot reach
    them.
    """
    config = settings()
    # Without NoAnswerYetError, before an update, CheckHealth waits until the time-out.
    _, seen = failure.read_error(event.get("branch", {}))
    push = Push.from_event(event, by_tag=config.by_tag)
    stream = task_definition.log_stream(push.app, event["task"]["arn"])
    try:
        log = logs.tail(group=config.log_group, stream=stream, lines=mail.LOG_LINES)
    except PermanentError as refused:
        # CheckHealth then waits until the time-out.
        logger.warning("The log could not be read", extra={"app": push.app, "reason": str(refused)})
        return {"lines": 0}
    if no_answer.is_certain(seen, log):
        raise NoAnswerError(seen)
    return {"lines": len(log)}
