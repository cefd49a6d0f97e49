"""Operate: does what an operator asks for, such as a rollback."""

import uuid
from datetime import UTC, datetime
from typing import Any

from deployer.actions import asked_deployments, sample_mails, stopping
from deployer.aws import ledger
from deployer.domain import operation
from deployer.domain.errors import DeployError, TransientError
from deployer.domain.operation import NoSuchThing, NotPossible, Operation
from deployer.observe import logger
from deployer.ready import ready
from deployer.settings import settings

DEPLOYMENTS = {
    operation.DEPLOY: asked_deployments.deploy,
    operation.ROLLBACK: asked_deployments.rollback,
    operation.RESUME: asked_deployments.resume,
    operation.RESTART: asked_deployments.restart,
    operation.START: stopping.start,
}


@ready("dynamodb")
@logger.inject_lambda_context
def handler(event: Any, context: object) -> dict[str, Any]:
    """Take what `Operation.from_event` reads.

    Returns `{"status": "started", "deployment", "app", "tag", "digest"}`, or the status `stopped`, `ended`, or
    `possible` for a dry run, or for a test email what `sample_mails.send` returns. If the request is refused:
    `{"status": "refused", "reason"}`, in some cases with a `kind`. The outcome of a deployment is mailed like
    any other; the action `follow` returns it. A request with the same `id` may come twice.
    """
    try:
        asked = Operation.from_event(event, by_tag=settings().by_tag).named_anew(uuid.uuid4().hex)
        answer = sample_mails.send(asked) if asked.action == operation.NOTIFY else _answer(asked, _app(asked))
    except (NotPossible, DeployError) as error:
        logger.warning("Refused an operation", extra={"reason": str(error)})
        return {"status": "refused", "reason": str(error), **_kind(error)}
    logger.info("Did what was asked for", extra={"action": asked.action, "app": answer.get("app", "")})
    return answer


def _kind(error: Exception) -> dict[str, str]:
    if isinstance(error, NoSuchThing):
        return {"kind": "no such thing"}
    return {"kind": "not known"} if isinstance(error, TransientError) else {}


def _app(asked: Operation) -> str:
    """The app's name as pushes have it now, or as it was when the app went live."""
    known = ledger.current(app=asked.app)
    if known is None and asked.named != asked.app and ledger.current(app=asked.named):
        return asked.named
    return asked.app


def _answer(asked: Operation, app: str) -> dict[str, Any]:
    if asked.action == operation.FOLLOW:
        return asked_deployments.follow(app, asked.to)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if asked.dry_run:
        return _carry_out(asked, app, now, repeated=False)
    # A repeated request must keep its time, or it would be another deployment.
    token = uuid.uuid4().hex
    noted = ledger.note_operation(
        app=app,
        name=asked.id,
        action=asked.action,
        at=now,
        by=asked.by,
        reason=asked.reason,
        token=token,
    )
    if noted["action"] != asked.action:
        raise NotPossible(f"The id {asked.id} was already used for another request.")
    if noted.get("answer"):
        return dict(noted["answer"])
    answer = _carry_out(asked, app, noted["at"], repeated=noted["token"] != token)
    ledger.answer_operation(app=app, name=asked.id, answer=answer)
    return answer


def _carry_out(asked: Operation, app: str, at: str, *, repeated: bool) -> dict[str, Any]:
    if repeated and (begun := asked_deployments.again(asked, app, at)):
        return begun
    if asked.action == operation.STOP:
        return stopping.stop(asked, app, int(datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()))
    if asked.action == operation.END:
        return stopping.end(asked, app, repeated=repeated)
    return DEPLOYMENTS[asked.action](asked, app, at)
